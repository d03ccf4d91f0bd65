from numbers import Integral

import numpy as np

from skbird.active._clusters import ClusterGains, cluster_rows
from skbird.active._distances import Distances
from skbird.active._query import Query
from skbird.utils._sklearn_compat import Interval

_MOST_COMPARED = 2000  # rows of a cluster


class TypiClustQuery(Query):
    """Choose the most typical row of each cluster: for the first few labels.

    There are as many clusters as labelled rows and rows to choose; those without labels
    come first, the largest before the others. A row is the more typical, the nearer
    its neighbours in the cluster are. It needs no model.

    Parameters
    ----------
    n_neighbors : int >= 1, default=20
        How many neighbours tell how typical a row is.
    max_clusters : int >= 1, default=500
    random_state : int, RandomState instance or None, default=None
        Of the clusters, and between rows that are worth the same.

    Notes
    -----
    Clusters as in `ClusterQuery`. Of a cluster of more than 2000 rows that many are
    drawn at random, and compared with each other only.

    References
    ----------
    Hacohen, Dekel and Weinshall (2022), "Active learning on a budget: opposite
    strategies suit high and low budgets", ICML.

    Examples
    --------
    >>> from skbird.active import TypiClustQuery
    >>> features = [[0, 0], [0, 1], [0, 2], [9, 9], [9, 8]]
    >>> query = TypiClustQuery(random_state=0)
    >>> sorted(query.select(2, features=features) > 2)
    [np.False_, np.True_]
    """

    needs = frozenset({"features"})
    _parameter_constraints: dict = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "max_clusters": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, *, n_neighbors=20, max_clusters=500, random_state=None):
        self.n_neighbors = n_neighbors
        self.max_clusters = max_clusters
        self.random_state = random_state

    def _gains(self, pool, n, rng):
        distances = Distances(pool.features)
        n_clusters = min(len(pool.labeled) + n, self.max_clusters)
        numbers = cluster_rows(distances, n_clusters, rng)
        inner = _Typicality(distances, numbers, self.n_neighbors, rng)
        return ClusterGains(numbers, pool.labeled, inner)


class _Typicality:
    """How near the neighbours of a row in its cluster are, for one cluster's rows."""

    def __init__(self, distances, numbers, n_neighbors, rng):
        self.distances = distances
        self.numbers = numbers
        self.n_neighbors = n_neighbors
        self.rng = rng

    def values(self, candidates):
        """Return the gain of each row, (n_rows,), where `candidates` is true."""
        rows = _some(np.flatnonzero(candidates), self.rng)
        cluster = np.flatnonzero(self.numbers == self.numbers[rows[0]])
        others = _some(cluster, self.rng)
        # A part of the cluster has its share of the neighbours.
        n_near = max(round(self.n_neighbors * len(others) / len(cluster)), 1)
        near = self._distances_to_nearest(rows, others, n_near)
        gains = np.full(len(candidates), -np.inf)
        gains[rows] = 1 / (near + 1e-5)
        return gains

    def _distances_to_nearest(self, rows, others, n_near):
        points, references = (self.distances.points(part) for part in (rows, others))
        squared = np.maximum(2 - 2 * points @ references.T, 0)
        squared[rows[:, None] == others] = np.inf  # itself
        n_near = min(n_near, len(others) - 1)
        if n_near < 1:
            return np.zeros(len(rows))
        near = np.partition(squared, n_near - 1, axis=1)[:, :n_near]
        near = np.where(np.isfinite(near), near, 4)
        return np.sqrt(near).mean(axis=1)

    def take(self, row):
        """Nothing changes: the next row is from another cluster."""


def _some(rows, rng):
    if len(rows) <= _MOST_COMPARED:
        return rows
    return rng.choice(rows, _MOST_COMPARED, replace=False)
