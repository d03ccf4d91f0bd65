"""The answers of estimators, row by row, in a form that can be compared."""

import functools
import os
import warnings
from inspect import cleandoc, signature
from unittest import SkipTest

import numpy as np
import pandas as pd
from sklearn.base import clone, is_classifier
from sklearn.utils import get_tags

from skbird.utils.estimator_checks._data import CheckData

# Those of an estimator's methods that say something of each row.
METHODS = ("transform", "predict_proba", "predict", "predict_set", "embed")

_PARAMETERS = """Parameters
----------
estimator : estimator
    Not fitted; a clone of it is checked.
data : CheckData, default=None
    What it is checked on. None: see :meth:`CheckData.for_estimator`.

Raises
------
AssertionError
    If it breaks the promise.
unittest.SkipTest
    If the check is not about this kind of estimator.
"""


def promise(check):
    """Turn a function of an estimator and data into a check.

    The check works on a clone with seeds, and on data of its own: without `data`, on
    those that the estimator takes. Whatever goes wrong becomes an AssertionError that
    names the estimator, the promise (the first line of the docstring, without "Check
    that") and what was seen.
    """

    @functools.wraps(check)
    def checked(estimator, data=None):
        data = CheckData.for_estimator(estimator) if data is None else data.copy()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                check(seeded(clone(estimator)), data)
        except SkipTest:
            raise
        except Exception as exc:
            seen = str(exc)
            if not isinstance(exc, AssertionError):
                seen = f"{type(exc).__name__}: {exc}"
            raise AssertionError(
                f"{name_of(estimator)} breaks a promise.\n"
                f"  {check.__name__}: {_promise_of(check)}\n"
                f"  Seen: {seen}"
            ) from exc

    checked.__signature__ = signature(checked, follow_wrapped=False)
    checked.__doc__ = f"{cleandoc(check.__doc__)}\n\n{_PARAMETERS}"
    return checked


def _promise_of(check):
    promise = check.__doc__.splitlines()[0].removeprefix("Check that ")
    return promise[0].upper() + promise[1:]


def name_of(estimator):
    """Return the name of an estimator, and of what it wraps."""
    inner = getattr(estimator, "estimator", None)
    name = type(estimator).__name__
    return name if inner is None else f"{name}({name_of(inner)})"


def seeded(estimator):
    """Set what seeds of an estimator are None, so that its answers can be compared."""
    seeds = {
        name: 0
        for name, value in estimator.get_params().items()
        if name.rpartition("__")[2] == "random_state" and value is None
    }
    return estimator.set_params(**seeds) if seeds else estimator


def needs(condition, reason):
    """Skip the check unless the estimator is of a kind that it is about."""
    if not condition:
        raise SkipTest(reason)


def learns(estimator):
    """Return whether `fit` learns from Y: compiled models are fitted already.

    Input tags with ``target_tags.required`` False are of classifiers that Y tells no
    more than the names of the species.
    """
    is_taught = not is_classifier(estimator) or get_tags(estimator).target_tags.required
    return (
        is_taught
        and "y" in signature(estimator.fit).parameters
        and not getattr(estimator, "__sklearn_is_fitted__", bool)()
    )


def row_values(output):
    """Return what an output holds of each row.

    Parameters
    ----------
    output : Recordings, Spectrograms, DataFrame, array, or sequence of paths

    Returns
    -------
    dict of list of length n_rows
        Arrays under the names of what they are; None for rows that cannot be read.
    """
    if hasattr(output, "ops"):
        return _clip_values(output)
    if hasattr(output, "segment_rows"):
        return _spectrogram_values(output)
    if _holds_paths(output):
        return _clip_values(_recordings(output))
    return {"values": list(np.asarray(output))}


def main_values(X):
    """Yield an array for each row: samples, spectrogram or whatever X holds."""
    if hasattr(X, "segment_rows"):
        yield from (X[row] if X.n_frames[row] else None for row in range(len(X)))
    elif holds_recordings(X):
        from skbird.audio import AudioReadError

        recordings = _recordings(X)
        for row in range(len(recordings)):
            try:
                yield recordings[row].samples
            except AudioReadError:
                yield None
    else:
        yield from np.asarray(X)


