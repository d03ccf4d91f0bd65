"""Read annotations of any format."""

import os
from pathlib import Path

import pandas as pd

from skbird.annotations._audacity import read_audacity
from skbird.annotations._audio_names import AudioFinder
from skbird.annotations._birdnet import read_birdnet
from skbird.annotations._box_files import LABELS, as_boxes, read_text_boxes
from skbird.annotations._boxes import check_boxes
from skbird.annotations._crowsetta import read_crowsetta
from skbird.annotations._kaleidoscope import read_kaleidoscope
from skbird.annotations._read_raven import read_raven
from skbird.annotations._row_truth import boxes_of_submission, boxes_of_wide
from skbird.annotations._text_tables import (
    TextFile,
    as_path_list,
    column_names,
    find_separator,
    first_line,
    read_text,
    read_text_tables,
)
from skbird.utils._params import check_params
from skbird.utils._parquet import read_parquet
from skbird.utils._typing import Files

# By a column that only tables of the format have, or two.
_SIGNS = {
    "raven": [{"begin time (s)"}],
    "kaleidoscope": [{"in file", "offset"}, {"in file*", "offset"}],
    "rows": [{"row_id"}],
    "birdnet": [
        {"start (s)"},
        {"start", "filepath"},
        {"start", "scientific_name"},
        {"start", "common_name"},
        {"start_time", "scientific_name"},
        {"start_time", "species_name"},
    ],
    "generic-seq": [{"onset_s", "offset_s", "notated_path"}],
    "simple-seq": [{"onset_s", "offset_s"}],
    "boxes": [{"path", "start", "end"}],
}
_READERS = {
    "raven": read_raven,
    "birdnet": read_birdnet,
    "kaleidoscope": read_kaleidoscope,
}
# What crowsetta reads and is no table.
_ENDINGS = {
    ".textgrid": "textgrid",
    ".not.mat": "notmat",
    ".phn": "timit",
    ".annot": "yarden",
    ".xml": "birdsong-recognition-dataset",
}
_TABLES = (".csv", ".tsv", ".txt", ".parquet")
_BIRDNET_PARQUET = {
    "Start (s)": "start",
    "End (s)": "end",
    "File": "path",
    "Scientific name": "species",
    "Confidence": "score",
}


def read_annotations(
    files: Files,
    recordings: Files | None = None,
    *,
    format: str | None = None,
    annotation_column: str | None = None,
) -> pd.DataFrame:
    r"""Read boxes from files of any format, which is detected file by file.

    Parameters
    ----------
    files : path-like or sequence of path-like
        Tables of Raven, Audacity, BirdNET or Kaleidoscope, boxes in CSV or Parquet,
        tables of rows (``row_id``, or ``path``, ``start`` and ``end``) with a column
        per species of zeros and ones, or False and True, and what crowsetta reads;
        also mixed.
    recordings : path-like or sequence of path-like, default=None
        As for `read_raven`. Boxes of recordings that are not among them are an error.
    format : str, default=None
        ``"raven"``, ``"audacity"``, ``"birdnet"``, ``"kaleidoscope"``, ``"boxes"``,
        ``"rows"``, or a format of `read_crowsetta`. None detects it by the ending and
        the first line of each file.
    annotation_column : str, default=None
        The column that names the species, in tables that have several such columns:
        of Raven, BirdNET or Kaleidoscope, or of boxes. Files of other formats are an
        error then.

    Returns
    -------
    boxes : DataFrame
        As the functions of each format give them, the files of one format after those
        of another: formats and files in the order of `files`. A row in which no
        species calls is a box without species.

    Raises
    ------
    ImportError
        If a file is Parquet and pyarrow is not installed, or the same of crowsetta.
    ValueError
        If the format of a file is not known, or it is damaged, or has no
        `annotation_column`. The message names it.

    Warns
    -----
    UserWarning
        If the ``row_id`` of a file do not tell how long its rows are. Also the warnings
        of each format's own function.

    See Also
    --------
    read_raven, read_audacity, read_birdnet, read_kaleidoscope : Read one format.
    read_boxes, read_crowsetta : The same.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skbird.annotations import read_annotations
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     labels, events = Path(folder, "night.txt"), Path(folder, "events.csv")
    ...     _ = labels.write_text("0.5\t3.0\towl")
    ...     _ = events.write_text("path,start,end,species\ndawn.wav,1,2,wren")
    ...     read_annotations([labels, events])[["path", "start", "end", "species"]]
           path  start  end species
    0     night    0.5  3.0     owl
    1  dawn.wav    1.0  2.0    wren
    """
    check_params(
        "read_annotations",
        {"format": [str, None], "annotation_column": [str, None]},
        format=format,
        annotation_column=annotation_column,
    )
    is_one = isinstance(recordings, str | os.PathLike | AudioFinder)
    as_it_is = recordings is None or is_one
    finder = recordings if as_it_is else AudioFinder(recordings)  # once for all files
    by_format: dict[str, list[TextFile]] = {}
    for file in map(TextFile, as_path_list(files)):
        by_format.setdefault(format or tell_format(file), []).append(file)
    parts = []
    for kind, members in by_format.items():
        parts += _read(kind, members, finder, annotation_column)
    filled = [part for part in parts if len(part)] or parts[:1]
    return check_boxes(pd.concat(filled, ignore_index=True), "files")


