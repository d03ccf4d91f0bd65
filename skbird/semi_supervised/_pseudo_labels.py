"""Turn a teacher's probabilities into targets: arrays in, arrays out."""

from numbers import Real

import numpy as np

from skbird.utils._params import AT_LEAST_ONE, NOT_NEGATIVE
from skbird.utils._proba import check_proba
from skbird.utils._sklearn_compat import Interval, validate_parameter_constraints

PARAMETER_CONSTRAINTS = {
    "soft_threshold": [Interval(Real, 0, 1, closed="both")],
    "hard_threshold": [Interval(Real, 0, 1, closed="both"), None],
    "proba_power": [Interval(Real, 0, None, closed="neither")],
    "max_per_species": [AT_LEAST_ONE, None],
    "max_mass": [NOT_NEGATIVE, None],
}


def make_pseudo_labels(
    proba,
    *,
    soft_threshold=0.05,
    hard_threshold=0.25,
    proba_power=1.0,
    max_per_species=None,
    max_mass=None,
):
    """Turn a teacher's probabilities into targets.

    With q the probability to the power of `proba_power`, a label is 1 where q is at
    least `hard_threshold`, stays q, a soft target, where it is at least
    `soft_threshold`, and is 0 below.

    Parameters
    ----------
    proba : array-like of shape (n_rows, n_species)
        Probabilities in [0, 1]. Rows that are NaN, unreadable recordings, get no label.
    soft_threshold : float in [0, 1], default=0.05
        Below it a species counts as absent.
    hard_threshold : float in [0, 1], default=0.25
        From it on a species counts as present. None keeps all labels soft; the same as
        `soft_threshold` makes all of them hard.
    proba_power : float > 0, default=1.0
        More than 1 lowers what is uncertain. The first place of BirdCLEF 2025 took 1,
        then 1/0.65, 1/0.55 and 1/0.6 in four rounds.
    max_per_species : int >= 1, default=None
        Rows that a species may have: a row counts for the species with its highest
        label, and those with the highest are kept.
    max_mass : float > 0, default=None
        Highest sum of the labels of all rows. The rows with the highest labels are
        kept. The first place of BirdCLEF 2026 kept it below the sum of the true labels.

    Returns
    -------
    labels : ndarray of shape (n_rows, n_species), float32
        -1 throughout in rows that are not used: without any label, or beyond a limit.

    Raises
    ------
    ValueError
        If a parameter or a probability is out of range.

    References
    ----------
    Lee, "Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method", 2013.
    The thresholds are those of a report on BirdCLEF 2025.

    Examples
    --------
    >>> from skbird.semi_supervised import make_pseudo_labels
    >>> make_pseudo_labels([[0.9, 0.1], [0.04, 0.2], [0.01, 0.02]])
    array([[ 1. ,  0.1],
           [ 0. ,  0.2],
           [-1. , -1. ]], dtype=float32)
    """
    params = {
        "soft_threshold": soft_threshold,
        "hard_threshold": hard_threshold,
        "proba_power": proba_power,
        "max_per_species": max_per_species,
        "max_mass": max_mass,
    }
    validate_parameter_constraints(
        PARAMETER_CONSTRAINTS, params, caller_name="make_pseudo_labels"
    )
    check_thresholds(soft_threshold, hard_threshold)
    proba = check_proba(proba, np.float32)
    labels = proba ** float(proba_power)
    labels[labels < soft_threshold] = 0.0
    if hard_threshold is not None:
        labels[labels >= hard_threshold] = 1.0
    unread = np.isnan(proba).any(axis=1)
    used = np.flatnonzero(~unread & labels.any(axis=1))
    # The surest rows first, by probabilities: labels of 1 no longer tell how sure.
    certainty = np.nan_to_num(proba).max(axis=1)
    used = used[np.argsort(-certainty[used], kind="stable")]
    if max_per_species is not None:
        used = used[_rank_in_group(proba[used].argmax(axis=1)) < max_per_species]
    if max_mass is not None:
        # In double precision: sums of many small labels would stand still.
        used = used[np.cumsum(labels[used].sum(axis=1, dtype=np.float64)) <= max_mass]
    kept = np.full(proba.shape, -1.0, np.float32)
    kept[used] = labels[used]
    return kept


def check_thresholds(soft_threshold, hard_threshold):
    """Raise if hard labels would begin below soft ones."""
    if hard_threshold is not None and soft_threshold > hard_threshold:
        raise ValueError(
            f"soft_threshold={soft_threshold:g} is above hard_threshold="
            f"{hard_threshold:g}: labels are soft between the two. Lower the first."
        )


def _rank_in_group(groups):
    """Count each member within its group, from 0, in the order given."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    first = np.searchsorted(ordered, ordered)
    rank = np.empty(len(groups), int)
    rank[order] = np.arange(len(groups)) - first
    return rank
