"""Promises about rows: as many, in the same order, each by itself."""

import os

import numpy as np
import pandas as pd
from sklearn.base import clone

from skbird.utils.estimator_checks._answers import (
    answers,
    assert_same,
    is_unreadable,
    needs,
    outputs,
    promise,
    raised,
    row_values,
    take,
)


@promise
def check_keeps_rows(estimator, data):
    """Check that as many rows come out as go in."""
    estimator.fit(data.X, data.Y)
    found = outputs(estimator, data.X)
    if hasattr(estimator, "transform"):
        found["fit_transform"] = clone(estimator).fit_transform(data.X, data.Y)
    assert found, "the estimator has none of the methods that answer for rows."
    for method, output in found.items():
        assert len(output) == len(data.X), (
            f"{method} of {len(data.X)} rows returned {len(output)}."
        )


@promise
def check_row_order(estimator, data):
    """Check that answers follow their rows, in whatever order these come."""
    estimator.fit(data.X, data.Y)
    order = np.random.default_rng(0).permutation(len(data.X))
    shuffled = answers(estimator, data.rows(order))
    whole = answers(estimator, data.X)
    assert_same(take(whole, order), shuffled, "if rows come in another order")


@promise
def check_subset_of_rows(estimator, data):
    """Check that the answer for a row does not depend on other rows."""
    _check_subset(estimator, data, np.arange(1, len(data.X), 3), "among fewer rows")


@promise
def check_subset_of_files(estimator, data):
    """Check that the answers for a file do not depend on other files."""
    files = data.table["path"].unique()[1::2]
    rows = np.flatnonzero(data.table["path"].isin(files))
    _check_subset(estimator, data, rows, "among fewer files")


def _check_subset(estimator, data, rows, when):
    estimator.fit(data.X, data.Y)
    whole = take(answers(estimator, data.X), rows)
    assert_same(whole, answers(estimator, data.rows(rows)), when)


@promise
def check_containers(estimator, data):
    """Check that lists, arrays, Series and tables, of any index, are the same."""
    needs(data.takes_recordings, "takes no paths")
    estimator.fit(data.X, data.Y)
    shuffled = data.X.set_axis([f"row {n}" for n in range(len(data.X))], axis=0)
    twin = clone(estimator).fit(shuffled, data.Y.set_axis(shuffled.index, axis=0))
    assert_same(
        answers(estimator, data.X), answers(twin, shuffled), "with another index"
    )
    paths = list(dict.fromkeys(data.table["path"]))
    from_list = answers(estimator, paths)
    for name, X in {
        "an array": np.array(paths),
        "an array of objects": np.array(paths, dtype=object),
        "a Series": pd.Series(paths, index=range(5, 5 + len(paths))),
        "a tuple": tuple(paths),
        "a DataFrame": pd.DataFrame({"path": paths}),
    }.items():
        when = f"from {name} in place of a list"
        assert_same(from_list, answers(estimator, X), when)


@promise
def check_no_rows(estimator, data):
    """Check that no rows give an answer of no rows."""
    estimator.fit(data.X, data.Y)
    for method, output in outputs(estimator, data.rows([])).items():
        assert len(output) == 0, f"{method} returned {len(output)} rows."
        if method in ("predict_proba", "predict"):
            expected = (0, data.Y.shape[1])
            assert np.shape(output) == expected, (
                f"{method} returned shape {np.shape(output)}, not {expected}."
            )


@promise
def check_unreadable_rows(estimator, data):
    """Check that rows that cannot be read are NaN, and cost no other row."""
    params = [n for n in estimator.get_params() if n.rpartition("__")[2] == "on_error"]
    estimator.set_params(**dict.fromkeys(params, "skip")).fit(data.X, data.Y)
    clean = answers(estimator, data.X)
    X, unreadable = data.beside_unreadable()
    mixed = answers(estimator, X)
    for name, values in clean.items():
        for row, value in enumerate(values):
            assert not is_unreadable(value), f"{name} of row {row}, a good one, is NaN."
    beside = take(mixed, np.flatnonzero(~unreadable))
    assert_same(clean, beside, "beside rows that cannot be read", atol=0)
    for name, values in mixed.items():
        if name.split()[0] in ("predict", "predict_set"):
            continue  # labels cannot be NaN
        for row in np.flatnonzero(unreadable):
            assert is_unreadable(values[row]), (
                f"{name} of row {row}, which cannot be read, is {values[row]}."
            )
    if params:
        _check_raises(estimator, params, X)


def _check_raises(estimator, params, X):
    """With on_error="raise" the error names a file."""
    from skbird.audio import AudioReadError

    estimator.set_params(**dict.fromkeys(params, "raise"))
    exc = raised(lambda: answers(estimator, X), AudioReadError)
    assert exc is not None, "with on_error='raise' nothing was raised."
    assert any(os.path.basename(path) in str(exc) for path in X["path"]), (
        f"with on_error='raise' the error names no file: {exc}"
    )


@promise
def check_keeps_duration(estimator, data):
    """Check that no step removes sound: rows stay as long as they are."""
    needs(hasattr(estimator, "transform"), "no transformer")
    estimator.fit(data.X, data.Y)
    found = estimator.transform(data.X)
    seconds = (data.table["end"] - data.table["start"]).to_numpy()
    if hasattr(found, "ops"):
        lasting, tolerance = np.array([clip.duration_s for clip in found]), 0.01
    else:
        needs(hasattr(found, "n_frames"), "gives neither sound nor spectrograms")
        lasting, tolerance = found.n_frames * found.format.frame_s, 0.1
    for row, (before, after) in enumerate(zip(seconds, lasting, strict=True)):
        assert abs(before - after) <= tolerance, (
            f"row {row} was {before:.2f} s long and is {after:.2f} s."
        )


@promise
def check_segment_weights(estimator, data):
    """Check that segments weigh 0 to 1, and never 0 throughout a row."""
    needs(hasattr(estimator, "transform"), "no transformer")
    found = {"fit_transform": clone(estimator).fit_transform(data.X, data.Y)}
    found["transform"] = estimator.fit(data.X, data.Y).transform(data.X)
    for method, output in found.items():
        for name, rows in row_values(output).items():
            if not name.endswith("weights"):
                continue
            for row, weights in enumerate(rows):
                what = f"{method} gives the segments of row {row} the {name} {weights}"
                assert ((weights >= 0) & (weights <= 1)).all(), f"{what}."
                assert (weights > 0).any(), f"{what}: none is left."
