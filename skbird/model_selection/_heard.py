"""Rows that a pretrained model inside an estimator may have been trained on."""

import numpy as np
import pandas as pd

from skbird.utils._nested import parts_of
from skbird.utils._rows import row_table

# From the best to the worst that can be said.
ANSWERS = ("no", "unknown", "possible", "likely")


def heard_before(estimator, X):
    """Say of rows whether models that a fitted estimator holds were trained on them.

    A pretrained model is known by the method ``heard_before`` of what a step has as
    ``encoder_``, or in models of `load_model` as ``encoder``.

    Parameters
    ----------
    estimator : fitted estimator
    X : the rows

    Returns
    -------
    names : tuple of str
        Of the models; empty if there are none, or X is no table of rows.
    answers : ndarray of int, shape (n_rows,)
        Places in `ANSWERS`: of several models, the worst.
    """
    table = row_table(X)
    encoders = [
        getattr(part, "encoder_", getattr(part, "encoder", None))
        for part in parts_of(estimator)
    ]
    encoders = {id(e): e for e in encoders if hasattr(e, "heard_before")}
    if table is None or not encoders:
        return (), np.zeros(0, dtype=int)
    answers = [
        pd.Categorical(encoder.heard_before(table), categories=ANSWERS).codes
        for encoder in encoders.values()
    ]
    names = dict.fromkeys(encoder.spec.name for encoder in encoders.values())
    return tuple(names), np.max(answers, axis=0).astype(int)


def count_heard(estimator, X):
    """Count the rows that models in a fitted estimator may have been trained on.

    Returns
    -------
    names : tuple of str
        See `heard_before`.
    n_rows : int
        Rows of which "possible" or "likely" is said.
    """
    names, answers = heard_before(estimator, X)
    return names, int((answers >= ANSWERS.index("possible")).sum())


def heard_of_folds(folds, fits, n_rows, index):
    """Gather what the estimators of folds say of their test rows.

    Parameters
    ----------
    folds : list of (train, test)
    fits : list of objects with ``encoders`` and ``heard``
        As `heard_before` returns them for the test rows.
    n_rows : int
    index : Index or None

    Returns
    -------
    names : tuple of str
        Of the pretrained models.
    answers : Series of shape (n_rows,), categorical
        NaN for rows that were not tested.
    """
    answers, names = np.full(n_rows, -1), {}
    for (_, test), fit in zip(folds, fits, strict=True):
        if fit.encoders:
            names |= dict.fromkeys(fit.encoders)
            answers[test] = fit.heard
    heard = pd.Categorical.from_codes(answers, categories=ANSWERS)
    return tuple(names), pd.Series(heard, index, name="heard_before")
