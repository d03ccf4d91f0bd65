"""What tables of counts share."""

import numpy as np


def ratio(part, whole):
    """Divide; NaN where there is nothing to divide by.

    Parameters
    ----------
    part, whole : ndarray of numbers >= 0
        Of shapes that broadcast.

    Returns
    -------
    ndarray of float64
    """
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
