"""The measurements of a filter in a row, and the limit it compares them with."""

from dataclasses import dataclass

import numpy as np

from skbird.preprocessing import RMSOp, VADOp


@dataclass(frozen=True)
class FilterTrace:
    """The measurements of a filter in a row, and the limit it compares them with.

    Parameters
    ----------
    name : str
        Name of what the filter measured, with its unit.
    values : ndarray of shape (n_values,)
        The series.
    values_per_s : float
    limit : float or None
        Limit that the series, or the levels of the segments, are compared with.
    weights : ndarray of shape (n_segments,)
        Weights that this filter alone gives to the segments.
    levels : ndarray of shape (n_segments,), default=None
        Measurement of each segment as a whole.
    limit_name : str, default="threshold"
    """

    name: str
    values: np.ndarray
    values_per_s: float
    limit: float | None
    weights: np.ndarray
    levels: np.ndarray | None = None
    limit_name: str = "threshold"


def trace(op, values, starts, segment_s, row):
    """Return the `FilterTrace` of what a filter measured of a row.

    Parameters
    ----------
    op : WeightOp
    values : ndarray of shape (n_values,)
        What it measured.
    starts : ndarray of shape (n_segments,)
        In seconds after the start of the row.
    segment_s : float
    row : Mapping
        The row of the table.

    Returns
    -------
    FilterTrace
    """
    weights, _ = op.judge(values, starts, segment_s, row)
    if isinstance(op, VADOp):
        limit = op.threshold_of(row)
        return FilterTrace(
            "P(speech)", values, op.values_per_s, limit, np.asarray(weights)
        )
    if isinstance(op, RMSOp):
        levels = op.levels(values, starts, segment_s)
        is_loudest = op.limit is None and op.mode == "weight"
        return FilterTrace(
            "level (dBFS)",
            _decibel(np.sqrt(values)),
            op.values_per_s,
            float(_decibel(op.limit_of(levels))),
            np.asarray(weights),
            _decibel(levels),
            "loudest segment" if is_loudest else "threshold",
        )
    name = type(op).__name__.removesuffix("Op")
    return FilterTrace(name, values, op.values_per_s, None, np.asarray(weights))


def _decibel(amplitude):
    return 20 * np.log10(np.maximum(amplitude, 1e-6))
