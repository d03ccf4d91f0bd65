"""Weighted means over the neighbouring rows of a file."""

import numpy as np
import pandas as pd

from skbird.utils._params import as_floats
from skbird.utils._text import counted


def smooth(proba, file_of_row, kernel, start=None):
    """Average each row with its neighbours in its file.

    Parameters
    ----------
    proba : ndarray of float, shape (n_rows, n_species)
        NaN stays NaN and counts in no mean.
    file_of_row : ndarray of int, shape (n_rows,)
    kernel : array-like of odd length
        Weights from the earliest to the latest neighbour, of any sum.
    start : array-like of shape (n_rows,), default=None
        See `reweight`.

    Returns
    -------
    smoothed : ndarray of shape (n_rows, n_species), dtype of `proba`
    """
    kernel = check_kernel(kernel).astype(proba.dtype)
    half = len(kernel) // 2
    place = _places(file_of_row, start)
    # The files one after the other, so far apart that no kernel reaches the next one.
    place = place + file_of_row * (place.max(initial=0) + half + 1)
    by_place = np.argsort(place, kind="stable")
    sorted_places = place[by_place]
    total = kernel[half] * proba
    weight = np.full_like(proba, kernel[half])
    for offset in range(-half, half + 1):
        if offset == 0:
            continue
        found = np.searchsorted(sorted_places, place + offset)
        found = np.minimum(found, len(place) - 1)
        rows = np.flatnonzero(sorted_places[found] == place + offset)
        neighbours = proba[by_place[found[rows]]]
        heard = ~np.isnan(neighbours)
        total[rows] += kernel[half + offset] * np.where(heard, neighbours, 0)
        weight[rows] += kernel[half + offset] * heard
    return total / weight


def check_kernel(kernel):
    """Return `kernel` as an array, if it is one to smooth with.

    Parameters
    ----------
    kernel : array-like

    Returns
    -------
    ndarray of float, shape (n_weights,)

    Raises
    ------
    ValueError
        If it is not.
    """
    weights = as_floats(kernel, "kernel", np.float64)
    if weights.ndim != 1 or weights.size % 2 == 0:
        raise ValueError(
            f"kernel={kernel!r} has shape {weights.shape}; an odd number of weights is "
            "needed, such as (0.1, 0.2, 0.4, 0.2, 0.1)."
        )
    in_range = (np.isfinite(weights) & (weights >= 0)).all()
    if not in_range or weights[weights.size // 2] == 0:
        raise ValueError(
            f"kernel={kernel!r} must hold finite weights of 0 and more, and in the "
            "middle, for the row itself, one above 0."
        )
    return weights


def _places(file_of_row, start):
    """Count the steps from the first row of a file to each row; a gap is a jump."""
    if start is None:
        return pd.Series(file_of_row).groupby(file_of_row).cumcount().to_numpy(np.int64)
    start = as_floats(start, "start", np.float64)
    if start.shape != file_of_row.shape or np.isinf(start).any():
        raise ValueError(
            f"start has shape {start.shape}, infinities: {np.isinf(start).any()}; "
            "needed is a number of seconds for each of the "
            f"{counted(len(file_of_row), 'row')}."
        )
    # A row without a start is one from the beginning of the file.
    start = np.nan_to_num(start)
    by_time = np.lexsort((start, file_of_row))
    file, distance = file_of_row[by_time], np.diff(start[by_time])
    is_step = (np.diff(file) == 0) & (distance > 0)
    steps = pd.Series(distance[is_step]).groupby(file[1:][is_step]).median()
    step_of_row = steps.reindex(file_of_row, fill_value=1.0).to_numpy()
    first = pd.Series(start).groupby(file_of_row).transform("min").to_numpy()
    return np.rint((start - first) / step_of_row).astype(np.int64)
