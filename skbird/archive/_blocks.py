"""The files of an archive, and the blocks in which they are predicted."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pandas as pd

from skbird.archive._columns import arrow_column, import_pyarrow, printable_paths
from skbird.audio import AudioReadError, list_audio, read_headers
from skbird.data import TABLE_SUFFIXES, check_rows, file_identity, read_rows
from skbird.utils._params import check_list
from skbird.utils._parquet import to_frame

_UNNAMED = (
    "{} stands for a file whose name, or that of its folder, is not UTF-8. Rename it."
)


@dataclass(frozen=True)
class Block:
    """Whole files that are predicted together and make one part.

    Attributes
    ----------
    number : int
    paths : list of str
        The files whose headers can be read.
    errors : list of (str, str)
        The others, and what is wrong with them.
    audio_s : float
        Seconds of audio to be predicted.
    rows : DataFrame or None
        The rows of `paths`; None if they are cut into segments.
    """

    number: int
    paths: list
    errors: list
    audio_s: float
    rows: pd.DataFrame | None = None

    @property
    def first_path(self):
        """Name the block to the user."""
        return self.paths[0] if self.paths else self.errors[0][0]

    @property
    def n_files(self):
        """Number of files, readable or not."""
        return len(self.paths) + len(self.errors)


def list_recordings(recordings):
    """Return the files of an archive, and its rows if it has any of its own.

    Parameters
    ----------
    recordings : path-like, sequence of paths or DataFrame
        See `predict_archive`.

    Returns
    -------
    files : DataFrame
        ``path`` of each file, once, and ``error``: "", or what is wrong with its name.
    rows : DataFrame or None
        The row table, if `recordings` is one.
    """
    if isinstance(recordings, str | os.PathLike):
        recordings = _open_recordings(Path(recordings))
    is_table = isinstance(recordings, pd.DataFrame)
    unnamed = set()
    if is_table and "path" in recordings:
        paths, unnamed = printable_paths(recordings["path"])
        recordings = recordings.assign(path=paths)
    elif not is_table and isinstance(recordings, Iterable):
        recordings = check_list(recordings, "recordings", "paths")
        recordings, unnamed = printable_paths(recordings)
    rows = check_rows(recordings, input_name="recordings")
    paths = list(dict.fromkeys(rows["path"]))
    errors = [_UNNAMED.format(path) if path in unnamed else "" for path in paths]
    return pd.DataFrame({"path": paths, "error": errors}), rows if is_table else None


def _open_recordings(path):
    """Return the audio files of a folder, or the rows of a table."""
    if path.suffix.lower() in TABLE_SUFFIXES and path.is_file():
        return read_rows(path)
    if not path.is_dir():
        raise ValueError(
            f"recordings={str(path)!r} is not a folder, nor a table ("
            f"{', '.join(TABLE_SUFFIXES)}). For single files pass a list of paths."
        )
    return list_audio(path)


def check_text(name, path):
    """Refuse a path that is not UTF-8, below which pyarrow finds nothing."""
    _, changed = printable_paths([path])
    if changed:
        raise ValueError(
            f"{name}={changed.pop()} is a path that is not UTF-8, which pyarrow cannot "
            "open. Pass another one."
        )


def stat_files(files):
    """Add ``size`` and ``mtime_ns``; -1 for missing files."""
    _, sizes, times = zip(*map(file_identity, files["path"]), strict=True)
    return files.assign(
        size=[-1 if size is None else size for size in sizes],
        mtime_ns=[-1 if time is None else _as_int64(time) for time in times],
    )


def _as_int64(number):
    """Wrap what 64 bits do not hold, such as nanoseconds after the year 2262."""
    return (number + 2**63) % 2**64 - 2**63


def add_durations(files, *, verbose):
    """Add ``duration_s`` and to ``error`` what the headers tell."""
    named = list(files["path"][files["error"] == ""])
    headers = dict(zip(named, read_headers(named, verbose=verbose), strict=True))
    errors = dict(zip(files["path"], files["error"], strict=True))
    for path, header in headers.items():
        if isinstance(header, AudioReadError):
            errors[path] = str(header)
    return files.assign(
        duration_s=[
            0.0 if error else headers[path].duration_s for path, error in errors.items()
        ],
        error=list(errors.values()),
    )


def without_passed_faults(files, now, *, verbose):
    """Open files again that could not be opened, and drop those that can be by now.

    Parameters
    ----------
    files : DataFrame
        As `add_durations` gave it, some time ago.
    now : DataFrame
        ``path`` and ``error`` of these files and others, without what headers tell.
    verbose : int

    Returns
    -------
    DataFrame
        With what is wrong with the others now.
    """
    failed = (files["error"] != "").to_numpy()
    if not failed.any():
        return files
    named = now.set_index("path")["error"]
    again = files[failed].assign(error=named.loc[files["path"][failed]].to_numpy())
    errors = files["error"].copy()
    errors[failed] = add_durations(again, verbose=verbose)["error"].to_numpy()
    return files.assign(error=errors)[~failed | (errors != "").to_numpy()]


def compare_files(old, new):
    """Say which of the old files are missing, and which have changed.

    Parameters
    ----------
    old, new : DataFrame
        ``path``, ``size`` and ``mtime_ns``, each path once.

    Returns
    -------
    missing, changed : ndarray of bool, shape (n_old,)
    """
    now = new.set_index("path")[["size", "mtime_ns"]].reindex(old["path"])
    missing = ~old["path"].isin(new["path"]).to_numpy()
    # In a list of paths, a file may be missing as well; -1 stands for its size.
    missing |= (now["size"] == -1).to_numpy() & (old["size"] != -1).to_numpy()
    same = (now.to_numpy() == old[["size", "mtime_ns"]].to_numpy()).all(axis=1)
    return missing, ~missing & ~same


def hash_rows(rows, columns):
    """Return a text that tells row tables apart by what goes into the results.

    Parameters
    ----------
    rows : DataFrame or None
    columns : dict
        See `further_columns`.

    Returns
    -------
    str or None
        None for None.
    """
    if rows is None:
        return None
    table = rows[["path", "start", "end"]].reset_index(drop=True)
    if columns:
        arrays = [arrow_column(rows[name], kind) for name, kind in columns.items()]
        further = import_pyarrow().table(arrays, names=list(map(str, columns)))
        table = pd.concat([table, to_frame(further)], axis=1)
    digest = blake2b(repr(list(columns)).encode(), digest_size=16)
    digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def assign_blocks(files, rows, block_s):
    """Give each file that has no block (-1) one, after those of the others.

    Parameters
    ----------
    files : DataFrame
        ``path``, ``duration_s`` and ``block``, which ascends.
    rows : DataFrame or None
        The row table, if there is one.
    block_s : float
        Seconds of audio per block. A file that is longer is a block by itself.

    Returns
    -------
    DataFrame
    """
    block = files["block"].to_numpy(copy=True)
    new = block < 0
    number, in_block_s, numbers = block.max(initial=-1) + 1, 0.0, []
    for seconds in _file_seconds(files, rows)[new]:
        if in_block_s > 0 and in_block_s + seconds > block_s:
            number, in_block_s = number + 1, 0.0
        in_block_s += seconds
        numbers.append(number)
    block[new] = numbers
    return files.assign(block=block)


def _file_seconds(files, rows):
    """Return the seconds of audio of each file that are predicted."""
    file_s = files["duration_s"].to_numpy()
    if rows is None:
        return file_s
    file = pd.Index(files["path"]).get_indexer(rows["path"])
    row_s = np.fmin(rows["end"], file_s[file]) - rows["start"]
    return np.bincount(file, row_s.clip(lower=0), len(files))


class Blocks:
    """The blocks of an archive, made one at a time.

    Parameters
    ----------
    files : DataFrame
        ``path``, ``duration_s``, ``error`` and ``block`` of each file. Blocks ascend;
        one may be without files, if all of its files are gone.
    rows : DataFrame or None
        The row table, if there is one. Its order is kept within a block.

    Attributes
    ----------
    audio_s : ndarray of shape (n_blocks,)
        Seconds of audio.
    n_files : ndarray of int, shape (n_blocks,)
    """

    def __init__(self, files, rows):
        self._files = files
        self._rows = rows
        block = files["block"].to_numpy()
        numbers = np.arange(block.max() + 2)
        self._bounds = np.searchsorted(block, numbers)
        self.audio_s = np.bincount(block, _file_seconds(files, rows))
        self.n_files = np.diff(self._bounds)
        if rows is not None:
            block_of_row = block[pd.Index(files["path"]).get_indexer(rows["path"])]
            self._row_order = np.argsort(block_of_row, kind="stable")
            self._row_bounds = np.searchsorted(block_of_row[self._row_order], numbers)

    def __len__(self):
        return len(self._bounds) - 1

    def __getitem__(self, number):
        start, stop = self._bounds[number : number + 2]
        files = self._files.iloc[start:stop]
        good = files["error"] == ""
        rows = None
        if self._rows is not None:
            first, last = self._row_bounds[number : number + 2]
            rows = self._rows.iloc[self._row_order[first:last]]
            rows = rows[rows["path"].isin(files["path"][good])].reset_index(drop=True)
        bad = files[~good]
        return Block(
            number=number,
            paths=list(files["path"][good]),
            errors=list(zip(bad["path"], bad["error"], strict=True)),
            audio_s=float(self.audio_s[number]),
            rows=rows,
        )

    def in_order(self, errors):
        """Add the files that cannot be opened to the errors of others.

        Parameters
        ----------
        errors : iterable of (str, str)
            Path and error.

        Returns
        -------
        list of (str, str)
            In the order of the files.
        """
        bad = self._files[(self._files["error"] != "").to_numpy()]
        errors = [*zip(bad["path"], bad["error"], strict=True), *errors]
        place = pd.Index(self._files["path"]).get_indexer([path for path, _ in errors])
        return [errors[number] for number in np.argsort(place, kind="stable")]

    def first_path(self, number):
        """Return the path of a block's first file."""
        return self._files["path"].iloc[self._bounds[number]]
