"""The scores of predictions, for ``evaluate`` and ``train``."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skbird.cli import _console
from skbird.utils._text import counted, none_of

_SHOWN = 10
_NAMED = 5
# With fewer recordings the bootstrap has hardly any different samples; with fewer rows
# with a species, or without it, one more or less changes a score by a quarter.
_FEWEST = 5
_HIGH_AUC = 0.8
_REMEDIES = {
    "positive": "more recordings of the species",
    "negative": "recordings of other species, or of none",
}


@dataclass(frozen=True)
class Scores:
    """Scores of predictions on rows with known labels.

    Attributes
    ----------
    species : DataFrame
        A line per species, the worst first.
    figures : dict
        As :func:`skbird.inference.save_model` takes them.
    n_recordings : int
    advice : list of str
        How to read the scores, and what to do about some of them.
    """

    species: pd.DataFrame
    figures: dict
    n_recordings: int
    advice: list

    def show(self):
        """Print the scores, the worst species and the advice."""
        figures, table = self.figures, self.species
        n_judged = table["roc_auc"].notna().sum()
        interval, note = "", "too few recordings for an interval"
        if "macro_roc_auc_low" in figures:
            interval = " [{macro_roc_auc_low:.3f}, {macro_roc_auc_high:.3f}]"
            note = "95 % interval over recordings"
        n_rows = counted(figures["held_out_rows"], "row")
        _console.show(
            f"Macro ROC-AUC {{macro_roc_auc:.3f}}{interval}, macro average precision "
            "{macro_average_precision:.3f}: ".format(**figures)
            + f"{n_judged} of {len(table)} species, {n_rows} of "
            f"{counted(self.n_recordings, 'recording')} ({note})"
        )
        if len(table) > _SHOWN:
            _console.say(f"The worst {_SHOWN} species (evaluate --out writes all):")
        columns = ["species", "n_positive", "roc_auc", "average_precision"]
        _console.show_table(table[[*columns, "precision", "recall"]].head(_SHOWN))
        for line in self.advice:
            _console.say(line)


def _advise(table, highest, threshold, has_interval, is_new, heard):
    """Return how to read the scores, as a list of str.

    Parameters
    ----------
    table : DataFrame indexed by species
        As `skbird.metrics.species_report` returns it.
    highest : ndarray of shape (n_species,)
        Highest probability of each species in the rows that have it.
    threshold : float
    has_interval : bool
    is_new : bool
        Whether the model was trained on none of the recordings.
    heard : str or None
        See `say_heard`.
    """
    judged = table["roc_auc"].notna()
    n_rows = {
        "positive": table["n_positive"],
        "negative": table["n_rows"] - table["n_positive"],
    }
    few = {kind: n[judged & (n < _FEWEST)] for kind, n in n_rows.items()}
    trusted = judged & (np.minimum(*n_rows.values()) >= _FEWEST)
    advice = [
        "Quote the macro ROC-AUC, with its interval. Average precision depends on how "
        "common the species are: compare it on the same rows only."
    ]
    if not trusted.any():
        remedies = [_REMEDIES[kind] for kind, n in few.items() if len(n)]
        advice = [
            f"Nothing can be quoted yet: no species has {_FEWEST} rows with it and "
            f"{_FEWEST} without. Collect {' and '.join(remedies)}."
        ]
    if not has_interval:
        advice = [
            f"Do not quote these scores: fewer than {_FEWEST} recordings tell nothing "
            "of others."
        ]
    if not is_new:
        advice = [
            "Do not quote these scores: the model was trained on some of these "
            "recordings."
        ]
    if heard is not None:
        advice.append(heard)
    unjudged = table.index[table["roc_auc"].isna()]
    if len(unjudged):
        named = _enumerate(unjudged)
        advice.append(
            "Not judged, because present or absent in all rows with a known label: "
            f"{named}."
        )
    for kind, counts in few.items():
        if len(counts) and has_interval:
            named = _enumerate([f"{name} ({n})" for name, n in counts.items()])
            advice.append(
                f"Do not trust the scores of species with fewer than {_FEWEST} {kind} "
                f"rows: {named}."
            )
    silent = (table["roc_auc"] >= _HIGH_AUC) & (table["recall"] == 0)
    if has_interval:
        silent &= trusted
    if silent.any():
        pairs = zip(table.index[silent], highest[silent], strict=True)
        named = _enumerate([f"{name} ({proba:.3g})" for name, proba in pairs])
        advice.append(
            f"High ROC-AUC, but recall 0 at {threshold:g}, because no row with the "
            f"species has a higher probability than: {named}. Pass a lower --threshold "
            "to `skbird predict`; `skbird report` shows what it costs in precision."
        )
    unpredicted = table.index[table["precision"].isna()]
    if len(unpredicted):
        advice.append(
            f"No precision, because no row reaches the threshold {threshold:g}: "
            f"{_enumerate(unpredicted)}."
        )
    return advice


def _enumerate(names):
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(str, names[:_NAMED])) + more


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
    return f" {counted(len(X), 'row')} could not be read (left out): {named}{more}"


def say_heard(model, X):
    """Say how many rows the pretrained models in a model may have been trained on.

    Parameters
    ----------
    model : fitted estimator
    X : DataFrame

    Returns
    -------
    str or None
        None if there are no such models, or no such rows.
    """
    from skbird.model_selection import count_heard

    names, n_heard = count_heard(model, X)
    if not n_heard:
        return None
    rows = "all rows" if n_heard == len(X) else f"{n_heard} of {len(X)} rows"
    return (
        f"{' or '.join(names)} may have been trained on {rows}: on others the scores "
        "may be lower."
    )


def score(X, Y, proba, threshold=0.5, *, is_new=True, heard=None):
    """Judge predictions.

    Parameters
    ----------
    X : DataFrame
    Y : DataFrame of shape (n_rows, n_species)
    proba : ndarray of shape (n_rows, n_species)
        Rows of NaN are left out.
    threshold : float
    is_new : bool, default=True
        Whether the model was trained on none of the recordings.
    heard : str, default=None
        See `say_heard`.

    Returns
    -------
    Scores

    Raises
    ------
    ValueError
        If there is no species both present and absent.
    """
    import warnings

    from skbird.metrics import macro_average_precision, species_report
    from skbird.model_selection import macro_roc_auc_interval
    from skbird.utils._truth import PRESENT_FROM, validate_truth

    read = ~np.isnan(proba).all(axis=1)
    if not read.any():
        raise ValueError(f"{none_of(len(X), 'row')} can be read.")
    left_out = _name_rows(X[~read])
    X, Y, proba = X[read], Y[read], proba[read]
    table = species_report(Y, proba, threshold=threshold, nan_rows="omit")
    if not table["roc_auc"].notna().any():
        none = none_of(len(table), "species", "species")
        raise ValueError(
            f"{none} is both present and absent in {counted(len(X), 'row')}: there is "
            f"nothing to judge. Use more recordings.{left_out}"
        )
    known = validate_truth(Y).known.any(axis=1)
    X, Y, proba = X[known], Y[known], proba[known]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*rows? of proba (is|are) NaN")
        auc, (low, high) = macro_roc_auc_interval(
            Y, proba, recording_ids=X["path"], random_state=0
        )
        # Of the same species as the ROC-AUC: in others it says nothing.
        judged = table["roc_auc"].notna().to_numpy()
        precision = macro_average_precision(
            Y.loc[:, judged], proba[:, judged], nan_rows="omit"
        )
    has_interval = not np.isnan(low)
    highest = np.where(Y.to_numpy() >= PRESENT_FROM, proba, -np.inf).max(axis=0)
    figures = {"macro_roc_auc": auc}
    if has_interval:
        figures |= {"macro_roc_auc_low": low, "macro_roc_auc_high": high}
    figures["macro_average_precision"] = precision
    figures = {name: round(float(value), 4) for name, value in figures.items()}
    return Scores(
        species=table.reset_index().sort_values("roc_auc", ignore_index=True),
        figures=figures | {"held_out_rows": len(X)},
        n_recordings=X["path"].nunique(),
        advice=_advise(table, highest, threshold, has_interval, is_new, heard),
    )
