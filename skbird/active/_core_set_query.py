from numbers import Integral

import numpy as np

from skbird.active._distances import Distances
from skbird.active._query import Query
from skbird.utils._sklearn_compat import Interval


class CoreSetQuery(Query):
    """Choose rows that are unlike all that are labelled, and unlike each other.

    Each time the row that is farthest from the nearest one with a label: the greedy
    solution of k-center. It needs no model.

    Parameters
    ----------
    query : Query, default=None
        Multiplies the distances with its gains, so that of rows that are new those come
        first that it would choose. None: distances alone.
    n_components : int >= 1, default=None
        Compare so many principal components, each of variance one, in place of the
        features, which takes less time in large pools. None: the features.
    random_state : int, RandomState instance or None, default=None
        Decides between rows that are worth the same.

    Notes
    -----
    Features are standardized, and each row brought to length one, as it compares
    embeddings by their direction. The first row of all is the one nearest to the mean.
    200,000 rows of 1024 values take no copy of the features. Time is that to multiply
    all rows by all that are labelled (n_rows x n_labeled x n_features), anew in each
    call, and a pass over the features for each row chosen; memory does not grow with
    the number of labels.

    What is unlike all else may be noise. Where features hardly tell species apart, as
    statistics of noisy soundscapes, rows chosen so teach no more than others; with
    embeddings of a good encoder they taught most (docs/active.md).

    References
    ----------
    Sener and Savarese (2018), "Active learning for convolutional neural networks: a
    core-set approach", ICLR.

    Examples
    --------
    >>> from skbird.active import CoreSetQuery
    >>> features = [[0, 0], [0, 1], [5, 0], [5, 1], [9, 9]]
    >>> Y = [[1], [-1], [-1], [-1], [-1]]
    >>> CoreSetQuery().select(1, features=features, Y=Y)
    array([4])
    """

    _parameter_constraints: dict = {
        "query": [Query, None],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
    }

    def __init__(self, query=None, *, n_components=None, random_state=None):
        self.query = query
        self.n_components = n_components
        self.random_state = random_state

    @property
    def needs(self):
        """What `select` must be given."""
        return frozenset({"features"}) | getattr(self.query, "needs", frozenset())

    def _gains(self, pool, n, rng):
        inner = None if self.query is None else self.query._gains(pool, n, rng)
        distances = Distances(pool.features)
        if self.n_components is not None:
            distances = distances.whitened(self.n_components, rng)
        return _CenterGains(distances, pool, inner)


class _CenterGains:
    """The distance of each row to the nearest that is labelled or chosen."""

    def __init__(self, distances, pool, inner):
        self.distances = distances
        self.inner = inner
        labeled = pool.labeled[distances.is_finite[pool.labeled]]
        if len(labeled):
            self.squared = distances.to_nearest_row(labeled)
            self.is_first = False
            return
        rows = np.flatnonzero(pool.available)
        middle = np.zeros((1, distances.features.shape[1]), np.float32)
        for start in range(0, len(rows), 8192):
            middle += distances.points(rows[start : start + 8192]).sum(axis=0)
        middle /= max(np.linalg.norm(middle), 1e-9)
        self.squared = 4 - distances.to_nearest(middle)
        self.is_first = True

    def values(self, candidates):
        """Return the gain of each row, (n_rows,)."""
        gains = np.sqrt(np.maximum(self.squared, 0))
        return gains if self.inner is None else gains * self.inner.values(candidates)

    def take(self, row):
        """Let the chosen row be one of those to keep away from."""
        nearest = self.distances.to_nearest_row([row])
        self.squared = nearest if self.is_first else np.minimum(self.squared, nearest)
        self.is_first = False
        if self.inner is not None:
            self.inner.take(row)
