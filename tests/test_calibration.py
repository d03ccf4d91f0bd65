import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils import get_tags
from test_held_out import Memory

from skbird.metrics import macro_roc_auc, macro_roc_auc_scorer
from skbird.postprocessing import MultilabelCalibrator
from skbird.postprocessing._calibration import fit_curves, pool_species

METHODS = ["platt", "temperature", "isotonic"]


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


def draw(rng, n_rows, slope, intercept, level=-2.0):
    """Draw probabilities that are wrong by `slope` and `intercept`, and the truth."""
    z = level + 2 * rng.normal(size=(n_rows, len(slope)))
    return expit(z), (rng.random(z.shape) < expit(slope * z + intercept)).astype(float)


@pytest.fixture
def overconfident(rng):
    """Three species, the last of which is rare."""
    return draw(rng, 800, np.array([0.5, 0.7, 0.6]), np.array([0.5, 0.0, -4.0]))


def calibrated(proba, truth, **parameters):
    model = MultilabelCalibrator(
        FrozenEstimator(Scores().fit(proba, truth)), **parameters
    )
    return model.fit(proba, truth)


def test_platt_without_shrinkage_is_logistic_regression_on_logits(overconfident):
    proba, truth = overconfident
    table = calibrated(proba, truth, shrinkage=0).calibration_
    for j in range(3):
        reference = LogisticRegression(C=np.inf, tol=1e-10)
        reference.fit(logit(proba[:, [j]]), truth[:, j])
        expected = [reference.coef_[0, 0], reference.intercept_[0]]
        np.testing.assert_allclose(
            table.iloc[j][["slope", "intercept"]], expected, 1e-4
        )


def test_isotonic_without_shrinkage_is_isotonic_regression(overconfident, rng):
    proba, truth = overconfident
    model = calibrated(proba, truth, method="isotonic", shrinkage=0)
    new = rng.random((50, 3))
    for j in range(3):
        reference = IsotonicRegression(out_of_bounds="clip").fit(
            proba[:, j], truth[:, j]
        )
        expected = reference.predict(new[:, j])
        np.testing.assert_allclose(model.predict_proba(new)[:, j], expected, atol=1e-12)


def test_temperature_has_no_intercept_and_the_least_log_loss(overconfident):
    proba, truth = overconfident
    model = calibrated(proba, truth, method="temperature", shrinkage=0)
    assert (model.calibration_["intercept"] == 0).all()
    z = logit(proba)
    for j, slope in enumerate(model.calibration_["slope"]):
        least = log_loss(truth[:, j], expit(slope * z[:, j]))
        for other in (0.99 * slope, 1.01 * slope):
            assert log_loss(truth[:, j], expit(other * z[:, j])) > least


@pytest.mark.parametrize(("target", "slope"), [([0, 1], 100.0), ([1, 0], 0.01)])
def test_curves_rise_but_never_stand_upright(target, slope):
    proba, target = np.array([[0.499], [0.501]]), np.array(target)[:, None]
    curves, _ = fit_curves(proba, target, method="platt", shrinkage=0.0)
    assert curves[0][0] == pytest.approx(slope)


@pytest.mark.filterwarnings("error")
def test_weights_of_species_follow_their_number_of_presences():
    proba = np.tile([[0.1], [0.4], [0.2], [0.3]], 3)
    target = np.zeros((4, 3))
    target[1, 0], target[:, 2] = 1, np.nan
    _, weight = fit_curves(proba, target, method="platt", shrinkage=3.0)
    # One is present; of the second species the curve of both expected one half.
    np.testing.assert_allclose(weight, [1 / 4, 0.5 / 3.5, 0], rtol=0.2)
    assert weight[0] == pytest.approx(1 / 4)
    _, weight = fit_curves(proba, target, method="platt", shrinkage=0.0)
    assert weight.tolist() == [1, 1, 0]


