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
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    RepeatedKFold,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils import get_tags

from skbird.data import Recordings, Spectrograms
from skbird.metrics import macro_roc_auc, macro_roc_auc_scorer
from skbird.postprocessing import MultilabelCalibrator
from skbird.postprocessing._calibration import fit_curves, pool_species
from skbird.utils._held_out import held_out_proba

METHODS = ["platt", "temperature", "isotonic"]


class Scores(ClassifierMixin, BaseEstimator):
    """Multi-label dummy: X holds the probabilities."""

    def fit(self, X, y):
        self.classes_ = [np.array([0, 1])] * np.shape(y)[1]
        return self

    def predict_proba(self, X):
        return np.asarray(X)[:, : len(self.classes_)]


class Memory(ClassifierMixin, BaseEstimator):
    """Says 1 for the rows that it was fitted on, and 0.25 for others."""

    def fit(self, X, y, label_weight=None, scale=None):
        self.rows_, self.y_, self.label_weight_, self.scale_ = X, y, label_weight, scale
        self.seen_ = {str(row) for row in as_list(X)}
        self.classes_ = [np.array([0, 1])] * np.shape(y)[1]
        return self

    def predict_proba(self, X):
        seen = np.array([str(row) in self.seen_ for row in as_list(X)])
        return np.repeat(np.where(seen, 1.0, 0.25)[:, None], len(self.classes_), axis=1)


def as_list(X):
    if isinstance(X, Recordings | Spectrograms):
        X = X.rows
    return X.to_numpy().tolist() if hasattr(X, "to_numpy") else list(X)


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


# Held-out predictions, which all that is fitted here rests on.

PATHS = [f"{row // 3}.wav" for row in range(30)]
Y30 = np.tile([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], (10, 1))


def rows_of(form):
    table = pd.DataFrame({"path": PATHS, "start": np.tile([0.0, 5.0, 10.0], 10)})
    if form == "frame":
        return table.set_index(np.arange(30) + 100)
    if form == "list":
        return PATHS
    if form == "recordings":
        return Recordings(table)
    if form == "spectrograms":
        spectrograms = Spectrograms.from_arrays(np.zeros((30, 2, 3)))
        spectrograms.rows = table
        return spectrograms
    return np.arange(60.0).reshape(30, 2)


@pytest.mark.parametrize("form", ["frame", "list", "recordings", "spectrograms"])
@pytest.mark.parametrize("cv", [None, 3, GroupKFold(5)])
@pytest.mark.parametrize("as_frame", [False, True])
def test_no_row_is_predicted_by_a_model_that_saw_its_file(form, cv, as_frame):
    Y = pd.DataFrame(Y30, columns=["a", "b"], index=PATHS) if as_frame else Y30
    proba, tested = held_out_proba(Memory(), rows_of(form), Y, cv=cv)
    assert tested.all()
    np.testing.assert_array_equal(proba, np.full((30, 2), 0.25))


