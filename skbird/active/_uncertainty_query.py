from numbers import Real

import numpy as np

from skbird.active._query import FixedGains, Query
from skbird.utils._params import THRESHOLD
from skbird.utils._sklearn_compat import Interval, StrOptions
from skbird.utils._truth import validate_threshold


class UncertaintyQuery(Query):
    """Choose the rows of which the model is least sure.

    Parameters
    ----------
    measure : {"margin", "entropy"}, default="margin"
        "margin": how near a probability is to the threshold. "entropy": the binary
        entropy of a probability, whatever the threshold.
    pooling : {"max", "mean"}, default="max"
        Of the species of a row: that which the model is least sure of, or their mean.
    threshold : float or array-like of shape (n_species,), default=0.5
        For "margin": from which probability on a species counts as present.
    recording_discount : float in [0, 1], default=0.5
        What a further row of a recording is worth in a batch: neighbours are alike.
    random_state : int, RandomState instance or None, default=None
        Decides between rows that are worth the same.

    See Also
    --------
    ClusterQuery : Keeps a batch from being all of a kind.

    Notes
    -----
    With few labels uncertainty can be worse than chance: the model does not know what
    it does not know, and asks for many rows of one kind.

    References
    ----------
    Settles (2009), "Active learning literature survey", University of Wisconsin.

    Examples
    --------
    >>> from skbird.active import UncertaintyQuery
    >>> proba = [[0.9, 0.1], [0.6, 0.1], [0.9, 0.8]]
    >>> UncertaintyQuery().select(2, proba=proba)
    array([1, 2])
    """

    needs = frozenset({"proba"})
    _parameter_constraints: dict = {
        "measure": [StrOptions({"margin", "entropy"})],
        "pooling": [StrOptions({"max", "mean"})],
        "threshold": THRESHOLD,
        "recording_discount": [Interval(Real, 0, 1, closed="both")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        measure="margin",
        *,
        pooling="max",
        threshold=0.5,
        recording_discount=0.5,
        random_state=None,
    ):
        self.measure = measure
        self.pooling = pooling
        self.threshold = threshold
        self.recording_discount = recording_discount
        self.random_state = random_state

    def _gains(self, pool, n, rng):
        if self.measure == "entropy":
            doubt = _entropy(pool.proba)
        else:
            threshold = validate_threshold(self.threshold, pool.proba.shape[1])
            room = np.maximum(threshold, 1 - threshold)  # so that 0 is the least
            doubt = 1 - np.abs(pool.proba - threshold) / room
        known = ~np.isnan(doubt)
        doubt = np.where(known, doubt, 0)
        if self.pooling == "max":
            gains = doubt.max(axis=1)
        else:
            gains = doubt.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        return FixedGains(gains, pool.recording_numbers, self.recording_discount)


def _entropy(proba):
    inside = np.clip(proba, 1e-7, 1 - 1e-7)  # keeps NaN
    return -inside * np.log2(inside) - (1 - inside) * np.log2(1 - inside)
