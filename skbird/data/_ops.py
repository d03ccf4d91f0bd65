"""Base classes of operations between a recording and its spectrogram."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from skbird.data._segments import SegmentGrid
from skbird.utils._typing import Channels

if TYPE_CHECKING:
    from skbird.data._recordings import Clip


class ClipOp:
    """Base class of operations (ops), which a step of a pipeline applies to each clip.

    A subclass is a frozen dataclass and defines ``__call__``, which takes a
    :class:`Clip` and returns one. An op acts locally: what it does to a moment depends
    on no more than 4 s around it, since rows of many minutes are worked on in blocks.
    What an op changes besides the samples it says in the methods below, so that this is
    known before any audio is read.

    Examples
    --------
    >>> from dataclasses import dataclass, replace
    >>> import numpy as np
    >>> from skbird.data import Clip, ClipOp
    >>> @dataclass(frozen=True)
    ... class AmplifyOp(ClipOp):
    ...     factor: float
    ...
    ...     def __call__(self, clip):
    ...         return replace(clip, samples=clip.samples * self.factor)
    >>> float(AmplifyOp(3.0)(Clip(np.full(100, 0.25), 100)).samples[0])
    0.75
    """

    #: Whether the spectrogram becomes another one.
    changes_samples = True

    def __call__(self, clip: "Clip") -> "Clip":
        """Return the clip after this op.

        Parameters
        ----------
        clip : Clip

        Returns
        -------
        Clip
        """
        raise NotImplementedError(f"{type(self).__name__} must define __call__.")

    def sample_rate_after(self, sample_rate: int | None) -> int | None:
        """Return the sample rate that a clip has after this op.

        Parameters
        ----------
        sample_rate : int or None
            Before it, in Hz; None if it is not known.

        Returns
        -------
        int or None
        """
        return sample_rate

    def grid_after(self, grid: SegmentGrid) -> SegmentGrid:
        """Return how a clip is cut after this op.

        Parameters
        ----------
        grid : SegmentGrid
            How it was cut before.

        Returns
        -------
        SegmentGrid
        """
        return grid

    def channels_read(self, channels: Channels) -> Channels:
        """Return which channels a clip is read from.

        Parameters
        ----------
        channels : {"mean", "loudest"} or int
            The channels that the ops before this one read.

        Returns
        -------
        {"mean", "loudest"} or int
        """
        return channels


class WeightOp(ClipOp):
    """Base class of operations that leave the samples alone and weigh the segments.

    The slow part is `measure`, which knows neither segments nor thresholds, so that
    its result can be cached; `judge` turns the result into weights.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from skbird.data import WeightOp, row_weights, segment_means
    >>> @dataclass(frozen=True)
    ... class LoudnessOp(WeightOp):
    ...     limit: float
    ...     values_per_s = 1.0
    ...     use_at_predict = False
    ...     measure_key = "loudness"
    ...
    ...     def measure(self, samples, sample_rate):
    ...         return np.square(samples.reshape(-1, sample_rate)).mean(axis=1)
    ...
    ...     def judge(self, values, starts, segment_s, row):
    ...         quality = segment_means(values, self.values_per_s, starts, segment_s)
    ...         return (quality >= self.limit).astype(float), quality
    >>> op = LoudnessOp(limit=0.1)
    >>> values = op.measure(np.repeat([0.0, 0.5], 80_000), 8000)
    >>> row_weights([(op, values)], np.array([0.0, 10.0]), 10.0, {"path": "frog.wav"})
    array([0., 1.], dtype=float32)
    """

    #: An op that leaves the samples alone does not make a spectrogram another one.
    changes_samples = False
    #: Says what `measure` depends on; a result kept under another key is not used.
    measure_key: str
    #: Values that `measure` returns per second of audio. Blocks of 4 s must hold a
    #: whole number of them: long rows are measured in blocks.
    values_per_s: float
    #: Whether the weights matter for prediction too.
    use_at_predict: bool

    def measure(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        """Return a series (n_values,) float32 at `values_per_s`.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,), float32
            Samples of the row, or of a part of a long row.
        sample_rate : int
            In Hz.

        Returns
        -------
        ndarray of shape (n_values,), float32
        """
        raise NotImplementedError(f"{type(self).__name__} must define measure.")

    def judge(
        self, values: np.ndarray, starts: np.ndarray, segment_s: float, row: Mapping
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return weight and quality of each segment, both (n_segments,) in [0, 1].

        Parameters
        ----------
        values : ndarray of shape (n_values,)
            What `measure` returned for the whole row.
        starts : ndarray of shape (n_segments,)
            Where segments start in the row, in seconds.
        segment_s : float
            Length of the segments in seconds.
        row : Mapping
            The metadata of the row.

        Returns
        -------
        weights, qualities : ndarray of shape (n_segments,)
        """
        raise NotImplementedError(f"{type(self).__name__} must define judge.")

    def __call__(self, clip: "Clip") -> "Clip":
        values = self.measure(clip.samples, clip.sample_rate)
        return replace(clip, measured=(*clip.measured, (self, values)))