def annotation_files(folder):
    """List the files of a folder that may be annotations, at any depth.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of Path
        Sorted; without what is hidden, and without skbird's own notes (``_*.csv``).
    """
    endings = (*_TABLES, *_ENDINGS)
    return sorted(
        path
        for path in folder.rglob("*")
        if path.name.casefold().endswith(endings)
        and path.is_file()
        and not any(name[0] in "._" for name in path.relative_to(folder).parts)
    )


def tell_format(path):
    """Return the format of a file of annotations.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    str
        As `read_annotations` takes it.

    Raises
    ------
    ValueError
        If it is none that is known.
    """
    name = Path(path).name.casefold()
    if name.endswith(".parquet"):
        return "boxes"
    for ending, kind in _ENDINGS.items():
        if name.endswith(ending):
            return kind
    header = first_line(read_text(path))
    separator = find_separator(
        header, "\t,;", [n for s in _SIGNS.values() for n in s[0]]
    )
    names = column_names(header, separator)
    for kind, signs in _SIGNS.items():
        if any(sign <= names for sign in signs):
            return kind
    if name.endswith(".txt"):
        return (
            "audacity"  # has no names of columns; an empty file is one without labels
        )
    raise ValueError(
        f"{os.fspath(path)}, line 1: {header.strip()[:80]!r} does not name the columns "
        "of any format that is known. Pass its format, or rename the columns to path, "
        "start, end and species."
    )


def _read(kind, files, recordings, annotation_column):
    """Return the boxes of files of one format, in one part or several."""
    named = {"annotation_column": annotation_column} if annotation_column else {}
    if kind in _READERS:
        return [_READERS[kind](files, recordings, **named)]
    if annotation_column is not None and kind != "boxes":
        raise ValueError(
            f"annotation_column={annotation_column!r} is no column of {files[0]}: "
            f"files of the format {kind!r} name the species in one way only. Leave it "
            "out, or read these files in a call of their own."
        )
    if kind == "audacity":
        return [read_audacity(files, recordings)]
    if kind not in ("boxes", "rows"):
        return [read_crowsetta(files, kind, recordings)]
    parts = []
    for file in files:
        boxes = (
            boxes_of_submission(file)
            if kind == "rows"
            else _read_table(file, annotation_column)
        )
        parts.append(_find_audio(boxes, file, recordings))
    return parts


def _find_audio(boxes, file, recordings):
    """Exchange the paths of boxes for those of the recordings they stand for."""
    if recordings is None:
        return boxes
    finder = recordings
    if not isinstance(recordings, AudioFinder):
        finder = AudioFinder([recordings])
    found = {path: finder.by_path(path, file) for path in boxes["path"].unique()}
    # pandas' text holds no names that are not UTF-8.
    return boxes.assign(path=boxes["path"].astype(object).map(found))


def _read_table(file, annotation_column):
    """Read boxes, or rows with a column per species, in CSV or Parquet."""
    if Path(file).suffix.lower() != ".parquet":
        header = first_line(read_text(file))
        names = column_names(header, find_separator(header, ",;\t", ["start"]))
        if annotation_column or not names.isdisjoint(LABELS):
            return _scored(read_text_boxes(file, annotation_column))
        table = read_text_tables(file, ",;\t", "start")
        rows = {"path": table.text(table.find("path"))}
        for name in ("start", "end"):
            rows[name] = table.numbers(table.find(name), required=True)
        others = table.others({table.find(name) for name in rows})
        return boxes_of_wide(pd.concat([pd.DataFrame(rows), others], axis=1), file)
    table = read_parquet(file).rename(columns=_BIRDNET_PARQUET)
    is_wide = {"path", "start", "end"} <= set(table) and not set(table) & set(LABELS)
    if is_wide and not annotation_column:
        return boxes_of_wide(table, file)
    column = _BIRDNET_PARQUET.get(annotation_column, annotation_column)
    return _scored(as_boxes(table, file, column))


def _scored(boxes):
    """Take the probability of a row, as skbird's archives have it, for its score."""
    if "score" in boxes or "probability" not in boxes:
        return boxes
    return check_boxes(boxes.rename(columns={"probability": "score"}))
