"""Folds that a caller passes as row numbers."""

from collections.abc import Iterable

import numpy as np

from skbird.utils._text import counted


def list_folds(folds, name="folds"):
    """Return the folds as a list, or say what was passed in their place.

    Parameters
    ----------
    folds : iterable of (train, test)
        Row numbers or masks, as ``cv.split(X, y, groups)`` yields them.
    name : str
        How messages call `folds`.

    Returns
    -------
    list of (train, test)

    Raises
    ------
    TypeError
        If `folds` is a splitter, a number, one split, or anything else.
    ValueError
        If `folds` is empty.

    Examples
    --------
    >>> from sklearn.model_selection import KFold
    >>> from skbird.utils._folds import list_folds
    >>> len(list_folds(KFold(3).split(range(6))))
    3
    """
    remedy = "Pass cv.split(X, y, groups) or a list of it"
    if hasattr(folds, "split") or not isinstance(folds, Iterable):
        raise TypeError(
            f"{name}={folds!r} makes folds, or counts them, but the folds themselves "
            f"are needed. {remedy}."
        )
    folds = list(folds)
    if not folds:
        raise ValueError(f"{name} is empty. {remedy}.")
    for number, fold in enumerate(folds):
        if not _is_fold(fold):
            raise TypeError(
                f"{name} has {type(fold).__name__} at place {number} where a pair "
                f"(train, test) of row numbers is needed. {remedy}; one split by "
                "itself is [(train, test)]."
            )
    return folds


def check_folds(folds, n_rows, name="cv"):
    """Return folds as arrays of row numbers, if they test what they did not train on.

    Parameters
    ----------
    folds : iterable of (train, test)
        Row numbers or masks. A row may be trained on several times, as in resamples.
    n_rows : int
    name : str
        How messages call `folds`.

    Returns
    -------
    list of (train, test), ndarray of int each

    Raises
    ------
    ValueError
        If these are no row numbers, or not below `n_rows`, a row is in the training and
        the test part of a fold, or twice in a test part.

    Examples
    --------
    >>> from skbird.utils._folds import check_folds
    >>> check_folds([([0, 2], [False, True, False])], 3)
    [(array([0, 2]), array([1]))]
    """
    checked = []
    for number, fold in enumerate(folds):
        train, test = (_row_numbers(part, n_rows, name, number) for part in fold)
        both = np.intersect1d(train, test)
        if len(both):
            raise ValueError(
                f"{name} has row {both[0]} in both parts of fold {number}: its "
                "prediction is not held out. Take it from the training or the test "
                "part."
            )
        rows, counts = np.unique(test, return_counts=True)
        if (counts > 1).any():
            raise ValueError(
                f"{name} tests row {rows[counts.argmax()]} {counts.max()} times in "
                f"fold {number}; once at most is needed. Pass numpy.unique(test)."
            )
        checked.append((train, test))
    return checked


def _row_numbers(part, n_rows, name, number):
    rows = np.asarray(part)
    if rows.dtype == bool and rows.shape == (n_rows,):
        return np.flatnonzero(rows)
    if rows.size == 0:
        return np.empty(0, dtype=np.int64)
    if rows.dtype.kind not in "iu":
        raise ValueError(
            f"{name} has {rows[0]!r} in fold {number} where row numbers are needed, or "
            f"a mask of the {counted(n_rows, 'row')}."
        )
    wrong = (rows < 0) | (rows >= n_rows)
    if wrong.any():
        raise ValueError(
            f"{name} has row {rows[wrong][0]} in fold {number}, but there are only "
            f"rows 0 to {n_rows - 1}. Make the folds of the same X."
        )
    return rows


def _is_fold(fold):
    return (
        isinstance(fold, tuple | list | np.ndarray)
        and len(fold) == 2
        and all(np.ndim(part) == 1 for part in fold)
    )
