"""Row tables: what X may be, and the one form in which skbird uses it."""

import os
from decimal import Decimal
from numbers import Real
from typing import Literal

import numpy as np
import pandas as pd

from skbird.audio import AudioReadError, check_column, read_headers
from skbird.utils._arrow import with_rows
from skbird.utils._columns import check_columns
from skbird.utils._names import printable_path
from skbird.utils._text import counted
from skbird.utils._typing import Paths, Rows

# Of 5 s, they are 69,000 hours, and take a gigabyte.
_MAX_ROWS = 50_000_000
_PLACE = "path", "start", "end"
# What pandas makes of texts: before pandas 3 objects, which may be no texts.
_TEXT = pd.Series(["text"]).dtype


def check_rows(X: Rows, *, input_name: str = "X") -> pd.DataFrame:
    r"""Bring X into the form of a row table.

    A row is a whole recording or a stretch of one. The number and the order of rows
    stay as they are; there may be none. No file is touched.

    Parameters
    ----------
    X : sequence of str or path-like, or DataFrame
        Paths of recordings (list, array, Series), or a table with a column ``path``
        and, if wanted, ``start`` and ``end`` in seconds (NaN: from the beginning, to
        the end), ``collection``, ``channels`` ("mean", "loudest" or the number of a
        channel; it counts more than ``channels`` of
        :class:`skbird.preprocessing.Resampler`) and any further columns, which travel
        along.
    input_name : str, default="X"
        Name of X in error messages.

    Returns
    -------
    DataFrame
        A copy with the columns ``path`` (str), ``start`` and ``end`` (float, seconds;
        NaN in ``end`` means to the end), then the others, indexed 0 to n - 1. In paths
        that are not UTF-8, which no table can hold, ``\xe4`` stands for a byte; such
        files are found all the same.

    Raises
    ------
    TypeError
        If X is a single path or does not hold paths.
    ValueError
        If X has no column ``path`` or several, or a row does not end
        after its start.

    Examples
    --------
    >>> from skbird.data import check_rows
    >>> check_rows(["a.ogg", "b.ogg"])
        path  start  end
    0  a.ogg    0.0  NaN
    1  b.ogg    0.0  NaN
    """
    return check_placed_rows(X, input_name, lambda row: f"Row {row} of {input_name}")


def check_placed_rows(X, input_name, place):
    """Bring X into the form of a row table, see `check_rows`.

    Parameters
    ----------
    X : sequence of str or path-like, or DataFrame
    input_name : str
        Name of X in error messages.
    place : callable
        Says for the number of a row how errors call it.
    """
    table = _as_table(X, input_name)
    places = {name: number for number, name in enumerate(table.columns)}
    given = {name: table[name] for name in _PLACE if name in places}
    paths = _paths(given["path"], place)
    start, end = (
        _seconds(given[name], name, input_name)
        if name in given
        else np.full(len(table), np.nan)
        for name in ("start", "end")
    )
    unplaced, endless = np.isnan(start), end == np.inf
    start, end = np.where(unplaced, 0.0, start), np.where(endless, np.nan, end)
    wrong = np.flatnonzero((start < 0) | (end <= start) | np.isinf(start))
    if len(wrong):
        row = wrong[0]
        raise ValueError(
            f"{place(row)} ({paths[row]}) has start={start[row]:g} and "
            f"end={end[row]:g}: 0 <= start < end is needed, in seconds "
            f"({counted(len(wrong), 'such row')})."
        )
    columns = {"path": paths, "start": start, "end": end}
    as_given = paths is given["path"] and not unplaced.any() and not endless.any()
    if as_given and _is_row_table(places, given):  # each step of a pipeline asks
        rows = pd.DataFrame(with_rows(table))  # without attributes of X
        if not _is_plain(rows.columns):
            rows.columns = list(table.columns)
        return rows
    # By place: of further columns two may have one name.
    names = list(columns)
    for k, (name, values) in enumerate(with_rows(table).items()):
        if name not in _PLACE:
            names.append(name)
            is_channels = name == "channels"
            columns[k] = check_column(values, place) if is_channels else values
    rows = pd.DataFrame(columns)
    rows.columns = names
    return rows


