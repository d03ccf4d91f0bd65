"""Files, groups and columns of the rows of X, for X of any form."""

import os
from contextlib import suppress
from itertools import combinations

import numpy as np
import pandas as pd
from sklearn.utils.validation import _num_samples

from skbird.utils._names import printable_path
from skbird.utils._text import counted


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
        paths = X.get("path", [None] * len(X))
    else:
        paths = getattr(X, "paths", [None] if isinstance(X, str) else X)
    try:
        paths = list(paths)
    except TypeError:
        paths = [None]
    if not all(issubclass(kind, str | os.PathLike) for kind in set(map(type, paths))):
        raise ValueError(
            f"X ({type(X).__name__}) does not say which rows share a file. Pass a "
            "DataFrame with a column 'path', a sequence of paths, or groups= with one "
            "file per row."
        )
    # pandas needs text
    spelled = {path: printable_path(os.fspath(path)) for path in set(paths)}
    return np.array([spelled[path] for path in paths], dtype=object)


def recordings_of_rows(X):
    """Return the file that each row is from, each file in one spelling.

    The same as `files_of_rows`, unless paths such as ``a.wav`` and ``./a.wav`` are of
    one file: then the first of these spellings in sorted order stands for all.

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
    files = files_of_rows(X)
    places = {path: os.path.abspath(path) for path in set(files)}
    spelled = {}
    for path, place in places.items():
        spelled[place] = min(path, spelled.get(place, path))
    return np.array([spelled[places[path]] for path in files], dtype=object)


def check_y_length(y, n_rows):
    """Raise an error if y cannot be the labels of `n_rows` rows.

    Parameters
    ----------
    y : array-like or None
        None, where a step is fitted by itself, passes.
    n_rows : int

    Raises
    ------
    TypeError
        If y is the pair of tables that ``encode_labels`` returns.
    ValueError
        If it has more or fewer rows.
    """
    if y is None:
        return
    if isinstance(y, tuple) and len(y) == 2 and all(hasattr(v, "shape") for v in y):
        raise TypeError(
            "Y is a tuple. encode_labels returns two tables: "
            "Y, label_weight = encode_labels(table)."
        )
    if _num_samples(y) != n_rows:
        raise ValueError(
            f"Y has {counted(_num_samples(y), 'row')}, but X has {n_rows}."
        )


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


def check_same_order(first, second, names, axes=("index", "columns")):
    """Refuse two tables whose rows, or columns, are the same in another order.

    Only positions count for what is computed of them. Labels that are others, such as
    those of a table made of an array, say nothing of the order.

    Parameters
    ----------
    first, second : DataFrame, or anything else, which has no labels
    names : (str, str)
        How messages call them.
    axes : tuple of {"index", "columns"}
        What is compared: rows, columns or both.

    Raises
    ------
    ValueError
        If it is so.
    """
    if not isinstance(first, pd.DataFrame) or not isinstance(second, pd.DataFrame):
        return
    for axis in axes:
        is_rows = axis == "index"
        what = "rows" if is_rows else "columns"
        ours, theirs = getattr(first, axis), getattr(second, axis)
        if len(ours) != len(theirs) or ours.equals(theirs):
            continue
        # Numbers in place of labels, which may be of kinds that do not compare.
        numbers, _ = pd.factorize(ours.append(theirs))
        ours_numbers, theirs_numbers = np.split(numbers, 2)
        differs = ours_numbers != theirs_numbers
        if differs.any() and set(ours_numbers) == set(theirs_numbers):
            place = differs.argmax()
            order = "" if is_rows else ":, "
            have = "index has" if is_rows else "columns have"
            raise ValueError(
                f"{names[0]} and {names[1]} have the same {what} in another order: the "
                f"{have} {ours[place]!r} and {theirs[place]!r} in place {place}. "
                f"Pass {names[1]}.loc[{order}{names[0]}.{axis}], or .to_numpy() of "
                "both if they are in one order and the labels mean nothing."
            )


def check_same_orders(tables):
    """Compare each of several tables with each other by `check_same_order`.

    Of an array nothing can be said, so that no table may stand for all.

    Parameters
    ----------
    tables : dict of str to DataFrame, or to anything else, which has no labels
        By what messages call them.

    Raises
    ------
    ValueError
        If two have the same rows, or columns, in another order.
    """
    for (name, table), (other, another) in combinations(tables.items(), 2):
        check_same_order(table, another, (name, other))


def file_numbers(X, groups=None):
    """Give each row the number of its file: named by X, else by groups, else none.

    Rows that nothing is known of are files by themselves.

    Parameters
    ----------
    X : DataFrame, sequence of paths, or anything with a length
    groups : array-like of shape (n_rows,), default=None

    Returns
    -------
    ndarray of int, shape (n_rows,)
    """
    try:
        groups = recordings_of_rows(X)
    except (TypeError, ValueError):
        if groups is None:
            return np.arange(_num_samples(X))
    return number_groups(groups, _num_samples(X))[0]


def groups_of_rows(X, groups, name="groups", n_rows=None):
    """Return the group of each row, (n_rows,); None if there are no groups.

    Parameters
    ----------
    X : DataFrame, sequence of paths, or anything with a length
    groups : str, array-like of shape (n_rows,) or None
        A column of the row table of X, or one name or number per row. Of the column
        "path" see `recordings_of_rows`.
    name : str
        How messages call `groups`.
    n_rows : int, default=None
        By default as many as X has, which else may be None unless `groups` is text.

    Returns
    -------
    ndarray of shape (n_rows,), or None

    Raises
    ------
    ValueError
        If X has no such column, `groups` has another length, or a group is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.utils._rows import groups_of_rows
    >>> X = pd.DataFrame({"path": ["a.ogg", "b.ogg"], "site": ["marsh", "ridge"]})
    >>> groups_of_rows(X, "site").tolist()
    ['marsh', 'ridge']
    """
    if groups is None:
        return None
    if isinstance(groups, str):
        table = row_table(X)
        if table is None or groups not in table.columns:
            found = (
                f"{type(X).__name__}, which is no row table"
                if table is None
                else f"whose columns are {list(table.columns)}"
            )
            raise ValueError(
                f"{name}={groups!r} is not a column of X, {found}. Pass the name of a "
                "column, or one name or number per row."
            )
        if groups == "path":
            with suppress(ValueError):  # where one is missing, which is said below
                table = table.assign(path=recordings_of_rows(table))
        groups = table[groups]
    return check_groups(groups, _num_samples(X) if n_rows is None else n_rows, name)


def check_groups(groups, n_rows, name="groups"):
    """Return groups as an array (n_rows,), or say what is wrong with them."""
    if isinstance(groups, str):
        raise TypeError(
            f"{name}={groups!r} is one text where one name or number per row is "
            f"needed. For a column of X pass the column: {name}=X[{groups!r}]."
        )
    listed = groups if isinstance(groups, list | tuple) else None
    try:
        groups = np.asarray(groups)
    except ValueError:  # lists of several lengths
        groups = np.asarray(groups, dtype=object)
    if groups.shape != (n_rows,):
        raise ValueError(
            f"{name} has shape {groups.shape}, but there are {counted(n_rows, 'row')}: "
            "pass one name or number per row."
        )
    if groups.dtype == object:
        kinds = {type(group): group for group in groups}
        unhashable = [kind for kind in kinds if kind.__hash__ is None]
        if unhashable:
            raise TypeError(
                f"{name} holds {kinds[unhashable[0]]!r:.60}, a "
                f"{unhashable[0].__name__}, where one name or number per row is needed."
            )
    # Of a list of names, numpy makes a name "nan" of what is missing.
    missing = pd.isna(pd.Series(groups if listed is None else listed, dtype=object))
    if missing.any():
        raise ValueError(
            f"{name} is missing (None or NaN) at row {missing.argmax()} "
            f"({missing.sum()} of {counted(n_rows, 'row')}). Name the group of each "
            "row; one that stands alone needs a name of its own."
        )
    return groups


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
    TypeError
        If `groups` is the name of a column.
    ValueError
        If `groups` has another length, or a group is missing.
    """
    numbers, names = pd.factorize(check_groups(groups, n_rows, name))
    try:
        order = np.argsort(names, kind="stable")
    except TypeError:  # names of several types have no order but that of appearance
        order = np.arange(len(names))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[numbers], np.asarray(names)[order]


