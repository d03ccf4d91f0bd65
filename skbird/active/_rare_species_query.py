import numpy as np

from skbird.active._query import Query


class RareSpeciesQuery(Query):
    r"""Choose the rows that should raise the macro-averaged ROC-AUC most.

    How a row changes the AUC cannot be known before it is labelled. This is a proxy: a
    label is worth the more, the less the model expects it and the fewer labels of its
    kind the species has. So rows in which a rare species may be come first.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Decides between rows that are worth the same.

    Notes
    -----
    The variance of an estimated ROC-AUC falls about as 1/n with the number of
    positives, and with that of negatives (Hanley and McNeil 1982), and so does what a
    linear model lacks. One more label where there are n lowers 1/(n+1) by
    :math:`v(n) = 1 / ((n + 1)(n + 2))`. A label of p comes true with probability p and
    changes the model by its error, 1 - p, as the gradient of the cross-entropy; that of
    absence, likewise, with 1 - p and p (expected gradient length, Settles et al. 2008).
    So the expected gain of a row is

    .. math:: \sum_s p_s (1 - p_s) \, [v(n^+_s) + v(n^-_s)]

    over species: the macro average counts all the same. Within a batch the expected
    labels of what has been chosen are added to :math:`n^+` and :math:`n^-`. It is a
    ranking of rows; no change of AUC is promised.

    References
    ----------
    Hanley and McNeil (1982), "The meaning and use of the area under a receiver
    operating characteristic (ROC) curve", Radiology 143.
    Settles, Craven and Ray (2008), "Multiple-instance active learning", NIPS 20.

    Examples
    --------
    Of six labelled rows three have the first species, and one has the second:

    >>> from skbird.active import RareSpeciesQuery
    >>> Y = [[1, 0], [1, 0], [1, 0], [0, 1], [0, 0], [0, 0], [-1, -1], [-1, -1]]
    >>> proba = [[0.5, 0.5]] * 6 + [[0.5, 0.1], [0.1, 0.5]]
    >>> RareSpeciesQuery().select(1, proba=proba, Y=Y)
    array([7])
    """

    needs = frozenset({"proba"})
    _parameter_constraints: dict = {"random_state": ["random_state"]}

    def __init__(self, *, random_state=None):
        self.random_state = random_state

    def _gains(self, pool, n, rng):
        n_species = pool.proba.shape[1]
        labels = np.zeros((0, n_species)) if pool.Y is None else pool.Y[pool.labeled]
        return _AdaptiveGains(
            np.nan_to_num(pool.proba), np.nansum(labels, 0), np.nansum(1 - labels, 0)
        )


class _AdaptiveGains:
    """Gains that fall with the expected labels of what has been chosen.

    Parameters
    ----------
    proba : ndarray of shape (n_rows, n_species)
    n_positives, n_negatives : ndarray of shape (n_species,)
    """

    def __init__(self, proba, n_positives, n_negatives):
        self.proba = proba
        self.surprise = proba * (1 - proba)
        self.n_positives = n_positives.astype(np.float64)
        self.n_negatives = n_negatives.astype(np.float64)

    def values(self, candidates):
        """Return the gain of each row, (n_rows,)."""
        worth = _worth(self.n_positives) + _worth(self.n_negatives)
        return self.surprise @ worth.astype(self.surprise.dtype)

    def take(self, row):
        """Count the labels that the chosen row is expected to have."""
        self.n_positives += self.proba[row]
        self.n_negatives += 1 - self.proba[row]


def _worth(n):
    return 1 / ((n + 1) * (n + 2))
