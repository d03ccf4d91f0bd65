"""Clusters of the pool, and which of them is to be asked next."""

import warnings

import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning

_MOST_SAMPLED = 20_000  # rows from which the centers are learnt
_FEW = 2000  # rows for which full k-means is quick
_SMALL = 5  # rows; smaller clusters are asked last, as in TypiClust


def cluster_rows(distances, n_clusters, rng):
    """Give each row the number of its cluster.

    Parameters
    ----------
    distances : Distances
    n_clusters : int
    rng : RandomState

    Returns
    -------
    ndarray of int, shape (n_rows,)
        -1 for rows that are not finite.
    """
    rows = np.flatnonzero(distances.is_finite)
    n_clusters = min(n_clusters, len(rows))
    if n_clusters == 0:
        return np.full(len(distances.features), -1)
    if len(rows) > _MOST_SAMPLED:
        rows = rng.choice(rows, _MOST_SAMPLED, replace=False)
    seed = rng.randint(2**31 - 1)
    if len(rows) <= _FEW:
        model = KMeans(n_clusters, n_init=1, random_state=seed)
    else:
        model = MiniBatchKMeans(
            n_clusters, n_init=1, batch_size=4096, max_iter=10, random_state=seed
        )
    with warnings.catch_warnings():  # of rows that are alike, fewer clusters are found
        warnings.simplefilter("ignore", ConvergenceWarning)
        centers = model.fit(distances.points(rows)).cluster_centers_
    numbers = _nearest(distances, centers)
    return np.where(distances.is_finite, numbers, -1)


def _nearest(distances, centers):
    """Assign rows to centers, which are not of length one."""
    squares = (centers**2).sum(axis=1)
    numbers = np.empty(len(distances.features), np.int64)
    for squared, rows in distances.blocks_to(centers):
        # As if the centers were of length one; theirs makes the difference.
        squared += squares
        numbers[rows] = squared.argmin(axis=1)
    return numbers


class ClusterGains:
    """Gains within one cluster at a time.

    Next is the cluster with the fewest labelled rows, of those the largest one.

    Parameters
    ----------
    numbers : ndarray of int, shape (n_rows,)
        The cluster of each row.
    labeled : ndarray of int
        Rows with labels.
    inner : object with ``values(candidates)`` and ``take(row)``
        The gains in a cluster.
    """

    def __init__(self, numbers, labeled, inner):
        self.numbers = numbers
        self.inner = inner
        n_clusters = numbers.max() + 1
        self.size = np.bincount(numbers[numbers >= 0], minlength=n_clusters)
        covered = numbers[labeled]
        self.n_labeled = np.bincount(covered[covered >= 0], minlength=n_clusters)

    def values(self, candidates):
        """Return the gain of each row, (n_rows,); -inf outside the next cluster."""
        inside = candidates & (self.numbers >= 0)
        has_rows = np.bincount(self.numbers[inside], minlength=len(self.size)) > 0
        keys = -self.size, self.n_labeled, self.size < _SMALL, ~has_rows
        cluster = np.lexsort(keys)[0]
        rows = inside & (self.numbers == cluster)
        return np.where(rows, self.inner.values(rows), -np.inf)

    def take(self, row):
        """Count the chosen row as labelled."""
        self.n_labeled[self.numbers[row]] += 1
        self.inner.take(row)
