"""Find the stretches of two tables that overlap in time."""

import numpy as np
import pandas as pd


def overlapping_pairs(boxes, rows, by=("path",)):
    """Find all pairs of a box and a row of one recording that touch or overlap.

    Parameters
    ----------
    boxes, rows : DataFrame
        ``path``, ``start`` and ``end`` in seconds; in any order, and overlapping each
        other or not.
    by : sequence of str, default=("path",)
        Columns that are the same in both of a pair.

    Returns
    -------
    box, row : ndarray of shape (n_pairs,), int
        Positions, ascending by box.
    shared_s : ndarray of shape (n_pairs,)
        Seconds that the two have in common; 0 if they only touch.
    """
    n_boxes = len(boxes)
    both = pd.concat([boxes[[*by]], rows[[*by]]], ignore_index=True)
    recording = both.groupby([*by], sort=False).ngroup().to_numpy()
    starts, ends = (
        np.concatenate([boxes[name].to_numpy(), rows[name].to_numpy()])
        for name in ("start", "end")
    )
    # Whole numbers that order all by recording and time, exactly.
    times, rank = np.unique(np.concatenate([starts, ends]), return_inverse=True)
    start, end = (recording * len(times) + part for part in np.split(rank, 2))
    order = n_boxes + np.argsort(start[n_boxes:], kind="stable")
    # Ends of rows need not ascend with their starts, their maximum so far does.
    latest_end = np.maximum.accumulate(end[order])
    first = np.searchsorted(latest_end, start[:n_boxes], side="left")
    stop = np.searchsorted(start[order], end[:n_boxes], side="right")
    n_candidates = np.maximum(stop - first, 0)
    box = np.repeat(np.arange(n_boxes), n_candidates)
    nth = np.arange(len(box)) - np.repeat(
        np.cumsum(n_candidates) - n_candidates, n_candidates
    )
    candidate = order[first[box] + nth]
    touches = end[candidate] >= start[box]
    box, candidate = box[touches], candidate[touches]
    shared_s = np.minimum(ends[box], ends[candidate])
    shared_s -= np.maximum(starts[box], starts[candidate])
    return box, candidate - n_boxes, shared_s
