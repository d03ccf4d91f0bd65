"""What meta-estimators may know of the rows of X, whatever form X has."""

import os

import numpy as np
import pandas as pd


def files_of_rows(X):
    """Return the file that each row is from.

    Parameters
    ----------
    X : DataFrame with a column ``path``, object with an attribute ``paths``, or \
            sequence of paths

    Returns
    -------
    ndarray of shape (n_rows,), object

    Raises
    ------
    ValueError
        If X does not tell.
    """
    if isinstance(X, pd.DataFrame):  # first: its columns are attributes, too
        paths = X.get("path", [None])
    else:
        paths = getattr(X, "paths", [None] if isinstance(X, str) else X)
    paths = list(paths)
    if not all(isinstance(path, str | os.PathLike) for path in paths):
        raise ValueError(
            f"X ({type(X).__name__}) does not say which rows share a file. Pass a "
            "DataFrame with a column 'path', a sequence of paths, or groups= with one "
            "file per row."
        )
    return np.array([os.fspath(path) for path in paths], dtype=object)


def assign_column(X, name, values):
    """Return X with one more column of the row table; X stays as it is.

    Parameters
    ----------
    X : DataFrame, object with a method ``assign``, or sequence of paths
    name : str
    values : ndarray of shape (n_rows,)

    Returns
    -------
    DataFrame, or what ``X.assign`` gives
    """
    if hasattr(X, "assign"):
        return X.assign(**{name: values})
    return pd.DataFrame({"path": files_of_rows(X), name: values})
