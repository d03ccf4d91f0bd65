"""Positions and weights of the segments of a row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from skbird.utils._params import POSITIVE, as_floats, check_list, check_params
from skbird.utils._sklearn_compat import Interval, StrOptions

if TYPE_CHECKING:
    from skbird.data._ops import WeightOp

_CONSTRAINTS = {
    "segment_s": [Interval(Real, 0, None, closed="left")],
    "overlap": [Interval(Real, 0, 1, closed="left")],
    "pad": [StrOptions({"cycle", "zero"})],
    "values_per_s": [POSITIVE],
}


@dataclass(frozen=True)
class SegmentGrid:
    """The rule by which a row is cut into segments of one length.

    Parameters
    ----------
    segment_s : float > 0, default=5.0
        Length of a segment in seconds.
    overlap : float in [0, 1), default=0.5
        Share of a segment that it has in common with the next one.
    pad : {"cycle", "zero"}, default="cycle"
        How a row shorter than a segment fills it: repeated, or followed by silence.

    Examples
    --------
    >>> from skbird.data import SegmentGrid
    >>> SegmentGrid(segment_s=5.0, overlap=0.5).starts(12.0)
    array([0. , 2.5, 5. , 7. ])
    """

    segment_s: float = 5.0
    overlap: float = 0.5
    pad: Literal["cycle", "zero"] = "cycle"

    # A rest this short, as a share of a segment, gets no segment of its own: 5.001 s
    # of audio are one segment, not two that are the same.
    _tolerance = 0.01

    def __post_init__(self):
        check_params("SegmentGrid", _CONSTRAINTS, **vars(self))

    def starts(self, duration_s: float) -> np.ndarray:
        """Return the starts of the segments, in seconds after the row's start.

        Parameters
        ----------
        duration_s : float
            Length of the row in seconds.

        Returns
        -------
        ndarray of shape (n_segments,), float64
            The last segment ends where the row ends, up to 1 % of a segment.
        """
        spare_s = duration_s - self.segment_s
        tolerance_s = self._tolerance * self.segment_s
        if spare_s <= tolerance_s:
            return np.zeros(1)
        step_s = self.segment_s * (1 - self.overlap)
        starts = np.arange(0, spare_s + 1e-9, step_s)
        if spare_s - starts[-1] > tolerance_s:
            starts = np.append(starts, spare_s)
        return starts


def segment_means(
    values: ArrayLike, values_per_s: float, starts: ArrayLike, segment_s: float
) -> np.ndarray:
    """Average a series over each segment.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Values measured at a constant rate from the start of the row.
    values_per_s : float
        Number of values per second.
    starts : ndarray of shape (n_segments,)
        Starts of the segments in seconds.
    segment_s : float
        Length of a segment in seconds.

    Returns
    -------
    ndarray of shape (n_segments,), float64

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.data import segment_means
    >>> segment_means(np.array([0.0, 0.0, 1.0, 1.0]), 1.0, np.array([0.0, 1.0]), 2.0)
    array([0. , 0.5])
    """
    values, starts = as_floats(values, "values"), as_floats(starts, "starts")
    if values.ndim != 1 or starts.ndim != 1 or not len(values):
        raise ValueError(
            f"values has shape {values.shape} and starts {starts.shape}; a series, and "
            "a start per segment, are needed."
        )
    check_params(
        "segment_means", _CONSTRAINTS, values_per_s=values_per_s, segment_s=segment_s
    )
    n_values = len(values)
    first = np.clip(np.round(starts * values_per_s), 0, n_values - 1).astype(int)
    stop = np.round((starts + segment_s) * values_per_s)
    stop = np.clip(stop, first + 1, n_values).astype(int)
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    return (total[stop] - total[first]) / (stop - first)


def row_weights(
    measured: Sequence[tuple["WeightOp", np.ndarray]],
    starts: ArrayLike,
    segment_s: float,
    row: Mapping,
) -> np.ndarray:
    """Multiply the weights that several filters give to the segments of a row.

    A row always keeps at least its best segment: where the product is zero throughout,
    the segment of the highest quality gets weight 1.

    Parameters
    ----------
    measured : sequence of (WeightOp, ndarray)
        The filters and the series each of them measured.
    starts : ndarray of shape (n_segments,)
        Starts of the segments in seconds.
    segment_s : float
        Length of a segment in seconds.
    row : Mapping
        The row of the table, for filters that look at its metadata.

    Returns
    -------
    ndarray of shape (n_segments,), float32
        In [0, 1].

    Raises
    ------
    ValueError
        If a filter judges other than by two arrays (n_segments,) without NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.data import row_weights
    >>> row_weights([], np.array([0.0, 2.5]), 5.0, {"path": "frog.wav"})
    array([1., 1.], dtype=float32)
    """
    pairs = "pairs (WeightOp, ndarray)"
    measured = check_list(measured, "measured", pairs)
    if not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in measured):
        raise TypeError(f"measured={measured!r:.100} must hold {pairs}.")
    starts = as_floats(starts, "starts")
    if starts.ndim != 1 or not len(starts):
        raise ValueError(
            f"starts has shape {starts.shape}; (n_segments,), one or more, is needed."
        )
    weight = np.ones(len(starts), np.float32)
    quality = np.ones(len(starts))
    for op, values in measured:
        op_weight, op_quality = _judged(op, values, starts, segment_s, row)
        weight *= op_weight
        quality *= op_quality
    if not weight.any():
        weight[np.argmax(quality)] = 1.0
    return weight


def _judged(op, values, starts, segment_s, row):
    """Return the weights and qualities that a filter gives to segments."""
    judged = op.judge(values, starts, segment_s, row)
    problem = _problem(judged, starts.shape)
    if problem is not None:
        raise ValueError(
            f"judge of {type(op).__name__} returned {problem}, for the row of "
            f"{row.get('path', 'a clip')} that starts at {row.get('start', 0.0):g} s. "
            f"It must return two arrays of shape {starts.shape} without NaN: the "
            "weight and the quality of each segment."
        )
    return judged


def _problem(judged, shape):
    """Say what is wrong with what a filter judged, or return None."""
    if not isinstance(judged, tuple | list) or len(judged) != 2:
        return f"{judged!r:.100}"
    for name, given in zip(("weights", "qualities"), judged, strict=True):
        if np.shape(given) != shape:
            return f"{name} of shape {np.shape(given)}"
        bad = np.flatnonzero(np.isnan(given))
        if len(bad):
            return f"NaN among the {name}, the first for segment {bad[0]}"
    return None
