"""Write selection tables for Raven."""

from numbers import Real
from pathlib import Path

import numpy as np
import pandas as pd

from skbird.annotations._boxes import BOX_COLUMNS, check_boxes
from skbird.annotations._files import as_cells, plain_text, warn_of_changes
from skbird.annotations._per_recording import write_per_recording
from skbird.annotations._read_raven import (
    ANNOTATION,
    BEGIN,
    END,
    HIGH,
    LOW,
    NAME,
    OFFSET,
    OTHER_SCORE,
    PATH,
    SCORE,
)
from skbird.utils._text import guard_formula
from skbird.utils._typing import FileNames, PathLike


def write_raven(
    boxes: pd.DataFrame,
    folder: PathLike,
    *,
    recordings: FileNames | None = None,
    full_band_hz: float | None = None,
) -> list[Path]:
    """Write one selection table for Raven per recording.

    Parameters
    ----------
    boxes : DataFrame
        ``path``, ``start``, ``end`` (seconds) and ``species``, and if wanted
        ``low_hz``, ``high_hz``, ``score`` and further columns, as `read_raven` or
        `proba_to_events` gives them.
    folder : path-like
        Where to write; made if it is not there. Tables of the same name are replaced.
    recordings : sequence of path-like, or dict of str to str, default=None
        Recordings to write tables of, also of those without boxes, whose tables are
        empty. By default all that are in `boxes`. A dict says what to call the table of
        each, without its ending.
    full_band_hz : float > 0, default=None
        Upper frequency, in Hz, of boxes without frequencies, such as half the sample
        rate; they begin at 0. None leaves both cells empty.

    Returns
    -------
    tables : list of Path
        The files, in the order of `recordings`: ``<recording>.Table.1.selections.txt``.
        Recordings of one name get their folders before it.

    Raises
    ------
    TypeError, ValueError
        If `boxes` is no table of boxes, or has a column of a name that Raven uses.

    Warns
    -----
    UserWarning
        If text is not written as it is.

    See Also
    --------
    read_raven : Reads them back.

    Notes
    -----
    Labels and paths may come from others: tabs and line breaks in them become spaces,
    and what a spreadsheet would take for a formula gets a quote before it, which
    `read_raven` takes away.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> from pathlib import Path
    >>> from skbird.annotations import write_raven
    >>> boxes = pd.DataFrame(
    ...     {"path": ["a.wav"], "start": [1.5], "end": [4.5], "species": ["Otus scops"]}
    ... )
    >>> tables = write_raven(boxes, tempfile.mkdtemp(), full_band_hz=16_000)
    >>> [table.name for table in tables]
    ['a.Table.1.selections.txt']
    """
    boxes = check_boxes(boxes)
    low = boxes["low_hz"]
    if full_band_hz is not None:
        if not isinstance(full_band_hz, Real) or not full_band_hz > 0:
            raise ValueError(f"full_band_hz={full_band_hz!r} must be above 0 Hz.")
        unknown = low.isna() & boxes["high_hz"].isna()
        boxes["low_hz"] = low.mask(unknown, 0.0)
        boxes["high_hz"] = boxes["high_hz"].mask(unknown, float(full_band_hz))
    columns = {
        "Selection": boxes.groupby(pd.factorize(boxes["path"])[0]).cumcount() + 1,
        "View": pd.Series("Spectrogram 1", index=boxes.index),
        "Channel": pd.Series(1, index=boxes.index),
        BEGIN: boxes["start"],
        END: boxes["end"],
        LOW: boxes["low_hz"],
        HIGH: boxes["high_hz"],
        PATH: boxes["path"],
        OFFSET: boxes["start"],
        ANNOTATION: boxes["species"],
    }
    if "score" in boxes:
        columns[SCORE] = boxes["score"]
    others = boxes.columns.difference([*BOX_COLUMNS, "score"], sort=False)
    taken = {c.casefold() for c in [*columns, SCORE, OTHER_SCORE, NAME]}
    warn_of_changes(boxes)
    for name in others:
        written = plain_text(name)
        if written.casefold() in taken:
            raise ValueError(
                f"boxes has a column {name!r}, a name that Raven uses or that another "
                "column has. Rename or drop it."
            )
        taken.add(written.casefold())
        columns[guard_formula(written)] = boxes[name]
    header = "\t".join(map(_quote, columns))
    cells = [[_quote(cell) for cell in as_cells(c)] for c in columns.values()]
    lines = np.array(["\t".join(line) for line in zip(*cells, strict=True)], object)
    return write_per_recording(
        boxes["path"], lines, folder, recordings, ".Table.1.selections.txt", [header]
    )


def _quote(cell):
    """Quote text that has quotes around it, which reading takes away."""
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return '"' + cell.replace('"', '""') + '"'
    return cell
