"""Check truth and scores once, in one place, before any metric sees them."""

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd

from skbird.utils._params import as_floats, check_list
from skbird.utils._rows import check_same_order, check_species_columns
from skbird.utils._text import counted

PRESENT_FROM = 0.5  # a soft target counts as presence from here on


class Truth(NamedTuple):
    """Masks of the species known to be present, and known at all, in each row."""

    positive: np.ndarray  # (n_rows, n_species) bool: known to be present
    known: np.ndarray  # (n_rows, n_species) bool: known at all
    species: list  # names if the caller gave a DataFrame, else column numbers


def validate_truth(y_true, name="y_true"):
    """Turn Y into masks of the known entries and of the present ones.

    Parameters
    ----------
    y_true : array-like or DataFrame of shape (n_rows, n_species)
        Values in [0, 1]; NaN where unknown; a row that is -1 throughout is unlabelled.
    name : str, default="y_true"
        How messages call it.

    Returns
    -------
    truth : Truth

    Raises
    ------
    ValueError
        If `y_true` is not a two-dimensional table of such values, or has no rows.
    """
    values, species = _as_matrix(y_true, name)
    unlabelled = (values == -1).all(axis=1)
    known = ~np.isnan(values) & ~unlabelled[:, None]
    wrong = known & ~((values >= 0) & (values <= 1))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"{name} holds {values[row, column]:g} at row {row}, species "
            f"{species[column]!r}; values must be in [0, 1], NaN where unknown, or -1 "
            "throughout the row for an unlabelled recording."
        )
    return Truth(known & (values >= PRESENT_FROM), known, species)


def validate_scores(y_true, proba, *, species=None, nan_rows="raise"):
    """Check truth and scores together.

    Parameters
    ----------
    y_true : array-like or DataFrame of shape (n_rows, n_species)
        See `validate_truth`.
    proba : array-like or DataFrame of shape (n_rows, n_species)
        Probabilities or any other finite scores. A row that is NaN throughout is a
        recording that could not be read.
    species : sequence of str, default=None
        Names of the species. By default those of `y_true`.
    nan_rows : {"raise", "omit"}, default="raise"
        What to do with such rows: refuse them, or leave them out with a warning.

    Returns
    -------
    truth : Truth
        Without the omitted rows' knowledge.
    score : ndarray of float64, shape (n_rows, n_species)
        NaN wherever the truth is not known.

    Raises
    ------
    ValueError
        If shapes or species differ, scores are infinite or NaN, or two DataFrames have
        the same rows in another order.
    """
    if not isinstance(nan_rows, str) or nan_rows not in ("raise", "omit"):
        raise ValueError(f"nan_rows={nan_rows!r} must be 'raise' or 'omit'.")
    truth = validate_truth(y_true)
    score, _ = _as_matrix(proba, "proba")
    _check_alike(y_true, proba, truth, score)
    names = truth.species if species is None else check_list(species, "species")
    if len(names) != score.shape[1]:
        raise ValueError(
            f"species has {counted(len(names), 'name')}, but y_true has "
            f"{counted(score.shape[1], 'column')}. Pass one name per column."
        )
    known = _without_nan_rows(truth, score, nan_rows)
    if not np.isfinite(score[known]).all():
        row, column = np.argwhere(known & ~np.isfinite(score))[0]
        raise ValueError(
            f"proba holds {score[row, column]} at row {row}, species "
            f"{names[column]!r}; scores must be finite. Only a row that is NaN "
            "throughout can be left out, as a recording that could not be read."
        )
    truth = Truth(truth.positive & known, known, names)
    return truth, np.where(known, score, np.nan)


def validate_threshold(threshold, n_species):
    """Check the score from which a species counts as predicted.

    Parameters
    ----------
    threshold : float or array-like of shape (n_species,)
        One for all, or one per species.
    n_species : int
        Number of species.

    Returns
    -------
    threshold : ndarray of float64, shape () or (n_species,)

    Raises
    ------
    ValueError
        If its shape is another, or a threshold is NaN.
    """
    threshold = as_floats(threshold, "threshold", np.float64)
    if threshold.shape not in ((), (n_species,)):
        raise ValueError(
            f"threshold has shape {threshold.shape}; pass one number, or one per "
            f"species: ({n_species},)."
        )
    if np.isnan(threshold).any():
        raise ValueError(
            f"threshold={threshold} must not be NaN; pass numpy.inf for a species that "
            "is never to be predicted."
        )
    return threshold


