"""Annotations in any format that crowsetta reads."""

import os
from typing import Any

import numpy as np
import pandas as pd

from skbird.annotations._audio_names import find_recordings
from skbird.annotations._boxes import TEXT, check_boxes
from skbird.annotations._text_tables import TextTable, as_path_list
from skbird.audio import read_header
from skbird.utils._extras import install_hint
from skbird.utils._files import check_regular
from skbird.utils._params import check_params
from skbird.utils._typing import Files

_COLUMNS = ["file", "line", "path", "start", "end", "low_hz", "high_hz", "species"]


def read_crowsetta(
    files: Files, format: str, recordings: Files | None = None, **options: Any
) -> pd.DataFrame:
    r"""Read boxes from files of any format that the package crowsetta knows.

    Parameters
    ----------
    files : path-like or sequence of path-like
        Files of annotations.
    format : str
        Name of the format, such as ``"textgrid"``, ``"notmat"``, ``"simple-seq"`` or
        ``"raven"``; ``crowsetta.formats.as_list()`` lists them.
    recordings : path-like or sequence of path-like, default=None
        The recordings: one that all boxes are of, or any number, among which each box
        gets the one whose path ends as the annotation says or, if it does not say,
        that is named like the file: ``a.TextGrid`` is of ``a.wav``. None: what the
        annotation says, else the name of its file.
    **options
        Options of the format's ``from_file``, such as ``annot_col="Species"`` for
        ``"raven"``, or ``audio_path`` for ``"timit"``, which counts samples.

    Returns
    -------
    boxes : DataFrame
        One line per box or segment: ``path``, ``start``, ``end`` (seconds, rounded by
        crowsetta to milliseconds in some formats), ``low_hz``, ``high_hz`` (NaN in
        formats without frequencies) and ``species``, the label.

    Raises
    ------
    ImportError
        If crowsetta is not installed.
    ValueError
        If crowsetta does not know `format` or cannot read a file, or the recording of a
        file is not in `recordings`, or not clear. The message names the file.
    skbird.audio.AudioReadError
        If the format counts samples, and the header of the recording, which says how
        long they are, cannot be read.

    See Also
    --------
    read_raven, read_audacity : Need no crowsetta, and read more of these formats.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> from pathlib import Path
    >>> from skbird.annotations import read_crowsetta
    >>> path = Path(tempfile.mkdtemp()) / "song.csv"
    >>> _ = path.write_text("onset_s,offset_s,label\n0.5,0.75,trill\n")
    >>> read_crowsetta(
    ...     path, "simple-seq", recordings="song.wav"
    ... )[["path", "start", "end", "species"]]  # doctest: +SKIP
           path  start   end species
    0  song.wav    0.5  0.75   trill
    """
    check_params("read_crowsetta", {"format": [str]}, format=format)
    files = as_path_list(files)
    crowsetta = _import_crowsetta()
    if format not in crowsetta.formats.as_list():
        raise ValueError(
            f"format={format!r} is none that crowsetta knows: "
            f"{', '.join(crowsetta.formats.as_list())}."
        )
    reader = crowsetta.Transcriber(format=format)
    rows = []
    for number, file in enumerate(files):
        check_regular(file)
        try:
            found = reader.from_file(os.fspath(file), **options).to_annot()
        except Exception as exc:  # each format has its own kinds
            raise ValueError(
                f"{file}: crowsetta cannot read it as {format!r}: {exc}. Correct it, "
                "or pass the options of the format."
            ) from exc
        for annotation in found if isinstance(found, list) else [found]:
            path = annotation.notated_path
            path = np.nan if path is None else str(path)
            for line, box in enumerate(_boxes(annotation), start=1):
                rows.append((number, line, path, *box))
    cells = pd.DataFrame(rows, columns=[*_COLUMNS, "in_samples"])
    places = [cells.pop(name).to_numpy(dtype=int) for name in ("file", "line")]
    table = TextTable(files, [], cells, *places)
    cells["path"] = find_recordings(table, cells["path"].astype(TEXT), recordings)
    in_samples = cells.pop("in_samples").to_numpy(dtype=bool)
    for path in cells["path"][in_samples].unique():
        of_path = in_samples & (cells["path"] == path)
        cells.loc[of_path, ["start", "end"]] /= read_header(path).sample_rate
    table.check_start(cells["start"].to_numpy(dtype=float), "start")
    return check_boxes(cells, "files")


def _boxes(annotation):
    """Yield start, end, low_hz, high_hz, label, and whether times are in samples."""
    for box in getattr(annotation, "bboxes", ()):
        yield box.onset, box.offset, box.low_freq, box.high_freq, box.label, False
    sequences = getattr(annotation, "seq", ())
    for sequence in sequences if isinstance(sequences, list | tuple) else [sequences]:
        for segment in sequence.segments:
            times, in_samples = (segment.onset_s, segment.offset_s), False
            if segment.onset_s is None:
                times, in_samples = (segment.onset_sample, segment.offset_sample), True
            yield *map(float, times), np.nan, np.nan, segment.label, in_samples


def _import_crowsetta():
    try:
        import crowsetta
    except ImportError as exc:
        raise ImportError(
            "read_crowsetta needs crowsetta; install it with: "
            f"{install_hint('annotations')}."
        ) from exc
    return crowsetta