def _recordings(X):
    from skbird.data import as_recordings

    return as_recordings(X)


def holds_recordings(X):
    """Return whether rows are recordings: `Recordings`, a row table or paths."""
    return hasattr(X, "ops") or _holds_paths(X)


def _holds_paths(output):
    if isinstance(output, pd.DataFrame):
        return "path" in output.columns
    return len(output) > 0 and isinstance(next(iter(output)), (str, os.PathLike))


def _clip_values(recordings):
    from skbird.audio import AudioReadError

    values = {"samples": [], "sample_rate": [], "starts": [], "weights": []}
    for row in range(len(recordings)):
        try:
            clip = recordings[row]
            found = clip.samples, clip.sample_rate, clip.starts, clip.weights
        except AudioReadError:
            found = (None,) * len(values)
        for kept, value in zip(values.values(), found, strict=True):
            kept.append(value)
    return values


def _spectrogram_values(spectrograms):
    bounds = np.searchsorted(
        spectrograms.segment_rows, np.arange(len(spectrograms) + 1)
    )
    readable = spectrograms.n_frames > 0
    frames = [
        np.asarray(spectrograms[row]) if readable[row] else None
        for row in range(len(spectrograms))
    ]
    values = {"frames": frames}
    for name in ("segment_weights", "segment_predict_weights", "segment_starts"):
        parts = np.split(getattr(spectrograms, name), bounds[1:-1])
        parts = parts[: len(spectrograms)]
        values[name] = [p if r else None for p, r in zip(parts, readable, strict=True)]
    return values


def outputs(estimator, X):
    """Return what each method of a fitted estimator gives for X, by method."""
    methods = [name for name in METHODS if hasattr(estimator, name)]
    return {name: getattr(estimator, name)(X) for name in methods}


def answers(estimator, X):
    """Return what a fitted estimator says of each row.

    Returns
    -------
    dict of list of length n_rows
        The `row_values` of all outputs, under "method" or "method name".
    """
    found = {}
    for method, output in outputs(estimator, X).items():
        for name, values in row_values(output).items():
            found[method if name == "values" else f"{method} {name}"] = values
    return found


def take(answers, rows):
    """Return the answers of some rows, in their order."""
    return {name: [values[row] for row in rows] for name, values in answers.items()}


def differ(one, other):
    """Return whether answers differ at all; see `assert_same`."""
    return raised(lambda: assert_same(one, other, "", atol=0), AssertionError)


def raised(call, kinds):
    """Return the exception of these kinds that a call raises, or None."""
    try:
        call()
    except kinds as exc:
        return exc
    return None


def assert_same(before, after, when, *, atol=1e-5):
    """Raise an error that names method and row if answers differ by more than rounding.

    Parameters
    ----------
    before, after : dict of list
        As `answers` gives them.
    when : str
        What lies between the two, for the message.
    atol : float
        Rounding. Labels, which it may flip, are compared only where it is tiny.
    """
    for name, values in before.items():
        if atol > 1e-4 and name in ("predict", "predict_set"):
            continue
        others = after.get(name, [])
        assert len(values) == len(others), (
            f"{name} has {len(values)} rows, and {len(others)} {when}."
        )
        for row, (one, other) in enumerate(zip(values, others, strict=True)):
            assert _is_same(one, other, atol), (
                f"{name} of row {row} is {_short(one)}, and {_short(other)} {when}."
            )


def _is_same(one, other, atol):
    if one is None or other is None:
        return one is other
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape:
        return False
    if one.dtype.kind not in "fiub":
        return bool((one == other).all())
    if atol == 0:
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    return np.allclose(one, other, rtol=atol, atol=atol, equal_nan=True)


def is_unreadable(value):
    """Return whether an answer says that its row could not be read."""
    if value is None:
        return True
    value = np.asarray(value)
    return value.dtype.kind == "f" and value.size > 0 and bool(np.isnan(value).all())


def _short(value):
    if value is None:
        return "unreadable"
    value = np.asarray(value)
    text = np.array2string(value.ravel()[:4], precision=6, separator=", ")
    return text if value.size <= 4 else f"{text[:-1]}, ...] of shape {value.shape}"
