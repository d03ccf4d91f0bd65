"""The maths of reweighting: arrays in, arrays out."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

PARAMETER_CONSTRAINTS = {
    "top_k": [None, Interval(Integral, 1, None, closed="left")],
    "power": [Interval(Real, 0, None, closed="left")],
}


def reweight(proba, groups, *, top_k=None, power=1.0):
    r"""Multiply each probability by the species' level in the whole file.

    .. math:: \hat p_{ij} = p_{ij} \,
              \Big(\frac{1}{|T|} \sum_{k \in T} p_{kj}\Big)^{power}

    where T holds the `top_k` rows of the file of row i with the highest probability
    of species j, or all its rows.

    Parameters
    ----------
    proba : array-like of shape (n_rows, n_species)
        Probabilities in [0, 1]. NaN (unreadable rows) stay NaN and count in no mean.
    groups : array-like of shape (n_rows,)
        Which file a row is from: any names or numbers, in any order.
    top_k : int >= 1, default=None
        How many rows of a file to average. None: all. 1: the file's maximum, which
        does not punish a species for calling only once. Files with fewer rows use
        those they have.
    power : float >= 0, default=1.0
        0 changes nothing; more than 1 silences doubtful files further.

    Returns
    -------
    reweighted : ndarray of shape (n_rows, n_species)
        In [0, 1], at most `proba`. A row alone in its file gets ``p ** (1 + power)``.

    Raises
    ------
    ValueError
        If shapes differ, a group is missing or values are outside [0, 1].

    References
    ----------
    Sydorskyi et al., second place of BirdCLEF 2025 (Kaggle), for ``top_k=1``.

    Examples
    --------
    >>> from skbird.postprocessing import reweight
    >>> reweight([[0.8], [0.4], [0.5]], ["a.ogg", "a.ogg", "b.ogg"])
    array([[0.48],
           [0.24],
           [0.25]])
    """
    validate_parameter_constraints(
        PARAMETER_CONSTRAINTS, {"top_k": top_k, "power": power}, "reweight"
    )
    proba = _check_proba(proba)
    file_of_row = _file_numbers(groups, len(proba))
    result = np.empty_like(proba)
    # Files with as many rows as each other form one block (n_files, n_rows, n_species),
    # so the loop runs over the few distinct lengths, not over files or rows.
    by_file = np.argsort(file_of_row, kind="stable")
    n_rows_of_file = np.bincount(file_of_row)
    first_of_file = np.cumsum(n_rows_of_file) - n_rows_of_file
    for n_rows in np.unique(n_rows_of_file):
        firsts = first_of_file[n_rows_of_file == n_rows]
        rows = by_file[firsts[:, None] + np.arange(n_rows)]
        block = proba[rows]
        result[rows] = block * _top_mean(block, top_k)[:, None] ** power
    return result


def _top_mean(block, top_k):
    """Mean of the `top_k` highest values along axis 1 that are not NaN."""
    # Sorting puts NaN last, and makes the sum independent of the order of rows.
    top = -np.sort(-block, axis=1)[:, :top_k]
    n_heard = np.count_nonzero(~np.isnan(top), axis=1)
    total = np.nansum(top, axis=1, dtype=np.float64)
    mean = np.divide(
        total, n_heard, out=np.full(total.shape, np.nan), where=n_heard > 0
    )
    return mean.astype(block.dtype)


def _check_proba(proba):
    proba = np.asarray(proba)
    if not np.issubdtype(proba.dtype, np.floating):
        proba = proba.astype(np.float64)
    if proba.ndim != 2:
        raise ValueError(
            f"proba has shape {proba.shape}, but (n_rows, n_species) is needed."
        )
    outside = (proba < 0) | (proba > 1)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        raise ValueError(
            f"proba is {proba[row, column]:g} at row {row}, column {column}; "
            "probabilities must be in [0, 1]. Apply a sigmoid to logits first."
        )
    return proba


def _file_numbers(groups, n_rows):
    """Return the number of each row's file: 0, 1, ... as they appear."""
    groups = np.asarray(groups)
    if groups.shape != (n_rows,):
        raise ValueError(
            f"groups has shape {groups.shape}, but there are {n_rows} rows: pass one "
            "file per row."
        )
    codes, _ = pd.factorize(groups)
    if (codes < 0).any():
        raise ValueError(
            f"groups is missing (None or NaN) at row {np.argmax(codes < 0)}. Name the "
            "file of each row."
        )
    return codes
