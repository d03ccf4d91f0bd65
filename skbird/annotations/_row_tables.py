"""The CSV form of BirdCLEF competitions: a line per row, a column per species."""

import csv
import io

import pandas as pd

from skbird.annotations._text_tables import read_text
from skbird.utils._text import counted

ROW_ID = "row_id"
_MOST_COLUMNS = 100_000  # more would take minutes


def read_row_table(path):
    """Read a table with a column ``row_id``, all others as pandas takes them.

    Parameters
    ----------
    path : path-like
        In UTF-8, UTF-16 or Windows-1252.

    Returns
    -------
    DataFrame
        Indexed by the number of the line, from 0 for the one after the names; without
        empty lines. NaN where a cell is empty.

    Raises
    ------
    ValueError
        If there is nothing in it, or a line is longer than the first, or a column is
        named twice. The message names the file.
    """
    text = read_text(path)
    header = _read_header(text, path)
    names = [name or f"/{number}" for number, name in enumerate(header)]
    try:
        table = pd.read_csv(
            io.StringIO(text),
            names=names,
            header=0,
            index_col=False,
            dtype={ROW_ID: str},
            keep_default_na=False,
            na_values=[""],
            skip_blank_lines=False,
            low_memory=False,  # else each part would have kinds of its own
        )
    except (ValueError, OverflowError) as exc:  # pandas' own errors are ValueErrors
        raise ValueError(
            f"{path}: {' '.join(str(exc).split())}. Is a quotation mark not closed, or "
            "does a name hold a comma? Correct the line."
        ) from exc
    table = table.dropna(how="all")
    unnamed = table[[name for name in names if name not in header]]
    more = unnamed.notna().any(axis=1)
    if more.any():
        raise ValueError(
            f"{path}, line {more.idxmax() + 2}: a cell in a column without a name. "
            "Name its species in line 1, or take it out."
        )
    return table.drop(columns=unnamed.columns)


def _read_header(text, path):
    """Return the names of the columns, checked, as is the first line after them."""
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header, first = next(lines, []), next(lines, [])
    except csv.Error as exc:
        raise ValueError(
            f"{path}, line {lines.line_num}: {exc}. Correct the line."
        ) from exc
    if not header:
        raise ValueError(f"{path} is empty, or its first line is. Write it again.")
    if ROW_ID not in header:
        raise ValueError(
            f"{path}, line 1: there is no column {ROW_ID!r}, but {some(header)}. Is it "
            "a submission? Rename the column that names the rows."
        )
    if len(header) > _MOST_COLUMNS:
        raise ValueError(
            f"{path}, line 1: it names {len(header)} columns, and at most "
            f"{_MOST_COLUMNS} are read. Leave out those that are no species."
        )
    names = pd.Series([name for name in header if name])
    if names.duplicated().any():
        raise ValueError(
            f"{path}, line 1: {names[names.duplicated()].iloc[0]!r} is there twice. "
            "Give each species one column."
        )
    if len(first) > len(header):  # pandas leaves out what the first line has too much
        raise ValueError(
            f"{path}, line 2: {counted(len(first), 'cell')}, but "
            f"{counted(len(header), 'column')} are named in line 1. Does a name hold a "
            "comma? Quote it."
        )
    return header


def some(names, n_shown=5):
    """First few names for a message."""
    shown = ", ".join(repr(str(name)[:80]) for name in list(names)[:n_shown])
    return shown + (", ..." if len(names) > n_shown else "")
