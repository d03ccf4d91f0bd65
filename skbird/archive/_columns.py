"""The further columns of a row table, which travel into the parts of an archive run."""

import os

import pandas as pd

from skbird.utils._extras import install_hint
from skbird.utils._names import printable_path

_KEYS = ("path", "start", "end")
_LONG = ("species", "probability")


def import_pyarrow():
    """Import pyarrow with its Parquet part, or say how to get it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as exc:
        raise ImportError(
            "Archives are written as Parquet by pyarrow, which is not installed: "
            f"{install_hint('archive')}."
        ) from exc
    return pyarrow


def further_columns(rows):
    """Return the Arrow type of each further column of a row table, by its name.

    All rows are looked at, so that the parts have the same types whatever is in them.

    Parameters
    ----------
    rows : DataFrame or None
        As `check_rows` gives it; None has none.

    Returns
    -------
    dict of str to pyarrow.DataType
        Numbers, truth values, dates and times as they are; anything else, and columns
        of several types, as text.
    """
    if rows is None:
        return {}
    columns = rows.drop(columns=list(_KEYS)).items()
    return {name: _arrow_type(column) for name, column in columns}


def _arrow_type(column):
    pyarrow = import_pyarrow()
    types = pyarrow.types
    if column.dtype == object and not _is_uniform(column):
        return pyarrow.string()
    try:
        kind = pyarrow.array(column, from_pandas=True).type
    except (pyarrow.ArrowException, ValueError, TypeError, OverflowError):
        return pyarrow.string()
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_float16(kind):
        return pyarrow.float32()
    flat = (
        types.is_boolean,
        types.is_integer,
        types.is_floating,
        types.is_date,
        types.is_time,
        types.is_timestamp,
        types.is_duration,
    )
    is_flat = any(is_kind(kind) for is_kind in flat)
    return kind if is_flat else pyarrow.string()


def _is_uniform(column):
    """Return whether all values of a column of objects are of one type, and time zone.

    Of several, pyarrow would take one that holds them all nearly: a date for a time.
    """
    values = column[column.notna()]
    kinds = set(map(type, values))
    if len(kinds) != 1 or not hasattr(next(iter(kinds)), "tzinfo"):
        return len(kinds) <= 1
    return len({str(value.tzinfo) for value in values}) == 1


def arrow_column(column, kind):
    """Return a further column, or some rows of it, as an Arrow array.

    Parameters
    ----------
    column : Series
    kind : pyarrow.DataType
        See `further_columns`.

    Returns
    -------
    pyarrow.Array
        Null where `column` has no value.
    """
    pyarrow = import_pyarrow()
    if kind != pyarrow.string():
        if isinstance(column.dtype, pd.CategoricalDtype):
            # By way of pandas, whole numbers with a gap would be floats.
            values = pyarrow.array(column, from_pandas=True)
            return values.dictionary_decode().cast(kind)
        return pyarrow.array(column, type=kind, from_pandas=True)
    text = printable_paths(map(str, column))[0]
    pairs = zip(text, column.isna(), strict=True)
    values = [None if missing else cell for cell, missing in pairs]
    return pyarrow.array(values, type=kind)


def check_names(species, rows, *, is_long):
    """Refuse names of species or further columns that two columns would have.

    Parameters
    ----------
    species : sequence of str
    rows : DataFrame or None
        See `further_columns`.
    is_long : bool
        Whether the parts have a line per row and species.

    Raises
    ------
    ValueError
        If a name is there twice.
    """
    species = list(map(str, species))
    columns = [] if rows is None else [str(c) for c in rows.columns if c not in _KEYS]
    taken = pd.Series([*_KEYS, *species])
    if taken.duplicated().any():
        raise ValueError(
            f"The model's species_ hold {taken[taken.duplicated()].iloc[0]!r} twice, "
            "or as the name of another column. Each species needs a name of its own."
        )
    names = pd.Series([*columns, *(_LONG if is_long else species)])
    if names.duplicated().any():
        twice = names[names.duplicated()].iloc[0]
        what = "a column of the results" if is_long else "a species of the model"
        raise ValueError(
            f"The row table has a column {twice!r}, which is also the name of {what}, "
            "or of another column of the table. Its columns go into the results: "
            f"rename it, or leave it out: table.drop(columns={twice!r})."
        )


def printable_paths(paths):
    """Write paths that are not UTF-8 in another way: neither tables nor Parquet can.

    Parameters
    ----------
    paths : iterable
        What is no path stays as it is.

    Returns
    -------
    paths : list
    changed : set of str
        The new forms, by which no file is found.
    """
    paths = list(paths)
    printable = [
        printable_path(path) if isinstance(path, str | os.PathLike) else path
        for path in paths
    ]
    pairs = zip(printable, paths, strict=True)
    return printable, {new for new, old in pairs if new is not old}
