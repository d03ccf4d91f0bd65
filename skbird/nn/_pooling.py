"""From what segments say to what their rows say."""

import numpy as np

POOLINGS = ("max", "mean", "lse")


def pool_rows(values, rows, n_rows, pooling):
    """Pool what the segments say to what their rows say.

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
    present, first, counts = np.unique(rows, return_index=True, return_counts=True)
    if len(present) == 0:
        return pooled
    if pooling == "max":
        pooled[present] = np.maximum.reduceat(values, first)
    elif pooling == "mean":
        pooled[present] = np.add.reduceat(values, first) / counts[:, None]
    else:
        total = np.logaddexp.reduceat(values, first)
        pooled[present] = total - np.log(counts)[:, None]
    return pooled
