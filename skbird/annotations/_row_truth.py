"""Truth that is a table of rows, with a column of zeros and ones per species."""

import warnings
from numbers import Real
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from skbird.annotations._boxes import check_boxes
from skbird.annotations._read_submission import read_submission_table
from skbird.annotations._row_tables import some
from skbird.utils._text import looks_like_name

# Columns of row tables that say how to read a recording, or whose it is.
_NO_SPECIES = {"channel", "channels", "collection", "fold", "row", "index"}
_WORDS = {"true": 1.0, "false": 0.0}


def boxes_of_submission(path):
    """Read the boxes of a table with ``row_id``; see `boxes_of_rows`.

    A row ends at the second in its ``row_id``, and all are taken to be as long as the
    file lets them be; see `_starts`.
    """
    truth, row_id = read_submission_table(path)
    named = row_id.to_series(index=truth.index).str.extract("(?s)^(.*)_(.*)$")
    recording, end = named[0].fillna(""), pd.to_numeric(named[1], errors="coerce")
    wrong = ~end.between(0, np.inf, inclusive="neither") | (recording == "")
    if wrong.any():
        raise ValueError(
            f"{path}: the row_id {row_id[wrong.argmax()]!r} does not end in '_' and a "
            "second above 0. Write <name of the recording>_<end of the row in s>."
        )
    rows = pd.DataFrame({"path": recording, "end": end})
    rows["start"] = _starts(rows, path)
    return boxes_of_rows(rows, truth, path)


def _starts(rows, path):
    """Return where rows begin of which only the ends are known.

    Rows may be missing, and the last one of a recording may be short, so that a row
    does not begin where the one before it ends, but one step before its own end.
    """
    ordered = rows.sort_values(["path", "end"])
    before = ordered.groupby("path")["end"].shift()
    is_first = before.isna()
    is_last = ~ordered["path"].duplicated(keep="last")
    before = before.fillna(0.0)
    gap = (ordered["end"] - before).round(3)  # seconds such as 0.3 - 0.2 are not exact
    # Of a last row, which may be short, as little as possible is believed.
    commonest = (gap if is_last.all() else gap[~is_last]).mode().min()
    # What is between 0 and the end of a first row is no shorter than the row.
    step = np.fmin(commonest, gap[is_first & ~is_last].min())
    steps = ordered["end"][~is_last] / step
    is_told = (gap[~is_first] == step).any() and np.allclose(steps, steps.round())
    if len(rows) and not is_told:
        warnings.warn(
            f"{Path(path)} does not tell how long its rows are, only where they end: "
            f"they are taken for {step:g} s. Write path, start and end in place of "
            "row_id if they are not.",
            UserWarning,
            stacklevel=5,
        )
    return before.where(gap <= step, ordered["end"] - step)


def boxes_of_rows(rows, table, path):
    """Return a box for each species of each row, and one without species of others.

    Parameters
    ----------
    rows : DataFrame
        ``path``, ``start``, ``end``.
    table : DataFrame of shape (n_rows, n_columns)
        A column for each species, zeros and ones or False and True, and what travels
        along with rows: columns of text, empty ones, and such as ``channel``.
    path : path-like
        Where they are from.

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        If there are other numbers (probabilities are what a model says), or no column
        that may be a species.
    """
    columns = [
        (name, *_as_truth(column))
        for name, column in table.items()
        if str(name).casefold() not in _NO_SPECIES
    ]
    truth = [(name, values) for name, values, is_truth in columns if is_truth]
    if len(rows) and not truth:
        raise ValueError(
            f"{Path(path)} says of no species whether it calls in a row: none of its "
            f"columns {some(table.columns)} holds 0 and 1, or False and True. Write "
            "a column for each species, or one called species for boxes."
        )
    for name, values in truth:
        wrong = ~np.isin(values, (0, 1))
        if wrong.any():
            row = wrong.argmax()
            raise ValueError(
                f"{Path(path)} holds {_show(table[name].iloc[row])} where 0 or 1 is "
                f"needed to say whether {name!r} calls in {_describe(rows.iloc[row])}. "
                "Take the column out if it is no species. Probabilities are what a "
                "model says, not the truth: pass tables that people made or corrected."
            )
    calls = np.array([values for _, values in truth]).reshape(len(truth), len(rows)).T
    row, column = np.nonzero(calls)
    silent = np.flatnonzero(~calls.any(axis=1))
    names = np.array([*(name for name, _ in truth), np.nan], dtype=object)
    names = names[[*column, *[-1] * len(silent)]]
    rows = rows[["path", "start", "end"]].iloc[[*row, *silent]]
    return check_boxes(rows.assign(species=names), str(path))


def boxes_of_wide(table, path):
    """Return the boxes of a table with ``path``, ``start``, ``end`` and the species."""
    rows = table[["path", "start", "end"]]
    return boxes_of_rows(rows, table.drop(columns=list(rows)), path)


def _as_truth(column):
    """Return a column as numbers, NaN where it holds none, and if it is a species."""
    if is_numeric_dtype(column) or is_bool_dtype(column):
        values = column.to_numpy(dtype=float, na_value=np.nan)
        return values, not np.isnan(values).all()
    values = column.astype(object).map(_as_number).to_numpy(dtype=float)
    # A cell or two may be mistyped: these are an error, not a column of text.
    return values, np.isin(values, (0, 1)).sum() > column.notna().sum() / 2


def _as_number(cell):
    if isinstance(cell, Real):  # also True
        return float(cell)
    if not isinstance(cell, str) or looks_like_name(cell):
        return np.nan
    word = cell.strip().casefold()
    try:
        return _WORDS[word] if word in _WORDS else float(word)
    except ValueError:
        return np.nan


def _show(cell):
    return f"{cell:g}" if isinstance(cell, Real) else repr(str(cell)[:80])


def _describe(row):
    return f"{row['path']!r} from {row['start']:g} to {row['end']:g} s"
