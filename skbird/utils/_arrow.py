"""Columns of Arrow's in tables of pandas'."""

import pandas as pd


def with_rows(table):
    """Make objects of the columns that pandas takes no rows of.

    Arrow has kinds, such as the ``string_view`` of polars, that can neither be sorted
    nor cut so far.

    Parameters
    ----------
    table : DataFrame

    Returns
    -------
    DataFrame
        The same if it has no such columns. What is missing is None.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.utils._arrow import with_rows
    >>> with_rows(pd.DataFrame({"site": ["pond"]}))
       site
    0  pond
    """
    copied = False
    for place, dtype in enumerate(table.dtypes):
        if isinstance(dtype, pd.ArrowDtype) and not _has_rows(table.iloc[:, place]):
            table = table if copied else table.copy(deep=False)
            copied = True
            table.isetitem(place, _as_objects(table.iloc[:, place]))
    return table


def _has_rows(column):
    try:
        column.take([])
    except NotImplementedError:
        return False
    return True


def _as_objects(column):
    values = [None if value is pd.NA else value for value in column]
    return pd.Series(values, index=column.index, dtype=object)
