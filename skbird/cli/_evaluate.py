"""``skbird evaluate``."""

from pathlib import Path

import click

from skbird.cli import _console
from skbird.cli._labelled import ANNOTATIONS, DATA, predict_labelled
from skbird.cli._models import MODEL, TRUST, open_model

_SHOWN = 10


@click.command(
    epilog="""\b
Examples:
  skbird evaluate birds.skbird birds.heldout.csv --out species.csv
  skbird evaluate birds.skbird soundscapes --annotations raven_tables"""
)
@MODEL
@DATA
@ANNOTATIONS
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a line per species, as CSV.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Probability from which a species counts as predicted.",
)
@TRUST
def evaluate(model, data, annotations, out, threshold, trust_pickle):
    """Judge a model on labelled recordings, species by species.

    DATA is what `skbird train` takes, recordings that the model was not trained on, or
    with --annotations a folder of recordings. Of a BirdCLEF folder, its labelled
    soundscapes are taken.
    """
    model = open_model(model, trust_pickle)
    X, Y, proba = predict_labelled(model, data, annotations)
    show_scores(X, Y, proba, threshold, out)
    click.get_current_context().exit(say_unread(X, proba))


def show_scores(X, Y, proba, threshold=0.5, out=None):
    """Print what predictions are worth; return it.

    Parameters
    ----------
    X : DataFrame
    Y : DataFrame of shape (n_rows, n_species)
    proba : ndarray of shape (n_rows, n_species)
    threshold : float
    out : Path, default=None
        Where to write the table of species.

    Returns
    -------
    dict
        Of figures, as :func:`skbird.inference.save_model` takes them.
    """
    import warnings

    import numpy as np

    from skbird.metrics import macro_average_precision, species_report
    from skbird.model_selection import macro_roc_auc_interval

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*rows of y_score are NaN")
        table = species_report(Y, proba, threshold=threshold, nan_rows="omit")
        score, (low, high) = macro_roc_auc_interval(
            Y, proba, recordings=X["path"], random_state=0
        )
        precision = macro_average_precision(Y, proba, nan_rows="omit")
    X = X[~np.isnan(proba).all(axis=1)]
    judged = table["roc_auc"].notna()
    if not judged.any():
        raise ValueError(
            f"None of the {len(table)} species is both present and absent in the "
            f"{len(X)} rows: there is nothing to judge. Use more recordings."
        )
    table = table.reset_index().sort_values("roc_auc", ignore_index=True)
    _console.show(
        f"Macro ROC-AUC {score:.3f} [{low:.3f}, {high:.3f}], macro average precision "
        f"{precision:.3f}: {judged.sum()} of {len(judged)} species, {len(X)} rows of "
        f"{X['path'].nunique()} recordings (95 % interval over recordings)"
    )
    if out is not None:
        table.to_csv(out, index=False)
        _console.say(f"Wrote {out}")
    columns = ["species", "n_positive", "roc_auc", "average_precision"]
    shown = table[[*columns, "precision", "recall"]].head(_SHOWN)
    if len(table) > _SHOWN:
        _console.say(f"The worst {_SHOWN} species (--out writes all):")
    _console.show_table(shown)
    return {
        "macro_roc_auc": round(score, 4),
        "macro_roc_auc_low": round(low, 4),
        "macro_roc_auc_high": round(high, 4),
        "macro_average_precision": round(float(precision), 4),
        "held_out_rows": len(X),
    }


def say_unread(X, proba):
    """Name the recordings whose predictions are NaN; return the exit code."""
    import numpy as np

    unread = X.loc[np.isnan(proba).all(axis=1), ["path"]]
    return _console.say_left_out(unread.assign(error="cannot be read"))
