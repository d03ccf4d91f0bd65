"""Draws of the segments of rows, by their weights."""

import numpy as np


class SegmentDraws:
    """Draws segments of many rows at once.

    Parameters
    ----------
    bounds : ndarray of shape (n_rows + 1,), int
        The first segment of each row, and the end.
    weights : ndarray of shape (n_segments,)
        How often a segment is drawn, relative to the others of its row.
    """

    def __init__(self, bounds, weights):
        self._bounds = bounds
        self._weights = weights.astype(np.float64)
        total = self._sums(self._weights)
        share = self._weights / np.repeat(np.maximum(total, 1e-300), np.diff(bounds))
        # Row by row it rises by 1.
        self._cumulative = np.concatenate([[0.0], np.cumsum(share)])
        #: Segments of each row that weigh something.
        self.n_weighing = self._sums(self._weights > 0)

    def _sums(self, values):
        return np.diff(np.concatenate([[0], np.cumsum(values)])[self._bounds])

    def draw(self, rng, rows, n):
        """Draw segments of rows.

        Parameters
        ----------
        rng : numpy.random.RandomState
        rows : ndarray of int
            A row may come several times.
        n : int
            Segments of each row.

        Returns
        -------
        ndarray of shape (len(rows) * n,), int
            Row by row. A row's segments repeat only if it has too few.
        """
        if n == 1:
            return self._draw_with_repeats(rng, rows)
        drawn = np.empty((len(rows), n), int)
        few = self.n_weighing[rows] < n
        repeated = self._draw_with_repeats(rng, np.repeat(rows[few], n))
        drawn[few] = repeated.reshape(-1, n)
        drawn[~few] = self._draw_without_repeats(rng, rows[~few], n)
        return drawn.ravel()

    def _draw_with_repeats(self, rng, rows):
        start = self._cumulative[self._bounds[rows]]
        stop = self._cumulative[self._bounds[rows + 1]]
        level = start + rng.random_sample(len(rows)) * (stop - start)
        # Rounding must not lead out of the row.
        level = np.minimum(level, np.nextafter(stop, 0))
        return np.searchsorted(self._cumulative, level, side="right") - 1

    def _draw_without_repeats(self, rng, rows, n):
        # The first events of Poisson processes whose rates are the weights come in the
        # order of such draws, one after another.
        counts = self._bounds[rows + 1] - self._bounds[rows]
        place = np.repeat(np.arange(len(rows)), counts)
        starts = np.cumsum(counts) - counts
        segment = np.arange(len(place)) + np.repeat(self._bounds[rows] - starts, counts)
        with np.errstate(divide="ignore"):
            time = rng.standard_exponential(len(place)) / self._weights[segment]
        order = np.lexsort((time, place))
        return segment[order[starts[:, None] + np.arange(n)]]
