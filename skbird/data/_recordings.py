"""Lazy audio between the steps of a pipeline: a row table and a chain of ops."""

import os
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
import pandas as pd

from skbird.audio import read_audio, row_channels
from skbird.data._ops import ClipOp, WeightOp, check_weight_op
from skbird.data._row_table import check_rows, in_one_layout
from skbird.data._segments import SegmentGrid, row_weights
from skbird.utils._names import existing_path
from skbird.utils._params import check_list
from skbird.utils._text import counted
from skbird.utils._typing import Channels, Key, Rows


@dataclass(frozen=True)
class Clip:
    """The decoded audio of one row on its way through the ops.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32
        Mono, full scale is 1.
    sample_rate : int
        In Hz.
    row : Mapping, default={}
        The row of the table: ``path``, ``start``, ``end`` and what else it has.
    grid : SegmentGrid, default=SegmentGrid()
        How the row is cut into segments.
    measured : tuple of (WeightOp, ndarray), default=()
        What the filters measured, each a series over time.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.data import Clip
    >>> clip = Clip(np.zeros(16_000, np.float32), 8000, {"path": "frog.wav"})
    >>> clip.grid.starts(len(clip.samples) / clip.sample_rate)
    array([0.])
    """

    samples: np.ndarray
    sample_rate: int
    row: Mapping = field(default_factory=dict)
    grid: SegmentGrid = SegmentGrid()
    measured: tuple[tuple[WeightOp, np.ndarray], ...] = ()

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate

    @property
    def starts(self) -> np.ndarray:
        """Starts of the segments in seconds, shape (n_segments,)."""
        return self.grid.starts(self.duration_s)

    @property
    def weights(self) -> np.ndarray:
        """Weights of the segments in training, in [0, 1]; (n_segments,)."""
        return row_weights(self.measured, self.starts, self.grid.segment_s, self.row)


class Recordings:
    """Rows of audio and the operations to apply to them; nothing is decoded yet.

    Behaves as a sequence of rows: it has a length and a shape, is indexed by row
    number, slice, mask or array, pickles and hashes. Memory is O(rows).

    Parameters
    ----------
    rows : sequence of paths or DataFrame
        See :func:`check_rows`.
    ops : sequence of ClipOp, default=()
        Operations to apply to each row, in this order.

    Warns
    -----
    UserWarning
        If most of `rows` repeat whole recordings: ``start`` and ``end`` of
        :func:`segment_table` seem to be lost.

    Attributes
    ----------
    rows : DataFrame
        Columns ``path``, ``start``, ``end`` and what else the table has.
    ops : tuple of ClipOp
        The chain.
    grid : SegmentGrid
        How rows are cut after the chain.
    channels : {"mean", "loudest"} or int
        Which channels rows are read from, unless the table says so itself.
    weight_ops : tuple of WeightOp
        The operations of the chain that weigh segments.
    index : Index of shape (n_rows,)
        Index of the given table, for tables that are made of these rows.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from skbird.data import Recordings
    >>> path = Path(tempfile.mkdtemp()) / "frog.wav"
    >>> soundfile.write(path, np.zeros(7 * 8000), 8000)
    >>> recordings = Recordings([path])
    >>> recordings.shape
    (1,)
    >>> recordings[0].starts
    array([0., 2.])
    """

    ndim = 1

    def __init__(self, rows: Rows, ops: Sequence[ClipOp] = ()) -> None:
        self.rows = check_rows(rows, input_name="rows")
        self.ops: tuple[ClipOp, ...] = _check_ops(ops)
        labelled = rows if isinstance(rows, pd.DataFrame | pd.Series) else self.rows
        self.index = labelled.index
        if {"start", "end"}.isdisjoint(getattr(rows, "columns", ())):
            _warn_of_repeats(self.paths)

    @property
    def shape(self) -> tuple[int]:
        """Number of rows, as a tuple."""
        return (len(self.rows),)

    @property
    def paths(self) -> np.ndarray:
        """The file of each row, shape (n_rows,), object."""
        return self.rows["path"].to_numpy(dtype=object)

    @property
    def grid(self) -> SegmentGrid:
        """The grid by which rows are cut after the chain."""
        grid = SegmentGrid()
        for op in self.ops:
            grid = op.grid_after(grid)
        return grid

    @property
    def channels(self) -> Channels:
        """Channels that rows are read from, unless the table has a column for them."""
        channels: Channels = "mean"
        for op in self.ops:
            channels = op.channels_read(channels)
        return channels

    @property
    def weight_ops(self) -> tuple[WeightOp, ...]:
        """The operations of the chain that weigh segments."""
        return tuple(op for op in self.ops if isinstance(op, WeightOp))

    def sample_rate_after(self, sample_rate: int | None) -> int | None:
        """Return the rate in Hz that files of `sample_rate` have after the chain.

        Parameters
        ----------
        sample_rate : int or None
            In Hz; None if it is not known.

        Returns
        -------
        int or None
        """
        for op in self.ops:
            sample_rate = op.sample_rate_after(sample_rate)
        return sample_rate

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, key: int | np.integer) -> Clip: ...
    @overload
    def __getitem__(self, key: Key) -> "Recordings": ...
    def __getitem__(self, key):
        if isinstance(key, np.ndarray):
            key = key[()]  # an array without axes is a number
        if isinstance(key, (int, np.integer)):
            return self._clip(int(key))
        if isinstance(key, tuple):  # scikit-learn asks for X[rows, ...]
            key = key[0]
        chosen = self.rows.set_axis(self.index).iloc[key]
        return self._of(chosen.reset_index(drop=True), self.ops, chosen.index)

    def __iter__(self) -> Iterator[Clip]:
        return (self._clip(row) for row in range(len(self)))

    def __repr__(self) -> str:
        ops = ", ".join(type(op).__name__ for op in self.ops)
        return f"<Recordings: {counted(len(self), 'row')}, ops: {ops or 'none'}>"

    def then(self, op: ClipOp) -> "Recordings":
        """Return these rows with one more op at the end of the chain.

        Parameters
        ----------
        op : ClipOp
            A frozen dataclass that takes a `Clip` and returns one.

        Returns
        -------
        Recordings
        """
        return self.with_ops((*self.ops, op))

    def with_ops(self, ops: Sequence[ClipOp]) -> "Recordings":
        """Return these rows with another chain.

        Parameters
        ----------
        ops : sequence of ClipOp
            Frozen dataclasses that take a `Clip` and return one.

        Returns
        -------
        Recordings
        """
        return self._of(self.rows.copy(), _check_ops(ops), self.index)

    def assign(self, **columns: Any) -> "Recordings":
        """Return these rows with further columns in the row table.

        Parameters
        ----------
        **columns : array-like of shape (n_rows,)
            As :meth:`pandas.DataFrame.assign` takes them.

        Returns
        -------
        Recordings
        """
        assigned = Recordings(self.rows.assign(**columns), self.ops)
        assigned.index = self.index
        return assigned

    @classmethod
    def _of(cls, rows, ops, index):
        """Return recordings of rows and ops that have been checked."""
        made = object.__new__(cls)
        made.rows, made.ops, made.index = rows, ops, index
        return made

    def _clip(self, row: int) -> Clip:
        record = self.rows.iloc[row].to_dict()
        samples, sample_rate = read_audio(
            record["path"],
            record["start"],
            record["end"],
            channels=row_channels(record, self.channels),
        )
        clip = Clip(samples, sample_rate, record)
        for op in self.ops:
            clip = op(clip)
        return clip

    def __getstate__(self):
        # joblib hashes what pickle writes. With the files' identities in it,
        # Pipeline(memory=...) notices a recording that was replaced.
        return {
            "rows": in_one_layout(self.rows),
            "ops": self.ops,
            "index": self.index,
            "files": [file_identity(path) for path in sorted(set(self.paths))],
        }

    def __setstate__(self, state):
        self.rows, self.ops = state["rows"], state["ops"]
        self.index = state["index"]


