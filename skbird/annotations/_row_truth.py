"""Truth that is a table of rows, with a column of zeros and ones per species."""

from pathlib import Path

import numpy as np
import pandas as pd

from skbird.annotations._boxes import check_boxes
from skbird.annotations._read_submission import read_submission


def boxes_of_submission(path):
    """Read the boxes of a table with ``row_id``; see `boxes_of_rows`.

    A row ends at the second in its ``row_id`` and begins where the row before it of
    that recording ends.
    """
    truth = read_submission(path)
    named = truth.index.str.rpartition("_")
    recording, end = named.get_level_values(0), named.get_level_values(2)
    end = pd.to_numeric(pd.Series(end), errors="coerce")
    if end.isna().any() or not (recording != "").all():
        wrong = truth.index[(end.isna() | (recording == "")).argmax()]
        raise ValueError(
            f"{path}: the row_id {wrong!r} does not end in '_' and a second. Write "
            "<name of the recording>_<end of the row in s>."
        )
    rows = pd.DataFrame({"path": recording, "end": end})
    ordered = rows.sort_values(["path", "end"])
    rows["start"] = ordered.groupby("path")["end"].shift(fill_value=0.0)
    return boxes_of_rows(rows, truth.reset_index(drop=True), path)


def boxes_of_rows(rows, truth, path):
    """Return a box for each species of each row, and one without species of others.

    Parameters
    ----------
    rows : DataFrame
        ``path``, ``start``, ``end``.
    truth : DataFrame of shape (n_rows, n_species)
        Zeros and ones.
    path : path-like
        Where they are from.

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        If there are other numbers: probabilities are what a model says.
    """
    values = truth.to_numpy(dtype=float)
    wrong = ~np.isin(values, (0, 1))
    if wrong.any():
        raise ValueError(
            f"{Path(path)} holds {values[wrong][0]:g} where 0 or 1 is needed to say "
            "whether a species calls in a row: probabilities are what a model says, "
            "not the truth. Pass tables that people made or corrected."
        )
    row, column = np.nonzero(values)
    silent = np.flatnonzero(~values.any(axis=1))
    names = [*truth.columns[column], *[np.nan] * len(silent)]
    names = np.array(names, dtype=object)
    return check_boxes(rows.iloc[[*row, *silent]].assign(species=names), str(path))


def boxes_of_wide(table, path):
    """Return the boxes of a table with ``path``, ``start``, ``end`` and the species.

    Columns of text travel along with rows, and are no species; see `boxes_of_rows`.
    """
    rows = table[["path", "start", "end"]]
    truth = table.drop(columns=list(rows)).select_dtypes("number")
    return boxes_of_rows(rows, truth, path)
