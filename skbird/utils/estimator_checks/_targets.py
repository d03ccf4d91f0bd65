"""Promises of classifiers: what they make of Y, and how they answer."""

import numpy as np
from sklearn.base import clone, is_classifier

from skbird.metrics import macro_roc_auc
from skbird.utils.estimator_checks._answers import (
    answers,
    assert_same,
    differ,
    learns,
    needs,
    promise,
)

# What is changed in Y: a species that is there, and the rows of a file that has one.
_PRESENT = (3, 0)
_ROWS = [8, 9]


@promise
def check_probabilities(estimator, data):
    """Check that probabilities are (n_rows, n_species), in [0, 1]; labels 0 or 1.

    A label is 1 from a probability of 0.5 on, of ``thresholds_``, or of the parameter
    ``threshold``.
    """
    needs(is_classifier(estimator), "no classifier")
    estimator.fit(data.X, data.Y)
    n_rows, n_species = len(data.X), len(estimator.species_)
    proba = np.asarray(estimator.predict_proba(data.X))
    assert proba.shape == (n_rows, n_species), (
        f"predict_proba has shape {proba.shape}, not {(n_rows, n_species)}."
    )
    assert proba.dtype.kind == "f", f"predict_proba has dtype {proba.dtype}."
    assert ((proba >= 0) & (proba <= 1)).all(), (
        f"predict_proba reaches from {proba.min()} to {proba.max()}."
    )
    labels = np.asarray(estimator.predict(data.X))
    assert labels.shape == proba.shape, f"predict has shape {labels.shape}."
    assert set(np.unique(labels)) <= {0, 1}, f"predict says {np.unique(labels)}."
    own = getattr(estimator, "thresholds_", estimator.get_params().get("threshold"))
    thresholds = [0.5] if own is None else [0.5, own]
    assert any(_is_cut(proba, labels, threshold) for threshold in thresholds), (
        f"predict is not predict_proba from {' or '.join(map(str, thresholds))} on."
    )
    names = list(estimator.species_)
    assert not learns(estimator) or names == list(data.Y), (
        f"species_ is {names}; the columns of Y are {list(data.Y)}."
    )
    classes = [list(pair) for pair in estimator.classes_]
    assert classes == [[0, 1]] * n_species, f"classes_ is {classes}."


def _is_cut(proba, labels, threshold):
    same = (proba >= threshold) == labels
    return bool((same | (proba == threshold)).all())


@promise
def check_score(estimator, data):
    """Check that the score is the macro-averaged ROC-AUC of the probabilities."""
    needs(is_classifier(estimator), "no classifier")
    needs(hasattr(estimator, "score"), "has no score")
    estimator.fit(data.X, data.Y)
    proba = np.asarray(estimator.predict_proba(data.X))
    for Y, when in ((data.Y, ""), (1 - data.Y, " if all labels are turned round")):
        expected = macro_roc_auc(Y, proba, nan_rows="omit")
        score = estimator.score(data.X, Y)
        assert abs(score - expected) < 1e-6, (
            f"score is {score}, and macro_roc_auc {expected}{when}."
        )


@promise
def check_species_columns(estimator, data):
    """Check that each column of probabilities follows its own column of Y."""
    needs(is_classifier(estimator) and learns(estimator), "learns from no labels")
    files = data.table["path"].to_numpy()
    first, second = (files == name for name in np.unique(files)[2:4])
    for column, name in enumerate(data.Y):
        more, fewer = data.Y.copy(), data.Y.copy()
        # Present in all files but one, or in one; what is constant may not be learnt.
        more[name], fewer[name] = 1 - np.float32(first), np.float32(second)
        proba = [_fitted_proba(estimator, data, Y) for Y in (more, fewer)]
        change = np.mean(proba[0] - proba[1], axis=0)
        others = np.abs(np.delete(change, column))
        assert change[column] > others.max(initial=0), (
            f"where {name!r}, column {column} of Y, is present in more rows, the means "
            f"of the columns of predict_proba change by {change}."
        )


@promise
def check_soft_targets(estimator, data):
    """Check that targets may be fractions, which count as such."""
    needs(is_classifier(estimator) and learns(estimator), "learns from no labels")
    soft = _fit(estimator, data, _with(data.Y, _PRESENT, 0.7))
    for value in (0, 1):
        rounded = _fit(estimator, data, _with(data.Y, _PRESENT, value))
        assert differ(soft, rounded), f"a target of 0.7 counts as {value}."


@promise
def check_unknown_targets(estimator, data):
    """Check that targets may be NaN (unknown), which counts as nothing."""
    needs(is_classifier(estimator), "no classifier")
    Y = _with(data.Y, _PRESENT, np.nan)
    _assert_finite(estimator, data, Y)
    needs(learns(estimator), "learns from no labels")
    _assert_weightless(estimator, data, Y, "a target that is NaN")


@promise
def check_unlabeled_rows(estimator, data):
    """Check that rows of targets may be -1 (unlabelled), which is no target.

    Estimators that learn from such rows in another way need not pass.
    """
    needs(is_classifier(estimator), "no classifier")
    Y = _with(data.Y, _ROWS, -1)
    _assert_finite(estimator, data, Y)
    needs(learns(estimator), "learns from no labels")
    absent = _fit(estimator, data, _with(data.Y, _ROWS, 0))
    assert differ(_fit(estimator, data, Y), absent), "a row of -1 counts as absent."
    _assert_weightless(estimator, data, Y, "a row of -1")


def _with(Y, place, value):
    Y = Y.copy()
    place = place if isinstance(place, tuple) else (place, slice(None))
    Y.iloc[place] = value
    return Y


def _fit(estimator, data, Y, **weights):
    return answers(clone(estimator).fit(data.X, Y, **weights), data.X)


def _fitted_proba(estimator, data, Y):
    return np.asarray(clone(estimator).fit(data.X, Y).predict_proba(data.X))


def _assert_finite(estimator, data, Y):
    proba = _fitted_proba(estimator, data, Y)
    assert np.isfinite(proba).all(), f"{np.isnan(proba).sum()} predictions are NaN."


def _assert_weightless(estimator, data, Y, what):
    """Raise an error if weights of entries that are no targets change the answers."""
    light = np.ones(Y.shape)
    heavy = np.where(Y.isna() | (Y == -1), 9.0, light)
    before = _fit(estimator, data, Y, label_weight=light)
    after = _fit(estimator, data, Y, label_weight=heavy)
    assert_same(before, after, f"if {what} weighs more: it is learnt")
