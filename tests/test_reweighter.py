import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import (
    check_do_not_raise_errors_in_init_or_set_params,
    check_estimator_cloneable,
    check_estimator_repr,
    check_estimators_unfitted,
    check_no_attributes_set_in_init,
    check_valid_tag_types,
)

from skbird.metrics import (
    macro_average_precision,
    macro_roc_auc,
    macro_roc_auc_scorer,
)
from skbird.postprocessing import (
    SoundscapeReweighter,
    SoundscapeReweighterCV,
    reweight,
)

P = np.array([[0.8, 0.0], [0.4, 0.2], [0.5, 1.0], [0.6, 0.1]])
FILES = np.array(["a", "a", "b", "a"])


class Container(SimpleNamespace):
    """Has a length and names files, as `Recordings` and `Spectrograms` do."""

    def __len__(self):
        return len(self.paths)


class TableClassifier(ClassifierMixin, BaseEstimator):
    """Multi-label dummy: the probabilities stand in the table's columns p0, p1, ..."""

    def __init__(self, gain=1.0):
        self.gain = gain

    def fit(self, X, y, label_weight=None):
        self.label_weight_ = label_weight
        self.species_ = np.array([f"species{j}" for j in range(np.shape(y)[1])])
        self.classes_ = [np.array([0, 1])] * len(self.species_)
        return self

    def predict_proba(self, X):
        columns = [f"p{j}" for j in range(len(self.species_))]
        return X[columns].to_numpy() ** self.gain


@pytest.fixture
def table():
    return pd.DataFrame(P, columns=["p0", "p1"]).assign(path=FILES)


@pytest.fixture
def truth():
    return np.array([[1, 0], [0, 0], [0, 1], [1, 0]], dtype=np.float32)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("top_rows", "level_of_a"),
    [
        (None, [0.6, 0.1]),
        (1, [0.8, 0.2]),
        (2, [0.7, 0.15]),
        (3, [0.6, 0.1]),
        (99, [0.6, 0.1]),
    ],
)
@pytest.mark.parametrize("level_power", [0.5, 1.0, 2.0])
def test_reweight_multiplies_by_the_level_of_the_file(
    top_rows, level_of_a, level_power
):
    expected = P * np.array(level_of_a) ** level_power
    expected[2] = P[2] ** (1 + level_power)  # alone in its file
    result = reweight(P, FILES, top_rows=top_rows, level_power=level_power)
    np.testing.assert_allclose(result, expected, rtol=1e-12)


def test_power_zero_changes_nothing():
    np.testing.assert_array_equal(reweight(P, FILES, level_power=0), P)


@pytest.mark.parametrize("top_rows", [None, 1, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reweight_ignores_row_order(rng, top_rows, dtype):
    proba = rng.random((200, 7)).astype(dtype)
    files = rng.integers(0, 30, 200)
    order = rng.permutation(200)
    result = np.empty_like(proba)
    result[order] = reweight(proba[order], files[order], top_rows=top_rows)
    np.testing.assert_array_equal(result, reweight(proba, files, top_rows=top_rows))
    assert result.dtype == dtype


@pytest.mark.parametrize("top_rows", [None, 1, 2])
def test_unread_rows_stay_nan_and_count_in_no_mean(top_rows):
    proba = np.vstack([P, np.full((2, 2), np.nan)])
    result = reweight(proba, [*FILES, "a", "only unread"], top_rows=top_rows)
    np.testing.assert_array_equal(result[:4], reweight(P, FILES, top_rows=top_rows))
    assert np.isnan(result[4:]).all()


@pytest.mark.filterwarnings("error")
def test_a_file_that_nobody_could_read_stays_nan_in_silence():
    proba = [[np.nan, np.nan], [0.5, 0.2]]
    expected = [[np.nan, np.nan], [0.25, 0.04]]
    np.testing.assert_allclose(reweight(proba, ["broken", "good"]), expected)


def test_reweight_takes_whole_numbers_for_probabilities():
    np.testing.assert_array_equal(reweight([[1], [0]], ["a", "a"]), [[0.5], [0.0]])


@pytest.mark.parametrize("kernel", [None, (1, 2, 1)])
def test_no_rows_are_reweighted_to_no_rows(kernel):
    assert reweight(np.empty((0, 2)), [], kernel=kernel).shape == (0, 2)


def test_levels_of_long_files_are_exact_in_float32():
    proba = np.full((300_000, 2), 0.1, np.float32)
    result = reweight(proba, np.zeros(len(proba)), level_power=0, level_share=1)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result[0], 0.1, rtol=1e-6)


@pytest.mark.filterwarnings("error")
def test_neighbours_are_found_in_files_that_start_late_and_jitter():
    start = [0.25, 1.29, 2.21, 3.25, 4.25, 7.0]
    proba = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])[:, None]
    smoothed = reweight(
        proba, list("aaaaab"), level_power=0, kernel=(1, 1, 0), start=start
    )
    np.testing.assert_allclose(smoothed[:, 0], [0, 0.1, 0.3, 0.5, 0.7, 1])


