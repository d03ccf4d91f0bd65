"""The maths of voting: several matrices of probabilities in, one out."""

from functools import reduce

import numpy as np
from scipy.special import expit, logit
from scipy.stats import rankdata

from skbird.utils._params import as_floats, check_list
from skbird.utils._rows import check_same_orders

VOTINGS = ("mean", "geometric", "min", "rank")
_MARGIN = 1e-6


def combine_proba(proba, *, weights=None, voting="mean"):
    r"""Combine the probabilities that several classifiers give the same rows.

    Parameters
    ----------
    proba : sequence of array-like of shape (n_rows, n_species)
        One matrix per classifier, in [0, 1]. What is NaN in one (a row that it could
        not read) is taken from the others, whose weights are scaled up.
    weights : array-like, default=None
        Of shape (n_classifiers,), for all species, or (n_species, n_classifiers), for
        each. Not negative, not all 0; only their ratios matter.
        None: equal ones. 0 leaves a classifier out; of an entry that only classifiers
        know whose weight for the species is 0, their mean is taken.
    voting : {"mean", "geometric", "min", "rank"}, default="mean"
        - "mean": the weighted mean.
        - "geometric": the weighted geometric mean of the odds, which is the mean of the
          logits :math:`\log \frac{p}{1 - p}`. Presence and absence count alike: one
          classifier that is sure of either outvotes others that doubt. To keep 0 and 1
          from being a veto, probabilities are first moved, in proportion, into
          [1e-6, 1 - 1e-6].
        - "min": the lowest; all must agree. It takes no weights.
        - "rank": the weighted mean of the ranks that a row has among all given rows,
          species by species, over the number of rows: in (0, 1], ties sharing their
          mean. Only the order that each classifier puts the rows into counts, so that
          classifiers of different calibration can vote. It depends on which rows are
          given together, and is no probability.

    Returns
    -------
    proba : ndarray of shape (n_rows, n_species)
        In [0, 1]; NaN where no classifier with a weight has a probability.

    Raises
    ------
    ValueError
        If shapes differ, or values, weights or `voting` are not as said.

    References
    ----------
    Satopää et al. (2014), "Combining multiple probability predictions using a simple
    logit model", for the mean of logits. On Kaggle: first place of BirdCLEF 2024
    (minimum, mean of minima), fourth of 2024 (geometric mean), first of 2026 (ranks).

    Examples
    --------
    >>> from skbird.ensemble import combine_proba
    >>> focal, soundscape = [[0.9], [0.2]], [[0.5], [0.4]]
    >>> combine_proba([focal, soundscape])
    array([[0.7],
           [0.3]])
    >>> combine_proba([focal, soundscape], voting="geometric").round(2)
    array([[0.75],
           [0.29]])
    >>> combine_proba([focal, soundscape], weights=[1, 3], voting="rank")
    array([[1. ],
           [0.5]])
    """
    check_voting(voting, weights)
    proba = check_members(proba)
    if voting == "min":
        return reduce(np.fmin, proba, np.full_like(proba[0], np.nan))
    weights = check_weights(weights, len(proba), proba[0].shape[1])
    total, mass = 0.0, 0.0
    for number, matrix in enumerate(proba):
        score = to_score(matrix, voting)
        weight = weights[..., number].astype(score.dtype)
        known = ~np.isnan(score)
        total = total + np.where(known, weight * score, 0)
        mass = mass + weight * known.astype(score.dtype)
    score = np.divide(total, mass, out=np.full_like(total, np.nan), where=mass > 0)
    if weights.ndim == 2:  # of some species the members that know may have no weight
        others = _mean_of_known([to_score(matrix, voting) for matrix in proba])
        score = np.where(np.isnan(score), others, score)
    if voting == "geometric":
        score = (expit(score) - _MARGIN) / (1 - 2 * _MARGIN)
    return np.clip(score, 0, 1)  # rounding


def _mean_of_known(scores):
    known = np.sum([~np.isnan(score) for score in scores], axis=0)
    total = np.nansum(scores, axis=0)
    return np.divide(total, known, out=np.full_like(total, np.nan), where=known > 0)


def to_score(proba, voting):
    """Bring probabilities (n_rows, ...) onto the scale whose mean is the vote."""
    if voting == "geometric":
        return logit(_MARGIN + (1 - 2 * _MARGIN) * proba)
    if voting == "rank":
        n_known = np.count_nonzero(~np.isnan(proba), axis=0)
        return rankdata(proba, axis=0, nan_policy="omit") / np.maximum(n_known, 1)
    return proba


def check_voting(voting, weights):
    """Check the kind of vote, and that it can have the weights it was given."""
    if not isinstance(voting, str) or voting not in VOTINGS:
        raise ValueError(f"voting={voting!r} must be one of {', '.join(VOTINGS)}.")
    if voting == "min" and weights is not None:
        raise ValueError(
            f"weights={weights!r} cannot be used with voting='min', which takes the "
            "lowest probability whoever gives it. Set weights=None."
        )


def check_weights(weights, n_members, n_species):
    """Return weights (n_members,) or (n_species, n_members) that sum to 1.

    Equal ones, (n_members,), for None.
    """
    if weights is None:
        return np.full(n_members, 1 / n_members)
    try:
        values = as_floats(weights, "weights", np.float64)
    except ValueError as exc:
        raise ValueError(f"weights={weights!r:.100} must be numbers: {exc}") from exc
    if values.shape not in ((n_members,), (n_species, n_members)):
        raise ValueError(
            f"weights has shape {values.shape}, but there are {n_members} classifiers: "
            f"pass one weight for each, or for each of the {n_species} species such a "
            "row."
        )
    if not (np.isfinite(values) & (values >= 0)).all() or not values.any(axis=-1).all():
        raise ValueError(
            f"weights={values.tolist()!r:.100} must be finite, not negative and not "
            "all 0."
        )
    return values / values.sum(axis=-1, keepdims=True)


def check_members(proba, **others):
    """Return a list of matrices of probabilities, all of one shape.

    Their rows and columns, and those of `others`, tables by name, are in one order.
    """
    tables = check_list(proba, "proba", "matrices")
    tables = {f"proba[{number}]": table for number, table in enumerate(tables)}
    check_same_orders(others | tables)
    proba = [as_floats(table, name) for name, table in tables.items()]
    shapes = {matrix.shape for matrix in proba}
    if len(shapes) != 1 or proba[0].ndim != 2:
        raise ValueError(
            f"proba has shapes {sorted(shapes)}, but one shape is needed, (n_rows, "
            "n_species): the same rows and species from each classifier."
        )
    for number, matrix in enumerate(proba):
        outside = (matrix < 0) | (matrix > 1)
        if outside.any():
            row, column = np.argwhere(outside)[0]
            raise ValueError(
                f"proba[{number}] is {matrix[row, column]:g} at row {row}, column "
                f"{column}; probabilities must be in [0, 1]. Apply a sigmoid to logits "
                "first."
            )
    return proba
