"""What predictions are worth, for ``evaluate`` and ``train``."""

from dataclasses import dataclass

import pandas as pd

from skbird.cli import _console

_SHOWN = 10
# Of one recording the bootstrap has one sample, and of a few hardly more.
_FEWEST = 5


@dataclass(frozen=True)
class Scores:
    """Of rows whose truth is known.

    Attributes
    ----------
    species : DataFrame
        A line per species, the worst first.
    figures : dict
        As :func:`skbird.inference.save_model` takes them.
    n_recordings : int
    """

    species: pd.DataFrame
    figures: dict
    n_recordings: int

    def show(self):
        """Print the figures and the worst species."""
        figures, table = self.figures, self.species
        n_judged = table["roc_auc"].notna().sum()
        interval, note = "", "too few recordings for an interval"
        if "macro_roc_auc_low" in figures:
            interval = " [{macro_roc_auc_low:.3f}, {macro_roc_auc_high:.3f}]"
            note = "95 % interval over recordings"
        _console.show(
            f"Macro ROC-AUC {{macro_roc_auc:.3f}}{interval}, macro average precision "
            "{macro_average_precision:.3f}: ".format(**figures)
            + f"{n_judged} of {len(table)} species, {figures['held_out_rows']} rows of "
            f"{self.n_recordings} recordings ({note})"
        )
        if len(table) > _SHOWN:
            _console.say(f"The worst {_SHOWN} species (evaluate --out writes all):")
        columns = ["species", "n_positive", "roc_auc", "average_precision"]
        _console.show_table(table[[*columns, "precision", "recall"]].head(_SHOWN))


def _name_rows(X):
    """Say which rows could not be read."""
    if not len(X):
        return ""
    rows = X.reindex(columns=["path", "start", "end"]).head(_SHOWN)
    named = ", ".join(
        path if pd.isna(start) else f"{path} from {start:g} to {end:g} s"
        for path, start, end in rows.itertuples(index=False)
    )
    more = ", ..." if len(X) > _SHOWN else "."
    return f" {len(X)} rows could not be read, and are left out: {named}{more}"


def score(X, Y, proba, threshold=0.5):
    """Judge predictions.

    Parameters
    ----------
    X : DataFrame
    Y : DataFrame of shape (n_rows, n_species)
    proba : ndarray of shape (n_rows, n_species)
        Rows of NaN are left out.
    threshold : float

    Returns
    -------
    Scores

    Raises
    ------
    ValueError
        If there is no species both present and absent.
    """
    import warnings

    import numpy as np

    from skbird.metrics import macro_average_precision, species_report
    from skbird.model_selection import macro_roc_auc_interval

    read = ~np.isnan(proba).all(axis=1)
    if not read.any():
        raise ValueError(f"None of the {len(X)} rows can be read.")
    left_out = _name_rows(X[~read])
    X, Y, proba = X[read], Y[read], proba[read]
    table = species_report(Y, proba, threshold=threshold, nan_rows="omit")
    if not table["roc_auc"].notna().any():
        raise ValueError(
            f"None of the {len(table)} species is both present and absent in the "
            f"{len(X)} rows: there is nothing to judge. Use more recordings.{left_out}"
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*rows of proba are NaN")
        auc, (low, high) = macro_roc_auc_interval(
            Y, proba, recording_ids=X["path"], random_state=0
        )
        precision = macro_average_precision(Y, proba, nan_rows="omit")
    figures = {"macro_roc_auc": auc}
    if X["path"].nunique() >= _FEWEST:
        figures |= {"macro_roc_auc_low": low, "macro_roc_auc_high": high}
    figures["macro_average_precision"] = precision
    figures = {name: round(float(value), 4) for name, value in figures.items()}
    return Scores(
        species=table.reset_index().sort_values("roc_auc", ignore_index=True),
        figures=figures | {"held_out_rows": len(X)},
        n_recordings=X["path"].nunique(),
    )
