"""Answers of the one who labels, checked before anything depends on them."""

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from skbird.utils._params import as_floats
from skbird.utils._rows import check_species_columns
from skbird.utils._text import counted


def is_answered(Y):
    """Return a mask of the rows that somebody was asked for, (n_rows,)."""
    return ~(Y == -1).all(axis=1)


def is_labeled(Y):
    """Return a mask of the rows with a label of a species at least, (n_rows,)."""
    return is_answered(Y) & ~np.isnan(Y).all(axis=1)


def check_row_numbers(rows, n_rows):
    """Return numbers of rows of the pool as an array, or say what is wrong with them.

    Parameters
    ----------
    rows : array-like of int
    n_rows : int
        Size of the pool.

    Returns
    -------
    ndarray of int
    """
    numbers = np.asarray(rows)
    if numbers.size == 0:
        numbers = numbers.astype(np.int64)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise TypeError(
            f"rows={rows!r:.100} must be numbers of rows of the pool, as query() "
            "returns them."
        )
    outside = numbers[(numbers < 0) | (numbers >= n_rows)]
    if len(outside):
        raise ValueError(
            f"rows has {outside[0]}, but the pool has {counted(n_rows, 'row')}, "
            f"0 to {n_rows - 1}."
        )
    values, counts = np.unique(numbers, return_counts=True)
    if len(values) < len(numbers):
        raise ValueError(
            f"rows has row {values[counts.argmax()]} more than once. Give one answer "
            "for each row."
        )
    return numbers


def check_answers(Y, n_rows, species=None, name="Y"):
    """Return labels as an array, and the names of their species.

    Parameters
    ----------
    Y : array-like or DataFrame of shape (n_rows, n_species)
        Values in [0, 1], NaN = uncertain.
    n_rows : int
    species : ndarray or None
        The species of earlier answers.
    name : str
        How messages call it.

    Returns
    -------
    labels : ndarray of float32, shape (n_rows, n_species)
    species : ndarray of shape (n_species,)
    """
    check_species_columns(Y, name)
    labels = _as_answers(Y, name)
    if labels.ndim != 2 or len(labels) != n_rows:
        raise ValueError(
            f"{name} has shape {labels.shape}, but (n_rows, n_species) with "
            f"{counted(n_rows, 'row')} is needed. For one species pass "
            f"{name}.reshape(-1, 1)."
        )
    if labels.shape[1] == 0:
        raise ValueError(f"{name} has no columns: pass one for each species.")
    _check_values(labels, np.ones(n_rows, bool), name)
    names = np.asarray(getattr(Y, "columns", np.arange(labels.shape[1])))
    if species is None:
        return labels, names
    has_names = hasattr(Y, "columns")
    if labels.shape[1] != len(species) or (
        has_names and names.tolist() != species.tolist()
    ):
        raise ValueError(
            f"{name} has the species {names.tolist()[:5]}, but earlier answers have "
            f"{species.tolist()[:5]} (the first five of each). Pass the same columns "
            "in the same order."
        )
    return labels, species


def check_labels(Y, name="Y"):
    """Return the answers of a whole pool as an array, -1 throughout in rows without.

    Parameters
    ----------
    Y : array-like or DataFrame of shape (n_rows, n_species)
    name : str
        How messages call it.

    Returns
    -------
    ndarray of float32, shape (n_rows, n_species)
    """
    check_species_columns(Y, name)
    labels = _as_answers(Y, name)
    if labels.ndim != 2 or labels.shape[1] == 0:
        raise ValueError(
            f"{name} has shape {labels.shape}; (n_rows, n_species) is needed, a row "
            "for each of the pool and a column for each species."
        )
    hint = ", or -1 throughout a row without one"
    _check_values(labels, is_answered(labels), name, hint)
    return labels


def _check_values(labels, answered, name, hint=""):
    inside = np.isnan(labels) | ((labels >= 0) & (labels <= 1))
    wrong = answered[:, None] & ~inside
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"{name} holds {labels[row, column]:g} at row {row}, column {column}; an "
            f"answer is in [0, 1], or NaN where it is uncertain{hint}."
        )


def _as_answers(Y, name):
    """Return answers as floats, NaN for what is missing in any other way."""
    if issparse(Y):
        raise TypeError(
            f"{name} is a sparse {type(Y).__name__}, of shape {Y.shape}. Pass "
            f"{name}.toarray()."
        )
    try:
        return as_floats(Y, name, np.float32)
    except ValueError:
        cells = np.array(_rows_of_one_length(Y, name), dtype=object)
    missing = pd.isna(cells)
    cells[missing] = np.nan
    for place in np.argwhere(~missing):
        try:
            float(cells[tuple(place)])
        except (TypeError, ValueError, OverflowError):
            names = zip(("row", "column"), place, strict=False)
            where = ", ".join(f"{what} {number}" for what, number in names)
            raise ValueError(
                f"{name} holds {cells[tuple(place)]!r:.60}{where and ' at ' + where}; "
                "an answer is a number in [0, 1], or NaN or pd.NA where it is "
                "uncertain. Turn words into numbers first: 1 for yes, 0 for no."
            ) from None
    return cells.astype(np.float32)


def _rows_of_one_length(Y, name):
    """Return Y as it is, or say which of its rows is longer or shorter than others."""
    if not isinstance(Y, list | tuple):
        return Y
    lengths = np.array([np.size(np.array(row, dtype=object)) for row in Y])
    other = np.flatnonzero(lengths != lengths[:1])
    if len(other):
        raise ValueError(
            f"{name} has {counted(lengths[0], 'answer')} in row 0, but "
            f"{lengths[other[0]]} in row {other[0]}. Give one for each species in each "
            "row, NaN where it is uncertain."
        )
    return Y