def _as_matrix(table, name):
    """Values as float64 (n_rows, n_species), and the columns' names or numbers."""
    is_frame = isinstance(table, pd.DataFrame)
    check_species_columns(table, name)
    try:
        if is_frame:
            values = table.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            values = as_floats(table, name, np.float64)
    except (TypeError, ValueError) as exc:
        raise ValueError(
            f"{name} must be a numeric array or DataFrame of shape (n_rows, "
            f"n_species), got {type(table).__name__} {table!r:.60}. "
            "skbird.data.encode_labels makes one of names."
        ) from exc
    if values.ndim != 2:
        raise ValueError(
            f"{name} has shape {values.shape}, but (n_rows, n_species) is needed. For "
            f"one species pass {name}.reshape(-1, 1)."
        )
    if len(values) == 0:
        raise ValueError(
            f"{name} has no rows: there is nothing to learn or to judge. Are there "
            "recordings in the folder, or in this fold?"
        )
    return values, list(table.columns) if is_frame else list(range(values.shape[1]))


def _check_alike(y_true, proba, truth, score):
    if truth.known.shape != score.shape:
        raise ValueError(
            f"y_true has shape {truth.known.shape} and proba {score.shape}; both "
            "must have the same rows and species."
        )
    check_same_species(y_true, proba, ("y_true", "proba"))
    check_same_order(y_true, proba, ("y_true", "proba"))


def check_same_species(first, second, names):
    """Refuse two tables whose columns have other names, or another order.

    Parameters
    ----------
    first, second : DataFrame, or anything else, which names no species
    names : (str, str)
        How messages call them.

    Raises
    ------
    ValueError
        If they name different species in the same place.
    """
    if not isinstance(first, pd.DataFrame) or not isinstance(second, pd.DataFrame):
        return
    for ours, theirs in zip(first.columns, second.columns, strict=False):
        if ours != theirs:
            raise ValueError(
                f"{names[0]} and {names[1]} name different species in the same place: "
                f"{ours!r} and {theirs!r}. Order them alike: "
                f"{names[1]}[{names[0]}.columns]."
            )


def _without_nan_rows(truth, score, nan_rows):
    """Copy of ``truth.known`` in which rows without any score are unknown."""
    unread = np.isnan(score).all(axis=1) & truth.known.any(axis=1)
    if not unread.any():
        return truth.known
    rows = np.flatnonzero(unread)
    found = (
        f"{rows.size} of {counted(len(score), 'row')} of proba "
        f"{'is' if rows.size == 1 else 'are'} NaN"
    )
    if nan_rows == "raise":
        shown = ", ".join(map(str, rows[:5])) + (", ..." if rows.size > 5 else "")
        raise ValueError(
            f"{found} (rows {shown}): recordings that could not be read, or a model "
            "that diverged. Pass nan_rows='omit' to judge the other rows only, or "
            "replace NaN by the score that such rows will get in the end."
        )
    warnings.warn(f"{found}; left out of the score.", stacklevel=4)
    return truth.known & ~unread[:, None]


def check_judged(judged):
    """Return the column ``judged`` of reviews as floats, or say what is wrong.

    Parameters
    ----------
    judged : Series

    Returns
    -------
    ndarray of shape (n_reviews,)
        1 (right), 0 (wrong) or NaN (uncertain).
    """
    judged = as_floats(judged, "judged of reviews", np.float64)
    wrong = ~(np.isnan(judged) | (judged == 0) | (judged == 1))
    if wrong.any():
        raise ValueError(
            f"judged={judged[wrong.argmax()]:g} of reviews must be 1 (right), 0 "
            f"(wrong) or NaN (uncertain), in row {wrong.argmax()}. Correct it."
        )
    return judged
