"""The maths of reviews: arrays in, curves and thresholds out."""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit
from sklearn.isotonic import isotonic_regression

_EDGE = 1e-6  # beyond it, probabilities of float32 hardly differ
_N_BINS = 500
_MOST_STEPS = 100
_LONGEST_STEP = 2.0
_STEEPEST = 50.0
_RIDGE = [1e-10, 0, 1e-10]  # there may be one score only


def logit_score(proba):
    """Return the logit of probabilities, finite also at 0 and 1."""
    return logit(np.clip(np.asarray(proba, np.float64), _EDGE, 1 - _EDGE))


def fit_curves(score, correct, weight, prior_weight):
    r"""Fit P(correct | score), once for each set of weights.

    .. math:: P(correct \mid s) = 1 / (1 + \exp(-a - b s))

    At the lowest and at the highest score stand a right and a wrong review that nobody
    made, which keep the curve finite where scores tell right from wrong perfectly, or
    where all are right.

    Parameters
    ----------
    score : ndarray of shape (n,)
        Logit scores.
    correct : ndarray of shape (n,)
        0 or 1.
    weight : ndarray of shape (n_fits, n)
    prior_weight : ndarray of shape (n_fits, 4)
        Of what nobody made: wrong and right at the lowest score, wrong and right at the
        highest.

    Returns
    -------
    ndarray of shape (n_fits, 2)
        Intercept a and slope b.
    """
    ends = np.repeat([score.argmin(), score.argmax()], 2)
    center, spread = score.mean(), score.std() or 1.0
    x = (np.concatenate([score, score[ends]]) - center) / spread
    y = np.concatenate([correct, [0, 1, 0, 1]])
    w = np.concatenate([weight, prior_weight], axis=1)
    w /= w.sum(axis=1, keepdims=True)
    design = np.column_stack([np.ones_like(x), x])
    products = np.column_stack([np.ones_like(x), x, x**2])
    curves = np.zeros((len(w), 2))
    for _ in range(_MOST_STEPS):
        p = expit(curves @ design.T)
        slope = (w * (y - p)) @ design
        h00, h01, h11 = (w * p * (1 - p) @ products + _RIDGE).T
        step = np.column_stack(
            [
                h11 * slope[:, 0] - h01 * slope[:, 1],
                h00 * slope[:, 1] - h01 * slope[:, 0],
            ]
        )
        step /= (h00 * h11 - h01**2)[:, None]
        length = np.abs(step).max(axis=1, keepdims=True)
        step *= np.minimum(1, _LONGEST_STEP / np.maximum(length, 1e-300))
        curves = np.clip(curves + step, -_STEEPEST, _STEEPEST)
        if length.max() < 1e-6:
            break
    intercept, slope = curves.T
    return np.column_stack([intercept - slope * center / spread, slope / spread])


def logistic_values(curves, score):
    """Return P(correct | score) of each fit at some scores, (n_fits, n_scores)."""
    return expit(curves[:, :1] + curves[:, 1:] * score)


def isotonic_values(score, correct, weight, prior_weight, at):
    """Return P(correct | score) that only never falls, (n_fits, n_scores).

    Parameters
    ----------
    score, correct, weight, prior_weight : ndarray
        See `fit_curves`.
    at : ndarray of shape (n_scores,)
        Logit scores. Between those judged the curve is linear.
    """
    ends = np.repeat([score.argmin(), score.argmax()], 2)
    knots, place = np.unique(np.concatenate([score, score[ends]]), return_inverse=True)
    y = np.concatenate([correct, [0, 1, 0, 1]])
    found = []
    for w in np.concatenate([weight, prior_weight], axis=1):
        total = np.bincount(place, weights=w)
        mean = np.bincount(place, weights=w * y) / total
        fitted = isotonic_regression(mean, sample_weight=total, y_min=0, y_max=1)
        found.append(np.interp(at, knots, fitted))
    return np.array(found)


class Detections(NamedTuple):
    """Detections of a species in bins of alike scores, from the lowest on."""

    lowest: np.ndarray  # (n_bins,): the lowest probability in each bin
    score: np.ndarray  # (n_bins,): the mean logit score
    count: np.ndarray  # (n_bins,): how many, or their weight


def bin_detections(proba, weight):
    """Put detections into bins of alike logit scores, so that millions are as fast.

    Parameters
    ----------
    proba, weight : ndarray of shape (n,)

    Returns
    -------
    Detections
    """
    values, index = np.unique(proba, return_inverse=True)
    count = np.bincount(index, weights=weight)
    score = logit_score(values)
    width = (score[-1] - score[0]) / _N_BINS
    place = ((score - score[0]) / (width or 1.0)).astype(np.int64)
    _, first, bins = np.unique(place, return_index=True, return_inverse=True)
    in_bin = np.bincount(bins, weights=count)
    return Detections(
        values[first], np.bincount(bins, weights=count * score) / in_bin, in_bin
    )


def precision_above(correct, detections):
    """Return the precision of all detections from each bin on, (n_fits, n_bins).

    Parameters
    ----------
    correct : ndarray of shape (n_fits, n_bins)
        P(correct | score) of each bin.
    detections : Detections
    """
    correct = correct * detections.count
    from_top = correct[:, ::-1].cumsum(axis=1)[:, ::-1]
    return from_top / detections.count[::-1].cumsum()[::-1]


def lowest_reaching(precision, min_precision):
    """Return the first bin from which on precision suffices; n_bins if none.

    Parameters
    ----------
    precision : ndarray of shape (n_fits, n_bins)
    min_precision : float

    Returns
    -------
    ndarray of int, shape (n_fits,)
    """
    reached = precision >= min_precision
    return np.where(reached.any(axis=1), reached.argmax(axis=1), precision.shape[1])