def _is_row_table(places, given):
    """Return whether a table begins with columns of the kinds that it must have."""
    if [places.get(name) for name in _PLACE] != [0, 1, 2] or "channels" in places:
        return False
    return given["start"].dtype == given["end"].dtype == np.float64


def _is_plain(columns):
    """Return whether names of columns are such as pandas makes of a list of texts."""
    return type(columns) is pd.Index and columns.dtype == _TEXT and columns.name is None


def in_one_layout(rows):
    """Return a table that lies in memory as pandas makes it of columns.

    joblib hashes tables of the same values to the same only if they lie alike.
    """
    columns = {number: values for number, (_, values) in enumerate(rows.items())}
    built = pd.DataFrame(columns, index=rows.index)
    built.columns = list(rows.columns)
    return built


def check_some_rows(X):
    """Raise an error if there are no rows to learn from or to report on.

    Parameters
    ----------
    X : object with a length

    Raises
    ------
    ValueError
        If it is 0.
    """
    if len(X) == 0:
        raise ValueError(
            "X has no rows: there is nothing to learn from or to look at. Does the "
            "pattern that lists the files match?"
        )


def _as_table(X, name):
    if isinstance(X, (str, bytes, os.PathLike)):
        raise TypeError(
            f"{name}={str(X)!r} is a single path where a list of paths is needed. For "
            "a folder: skbird.audio.list_audio(folder)."
        )
    if isinstance(X, pd.DataFrame):
        if not X.size and not len(X.columns):
            return pd.DataFrame({"path": []})
        check_columns(X, ("path", "start", "end", "collection", "channels"), name)
        if "path" not in X.columns:
            raise ValueError(
                f"{name} is a DataFrame without a column 'path'; its columns are "
                f"{list(X.columns)[:10]}. Rename the one that holds the file paths"
                f"{_in_index(X, name)}."
            )
        return X.reset_index(drop=True)
    if not isinstance(X, (list, tuple)) and np.ndim(X) != 1:
        raise TypeError(
            f"{name} must be a sequence of paths or a DataFrame with a column 'path', "
            f"got {type(X).__name__}."
        )
    return pd.DataFrame({"path": pd.Series(list(X), dtype=object)})


def _in_index(X, name):
    names = [level for level in X.index.names if level is not None]
    return f", or {name}.reset_index() if {names} do" if names else ""


def _paths(given, place):
    """Return paths as text; what a table of checked rows holds is one."""
    if (
        given.dtype == _TEXT
        and isinstance(_TEXT, pd.StringDtype)
        and not given.array.isna().any()
    ):
        return given
    paths = [_as_path(path, row, place) for row, path in enumerate(given)]
    # Of an empty list pandas would make numbers.
    return pd.Series(paths, dtype=None if paths else str)


def _as_path(path, row, place):
    if isinstance(path, (str, os.PathLike)):
        return printable_path(os.fspath(path))
    raise TypeError(
        f"{place(row)} holds {path!r:.100} ({type(path).__name__}) where a path of a "
        "recording is needed."
    )


def _seconds(values, column, name):
    """Return a column of seconds as an array of floats, which may be shared."""
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "iuf":
        return values.to_numpy(dtype=float)
    # Durations and truth values would become bare numbers: 5000 for 5 s in ms.
    wrong = [value for value in _kinds_of(values) if not _may_be_seconds(value)]
    if wrong:
        raise TypeError(
            f"Column {column!r} of {name} holds {wrong[0]!r:.100} "
            f"({type(wrong[0]).__name__}), where a number of seconds is needed. Turn "
            "durations into them: column.dt.total_seconds()."
        )
    try:
        return values.astype(float).to_numpy()
    except (TypeError, ValueError, OverflowError) as exc:
        raise TypeError(
            f"Column {column!r} of {name} must hold seconds: {exc}"
        ) from exc


def _kinds_of(values):
    """Return a value of each type in a column, and all texts; else the first."""
    if values.dtype == object or pd.api.types.is_string_dtype(values.dtype):
        texts = [value for value in values if isinstance(value, str)]
        return [*{type(value): value for value in values}.values(), *texts]
    return values.dropna().head(1).tolist()


def _may_be_seconds(value):
    if value is None or value is pd.NA:
        return True
    if isinstance(value, str):
        return "_" not in value  # Python reads 1_0 as 10
    return isinstance(value, Real | Decimal) and not isinstance(value, bool | np.bool_)