def check_species_columns(y, name="y"):
    """Refuse columns of a DataFrame that are no names of species, each its own.

    Parameters
    ----------
    y : DataFrame, or anything else, which has no names
    name : str
        How messages call it.

    Raises
    ------
    ValueError
        If the columns have several levels, or one name is there twice.
    """
    columns = getattr(y, "columns", None)
    if not isinstance(columns, pd.Index):
        return
    if isinstance(columns, pd.MultiIndex):
        raise ValueError(
            f"The columns of {name} have {columns.nlevels} levels, where one name per "
            f"species is needed: {name}.columns = {name}.columns.map('_'.join)."
        )
    if not columns.is_unique:
        twice = columns[columns.duplicated()][0]
        raise ValueError(
            f"{name} has several columns {twice!r}; each species needs a name of its "
            f"own. Unite them: {name}.T.groupby(level=0).max().T."
        )


def check_targets(X, y):
    """Check that y has rows and columns, as many rows as X, and return its shape.

    Parameters
    ----------
    X : DataFrame, sequence of paths, or anything with a length
    y : array-like or DataFrame of shape (n_rows, n_species)

    Returns
    -------
    n_rows, n_species : int

    Raises
    ------
    ValueError
        If `y` is None or has another shape.
    """
    if y is None:
        raise ValueError(
            "This classifier requires y to be passed, but the target y is None. Pass "
            "labels of shape (n_rows, n_species)."
        )
    if _num_samples(X) == 0:
        raise ValueError(
            "X has no rows: there is nothing to learn from. Does the pattern that "
            "lists the files match?"
        )
    check_species_columns(y)
    shape = np.asarray(y).shape
    if len(shape) != 2 or shape[0] != _num_samples(X):
        raise ValueError(
            f"y has shape {shape}, but (n_rows, n_species) with the {_num_samples(X)} "
            "rows of X is needed. For one species pass y.reshape(-1, 1)."
        )
    return shape