def test_of_rows_that_start_together_the_first_is_the_neighbour():
    # 40 rows at 0 s, told apart by their probabilities, then one at 5 s.
    proba = np.append(np.linspace(0.2, 0.8, 40), 0.5)[:, None]
    start = np.append(np.zeros(40), 5.0)
    smoothed = reweight(proba, [0] * 41, level_power=0, kernel=(1, 1, 0), start=start)
    np.testing.assert_allclose(smoothed, np.append(proba[:40], [[0.35]], axis=0))


@pytest.mark.parametrize("value", [-0.01, 1.01, 1.5])
def test_reweight_refuses_what_is_hardly_no_probability(value):
    with pytest.raises(ValueError, match=rf"proba is {value} at row 1, column 0"):
        reweight([[0.5], [value]], ["a", "a"])


def test_reweight_takes_any_names_for_files():
    for groups in ([1, 1, 0, 1], pd.Series(list("aaba")), [Path(f) for f in FILES]):
        np.testing.assert_array_equal(reweight(P, groups), reweight(P, FILES))


def test_reweight_leaves_its_input_alone():
    before = P.copy()
    reweight(P, FILES)
    np.testing.assert_array_equal(P, before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"proba": P[:, 0]}, r"proba has shape \(4,\)"),
        ({"proba": P * 3}, "proba is 2.4 at row 0, column 0"),
        ({"groups": FILES[:3]}, "there are 4 rows"),
        ({"groups": ["a", None, "a", "b"]}, "missing .* at row 1"),
        ({"top_rows": 0}, "'top_rows' parameter of reweight"),
        ({"level_power": -1.0}, "'level_power' parameter of reweight"),
        (
            {"level_power": [1.0, -1.0]},
            r"level_power=\[1.0, -1.0\] must be in \[0, inf\]",
        ),
        (
            {"level_power": [1.0] * 3},
            r"level_power has shape \(3,\).*array of shape \(2,\)",
        ),
        ({"level_share": 1.1}, "'level_share' parameter of reweight"),
        ({"level_share": [0.5, 1.1]}, r"level_share=\[0.5, 1.1\] must be in \[0, 1\]"),
        ({"level_share": [0.5, np.nan]}, r"level_share=.* must be in \[0, 1\]"),
        ({"kernel": (1, 1)}, "kernel=.* an odd number of weights"),
        ({"kernel": [[1]]}, "kernel=.* an odd number of weights"),
        ({"kernel": (1, 2, -1)}, "kernel=.* weights of 0 and more"),
        ({"kernel": (1, 2, np.inf)}, "kernel=.* finite weights"),
        ({"kernel": (1, 0, 1)}, "kernel=.* in the middle.* above 0"),
        ({"kernel": [1], "start": [0, 5]}, r"start has shape \(2,\).* 4 rows"),
        ({"kernel": [1], "start": [0, 5, np.inf, 1]}, "start has .*infinities: True"),
    ],
)
def test_reweight_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        reweight(**{"proba": P, "groups": FILES} | arguments)


def reweight_row_by_row(
    proba, files, top_rows, level_power, level_share, kernel, start
):
    """The formula of the docstring, one entry at a time."""
    n_rows, n_species = proba.shape
    half = len(kernel) // 2
    smoothed, result = np.full_like(proba, np.nan), np.full_like(proba, np.nan)
    for i in range(n_rows):
        for j in range(n_species):
            total = weight = 0
            for k in np.flatnonzero(files == files[i]):
                offset = round((start[k] - start[i]) / 5)
                if abs(offset) <= half and not np.isnan(proba[k, j]):
                    total += kernel[half + offset] * proba[k, j]
                    weight += kernel[half + offset]
            if not np.isnan(proba[i, j]):
                smoothed[i, j] = total / weight
    for i in range(n_rows):
        for j in range(n_species):
            own = smoothed[files == files[i], j]
            level = np.mean(np.sort(own[~np.isnan(own)])[::-1][:top_rows])
            if not np.isnan(smoothed[i, j]):
                multiplied = smoothed[i, j] * level ** level_power[j]
                result[i, j] = (1 - level_share[j]) * multiplied + level_share[
                    j
                ] * level
    return result


