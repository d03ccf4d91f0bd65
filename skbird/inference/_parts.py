"""The files of an archive run: written whole or not at all, and read again."""

import errno
import io
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np

from skbird.inference._columns import arrow_column, import_pyarrow

_KEY = b"skbird"
_FULL = (errno.ENOSPC, errno.EDQUOT)
# What reading raises, by where the damage is; for a broken footer pyarrow has OSError.
DAMAGE = (OSError, ValueError, LookupError, TypeError, NotImplementedError)

# Readers of a Parquet folder leave out what begins with an underscore.
MANIFEST = "_manifest.json"
FILES = "_files.parquet"

# Only what a run can have written matches: out may be a folder full of other things.
_HEX = "[0-9a-f]{32}"
_PART = r"part-[0-9]{6,}\.parquet"
_MODEL = rf"\.model-{_HEX}\.tmp"
_PLAN = (re.escape(MANIFEST), re.escape(FILES))
_TEMPORARY = rf"{_MODEL}|\.({'|'.join([_PART, *_PLAN, _MODEL])})\.{_HEX}\.tmp"
# The command line lists there what could not be read.
_ERRORS = rf"_errors\.csv|\.{_HEX}\.part"


@dataclass(frozen=True)
class PartInfo:
    """What a part says of itself.

    Attributes
    ----------
    n_rows : int
        Rows in it.
    errors : list of (str, str)
        Files of the block that could not be used, or not all of them, and why.
    dropped : list of str
        What a time budget had dropped from the model.
    """

    n_rows: int
    errors: list
    dropped: list


def part_path(folder, number):
    """Return where the part of a block lies, or would lie."""
    return Path(folder) / f"part-{number:06d}.parquet"


def part_paths(folder):
    """Return the parts in a folder, in order."""
    numbers = {path: int(path.stem[5:]) for path in _matching(folder, _PART)}
    return sorted(numbers, key=numbers.get)


def write_part(
    path, rows, proba, species, errors, dropped, *, min_proba, top_k, columns=None
):
    """Write the predictions of a block.

    Parameters
    ----------
    path : Path
        See `part_path`.
    rows : DataFrame
        Columns ``path``, ``start``, ``end`` and `columns`.
    proba : ndarray of shape (n_rows, n_species)
    species : list of str
    errors, dropped : list
        See `PartInfo`.
    min_proba : float or None
        What is below is left out.
    top_k : int or None
        Species that each row keeps.
    columns : dict of str to pyarrow.DataType, default=None
        See `further_columns`.

    Returns
    -------
    PartInfo
    """
    pyarrow = import_pyarrow()
    proba = proba.astype(np.float32, copy=False)
    keys = {
        "path": pyarrow.string(),
        "start": pyarrow.float64(),
        "end": pyarrow.float64(),
    } | (columns or {})
    # A table without rows may hold columns of any type.
    stretches = [arrow_column(rows[name], kind) for name, kind in keys.items()]
    keys = [(str(name), kind) for name, kind in keys.items()]
    if min_proba is None and top_k is None:
        values = [(name, pyarrow.float32()) for name in species]
        columns = stretches + [np.ascontiguousarray(column) for column in proba.T]
    else:
        values = [("species", pyarrow.string()), ("probability", pyarrow.float32())]
        row, column = kept_pairs(proba, min_proba, top_k)
        columns = [stretch.take(pyarrow.array(row)) for stretch in stretches]
        columns += [np.array(species, dtype=object)[column], proba[row, column]]
    notes = json.dumps({"errors": errors, "dropped": list(dropped)})
    schema = pyarrow.schema(keys + values, metadata={_KEY: notes})
    table = pyarrow.table(columns, schema=schema)
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer)
    write_whole(path, buffer.getbuffer())
    return PartInfo(table.num_rows, errors, list(dropped))


def kept_pairs(proba, min_proba=None, top_k=None):
    """Choose the pairs of row and species that are worth writing.

    Parameters
    ----------
    proba : ndarray of shape (n_rows, n_species), float32
        NaN is never chosen.
    min_proba : float or None
        Least probability.
    top_k : int or None
        Most species of a row.

    Returns
    -------
    row, column : ndarray of int, shape (n_pairs,)
        In the order of the rows; within a row the likeliest species first.
    """
    order = np.argsort(-proba, axis=1, kind="stable")[:, :top_k]
    ordered = np.take_along_axis(proba, order, axis=1)
    kept = ~np.isnan(ordered)
    if min_proba is not None:
        kept &= ordered >= np.float32(min_proba)
    row, place = np.nonzero(kept)
    return row, order[row, place]


def read_part_info(path):
    """Return what a part says of itself, or None if there is none that is whole."""
    pyarrow = import_pyarrow()
    try:
        footer = pyarrow.parquet.read_metadata(path)
        notes = json.loads(footer.metadata[_KEY])
    except DAMAGE:
        return None
    errors = [tuple(pair) for pair in notes["errors"]]
    return PartInfo(footer.num_rows, errors, notes["dropped"])


def write_whole(path, data):
    """Write a file so that nobody ever sees half of it.

    Parameters
    ----------
    path : Path
        An existing file is replaced.
    data : bytes-like

    Raises
    ------
    OSError
        If it cannot be written. For a full disk it says what to do.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as exc:
        temporary.unlink(missing_ok=True)
        if isinstance(exc, OSError) and exc.errno in _FULL:
            raise OSError(
                exc.errno,
                f"No space is left for {path.name} in {path.parent}. The parts that "
                "are finished are kept: free some space, or narrow the output by "
                "min_proba or top_k into another folder, and call again; the run "
                "goes on where it stopped",
            ) from exc
        raise


def remove_temporary(folder):
    """Remove what killed runs, or killed workers, left half-written."""
    for path in _matching(folder, _TEMPORARY):
        path.unlink(missing_ok=True)


def remove_run(folder):
    """Remove what an archive run wrote into a folder, and nothing else.

    Recordings, subfolders, files of other names and the folder itself stay, also if
    the run is damaged or half removed.

    Parameters
    ----------
    folder : path-like
        If it does not exist, nothing is done.
    """
    # In this order, what a kill leaves is a run that can go on or begin.
    for pattern in (_PART, *_PLAN, _ERRORS, _TEMPORARY):
        for path in _matching(folder, pattern):
            path.unlink(missing_ok=True)


def _matching(folder, pattern):
    """Return the files right in a folder whose whole name matches."""
    return [
        path
        for path in Path(folder).glob("*")  # nothing if there is no folder
        if re.fullmatch(pattern, path.name) and path.is_file()
    ]
