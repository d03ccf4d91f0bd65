"""Find the weights of an ensemble's members on rows that none was trained on."""

import warnings
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit

from skbird.ensemble._combine import check_members, check_voting, to_score
from skbird.utils._params import check_params
from skbird.utils._rows import number_groups
from skbird.utils._truth import validate_truth

METHODS = ("fit", "greedy")
_N_PAIRS = 400_000  # of all species; the sampling error of their mean is below 0.001
# For weights of one species:
_N_PAIRS_OF_SPECIES = 20_000
_N_ERRORS = 2  # with one, members that are equally good lose twice as much
_MIN_GROUPS = 3
_N_ROUNDS = 50
_GOLDEN = (5**0.5 - 1) / 2


def fit_weights(
    proba, Y, *, method="fit", voting="mean", groups=None, per_species=False
):
    r"""Find the weights with which classifiers rank the rows of each species best.

    Both methods want a high macro ROC-AUC of the combined scores and weights that
    are near to what each classifier is worth alone:

    .. math:: AUC(w) - e \, \frac{n}{n - 1} \sum_{m=1}^n (w_m - c_m)^2

    where e is the standard error of the AUC of equal weights, and :math:`c_m`, which
    sum to 1, are as the squares of how far the AUC of each is above 1/2. AUCs of a few
    recordings differ by chance: they are drawn to their mean first, by
    :math:`v / (v + e^2 / 4)` with their variance v. Among equals the second term is 0
    for equal weights and e if one classifier has all the weight. With :math:`n_j`
    groups that have species j (or that do not, if these are fewer), :math:`e^2` is the
    mean over the species of :math:`a_j (1 - a_j) / n_j`, an upper bound, over their
    number; :math:`a_j` is the AUC, as it were after one more right and one more wrong
    pair.

    With `per_species` each species then gets weights of its own, which want a high AUC
    of that species and to be near those of all: these take the place of :math:`c_m`,
    and e is twice the standard error of this one AUC. The fewer groups have a species,
    the less its weights move; if fewer than three have it, or have it not, they stay.

    Parameters
    ----------
    proba : sequence of array-like of shape (n_rows, n_species)
        One matrix per classifier, in [0, 1], held out: of rows that it was not trained
        on. An entry that is NaN in one of them is left out.
    Y : array-like or DataFrame of shape (n_rows, n_species)
        Truth in [0, 1], presence from 0.5 on; NaN = unknown, -1 throughout =
        unlabelled.
    method : {"fit", "greedy"}, default="fit"
        - "fit": maximises a smooth relative of the AUC, minus the mean over the species
          and their pairs of a row with and one without it of
          :math:`\log(1 + \exp(-\beta d))`; d is the difference of the combined scores,
          over the root mean square that it has for this species with equal weights, and
          :math:`\beta` the best scale.
        - "greedy": forward selection. Again and again, 50 times, the classifier that
          helps most is put into the ensemble, with those that are in it already; the
          weights are the counts at the best of these points. A classifier that was
          never put in has weight 0.
    voting : {"mean", "geometric", "rank"}, default="mean"
        How the probabilities will be combined; see `combine_proba`.
    groups : array-like of shape (n_rows,), default=None
        What rows have in common, such as their file. Rows of a group count as one in
        the standard error. None: each row is by itself.
    per_species : bool, default=False
        Whether each species gets weights of its own.

    Returns
    -------
    weights : ndarray of shape (n_classifiers,)
        Not negative; they sum to 1. Equal, with a warning, if no species has both rows
        with and rows without it. With `per_species` of shape (n_species,
        n_classifiers), such weights in each row.

    Raises
    ------
    ValueError
        If shapes differ or a parameter or value is not as said.

    Notes
    -----
    Of species with many rows, pairs are taken at even steps: 400,000 over all species,
    20,000 for the weights of one.

    References
    ----------
    Caruana et al. (2004), "Ensemble selection from libraries of models", ICML, for
    "greedy". Gao & Zhou (2015), "On the consistency of AUC pairwise optimization",
    IJCAI, for "fit". Birnbaum & Klose (1957), "Bounds for the variance of the
    Mann-Whitney statistic".

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.ensemble import fit_weights
    >>> rng = np.random.default_rng(0)
    >>> Y = rng.integers(0, 2, (500, 3))
    >>> good, fair = 0.8 * rng.random((2, 500, 3)) + [0.2 * Y, 0.1 * Y]
    >>> fit_weights([good, fair], Y).round(1)
    array([0.7, 0.3])
    """
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"method={method!r} must be one of {', '.join(METHODS)}.")
    check_voting(voting, weights=method)
    check_params("fit_weights", {"per_species": ["boolean"]}, per_species=per_species)
    proba = check_members(proba, Y=Y)
    truth = validate_truth(Y, "Y")
    if truth.known.shape != proba[0].shape:
        raise ValueError(
            f"Y has shape {truth.known.shape} and proba {proba[0].shape}; both must "
            "have the same rows and species."
        )
    (n_rows, n_species), n_members = truth.known.shape, len(proba)
    if n_species == 0:
        raise ValueError(
            f"Y has shape {truth.known.shape}, without a species to judge by: pass a "
            "column for each, in Y and proba."
        )
    groups = np.arange(n_rows) if groups is None else number_groups(groups, n_rows)[0]
    if n_members == 1:
        return np.ones((n_species, 1) if per_species else 1)
    search = {"fit": _fit, "greedy": _greedy}[method]
    make_pairs = partial(_make_pairs, proba, truth, voting, groups)
    limit = max(_N_PAIRS // n_species, 1)
    pairs = [make_pairs(species, limit) for species in range(n_species)]
    pairs = [of_one for of_one in pairs if of_one is not None]
    if pairs:
        joined = _join(pairs)
        common = search(joined, _worth(joined))
    else:
        common = np.full(n_members, 1 / n_members)
        warnings.warn(
            "No species has both rows with and rows without it among those that all "
            "classifiers predicted: the weights are equal.",
            stacklevel=2,
        )
    if not per_species:
        return common
    weights = np.tile(common, (n_species, 1))
    for species in range(n_species):
        pairs = make_pairs(species, _N_PAIRS_OF_SPECIES)
        if pairs is not None and pairs.n_groups >= _MIN_GROUPS:
            careful = pairs._replace(error=_N_ERRORS * pairs.error)
            weights[species] = search(careful, common)
    return weights


class _Pairs(NamedTuple):
    """Pairs of a row with and a row without a species, of one species or of all.

    The ROC-AUC of a species is the share of its pairs in which the row with the species
    scores higher. Scores are weighted sums over the members, and so are differences of
    scores: those of the members, kept once, give the AUC of any weights.

    Attributes
    ----------
    difference : ndarray of shape (n_pairs, n_members)
        Each member's score of the row with the species, less that of the other row.
    share : ndarray of shape (n_pairs,)
        What a pair counts in the mean over the species and their pairs; sums to 1.
    error : float
        Standard error of the ROC-AUC, or of its mean, with equal weights.
    n_groups : int
        Groups with a species or without it, whichever are fewer; the sum over the
        species.
    """

    difference: np.ndarray
    share: np.ndarray
    error: float
    n_groups: int


def _make_pairs(proba, truth, voting, groups, species, limit):
    """Return at most `limit` `_Pairs` of a species; None if it cannot be judged."""
    scores = np.column_stack([to_score(matrix[:, species], voting) for matrix in proba])
    known = truth.known[:, species] & ~np.isnan(scores).any(axis=1)
    heard = np.flatnonzero(known & truth.positive[:, species])
    silent = np.flatnonzero(known & ~truth.positive[:, species])
    if len(heard) == 0 or len(silent) == 0:
        return None
    first, second = _choose_pairs(len(heard), len(silent), limit)
    difference = scores[heard[first]] - scores[silent[second]]
    combined = difference.mean(axis=1)
    # Whatever the distributions, the variance of an AUC is at most a (1 - a) over the
    # size of the smaller sample (Birnbaum & Klose 1957). Rows of one group are alike:
    # they add nothing to that size. One more right and one more wrong pair (Laplace's
    # rule) keep a perfect AUC of few groups from looking certain.
    n_groups = min(len(pd.unique(groups[rows])) for rows in (heard, silent))
    auc = (n_groups * _share_won(combined).mean() + 1) / (n_groups + 2)
    return _Pairs(
        # Rare species have small probabilities. On one scale they would not matter.
        difference / (np.sqrt(np.mean(combined**2)) or 1.0),
        np.full(len(difference), 1 / len(difference)),
        np.sqrt(auc * (1 - auc) / n_groups),
        n_groups,
    )


def _join(pairs):
    """Return one `_Pairs` of several species, which count alike."""
    difference, share, error, n_groups = zip(*pairs, strict=True)
    n_species = len(pairs)
    return _Pairs(
        np.concatenate(difference),
        np.concatenate(share) / n_species,
        # Of a mean over species that are taken for independent.
        np.linalg.norm(error) / n_species,
        sum(n_groups),
    )


def _choose_pairs(n_first, n_second, limit):
    """Return the rows of all pairs, or of `limit` pairs that are spread evenly.

    Parameters
    ----------
    n_first, n_second : int
        Rows with and rows without the species.
    limit : int

    Returns
    -------
    first, second : ndarray of int, shape (n_pairs,)
        Numbers of rows, from 0.
    """
    pair = np.arange(min(n_first * n_second, limit))
    if len(pair) == n_first * n_second:
        return pair // n_second, pair % n_second
    # Multiples of the golden ratio, modulo 1, fill [0, 1) most evenly, however many
    # there are, and not in step with the first rows. Nothing is drawn: the weights
    # need no random state.
    return pair * n_first // limit, (pair * _GOLDEN % 1 * n_second).astype(np.intp)


def _worth(pairs):
    """Return the weights that members of such AUCs have if nothing else is known.

    AUCs are first drawn to their mean, as those of a few groups differ by chance: as
    far as half the standard error, which is an upper bound, explains that they differ.
    Squares, as simulated ensembles of members that differ much lose more by equal
    weights than those of equal members lose by these.
    """
    skill = pairs.share @ _share_won(pairs.difference) - 0.5
    spread = np.var(skill)
    kept = spread / (spread + (pairs.error / 2) ** 2) if spread else 0.0
    skill = np.maximum(np.mean(skill) + kept * (skill - np.mean(skill)), 0.0) ** 2
    if not skill.any():  # all rank no better than chance
        skill += 1.0
    return skill / skill.sum()


def _share_won(difference):
    """Return 1 for each pair whose row with the species scores higher, 1/2 at a tie."""
    return (difference > 0) + 0.5 * (difference == 0)


def _fit(pairs, centre):
    r"""Minimise the logistic loss of the pairs, and the penalty of leaving the centre.

    With not negative :math:`u`, weights :math:`w = u / \sum u` and differences
    :math:`D` (n_pairs, n_members), it is

    .. math:: \sum_i share_i \log(1 + e^{-(D u)_i})
              + penalty \sum_m (w_m - centre_m)^2

    The loss stands for 1 - AUC, which has no gradient. Its scale, :math:`\beta` of
    `fit_weights`, is the sum of :math:`u`: left free, it is how clearly the members
    separate the rows, and does not touch the weights.
    """
    penalty = _penalty(pairs.error, len(centre))
    # Members that differ in scale by orders of magnitude would be hard to optimise.
    scale = np.sqrt(pairs.share @ pairs.difference**2)
    scale[scale == 0] = 1.0
    scaled = pairs.difference / scale

    def objective(coefficient):  # u times scale
        margin = scaled @ coefficient
        total = (coefficient / scale).sum() + 1e-12  # all may be 0, at the bounds
        deviation = coefficient / scale / total - centre
        loss = pairs.share @ np.logaddexp(0, -margin) + penalty * deviation @ deviation
        # The gradient by u, times the sum of u: 2 penalty (w - c - (w - c) @ w).
        pull = 2 * penalty * (deviation - deviation @ (deviation + centre))
        slope = pull / total / scale - (pairs.share * expit(-margin)) @ scaled
        return loss, slope

    start = scale * centre
    bounds = [(0, None)] * len(centre)
    found = minimize(
        objective, start / start.sum(), jac=True, method="L-BFGS-B", bounds=bounds
    )
    coefficient = found.x / scale
    if not coefficient.any():  # all rank worse than chance
        return centre
    return coefficient / coefficient.sum()


def _penalty(error, n_members):
    """Return a factor that makes all weight on one of equal members cost one error."""
    return error * n_members / (n_members - 1)


def _greedy(pairs, centre):
    """Add members with replacement; keep the best point of the path.

    Caruana et al. (2004). A member that is added again gets more weight. The AUC itself
    is what counts here: no gradient is needed.
    """
    n_members = len(centre)
    penalty = _penalty(pairs.error, n_members)
    columns = np.ascontiguousarray(pairs.difference.T)

    def value(combined, weights):
        auc = pairs.share @ _share_won(combined)
        return auc - penalty * np.sum((weights - centre) ** 2)

    # The centre is the first candidate: what is learnt must do better.
    best_weights, best_value = centre, value(centre @ columns, centre)
    counts, total = np.zeros(n_members), np.zeros(columns.shape[1])
    for size in range(1, _N_ROUNDS + 1):
        options = (counts + np.eye(n_members)) / size
        values = [
            value(total + column, weights)
            for column, weights in zip(columns, options, strict=True)
        ]
        # The path goes on where the best step is one down: it may lead up again.
        added = int(np.argmax(values))
        counts[added] += 1
        total += columns[added]
        if values[added] > best_value:
            best_value, best_weights = values[added], options[added]
    return best_weights
