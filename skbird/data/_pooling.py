"""Combine the logits of segments into the logits of their rows."""

import numpy as np

from skbird.data._joined import shifted_reads
from skbird.utils._params import as_floats

POOLINGS = ("max", "mean", "lse")
# A model file holds no more: each is a pass of the network.
_MOST_SHIFTS, _LONGEST_SHIFT_S = 20, 600


def pool_rows(values, rows, n_rows, pooling):
    """Combine the values of each row's segments into one value per species.

    Parameters
    ----------
    values : ndarray of shape (n_segments, n_outputs)
        Logits, or features.
    rows : ndarray of shape (n_segments,), int
        Row of each segment, ascending.
    n_rows : int
        Number of rows.
    pooling : {"max", "mean", "lse"}
        The highest value; the mean; or log(mean(exp(value))), between the two.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs), float32
        NaN where a row has no segment.
    """
    pooled = np.full((n_rows, values.shape[1]), np.nan, np.float32)
    # `reduceat` adds up what lies between two starts: rows without segments, which
    # have no start, must not be in the list.
    present, first, counts = np.unique(rows, return_index=True, return_counts=True)
    if len(present) == 0:
        return pooled
    # `rows` ascend, so that the segments of a row are neighbours, from `first` on.
    if pooling == "max":
        pooled[present] = np.maximum.reduceat(values, first)
    elif pooling == "mean":
        pooled[present] = np.add.reduceat(values, first) / counts[:, None]
    else:
        # log(mean(exp)) follows the highest logit, as "max" does, but every segment
        # has a say (and a gradient): a call in two of ten segments counts for more
        # than one in one of ten. Added up in logs, since exp(89) overflows float32.
        total = np.logaddexp.reduceat(values, first)
        pooled[present] = total - np.log(counts)[:, None]
    return pooled


def check_shifts(shifts_s):
    """Refuse test-time shifts that `score_rows` cannot use.

    Parameters
    ----------
    shifts_s : array-like
        Seconds.

    Raises
    ------
    ValueError
        If they are not at most 20 numbers in [-600, 600].
    """
    values = as_floats(shifts_s, "tta_shifts_s", dtype=np.float64)
    if values.ndim != 1 or len(values) > _MOST_SHIFTS or isinstance(shifts_s, str):
        raise ValueError(
            f"tta_shifts_s={shifts_s!r:.100} must be a list of at most "
            f"{_MOST_SHIFTS} numbers: each is a pass of the network."
        )
    wrong = values[~(np.abs(values) <= _LONGEST_SHIFT_S)]  # also NaN
    if len(wrong):
        raise ValueError(
            f"tta_shifts_s has {wrong[0]:g}; each must be a number of seconds in "
            f"[-{_LONGEST_SHIFT_S}, {_LONGEST_SHIFT_S}]."
        )


def score_rows(X, map_segments, *, pooling, shifts_s=()):
    """Score rows by the network's logits of their segments.

    Parameters
    ----------
    X : Spectrograms
    map_segments : callable
        ``map_segments(X, read)`` gives the logits (n_segments, n_species) of segments
        read by ``read(numbers)``; None reads them where they are.
    pooling : {"max", "mean", "lse"}
    shifts_s : sequence of float
        Logits are averaged with those of segments shifted by these seconds.

    Returns
    -------
    ndarray of shape (n_rows, n_species), float32
        Logits; NaN for rows that could not be read.
    """
    # Shifted segments are averaged before the pooling, each with itself: the maximum
    # would else take the luckiest shift.
    logits = map_segments(X, None)
    for read in shifted_reads(X, shifts_s):
        logits = logits + map_segments(X, read)
    logits = logits / (1 + len(shifts_s))
    # Filters with use_at_predict=True leave segments out; by default all are used.
    used = X.segment_predict_weights > 0
    return pool_rows(logits[used], X.segment_rows[used], len(X), pooling)
