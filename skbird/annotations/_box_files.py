"""Tables of boxes as they are, in CSV or Parquet."""

from pathlib import Path

import pandas as pd

from skbird.annotations._boxes import HERTZ, SECONDS, check_boxes
from skbird.annotations._files import warn_of_changes, write_csv
from skbird.annotations._text_tables import read_text_tables
from skbird.utils._extras import install_hint
from skbird.utils._files import open_whole
from skbird.utils._params import check_path
from skbird.utils._parquet import read_parquet
from skbird.utils._text import as_utf_8
from skbird.utils._typing import PathLike

LABELS = ("species", "primary_label", "label")


def read_boxes(path: PathLike) -> pd.DataFrame:
    r"""Read a table of boxes that `write_boxes` wrote, or any with its columns.

    Parameters
    ----------
    path : path-like
        A file that ends in ``.csv`` or ``.parquet``. The species may be in a column
        called ``primary_label`` or ``label``, too.

    Returns
    -------
    boxes : DataFrame
        ``path``, ``start``, ``end`` (seconds), ``low_hz``, ``high_hz`` (NaN: unknown),
        ``species``, ``score`` if there, and the further columns.

    Raises
    ------
    ImportError
        If `path` is Parquet and pyarrow is not installed.
    ValueError
        If the ending is another one, the file is damaged, a column or a value is
        missing, or a cell is not a number. The message names the file.

    See Also
    --------
    write_boxes : Writes such a table.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> from pathlib import Path
    >>> from skbird.annotations import read_boxes
    >>> path = Path(tempfile.mkdtemp()) / "boxes.csv"
    >>> _ = path.write_text("path,start,end,label\nnight.wav,1.5,2.0,Strix aluco\n")
    >>> read_boxes(path)[["path", "start", "end", "species"]]
            path  start  end      species
    0  night.wav    1.5  2.0  Strix aluco
    """
    if _is_parquet(path):
        return as_boxes(read_parquet(path), path)
    return read_text_boxes(path)


def as_boxes(table, path, annotation_column=None):
    """Return a table from a Parquet file as boxes, whatever its species are called."""
    if annotation_column is None:
        label = next((name for name in LABELS if name in table), LABELS[0])
        return _check_starts(table.rename(columns={label: LABELS[0]}), path)
    if annotation_column not in table:
        raise ValueError(
            f"{path} has no column {annotation_column!r}, but {list(table)[:15]}. "
            f"annotation_column={annotation_column!r} must be one of them."
        )
    others = {name: f"{name}_" for name in LABELS[:1] if name != annotation_column}
    names = others | {annotation_column: LABELS[0]}
    return _check_starts(table.rename(columns=names), path)


def _check_starts(table, path):
    boxes = check_boxes(table, str(path))
    early = boxes["start"] < 0
    if early.any():
        row = early.argmax()
        raise ValueError(
            f"{path}, row {row}: 'start' is {boxes['start'][row]:g} seconds, before "
            "the recording starts. Write 0 or more, or delete the row."
        )
    return boxes


def read_text_boxes(path, annotation_column=None):
    """Read a table of boxes from a file of text, whatever its name."""
    table = read_text_tables(path, ",;\t", SECONDS[0])
    remedy = "Rename the column that holds it."
    needed = [table.require(name, remedy) for name in ["path", *SECONDS]]
    label = None if annotation_column else table.find(*LABELS)
    if annotation_column is not None:
        remedy = f"annotation_column={annotation_column!r} must be one of them."
    needed.append(label or table.require(annotation_column or LABELS[0], remedy))
    boxes = {
        "path": table.text(needed[0]),
        "start": table.numbers(needed[1], required=True),
        "end": table.numbers(needed[2], required=True),
        "species": table.text(needed[3]),
    }
    table.check_start(boxes["start"], needed[1])
    table.check_order(boxes["start"], boxes["end"], SECONDS)
    optional = {name: table.find(name) for name in [*HERTZ, "score"]}
    optional = {name: column for name, column in optional.items() if column is not None}
    boxes |= {name: table.numbers(column) for name, column in optional.items()}
    others = table.others({*needed, *optional.values()})
    return check_boxes(pd.concat([pd.DataFrame(boxes), others], axis=1), str(path))


def write_boxes(boxes: pd.DataFrame, path: PathLike) -> None:
    """Write a table of boxes with all its columns.

    Parameters
    ----------
    boxes : DataFrame
        ``path``, ``start``, ``end`` (seconds) and ``species``, and if wanted
        ``low_hz``, ``high_hz``, ``score`` and further columns.
    path : path-like
        Where to write, ending in ``.csv`` or ``.parquet``. An existing file is
        replaced.

    Raises
    ------
    ImportError
        If `path` is Parquet and pyarrow is not installed.
    TypeError, ValueError
        If `boxes` is no table of boxes, or the ending is another one.

    Warns
    -----
    UserWarning
        If text is not written as it is.

    See Also
    --------
    read_boxes : Reads it back.

    Notes
    -----
    In CSV, line breaks in text become spaces, and what a spreadsheet would take for a
    formula gets a quote before it, which `read_boxes` takes away. Parquet keeps all
    as it is but names of files that are not UTF-8.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from skbird.annotations import read_boxes, write_boxes
    >>> boxes = pd.DataFrame(
    ...     {"path": ["a.wav"], "start": [1.5], "end": [2.0], "species": ["amerob"]}
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_boxes(boxes, Path(folder, "boxes.csv"))
    ...     read_boxes(Path(folder, "boxes.csv"))
        path  start  end  low_hz  high_hz species
    0  a.wav    1.5  2.0     NaN      NaN  amerob
    """
    boxes = check_boxes(boxes)
    if _is_parquet(path):
        warn_of_changes(boxes, as_utf_8)
        _write_parquet(boxes, path)
    else:
        warn_of_changes(boxes)
        write_csv(dict(boxes.items()), path)


def _write_parquet(boxes, path):
    texts = boxes.select_dtypes(exclude="number")
    safe = {
        name: column.map(lambda cell: as_utf_8(cell) if isinstance(cell, str) else cell)
        for name, column in texts.items()
    }
    boxes = boxes.assign(**safe).rename(columns=lambda name: as_utf_8(str(name)))
    with open_whole(path, "wb") as file:
        try:
            boxes.to_parquet(file, index=False)
        except (TypeError, ValueError, OverflowError) as exc:  # pyarrow's are such
            raise ValueError(
                f"boxes cannot be written as Parquet: {' '.join(str(exc).split())}. "
                "Let each column hold values of one kind."
            ) from exc


def _is_parquet(path):
    """Return whether a table is Parquet, not CSV, by its ending."""
    ending = Path(check_path(path)).suffix.lower()
    if ending not in (".csv", ".parquet"):
        raise ValueError(
            f"path={str(path)!r} must end in '.csv' or '.parquet'. Raven and Audacity "
            "have their own functions: read_raven, read_audacity."
        )
    if ending == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError as exc:
            raise ImportError(
                "Parquet needs pyarrow; install it with: "
                f"{install_hint('annotations')}."
            ) from exc
    return ending == ".parquet"