@pytest.mark.parametrize("method", ["platt", "temperature"])
def test_certain_predictions_are_learnt_from_as_finite_ones(method):
    proba, target = np.array([[0.0, 1, 1, 0]]).T, np.array([[0.0, 1, 0, 1]]).T
    target[2:] = [[0.9], [0.1]]  # as far from both
    curves, _ = fit_curves(proba, target, method=method, shrinkage=0.0)
    slope, intercept = curves[0]
    # The curve goes through 0.95 at the logit of 1 - 1e-12.
    steep = np.log(0.95 / 0.05) / np.log(1e12)
    assert slope == pytest.approx(steep, rel=1e-3)
    assert intercept == pytest.approx(0, abs=1e-6)


def test_targets_are_drawn_to_the_curve_of_all_species(overconfident):
    proba, truth = overconfident
    k = 40.0
    z = logit(proba)
    pooled = LogisticRegression(C=np.inf, tol=1e-10).fit(
        z.reshape(-1, 1), truth.ravel()
    )
    table = calibrated(proba, truth, shrinkage=k).calibration_
    for j in range(3):
        expected = pooled.predict_proba(z[:, [j]])[:, 1]
        n_present = max(truth[:, j].sum(), expected.sum())
        weight = n_present / (n_present + k)
        blend = weight * truth[:, j] + (1 - weight) * expected
        reference = LogisticRegression(C=np.inf, tol=1e-10).fit(
            np.tile(z[:, [j]], (2, 1)),
            np.repeat([0, 1], len(z)),
            sample_weight=np.concatenate([1 - blend, blend]),
        )
        found = table.iloc[j].to_numpy(dtype=float)
        expected = [
            truth[:, j].sum(),
            weight,
            reference.coef_[0, 0],
            reference.intercept_[0],
        ]
        np.testing.assert_allclose(found, expected, rtol=2e-3)


@pytest.mark.parametrize("method", METHODS)
def test_a_species_of_which_nothing_is_known_gets_the_curve_of_all(
    overconfident, method
):
    proba, truth = overconfident
    truth[:, 2] = np.nan
    model = calibrated(proba, truth, method=method)
    assert model.calibration_["weight"].tolist()[2] == 0
    assert model.calibration_["n_present"].tolist()[2] == 0
    both = np.concatenate([proba[:, 0], proba[:, 1]])[:, None]
    of_all = calibrated(both, truth[:, :2].T.reshape(-1, 1), method=method, shrinkage=0)
    np.testing.assert_allclose(
        model.predict_proba(proba)[:, [2]],
        of_all.predict_proba(proba[:, 2:]),
        atol=1e-4,
    )


@pytest.mark.parametrize("method", METHODS)
def test_absence_where_a_species_was_expected_is_evidence(overconfident, method):
    proba, truth = overconfident
    truth[:, 2] = np.nan
    unknown = calibrated(proba, truth, method=method).predict_proba(proba)
    truth[:, 2] = 0
    absent = calibrated(proba, truth, method=method).predict_proba(proba)
    assert absent[:, 2].mean() < 0.8 * unknown[:, 2].mean()


@pytest.mark.parametrize("method", METHODS)
def test_shrinkage_helps_rare_species_and_does_not_harm_common_ones(rng, method):
    slope = np.exp(rng.normal(-0.4, 0.2, 40))
    intercept = rng.normal(0, 0.5, 40)
    level = np.repeat([-9.0, -1.0], 20)
    proba, truth = draw(rng, 300, slope, intercept, level)
    new_proba, new_truth = draw(rng, 3000, slope, intercept, level)
    loss = {}
    for shrinkage in (0.01, 5.0, 1e9):
        model = calibrated(proba, truth, method=method, shrinkage=shrinkage)
        predicted = np.clip(model.predict_proba(new_proba), 1e-6, 1 - 1e-6)
        loss[shrinkage] = [
            log_loss(new_truth[:, some].ravel(), predicted[:, some].ravel())
            for some in (slice(20), slice(20, 40))
        ]
    assert loss[5.0][0] < loss[0.01][0]
    assert loss[5.0][1] < loss[1e9][1]
    assert loss[5.0][1] < loss[0.01][1] + 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_calibration_says_what_share_is_right(rng, method):
    slope = np.array([0.4, 0.5])
    model = calibrated(*draw(rng, 5000, slope, np.zeros(2)), method=method)
    before, truth = draw(rng, 20_000, slope, np.zeros(2))

    def calibration_error(predicted):
        """Difference from the share that is right, by species and tenth of [0, 1]."""
        tenth = np.floor(predicted * 10) + np.array([0, 100])
        wrong = pd.Series((predicted - truth).ravel()).groupby(tenth.ravel())
        return wrong.sum().abs().sum() / truth.size

    assert calibration_error(before) > 0.1
    assert calibration_error(model.predict_proba(before)) < 0.02


