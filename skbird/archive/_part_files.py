"""The files of an archive run: written whole or not at all, and read again."""

import json
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
from joblib import Parallel, delayed

from skbird.archive._columns import arrow_column, import_pyarrow
from skbird.archive._sealed import DamagedFileError, seal, unseal
from skbird.utils._files import remove_dead, replacing
from skbird.utils._text import counted

_KEY = b"skbird"
_FULL_REMEDY = (
    "The parts that are finished are kept: free some space, or narrow the output by "
    "min_proba or top_species into another folder, and call again; the run goes on "
    "where it stopped"
)

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
    """The information that a part holds about itself.

    Attributes
    ----------
    n_rows : int
        Rows in it.
    errors : list of (str, str)
        Files of the block that could not be used, or not all of them, and why.
    dropped : list of str
        What a time budget had dropped from the model.
    again : list of (str, float, float)
        Stretches that could not be read, one of a file: path, start and end, which may
        be None. If one can be read later, the block is worth another try.
    """

    n_rows: int
    errors: list
    dropped: list
    again: list


def part_path(folder, number):
    """Return where the part of a block lies, or would lie."""
    return Path(folder) / f"part-{number:06d}.parquet"


def part_paths(folder):
    """Return the parts in a folder, in order."""
    numbers = {path: int(path.stem[5:]) for path in _matching(folder, _PART)}
    return sorted(numbers, key=numbers.get)


def write_part(
    path,
    rows,
    proba,
    species,
    errors,
    dropped,
    *,
    min_proba,
    top_species,
    columns=None,
    again=(),
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
    top_species : int or None
        Species that each row keeps.
    columns : dict of str to pyarrow.DataType, default=None
        See `further_columns`.
    again : list, default=()
        See `PartInfo`.

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
    if min_proba is None and top_species is None:
        values = [(name, pyarrow.float32()) for name in species]
        arrays = stretches + [np.ascontiguousarray(column) for column in proba.T]
    else:
        values = [("species", pyarrow.string()), ("probability", pyarrow.float32())]
        row, column = kept_pairs(proba, min_proba, top_species)
        arrays = [stretch.take(pyarrow.array(row)) for stretch in stretches]
        arrays += [np.array(species, dtype=object)[column], proba[row, column]]
    notes = {"errors": errors, "dropped": list(dropped), "again": list(again)}
    text = json.dumps(notes | {"name": path.name})
    schema = pyarrow.schema(keys + values, metadata={_KEY: text})
    table = pyarrow.table(arrays, schema=schema)
    write_whole(path, seal(table))
    return PartInfo(table.num_rows, **notes)


def kept_pairs(proba, min_proba=None, top_species=None):
    """Choose the pairs of row and species that are worth writing.

    Parameters
    ----------
    proba : ndarray of shape (n_rows, n_species), float32
        NaN is never chosen.
    min_proba : float or None
        Least probability.
    top_species : int or None
        Most species of a row.

    Returns
    -------
    row, column : ndarray of int, shape (n_pairs,)
        In the order of the rows; within a row the likeliest species first.
    """
    order = np.argsort(-proba, axis=1, kind="stable")[:, :top_species]
    ordered = np.take_along_axis(proba, order, axis=1)
    kept = ~np.isnan(ordered)
    if min_proba is not None:
        kept &= ordered >= np.float32(min_proba)
    row, place = np.nonzero(kept)
    return row, order[row, place]


def read_part_info(path):
    """Return what a part says of itself, or None if there is none that is whole."""
    try:
        file, notes = _open_part(path)
    except (OSError, DamagedFileError):
        return None
    pairs = {name: list(map(tuple, notes[name])) for name in ("errors", "again")}
    return PartInfo(file.metadata.num_rows, dropped=notes["dropped"], **pairs)


def _open_part(path):
    """Return a part as a ParquetFile, and its notes; see `unseal` for the errors."""
    file = unseal(path)
    notes = json.loads(file.metadata.metadata.get(_KEY, b'{"name": null}'))
    # A part in the place of another would count twice, and the other not at all.
    if notes["name"] != Path(path).name:
        raise DamagedFileError(f"it was written as {notes['name']}")
    return file, notes


def read_infos(folder, numbers):
    """Read what parts say of themselves, in threads.

    Parameters
    ----------
    folder : path-like
    numbers : list of int
        Of blocks.

    Returns
    -------
    dict of int to PartInfo
        Of the parts that are there and whole.

    Warns
    -----
    UserWarning
        If parts are there and damaged.
    """
    paths = [part_path(folder, number) for number in numbers]
    infos = Parallel(-1, prefer="threads")(map(delayed(read_part_info), paths))
    damaged = [
        path
        for path, info in zip(paths, infos, strict=True)
        if info is None and os.path.lexists(path)
    ]
    if damaged:
        warnings.warn(
            f"{counted(len(damaged), 'finished part is', 'finished parts are')} "
            "damaged, or of another version of skbird, and will be predicted again; "
            f"the first is {damaged[0]}.",
            stacklevel=4,  # the caller of predict_archive
        )
    pairs = zip(numbers, infos, strict=True)
    return {number: info for number, info in pairs if info is not None}


def read_part(path):
    """Return the rows of a part as a pyarrow Table; complain if it is damaged."""
    try:
        return _open_part(path)[0].read()
    except DamagedFileError as exc:
        raise DamagedFileError(
            f"{path} is damaged ({exc}). Call predict_archive again, with the same "
            "arguments: it predicts this part anew, and keeps the others."
        ) from exc


def write_whole(path, data):
    """Write a file of an archive run so that nobody ever sees half of it.

    Its temporary name tells that it is of a run, so that `remove_run` knows it.

    Parameters
    ----------
    path : Path
        An existing file is replaced.
    data : bytes-like

    Raises
    ------
    OSError
        If it cannot be written; it says what to do.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    with replacing(path, temporary, remedy=_FULL_REMEDY) as file:
        file.write(data)


def remove_temporary(folder):
    """Remove what killed runs, or killed workers, left half-written."""
    for path in _matching(folder, _TEMPORARY):
        remove_dead(path)


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
    """Return what is right in a folder, is no folder and has a name that matches."""
    return [
        path
        for path in Path(folder).glob("*")  # nothing if there is no folder
        if re.fullmatch(pattern, path.name) and not path.is_dir()
    ]
