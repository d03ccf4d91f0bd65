"""Tables of a cross-validation: what each fold was trained on, and its scores."""

import numpy as np
import pandas as pd
from sklearn.utils import _safe_indexing

from skbird.metrics import species_report
from skbird.model_selection._fold_report import fold_report
from skbird.utils._truth import PRESENT_FROM


def used_folds(folds, unread, sample_weight=None):
    """Return the folds without the rows that were not trained on, or not judged.

    Parameters
    ----------
    folds : list of (train, test), ndarray of int each
    unread : ndarray of bool, shape (n_rows,)
        Rows that no model could predict: none was trained on them either.
    sample_weight : array-like of shape (n_rows,), default=None
        Rows of weight 0 are not trained on.

    Returns
    -------
    list of (train, test), ndarray of int each
    """
    untaught = unread
    if sample_weight is not None:
        untaught = unread | (np.asarray(sample_weight) == 0)
    return [(train[~untaught[train]], test[~unread[test]]) for train, test in folds]


def species_table(Y, proba, folds, used, label_weight=None):
    """Return the scores of each species in each fold.

    Parameters
    ----------
    Y : array-like or DataFrame of shape (n_rows, n_species)
    proba : ndarray of shape (n_rows, n_species)
    folds : list of (train, test)
    used : list of (train, test)
        As `used_folds` returns them.
    label_weight : array-like of shape (n_rows, n_species), default=None
        Labels of weight 0 are not trained on.

    Returns
    -------
    DataFrame indexed by fold and species
    """
    reports = [
        species_report(_safe_indexing(Y, test), proba[test], nan_rows="omit")
        for _, test in folds
    ]
    columns = ["n_rows", "n_positive", "roc_auc", "average_precision"]
    table = pd.concat(dict(enumerate(reports)), names=["fold"])[columns]
    positive = fold_report(Y, used)["n_train_positive"]
    if label_weight is not None:
        hidden = (np.asarray(label_weight) == 0) & (np.asarray(Y) >= PRESENT_FROM)
        hidden = np.concatenate([hidden[train].sum(axis=0) for train, _ in used])
        positive = positive - hidden
    table.insert(0, "n_train_positive", positive)
    return table


def fold_table(used, fits, species, held_out):
    """Return the sizes and the scores of each fold.

    Parameters
    ----------
    used : list of (train, test)
        As `used_folds` returns them.
    fits : list
        With ``fit_s`` and ``predict_s`` of each fold.
    species : DataFrame
        As `species_table` returns it.
    held_out : list of str or None
        What each fold tests, if there are groups.

    Returns
    -------
    DataFrame indexed by fold
    """
    # Of the same species as the ROC-AUC: in others it says nothing.
    species = species.assign(
        average_precision=species["average_precision"].where(species["roc_auc"].notna())
    )
    by_fold = species.groupby("fold")
    table = pd.DataFrame(
        {
            "n_train": [len(train) for train, _ in used],
            "n_test": [len(test) for _, test in used],
            "n_species": by_fold["roc_auc"].count(),
            "macro_roc_auc": by_fold["roc_auc"].mean(),
            "macro_average_precision": by_fold["average_precision"].mean(),
            "fit_s": [fit.fit_s for fit in fits],
            "predict_s": [fit.predict_s for fit in fits],
        },
        index=pd.RangeIndex(len(used), name="fold"),
    )
    if held_out is not None:
        table.insert(0, "held_out", held_out)
    return table


def name_held_out(groups, folds):
    """Say which group each fold tests, or how many groups.

    Parameters
    ----------
    groups : array-like of shape (n_rows,) or None
    folds : list of (train, test)

    Returns
    -------
    list of str or None
    """
    if groups is None:
        return None
    held_out = [pd.unique(np.asarray(groups)[test]) for _, test in folds]
    return [str(g[0]) if len(g) == 1 else f"{len(g)} groups" for g in held_out]
