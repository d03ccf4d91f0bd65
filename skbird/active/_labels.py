"""Answers of the one who labels, checked before anything depends on them."""

import numpy as np

from skbird.utils._rows import check_species_columns
from skbird.utils._text import counted


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
    labels = np.asarray(Y, dtype=np.float32)
    if labels.ndim != 2 or len(labels) != n_rows:
        raise ValueError(
            f"{name} has shape {labels.shape}, but (n_rows, n_species) with "
            f"{counted(n_rows, 'row')} is needed. For one species pass "
            f"{name}.reshape(-1, 1)."
        )
    wrong = ~np.isnan(labels) & ~((labels >= 0) & (labels <= 1))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"{name} holds {labels[row, column]:g} at row {row}, column {column}; an "
            "answer is in [0, 1], or NaN where it is uncertain."
        )
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
