"""Rows that an encoder finds alike: copies that were cut, compressed or made noisy."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from skbird.utils._params import as_floats
from skbird.utils._text import counted

#: From which similarity on rows are copies, of windows and of one vector for each row.
MIN_SIMILARITY = {"windows": 0.9, "matrix": 0.95}

_BLOCK = 2048  # windows that are multiplied by as many others at once
_MOST = 100  # pairs of a row with those of one block: silence is like all silence


class Pairs(NamedTuple):
    """Pairs of rows that are alike."""

    first: np.ndarray  # (n_pairs,) int: row numbers, below those of `second`
    second: np.ndarray
    similarity: np.ndarray  # (n_pairs,) float32: from the threshold to 1

    def between(self, train, test):
        """Return the pairs of a training and a test row, with their similarity.

        Parameters
        ----------
        train, test : ndarray of int
            Numbers of rows.

        Returns
        -------
        DataFrame
            ``test_row``, ``train_row``, ``similarity``.
        """
        both = pd.DataFrame(
            {
                "test_row": np.concatenate([self.first, self.second]),
                "train_row": np.concatenate([self.second, self.first]),
                "similarity": np.tile(self.similarity, 2),
            }
        )
        return both[both["test_row"].isin(test) & both["train_row"].isin(train)]


def check_embeddings(embeddings, n_rows):
    """Return embeddings that fit the rows: `Windows` as they are, others as a matrix.

    Raises
    ------
    ValueError
        If they are not (n_rows, n_features), nor the windows of as many rows.
    """
    if is_windows(embeddings):
        if len(embeddings) != n_rows:
            raise ValueError(
                f"embeddings has the windows of {counted(len(embeddings), 'row')}, and "
                f"X has {n_rows}."
            )
        return embeddings
    matrix = as_floats(embeddings, "embeddings", np.float32)
    if matrix.ndim != 2 or len(matrix) != n_rows:
        raise ValueError(
            f"embeddings has shape {matrix.shape}; (n_rows, n_features) is needed, "
            f"with n_rows={n_rows} as X has, or Windows."
        )
    return matrix


def is_windows(embeddings):
    """Return whether these are windows of rows and not one vector for each."""
    return hasattr(embeddings, "n_windows") and hasattr(embeddings, "stacked")


def alike(embeddings, min_similarity):
    """Find pairs of rows that are alike.

    The shorter of two rows is compared window by window: each must be like some window
    of the other. Their similarity is that of the window which is least so.

    Parameters
    ----------
    embeddings : ndarray of shape (n_rows, n_features), or Windows
        Rows with NaN, and those without windows, are like nothing.
    min_similarity : float
        Lowest cosine similarity of a pair.

    Returns
    -------
    Pairs
    """
    blocks = _blocks(embeddings)
    found = []
    for number, rows in enumerate(blocks):
        units, starts = _units(embeddings, rows)
        for others in blocks[number:]:
            similarity = _similarity(units, starts, *_units(embeddings, others))
            wanted = similarity >= min_similarity
            if others is rows:
                wanted = np.triu(wanted, 1)
            first, second = np.nonzero(_few(wanted, similarity))
            found.append((rows[first], others[second], similarity[first, second]))
    parts = zip(*found, strict=True) if found else [[np.empty(0, int)]] * 3
    return Pairs(*map(np.concatenate, parts))


def _blocks(embeddings):
    """Share out the rows that have windows, some windows to a block."""
    if is_windows(embeddings):
        counts = np.asarray(embeddings.n_windows)
    else:
        counts = np.isfinite(embeddings).all(axis=1).astype(int)
    rows = np.flatnonzero(counts)
    number = (np.cumsum(counts[rows]) - 1) // _BLOCK
    return np.split(rows, np.flatnonzero(np.diff(number)) + 1) if len(rows) else []


def _units(embeddings, rows):
    """Return windows of length 1, and at which of them each row begins."""
    if is_windows(embeddings):
        values, bounds, _ = embeddings.stacked(rows)
        starts = bounds[:-1]
    else:
        values, starts = embeddings[rows], np.arange(len(rows))
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.maximum(lengths, np.finfo(np.float32).tiny), starts


def _similarity(units, starts, others, other_starts):
    """Return the similarity of each row with each other one, (n_rows, n_others)."""
    if len(units) * len(others) > 2 * _BLOCK**2:  # a row of many hours
        there = _held(units, starts, others, other_starts)
        return np.maximum(there, _held(others, other_starts, units, starts).T)
    cosine = units @ others.T
    best = np.maximum.reduceat(cosine, other_starts, axis=1)
    held = np.minimum.reduceat(best, starts, axis=0)  # by the other row
    best = np.maximum.reduceat(cosine, starts, axis=0)
    return np.maximum(held, np.minimum.reduceat(best, other_starts, axis=1))


def _held(units, starts, others, other_starts):
    """Return how well other rows hold each row, with few windows in memory at once."""
    n = max(1, _BLOCK**2 // len(others))
    parts = [
        np.maximum.reduceat(units[first : first + n] @ others.T, other_starts, axis=1)
        for first in range(0, len(units), n)
    ]
    return np.minimum.reduceat(np.concatenate(parts), starts, axis=0)


def _few(wanted, similarity):
    """Leave out all but the most similar if a row has very many."""
    if wanted.sum() <= _MOST * sum(wanted.shape):
        return wanted
    similarity = np.where(wanted, similarity, -1)
    kept = np.zeros_like(wanted)
    for axis, n in enumerate(wanted.shape):
        best = np.argpartition(-similarity, min(_MOST, n - 1), axis=axis)
        np.put_along_axis(kept, best.take(range(min(_MOST, n)), axis), True, axis)
    return wanted & kept