@pytest.mark.parametrize("groups", [None, np.arange(30) // 6])
def test_rows_of_arrays_are_kept_together_by_groups(groups):
    class Nearest(Memory):
        """Says 1 also for rows next to those it was fitted on."""

        def predict_proba(self, X):
            seen = np.array([row[0] for row in self.rows_])
            near = np.abs(X[:, :1] - seen).min(axis=1) <= 2
            return np.repeat(near[:, None] * 1.0, 2, axis=1)

    proba, tested = held_out_proba(Nearest(), rows_of("array"), Y30, groups=groups)
    assert tested.all()
    n_inside = 0 if groups is None else 4
    assert (proba[:6, 0] == 0).sum() >= n_inside
    assert groups is not None or proba[:, 0].mean() > 0.9


def test_groups_join_files():
    seen = []

    class Spy(Memory):
        def fit(self, X, y):
            seen.append(set(X["path"]))
            return super().fit(X, y)

    site = np.arange(30) // 15
    held_out_proba(Spy(), rows_of("frame"), Y30, cv=LeaveOneGroupOut(), groups=site)
    assert seen == [set(PATHS[15:]), set(PATHS[:15])]


def test_splitters_that_ignore_given_groups_warn(recwarn):
    X = rows_of("array")
    held_out_proba(KNeighborsClassifier(1), X, Y30, cv=KFold(3))
    held_out_proba(KNeighborsClassifier(1), X, Y30, groups=np.arange(30))
    assert not recwarn
    with pytest.warns(UserWarning, match="groups parameter is ignored"):
        held_out_proba(
            KNeighborsClassifier(1), X, Y30, cv=KFold(3), groups=np.arange(30) // 10
        )


def test_unlabelled_rows_are_trained_on_and_never_tested():
    Y = Y30.copy()
    Y[:6] = -1  # two files as a whole
    Y[7] = -1
    Y[10, 0] = np.nan
    Y[13] = np.nan
    sizes = []

    class Spy(Memory):
        def fit(self, X, y):
            sizes.append(len(X))
            return super().fit(X, y)

    proba, tested = held_out_proba(Spy(), rows_of("frame"), Y, cv=5)
    np.testing.assert_array_equal(np.flatnonzero(~tested), [0, 1, 2, 3, 4, 5, 7, 13])
    # They are predicted where their file has labels: others may need them as context.
    assert np.isnan(proba[:6]).all()
    np.testing.assert_array_equal(proba[6:], np.full((24, 2), 0.25))
    assert sizes == [24] * 5
    test_fold = np.where(np.arange(30) < 6, 0, -1)
    with pytest.raises(ValueError, match="tests no row that has labels"):
        held_out_proba(Spy(), rows_of("frame"), Y, cv=PredefinedSplit(test_fold))


def test_folds_may_leave_rows_untested():
    test_fold = np.where(np.arange(30) < 6, 0, -1)
    X = rows_of("frame")
    proba, tested = held_out_proba(Memory(), X, Y30, cv=PredefinedSplit(test_fold))
    np.testing.assert_array_equal(tested, test_fold == 0)
    np.testing.assert_array_equal(np.isnan(proba).all(axis=1), ~tested)


def test_frozen_estimators_predict_all_rows():
    X = rows_of("frame")
    Y = Y30.copy()
    Y[0] = -1
    frozen = FrozenEstimator(Memory().fit(X[:15], Y30[:15]))
    proba, tested = held_out_proba(frozen, X, Y)
    np.testing.assert_array_equal(proba[:, 0], np.repeat([1.0, 0.25], 15))
    np.testing.assert_array_equal(tested, np.arange(30) > 0)


def test_fit_params_of_rows_are_cut_to_the_fold():
    fits = []

    class Spy(Memory):
        def fit(self, X, y, **fit_params):
            fits.append(super().fit(X, y, **fit_params))
            return self

    X = rows_of("frame").reset_index(drop=True)
    weight = pd.DataFrame(np.arange(60).reshape(30, 2), columns=["a", "b"])
    params = {"label_weight": weight, "scale": 3}
    held_out_proba(Spy(), X, Y30, fit_params=params)
    assert len(fits) == 5
    for fold in fits:
        assert fold.scale_ == 3
        pd.testing.assert_frame_equal(fold.label_weight_, weight.loc[fold.rows_.index])
        np.testing.assert_array_equal(fold.y_, Y30[fold.rows_.index])


def test_species_without_presences_in_a_fold_get_zero(rng):
    X = rng.normal(size=(30, 2))
    Y = np.column_stack([X[:, 0] > 0, np.arange(30) == 4]).astype(int)
    proba, _ = held_out_proba(KNeighborsClassifier(3), X, Y, cv=3)
    assert proba[4, 1] == 0
    assert proba[:, 0].max() == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": Y30[:, 0]}, r"y has shape \(30,\).*reshape"),
        ({"y": Y30[:20]}, r"y has shape \(20, 2\).*30 rows"),
        ({"cv": KFold(5, shuffle=True)}, r"fold 0 on rows of the file .* held out"),
        ({"cv": 40}, "n_splits=40"),
        ({"X": rows_of("array"), "cv": RepeatedKFold()}, "tests row 0 10 times"),
        ({"X": rows_of("array"), "groups": [1, 2]}, r"groups has shape \(2,\)"),
        ({"X": rows_of("array"), "groups": [None] * 30}, "groups is missing"),
    ],
)
def test_folds_that_do_not_hold_out_are_refused(arguments, message):
    given = {"X": rows_of("frame"), "y": Y30} | arguments
    with pytest.raises(ValueError, match=message):
        held_out_proba(Memory(), **given)
