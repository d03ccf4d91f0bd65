"""Detections in the CSV forms of BirdNET."""

import pandas as pd

from skbird.annotations._audio_names import find_recordings
from skbird.annotations._boxes import BOX_COLUMNS, check_boxes
from skbird.annotations._files import warn_of_changes, write_csv
from skbird.annotations._text_tables import read_text_tables
from skbird.utils._params import check_params, check_path
from skbird.utils._typing import Files, PathLike

_START, _END, _FILE = "Start (s)", "End (s)", "File"
_SCIENTIFIC, _COMMON, _SCORE = "Scientific name", "Common name", "Confidence"
# What the packages birdnetlib, birdnet and birdnetR, and --rtype r, call the same.
_ALIASES = {
    _START: (_START, "start", "start_time"),
    _END: (_END, "end", "end_time"),
    _FILE: (_FILE, "filepath", "file_path", "input"),
    _SCIENTIFIC: (_SCIENTIFIC, "scientific_name"),
    _COMMON: (_COMMON, "common_name"),
    _SCORE: (_SCORE,),
}
_BOTH_NAMES = ("species_name", "label")  # "Pica pica_Eurasian Magpie"


def read_birdnet(
    files: Files,
    recordings: Files | None = None,
    *,
    annotation_column: str = _SCIENTIFIC,
) -> pd.DataFrame:
    """Read detections from CSV files of BirdNET.

    Parameters
    ----------
    files : path-like or sequence of path-like
        Result files of BirdNET-Analyzer (``--rtype csv`` or ``r``), or the combined
        one; what was written of the results of the packages birdnet and birdnetlib of
        Python, and birdnetR of R.
    recordings : path-like or sequence of path-like, default=None
        The recordings: one that all detections are of, or any number, among which each
        detection gets the one whose path ends as ``File`` does or, in files without
        that column, that is named like the file. None: what ``File`` says, else the
        file's name.
    annotation_column : str, default="Scientific name"
        The column that names the species; ``"Common name"`` is the other one. Other
        spellings of the two are found.

    Returns
    -------
    boxes : DataFrame
        One line per detection: ``path``, ``start``, ``end`` (seconds), ``low_hz`` and
        ``high_hz`` (NaN: BirdNET does not say), ``species``, ``score``, and the further
        columns of the files, such as ``Common name``.

    Raises
    ------
    ValueError
        If a column is missing, a cell is not a number, or a recording is not in
        `recordings`, or not clear. The message names the file and the line.

    See Also
    --------
    write_birdnet : Writes such files.
    read_raven : Reads the selection tables that BirdNET-Analyzer writes.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skbird.annotations import read_birdnet
    >>> text = '''Start (s),End (s),Scientific name,Common name,Confidence,File
    ... 0.0,3.0,Pica pica,Eurasian Magpie,0.8141,night.wav'''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "night.BirdNET.results.csv")
    ...     _ = path.write_text(text)
    ...     read_birdnet(path)[["path", "start", "end", "species", "score"]]
            path  start  end    species   score
    0  night.wav    0.0  3.0  Pica pica  0.8141
    """
    check_params(
        "read_birdnet",
        {"annotation_column": [str]},
        annotation_column=annotation_column,
    )
    table = read_text_tables(files, ",;\t", *_ALIASES[_START])
    columns = {name: table.find(*aliases) for name, aliases in _ALIASES.items()}
    remedy = "Is it a CSV file of BirdNET-Analyzer (--rtype csv)?"
    for name in (_START, _END):
        columns[name] = columns[name] or table.require(name, remedy)
    start, end = (table.numbers(columns[n], required=True) for n in (_START, _END))
    table.check_start(start, columns[_START])
    table.check_order(start, end, (columns[_START], columns[_END]))
    species, named_by = _species(table, annotation_column)
    boxes = pd.DataFrame(
        {
            "path": find_recordings(table, table.text(columns[_FILE]), recordings),
            "start": start,
            "end": end,
            "species": species,
            "score": table.numbers(columns[_SCORE]),
        }
    )
    used = {*(columns[n] for n in (_START, _END, _FILE, _SCORE)), named_by} - {None}
    return check_boxes(pd.concat([boxes, table.others(used)], axis=1), "files")


def _species(table, annotation_column):
    """Return the species of each line, and the column that names them."""
    column = table.find(*_ALIASES.get(annotation_column, [annotation_column]))
    both = table.find(*_BOTH_NAMES)
    if column is None and both is not None and annotation_column in _ALIASES:
        part = 0 if annotation_column == _SCIENTIFIC else -1
        return table.text(both).str.split("_").str[part], both
    if column is None:
        column = table.require(
            annotation_column,
            "Pass the one that names the species as annotation_column.",
        )
    return table.text(column), column


def write_birdnet(boxes: pd.DataFrame, path: PathLike) -> None:
    """Write detections into one CSV file, as BirdNET-Analyzer does.

    Parameters
    ----------
    boxes : DataFrame
        ``path``, ``start``, ``end`` (seconds) and ``species``, and if wanted ``score``,
        ``Common name`` and further columns, as `read_birdnet` or `proba_to_events`
        gives them. Frequencies are left out: the format has none.
    path : path-like
        Where to write. An existing file is replaced.

    Raises
    ------
    TypeError, ValueError
        If `boxes` is no table of boxes.

    Warns
    -----
    UserWarning
        If text is not written as it is.

    See Also
    --------
    read_birdnet : Reads it back.

    Notes
    -----
    Species are written as ``Scientific name``, and as ``Common name`` unless there is
    such a column. Labels and paths may come from others: line breaks in them become
    spaces, and what a spreadsheet would take for a formula gets a quote before it,
    which `read_birdnet` takes away.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> from pathlib import Path
    >>> from skbird.annotations import read_birdnet, write_birdnet
    >>> boxes = pd.DataFrame(
    ...     {"path": ["a.wav"], "start": [1.5], "end": [4.5], "species": ["Otus scops"]}
    ... )
    >>> path = Path(tempfile.mkdtemp()) / "detections.csv"
    >>> write_birdnet(boxes, path)
    >>> read_birdnet(path)["species"].tolist()
    ['Otus scops']
    """
    check_path(path)
    boxes = check_boxes(boxes)
    warn_of_changes(boxes)
    columns = {
        _START: boxes["start"],
        _END: boxes["end"],
        _SCIENTIFIC: boxes["species"],
        _COMMON: boxes.get(_COMMON, boxes["species"]),
        _SCORE: boxes.get("score", pd.Series(pd.NA, index=boxes.index)),
        _FILE: boxes["path"],
    }
    others = boxes.columns.difference([*BOX_COLUMNS, "score", *columns], sort=False)
    write_csv({**columns, **boxes[others]}, path)
