"""Read the CSV file that BirdCLEF competitions on Kaggle score."""

import numpy as np
import pandas as pd

from skbird.annotations._row_tables import ROW_ID, read_row_table, some
from skbird.annotations._submission import row_ids
from skbird.utils._params import check_path
from skbird.utils._text import counted
from skbird.utils._typing import PathLike


def read_submission(path: PathLike, X: pd.DataFrame | None = None) -> pd.DataFrame:
    """Read the probabilities of a submission.

    Parameters
    ----------
    path : path-like
        A file with a column ``row_id`` and one per species, as `write_submission` or
        anyone else wrote it.
    X : DataFrame, default=None
        Rows to return, in their order: ``row_id``, or ``path`` and ``end`` (seconds),
        as for `write_submission`. Lines of other rows are left out. None returns all,
        in the order of the file.

    Returns
    -------
    proba : DataFrame of shape (n_rows, n_species), float64
        The columns name the species. Indexed 0 to n - 1 if `X` is given, like what
        ``predict_proba`` gives for them; else by ``row_id``. NaN where a cell is empty.

    Raises
    ------
    TypeError
        If `X` is not a DataFrame.
    ValueError
        If there is no column ``row_id``, a row occurs twice or is not in the file, or a
        cell is not a number. The message names the file and the line.

    See Also
    --------
    write_submission : Writes such a file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from skbird.annotations import read_submission, write_submission
    >>> X = pd.DataFrame({"path": ["a/H1.ogg"] * 2, "end": [5.0, 10.0]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "submission.csv")
    ...     _ = write_submission([[0.1], [0.9]], X, path, species=["amerob"])
    ...     read_submission(path, X)
       amerob
    0     0.1
    1     0.9
    """
    table, row_id = read_submission_table(check_path(path))
    if set(table.dtypes) != {np.dtype(np.float64)} or np.isinf(table.to_numpy()).any():
        columns = {name: _numbers(table[name], path) for name in table}
        table = pd.DataFrame(columns, index=table.index)
    proba = table.set_axis(row_id)
    return proba if X is None else _select(proba, X, path)


def read_submission_table(path):
    """Return the columns of species, whatever their cells are, and the ``row_id``."""
    table = read_row_table(path)
    wrong = table[ROW_ID].duplicated() | table[ROW_ID].isna()
    if wrong.any():
        row = wrong.idxmax()
        raise ValueError(
            f"{path}, line {row + 2}: the row_id {table[ROW_ID][row]!r} is missing or "
            "repeated. Delete the line."
        )
    row_id = pd.Index(table.pop(ROW_ID))
    return table, row_id


def _numbers(column, path):
    """Return the probabilities of a species, all of them finite or missing."""
    is_number = pd.api.types.is_numeric_dtype(column)
    numbers = column if is_number else column.map(_as_float)
    numbers = numbers.astype(np.float64)
    wrong = (numbers.isna() & column.notna()) | np.isinf(numbers)
    if column.dtype == bool:
        wrong = column.notna()
    if wrong.any():
        row = wrong.idxmax()
        cell = str(column[row])[:80]
        raise ValueError(
            f"{path}, line {row + 2}, column {column.name!r}: {cell!r} is not a "
            "number. Correct it."
        )
    return numbers


def _as_float(cell):
    try:
        return float("nan" if "_" in str(cell) else cell)
    except (ValueError, OverflowError):
        return np.nan


def _select(proba, X, path):
    wanted = row_ids(X)
    position = proba.index.get_indexer(wanted)
    if (position < 0).any():
        missing = [
            row for row, found in zip(wanted, position, strict=True) if found < 0
        ]
        raise ValueError(
            f"{path} has no line for {len(missing)} of {counted(len(wanted), 'row')} "
            f"({some(missing)}). Pass the very table that was predicted."
        )
    return proba.iloc[position].reset_index(drop=True)