def _check_ops(ops):
    ops = tuple(check_list(ops, "ops", "operations"))
    for op in ops:
        if not isinstance(op, ClipOp):
            raise TypeError(
                f"{op!r:.100} is no operation on clips. Pass frozen dataclasses that "
                "inherit from skbird.data.ClipOp."
            )
        if isinstance(op, WeightOp):
            check_weight_op(op)
    return ops


def _warn_of_repeats(paths):
    """Warn if most rows repeat a whole recording; a bootstrap repeats fewer."""
    counts = Counter(paths)
    if len(paths) > 2 * len(counts):
        path, n_rows = counts.most_common(1)[0]
        warnings.warn(
            f"{counted(len(paths), 'row')} name {counted(len(counts), 'recording')} "
            f"without start and end: {n_rows} of them are the whole of {path!r}, which "
            "is processed as often. Where rows come from segment_table, pass its "
            "table, not its paths alone.",
            UserWarning,
            stacklevel=3,
        )


def as_recordings(X: Rows | Recordings) -> Recordings:
    """Convert paths or a row table to `Recordings`.

    Parameters
    ----------
    X : sequence of paths, DataFrame with a column ``path``, or Recordings
        The rows.

    Returns
    -------
    Recordings
        X itself if it is `Recordings` already.

    Examples
    --------
    >>> from skbird.data import as_recordings
    >>> as_recordings(["frog.wav", "toad.wav"]).shape
    (2,)
    """
    if isinstance(X, Recordings):
        return X
    if isinstance(X, pd.Series):  # its index is that of the results
        return Recordings(check_rows(X).set_axis(X.index))
    if not isinstance(X, pd.DataFrame):
        X = check_rows(X)
    return Recordings(X)


def file_identity(path):
    """Return (path, size, mtime), which differ for another or an older file.

    None stands for size and time of a file that is not there.
    """
    try:
        stat = os.stat(existing_path(path))
    except OSError:
        return os.path.abspath(path), None, None
    return os.path.abspath(path), stat.st_size, stat.st_mtime_ns
