from numbers import Integral

from skbird.active._clusters import ClusterGains, cluster_rows
from skbird.active._distances import Distances
from skbird.active._query import Query
from skbird.utils._sklearn_compat import Interval


class ClusterQuery(Query):
    """Choose by another query, but each row from another cluster of the pool.

    So a batch is not all of a kind. Next is always the cluster with the fewest
    labelled rows, of those the largest.

    Parameters
    ----------
    query : Query
        Chooses within a cluster, such as `UncertaintyQuery`.
    n_clusters : int >= 1, default=None
        None: as many as there are labelled rows and rows to choose, 500 at most.
    random_state : int, RandomState instance or None, default=None
        Of the clusters, and between rows that are worth the same.

    See Also
    --------
    TypiClustQuery : Chooses what is typical of a cluster.

    Notes
    -----
    Clusters are those of k-means; in large pools of mini-batch k-means on 20,000 rows
    drawn at random. Features are standardized and brought to length one.

    Examples
    --------
    >>> from skbird.active import ClusterQuery, UncertaintyQuery
    >>> features = [[0, 0], [0, 1], [0, 2], [9, 9], [9, 8]]
    >>> proba = [[0.5], [0.5], [0.6], [0.9], [0.8]]
    >>> query = ClusterQuery(UncertaintyQuery(), n_clusters=2, random_state=0)
    >>> sorted(query.select(2, proba=proba, features=features) > 2)
    [np.False_, np.True_]
    """

    _parameter_constraints: dict = {
        "query": [Query],
        "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
    }

    def __init__(self, query, *, n_clusters=None, random_state=None):
        self.query = query
        self.n_clusters = n_clusters
        self.random_state = random_state

    @property
    def needs(self):
        """What `select` must be given."""
        return frozenset({"features"}) | self.query.needs

    def _gains(self, pool, n, rng):
        n_clusters = self.n_clusters or min(len(pool.labeled) + n, 500)
        numbers = cluster_rows(Distances(pool.features), n_clusters, rng)
        inner = self.query._gains(pool, n, rng)
        return ClusterGains(numbers, pool.labeled, inner)
