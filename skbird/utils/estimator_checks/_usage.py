"""Promises about use: in scikit-learn's tools, with metadata, on any machine."""

import sys
from contextlib import contextmanager
from functools import partial
from inspect import signature

import numpy as np
import pandas as pd
from joblib import parallel_config
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from skbird.metrics import macro_roc_auc_scorer
from skbird.utils.estimator_checks._answers import (
    answers,
    assert_same,
    differ,
    learns,
    needs,
    promise,
    raised,
)
from skbird.utils.estimator_checks._level_classifier import LevelClassifier

_TRAINED = 1e-3  # rounding that a training has amplified


@promise
def check_threads(estimator, data):
    """Check that the number of threads changes nothing but rounding."""
    jobs = [n for n in estimator.get_params() if n.rpartition("__")[2] == "n_jobs"]
    found = {}
    for n_threads in (1, 2):
        twin = clone(estimator).set_params(**dict.fromkeys(jobs, n_threads))
        with _threads(n_threads):
            found[n_threads] = answers(twin.fit(data.X, data.Y), data.X)
    assert_same(found[1], found[2], "with two threads", atol=_TRAINED)
    with _threads(1):
        one = answers(twin, data.X)
    assert_same(one, found[2], "with two threads from the same model")


@contextmanager
def _threads(n_threads):
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    try:
        if torch:
            torch.set_num_threads(n_threads)
        with threadpool_limits(n_threads), parallel_config("threading"):
            yield
    finally:
        if torch:
            torch.set_num_threads(before)


@promise
def check_pipeline(estimator, data):
    """Check that a ``Pipeline`` of an estimator answers as it does."""
    pipe = Pipeline([("step", clone(estimator))]).fit(data.X, data.Y)
    alone = answers(estimator.fit(data.X, data.Y), data.X)
    _assert_same_inside(alone, answers(pipe, data.X), "inside a Pipeline")


def _assert_same_inside(alone, inside, when):
    """Compare; a `Pipeline` passes on only the methods that scikit-learn knows."""
    assert inside, f"there are no answers {when}."
    assert_same({name: alone[name] for name in inside}, inside, when)


@promise
def check_search(estimator, data):
    """Check that ``cross_val_score`` and ``GridSearchCV`` work."""
    model = _as_model(estimator)
    files = data.table["path"].to_numpy()
    folds = list(GroupKFold(2).split(files, groups=files))
    scoring = macro_roc_auc_scorer
    scores = cross_val_score(model, data.X, data.Y, cv=folds, scoring=scoring)
    assert np.isfinite(scores).all(), f"the scores are {scores}."
    name = next(iter(estimator.get_params(deep=False)), None)
    value = estimator.get_params(deep=False).get(name)
    name = name if model is estimator else f"step__{name}"
    grid = {name: [value]} if value is not None else {}
    search = GridSearchCV(model, grid, cv=folds, scoring=scoring, error_score="raise")
    found = answers(search.fit(data.X, data.Y), data.X)
    alone = answers(clone(model).fit(data.X, data.Y), data.X)
    _assert_same_inside(alone, found, "from GridSearchCV")


def _as_model(estimator):
    """Return an estimator that scores: transformers need something behind them."""
    if is_classifier(estimator):
        return estimator
    return Pipeline([("step", estimator), ("levels", LevelClassifier(random_state=0))])


@promise
def check_set_output(estimator, data):
    """Check that ``set_output`` makes tables of matrices, and never fails."""
    needs(hasattr(estimator, "transform"), "no transformer")
    matrix = clone(estimator).fit(data.X, data.Y).transform(data.X)
    assert hasattr(estimator, "set_output"), "there is no set_output."
    estimator.set_output(transform="pandas").fit(data.X, data.Y)
    table = estimator.transform(data.X)
    if not isinstance(matrix, np.ndarray) or matrix.ndim != 2:
        assert type(table) is type(matrix), (
            f"with set_output it is {type(table).__name__}, not "
            f"{type(matrix).__name__}."
        )
        return
    assert isinstance(table, pd.DataFrame), (
        f"with set_output(transform='pandas') it is {type(table).__name__}."
    )
    names = list(estimator.get_feature_names_out())
    assert names == list(table), f"get_feature_names_out gives {names[:4]}..."
    np.testing.assert_allclose(table.to_numpy(), matrix)


@promise
def check_metadata_routing(estimator, data):
    """Check that weights reach what asks for them, with routing and without."""
    with config_context(enable_metadata_routing=True):
        estimator.get_metadata_routing()
        routed = answers(clone(estimator).fit(data.X, data.Y), data.X)
    plain = answers(clone(estimator).fit(data.X, data.Y), data.X)
    assert_same(plain, routed, "with metadata routing enabled")
    needs(is_classifier(estimator) and learns(estimator), "takes no weights")
    rng = np.random.default_rng(0)
    weights = {
        "sample_weight": rng.integers(1, 4, len(data.X)).astype(float),
        "label_weight": rng.integers(1, 4, data.Y.shape).astype(float),
    }
    for name, weight in weights.items():
        _check_weight(estimator, data, {name: weight}, plain)


def _check_weight(estimator, data, weight, plain):
    name = next(iter(weight))
    given = answers(clone(estimator).fit(data.X, data.Y, **weight), data.X)
    assert differ(plain, given), f"{name} changes nothing: it does not arrive."
    with config_context(enable_metadata_routing=True):
        asking = _asking(clone(estimator), name)
        routed = answers(clone(asking).fit(data.X, data.Y, **weight), data.X)
        assert_same(given, routed, f"if routing brings {name}")
        pipe = Pipeline([("step", clone(asking))]).fit(data.X, data.Y, **weight)
        inside = answers(pipe, data.X)
        _assert_same_inside(given, inside, f"if a Pipeline routes {name}")
        if _consumers(estimator):
            _check_refuses(clone(estimator), data, weight)


def _check_refuses(estimator, data, weight):
    fit = partial(estimator.fit, data.X, data.Y, **weight)
    assert raised(fit, UnsetMetadataPassedError), (
        f"with routing, {next(iter(weight))} that nothing inside asks for is dropped "
        "without an error."
    )


def _consumers(estimator):
    """Return the estimators inside that take the weights themselves."""
    return [
        value
        for value in estimator.get_params().values()
        if hasattr(value, "set_fit_request")
        and "label_weight" in signature(value.fit).parameters
    ]


def _asking(estimator, name):
    """Let an estimator, or what it wraps, ask for a weight."""
    inner = _consumers(estimator)
    for consumer in inner or [estimator]:
        consumer.set_fit_request(**{name: True})
    return estimator
