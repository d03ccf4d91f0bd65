"""Read selection tables of Raven."""

import warnings

import numpy as np
import pandas as pd

from skbird.annotations._audio_names import find_recordings
from skbird.annotations._boxes import check_boxes
from skbird.annotations._text_tables import read_text_tables
from skbird.utils._params import check_params
from skbird.utils._typing import Files

BEGIN, END = "Begin Time (s)", "End Time (s)"
LOW, HIGH = "Low Freq (Hz)", "High Freq (Hz)"
PATH, NAME, OFFSET = "Begin Path", "Begin File", "File Offset (s)"
ANNOTATION, SCORE, OTHER_SCORE = "Annotation", "Confidence", "Score"
WINDOW = ["Selection", "View", "Channel"]
_USUAL = (
    ANNOTATION,
    "Species",
    "Species Code",
    "Common Name",
    "Scientific Name",
    "Label",
)


def read_raven(
    files: Files,
    recordings: Files | None = None,
    *,
    annotation_column: str | None = None,
) -> pd.DataFrame:
    """Read boxes from selection tables of Raven.

    Parameters
    ----------
    files : path-like or sequence of path-like
        Selection tables, such as ``sorted(Path(folder).rglob("*.txt"))``.
    recordings : path-like or sequence of path-like, default=None
        The recordings: one that all boxes are of, or any number, among which each box
        gets the one whose path ends as the table says (``Begin Path``, ``Begin
        File``; the folders before it and its format may differ) or, if it does not
        say, the one named like the table: ``a.Table.1.selections.txt`` is of
        ``a.wav``. None: what the table says, else its name.
    annotation_column : str, default=None
        The column that names the species. By default, in each table, the first of
        ``Annotation``, ``Species``, ``Species Code``, ``Common Name``, ``Scientific
        Name`` and ``Label`` that is not empty.

    Returns
    -------
    boxes : DataFrame
        One line per selection: ``path``, ``start``, ``end`` (seconds from the start of
        the recording), ``low_hz``, ``high_hz``, ``species`` (NaN if not named),
        ``score`` if there is a column ``Confidence`` or ``Score``, and the further
        columns of the tables. Tables without selections give no line.

    Raises
    ------
    ValueError
        If a table lacks a column, a cell is not a number, or the recording of a table
        is not in `recordings`, or not clear. The message names the file and the line.

    Warns
    -----
    UserWarning
        If a table of several recordings does not have ``File Offset (s)``, so that
        times may count from the start of the first.

    See Also
    --------
    write_raven : Writes such tables.
    boxes_to_rows : From boxes to rows and Y.

    Notes
    -----
    A selection that was saved once per view and channel gives one box. Windows line
    ends, decimal commas, byte order marks and UTF-16 are understood.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from skbird.annotations import read_raven, write_raven
    >>> boxes = pd.DataFrame(
    ...     {"path": ["a.wav"], "start": [1.5], "end": [2.25], "species": ["EATO"]}
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tables = write_raven(boxes, folder)
    ...     print(tables[0].name)
    ...     print(read_raven(tables))
    a.Table.1.selections.txt
        path  start   end  low_hz  high_hz species
    0  a.wav    1.5  2.25     NaN      NaN    EATO
    """
    check_params(
        "read_raven",
        {"annotation_column": [str, None]},
        annotation_column=annotation_column,
    )
    table = read_text_tables(files, "\t,;", BEGIN)
    remedy = "Save the selection table in Raven with all of its usual columns."
    begin_column, end_column = (table.require(n, remedy) for n in (BEGIN, END))
    begin = table.numbers(begin_column, required=True)
    end = table.numbers(end_column, required=True)
    table.check_order(begin, end, (begin_column, end_column))
    species, used = _species(table, annotation_column)
    offset_column, score_column = table.find(OFFSET), table.find(SCORE, OTHER_SCORE)
    offset = table.numbers(offset_column)
    # Begin Time counts from the first of the files that were opened together.
    in_later_file = ~np.isnan(offset) & (offset != begin)
    with np.errstate(over="ignore"):
        shifted_end = offset + (end - begin)
    table.check_finite(shifted_end, end_column, required=False)
    table.check_start(begin, begin_column)
    table.check_start(offset, offset_column)
    path, path_columns = _recordings(table, recordings, has_offset=~np.isnan(offset))
    low_column, high_column = table.find(LOW), table.find(HIGH)
    boxes = {
        "path": path,
        "start": np.where(in_later_file, offset, begin),
        "end": np.where(in_later_file, shifted_end, end),
        "low_hz": table.numbers(low_column),
        "high_hz": table.numbers(high_column),
        "species": species,
    }
    table.check_order(boxes["low_hz"], boxes["high_hz"], (low_column, high_column))
    if score_column is not None:
        boxes["score"] = table.numbers(score_column)
    window = [column for column in map(table.find, WINDOW) if column is not None]
    used |= {begin_column, end_column, low_column, high_column, score_column}
    used |= {offset_column, *path_columns, *window}
    boxes = pd.concat([pd.DataFrame(boxes), table.others(used - {None})], axis=1)
    return check_boxes(boxes[_one_view(table, boxes, window)], "files")


