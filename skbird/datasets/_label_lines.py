"""Join the lines of a table that name the same stretch of a recording."""

import os
import warnings

import numpy as np
import pandas as pd

from skbird.data import read_pairs
from skbird.utils._text import counted

_STRETCH = ("path", "start", "end")
_LABELS = ("primary_label", "secondary_labels")


def join_lines(table, places, species, name, *, stacklevel):
    """Join the lines of each stretch into one row that has all their labels.

    Many tables have a line per recording and species. As rows of their own, such lines
    would contradict each other: each says that the species of the others are absent.

    Parameters
    ----------
    table : DataFrame
        ``path``, ``primary_label``, and if wanted ``secondary_labels``, ``start`` and
        ``end``; indexed 0 to n - 1.
    places : list of str
        Where each line is.
    species : sequence of str or None
        See `encode_labels`.
    name : str
        What the warning calls the table.
    stacklevel : int
        Stack level of the warning, as seen by the caller of this function.

    Returns
    -------
    table : DataFrame
        Further columns have the values of the first line of each row.
    places : list of str
        Where the first line of each row is.

    Warns
    -----
    UserWarning
        If lines were joined: how many, and which further columns differ in them.
    """
    stretches = _stretches(table)
    again = stretches.duplicated().to_numpy()
    if not again.any():
        return table, places
    rows = stretches.groupby(list(stretches), sort=False).ngroup().to_numpy()
    cells = _join_labels(table, rows, species, places)
    joined = table[~again].reset_index(drop=True).assign(**cells)
    differing = _differing(table[again], joined.iloc[rows[again]])
    warnings.warn(
        f"{again.sum()} of {counted(len(table), 'line')} of {name} "
        f"{'names' if again.sum() == 1 else 'name'} the same recording and stretch as "
        f"a line above: such lines are joined, to {counted(len(joined), 'row')} that "
        f"have all their labels. {differing}Write one line per stretch, with all "
        "labels separated by semicolons, to avoid this.",
        UserWarning,
        stacklevel=stacklevel + 1,
    )
    kept = np.flatnonzero(~again)
    return joined, [places[line] for line in kept]


def _stretches(table):
    """Return what tells one row from another, the same for all ways to write it."""
    stretches = pd.DataFrame({"path": list(map(os.path.normpath, table["path"]))})
    for column, default in (("start", 0.0), ("end", np.inf)):
        if column in table:
            seconds = pd.to_numeric(table[column], errors="coerce")
            stretches[column] = seconds.fillna(default).to_numpy()
    return stretches


def _join_labels(table, rows, species, places):
    """Return the cells of labels of each row, by column."""
    _, primary, secondary, absent = read_pairs(table, species, places.__getitem__)
    pairs = zip(
        [*primary.rows, *absent.rows],
        [*primary.labels, *(f"-{label}" for label in absent.labels)],
        strict=True,
    )
    cells = {"primary_label": _join(table["primary_label"], rows, pairs, ";".join)}
    if "secondary_labels" in table:
        pairs = zip(secondary.rows, secondary.labels, strict=True)
        column = table["secondary_labels"]
        cells["secondary_labels"] = _join(column, rows, pairs, str)
    return cells


def _join(column, rows, pairs, write):
    """Return a cell of each row: written anew where several lines name labels."""
    _, first = np.unique(rows, return_index=True)
    cells = column.iloc[first].tolist()
    labels = {row: {} for row in np.flatnonzero(np.bincount(rows) > 1)}
    for line, label in pairs:
        if (row := rows[line]) in labels:
            labels[row][label] = None  # each once, in order
    for row, names in labels.items():
        if names:
            cells[row] = write(list(names))
    return cells


def _differing(again, first):
    """Say which further columns of lines differ from those of their first lines."""
    others = again.columns.difference([*_STRETCH, *_LABELS], sort=False)
    columns = [
        name
        for name in others
        if list(map(str, again[name])) != list(map(str, first[name]))
    ]
    if not columns:
        return ""
    return f"Of the columns {columns}, which differ, the first line counts. "
