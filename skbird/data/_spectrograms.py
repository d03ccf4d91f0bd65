"""The spectrograms of many rows, and the segments that are slices of them."""

import copy
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skbird.data._segments import SegmentGrid
from skbird.data._spectrogram_format import (
    FLOOR_DB,
    FORMAT_CONSTRAINTS,
    Normalization,
    SpectrogramFormat,
    normalize_segments,
)
from skbird.utils._array_files import DamagedArrayError, map_array
from skbird.utils._frame_file import FrameFile
from skbird.utils._params import as_floats, check_params
from skbird.utils._text import counted
from skbird.utils._typing import Key


class Spectrograms:
    """Log-mel spectrograms of rows, with the index of their segments.

    A sequence of rows: it has a length and a shape, and is indexed by row number (which
    gives the spectrogram), slice, mask or array (which give `Spectrograms`). The
    spectrograms are arrays in memory, or files that are mapped when they are read.

    Parameters
    ----------
    rows : DataFrame
        The row table.
    entries : sequence of length n_rows
        For each row an array (n_frames, n_mels) of float16 in dB, the path of an .npy
        file that holds one, a `FrameFile`, or None if the row could not be read.
    n_frames : array of shape (n_rows,), int
        0 for rows that could not be read.
    format : SpectrogramFormat
        Axes, segments and normalisation.
    segment_weights, segment_predict_weights : list of ndarray, default=None
        For each row the weights of its segments for training and for prediction;
        None means 1 throughout.
    errors : DataFrame, default=None
        Columns ``row``, ``path``, ``error``: the rows that could not be read.

    Attributes
    ----------
    segment_rows : ndarray of shape (n_segments,), int
        The row of each segment, ascending.
    segment_weights, segment_predict_weights : ndarray of shape (n_segments,), float32
        In [0, 1].
    index : Index of shape (n_rows,)
        Index of the given table, for tables that are made of these rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.data import Spectrograms
    >>> X = Spectrograms.from_arrays(np.zeros((4, 64, 313)))
    >>> X
    <Spectrograms: 4 rows, 4 segments of (64 mels, 313 frames)>
    >>> X[::2].to_numpy().shape
    (2, 64, 313)
    """

    ndim = 1

    def __init__(
        self,
        rows: pd.DataFrame,
        entries: Sequence | np.ndarray,
        n_frames: ArrayLike,
        format: SpectrogramFormat,
        segment_weights: Sequence[np.ndarray] | None = None,
        segment_predict_weights: Sequence[np.ndarray] | None = None,
        errors: pd.DataFrame | None = None,
    ) -> None:
        self.rows = rows.reset_index(drop=True)
        self.index = rows.index
        self.format = format
        self.entries = np.empty(len(rows), dtype=object)
        self.entries[:] = entries
        self.n_frames = np.asarray(n_frames, dtype=np.int64)
        self.errors = no_errors() if errors is None else errors
        frames = [
            format.segment_frames(n) if n else np.empty(0, np.int64)
            for n in self.n_frames
        ]
        counts = [len(f) for f in frames]
        self.segment_rows = np.repeat(np.arange(len(rows)), counts)
        self._first_frames = _flatten(frames, np.int64)
        self.segment_weights = _flatten_weights(segment_weights, counts)
        self.segment_predict_weights = _flatten_weights(segment_predict_weights, counts)

    @classmethod
    def from_arrays(
        cls,
        arrays: ArrayLike,
        *,
        frame_s: float = 0.016,
        normalize: Normalization = None,
        top_db: float | None = None,
    ) -> "Spectrograms":
        """Wrap arrays, such as features of your own; each row is one segment.

        Parameters
        ----------
        arrays : array of shape (n_rows, n_mels, n_frames)
            Kept as float16: nothing beyond 65,504.
        frame_s : float, default=0.016
            Seconds per frame.
        normalize, top_db
            See :class:`skbird.preprocessing.LogMel`.

        Returns
        -------
        Spectrograms
        """
        check_params(
            "Spectrograms.from_arrays",
            FORMAT_CONSTRAINTS,
            frame_s=frame_s,
            normalize=normalize,
            top_db=top_db,
        )
        frame_s = float(frame_s)
        arrays = as_floats(arrays, "arrays")
        if arrays.ndim != 3:
            raise ValueError(
                f"arrays has shape {arrays.shape}; (n_rows, n_mels, n_frames) is "
                "needed. Paths of recordings go through LogMel first."
            )
        if not (np.abs(arrays) <= np.finfo(np.float16).max).all():
            raise ValueError(
                "arrays holds NaN or numbers beyond 65,504, which float16 cannot keep. "
                "Convert powers to dB, or scale the features."
            )
        n_rows, n_mels, n_frames = arrays.shape
        grid = SegmentGrid(segment_s=(n_frames - 1) * frame_s, overlap=0.0)
        format = SpectrogramFormat(
            tuple(range(n_mels)), frame_s, grid, normalize, top_db
        )
        rows = pd.DataFrame({"path": [f"row {row}" for row in range(n_rows)]})
        # In this order, so that reading segments need not transpose them.
        entries = list(arrays.transpose(0, 2, 1).astype(np.float16, order="C"))
        return cls(rows, entries, [n_frames] * n_rows, format)

    @property
    def shape(self) -> tuple[int]:
        """Number of rows, as a tuple."""
        return (len(self.rows),)

    @property
    def n_segments(self) -> int:
        """Number of segments of all rows."""
        return len(self.segment_rows)

    @property
    def paths(self) -> np.ndarray:
        """The file of each row, shape (n_rows,), object."""
        return self.rows["path"].to_numpy(dtype=object)

    @property
    def segment_starts(self) -> np.ndarray:
        """Start of each segment in seconds after the start of its row."""
        return self._first_frames * self.format.frame_s

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, key: int | np.integer) -> np.ndarray: ...
    @overload
    def __getitem__(self, key: Key) -> "Spectrograms": ...
    def __getitem__(self, key):
        if isinstance(key, np.ndarray):
            key = key[()]  # an array without axes is a number
        if isinstance(key, (int, np.integer)):
            return self.frames(int(key)).T
        chosen = np.arange(len(self))[key]
        message = dict(zip(self.errors["row"], self.errors["error"], strict=True))
        errors = [
            (new, self.rows["path"].iloc[old], message[old])
            for new, old in enumerate(chosen)
            if old in message
        ]
        return Spectrograms(
            self.rows.iloc[chosen].set_axis(self.index[chosen]),
            self.entries[chosen],
            self.n_frames[chosen],
            self.format,
            self._row_weights(self.segment_weights, chosen),
            self._row_weights(self.segment_predict_weights, chosen),
            pd.DataFrame(errors, columns=["row", "path", "error"]),
        )

    def assign(self, **columns: Any) -> "Spectrograms":
        """Return the same spectrograms with further columns in the row table.

        Parameters
        ----------
        **columns : array-like of shape (n_rows,)
            As :meth:`pandas.DataFrame.assign` takes them.

        Returns
        -------
        Spectrograms
        """
        assigned = copy.copy(self)
        assigned.rows = self.rows.assign(**columns)
        return assigned

    def __repr__(self) -> str:
        return (
            f"<Spectrograms: {counted(len(self), 'row')}, "
            f"{counted(self.n_segments, 'segment')} of ({self.format.n_mels} mels, "
            f"{self.format.frames_per_segment} frames)>"
        )

    def segments(self, which: np.ndarray, shift: int | np.ndarray = 0) -> np.ndarray:
        """Read segments as they are kept: in dB, not normalised, time first.

        Parameters
        ----------
        which : array of int
            Numbers of segments.
        shift : int or array of int, default=0
            Frames by which to move each segment, as far as its row reaches.

        Returns
        -------
        ndarray of shape (n, n_frames, n_mels), float16
        """
        return self.read(self.segment_rows[which], self._first_frames[which] + shift)

    def read(self, rows: np.ndarray, first_frames: np.ndarray) -> np.ndarray:
        """Read stretches of a segment's length from anywhere in the rows.

        Parameters
        ----------
        rows, first_frames : array of shape (n,), int
            Row and first frame of each stretch; a stretch that would reach past the
            end of its row is moved back.

        Returns
        -------
        ndarray of shape (n, n_frames, n_mels), float16
            In dB, not normalised.
        """
        n_frames = self.format.frames_per_segment
        last = np.maximum(self.n_frames[rows] - n_frames, 0)
        first_frames = np.clip(first_frames, 0, last)
        batch = np.empty((len(rows), n_frames, self.format.n_mels), np.float16)
        mapped = None  # the row before, often the same
        for out, row, first in zip(batch, rows, first_frames, strict=True):
            if row != mapped:
                mapped, frames = row, self.frames(row)
            part = frames[first : first + n_frames]
            out[: len(part)] = part
            if len(part) < n_frames:
                _fill(out, len(part), self.format.grid.pad)
        return batch

    def blank_segment(self) -> np.ndarray:
        """Return a silent segment, (1, n_frames, n_mels) float16."""
        shape = (1, self.format.frames_per_segment, self.format.n_mels)
        return np.full(shape, FLOOR_DB, np.float16)

    def to_numpy(self, which: np.ndarray | None = None) -> np.ndarray:
        """Read segments, normalised: what any estimator for arrays can take.

        Parameters
        ----------
        which : array of int, default=None
            Numbers of segments; all by default, which needs memory for them.

        Returns
        -------
        ndarray of shape (n_segments, n_mels, n_frames), float32
            `segment_rows` says which row each belongs to.
        """
        which = np.arange(self.n_segments) if which is None else which
        batch = self.segments(which).astype(np.float32)
        batch = normalize_segments(batch, self.format.normalize, self.format.top_db)
        return batch.transpose(0, 2, 1)

    def frames(self, row: int) -> np.ndarray:
        """Return the spectrogram of a row, time first: (n_frames, n_mels) float16.

        Parameters
        ----------
        row : int
            Number of the row.

        Returns
        -------
        ndarray of shape (n_frames, n_mels), float16
            In dB; of a row that could not be read without frames.
        """
        entry = self.entries[row]
        if entry is None:
            return np.empty((0, self.format.n_mels), np.float16)
        if isinstance(entry, FrameFile):
            return entry.map()
        return self._map(row, entry) if isinstance(entry, str) else entry

    def _map(self, row, path):
        try:
            frames = map_array(path, marked=False).T
            if frames.shape != (self.n_frames[row], self.format.n_mels):
                raise DamagedArrayError(f"{path} holds another spectrogram now.")
        except DamagedArrayError as exc:
            raise DamagedArrayError(
                f"{exc} Transform the rows again: what is damaged is made anew."
            ) from exc
        except FileNotFoundError as exc:
            raise FileNotFoundError(
                f"The cached spectrogram {path} is gone. Do not delete the "
                "cache_dir while Spectrograms of it are in use, nor without the "
                "Pipeline's memory, which refers to it. Transform the rows again."
            ) from exc
        return frames

    def _row_weights(self, weights, chosen):
        bounds = np.searchsorted(self.segment_rows, np.arange(len(self) + 1))
        return [weights[bounds[row] : bounds[row + 1]] for row in chosen]


def no_errors():
    """Return an empty table of rows that could not be read."""
    return pd.DataFrame({"row": pd.Series(dtype=int), "path": [], "error": []})


def _flatten(arrays, dtype) -> np.ndarray:
    return np.concatenate([*arrays, np.empty(0)]).astype(dtype)


def _flatten_weights(weights, counts) -> np.ndarray:
    if weights is None:
        return np.ones(sum(counts), np.float32)
    for row, (weight, count) in enumerate(zip(weights, counts, strict=True)):
        if len(weight) != count:
            raise ValueError(
                f"Row {row} has {counted(len(weight), 'weight')} for "
                f"{counted(count, 'segment')}."
            )
    return _flatten(weights, np.float32)


def _fill(segment, n_given, pad):
    """Pad a segment (n_frames, n_mels), of which `n_given` frames are there."""
    if pad == "zero":
        segment[n_given:] = FLOOR_DB
    else:
        # The last frame lies on the end of the sound, where the first one comes again.
        period = max(n_given - 1, 1)
        segment[n_given:] = segment[np.arange(n_given, len(segment)) % period]