@pytest.fixture
def night(rng):
    """Rows of five soundscapes in any order, with gaps, some of them unreadable."""
    files = np.repeat(list("abcde"), 8)
    start = np.tile(np.arange(8) * 5.0, 5) + np.repeat([0, 600, 0, 7.5, 0], 8)
    proba = rng.random((40, 3))
    proba[[3, 17, 18]] = np.nan
    proba[20, 1] = np.nan
    rows = rng.permutation(40)[:33]
    return proba[rows], files[rows], start[rows]


@pytest.mark.parametrize("top_rows", [None, 1, 3])
@pytest.mark.parametrize("level_power", [[0.0, 0.0, 0.0], [1.0, 0.5, 2.0]])
@pytest.mark.parametrize("level_share", [[0.0, 0.0, 0.0], [0.2, 1.0, 0.0]])
@pytest.mark.parametrize("kernel", [(1,), (1, 2, 1), (0.4, 0, 0.3, 0.2, 0.1)])
def test_reweight_is_its_formula(night, top_rows, level_power, level_share, kernel):
    proba, files, start = night
    parameters = {
        "top_rows": top_rows,
        "level_power": level_power,
        "level_share": level_share,
        "kernel": kernel,
    }
    result = reweight(proba, files, start=start, **parameters)
    expected = reweight_row_by_row(proba, files, start=start, **parameters)
    np.testing.assert_allclose(result, expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_number_means_the_same_for_all_species(night, dtype):
    proba, files, start = night
    given = {"kernel": [1, 2, 1], "start": start}
    proba = proba.astype(dtype)
    one = reweight(proba, files, level_power=0.3, level_share=0.2, **given)
    each = reweight(
        proba, files, level_power=[0.3] * 3, level_share=np.full(3, 0.2), **given
    )
    np.testing.assert_array_equal(one, each)
    assert one.dtype == each.dtype == dtype


def test_without_starts_the_rows_of_a_file_are_in_order():
    proba = np.array([[1.0], [0.5], [0.0], [0.5], [0.0]])
    smoothed = reweight(proba, list("aabab"), level_power=0, kernel=(1, 2, 1))
    np.testing.assert_allclose(smoothed[:, 0], [2.5 / 3, 2.5 / 4, 0, 1.5 / 3, 0])


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        ((1, 2, 1), [2.5 / 3, 2 / 3, 1 / 3, 2 / 3]),
        ((0, 1, 2, 0, 0), [1, 2 / 3, 0, 2 / 3]),
        ((1, 0, 0, 1, 0, 0, 1), [1, 0.25, 0.25, 1]),
    ],
)
def test_rows_on_both_sides_of_a_gap_are_no_neighbours(kernel, expected):
    proba, start = np.array([[1.0], [0.5], [0.0], [1.0]]), [0, 5, 20, 25]
    smoothed = reweight(proba, list("aaaa"), level_power=0, kernel=kernel, start=start)
    np.testing.assert_allclose(smoothed[:, 0], expected)


def test_each_file_has_its_step_which_may_jitter(rng):
    proba, files = rng.random((12, 2)), np.repeat(list("ab"), 6)
    start = np.concatenate([np.arange(6) * 2.5, 100 + np.arange(6) * 10.0])
    given = {"level_power": 0, "kernel": (1, 2, 4, 2, 1)}
    np.testing.assert_array_equal(
        reweight(proba, files, start=start + rng.uniform(-0.2, 0.2, 12), **given),
        reweight(proba, files, **given),
    )


def test_short_files_and_rows_of_the_same_start_keep_their_step():
    proba = np.array([[1.0], [0.0], [1.0], [0.0], [1.0], [0.5], [0.0], [0.5]])
    start = [0, 5, 600, 605, 0, 0, 5, 5]
    smoothed = reweight(
        proba, list("aabbcccc"), level_power=0, kernel=(1, 2, 1), start=start
    )
    expected = [2 / 3, 1 / 3, 2 / 3, 1 / 3, 2 / 3, 1 / 3, 1 / 3, 2 / 3]
    np.testing.assert_allclose(smoothed[:, 0], expected)


def test_rows_without_a_start_begin_with_the_file():
    proba = np.array([[0.0], [1.0], [0.5]])
    given = {"level_power": 0, "kernel": (1, 2, 1)}
    smoothed = reweight(proba, list("aab"), start=[5.0, np.nan, np.nan], **given)
    np.testing.assert_allclose(smoothed[:, 0], [1 / 3, 2 / 3, 0.5])


