from skbird.active._query import FixedGains, Query


class RandomQuery(Query):
    """Choose rows at random: what every other query must beat.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None

    Examples
    --------
    >>> from skbird.active import RandomQuery
    >>> RandomQuery(random_state=0).select(2, available=[True, False, True]).tolist()
    [2, 0]
    """

    _parameter_constraints: dict = {"random_state": ["random_state"]}

    def __init__(self, *, random_state=None):
        self.random_state = random_state

    def _gains(self, pool, n, rng):
        gains = rng.random_sample(len(pool.available))
        return FixedGains(gains, pool.recording_numbers, 1.0)
