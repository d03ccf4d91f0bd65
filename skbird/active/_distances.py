"""Distances between rows of a large table, in blocks, without a copy of it."""

import numpy as np
from sklearn.decomposition import PCA

_BLOCK = 8192  # rows; of 1024 values 32 MB
_POINTS = 1024  # of the rows with labels, at a time
_PRODUCTS = 2**20  # at a time, 4 MB, which caches hold
_MOST_SAMPLED = 20_000  # rows from which components are learnt


class Distances:
    """Squared distances between rows that are standardized and of length one.

    Squared, as they are cheaper; of vectors of length one they are 2 - 2 cosine. The
    table stays as it is: what standardizes and shortens is applied to one side.

    Parameters
    ----------
    features : ndarray of float32, shape (n_rows, n_features)
        Rows that are not finite are as far from all others as can be.
    """

    def __init__(self, features):
        self.features = features
        self.is_finite = np.empty(len(features), bool)
        total, squares = np.zeros((2, features.shape[1]))
        for block, rows in self._blocks():
            finite = np.isfinite(block).all(axis=1)
            self.is_finite[rows] = finite
            block = block[finite].astype(np.float64)
            total += block.sum(axis=0)
            squares += (block**2).sum(axis=0)
        n_rows = max(self.is_finite.sum(), 1)
        self.mean = total / n_rows
        variance = np.maximum(squares / n_rows - self.mean**2, 0)
        is_constant = variance <= 1e-12 * np.maximum(self.mean**2, 1e-12)
        self.scale = np.where(is_constant, 1, np.sqrt(variance)).astype(np.float32)
        self.mean = self.mean.astype(np.float32)
        self.length = np.empty(len(features), np.float32)
        for block, rows in self._blocks():
            standard = (block - self.mean) / self.scale
            self.length[rows] = np.linalg.norm(standard, axis=1)
        self.length = np.maximum(np.nan_to_num(self.length), 1e-9)

    def _blocks(self, n_rows=_BLOCK):
        for start in range(0, len(self.features), n_rows):
            rows = slice(start, start + n_rows)
            yield self.features[rows], rows

    def points(self, rows):
        """Return the rows standardized and of length one, (n, n_features)."""
        points = (self.features[rows] - self.mean) / self.scale
        return np.nan_to_num(points / self.length[rows, None])

    def whitened(self, n_components, rng):
        """Return distances of the rows' principal components, all of variance one.

        Parameters
        ----------
        n_components : int
            At most; what the largest are is learnt from 20,000 rows.
        rng : RandomState

        Returns
        -------
        Distances
        """
        rows = np.flatnonzero(self.is_finite)
        if len(rows) > _MOST_SAMPLED:
            rows = rng.choice(rows, _MOST_SAMPLED, replace=False)
        n_components = min(n_components, len(rows), self.features.shape[1])
        seed = rng.randint(2**31 - 1)
        model = PCA(n_components, whiten=True, random_state=seed)
        model.fit((self.features[rows] - self.mean) / self.scale)
        table = np.full((len(self.features), n_components), np.nan, np.float32)
        for block, rows in self._blocks():
            finite = self.is_finite[rows]
            standard = (block[finite] - self.mean) / self.scale
            table[rows][finite] = model.transform(standard)
        return Distances(table)

    def blocks_to(self, points):
        """Yield the squared distances to points, and the rows, block by block.

        Parameters
        ----------
        points : ndarray of shape (n_points, n_features)
            Of length one, as `points` gives them.

        Yields
        ------
        squared : ndarray of float32, shape (n_block, n_points)
            The caller's own, to work on.
        rows : slice
        """
        for product, rows in self._products(points):
            product /= self.length[rows, None]
            yield _squared(product), rows

    def _products(self, points):
        """Yield the cosines of rows and points, times the length of the rows."""
        scaled = (points / self.scale).astype(np.float32).T
        shift = self.mean @ scaled
        n_rows = min(max(_PRODUCTS // len(points), 1), _BLOCK)
        for block, rows in self._blocks(n_rows):
            product = block @ scaled
            product -= shift
            yield product, rows

    def to_nearest(self, points):
        """Return the squared distance of each row to the nearest point, (n_rows,)."""
        nearest = np.empty(len(self.features), np.float32)
        for product, rows in self._products(points):
            nearest[rows] = product.max(axis=1)
        nearest /= self.length
        return np.where(self.is_finite, _squared(nearest), 4)

    def to_nearest_row(self, rows):
        """Return the squared distance of each row to the nearest of some, (n_rows,).

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
            At least one. However many, they take the memory of 1024.
        """
        nearest = np.full(len(self.features), np.inf, np.float32)
        for start in range(0, len(rows), _POINTS):
            part = self.to_nearest(self.points(rows[start : start + _POINTS]))
            np.minimum(nearest, part, out=nearest)
        return nearest


def _squared(cosine):
    """Return the squared distances of vectors of length one, in place."""
    cosine *= -2
    cosine += 2
    return np.maximum(cosine, 0, out=cosine)