def test_recipes_of_winners_are_special_cases(rng):
    by_file = rng.random((10, 6, 4))
    proba, files = by_file.reshape(60, 4), np.repeat(np.arange(10), 6)
    plus_mean = by_file + 0.2 * by_file.mean(axis=1, keepdims=True)
    result = reweight(proba, files, level_power=0, level_share=0.2 / 1.2)
    np.testing.assert_allclose(1.2 * result, plus_mean.reshape(60, 4))
    plus_neighbours = by_file[:, 1:-1] + 0.5 * (by_file[:, :-2] + by_file[:, 2:])
    result = reweight(proba, files, level_power=0, kernel=(1, 2, 1)).reshape(10, 6, 4)
    np.testing.assert_allclose(2 * result[:, 1:-1], plus_neighbours)


def test_reweighter_is_reweight_around_the_estimator(table, truth):
    model = SoundscapeReweighter(TableClassifier(), top_rows=2, level_power=0.5)
    result = model.fit(table, truth).predict_proba(table)
    np.testing.assert_array_equal(
        result, reweight(P, FILES, top_rows=2, level_power=0.5)
    )
    assert model.score(table, truth) == macro_roc_auc(truth, result)
    spelled = table.assign(path=["a", "./a", "b", Path("a").absolute()])
    np.testing.assert_array_equal(model.predict_proba(spelled), result)


@pytest.mark.parametrize(
    "X",
    [
        ["x/a.ogg", Path("x/a.ogg"), "b.ogg", "x/a.ogg"],
        np.array(["x/a.ogg", "x/a.ogg", "b.ogg", "x/a.ogg"]),
        pd.Series(["x/a.ogg", "x/a.ogg", "b.ogg", "x/a.ogg"], index=[3, 1, 0, 7]),
        Container(paths=np.array(["a", "a", "b", "a"])),
        pd.DataFrame({"path": FILES, "paths": 1, "start": [0, 5, 0, 10]}),
    ],
    ids=["list", "array", "series", "container", "frame"],
)
def test_rows_of_the_same_path_share_a_file(X, truth):
    class Constant(TableClassifier):
        def predict_proba(self, X):
            return P

    model = SoundscapeReweighter(Constant()).fit(X, truth)
    np.testing.assert_array_equal(model.predict_proba(X), reweight(P, FILES))


@pytest.mark.parametrize(
    "X",
    [
        P,
        P[:, 0].tolist(),
        pd.DataFrame(P, columns=["p0", "p1"]),
        pd.DataFrame({"path": ["a", "a", np.nan, "a"]}),
        "a.ogg",
    ],
    ids=["matrix", "numbers", "no path", "missing path", "one string"],
)
def test_unknown_files_are_an_error_that_names_groups(X, truth, table):
    model = SoundscapeReweighter(TableClassifier()).fit(table, truth)
    with pytest.raises(ValueError, match=r"column 'path'.*groups="):
        model.predict_proba(X)


def test_groups_stand_in_for_paths_and_win_over_them(table, truth):
    model = SoundscapeReweighter(TableClassifier()).fit(table, truth)
    expected = reweight(P, [0, 1, 2, 3])
    for X in (table, table.drop(columns="path")):
        result = model.predict_proba(X, groups=[0, 1, 2, 3])
        np.testing.assert_array_equal(result, expected)
    assert model.score(table, truth, groups=FILES) == model.score(table, truth)


