"""Fit the coefficients of probes, and choose how strongly to regularize them."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from skbird.encoders._lbfgs_columns import minimize_columns
from skbird.encoders._window_pooling import RowLoss

#: Values of C among which one is chosen, from strongly to hardly regularized.
CANDIDATES = tuple(float(f"{c:.1g}") for c in np.logspace(-4, 0.5, 10))
_N_FOLDS = 5
_HELD_OUT = 4000  # windows; that many tell candidates apart, further folds take time
_PATIENCE = 2  # candidates in a row that are worse than the best
_LEAST_POSITIVES = 3  # groups that have a species, for most species
_TOLERANCE = 1e-4
_ROUGH = 3e-3  # the same to compare candidates
_SCORES = 1 << 25  # of windows and species at once: 128 MB, a few times over


def fit_coefficients(
    batches, present, total, pooling, C, max_iter, *, start=None, tolerance=_TOLERANCE
):
    """Fit one logistic regression on the pooled scores of windows for each species.

    Parameters
    ----------
    batches : WindowBatches
    present, total : ndarray of shape (n_rows, n_species), float32
        See `RowLoss`. Each species has a weight of both outcomes.
    pooling : OneWindow, LogMeanExp or Attention
    C : float > 0
    max_iter : int
    start : ndarray of shape (n_parts, n_values + 1, n_species), default=None
        Where to begin; None: at the logit of each species' share.
    tolerance : float
        Largest entry of the gradient, relative to the weight of the rarer outcome.

    Returns
    -------
    coef : ndarray of shape (n_parts, n_values + 1, n_species), float32
    n_iter : ndarray of shape (n_species,), int
    """
    n_windows, n_species = len(batches.weights), present.shape[1]
    positive, negative = _outcomes(present, total)
    if start is None:
        shape = pooling.n_parts, len(batches.mean) + 1, n_species
        start = np.zeros(shape, np.float32)
        start[0, -1] = np.log(positive / negative)
    coef, n_iter = start.copy(), np.zeros(n_species, np.int64)
    tolerance = tolerance * np.minimum(positive, negative)
    at_once = max(1, _SCORES // max(1, n_windows * pooling.n_parts))
    for first in range(0, n_species, at_once):
        some = slice(first, first + at_once)
        loss = RowLoss(present[:, some], total[:, some], pooling)
        coef[..., some], n_iter[some] = minimize_columns(
            batches, loss, coef[..., some], 1 / C, tolerance[some], max_iter
        )
    return coef, n_iter


def choose_c(batches, present, total, pooling, groups, max_iter):
    """Choose C by the cross-entropy of groups of rows that were held out.

    Parameters
    ----------
    batches, present, total, pooling, max_iter
        See `fit_coefficients`.
    groups : ndarray of int, shape (n_rows,)

    Returns
    -------
    C : float or None
        None if there are too few groups to tell.
    scores : DataFrame
        ``C`` and ``log_loss``, the mean over held-out labels.
    """
    folds = _inner_folds(present, total, groups, np.diff(batches.bounds))
    if not folds:
        return None, pd.DataFrame(columns=["C", "log_loss"])
    # Rows that are held out weigh nothing, so that the same windows serve all folds:
    # each is a few more columns of one problem.
    inside, outside = (
        [
            np.hstack([of[:, f.species] * (f.is_test == is_test) for f in folds])
            for of in (present, total)
        ]
        for is_test in (False, True)
    )
    held_out = RowLoss(*outside, pooling)
    weight = outside[1].sum(dtype=np.float64)
    coef, scores = None, []
    for C in CANDIDATES:
        coef, _ = fit_coefficients(
            batches, *inside, pooling, C, max_iter, start=coef, tolerance=_ROUGH
        )
        loss = held_out.value(batches.forward(coef)).sum()
        scores.append((C, loss / weight))
        best = min(scores, key=lambda pair: pair[1])
        if len(scores) - scores.index(best) > _PATIENCE:
            break
    return best[0], pd.DataFrame(scores, columns=["C", "log_loss"])


class Fold(NamedTuple):
    """Rows that are held out, and the species that can be judged by them."""

    is_test: np.ndarray  # (n_rows, 1) bool
    species: np.ndarray  # (n_species,) bool


def _inner_folds(present, total, groups, n_windows):
    """Return a list of folds; it is empty if there is too little to judge by."""
    if not present.shape[1]:
        return []
    fold_of_row, n_groups = _deal(present > 0.5 * total, groups)
    if fold_of_row is None or np.median(n_groups) < _LEAST_POSITIVES:
        return []
    folds = []
    for number in range(_N_FOLDS):
        is_test = (fold_of_row == number)[:, None]
        outcomes = _outcomes(present * ~is_test, total * ~is_test)
        if np.minimum(*outcomes).any():
            folds.append(Fold(is_test, np.minimum(*outcomes) > 0))
    n_tested = np.cumsum([n_windows @ fold.is_test for fold in folds])
    return folds[: 1 + np.searchsorted(n_tested, _HELD_OUT)]


def _deal(is_present, groups):
    """Deal groups to folds, those of the same rarest species one after the other.

    Returns
    -------
    fold : ndarray of int, shape (n_rows,)
        None if there are fewer groups than folds.
    n_groups : ndarray of int, shape (n_species,)
        Groups that have each species.
    """
    order = np.argsort(groups, kind="stable")
    _, first, number = np.unique(groups[order], return_index=True, return_inverse=True)
    of_groups = np.logical_or.reduceat(is_present[order], first)
    n_groups = of_groups.sum(axis=0)
    if len(first) < _N_FOLDS:
        return None, n_groups
    by_rarity = np.argsort(n_groups, kind="stable")
    rarest = of_groups[:, by_rarity].argmax(axis=1)
    rarest[~of_groups.any(axis=1)] = len(n_groups)
    fold = np.empty(len(first), np.int64)
    fold[np.argsort(rarest, kind="stable")] = np.arange(len(first)) % _N_FOLDS
    fold_of_row = np.empty(len(groups), np.int64)
    fold_of_row[order] = fold[number]
    return fold_of_row, n_groups


def _outcomes(present, total):
    positive = present.sum(axis=0, dtype=np.float64)
    return positive, total.sum(axis=0, dtype=np.float64) - positive
