import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
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

from skbird.metrics import macro_roc_auc, macro_roc_auc_scorer
from skbird.postprocessing import SoundscapeReweighter, reweight

P = np.array([[0.8, 0.0], [0.4, 0.2], [0.5, 1.0], [0.6, 0.1]])
FILES = np.array(["a", "a", "b", "a"])


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
    ("top_k", "level_of_a"),
    [
        (None, [0.6, 0.1]),
        (1, [0.8, 0.2]),
        (2, [0.7, 0.15]),
        (3, [0.6, 0.1]),
        (99, [0.6, 0.1]),
    ],
)
@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_reweight_multiplies_by_the_level_of_the_file(top_k, level_of_a, power):
    expected = P * np.array(level_of_a) ** power
    expected[2] = P[2] ** (1 + power)  # alone in its file
    result = reweight(P, FILES, top_k=top_k, power=power)
    np.testing.assert_allclose(result, expected, rtol=1e-12)


def test_power_zero_changes_nothing():
    np.testing.assert_array_equal(reweight(P, FILES, power=0), P)


@pytest.mark.parametrize("top_k", [None, 1, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reweight_ignores_row_order(rng, top_k, dtype):
    proba = rng.random((200, 7)).astype(dtype)
    files = rng.integers(0, 30, 200)
    order = rng.permutation(200)
    result = np.empty_like(proba)
    result[order] = reweight(proba[order], files[order], top_k=top_k)
    np.testing.assert_array_equal(result, reweight(proba, files, top_k=top_k))
    assert result.dtype == dtype


@pytest.mark.parametrize("top_k", [None, 1, 2])
def test_unread_rows_stay_nan_and_count_in_no_mean(top_k):
    proba = np.vstack([P, np.full((2, 2), np.nan)])
    result = reweight(proba, [*FILES, "a", "only unread"], top_k=top_k)
    np.testing.assert_array_equal(result[:4], reweight(P, FILES, top_k=top_k))
    assert np.isnan(result[4:]).all()


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
        ({"top_k": 0}, "'top_k' parameter of reweight"),
        ({"power": -1.0}, "'power' parameter of reweight"),
    ],
)
def test_reweight_refuses_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        reweight(**{"proba": P, "groups": FILES} | arguments)


def test_reweighter_is_reweight_around_the_estimator(table, truth):
    model = SoundscapeReweighter(TableClassifier(), top_k=2, power=0.5)
    result = model.fit(table, truth).predict_proba(table)
    np.testing.assert_array_equal(result, reweight(P, FILES, top_k=2, power=0.5))
    assert model.score(table, truth) == macro_roc_auc(truth, result)


@pytest.mark.parametrize(
    "X",
    [
        ["x/a.ogg", Path("x/a.ogg"), "b.ogg", "x/a.ogg"],
        np.array(["x/a.ogg", "x/a.ogg", "b.ogg", "x/a.ogg"]),
        pd.Series(["x/a.ogg", "x/a.ogg", "b.ogg", "x/a.ogg"], index=[3, 1, 0, 7]),
        SimpleNamespace(paths=np.array(["a", "a", "b", "a"])),
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
    model = SoundscapeReweighter(forest, power=0).fit(X, Y)
    result = model.predict_proba(X, groups=np.arange(60) // 6)
    inner = model.estimator_.predict_proba(X)
    np.testing.assert_array_equal(result[:, :2].T, [inner[0][:, 1], inner[1][:, 1]])
    np.testing.assert_array_equal(result[:, 2], 0)


@pytest.mark.parametrize("power", [0, 1.0, 2.0])
def test_predict_thresholds_the_geometric_mean_at_one_half(table, truth, power):
    model = SoundscapeReweighter(TableClassifier(), power=power).fit(table, truth)
    level = np.array([[0.6, 0.1], [0.6, 0.1], [0.5, 1.0], [0.6, 0.1]])
    expected = (P * level**power) ** (1 / (1 + power)) >= 0.5 - 1e-12
    np.testing.assert_array_equal(model.predict(table), expected)


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
    model = SoundscapeReweighter(pipeline, top_k=1)
    model.set_params(power=2.0, estimator__tableclassifier__gain=0.5)
    copy = clone(model)
    assert (copy.top_k, copy.power) == (1, 2.0)
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
            SoundscapeReweighter(TableClassifier(), power=power),
            X,
            Y,
            groups=X["path"],
            cv=GroupKFold(4),
            scoring=macro_roc_auc_scorer,
        ).mean()
        for power in (0, 1)
    )
    assert reweighted > plain + 0.02


def test_grid_search_over_its_own_and_inner_parameters(soundscapes):
    X, Y = soundscapes
    search = GridSearchCV(
        SoundscapeReweighter(TableClassifier()),
        {"top_k": [None, 1], "estimator__gain": [1.0, 2.0]},
        scoring=macro_roc_auc_scorer,
        cv=GroupKFold(4),
    ).fit(X, Y, groups=X["path"])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.predict_proba(X).shape == Y.shape


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"top_k": 0}, "'top_k' parameter of SoundscapeReweighter"),
        ({"power": -0.1}, "'power' parameter of SoundscapeReweighter"),
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
    assert tags.input_tags.one_d_array


def test_import_needs_no_torch():
    code = "import skbird.postprocessing, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
