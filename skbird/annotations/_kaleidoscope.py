"""Tables of Kaleidoscope."""

import numpy as np
import pandas as pd

from skbird.annotations._audio_names import find_recordings
from skbird.annotations._boxes import check_boxes
from skbird.annotations._text_tables import read_text_tables
from skbird.utils._params import check_params
from skbird.utils._typing import Files

OFFSET = "OFFSET"
_DURATION, _MANUAL = "DURATION", "MANUAL ID"
_FOLDERS, _FILE = ("INDIR", "FOLDER"), ("IN FILE", "IN FILE*")
# With a star: what reviewing changes. BirdNET-Analyzer has columns of its own.
_AUTO = ("AUTO ID*", "AUTO ID", "TOP1MATCH*", "TOP1MATCH", "scientific_name")
_NO_ID = ("noid", "no id")
_SCORE = "confidence"


def read_kaleidoscope(
    files: Files,
    recordings: Files | None = None,
    *,
    annotation_column: str | None = None,
) -> pd.DataFrame:
    """Read boxes from the CSV files of Kaleidoscope, also those of BirdNET-Analyzer.

    Parameters
    ----------
    files : path-like or sequence of path-like
        Such as ``id.csv``, ``meta.csv`` or ``cluster.csv``.
    recordings : path-like or sequence of path-like, default=None
        The recordings: one that all lines are of, or any number, among which each line
        gets the one whose path ends as ``INDIR``, ``FOLDER`` and ``IN FILE`` do. None:
        that path.
    annotation_column : str, default=None
        The column that names the species. By default ``MANUAL ID`` or, in lines where
        it is empty, ``AUTO ID`` or ``TOP1MATCH``.

    Returns
    -------
    boxes : DataFrame
        One line per detection: ``path``, ``start`` and ``end`` (seconds, from
        ``OFFSET`` and ``DURATION``), ``low_hz`` and ``high_hz`` (NaN: ``Fmin`` and
        ``Fmax`` are in Hz or kHz, which the file does not say), ``species`` (NaN for
        ``NoID``), ``score`` if BirdNET wrote ``confidence``, and the further columns.

    Raises
    ------
    ValueError
        If a column is missing, a cell is not a number, or a recording is not in
        `recordings`, or not clear. The message names the file and the line.

    See Also
    --------
    read_birdnet : Reads the other tables of BirdNET.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skbird.annotations import read_kaleidoscope
    >>> text = '''INDIR,FOLDER,IN FILE,OFFSET,DURATION,AUTO ID*,MANUAL ID
    ... D:/bats,night1,S4U0001.wav,2.5,1.5,PIPPIP,PIPPYG'''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "id.csv")
    ...     _ = path.write_text(text)
    ...     read_kaleidoscope(path)[["path", "start", "end", "species"]]
                              path  start  end species
    0  D:/bats/night1/S4U0001.wav    2.5  4.0  PIPPYG
    """
    check_params(
        "read_kaleidoscope",
        {"annotation_column": [str, None]},
        annotation_column=annotation_column,
    )
    table = read_text_tables(files, ",;\t", OFFSET)
    remedy = "Is it a table of Kaleidoscope, such as id.csv?"
    columns = [table.require(name, remedy) for name in (OFFSET, _DURATION)]
    file = table.find(*_FILE) or table.require(_FILE[0], remedy)
    offset, duration = (table.numbers(name, required=True) for name in columns)
    with np.errstate(over="ignore"):
        end = offset + duration
    table.check_finite(end, columns[1])
    table.check_start(offset, columns[0])
    table.check_order(np.zeros(len(duration)), duration, ("0", columns[1]))
    species, named_by = _species(table, annotation_column)
    folders = [name for name in map(table.find, _FOLDERS) if name is not None]
    boxes = {
        "path": find_recordings(table, _paths(table, folders, file), recordings),
        "start": offset,
        "end": end,
        "species": species,
    }
    score = table.find(_SCORE)
    if score is not None:
        boxes["score"] = table.numbers(score)
    used = {*columns, *folders, file, named_by, score} - {None}
    return check_boxes(
        pd.concat([pd.DataFrame(boxes), table.others(used)], axis=1), "files"
    )


def _species(table, annotation_column):
    """Return the species of each line, and the column that is all from, if one is."""
    if annotation_column is not None:
        remedy = "Pass the one that names the species as annotation_column."
        column = table.require(annotation_column, remedy)
        return table.text(column), column
    manual, auto = table.find(_MANUAL), table.find(*_AUTO)
    if manual is None and auto is None:
        table.require(_AUTO[0], "Pass the one that names the species.")
    species = table.text(auto)
    species = species.mask(species.str.casefold().isin(_NO_ID))
    by_hand = table.text(manual)
    return by_hand.where(by_hand.notna(), species), None


def _paths(table, folders, file):
    """Return the path of each line: its folders, then its file."""
    names = table.text(file)
    paths = names.fillna("")
    for folder in reversed(folders):
        inside = table.text(folder).str.rstrip("/\\").fillna("")
        paths = inside.where(inside == "", inside + "/") + paths
    return paths.where(names.notna())
