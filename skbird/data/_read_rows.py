"""Read row tables."""

from pathlib import Path

import pandas as pd

from skbird.data._label_table import read_table
from skbird.data._row_table import check_placed_rows
from skbird.utils._params import check_path
from skbird.utils._typing import PathLike

#: Endings of the files that hold row tables.
TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")


def read_rows(path: PathLike) -> pd.DataFrame:
    r"""Read a row table from a file.

    Parameters
    ----------
    path : str or path-like
        A ``.csv``, ``.tsv`` or ``.parquet`` with a line per row: ``path`` (or
        ``filename``, ``file``), which counts from the folder of the table, and if
        wanted ``start`` and ``end`` in seconds and further columns, such as ``site``.
        As for `load_recordings`, a text may be in UTF-8, UTF-16 or Windows-1252, and
        separated by commas, semicolons or tabs.

    Returns
    -------
    DataFrame
        ``path``, ``start``, ``end`` and the further columns, as `check_rows` gives
        them: without `start` and `end`, a row is a whole recording. It may have no
        rows.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If it is Parquet and pyarrow is not installed.
    ValueError
        If it is damaged or too large, ``path`` is missing, or a row does not
        end after its start.

    See Also
    --------
    load_recordings : Reads tables with labels.
    segment_table : Makes rows of whole recordings.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skbird.data import read_rows
    >>> table = Path(tempfile.mkdtemp()) / "rows.csv"
    >>> _ = table.write_text("path,start,end,site\nnight.wav,0,5,creek\n")
    >>> read_rows(table)[["start", "end", "site"]]
       start  end   site
    0    0.0  5.0  creek
    """
    table, places = read_table(Path(check_path(path)).expanduser())
    return check_placed_rows(table, repr(str(path)), places.__getitem__)
