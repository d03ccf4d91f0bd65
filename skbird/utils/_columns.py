"""Refuse tables that lack a column, or have one twice."""

import pandas as pd


def check_columns(table, names, what="X"):
    """Refuse a table in which a column that is needed is not one column.

    Parameters
    ----------
    table : DataFrame
    names : iterable of str
        The columns that are needed, if they are there.
    what : str
        How the error calls the table.
    """
    if table.columns.nlevels > 1:
        raise ValueError(
            f"{what} has columns of {table.columns.nlevels} levels (a MultiIndex), "
            f"{list(table.columns[:2])}. Give each one name: {what}.columns = [...]."
        )
    if table.columns.is_unique:
        return
    twice = [name for name in names if (table.columns == name).sum() > 1]
    if twice:
        raise ValueError(
            f"{what} has more than one column {twice[0]!r}. Rename or drop the others: "
            f"{what}.loc[:, ~{what}.columns.duplicated()] keeps the first of each."
        )


def check_table(table, what, needed, remedy, others=()):
    """Refuse what is no table with the columns that are needed, each once.

    Parameters
    ----------
    table : object
    what : str
        How the error calls the table.
    needed : sequence of str
        Its columns.
    remedy : str
        What helps, such as where the table comes from: the end of a sentence.
    others : sequence of str
        Columns that it may have, at most once.

    Raises
    ------
    TypeError, ValueError
    """
    names = ", ".join(needed)
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"{what} must be a DataFrame, got {type(table).__name__}. It needs the "
            f"columns {names}; {remedy}."
        )
    check_columns(table, [*needed, *others], what)
    lacking = [name for name in needed if name not in table.columns]
    if lacking:
        raise ValueError(
            f"{what} has no column {lacking[0]!r}; its columns are "
            f"{list(table.columns)[:10]}. {names} are needed; {remedy}."
        )
