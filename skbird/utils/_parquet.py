"""Read Parquet that may be damaged, or made to do harm."""

import os
import re

import pandas as pd

from skbird.utils._extras import install_hint
from skbird.utils._files import check_regular
from skbird.utils._text import counted

# More is no table of annotations, but takes hours and all memory.
MOST_COLUMNS = 10_000
# A file of few bytes can claim any number of rows. Those that differ take some.
_ROWS_PER_BYTE = 8
_FEW_ROWS = 1_000_000
_FEW_BYTES = 100_000_000
_MOST_UNPACKED = 100  # times the size of the file
_UNNAMED_INDEX = re.compile(r"__index_level_\d+__")


def read_parquet(path):
    """Read a Parquet file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    DataFrame
        Indexed 0 to n - 1; an index of pandas' with a name is a column.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ImportError
        If pyarrow is not installed.
    ValueError
        If it is damaged, or claims more than can be in it. The message names it.
    """
    try:
        import pyarrow.parquet
    except ImportError as exc:
        raise ImportError(
            f"{os.fspath(path)!r} is Parquet, which pyarrow reads; install it with: "
            f"{install_hint('archive')}."
        ) from exc
    check_regular(path)
    try:
        with pyarrow.parquet.ParquetFile(os.fspath(path)) as file:
            _check_size(file.metadata, os.path.getsize(path))
            table = file.read()
        table.validate(full=True)  # is its text UTF-8?
        unnamed = [name for name in table.column_names if _UNNAMED_INDEX.match(name)]
        table = table.drop_columns(unnamed)
        # Old versions refuse names that are there twice, and not in words of ours.
        numbered = table.rename_columns(list(map(str, range(table.num_columns))))
        # The notes of pandas may be damaged, too, and are not needed.
        frame = to_frame(numbered, ignore_metadata=True)
        frame.columns = table.column_names
        return frame
    except Exception as exc:  # each kind of damage has its own
        reason = " ".join(str(exc).split()).rstrip(".")
        raise ValueError(
            f"{os.fspath(path)!r} is no Parquet that can be read, or not all of it: "
            f"{reason[:300]}. Write or copy it again."
        ) from exc


def to_frame(table, **options):
    """Make a DataFrame of an Arrow table without rounding whole numbers.

    Parameters
    ----------
    table : pyarrow.Table
    **options
        Options of its method ``to_pandas``.

    Returns
    -------
    DataFrame
        Columns of whole numbers that have gaps are of a nullable type, such as Int64;
        pyarrow by itself would make floats, which hold 53 bits.
    """
    import pyarrow

    frame = table.to_pandas(integer_object_nulls=True, **options)
    with_gaps = [
        (place, field.type)
        for place, field in enumerate(table.schema)
        if pyarrow.types.is_integer(field.type) and table.column(place).null_count
    ]
    for place, kind in with_gaps:
        name = str(kind).replace("int", "Int").replace("uI", "UI")
        values = pd.array(frame.iloc[:, place], dtype=name)
        frame.isetitem(place, values)
    return frame


def _check_size(metadata, n_bytes):
    if metadata.num_columns > MOST_COLUMNS:
        raise ValueError(
            f"it has {metadata.num_columns} columns, and at most {MOST_COLUMNS} are "
            "read"
        )
    groups = [metadata.row_group(n) for n in range(metadata.num_row_groups)]
    n_rows = max(metadata.num_rows, sum(group.num_rows for group in groups))
    unpacked = sum(group.total_byte_size for group in groups)
    if n_rows > max(_FEW_ROWS, _ROWS_PER_BYTE * n_bytes):
        raise ValueError(f"it claims {counted(n_rows, 'row')}, and has {n_bytes} bytes")
    if unpacked > max(_FEW_BYTES, _MOST_UNPACKED * n_bytes):
        raise ValueError(f"it unpacks to {unpacked} bytes, and has {n_bytes}")
