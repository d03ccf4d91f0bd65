"""Distances between rows of a large table, in blocks, without a copy of it."""

import numpy as np
from sklearn.decomposition import PCA

_BLOCK = 8192  # rows; of 1024 values 32 MB
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

    def _blocks(self):
        for start in range(0, len(self.features), _BLOCK):
            rows = slice(start, start + _BLOCK)
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
        rows : slice
        """
        scaled = (points / self.scale).astype(np.float32).T
        shift = self.mean @ scaled
        for block, rows in self._blocks():
            cosine = (block @ scaled - shift) / self.length[rows, None]
            yield np.maximum(2 - 2 * cosine, 0), rows

    def to_nearest(self, points):
        """Return the squared distance of each row to the nearest point, (n_rows,)."""
        nearest = np.empty(len(self.features), np.float32)
        for squared, rows in self.blocks_to(points):
            nearest[rows] = squared.min(axis=1)
        return np.where(self.is_finite, nearest, 4)