def test_lists_of_probabilities_are_understood(rng):
    X = rng.normal(size=(60, 3))
    Y = np.column_stack([X[:, 0] > 0, X[:, 1] > 0, np.zeros(60)]).astype(int)
    forest = RandomForestClassifier(10, random_state=0)
    model = SoundscapeReweighter(forest, level_power=0).fit(X, Y)
    result = model.predict_proba(X, groups=np.arange(60) // 6)
    inner = model.estimator_.predict_proba(X)
    np.testing.assert_array_equal(result[:, :2].T, [inner[0][:, 1], inner[1][:, 1]])
    np.testing.assert_array_equal(result[:, 2], 0)


@pytest.mark.parametrize("level_power", [0, 1.0, 2.0])
def test_predict_thresholds_the_geometric_mean_at_one_half(table, truth, level_power):
    model = SoundscapeReweighter(TableClassifier(), level_power=level_power).fit(
        table, truth
    )
    level = np.array([[0.6, 0.1], [0.6, 0.1], [0.5, 1.0], [0.6, 0.1]])
    expected = (P * level**level_power) ** (1 / (1 + level_power)) >= 0.5 - 1e-12
    np.testing.assert_array_equal(model.predict(table), expected)


@pytest.mark.parametrize("form", ["frame", "container"])
def test_starts_in_x_order_the_rows(truth, form):
    class Constant(TableClassifier):
        def predict_proba(self, X):
            return P

    rows = pd.DataFrame({"path": ["a"] * 4, "start": [10.0, 0.0, 5.0, 15.0]})
    X = rows if form == "frame" else Container(paths=rows["path"], rows=rows)
    model = SoundscapeReweighter(Constant(), level_power=0, kernel=(1, 2, 1)).fit(
        X, truth
    )
    order = [1, 2, 0, 3]
    expected = np.empty_like(P)
    expected[order] = reweight(P[order], list("aaaa"), level_power=0, kernel=(1, 2, 1))
    np.testing.assert_allclose(model.predict_proba(X), expected)


def test_predict_draws_the_line_at_one_half_among_halves(table, truth):
    X = table.assign(p0=0.5, p1=[0.5, 0.5, 0.5, 0.49])
    model = SoundscapeReweighter(
        TableClassifier(),
        level_power=[0.5, 2.0],
        level_share=0.3,
        kernel=(0.001, 1, 0.001),
    ).fit(X, truth)
    assert model.predict(X).tolist() == [[1, 0], [1, 0], [1, 1], [1, 0]]


def test_fitted_attributes_come_from_the_estimator(table, truth):
    model = SoundscapeReweighter(TableClassifier())
    assert not hasattr(model, "n_features_in_")
    model.fit(table, truth)
    assert [c.tolist() for c in model.classes_] == [[0, 1], [0, 1]]
    assert model.species_.tolist() == ["species0", "species1"]
    assert not hasattr(model, "n_features_in_")


def test_names_of_features_and_species_are_passed_on(rng):
    X = pd.DataFrame(rng.random((20, 2)), columns=["f0", "f1"])
    Y = (X > 0.5).astype(int).set_axis(["amerob", "banowl"], axis=1)
    model = SoundscapeReweighter(RandomForestClassifier(3)).fit(X, Y)
    assert model.n_features_in_ == 2
    assert model.feature_names_in_.tolist() == ["f0", "f1"]
    assert model.species_.tolist() == ["amerob", "banowl"]
    assert model.fit(X, Y.to_numpy()).species_.tolist() == [0, 1]


def test_fit_leaves_the_given_estimator_alone_and_passes_parameters_on(table, truth):
    inner = TableClassifier()
    model = SoundscapeReweighter(inner).fit(table, truth, label_weight=truth)
    assert model.estimator_.label_weight_ is truth
    assert not hasattr(inner, "classes_")


def test_frozen_estimator_is_not_fitted_again(table, truth):
    fitted = TableClassifier().fit(table, truth)
    model = SoundscapeReweighter(FrozenEstimator(fitted)).fit(table, 1 - truth)
    assert model.estimator_.estimator is fitted
    assert model.species_.tolist() == ["species0", "species1"]
    np.testing.assert_array_equal(model.predict_proba(table), reweight(P, FILES))


def test_clone_set_params_and_pickle(table, truth):
    pipeline = make_pipeline(FunctionTransformer(), TableClassifier())
    model = SoundscapeReweighter(pipeline, top_rows=1)
    model.set_params(level_power=2.0, estimator__tableclassifier__gain=0.5)
    copy = clone(model)
    assert (copy.top_rows, copy.level_power) == (1, 2.0)
    assert copy.estimator[-1].gain == 0.5
    copy.fit(table, truth)
    again = pickle.loads(pickle.dumps(copy))
    np.testing.assert_array_equal(again.predict_proba(table), copy.predict_proba(table))
    assert b"postprocessing._" not in pickle.dumps(model)


@pytest.fixture
def soundscapes(rng):
    """Twenty files of six rows; a species calls in half of them, and there often."""
    file = np.repeat(np.arange(20), 6)
    at_home = rng.permuted(np.tile([[True, False]], (10, 1)).ravel())[file]
    truth = np.column_stack([at_home, ~at_home]) & (rng.random((120, 2)) < 0.7)
    proba = np.clip(0.35 * truth + 0.65 * rng.random((120, 2)), 0, 1)
    X = pd.DataFrame(proba, columns=["p0", "p1"]).assign(
        path=[f"{f}.ogg" for f in file]
    )
    return X, truth.astype(float)


def test_reweighting_helps_where_species_stay_for_the_whole_file(soundscapes):
    X, Y = soundscapes
    plain, reweighted = (
        cross_val_score(
            SoundscapeReweighter(TableClassifier(), level_power=level_power),
            X,
            Y,
            groups=X["path"],
            cv=GroupKFold(4),
            scoring=macro_roc_auc_scorer,
        ).mean()
        for level_power in (0, 1)
    )
    assert reweighted > plain + 0.02


def test_grid_search_over_its_own_and_inner_parameters(soundscapes):
    X, Y = soundscapes
    search = GridSearchCV(
        SoundscapeReweighter(TableClassifier()),
        {"top_rows": [None, 1], "estimator__gain": [1.0, 2.0]},
        scoring=macro_roc_auc_scorer,
        cv=GroupKFold(4),
    ).fit(X, Y, groups=X["path"])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.predict_proba(X).shape == Y.shape


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"top_rows": 0}, "'top_rows' parameter of SoundscapeReweighter"),
        ({"level_power": -0.1}, "'level_power' parameter of SoundscapeReweighter"),
        ({"estimator": "pipeline"}, "'estimator' parameter of SoundscapeReweighter"),
    ],
)
def test_fit_refuses_bad_parameters(table, truth, parameters, message):
    model = SoundscapeReweighter(**{"estimator": TableClassifier()} | parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(table, truth)


def test_fit_refuses_single_label_targets(table, truth):
    with pytest.raises(ValueError, match=r"y has shape \(4,\).*reshape"):
        SoundscapeReweighter(TableClassifier()).fit(table, truth[:, 0])


def test_fit_refuses_parameters_that_do_not_fit_the_species(table, truth):
    for name in ("level_power", "level_share"):
        model = SoundscapeReweighter(TableClassifier(), **{name: [0.5] * 3})
        with pytest.raises(ValueError, match=rf"{name} has shape \(3,\).*\(2,\)"):
            model.fit(table, truth)


PARAMETERS = ["top_rows", "level_power", "level_share", "kernel"]
NOTHING = {"top_rows": None, "level_power": 0.0, "level_share": 0.0, "kernel": None}


class Memory(TableClassifier):
    """Is right about the rows that it was fitted on, and counts fits."""

    n_fits = 0

    def fit(self, X, y):
        Memory.n_fits += 1
        self.seen_ = set(X["row"])
        return super().fit(X, y)

    def predict_proba(self, X):
        seen = X["row"].isin(self.seen_).to_numpy()
        return np.where(seen[:, None], X[["y0", "y1"]], super().predict_proba(X))


@pytest.fixture
def residents(soundscapes, rng):
    """The soundscapes with starts, rows in any order."""
    X, Y = soundscapes
    X = X.assign(start=np.tile(np.arange(6) * 5.0, 20), row=np.arange(120))
    order = rng.permutation(120)
    return X.assign(y0=Y[:, 0], y1=Y[:, 1]).iloc[order], Y[order]


def test_candidates_are_scored_on_held_out_rows_without_further_fits(residents):
    X, Y = residents
    grid = [
        {"level_power": [0.5, 1.0], "top_rows": [None, 1]},
        {"level_power": [0.0], "level_share": [1 / 3], "kernel": [(1, 2, 1)]},
        {"top_rows": [2]},
    ]
    Memory.n_fits = 0
    model = SoundscapeReweighterCV(Memory(), param_grid=grid).fit(X, Y)
    assert Memory.n_fits == 6
    results = model.search_results_
    assert results[PARAMETERS].to_numpy().tolist() == [
        [None, 0.0, 0.0, None],
        [None, 0.5, 0.0, None],
        [1, 0.5, 0.0, None],
        [None, 1.0, 0.0, None],
        [1, 1.0, 0.0, None],
        [None, 0.0, 1 / 3, (1, 2, 1)],
        [2, 1.0, 0.0, None],
    ]
    held_out = X[["p0", "p1"]].to_numpy()
    expected = [
        macro_roc_auc(Y, reweight(held_out, X["path"], start=X["start"], **params))
        for params in results[PARAMETERS].to_dict("records")
    ]
    np.testing.assert_allclose(results["score"], expected)
    np.testing.assert_allclose(results["gain"], np.array(expected) - expected[0])
    assert model.best_score_ == max(expected) > expected[0] + 0.02
    assert model.best_params_ == results[PARAMETERS].iloc[np.argmax(expected)].to_dict()
    # Fitted on all rows in the end, it knows the truth of all.
    expected = reweight(Y, X["path"], start=X["start"], **model.best_params_)
    np.testing.assert_allclose(model.predict_proba(X), expected)


def test_default_grid_does_not_harm_and_holds_the_recipes(residents):
    X, Y = residents
    model = SoundscapeReweighterCV(TableClassifier()).fit(X, Y)
    assert len(model.search_results_) == 28
    assert model.best_score_ >= model.search_results_["score"].max()
    tried = model.search_results_[PARAMETERS].to_dict("records")
    for recipe in (
        {"level_power": 1.0},
        {"level_power": 1.0, "top_rows": 1},
        {"level_share": 1 / 6, "kernel": (1, 2, 4, 2, 1)},
        {"kernel": (1, 2, 1)},
    ):
        assert NOTHING | recipe in tried


def test_average_precision_can_be_the_aim(residents):
    X, Y = residents
    model = SoundscapeReweighterCV(
        TableClassifier(),
        param_grid={"level_power": [1.0]},
        scoring="average_precision",
    ).fit(X, Y)
    reweighted = reweight(X[["p0", "p1"]].to_numpy(), X["path"])
    assert model.best_score_ == pytest.approx(macro_average_precision(Y, reweighted))


@pytest.fixture
def visitors(rng):
    """Forty files: species 0 stays for a file, 1 is where its files say it is not."""
    file = np.repeat(np.arange(40), 6)
    here = (rng.random((40, 2)) < 0.5)[file]
    truth = (here & (rng.random((240, 2)) < 0.8)).astype(float)
    proba = 0.2 * truth + 0.5 * rng.random((240, 2)) + [0, 0.25] * ~here
    X = pd.DataFrame(proba, columns=["p0", "p1"])
    return X.assign(path=[f"{f}.ogg" for f in file]), truth


def test_what_harms_is_left_undone(visitors):
    X, Y = visitors
    frozen = FrozenEstimator(TableClassifier().fit(X, Y[:, :1]))
    X = X[["path", "p1"]].set_axis(["path", "p0"], axis=1)
    model = SoundscapeReweighterCV(frozen).fit(X, Y[:, [1]])
    assert model.best_params_ == NOTHING
    np.testing.assert_array_equal(model.predict_proba(X), X[["p0"]])
    np.testing.assert_array_equal(model.predict(X), X[["p0"]] >= 0.5)


@pytest.mark.parametrize(
    ("shrinkage", "level_power"), [(0.0, 0.0), (1.0, 0.0), (1e6, 1.0)]
)
def test_gains_of_species_are_shrunk_to_those_of_all(visitors, shrinkage, level_power):
    X, Y = visitors
    X["p2"], Y = X["p0"], np.column_stack([Y, Y[:, 0]])
    frozen = FrozenEstimator(TableClassifier().fit(X, Y))
    model = SoundscapeReweighterCV(
        frozen, param_grid={"level_power": [1.0]}, per_species=True, shrinkage=shrinkage
    ).fit(X, Y)
    params = model.species_params_
    assert params.index.tolist() == ["species0", "species1", "species2"]
    assert params["level_power"].tolist() == [1.0, level_power, 1.0]
    proba = X[["p0", "p1", "p2"]].to_numpy()
    reweighted = reweight(proba, X["path"])
    gains = np.array(
        [
            macro_roc_auc(Y[:, [j]], reweighted[:, [j]])
            - macro_roc_auc(Y[:, [j]], proba[:, [j]])
            for j in range(3)
        ]
    )
    n_files = [X["path"][Y[:, j] > 0].nunique() for j in range(3)]
    assert params["n_files"].tolist() == n_files
    weight = np.array(n_files) / (n_files + np.array(shrinkage))
    shrunk = weight * gains + (1 - weight) * gains.mean()
    np.testing.assert_allclose(params["gain"], np.maximum(shrunk, 0), atol=1e-9)
    expected = np.where(params["level_power"] == 1.0, reweighted, proba)
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    line = np.where(params["level_power"] == 1.0, 0.25, 0.5)
    np.testing.assert_array_equal(model.predict(X), expected >= line)


@pytest.mark.parametrize("shrinkage", [0, 20])
def test_species_that_cannot_be_judged_get_what_serves_all(visitors, shrinkage):
    X, Y = visitors
    X["p1"], Y[:, 1] = 0.5, 0
    frozen = FrozenEstimator(TableClassifier().fit(X, Y))
    model = SoundscapeReweighterCV(
        frozen, param_grid={"level_power": [1.0]}, per_species=True, shrinkage=shrinkage
    ).fit(X, Y)
    assert model.species_params_["level_power"].tolist() == [1.0, 1.0]
    assert model.species_params_["n_files"].tolist()[1] == 0
    assert model.species_params_["gain"].iloc[1] == model.search_results_["gain"][1]


def test_unread_and_unlabelled_rows_are_context_only(residents):
    X, Y = residents
    unread, unlabelled = [0, 7], [3, 11, 50]
    X.iloc[unread, :2] = np.nan
    Y[unlabelled] = -1
    Y[20, 0] = np.nan
    model = SoundscapeReweighterCV(
        TableClassifier(), param_grid={"kernel": [(1, 2, 1)]}
    )
    model.fit(X, Y)
    proba = X[["p0", "p1"]].to_numpy()
    expected = reweight(proba, X["path"], kernel=(1, 2, 1), start=X["start"])
    Y[unread] = -1
    expected_score = macro_roc_auc(Y, np.nan_to_num(expected))
    assert model.search_results_["score"][1] == pytest.approx(expected_score)
    assert model.best_params_["kernel"] == (1, 2, 1)
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    assert np.isnan(expected[unread]).all()
    assert model.score(X, Y) == macro_roc_auc(Y, np.nan_to_num(model.predict_proba(X)))


def test_groups_are_files_if_x_names_none_and_folds_if_it_does(residents):
    X, Y = residents
    grid = {"level_power": [0.5, 1.0]}
    by_path = SoundscapeReweighterCV(TableClassifier(), param_grid=grid).fit(X, Y)
    unnamed = SoundscapeReweighterCV(TableClassifier(), param_grid=grid)
    unnamed.fit(X.drop(columns="path"), Y, groups=X["path"])
    pd.testing.assert_frame_equal(by_path.search_results_, unnamed.search_results_)
    np.testing.assert_array_equal(
        unnamed.predict_proba(X), unnamed.predict_proba(X, groups=X["path"])
    )
    site = X["path"].str[0]
    Memory.n_fits = 0
    SoundscapeReweighterCV(Memory(), cv=LeaveOneGroupOut()).fit(X, Y, groups=site)
    assert Memory.n_fits == site.nunique() + 1


def test_search_needs_files_of_several_rows_and_species_that_vary(residents):
    X, Y = residents
    Memory.n_fits = 0
    model = SoundscapeReweighterCV(Memory())
    with pytest.raises(ValueError, match=r"X has 20 rows, each alone in its file"):
        model.fit(X[X["start"] == 0], Y[X["start"] == 0])
    with pytest.raises(ValueError, match=r"X has 120 rows, each .* X or groups must"):
        model.fit(X.drop(columns="path"), Y)
    assert Memory.n_fits == 0
    with pytest.raises(ValueError, match="No species is present in some"):
        SoundscapeReweighterCV(TableClassifier()).fit(X, np.ones_like(Y))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"param_grid": {"tops": [1]}}, r"param_grid has \['tops'\].*'top_rows'"),
        (
            {"param_grid": {"level_power": [-1.0]}},
            "'level_power' parameter of param_grid",
        ),
        (
            {"param_grid": {"level_share": [[0.1, 0.2]]}},
            r"level_share has shape \(2,\).*number\.",
        ),
        ({"param_grid": {"kernel": [(1, 1)]}}, "an odd number of weights"),
        ({"scoring": "f1"}, "'scoring' parameter of SoundscapeReweighterCV"),
        ({"shrinkage": -1}, "'shrinkage' parameter of SoundscapeReweighterCV"),
        ({"cv": KFold(4)}, r"fold 0 on rows of the file .* GroupKFold"),
    ],
)
def test_search_refuses_bad_parameters_before_any_fit(residents, parameters, message):
    Memory.n_fits = 0
    with pytest.raises(ValueError, match=message):
        SoundscapeReweighterCV(Memory(), **parameters).fit(*residents)
    assert Memory.n_fits == 0


