"""Standardized windows of rows, in memory or read batch by batch."""

import numpy as np

_IN_MEMORY = 1 << 30  # bytes of windows that are kept; more are read again each time
_BATCH = 1 << 26  # bytes of windows that are worked on at once


class MatrixRows:
    """A matrix, as `Windows` of one window a row.

    Parameters
    ----------
    matrix : ndarray of shape (n_rows, n_values), float32
    """

    def __init__(self, matrix):
        self.matrix = matrix
        self.n_values = matrix.shape[1]
        self.n_windows = np.ones(len(matrix), np.int64)

    def __len__(self):
        return len(self.matrix)

    def weights_of(self, row):
        """Return the weight of a row's window: 1."""
        return np.ones(1, np.float32)

    def stacked(self, rows):
        """Return the values, bounds and weights of rows."""
        ones = np.ones(len(rows), np.float32)
        return self.matrix[rows], np.arange(len(rows) + 1), ones


class WindowBatches:
    """Standardized windows of some rows, to be multiplied by coefficients.

    Parameters
    ----------
    windows : Windows or MatrixRows
    rows : ndarray of int, shape (n_rows,)
        Numbers of rows that have windows.
    mean, scale : ndarray of shape (n_values,), float32
        What is taken off the values, and what they are divided by then.

    Attributes
    ----------
    bounds : ndarray of shape (n_rows + 1,), int
        Windows ``bounds[k]`` to ``bounds[k + 1]`` are those of the k-th row. Windows of
        weight 0 are left out.
    weights : ndarray of shape (n_windows,), float32
        Of windows; in each row 1 in all.
    """

    def __init__(self, windows, rows, mean=0.0, scale=1.0):
        self._windows, self._rows = windows, rows
        self.mean, self.scale = mean, scale
        of_rows = [windows.weights_of(row) for row in rows]
        of_rows = [weights[weights > 0] / weights.sum() for weights in of_rows]
        self.weights = np.concatenate([*of_rows, np.empty(0, np.float32)])
        self.bounds = np.cumsum([0, *map(len, of_rows)])
        self._slices = row_slices(windows.n_windows[rows], windows.n_values)
        self._most_kept = _IN_MEMORY // (4 * max(1, windows.n_values))
        self._kept, self._is_standardized = None, False

    def is_finite(self):
        """Return which rows hold no NaN or infinity, nor what becomes it squared."""
        sums = [np.einsum("ij,ij->i", v, v) for _, v in self._raw()]
        finite = np.isfinite(np.concatenate([*sums, np.empty(0)]))
        if not len(self._rows):
            return np.empty(0, bool)
        return np.logical_and.reduceat(finite, self.bounds[:-1])

    def standardize(self, row_weights):
        """Let the windows have mean 0 and standard deviation 1.

        Parameters
        ----------
        row_weights : ndarray of shape (n_rows,)
            How much each row counts for both.
        """
        weights = self.weights * np.repeat(row_weights, np.diff(self.bounds))
        weights = (weights / weights.sum()).astype(np.float32)
        self.mean = sum(weights[part] @ values for part, values in self._raw())
        variance = sum(
            weights[part] @ (values - self.mean) ** 2 for part, values in self._raw()
        )
        scale = np.sqrt(variance)
        # What only rounding tells apart does not vary.
        scale[scale <= 1e-6 * np.abs(self.mean)] = 1
        self.scale = scale
        if self._kept is not None:
            for _, values in self._kept:
                values -= self.mean
                values /= self.scale
            self._is_standardized = True

    def forward(self, coef):
        """Return the scores of windows.

        Parameters
        ----------
        coef : ndarray of shape (n_parts, n_values + 1, n_species), float32
            The last value is the constant 1.

        Returns
        -------
        ndarray of shape (n_parts, n_windows, n_species), float32
        """
        scores = np.empty((len(coef), len(self.weights), coef.shape[-1]), np.float32)
        for part, values in self:
            for of_part, own in zip(scores, coef, strict=True):
                np.matmul(values, own[:-1], out=of_part[part])
                of_part[part] += own[-1]
        return scores

    def adjoint(self, gradient):
        """Return the gradient by coefficients, from that by the scores."""
        shape = len(gradient), self._windows.n_values + 1, gradient.shape[-1]
        by_coef = np.zeros(shape, np.float32)
        for part, values in self:
            for of_part, own in zip(gradient, by_coef, strict=True):
                own[:-1] += values.T @ of_part[part]
        by_coef[:, -1] = gradient.sum(axis=1, dtype=np.float64)
        return by_coef

    def __iter__(self):
        """Yield slices of windows, and their standardized values."""
        if self._is_standardized:
            yield from self._kept
            return
        for part, values in self._raw():
            yield part, (values - self.mean) / self.scale

    def _raw(self):
        if self._kept is None and len(self.weights) <= self._most_kept:
            self._kept = list(self._read())
        yield from self._read() if self._kept is None else self._kept

    def _read(self):
        for rows in self._slices:
            values, _, weights = self._windows.stacked(self._rows[rows])
            values = values if weights.all() else values[weights > 0]
            yield slice(self.bounds[rows.start], self.bounds[rows.stop]), values


def row_slices(n_windows, n_values):
    """Cut rows into slices whose windows take no more than a batch, or are one row's.

    Parameters
    ----------
    n_windows : ndarray of int, shape (n_rows,)
    n_values : int

    Returns
    -------
    list of slice
    """
    most = max(1, _BATCH // (4 * max(1, n_values)))
    slices, first, total = [], 0, 0
    for row, n in enumerate(n_windows):
        if total and total + n > most:
            slices.append(slice(first, row))
            first, total = row, 0
        total += n
    if first < len(n_windows):
        slices.append(slice(first, len(n_windows)))
    return slices
