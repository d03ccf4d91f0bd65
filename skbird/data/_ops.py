"""Base classes of operations between a recording and its spectrogram."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from skbird.data._segments import SegmentGrid
from skbird.utils._params import as_floats
from skbird.utils._typing import Channels

if TYPE_CHECKING:
    from skbird.data._recordings import Clip

# The shortest block of a long row; every other is a multiple of it.
_BLOCK_S = 4


class ClipOp:
    """Base class of operations (ops), which a step of a pipeline applies to each clip.

    A subclass is a frozen dataclass and defines ``__call__``, which takes a
    :class:`Clip` and returns one. An op acts locally: what it does to a moment depends
    on no more than the 4 s before it and the second after it, since rows of many
    minutes are worked on in blocks. Cached spectrograms are found by the op's ``repr``,
    so its fields hold all that it depends on. What an op changes besides the samples it
    says in the methods below, so that this is known before any audio is read.

    See Also
    --------
    skbird.utils.estimator_checks.check_blocks : Finds an op that looks further.

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
    its result can be cached; `judge` turns the result into weights. A subclass is a
    frozen dataclass and defines both, and `values_per_s` and `use_at_predict`, each as
    a class attribute, a field or a property. As for every :class:`ClipOp`, a value
    depends on no more than the 4 s before it and the second after it.

    Attributes
    ----------
    values_per_s : float > 0
        Values that `measure` returns per second of audio, such as 1, 31.25 or 100. 4 s
        must hold a whole number of them: long rows are measured in blocks.
    use_at_predict : bool
        Whether the weights matter for prediction too. If not, as in most filters,
        prediction looks at every segment and does not measure.
    measure_key : str
        Says what `measure` depends on, for the cache: what is kept under another key is
        not used. By default it names the class and all its fields. A class attribute
        or property that names only what `measure` itself depends on spares measuring
        anew when a threshold changes. It does not know the code of `measure`: after a
        change of it, give another key, or another `cache_dir`.

    See Also
    --------
    segment_means : Averages a series over each segment.
    skbird.utils.estimator_checks.check_measured_series : Finds mistakes in `measure`.

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
    ...         starts = np.arange(0, len(samples), sample_rate)
    ...         power = np.add.reduceat(np.square(samples), starts)
    ...         return power / np.diff(starts, append=len(samples))
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
    values_per_s: float
    use_at_predict: bool

    @property
    def measure_key(self) -> str:
        """What `measure` depends on: the class and all fields, unless it is defined."""
        cls = type(self)
        if not is_dataclass(self):
            raise TypeError(
                f"{cls.__name__} is no dataclass: nothing says what its measure "
                "depends on. Make it one, by @dataclass(frozen=True)."
            )
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return f"{cls.__module__}.{cls.__qualname__} {values!r}"

    def measure(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        """Return a series (n_values,) float32 at `values_per_s`.

        The first value begins with the samples. What is left at their end and fills no
        whole value gets one, too: a row may be shorter than a value.

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
        measured = self.measure(clip.samples, clip.sample_rate)
        values = as_floats(measured, f"what {type(self).__name__}.measure returned")
        expected = clip.duration_s * self.values_per_s
        if values.ndim != 1 or not len(values) or abs(len(values) - expected) > 1.5:
            raise ValueError(
                f"measure of {type(self).__name__} returned shape {values.shape} for "
                f"{clip.duration_s:.2f} s of {clip.row.get('path', 'a clip')}; at "
                f"values_per_s={self.values_per_s:g} it must be "
                f"({max(1, int(np.ceil(expected - 1e-6)))},)."
            )
        values = values.astype(np.float32, copy=False)
        return replace(clip, measured=(*clip.measured, (self, values)))


def check_weight_op(op: WeightOp) -> None:
    """Raise an error that names an attribute of a filter which is missing or no use.

    Parameters
    ----------
    op : WeightOp

    Raises
    ------
    TypeError
        If `values_per_s` or `use_at_predict` is not defined.
    ValueError
        If blocks do not hold a whole number of values.
    """
    name = type(op).__name__
    wanted = "values_per_s", "use_at_predict"
    missing = [attribute for attribute in wanted if not hasattr(op, attribute)]
    if missing:
        raise TypeError(
            f"{name} has no {' and no '.join(missing)}. Define it in the class, as an "
            "attribute, a field or a property; help(skbird.data.WeightOp) says what it "
            "means."
        )
    n_values = _BLOCK_S * op.values_per_s
    if not n_values >= 1 or abs(n_values - round(n_values)) > 1e-6:
        raise ValueError(
            f"values_per_s={op.values_per_s:g} of {name} puts {n_values:g} values into "
            f"{_BLOCK_S} s. A whole number is needed, 1 or more, since long rows are "
            "measured in blocks: choose another, such as 1 or 100."
        )
