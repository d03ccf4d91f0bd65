"""Read what is known of the soundscapes of a BirdCLEF folder."""

import warnings
from collections import Counter

import numpy as np
import pandas as pd

from skbird.data import encode_labels
from skbird.datasets._birdclef_files import as_numbers, check_filled, read_csv
from skbird.utils._names import settle_names
from skbird.utils._text import counted

_EXTENT = ("start", "end", "low_hz", "high_hz")
_STACKLEVEL = 5  # from _warn over what calls it and load_birdclef to the user


def read_calls(root):
    """Return the extent of each call, or None if there is no such table."""
    path = root / "soundscape_calls.csv"
    table = read_csv(path, ("filename", "species", "start", "end"))
    if table is None:
        return None
    for column in ("filename", "species", "start", "end"):
        check_filled(table, column, path)
    columns = list(table.columns.intersection(_EXTENT))
    table[columns] = as_numbers(table[columns], path)
    table["filename"] = [str(root / name) for name in table["filename"].astype(str)]
    again = table.duplicated()
    if again.any():
        _warn(f"{path} repeats {counted(again.sum(), 'line')}; each counts once.")
    return table[~again].reset_index(drop=True).rename(columns={"filename": "path"})


def read_truth(path, species):
    """Return the targets of rows, indexed by row_id, or None if there is no table."""
    table = read_csv(path, ("row_id",))
    if table is None:
        return None
    check_filled(table, "row_id", path)
    columns = table.columns.drop("row_id")
    names = settle_names(columns, species, stacklevel=_STACKLEVEL - 1)
    twice = [name for name, n in Counter(names.values()).items() if n > 1]
    if twice:
        raise ValueError(
            f"{path} has more than one column of the species {twice[0]!r}. Rename or "
            "delete the others."
        )
    truth = as_numbers(table[[name for name in columns if name in names]], path)
    wrong = ((truth < 0) | (truth > 1)).any(axis=1)
    if wrong.any():
        raise ValueError(
            f"{path} holds a value outside [0, 1] in row {wrong.argmax()} "
            f"({counted(wrong.sum(), 'such row')}). 1 is a species that is there, 0 "
            "one that is not, and nothing what nobody knows."
        )
    truth = truth.rename(columns=names).set_axis(table["row_id"], axis=0)
    # A species that the table does not have is unknown there: NaN.
    truth = truth.reindex(columns=species).astype(np.float32)
    again = truth.index.duplicated()
    if again.any():
        lines = truth.reset_index().drop_duplicates()["row_id"]
        if lines.duplicated().any():
            raise ValueError(
                f"{path} says different things of row_id "
                f"{lines[lines.duplicated()].iloc[0]!r}. Keep one of its lines."
            )
        _warn(f"{path} repeats {counted(again.sum(), 'line')}; each counts once.")
    return truth[~again]


def read_row_labels(path, species):
    """Return the targets in 2021's table of row_id and birds, or None without one."""
    table = read_csv(path, ("row_id", "birds"))
    if table is None:
        return None
    check_filled(table, "row_id", path)
    birds = table["birds"].astype(object).where(table["birds"].notna(), "")
    labels = pd.DataFrame({"primary_label": birds.str.replace(" ", ";")})
    Y, _ = encode_labels(labels, species)
    Y = Y.set_axis(table["row_id"], axis=0)
    again = Y.index.duplicated()
    if not again.any():
        return Y
    _warn(
        f"{path} has {counted(again.sum(), 'line')} with the row_id of a line above: "
        "the labels of such lines are joined."
    )
    return Y.groupby(level=0, sort=False).max()


def labelled_rows(rows, truth, path):
    """Return the rows that a truth knows, and their targets; None, None without one."""
    if truth is None:
        return None, None
    _check_known(rows, truth, path)
    known = rows["row_id"].isin(truth.index)
    n_lost = (rows["path"].isin(rows["path"][known]) & ~known).sum()
    if n_lost:
        _warn(
            f"{path} says nothing of {counted(n_lost, 'row')} of soundscapes that it "
            "knows otherwise: left out."
        )
    rows = rows[known].reset_index(drop=True)
    return rows, truth.reindex(rows["row_id"]).reset_index(drop=True)


def targets_of_all(rows, truth, path):
    """Return the targets of all rows, NaN where a truth says nothing, or None."""
    if truth is None:
        return None
    _check_known(rows, truth, path)
    n_unknown = (~rows["row_id"].isin(truth.index)).sum()
    if n_unknown:
        _warn(
            f"{path} says nothing of {n_unknown} of {counted(len(rows), 'row')}; their "
            "targets are NaN, unknown. Is the file whole?"
        )
    return truth.reindex(rows["row_id"]).reset_index(drop=True)


def _check_known(rows, truth, path):
    unknown = truth.index.difference(rows["row_id"])
    if len(unknown):
        raise ValueError(
            f"The truth names {len(unknown)} row_id that no soundscape has, the first: "
            f"{list(unknown[:3])}; {counted(len(rows), 'row')} of soundscapes were "
            f"found. Complete the download of the soundscapes, or correct {path}."
        )


def _warn(text):
    warnings.warn(text, UserWarning, stacklevel=_STACKLEVEL)
