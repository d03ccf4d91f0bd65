"""Macro ROC-AUC of many resamples of the recordings at once."""

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state

from skbird.utils._bootstrap import FEWEST_RECORDINGS
from skbird.utils._sklearn_compat import Interval

BOOTSTRAP_CONSTRAINTS = {
    "n_bootstrap": [Interval(Integral, 1, 1_000_000, closed="both")],
    "confidence": [Interval(Real, 0, 1, closed="neither")],
    "random_state": ["random_state"],
}
_SIDES = ("left", "right")


def bootstrap_macro_auc(truth, scores, fold, recording, n_bootstrap, random_state):
    """Score the data, and resamples of their recordings, all models on the same ones.

    Only recordings that are judged are drawn: others, which are unlabelled or could not
    be read, say nothing of how far the score would be another with other recordings.

    Parameters
    ----------
    truth : Truth
        What is known about each row and species; of rows without a score nothing.
    scores : list of ndarray of shape (n_rows, n_species)
        Those of each model.
    fold : ndarray of int, shape (n_rows,)
    recording : ndarray of int, shape (n_rows,)
    n_bootstrap : int
    random_state : int, RandomState instance or None

    Returns
    -------
    macro_auc : ndarray of shape (n_models, 1 + n_bootstrap)
        As `within_fold_macro_auc` gives it, the first of the data themselves.
    n_recordings : int
        How many were drawn.
    """
    rows = _judged_rows(truth, fold)
    names, recording = np.unique(recording[rows], return_inverse=True)
    if len(rows) == 0:
        return np.full((len(scores), 1 + n_bootstrap), np.nan), 0
    counts = resample_counts(len(names), n_bootstrap, random_state)
    known = truth._replace(positive=truth.positive[rows], known=truth.known[rows])
    macro_auc = [
        within_fold_macro_auc(known, score[rows], fold[rows], recording, counts)
        for score in scores
    ]
    return np.array(macro_auc), len(names)


def _judged_rows(truth, fold):
    """Return the rows with a species that is both present and absent in their fold."""
    judged = np.zeros(len(fold), dtype=bool)
    for number in np.unique(fold):
        rows = np.flatnonzero(fold == number)
        known, positive = truth.known[rows], truth.positive[rows]
        both = positive.any(axis=0) & (known & ~positive).any(axis=0)
        judged[rows] = known[:, both].any(axis=1)
    return np.flatnonzero(judged)


def resample_counts(n_recordings, n_bootstrap, random_state):
    """Draw recordings with replacement, as many as there are.

    Parameters
    ----------
    n_recordings, n_bootstrap : int
    random_state : int, RandomState instance or None

    Returns
    -------
    counts : ndarray of float32, shape (n_recordings, 1 + n_bootstrap)
        How often each recording is drawn. Column 0 has each once: the data themselves.
    """
    rng = check_random_state(random_state)
    counts = np.ones((n_recordings, 1 + n_bootstrap), dtype=np.float32)
    for replicate in range(1, 1 + n_bootstrap):
        drawn = rng.randint(n_recordings, size=n_recordings)
        counts[:, replicate] = np.bincount(drawn, minlength=n_recordings)
    return counts


def percentile_interval(replicates, confidence, n_recordings):
    """Return the interval (low, high) that holds the middle share of the replicates.

    Parameters
    ----------
    replicates : ndarray of shape (n_bootstrap,)
        NaN, where a replicate has nothing to judge, does not count.
    confidence : float in (0, 1)
    n_recordings : int
        Number of recordings that were resampled.

    Returns
    -------
    tuple of float
        NaN if there are less than `FEWEST_RECORDINGS`, or nothing can be judged.
    """
    if n_recordings < FEWEST_RECORDINGS or np.isnan(replicates).all():
        return float("nan"), float("nan")
    low, high = np.nanquantile(replicates, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def within_fold_macro_auc(truth, score, fold, recording, counts):
    r"""Compute the macro ROC-AUC in which only rows of the same fold are compared.

    .. math:: AUC_s = \frac{\sum_f n^+_{sf} AUC_{sf}}{\sum_f n^+_{sf}}

    with :math:`n^+_{sf}` positives and :math:`AUC_{sf}` of species s in fold f: the
    probability that a positive of the species scores higher than a negative of its own
    fold. Folds without a positive or a negative of the species are left out, and so
    are species without such folds.

    Parameters
    ----------
    truth : Truth
        What is known about each row and species.
    score : ndarray of shape (n_rows, n_species)
        Finite wherever the truth is known.
    fold : ndarray of int, shape (n_rows,)
        The fold that each row is tested in.
    recording : ndarray of int, shape (n_rows,)
        The number of the recording that each row is of.
    counts : ndarray of shape (n_recordings, n_replicates)
        How often each replicate has each recording.

    Returns
    -------
    macro_auc : ndarray of shape (n_replicates,)
        NaN where no species can be judged.
    """
    n_replicates = counts.shape[1]
    folds = [np.flatnonzero(fold == number) for number in np.unique(fold)]
    total, n_judged = np.zeros(n_replicates), np.zeros(n_replicates)
    for species in np.flatnonzero(truth.positive.any(axis=0)):
        beaten, n_positive = np.zeros(n_replicates), np.zeros(n_replicates)
        for rows in folds:
            rows = rows[truth.known[rows, species]]
            positive = truth.positive[rows, species]
            if positive.all() or not positive.any():
                continue
            wins, n_pos, n_neg = _count_wins(
                score[rows, species], positive, recording[rows], counts
            )
            judged = n_neg > 0
            beaten[judged] += wins[judged] / n_neg[judged]
            n_positive[judged] += n_pos[judged]
        judged = n_positive > 0
        total[judged] += beaten[judged] / n_positive[judged]
        n_judged += judged
    return np.divide(
        total, n_judged, out=np.full(n_replicates, np.nan), where=n_judged > 0
    )


def _count_wins(score, positive, recording, counts):
    """Count pairs in which the positive scores higher, ties half, in each replicate.

    Returns ``wins``, ``n_positive`` and ``n_negative``, each (n_replicates,).
    """
    # Mann-Whitney's U: the pairs in which the positive scores higher, ties half. In a
    # replicate a pair counts n_positive x n_negative times, as often as the recordings
    # of the two were drawn. The order of the scores is the same in all replicates, so
    # the negatives are sorted once into the gaps between the positives' scores; what is
    # left for each replicate is to weigh and to add up.
    levels, level = np.unique(score[positive], return_inverse=True)
    negatives = score[~positive]
    # A level wins from the entry on the left, and from that on the right. A negative
    # at the level itself has only one of the two below: half a win.
    gap = np.concatenate([np.searchsorted(levels, negatives, s) for s in _SIDES])
    owner = np.tile(recording[~positive], 2)
    in_gap = _weigh(gap, owner, 0.5, len(levels) + 1, counts)
    at_level = _weigh(level, recording[positive], 1.0, len(levels), counts)
    below = np.cumsum(in_gap, axis=0, out=in_gap)
    wins = np.einsum("lr,lr->r", at_level, below[:-1], dtype=np.float64)
    return wins, at_level.sum(axis=0, dtype=np.float64), below[-1]


def _weigh(place, recording, value, n_places, counts):
    """Add up `value` x counts of the recordings at each place of (n_places,)."""
    # A product with a sparse matrix never holds n_rows x n_replicates numbers.
    values = np.full(len(place), value, dtype=counts.dtype)
    shape = n_places, len(counts)
    return sparse.csr_array((values, (place, recording)), shape=shape) @ counts
