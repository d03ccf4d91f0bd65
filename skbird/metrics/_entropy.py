import numpy as np
from numpy.typing import ArrayLike

from skbird.utils._proba import check_proba


def prediction_entropy(proba: ArrayLike) -> np.ndarray:
    """Compute how uncertain the predictions of each row are.

    The mean over the species of the binary entropy ``-p log2(p) - (1-p) log2(1-p)``.

    Parameters
    ----------
    proba : array-like or DataFrame of shape (n_rows, n_species)
        Probabilities.

    Returns
    -------
    ndarray of shape (n_rows,)
        In bits, from 0 (all 0 or 1) to 1 (all 0.5); NaN for rows that are NaN.

    Raises
    ------
    ValueError
        If a value is outside [0, 1].

    See Also
    --------
    skbird.nn.Curriculum : Can start with the rows that a teacher was sure of.

    Examples
    --------
    >>> from skbird.metrics import prediction_entropy
    >>> prediction_entropy([[0.5, 0.5], [0.01, 0.99]]).round(3)
    array([1.   , 0.081])
    """
    proba = check_proba(proba, np.float64)
    inside = np.clip(proba, 1e-12, 1 - 1e-12)
    entropy = -inside * np.log2(inside) - (1 - inside) * np.log2(1 - inside)
    return np.where((proba == 0) | (proba == 1), 0.0, entropy).mean(axis=1)