def segment_table(
    recordings: Paths,
    segment_s: float = 5.0,
    step_s: float = 5.0,
    *,
    on_error: Literal["raise", "skip"] = "raise",
) -> pd.DataFrame:
    """Make the row table of soundscapes: one row for each stretch to be predicted.

    Only headers are read, so that thousands of hours take seconds. Files whose header
    does not tell their length, such as m4a, are read from beginning to end.

    Parameters
    ----------
    recordings : sequence of str or path-like
        The soundscapes.
    segment_s : float > 0, default=5.0
        Length of a row in seconds.
    step_s : float > 0, default=5.0
        Seconds from the start of a row to the start of the next.
    on_error : {"raise", "skip"}, default="raise"
        What to do about files that cannot be read: raise an error that names them, or
        make one row of each, from the beginning to an unknown end, which
        ``LogMel(on_error="skip")`` then lists.

    Returns
    -------
    DataFrame
        Columns ``path``, ``start``, ``end``. The last stretch of a recording ends
        with the recording: however short, it is a row of its own (padded later, as
        any short row is) and is not joined to the one before.

    Raises
    ------
    AudioReadError
        If files cannot be read and `on_error` is "raise".
    ValueError
        If `segment_s` or `step_s` is not positive and finite, `on_error` is neither,
        or there would be more than 50 million rows.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from skbird.data import segment_table
    >>> path = Path(tempfile.mkdtemp()) / "night.wav"
    >>> soundfile.write(path, np.zeros(12 * 8000), 8000)
    >>> segment_table([path])[["start", "end"]]
       start   end
    0    0.0   5.0
    1    5.0  10.0
    2   10.0  12.0
    """
    _check_seconds("segment_s", segment_s)
    _check_seconds("step_s", step_s)
    segment_s, step_s = float(segment_s), float(step_s)
    if not isinstance(on_error, str) or on_error not in ("raise", "skip"):
        raise ValueError(f"on_error={on_error!r} must be 'raise' or 'skip'.")
    paths = check_rows(recordings, input_name="recordings")["path"]
    headers = read_headers(list(paths))
    problems = [str(found) for found in headers if isinstance(found, AudioReadError)]
    if problems and on_error == "raise":
        raise AudioReadError(
            f"{len(problems)} of {counted(len(headers), 'file')} cannot be read:\n  "
            + "\n  ".join(problems[:5])
            + "\nMend or leave them out, or pass on_error='skip'."
        )
    duration_s = np.array([getattr(found, "duration_s", np.nan) for found in headers])
    n_rows = _count_rows(duration_s, step_s)
    _check_number(paths, n_rows, step_s)
    n_rows = n_rows.astype(int)
    recording = np.repeat(np.arange(len(paths)), n_rows)
    first_row = np.repeat(np.cumsum(n_rows) - n_rows, n_rows)
    start = step_s * (np.arange(len(recording)) - first_row)
    end = np.minimum(start + segment_s, duration_s[recording])  # NaN stays
    path = paths.iloc[recording].reset_index(drop=True)
    return pd.DataFrame({"path": path, "start": start, "end": end})


def _check_seconds(name, value):
    if not isinstance(value, Real) or not 0 < value < np.inf:
        raise ValueError(
            f"{name}={value!r} must be above 0 seconds, and finite. For whole "
            "recordings, pass their paths as X."
        )


def _check_number(paths, n_rows, step_s):
    """Refuse to make more rows than memory holds."""
    if n_rows.sum() > _MAX_ROWS:
        most = n_rows.argmax()
        raise ValueError(
            f"step_s={step_s:g} would make {n_rows.sum():.3g} rows, {n_rows[most]:.3g} "
            f"of them of {paths[most]!r}; at most {_MAX_ROWS:,} are made. Raise "
            "step_s, or pass fewer recordings at a time."
        )


def _count_rows(duration_s, step_s):
    """Return the rows of each recording, as floats: they may be huge."""
    # A remainder below a millisecond is rounding, not sound; of unknown ones, one row.
    with np.errstate(over="ignore"):
        return np.fmax(1.0, np.ceil((duration_s - 1e-3) / step_s))
