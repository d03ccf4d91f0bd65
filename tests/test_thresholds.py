import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import f1_score, fbeta_score, make_scorer, precision_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import KNeighborsClassifier

from skbird.ensemble import FoldEnsemble
from skbird.metrics import macro_roc_auc, species_report
from skbird.postprocessing import MultilabelCalibrator, ThresholdTuner
from skbird.postprocessing._thresholds import best_threshold


class Scores(ClassifierMixin, BaseEstimator):
    """Multi-label dummy: X holds the probabilities."""

    def fit(self, X, y):
        self.classes_ = [np.array([0, 1])] * np.shape(y)[1]
        return self

    def predict_proba(self, X):
        return np.asarray(X)[:, : len(self.classes_)]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def scene(rng):
    """Three species whose probabilities are too low, right, and too high."""
    truth = (rng.random((300, 3)) < [0.3, 0.5, 0.2]).astype(float)
    proba = np.clip(rng.normal(0.35 + 0.3 * truth, 0.2), 0, 1) ** [3, 1, 0.5]
    return proba.round(2), truth


def tuned(proba, truth, **parameters):
    return ThresholdTuner(
        FrozenEstimator(Scores().fit(proba, truth)), **parameters
    ).fit(proba, truth)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_no_threshold_has_a_higher_f_beta(scene, beta):
    proba, truth = scene
    found = tuned(proba, truth, beta=beta).thresholds_
    for j in range(3):
        scores = [
            fbeta_score(truth[:, j], proba[:, j] >= threshold, beta=beta)
            for threshold in np.unique(proba[:, j])
        ]
        own = fbeta_score(truth[:, j], proba[:, j] >= found[j], beta=beta)
        assert own == pytest.approx(max(scores))


@pytest.mark.parametrize("min_precision", [0.5, 0.8, 0.95])
def test_precision_is_kept_with_as_many_detections_as_possible(scene, min_precision):
    proba, truth = scene
    found = tuned(proba, truth, objective="precision", min_precision=min_precision)
    for j, threshold in enumerate(found.thresholds_):
        assert precision_score(truth[:, j], proba[:, j] >= threshold) >= min_precision
        for lower in np.unique(proba[proba[:, j] < threshold, j]):
            assert precision_score(truth[:, j], proba[:, j] >= lower) < min_precision


def test_a_precision_that_is_just_reached_counts():
    # 0.28 * 25 is more than 7 in floating point.
    positive = np.repeat([True, False], [7, 38])
    proba = np.repeat([0.9, 0.3], [25, 20])
    given = {"objective": "precision", "min_precision": 0.28}
    assert best_threshold(proba, positive, **given) == pytest.approx(0.6)


def test_species_that_never_reach_the_precision_are_never_predicted(scene):
    proba, truth = scene
    truth[:, 0] = proba[:, 0] < np.median(proba[:, 0])
    model = tuned(proba, truth, objective="precision", min_precision=0.9)
    assert np.isinf(model.thresholds_[0])
    assert not model.predict(np.ones((1, 3)))[0, 0]


def test_prevalence_predicts_as_many_rows_as_have_the_species(scene):
    proba, truth = scene
    rng = np.random.default_rng(1)
    proba = proba + rng.random(proba.shape) / 1000  # no ties
    proba /= proba.max()
    predicted = tuned(proba, truth, objective="prevalence").predict(proba)
    np.testing.assert_array_equal(predicted.sum(axis=0), truth.sum(axis=0))


@pytest.mark.parametrize("objective", ["f_beta", "prevalence", "precision"])
def test_thresholds_are_half_way_to_the_next_lower_probability(objective):
    proba, positive = np.array([0.9, 0.6, 0.2, 0.1]), np.array([1, 1, 0, 0], dtype=bool)
    assert best_threshold(proba, positive, objective=objective) == pytest.approx(0.4)
    everything = best_threshold(proba, np.ones(4, dtype=bool), objective=objective)
    assert everything == 0.1
    close = np.array([np.nextafter(0.5, 1), 0.5])
    found = best_threshold(close, np.array([True, False]), objective=objective)
    assert found == close[0]


def test_species_with_few_presences_get_the_threshold_of_all(scene):
    proba, truth = scene
    truth[np.flatnonzero(truth[:, 2])[4:], 2] = 0
    model = tuned(proba, truth)
    assert model.n_positives_.tolist()[2] == 4
    of_all = best_threshold(proba.ravel(), truth.ravel() > 0, objective="f_beta")
    assert model.pooled_threshold_ == model.thresholds_[2] == of_all
    assert (model.thresholds_[:2] != of_all).all()
    own = tuned(proba, truth, min_positives=4).thresholds_
    assert own[2] == best_threshold(proba[:, 2], truth[:, 2] > 0, objective="f_beta")
    np.testing.assert_array_equal(own[:2], model.thresholds_[:2])


