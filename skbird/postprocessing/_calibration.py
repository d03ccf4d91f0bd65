"""The maths of calibration: arrays in, arrays out.

A curve is a pair of arrays that the method's function evaluates: slope and intercept of
a sigmoid, or the corners of an isotonic curve.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

# 0 and 1 have no logit: they count as this far from 0 and 1.
_EPSILON = 1e-12
# Above 0: a flat curve would tie all rows.
_SLOPES = (0.01, 100.0)
_INTERCEPTS = (-50.0, 50.0)


def fit_curves(proba, target, *, method, shrinkage):
    """Fit a curve per species, drawn towards the one of all species.

    Parameters
    ----------
    proba : ndarray of shape (n_rows, n_species)
        Held-out predictions in [0, 1].
    target : ndarray of shape (n_rows, n_species)
        In [0, 1]; NaN where unknown or where `proba` is NaN.
    method, shrinkage
        See `MultilabelCalibrator`.

    Returns
    -------
    curves : list of (ndarray, ndarray)
        One per species.
    weight : ndarray of shape (n_species,)
        How much each species' own data counted, in [0, 1].
    """
    fit, evaluate = _FIT[method], EVALUATE[method]
    pooled = fit(*pool_species(proba, target))
    curves, weight = [], np.zeros(proba.shape[1])
    for j in range(proba.shape[1]):
        known = ~np.isnan(target[:, j])
        p, t = proba[known, j], target[known, j]
        expected = evaluate(p, *pooled)
        n_present = max(t.sum(), expected.sum())
        if n_present > 0:
            weight[j] = n_present / (n_present + shrinkage)
        blend = weight[j] * t + (1 - weight[j]) * expected
        curves.append(fit(p, blend) if weight[j] > 0 else pooled)
    return curves, weight


def pool_species(proba, target, max_entries=5_000_000):
    """Return the known entries of all species.

    Parameters
    ----------
    proba, target : ndarray of shape (n_rows, n_species)
        NaN in `target` is unknown.
    max_entries : int, default=5_000_000
        With more, only those of every so manieth row are returned: a curve for all
        needs no more, and 300,000 rows of 200 species have twelve times as many.

    Returns
    -------
    proba, target : ndarray of shape (n_entries,)
    """
    known = ~np.isnan(target)
    step = 1 + np.count_nonzero(known) // max_entries
    rows = np.flatnonzero(known.any(axis=1))[::step]
    return proba[rows][known[rows]], target[rows][known[rows]]


def fit_sigmoid(proba, target, intercepts=_INTERCEPTS):
    """Fit p -> sigmoid(slope * logit(p) + intercept) by maximum likelihood.

    Parameters
    ----------
    proba, target : ndarray of shape (n,)
        In [0, 1]; fractions in `target` are soft.
    intercepts : (float, float)
        The range allowed.

    Returns
    -------
    slope, intercept : ndarray of shape ()
    """
    z = _logit(proba)

    def loss(parameters):
        slope, intercept = parameters
        x = slope * z + intercept
        error = expit(x) - target
        gradient = np.array([error @ z, error.sum()])
        return (np.logaddexp(0, x).sum() - target @ x) / len(z), gradient / len(z)

    found = minimize(
        loss,
        x0=[1.0, 0.0],
        jac=True,
        bounds=[_SLOPES, intercepts],
        # A rare species hardly moves the mean over many rows.
        options={"ftol": 1e-12, "gtol": 1e-8},
    )
    return tuple(np.asarray(value) for value in found.x)


def apply_sigmoid(proba, slope, intercept):
    """Evaluate the curve of `fit_sigmoid`; NaN stays NaN."""
    return expit(slope * _logit(proba) + intercept)


def _fit_temperature(proba, target):
    return fit_sigmoid(proba, target, intercepts=(0.0, 0.0))


def _fit_isotonic(proba, target):
    curve = IsotonicRegression(y_min=0, y_max=1).fit(proba, target)
    return curve.X_thresholds_, curve.y_thresholds_


def _logit(proba):
    # In float32, 1 - 1e-12 is 1.
    proba = np.asarray(proba, dtype=np.float64)
    return logit(np.clip(proba, _EPSILON, 1 - _EPSILON))


_FIT = {
    "platt": fit_sigmoid,
    "temperature": _fit_temperature,
    "isotonic": _fit_isotonic,
}
EVALUATE = {
    "platt": apply_sigmoid,
    "temperature": apply_sigmoid,
    "isotonic": np.interp,
}
