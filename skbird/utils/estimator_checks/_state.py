"""Promises about state: fitting leaves what it is given, and remembers only itself."""

import random
import sys
from functools import partial

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags

from skbird.utils.estimator_checks._answers import (
    answers,
    assert_same,
    needs,
    promise,
    raised,
)
from skbird.utils.estimator_checks._fresh_process import answers_in_fresh_process


@promise
def check_fit_returns_self(estimator, data):
    """Check that ``fit`` returns the estimator itself."""
    found = estimator.fit(data.X, data.Y)
    assert found is estimator, f"fit returned {type(found).__name__} {found!r:.60}."


@promise
def check_input_stays(estimator, data):
    """Check that neither ``fit`` nor what follows changes X or Y."""
    given, before = (data.X, data.Y), (joblib.hash(data.X), joblib.hash(data.Y))
    calls = {"fit": lambda: estimator.fit(*given)}
    calls["an answer"] = lambda: answers(estimator, data.X)
    if hasattr(estimator, "transform"):
        calls["fit_transform"] = lambda: clone(estimator).fit_transform(*given)
    for call, run in calls.items():
        run()
        for name, value, seen in zip("XY", given, before, strict=True):
            assert joblib.hash(value) == seen, f"{call} changed {name}."


@promise
def check_params_stay(estimator, data):
    """Check that neither ``fit`` nor what follows changes any parameter."""
    before = _fingerprints(estimator)
    estimator.fit(data.X, data.Y)
    _assert_same_params(before, _fingerprints(estimator), "fit")
    answers(estimator, data.X)
    _assert_same_params(before, _fingerprints(estimator), "an answer")


def _fingerprints(estimator):
    params = estimator.get_params(deep=False)
    return {k: (repr(v), _hash(v)) for k, v in params.items()}


def _hash(value):
    if hasattr(value, "get_params"):
        # What a pickle holds: a program compiled for this machine may appear.
        return {k: _hash(v) for k, v in value.__getstate__().items()}
    if isinstance(value, (list, tuple)):
        return [_hash(item) for item in value]
    try:
        return joblib.hash(value)
    except Exception:  # what cannot be pickled has only its repr
        return repr(value)


def _assert_same_params(before, after, what):
    assert before.keys() == after.keys(), (
        f"{what} changed the names of the parameters to {list(after)}."
    )
    for name, value in before.items():
        assert after[name] == value, (
            f"{what} changed {name} from {value[0]:.80} to {after[name][0]:.80}"
            + (" (inside)." if value[0] == after[name][0] else ".")
        )


@promise
def check_fit_forgets(estimator, data):
    """Check that fitting again, also after other rows, is as fitting once."""
    once = answers(clone(estimator).fit(data.X, data.Y), data.X)
    estimator.fit(data.X, data.Y)
    twice = answers(estimator.fit(data.X, data.Y), data.X)
    assert_same(once, twice, "after a second fit")
    first_files = np.arange(8)  # whole files with both species
    estimator.fit(data.rows(first_files), data.Y.iloc[first_files])
    again = answers(estimator.fit(data.X, data.Y), data.X)
    assert_same(once, again, "after a fit on other rows")


@promise
def check_same_seed(estimator, data):
    """Check that the same seed gives the same model, whatever else was drawn."""
    _seed_all(1)
    first = answers(clone(estimator).fit(data.X, data.Y), data.X)
    _seed_all(2)
    second = answers(clone(estimator).fit(data.X, data.Y), data.X)
    assert_same(first, second, "from another fit with the same seed")


@promise
def check_global_random_state(estimator, data):
    """Check that no generator that other code shares is drawn from or seeded."""
    before = _global_states()
    answers(estimator.fit(data.X, data.Y), data.X)
    for name, state in _global_states().items():
        seen = before.get(name, state)
        assert state == seen, (
            f"the generator of {name} is in another state than before."
        )


def _seed_all(seed):
    np.random.seed(seed)
    random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def _global_states():
    states = {
        "random": joblib.hash(random.getstate()),
        "numpy.random": joblib.hash(np.random.get_state()),
    }
    if "torch" in sys.modules:
        torch_state = sys.modules["torch"].random.get_rng_state()
        states["torch"] = joblib.hash(torch_state.numpy())
    return states


@promise
def check_clone(estimator, data):
    """Check that a clone has the parameters and nothing of what was learnt."""
    fresh = set(vars(clone(estimator)))
    estimator.fit(data.X, data.Y)
    twin = clone(estimator)
    _assert_same_params(_fingerprints(clone(twin)), _fingerprints(twin), "clone")
    _assert_same_params(_fingerprints(estimator), _fingerprints(twin), "clone")
    learnt = sorted(set(vars(twin)) - fresh)
    assert not learnt, f"the clone of a fitted estimator has {learnt}."


@promise
def check_set_params(estimator, data):
    """Check that ``set_params`` takes what ``get_params`` gives, and nothing else."""
    params = estimator.get_params(deep=False)
    twin = clone(estimator)
    assert twin.set_params(**params) is twin, "set_params does not return self."
    for name, value in params.items():
        found = twin.get_params(deep=False).get(name, "missing")
        assert found is value or joblib.hash(found) == joblib.hash(value), (
            f"after set_params({name}={value!r:.60}) it is {found!r:.60}."
        )
    nested = estimator.get_params(deep=True)
    missing = params.keys() - nested.keys()
    assert not missing, f"get_params(deep=True) lacks {sorted(missing)}."
    exc = raised(lambda: twin.set_params(no_such_parameter=1), (ValueError, TypeError))
    assert exc is not None, "set_params(no_such_parameter=1) raised nothing."
    assert "no_such_parameter" in str(exc), f"the error does not name it: {exc}"


@promise
def check_unfitted(estimator, data):
    """Check that what needs a fit raises NotFittedError without one."""
    needs(get_tags(estimator).requires_fit, "needs no fit")
    needs(not _is_fitted(estimator), "is fitted already")
    for method in ("predict_proba", "predict", "transform"):
        if hasattr(estimator, method):
            answer = partial(getattr(estimator, method), data.X)
            found = raised(answer, NotFittedError)
            assert found is not None, f"{method} answered without a fit."


def _is_fitted(estimator):
    ask = getattr(estimator, "__sklearn_is_fitted__", None)
    return ask is not None and ask()


@promise
def check_pickle(estimator, data):
    """Check that a pickle answers the same in a fresh process."""
    estimator.fit(data.X, data.Y)
    here = answers(estimator, data.X)
    there = answers_in_fresh_process(estimator, data.X)
    assert_same(here, there, "from a pickle in a fresh process")
