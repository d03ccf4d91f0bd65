from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from skbird.active._pool import make_pool
from skbird.utils._params import check_params
from skbird.utils._sklearn_compat import Interval, validate_params_of

COSTS = {
    "visit_cost": [Interval(Real, 0, None, closed="left")],
    "row_cost": [Interval(Real, 0, None, closed="neither")],
}
_CONSTRAINTS = {
    "n": [Interval(Integral, 1, None, closed="left"), None],
    "budget": [Interval(Real, 0, None, closed="neither"), None],
    **COSTS,
}


class Query(BaseEstimator):
    """Base of the queries: chooses rows one by one, by what each gains for its cost.

    A query of your own gives ``_gains(pool, n, random_state)``, which returns an object
    with ``values(candidates)``, the gain of each row at this point, -inf for rows that
    are not to be chosen now; and ``take(row)``, which is told what was chosen.

    Attributes
    ----------
    needs : frozenset
        What `select` must be given: "proba", "features".

    See Also
    --------
    ActiveLearner : Calls `select` with what it knows.

    Notes
    -----
    Gain divided by cost, row by row, is the usual greedy choice within a budget
    (Leskovec et al., "Cost-effective outbreak detection in networks", KDD 2007).

    Examples
    --------
    Six rows of two recordings. To open a recording costs as much as to label two rows:

    >>> from skbird.active import Query, UncertaintyQuery
    >>> isinstance(UncertaintyQuery(), Query)
    True
    >>> proba = [[0.5], [0.4], [0.45], [0.46], [0.9], [0.9]]
    >>> query = UncertaintyQuery(random_state=0)
    >>> query.select(2, proba=proba, recording_ids=["a", "a", "b", "b", "b", "b"])
    array([0, 3])
    >>> query.select(proba=proba, recording_ids=["a", "a", "b", "b", "b", "b"],
    ...              budget=4, visit_cost=2)
    array([0, 1])
    """

    needs = frozenset()
    _parameter_constraints: dict = {}

    def select(
        self,
        n=None,
        *,
        proba=None,
        features=None,
        Y=None,
        available=None,
        recording_ids=None,
        budget=None,
        visit_cost=0.0,
        row_cost=1.0,
    ):
        """Choose rows to label.

        Parameters
        ----------
        n : int >= 1, default=None
            How many rows at most. None: as many as the budget pays.
        proba : array-like of shape (n_rows, n_species), default=None
            What a model predicts for the pool. Rows that are NaN throughout cannot be
            read, and are not chosen; other NaN are left out.
        features : array-like of shape (n_rows, n_features), default=None
            Such as embeddings. Rows that are NaN throughout cannot be read, either.
        Y : array-like of shape (n_rows, n_species), default=None
            Labels so far; -1 throughout in rows without an answer, NaN = uncertain.
        available : array-like of bool, shape (n_rows,), default=None
            Rows that may be chosen. None: those without an answer in Y, or all.
        recording_ids : array-like of shape (n_rows,), default=None
            Which recording a row is from. None: each is from one of its own.
        budget : float > 0, default=None
            What the rows may cost. None: anything.
        visit_cost, row_cost : float, default=0.0, 1.0
            A row costs `row_cost`, and the first of a recording `visit_cost` more.

        Returns
        -------
        ndarray of int
            Row numbers, in the order in which they were chosen: fewer than `n` if no
            more can be had.

        Raises
        ------
        ValueError
            If neither `n` nor `budget` is given, or what the query needs is missing.
        """
        validate_params_of(self)
        check_params(
            "select",
            _CONSTRAINTS,
            n=n,
            budget=budget,
            visit_cost=visit_cost,
            row_cost=row_cost,
        )
        if n is None and budget is None:
            raise ValueError(
                "n=None and budget=None: say how many rows, or their cost."
            )
        given = {"proba": proba, "features": features}
        missing = [name for name in sorted(self.needs) if given[name] is None]
        if missing:
            raise ValueError(
                f"{type(self).__name__} needs {' and '.join(missing)}. Before there is "
                "a model, or without features, RandomQuery needs nothing."
            )
        pool = make_pool(proba, features, Y, available, recording_ids)
        left = np.inf if budget is None else budget
        most = int(min(n or np.inf, left / row_cost, pool.available.sum()))
        if most == 0:
            return np.empty(0, np.int64)
        rng = check_random_state(getattr(self, "random_state", None))
        gains = self._gains(pool, most, rng)
        return _choose(gains, pool, most, left, (visit_cost, row_cost), rng)


def _choose(gains, pool, n, budget, costs, rng):
    """Take the row with most gain for its cost, again and again; ties at random."""
    visit_cost, row_cost = costs
    cost = np.full(len(pool.available), visit_cost + row_cost)
    free, chosen = pool.available.copy(), []
    while len(chosen) < n:
        candidates = free & (cost <= budget)
        if not candidates.any():
            break
        worth = np.where(candidates, gains.values(candidates) / cost, -np.inf)
        row = rng.choice(np.flatnonzero(worth == worth.max()))
        chosen.append(row)
        free[row] = False
        budget -= cost[row]
        cost[pool.recording_numbers == pool.recording_numbers[row]] = row_cost
        gains.take(row)
    return np.array(chosen, np.int64)


class FixedGains:
    """Gains that only fall where a recording has been chosen from.

    Parameters
    ----------
    gains : ndarray of shape (n_rows,)
        At least 0.
    recording_numbers : ndarray of int, shape (n_rows,)
    discount : float
        What a row is worth, for each row of its recording in the batch.
    """

    def __init__(self, gains, recording_numbers, discount):
        self.gains = np.nan_to_num(np.asarray(gains, np.float64))
        self.recording_numbers = recording_numbers
        self.discount = discount

    def values(self, candidates):
        """Return the gain of each row, (n_rows,)."""
        return self.gains

    def take(self, row):
        """Discount the rows beside the one that is chosen."""
        beside = self.recording_numbers == self.recording_numbers[row]
        self.gains[beside] *= self.discount
