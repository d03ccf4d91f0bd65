"""The maths of thresholds: arrays in, a number out."""

import numpy as np


def best_threshold(proba, positive, *, objective, beta=1.0, min_precision=0.9):
    """Choose from which probability on a species counts as present.

    Parameters
    ----------
    proba : ndarray of shape (n,)
        Predictions, not NaN.
    positive : ndarray of bool, shape (n,)
        Whether the species is present; at least once.
    objective, beta, min_precision
        See `ThresholdTuner`.

    Returns
    -------
    threshold : float
        Half-way between the lowest probability that should count as present and the
        next lower one. Infinity if `min_precision` is never reached.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.postprocessing._thresholds import best_threshold
    >>> proba, positive = np.array([0.1, 0.2, 0.6, 0.9]), np.array([0, 0, 1, 1])
    >>> round(best_threshold(proba, positive, objective="f_beta"), 3)
    0.4
    """
    values, index = np.unique(proba, return_inverse=True)
    # Candidates are the distinct probabilities, from the highest on.
    values = values[::-1]
    n_predicted = np.bincount(index)[::-1].cumsum()
    n_hits = np.bincount(index, weights=positive)[::-1].cumsum()
    n_positive = n_hits[-1]
    if objective == "f_beta":
        f_beta = (1 + beta**2) * n_hits / (beta**2 * n_positive + n_predicted)
        best = f_beta.argmax()
    elif objective == "prevalence":
        best = np.abs(n_predicted - n_positive).argmin()
    else:
        precise = np.flatnonzero(n_hits / n_predicted >= min_precision)
        if len(precise) == 0:
            return np.inf
        best = precise[-1]
    if best == len(values) - 1:
        return float(values[best])
    middle = (values[best] + values[best + 1]) / 2
    # Between neighbouring floats there is no middle.
    return float(middle if middle > values[best + 1] else values[best])