def test_unknown_unlabelled_soft_and_unread(scene):
    proba, truth = scene
    expected = tuned(proba[20:], truth[20:]).thresholds_
    truth[:5] = -1
    truth[5:10] = np.nan
    proba[10:20] = np.nan
    model = tuned(proba, truth)
    np.testing.assert_array_equal(model.thresholds_, expected)
    assert not model.predict(proba)[10:20].any()
    assert np.isnan(model.predict_proba(proba)[10:20]).all()
    soft = np.where(truth == 1, 0.5, np.where(truth == 0, 0.49, truth))
    np.testing.assert_array_equal(tuned(proba, soft).thresholds_, expected)
    truth[30:, 0] = np.nan
    some = tuned(proba, truth, min_positives=1).thresholds_
    assert some[0] == best_threshold(
        proba[20:30, 0], truth[20:30, 0] > 0, objective="f_beta"
    )
    np.testing.assert_array_equal(some[1:], expected[1:])


def test_predict_uses_thresholds_and_probabilities_stay(scene):
    proba, truth = scene
    Y = pd.DataFrame(truth, columns=["amerob", "banowl", "comrav"])
    model = tuned(proba, Y)
    np.testing.assert_array_equal(model.predict_proba(proba), proba)
    np.testing.assert_array_equal(model.predict(proba), proba >= model.thresholds_)
    assert model.species_.tolist() == list(Y)
    assert model.score(proba, Y) == macro_roc_auc(truth, proba)
    tuned_f1 = species_report(Y, proba, threshold=model.thresholds_)["f1"]
    assert (tuned_f1 >= species_report(Y, proba)["f1"]).all()
    assert tuned_f1.iloc[2] > species_report(Y, proba)["f1"].iloc[2] + 0.1


@pytest.mark.parametrize("n_species", [1, 2])
@pytest.mark.parametrize(
    "classifier", [KNeighborsClassifier(9), RandomForestClassifier(9)]
)
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_thresholds_are_found_out_of_fold(rng, n_species, classifier):
    X = rng.normal(size=(120, 2))
    Y = (X[:, :n_species] + rng.normal(size=(120, n_species)) > 1).astype(int)
    model = ThresholdTuner(classifier, cv=KFold(3)).fit(X, Y)
    proba = np.full(Y.shape, np.nan)
    if isinstance(classifier, KNeighborsClassifier):
        for train, test in KFold(3).split(X):
            fold = clone(classifier).fit(X[train], Y[train]).predict_proba(X[test])
            fold = fold if n_species > 1 else [fold]
            proba[test] = np.column_stack([p[:, 1] for p in fold])
        expected = [
            best_threshold(proba[:, j], Y[:, j] > 0, objective="f_beta")
            for j in range(n_species)
        ]
        np.testing.assert_array_equal(model.thresholds_, expected)
    assert model.predict(X).shape == Y.shape
    assert model.n_features_in_ == 2


@pytest.mark.slow
def test_it_wraps_a_calibrator_and_can_be_searched(rng):
    X = rng.normal(size=(120, 2))
    Y = (X + rng.normal(size=(120, 2)) > 1).astype(int)
    model = ThresholdTuner(MultilabelCalibrator(KNeighborsClassifier(9), cv=3), cv=3)
    search = GridSearchCV(
        model,
        {"beta": [0.2, 1.0], "estimator__method": ["platt", "isotonic"]},
        scoring=make_scorer(f1_score, average="macro"),
        cv=KFold(3),
    ).fit(X, Y)
    assert search.best_params_["beta"] == 1.0
    copy = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(copy.predict(X), search.predict(X))
    assert b"postprocessing._" not in pickle.dumps(search.best_estimator_)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"objective": "recall"}, "'objective' parameter of ThresholdTuner"),
        ({"beta": 0}, "'beta' parameter of ThresholdTuner"),
        ({"min_precision": 1.1}, "'min_precision' parameter of ThresholdTuner"),
        ({"min_positives": 0}, "'min_positives' parameter of ThresholdTuner"),
        ({"cv": "five"}, "'cv' parameter of ThresholdTuner"),
        ({"estimator": None}, "'estimator' parameter of ThresholdTuner"),
    ],
)
def test_fit_refuses_bad_parameters(scene, parameters, message):
    with pytest.raises(ValueError, match=message):
        ThresholdTuner(**{"estimator": Scores()} | parameters).fit(*scene)


def test_fit_needs_presences(scene):
    proba, truth = scene
    with pytest.raises(ValueError, match="No species is present in the held-out rows"):
        tuned(proba, 0 * truth)


def test_predict_uses_the_threshold_of_the_estimator():
    X, Y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.eye(4)[:, :2]
    model = FoldEnsemble(KNeighborsClassifier(2), cv=2).fit(X, Y)
    proba = model.predict_proba(X)
    for threshold in (0.3, [0.2, 0.7]):
        found = model.set_params(threshold=threshold).predict(X)
        np.testing.assert_array_equal(found, proba >= threshold)


@pytest.mark.parametrize(
    ("threshold", "message"),
    [
        (
            [0.5] * 3,
            r"threshold has shape \(3,\); .* one per species: \(2,\)",
        ),
        (np.nan, "threshold=nan must not be NaN"),
        ("low", "threshold"),
    ],
)
def test_thresholds_are_checked_before_the_rows_are_predicted(threshold, message):
    X, Y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.eye(4)[:, :2]
    model = FoldEnsemble(KNeighborsClassifier(2), cv=2).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        model.set_params(threshold=threshold).predict(None)
