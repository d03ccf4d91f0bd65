"""Scores of rows from the network's logits at each moment of a longer sound."""

import numpy as np

from skbird.data._joined import join_rows
from skbird.data._pooling import pool_rows

# A few recordings at a time: all steps of all of them would need gigabytes.
_RUNS_AT_A_TIME = 256


def score_rows_by_moments(X, map_steps, n_species, pooling):
    """Score rows by averaging overlapping segments moment by moment.

    Parameters
    ----------
    X : Spectrograms
    map_steps : callable
        ``map_steps(X)`` gives the logits (n_segments, n_species, n_steps) of segments.
    n_species : int
    pooling : {"max", "mean", "lse"}
        How the logits of a row's moments become one: their highest, mean or
        log-mean-exp.

    Returns
    -------
    ndarray of shape (n_rows, n_species), float32
        Logits; NaN for rows that could not be read.
    """
    joined, run, offset = join_rows(X)
    logits = np.full((len(X), n_species), np.nan, np.float32)
    for first in range(0, len(joined), _RUNS_AT_A_TIME):
        part = joined[first : first + _RUNS_AT_A_TIME]
        rows = np.flatnonzero((run >= first) & (run < first + len(part)))
        logits[rows] = pool_moments(
            map_steps(part),
            part,
            run[rows] - first,
            offset[rows],
            X.n_frames[rows],
            pooling,
        )
    return logits


def pool_moments(step_logits, joined, run, first_frames, n_frames, pooling):
    """Average overlapping segments moment by moment, then pool over each row.

    Parameters
    ----------
    step_logits : ndarray of shape (n_segments, n_species, n_steps)
        What the network says of each step of each segment of `joined`.
    joined : Spectrograms
        Runs of rows (see :func:`skbird.data._joined.join_rows`).
    run, first_frames, n_frames : ndarray of shape (n_rows,), int
        The run that holds each row (-1: none), where it begins in it, its length.
    pooling : {"max", "mean", "lse"}
        How the logits of a row's moments become one: their highest, mean or
        log-mean-exp.

    Returns
    -------
    ndarray of shape (n_rows, n_species), float32
        Logits; NaN for rows without frames.
    """
    n_species, n_steps = step_logits.shape[1:]
    # A step is what the network's last feature map keeps of time, some 30 frames; its
    # edges need not be those of rows, nor of the steps of the next segment. So a moment
    # is a step long, and both steps and rows are matched with moments by their middles.
    frames_per_step = joined.format.frames_per_segment / n_steps
    starts = joined.segment_starts / joined.format.frame_s
    segment_bounds = np.searchsorted(joined.segment_rows, np.arange(len(joined) + 1))
    order = np.argsort(run, kind="stable")
    row_bounds = np.searchsorted(run[order], np.arange(len(joined) + 1))
    pooled = np.full((len(run), n_species), np.nan, np.float32)
    for number in range(len(joined)):
        of_run = slice(*segment_bounds[number : number + 2])
        moments = _average(step_logits[of_run], starts[of_run] / frames_per_step)
        for row in order[slice(*row_bounds[number : number + 2])]:
            # The moments whose middle lies in the row; one at least. Moment m has its
            # middle at m + 1/2 steps, hence the rounding.
            edges = first_frames[row], first_frames[row] + n_frames[row] - 1
            begin, end = np.ceil(np.array(edges) / frames_per_step - 0.5).astype(int)
            begin = min(begin, len(moments) - 1)
            part = moments[begin : max(end, begin + 1)]
            pooled[row] = pool_rows(part, np.zeros(len(part), int), 1, pooling)[0]
    return pooled


def _average(step_logits, first_steps):
    """Average the logits of one run's segments by moment: (n_moments, n_species).

    Moments are as long as steps; a step counts for the moment its middle lies in.
    """
    n_species, n_steps = step_logits.shape[1:]
    moment = (first_steps[:, None] + np.arange(n_steps) + 0.5).astype(int)
    total = np.zeros((moment.max() + 1, n_species))
    count = np.zeros(len(total))
    np.add.at(total, moment, step_logits.transpose(0, 2, 1))
    np.add.at(count, moment, 1)
    # The last segment is shifted to end where the run ends, so that its steps may lie
    # between moments and leave one without any: it takes the values of the next one.
    covered = np.flatnonzero(count)
    nearest = covered[
        np.searchsorted(covered, np.arange(len(count))).clip(max=len(covered) - 1)
    ]
    return total[nearest] / count[nearest, None]