@pytest.mark.parametrize("method", METHODS)
def test_ranking_within_a_species_stays(rng, method):
    # The classifier is worse than chance about the second species.
    proba, truth = draw(rng, 300, np.array([0.5, -1.0]), np.zeros(2))
    model = calibrated(proba, truth, method=method, shrinkage=0)
    new = np.linspace(0, 1, 1001)[:, None] * [1, 1]
    steps = np.diff(model.predict_proba(new), axis=0)
    assert (steps >= 0).all()
    if method != "isotonic":
        assert (steps > 0).all()
        truth = (new[:, :1] > 0.3) * [1, 1]
        assert model.score(new, truth) == 1


@pytest.mark.parametrize("method", METHODS)
def test_single_precision_gives_the_same(overconfident, method):
    proba, truth = overconfident
    proba[:20] = [1, 1, 0]
    double = calibrated(proba, truth, method=method).predict_proba(proba)
    proba = proba.astype(np.float32)
    single = calibrated(proba, truth, method=method).predict_proba(proba)
    np.testing.assert_allclose(single, double, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_certain_and_unread_rows(overconfident, method):
    proba, truth = overconfident
    proba[:40, :2] = np.repeat([[0.0, 1.0], [1.0, 0.0]], 20, axis=0)
    model = calibrated(proba, truth, method=method)
    expected = model.predict_proba(proba)
    assert ((expected >= 0) & (expected <= 1)).all()
    proba[700:] = np.nan
    proba[3, 1] = np.nan
    model = calibrated(proba, truth, method=method)
    known = ~np.isnan(proba)
    np.testing.assert_array_equal(~np.isnan(model.predict_proba(proba)), known)
    assert not model.predict(proba)[700:].any()
    truth[~known] = np.nan
    proba[~known] = 0.5
    same = calibrated(proba, truth, method=method)
    pd.testing.assert_frame_equal(model.calibration_, same.calibration_)


def test_unlabelled_unknown_and_soft_targets(overconfident):
    proba, truth = overconfident
    left_out = calibrated(proba[100:], truth[100:])
    truth[:50] = -1
    truth[50:100] = np.nan
    table = calibrated(proba, truth).calibration_
    pd.testing.assert_frame_equal(table, left_out.calibration_)
    twice = np.concatenate([proba, proba])
    hard = np.concatenate([np.zeros_like(truth), np.ones_like(truth)])[:, :1]
    halves = calibrated(twice, hard, shrinkage=0).calibration_
    soft = calibrated(proba, np.full_like(truth, 0.5)[:, :1], shrinkage=0).calibration_
    assert soft["n_present"].tolist() == [len(truth) / 2]
    columns = ["slope", "intercept"]
    np.testing.assert_allclose(soft[columns], halves[columns], atol=1e-4)


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("n_species", [1, 2])
@pytest.mark.parametrize("as_frame", [False, True])
@pytest.mark.parametrize(
    "classifier",
    [
        RandomForestClassifier(5, random_state=0),
        KNeighborsClassifier(5),
        MultiOutputClassifier(GaussianNB()),
    ],
    ids=lambda c: type(c).__name__,
)
def test_all_kinds_of_classifiers(rng, n_species, as_frame, classifier):
    X = rng.normal(size=(60, 2))
    Y = (X[:, :n_species] + rng.normal(size=(60, n_species)) > 0.3).astype(int)
    if as_frame:
        Y = pd.DataFrame(Y, columns=["amerob", "banowl"][:n_species])
    model = MultilabelCalibrator(classifier, cv=3).fit(X, Y)
    assert model.predict_proba(X).shape == (60, n_species)
    names = ["amerob", "banowl"] if as_frame else [0, 1]
    assert model.species_.tolist() == names[:n_species]
    assert model.calibration_.index.tolist() == names[:n_species]
    assert model.n_features_in_ == 2
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X) >= 0.5)


