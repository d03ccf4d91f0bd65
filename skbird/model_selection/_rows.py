"""What splitters and leak checks ask of the rows: their table and their groups."""

import numpy as np
import pandas as pd

from skbird.utils._rows import files_of_rows


def row_table(X):
    """Return the table of the rows of X, or None if X tells nothing of its rows.

    Parameters
    ----------
    X : DataFrame, `Recordings`, `Spectrograms`, sequence of paths, or anything else

    Returns
    -------
    DataFrame or None
        A sequence of paths becomes a table with the column ``path`` only.
    """
    table = X if isinstance(X, pd.DataFrame) else getattr(X, "rows", None)
    if isinstance(table, pd.DataFrame):
        return table
    try:
        return pd.DataFrame({"path": files_of_rows(X)})
    except (TypeError, ValueError):
        return None


def recordings_of_rows(X, groups, n_rows):
    """Return what recording each row is of: X's paths, else `groups`, else its number.

    Parameters
    ----------
    X : DataFrame, sequence of paths, or anything else
    groups : array-like of shape (n_rows,) or None
    n_rows : int

    Returns
    -------
    ndarray of shape (n_rows,)
    """
    try:
        return files_of_rows(X)
    except (TypeError, ValueError):
        return np.arange(n_rows) if groups is None else np.asarray(groups)


def number_groups(groups, n_rows, name="groups"):
    """Give groups numbers in sorted order, so that the order of rows has no say.

    Parameters
    ----------
    groups : array-like of shape (n_rows,)
        Any names or numbers.
    n_rows : int
    name : str
        How messages call `groups`.

    Returns
    -------
    numbers : ndarray of int, shape (n_rows,)
    names : ndarray
        The group of each number.

    Raises
    ------
    ValueError
        If `groups` has another length, or a group is missing.
    """
    groups = np.asarray(groups)
    if groups.shape != (n_rows,):
        raise ValueError(
            f"{name} has shape {groups.shape}, but there are {n_rows} rows: pass one "
            "name or number per row."
        )
    numbers, names = pd.factorize(groups)
    if (numbers < 0).any():
        raise ValueError(
            f"{name} is missing (None or NaN) at row {np.argmax(numbers < 0)}. Name "
            "the group of each row."
        )
    try:
        order = np.argsort(names, kind="stable")
    except TypeError:  # names of several types have no order but that of appearance
        order = np.arange(len(names))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[numbers], np.asarray(names)[order]