def test_searched_reweighter_clones_pickles_and_can_be_searched(residents):
    X, Y = residents
    model = SoundscapeReweighterCV(TableClassifier(), per_species=True, cv=3)
    copy = clone(model).fit(X, pd.DataFrame(Y, columns=["amerob", "banowl"]))
    again = pickle.loads(pickle.dumps(copy))
    np.testing.assert_array_equal(again.predict_proba(X), copy.predict_proba(X))
    assert b"postprocessing._" not in pickle.dumps(copy)
    search = GridSearchCV(
        model,
        {"estimator__gain": [1.0, 2.0]},
        scoring=macro_roc_auc_scorer,
        cv=GroupKFold(3),
    ).fit(X, Y, groups=X["path"])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize(
    "check",
    [
        check_do_not_raise_errors_in_init_or_set_params,
        check_estimator_cloneable,
        check_estimator_repr,
        check_estimators_unfitted,
        check_no_attributes_set_in_init,
        check_valid_tag_types,
    ],
)
def test_estimator_conventions(check):
    check("SoundscapeReweighter", SoundscapeReweighter(RandomForestClassifier()))


def test_tags_say_multilabel():
    tags = get_tags(SoundscapeReweighter(TableClassifier()))
    assert tags.classifier_tags.multi_label
    assert tags.target_tags.multi_output
    assert not tags.classifier_tags.multi_class