def _species(table, annotation_column):
    """Return the species of each line, and the columns it is from."""
    if annotation_column is not None:
        remedy = "Pass the one that names the species as annotation_column."
        column = table.require(annotation_column, remedy)
        return table.text(column), {column}
    usual = [column for column in map(table.find, _USUAL) if column is not None]
    for number in np.unique(table.file):
        if not set(usual) & set(table.headers[number]):
            raise ValueError(
                f"{table.files[number]}, line 1: none of the columns "
                f"{', '.join(map(repr, table.headers[number]))} is known to name the "
                "species. Pass the one that does as annotation_column."
            )
    species, chosen = table.text(None), np.full(len(table.files), -1)
    for number, column in enumerate(usual):
        text = table.text(column)
        has_text = np.bincount(table.file[text.notna()], minlength=len(chosen)) > 0
        chosen[has_text & (chosen < 0)] = number
        species = species.where(chosen[table.file] != number, text)
    return species, {usual[number] for number in chosen if number >= 0}


def _recordings(table, recordings, has_offset):
    """Return the path of each line's recording, and the columns it is from."""
    columns = [table.find(PATH), table.find(NAME)]
    named = table.text(columns[0])
    named = named.where(named.notna(), table.text(columns[1]))
    n_named = named.groupby(table.file).nunique()
    guessed = n_named.index[
        (n_named > 1) & ~pd.Series(has_offset).groupby(table.file).all()
    ]
    if len(guessed):
        warnings.warn(
            f"{table.files[guessed[0]]} is of {n_named[guessed[0]]} recordings, but "
            "has no 'File Offset (s)': its times are taken as counted from the start "
            "of each recording. Add that measurement in Raven and save the table "
            "again, if they count from the start of the first.",
            stacklevel=3,
        )
    return find_recordings(table, named, recordings), columns


def _one_view(table, boxes, window):
    """Return which lines to keep of selections saved once per view and channel."""
    lines = boxes[["path", "start", "end", "species"]].assign(file=table.file)
    for column in window:
        lines[column.casefold()] = table.text(column).fillna("")
    if "view" not in lines:
        return np.ones(len(lines), dtype=bool)
    views = [name for name in ("view", "channel") if name in lines]
    box = [name for name in lines if name not in views]
    # The n-th such box of a view is the n-th of the others.
    lines["nth"] = lines.groupby([*box, *views], dropna=False).cumcount()
    lines["waveform"] = lines["view"].str.casefold().str.startswith("waveform")
    chosen = lines.sort_values("waveform", kind="stable").drop_duplicates([*box, "nth"])
    return lines.index.isin(chosen.index)
