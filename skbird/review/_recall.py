"""The share of known calls that thresholds find, with its interval."""

import numpy as np
import pandas as pd

from skbird.utils._bootstrap import JEFFREYS

_COLUMNS = ["n_present", "n_found", "recall", "recall_low", "recall_high"]


def recall_report(present, proba, thresholds, recording, rng, n_bootstrap, confidence):
    """Return a line per species.

    Parameters
    ----------
    present : ndarray of bool, shape (n_rows, n_species)
    proba : ndarray of shape (n_rows, n_species)
        NaN is not found.
    thresholds : ndarray of shape (n_species,)
    recording : ndarray of int, shape (n_rows,)
    rng : RandomState
    n_bootstrap : int
    confidence : float

    Returns
    -------
    DataFrame
        ``n_present``, ``n_found``, ``recall``, ``recall_low``, ``recall_high``: NaN
        where there is no threshold or no call.
    """
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    lines = []
    for is_there, column, threshold in zip(present.T, proba.T, thresholds, strict=True):
        found = column[is_there] >= threshold
        line = [len(found), found.sum()]
        if len(found) and np.isfinite(threshold):
            numbers = np.unique(recording[is_there], return_inverse=True)[1]
            weight = rng.exponential(size=(n_bootstrap, numbers.max() + 1))[:, numbers]
            missed, hit = rng.gamma(JEFFREYS, size=(2, n_bootstrap))
            hit += weight @ found
            missed += weight @ ~found
            line += [found.mean(), *np.quantile(hit / (hit + missed), ends)]
        lines.append(line + [np.nan] * (len(_COLUMNS) - len(line)))
    table = pd.DataFrame(lines, columns=_COLUMNS)
    return table.astype({"n_present": "Int64", "n_found": "Int64"})
