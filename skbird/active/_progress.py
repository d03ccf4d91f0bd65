"""What a loop of questions and answers has come to, and whether to go on."""

import warnings

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import cohen_kappa_score
from sklearn.model_selection import GroupKFold
from sklearn.utils import _safe_indexing

from skbird.metrics import macro_roc_auc
from skbird.utils._nested import predict_matrix

#: The columns of `history_`.
HISTORY = (
    "n_labeled",
    "n_uncertain",
    "n_recordings",
    "n_species",
    "cost",
    "score",
    "agreement",
    "seconds",
)
_N_FOLDS = 5
_STOP_ROWS = 2000  # from whose predictions it is seen whether these change


def untrained(answered, labeled, recordings):
    """Return the line of a batch before anything is trained.

    Parameters
    ----------
    answered, labeled : boolean ndarray of shape (n_rows,)
    recordings : ndarray of shape (n_rows,)

    Returns
    -------
    dict
    """
    return {
        "n_labeled": 0,
        "n_uncertain": int((answered & ~labeled).sum()),
        "n_recordings": len(np.unique(recordings[answered])),
        "n_species": 0,
        "score": np.nan,
        "agreement": np.nan,
    }


def stop_rows(X, unreadable):
    """Return the rows of a pool whose predictions tell whether to go on.

    They are the same in each batch, whatever is labelled meanwhile.

    Parameters
    ----------
    X : rows of the pool
    unreadable : boolean ndarray of shape (n_rows,)

    Returns
    -------
    rows, as X has them
    """
    rows = np.random.RandomState(0).permutation(len(unreadable))[:_STOP_ROWS]
    return _safe_indexing(X, np.sort(rows[~unreadable[rows]]))


def judge(metric, Y, proba):
    """Return the score of predictions, NaN if no species can be judged.

    Parameters
    ----------
    metric : callable or None
        None: `macro_roc_auc`, without rows that cannot be read.
    Y, proba : array-like of shape (n_rows, n_species)

    Returns
    -------
    float
    """
    if metric is not None:
        return float(metric(Y, proba))
    with warnings.catch_warnings():
        # In the beginning that is so of most species.
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        return float(macro_roc_auc(Y, proba, nan_rows="omit"))


def predict_held_out(estimator, X, Y, groups):
    """Predict each row by a model of rows of other groups.

    Parameters
    ----------
    estimator : estimator
    X, Y : the labelled rows
    groups : ndarray of shape (n_rows,)

    Returns
    -------
    ndarray of shape (n_rows, n_species), or None if there are too few groups
    """
    n_folds = min(_N_FOLDS, len(np.unique(groups)))
    if n_folds < 2:
        return None
    proba = np.full(Y.shape, np.nan)
    for train, test in GroupKFold(n_folds).split(Y, groups=groups):
        model = clone(estimator).fit(_safe_indexing(X, train), _safe_indexing(Y, train))
        proba[test] = predict_matrix(model, _safe_indexing(X, test), Y.shape[1])
    return proba


def agreement(before, after):
    """Return Cohen's kappa of two tables of predictions, species pooled.

    Parameters
    ----------
    before, after : ndarray of shape (n_rows, n_species), or None
        Probabilities; NaN is left out.

    Returns
    -------
    float
        NaN if there is no table, or neither has a species in a row.
    """
    if before is None or after is None or before.shape != after.shape:
        return np.nan
    known = ~np.isnan(before) & ~np.isnan(after)
    first, second = before[known] >= 0.5, after[known] >= 0.5
    if not (first.any() or second.any()) or (first.all() and second.all()):
        return np.nan
    return float(cohen_kappa_score(first, second))


def why_stop(history, patience, tol, min_agreement):
    """Return why there is no need to go on, or None.

    Parameters
    ----------
    history : DataFrame
    patience : int
    tol, min_agreement : float

    Returns
    -------
    {"no_gain", "stable_predictions"} or None
    """
    scores = history["score"].to_numpy(float)
    if len(scores) > patience and not np.isnan(scores).all():
        earlier, latest = scores[:-patience], scores[-patience:]
        is_judged = not (np.isnan(earlier).all() or np.isnan(latest).any())
        if is_judged and latest.max() <= np.nanmax(earlier) + tol:
            return "no_gain"
    agreements = history["agreement"].to_numpy(float)[-patience:]
    if len(agreements) == patience and (agreements >= min_agreement).all():
        return "stable_predictions"
    return None
