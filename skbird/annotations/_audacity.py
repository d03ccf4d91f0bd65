"""Label tracks of Audacity."""

from pathlib import Path

import numpy as np
import pandas as pd

from skbird.annotations._audio_names import find_recordings
from skbird.annotations._boxes import check_boxes
from skbird.annotations._files import as_cells, warn_of_changes
from skbird.annotations._per_recording import write_per_recording
from skbird.annotations._text_tables import (
    TextTable,
    as_path_list,
    read_text,
    split_lines,
)
from skbird.utils._typing import FileNames, Files, PathLike

_COLUMNS = ["start", "end", "label", "score", "low frequency", "high frequency"]


def read_audacity(files: Files, recordings: Files | None = None) -> pd.DataFrame:
    r"""Read boxes from label tracks of Audacity.

    Parameters
    ----------
    files : path-like or sequence of path-like
        Files of exported labels.
    recordings : path-like or sequence of path-like, default=None
        The recordings: one that all labels are of, or any number, among which each
        file gets the one it is named like: ``a.txt`` is of ``a.wav``. None: ``path``
        is the file's name without its ending.

    Returns
    -------
    boxes : DataFrame
        One line per label: ``path``, ``start``, ``end`` (seconds; the same for point
        labels), ``low_hz`` and ``high_hz`` (from a second line that begins with a
        backslash; NaN without), ``species`` (NaN if the label is empty), and ``score``
        if a label is followed by a tab and a number, as BirdNET-Analyzer writes it.

    Raises
    ------
    ValueError
        If a line is no label, or the recording of a file is not in `recordings`, or not
        clear. The message names the file and the line.

    See Also
    --------
    write_audacity : Writes such files.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skbird.annotations import read_audacity
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "night.txt")
    ...     _ = path.write_text("0.5\t3.0\tCRER\n\\\t2593.1\t8866.9\n")
    ...     read_audacity(path, recordings="night.wav")
            path  start  end  low_hz  high_hz species
    0  night.wav    0.5  3.0  2593.1   8866.9    CRER
    """
    files = as_path_list(files)
    rows: list[list] = []
    for number, file in enumerate(files):
        for line, content in enumerate(split_lines(read_text(file)), start=1):
            parts = [cell.strip() for cell in content.split("\t")]
            if parts[0] == "\\":
                if not rows or rows[-1][0] != number:
                    raise ValueError(
                        f"{file}, line {line}: frequencies without a label before "
                        "them. Delete the line."
                    )
                rows[-1][-2:] = [*parts[1:], "", ""][:2]
            elif any(parts):
                rows.append([number, line, *_label(parts), "", ""])
    cells = pd.DataFrame(rows, columns=["file", "line", *_COLUMNS], dtype=object)
    places = [cells.pop(name).to_numpy(dtype=int) for name in ("file", "line")]
    table = TextTable(files, [tuple(_COLUMNS)] * len(files), cells, *places)
    start, end = (table.numbers(name, required=True) for name in _COLUMNS[:2])
    table.check_start(start, _COLUMNS[0])
    table.check_order(start, end, _COLUMNS[:2])
    hertz = [table.numbers(name) for name in _COLUMNS[4:]]
    low, high = (np.where(values < 0, np.nan, values) for values in hertz)
    table.check_order(low, high, _COLUMNS[4:])
    score = table.numbers("score")
    boxes = {
        "path": find_recordings(table, table.text(None), recordings),
        "start": start,
        "end": end,
        "low_hz": low,
        "high_hz": high,
        "species": table.text("label"),
    }
    if not np.isnan(score).all():
        boxes["score"] = score
    return check_boxes(pd.DataFrame(boxes), "files")


def _label(cells):
    """Return start, end, label and score of a line."""
    if len(cells) == 2 and not _is_number(cells[1]):
        return [cells[0], *cells, ""]  # a point: "start, label"
    start, end, *label = [*cells, "", ""][: max(len(cells), 3)]
    if len(label) > 1 and _is_number(label[-1]):
        return [start, end, " ".join(label[:-1]), label[-1]]
    return [start, end, " ".join(label), ""]


def _is_number(cell):
    try:
        return np.isfinite(float(cell))
    except ValueError:
        return False


def write_audacity(
    boxes: pd.DataFrame, folder: PathLike, *, recordings: FileNames | None = None
) -> list[Path]:
    r"""Write one label track for Audacity per recording.

    Parameters
    ----------
    boxes : DataFrame
        ``path``, ``start``, ``end`` (seconds) and ``species``, and if wanted
        ``low_hz``, ``high_hz`` and ``score``, as `read_audacity` or `proba_to_events`
        gives them. Further columns are left out.
    folder : path-like
        Where to write; made if it is not there. Files of the same name are replaced.
    recordings : sequence of path-like, or dict of str to str, default=None
        Recordings to write files of, also of those without boxes, whose files are
        empty. By default all that are in `boxes`. A dict says what to call the file of
        each, without its ending.

    Returns
    -------
    files : list of Path
        The files, in the order of `recordings`: ``<recording>.txt``. Recordings of one
        name get their folders before it.

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
    read_audacity : Reads them back, given the recordings.

    Notes
    -----
    Labels may come from others: tabs and line breaks in them become spaces, and what a
    spreadsheet would take for a formula gets a quote before it, which `read_audacity`
    takes away. Audacity itself does not show the score.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> from pathlib import Path
    >>> from skbird.annotations import write_audacity
    >>> boxes = pd.DataFrame(
    ...     {"path": ["a.wav"], "start": [1.5], "end": [4.5], "species": ["Otus scops"]}
    ... )
    >>> files = write_audacity(boxes, tempfile.mkdtemp())
    >>> files[0].name, files[0].read_text()
    ('a.txt', '1.5\t4.5\tOtus scops\n')
    """
    boxes = check_boxes(boxes)
    warn_of_changes(boxes[["species"]])
    score = boxes.get("score", pd.Series(np.nan, index=boxes.index))
    labels = as_cells(boxes["species"])
    columns = [boxes[name].tolist() for name in ("start", "end", "low_hz", "high_hz")]
    lines = [
        _lines(*values) for values in zip(*columns, labels, score.tolist(), strict=True)
    ]
    return write_per_recording(
        boxes["path"], np.array(lines, dtype=object), folder, recordings, ".txt"
    )


def _lines(start, end, low, high, label, score):
    text = f"{start}\t{end}\t{label}"
    if not np.isnan(score):
        text += f"\t{score}"
    if np.isnan(low) and np.isnan(high):
        return text
    # Audacity writes -1 for a frequency that is not set.
    low, high = (-1.0 if np.isnan(hz) else hz for hz in (low, high))
    return f"{text}\n\\\t{low}\t{high}"
