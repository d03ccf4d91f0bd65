"""Folds that a caller passes as row numbers."""

from collections.abc import Iterable

import numpy as np


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


def _is_fold(fold):
    return (
        isinstance(fold, tuple | list | np.ndarray)
        and len(fold) == 2
        and all(np.ndim(part) == 1 for part in fold)
    )
