"""Checks that every estimator of skbird passes, and yours can too.

scikit-learn's own battery feeds 2-D arrays; for estimators that take recordings it runs
next to nothing. Here are those of its checks that need no input, and the contracts of
skbird on the input that you give: rows stay as they are, fitting changes neither the
input nor later fits, pickles predict the same.
"""

import copy
import pickle
from collections.abc import Callable

import joblib
import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.utils import estimator_checks as sklearn_checks

from skbird.utils._public import set_public_module

__all__ = ["audio_checks", "input_free_checks"]

_INPUT_FREE = (
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_no_attributes_set_in_init",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_mixin_order",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
)


def input_free_checks(estimator):
    """List the checks of scikit-learn that need no input.

    Parameters
    ----------
    estimator : estimator
        Not fitted.

    Returns
    -------
    list of (str, callable)
        Names, and functions without arguments that raise if the check fails. Checks
        that the installed scikit-learn lacks are left out.

    Examples
    --------
    >>> from skbird.preprocessing import Segmenter
    >>> from skbird.utils.estimator_checks import input_free_checks
    >>> for name, check in input_free_checks(Segmenter()):
    ...     check()
    """

    def bind(check: Callable):
        return lambda: check(type(estimator).__name__, copy.deepcopy(estimator))

    found = [(n, getattr(sklearn_checks, n, None)) for n in _INPUT_FREE]
    return [(name, bind(check)) for name, check in found if check is not None]


def audio_checks(estimator, X, Y=None):
    """List the checks of skbird's contracts.

    Parameters
    ----------
    estimator : estimator
        Not fitted, with a fixed ``random_state`` if it has one.
    X : sequence of rows
        What its ``fit`` takes, at least four rows.
    Y : array or DataFrame of shape (n_rows, n_species), optional
        Targets.

    Returns
    -------
    list of (str, callable)
        Names, and functions without arguments that raise if the check fails.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.data import Spectrograms
    >>> from skbird.preprocessing import SpectrogramStatistics
    >>> from skbird.utils.estimator_checks import audio_checks
    >>> X = Spectrograms.from_arrays(np.random.default_rng(0).random((4, 8, 20)))
    >>> for name, check in audio_checks(SpectrogramStatistics(), X):
    ...     check()
    """
    checks = (
        _check_fit_returns_self,
        _check_keeps_rows,
        _check_rows_do_not_depend_on_each_other,
        _check_leaves_input_alone,
        _check_fit_is_repeatable,
        _check_init_params_stay,
        _check_pickle,
    )

    def bind(check):
        return lambda: check(clone(estimator), X, Y)

    names = [check.__name__.removeprefix("_") for check in checks]
    return [(name, bind(c)) for name, c in zip(names, checks, strict=True)]


def _output(estimator, X):
    """Return what an estimator makes of rows."""
    method = "predict_proba" if is_classifier(estimator) else "transform"
    return getattr(estimator, method)(X)


def _values(output):
    """Turn recordings and spectrograms into arrays that can be compared."""
    if hasattr(output, "to_numpy"):
        return output.to_numpy()
    if hasattr(output, "ops"):
        return [clip.samples for clip in output]
    return np.asarray(output)


def _assert_same(first, second):
    first, second = _values(first), _values(second)
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def _take(X, rows):
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _check_fit_returns_self(estimator, X, Y):
    assert estimator.fit(X, Y) is estimator


def _check_keeps_rows(estimator, X, Y):
    assert len(_output(estimator.fit(X, Y), X)) == len(X)


def _check_rows_do_not_depend_on_each_other(estimator, X, Y):
    estimator.fit(X, Y)
    order = np.arange(len(X))[::-1]
    some = order[: len(X) // 2]
    whole = _output(estimator, X)
    _assert_same(whole[order], _output(estimator, _take(X, order)))
    _assert_same(whole[some], _output(estimator, _take(X, some)))


def _check_leaves_input_alone(estimator, X, Y):
    before = joblib.hash(X), joblib.hash(Y)
    _output(estimator.fit(X, Y), X)
    assert (joblib.hash(X), joblib.hash(Y)) == before


def _check_fit_is_repeatable(estimator, X, Y):
    first = _output(clone(estimator).fit(X, Y), X)
    estimator.fit(X, Y)
    _assert_same(first, _output(estimator, X))
    _assert_same(first, _output(estimator.fit(X, Y), X))


def _check_init_params_stay(estimator, X, Y):
    before = clone(estimator).get_params(deep=False)
    estimator.fit(X, Y)
    after = clone(estimator).get_params(deep=False)
    assert before.keys() == after.keys()
    assert {k: repr(v) for k, v in before.items()} == {
        k: repr(v) for k, v in after.items()
    }


def _check_pickle(estimator, X, Y):
    estimator.fit(X, Y)
    loaded = pickle.loads(pickle.dumps(estimator))
    _assert_same(_output(estimator, X), _output(loaded, X))


set_public_module(globals())
