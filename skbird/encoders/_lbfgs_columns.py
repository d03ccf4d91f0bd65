"""L-BFGS for many small problems at once, one for each species.

A logistic regression for each of 200 species reads the same 30,000 rows of features 200
times. Here all species take their steps together, so that one multiplication of
matrices serves them all; yet each has its own step length, memory and end, and gets
what it would get alone.
"""

import numpy as np

_MEMORY = 10  # pairs of steps and changes of the gradient that are kept
_DECREASE = 1e-4  # part of the promised decrease that a step must bring (Armijo)
_MOST_TRIALS = 20
_NARROW_AT = 0.8  # what has ended is left out once only so many species go on
_LEAST_CURVATURE = 1e-10


def minimize_columns(features, loss, coef, strength, tolerance, max_iter):
    """Minimize ``loss(features @ coef) + strength / 2 * |coef|**2`` for each species.

    Parameters
    ----------
    features : object
        With ``forward(coef)``, the scores (n_parts, n_windows, n_species), and
        ``adjoint(gradient)``, from the gradient by the scores to that by `coef`.
    loss : object
        With ``value(scores)``, the loss of each species, (n_species,) float64;
        ``gradient(scores)`` of the shape of the scores; and ``take(species)``, the
        same for some species.
    coef : ndarray of shape (n_parts, n_features + 1, n_species), float32
        Where to begin. The last feature is the constant, which is not held small.
    strength : float > 0
    tolerance : ndarray of shape (n_species,)
        A species ends when no entry of its gradient is larger.
    max_iter : int

    Returns
    -------
    coef : ndarray, as `coef`
    n_iter : ndarray of shape (n_species,), int
        Steps that were taken.

    References
    ----------
    Liu and Nocedal (1989), "On the limited memory BFGS method for large scale
    optimization", Mathematical Programming 45.
    """
    result, n_iter = coef.copy(), np.zeros(coef.shape[-1], np.int64)
    species = np.arange(coef.shape[-1])
    scores = features.forward(coef)
    gradient = _gradient(features, loss, scores, coef, strength)
    active = _largest(gradient) > tolerance
    pairs = []
    for _ in range(max_iter):
        if not active.any():
            break
        if active.mean() < _NARROW_AT:
            result[..., species] = coef
            species, tolerance = species[active], tolerance[active]
            coef, scores, gradient = (a[..., active] for a in (coef, scores, gradient))
            pairs = [[a[..., active] for a in pair] for pair in pairs]
            loss, active = loss.take(active), np.ones(len(species), bool)
        direction = _direction(gradient, pairs)
        change = features.forward(direction)
        line = _ridge_line(coef, direction, strength), _dot(gradient, direction)
        length = _line_search(loss, scores, change, *line, active)
        step = direction * length
        coef = coef + step
        scores = scores + change * length
        before = gradient
        gradient = _gradient(features, loss, scores, coef, strength)
        pairs = [*pairs[1 - _MEMORY :], _pair(step, gradient - before)]
        n_iter[species] += length > 0
        # If no length helps, what is left is rounding.
        active &= (length > 0) & (_largest(gradient) > tolerance)
    result[..., species] = coef
    return result, n_iter


def _gradient(features, loss, scores, coef, strength):
    gradient = features.adjoint(loss.gradient(scores))
    gradient[:, :-1] += np.float32(strength) * coef[:, :-1]
    return gradient


def _pair(step, change):
    """Return a step, the change of the gradient, and what both tell of the bend."""
    curvature, square = _dot(step, change), _dot(change, change)
    # Where nothing moved, or the loss bends down, a step tells nothing.
    tells = curvature > _LEAST_CURVATURE * square
    rate = np.where(tells, 1 / np.maximum(curvature, 1e-30), 0)
    scale = np.where(tells, curvature / np.maximum(square, 1e-30), 1e-3)
    return step, change, rate, scale.astype(np.float32)


def _direction(gradient, pairs):
    """Return the way down that the last steps suggest (two-loop recursion)."""
    if not pairs:
        return -gradient / np.sqrt(_dot(gradient, gradient) + 1e-30).astype(np.float32)
    way, factors = gradient.copy(), []
    for step, change, rate, _ in pairs[::-1]:
        factors.append(np.float32(rate * _dot(step, way)))
        way -= factors[-1] * change
    way *= pairs[-1][-1]
    for (step, change, rate, _), factor in zip(pairs, factors[::-1], strict=True):
        way += (factor - np.float32(rate * _dot(change, way))) * step
    uphill = _dot(gradient, way) <= 0  # only by rounding
    way[..., uphill] = gradient[..., uphill]
    return -way


def _ridge_line(coef, direction, strength):
    """Return slope and curvature of the penalty along the direction."""
    coef, direction = coef[:, :-1], direction[:, :-1]
    return strength * _dot(coef, direction), strength * _dot(direction, direction)


def _line_search(loss, scores, change, ridge, slope, active):
    """Return how far each species goes along its direction; 0 if nothing helps."""
    start = loss.value(scores)
    length, found = np.ones(len(active)), np.zeros(len(active))
    searching = active.copy()
    for _ in range(_MOST_TRIALS):
        value = loss.value(scores + change * np.float32(length))
        value += length * (ridge[0] + length / 2 * ridge[1])
        enough = searching & (value <= start + _DECREASE * length * slope)
        found[enough] = length[enough]
        searching &= ~enough
        if not searching.any():
            break
        # The lowest point of the parabola through both ends, within reason.
        bend = np.maximum(value - start - length * slope, 1e-30)
        lowest = -slope * length**2 / (2 * bend)
        length = np.clip(lowest, 0.1 * length, 0.5 * length)
    return found.astype(np.float32)


def _dot(a, b):
    """Multiply arrays (n_parts, n_features, n_species) for each species: float64."""
    return np.einsum("pfs,pfs->s", a, b, dtype=np.float64)


def _largest(gradient):
    return np.abs(gradient).max(axis=(0, 1))