def test_only_held_out_predictions_are_calibrated(rng):
    X = [f"{row}.wav" for row in range(40)]
    Y = np.tile([[1.0, 0.0], [0.0, 0.0]], (20, 1))
    model = MultilabelCalibrator(Memory(), method="isotonic", shrinkage=0).fit(X, Y)
    np.testing.assert_allclose(model.predict_proba(["new.wav"]), [[0.5, 0.0]])
    assert len(model.estimator_.seen_) == 40


def test_another_method_needs_another_fit(overconfident):
    proba, truth = overconfident
    model = calibrated(proba, truth)
    before = model.predict_proba(proba)
    model.set_params(method="isotonic")
    np.testing.assert_array_equal(model.predict_proba(proba), before)
    assert model.fit(proba, truth).calibration_["slope"].isna().all()


def test_pooling_takes_every_so_manieth_known_row(rng):
    proba, target = rng.random((100, 3)), rng.random((100, 3))
    target[:50] = np.nan
    target[60, 1] = np.nan
    known = ~np.isnan(target)
    for pooled, given in zip(pool_species(proba, target), (proba, target), strict=True):
        np.testing.assert_array_equal(pooled, given[known])
    few = pool_species(proba, target, max_entries=60)
    rows = np.arange(50, 100, 3)
    np.testing.assert_array_equal(few[1], target[rows][known[rows]])
    np.testing.assert_array_equal(few[0], proba[rows][known[rows]])


def test_many_rows_do_not_hide_a_rare_species(rng):
    z = rng.normal(-9, 2, size=(30_000, 1))
    truth = (rng.random(z.shape) < expit(0.5 * z - 3)).astype(float)
    (curve,), _ = fit_curves(expit(z), truth, method="platt", shrinkage=0)
    reference = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000)
    reference.fit(z, truth[:, 0])
    assert 0 < truth.sum() < 60
    expected = [reference.coef_[0, 0], reference.intercept_[0]]
    np.testing.assert_allclose(curve, expected, rtol=1e-3)


def test_clone_pickle_and_grid_search(overconfident):
    proba, truth = overconfident
    model = MultilabelCalibrator(Scores()).set_params(method="isotonic", shrinkage=1)
    copy = clone(model).fit(proba, truth)
    again = pickle.loads(pickle.dumps(copy))
    np.testing.assert_array_equal(again.predict_proba(proba), copy.predict_proba(proba))
    assert b"postprocessing._" not in pickle.dumps(copy)
    search = GridSearchCV(
        model, {"method": METHODS}, scoring=macro_roc_auc_scorer, cv=KFold(3)
    ).fit(proba, truth)
    scores = dict(zip(METHODS, search.cv_results_["mean_test_score"], strict=True))
    assert scores["platt"] == scores["temperature"] != scores["isotonic"]
    assert copy.score(proba, truth) == macro_roc_auc(truth, copy.predict_proba(proba))
    assert get_tags(model).classifier_tags.multi_label


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"method": "beta"}, "'method' parameter of MultilabelCalibrator"),
        ({"shrinkage": -1}, "'shrinkage' parameter of MultilabelCalibrator"),
        ({"cv": 1}, "'cv' parameter of MultilabelCalibrator"),
        ({"estimator": "net"}, "'estimator' parameter of MultilabelCalibrator"),
    ],
)
def test_fit_refuses_bad_parameters(overconfident, parameters, message):
    with pytest.raises(ValueError, match=message):
        MultilabelCalibrator(**{"estimator": Scores()} | parameters).fit(*overconfident)


def test_fit_needs_targets_and_readable_rows(overconfident):
    proba, truth = overconfident
    with pytest.raises(ValueError, match=r"y has shape \(800,\).*800 rows.*reshape"):
        MultilabelCalibrator(Scores()).fit(proba, truth[:, 0])
    with pytest.raises(
        ValueError, match="held-out predictions of labelled rows are NaN"
    ):
        calibrated(np.full_like(proba, np.nan), truth)
    with pytest.raises(ValueError, match=r"holds [23] at row 0"):
        calibrated(proba, truth + 2)
