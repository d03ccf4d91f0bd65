"""Run all checks on an estimator, or hand them to pytest one by one."""

import copy
import warnings
from functools import lru_cache, partial
from unittest import SkipTest

from sklearn.utils import estimator_checks as sklearn_checks

from skbird.utils.estimator_checks import _ops, _rows, _state, _targets, _usage
from skbird.utils.estimator_checks._answers import name_of
from skbird.utils.estimator_checks._data import CheckData

CHECKS = (
    _state.check_fit_returns_self,
    _state.check_set_params,
    _state.check_unfitted,
    _rows.check_keeps_rows,
    _rows.check_row_order,
    _rows.check_subset_of_rows,
    _rows.check_subset_of_files,
    _rows.check_containers,
    _rows.check_no_rows,
    _rows.check_unreadable_rows,
    _rows.check_keeps_duration,
    _rows.check_segment_weights,
    _ops.check_frozen_ops,
    _ops.check_measured_series,
    _ops.check_measure_key,
    _ops.check_blocks,
    _state.check_input_stays,
    _state.check_params_stay,
    _state.check_fit_forgets,
    _state.check_same_seed,
    _state.check_global_random_state,
    _state.check_clone,
    _state.check_pickle,
    _usage.check_threads,
    _targets.check_probabilities,
    _targets.check_score,
    _targets.check_species_columns,
    _targets.check_soft_targets,
    _targets.check_unknown_targets,
    _targets.check_unlabeled_rows,
    _usage.check_pipeline,
    _usage.check_search,
    _usage.check_set_output,
    _usage.check_metadata_routing,
)
# Those of scikit-learn's checks that need no input. A version may lack some.
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


def check_audio_estimator(
    estimator, *, make_X=None, expected_failed_checks=None, on_fail="raise"
):
    """Check that an estimator keeps the promises of skbird and of scikit-learn.

    One check unpickles the estimator in a new process. In a script, put this call under
    ``if __name__ == "__main__":``, and the class into a module.

    Parameters
    ----------
    estimator : estimator
        Not fitted. Seeds that are None are set. Give meta-estimators a
        `LevelClassifier` to wrap.
    make_X : callable, default=None
        Turns the row table of recordings into what ``fit`` takes, such as
        ``encoder.transform``; one row each, also for files that cannot be read. None:
        see :meth:`CheckData.for_estimator`.
    expected_failed_checks : dict of str to str, default=None
        Names of checks that this estimator need not pass, and why.
    on_fail : {"raise", "warn", None}, default="raise"
        What to do if a check fails; None only notes it in the result.

    Returns
    -------
    list of dict
        For each check ``check_name``; ``status``: "passed", "failed", "xfail" (as
        expected) or "skipped" (not about this kind of estimator); ``exception``; and
        ``expected_to_fail_reason``.

    Raises
    ------
    AssertionError
        If a check fails and `on_fail` is "raise". The message names the estimator, the
        promise and what was seen.
    ValueError
        If `expected_failed_checks` names no check.

    See Also
    --------
    parametrize_with_audio_checks : The same as a decorator of a pytest function.

    Examples
    --------
    >>> from skbird.utils.estimator_checks import LevelClassifier, check_audio_estimator
    >>> results = check_audio_estimator(LevelClassifier())
    >>> {result["status"] for result in results} == {"passed", "skipped"}
    True
    """
    if on_fail not in ("raise", "warn", None):
        raise ValueError(f"on_fail={on_fail!r} must be 'raise', 'warn' or None.")
    expected = _check_names(expected_failed_checks)
    results = []
    for name, check in _bound_checks(estimator, make_X):
        result = _run(name, check, expected.get(name))
        if result["status"] == "failed" and on_fail == "raise":
            raise result["exception"]
        if result["status"] == "failed" and on_fail == "warn":
            warnings.warn(str(result["exception"]), stacklevel=2)
        results.append(result)
    return results


def _run(name, check, reason):
    status, exception = "passed", None
    try:
        check()
    except SkipTest as exc:
        status, exception = "skipped", exc
    except Exception as exc:
        status, exception = "failed" if reason is None else "xfail", exc
    return {
        "check_name": name,
        "status": status,
        "exception": exception,
        "expected_to_fail_reason": reason,
    }


def parametrize_with_audio_checks(
    estimators, *, make_X=None, expected_failed_checks=None
):
    """Parametrize a pytest function: each check on each estimator is one test.

    Parameters
    ----------
    estimators : list of estimators
        See :func:`check_audio_estimator`.
    make_X : callable, default=None
        See :func:`check_audio_estimator`; the same for all.
    expected_failed_checks : callable, default=None
        Called with an estimator, returns its ``expected_failed_checks``, a dict of
        names of checks and reasons. These are marked as expected to fail.

    Returns
    -------
    decorator
        Decorates a function with one parameter, ``check``, which it must call.

    Examples
    --------
    >>> from skbird.preprocessing import BandPass, Segmenter
    >>> from skbird.utils.estimator_checks import parametrize_with_audio_checks
    >>> @parametrize_with_audio_checks([BandPass(), Segmenter()])
    ... def test_my_steps(check):
    ...     check()
    """
    import pytest

    cases = []
    for estimator in estimators:
        reasons = expected_failed_checks(estimator) if expected_failed_checks else {}
        reasons = _check_names(reasons)
        for name, check in _bound_checks(estimator, make_X):
            failing = pytest.mark.xfail(reason=reasons.get(name, ""))
            marks = [failing] if name in reasons else []
            cases.append(
                pytest.param(check, marks=marks, id=f"{name_of(estimator)}-{name}")
            )
    return pytest.mark.parametrize("check", cases)


def _check_names(expected):
    known = [check.__name__ for check in CHECKS] + [f"sklearn_{n}" for n in _INPUT_FREE]
    unknown = set(expected or ()) - set(known)
    if unknown:
        raise ValueError(
            f"expected_failed_checks names {sorted(unknown)}; the checks are {known}."
        )
    return dict(expected or {})


def _bound_checks(estimator, make_X):
    """Return names and functions without arguments; data are made when one runs."""

    def with_data(check):
        def run():
            check(estimator, _data(estimator, make_X))

        return run

    bound = [(check.__name__, with_data(check)) for check in CHECKS]
    for name in _INPUT_FREE:
        check = getattr(sklearn_checks, name, None)
        if check is not None:
            run = partial(check, type(estimator).__name__)
            bound.append(
                (f"sklearn_{name}", lambda run=run: run(copy.deepcopy(estimator)))
            )
    return bound


def _data(estimator, make_X):
    return _data_made_by(make_X or CheckData.for_estimator(estimator).make_X)


@lru_cache(maxsize=8)
def _data_made_by(make_X):
    return CheckData(make_X)
