"""Arithmetic on tables of counts."""

import numpy as np


def ratio(part, whole):
    """Divide; where `whole` is 0, return NaN.

    Parameters
    ----------
    part, whole : ndarray of numbers >= 0
        Their shapes must broadcast.

    Returns
    -------
    ndarray of float64
    """
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
