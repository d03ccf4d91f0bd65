import itertools
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    RepeatedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier

from skbird.data import Recordings
from skbird.metrics import macro_roc_auc, macro_roc_auc_scorer
from skbird.model_selection import (
    GroupMultilabelKFold,
    LeakageWarning,
    LeaveOneSourceOut,
    cross_val_report,
    group_train_test_split,
    macro_roc_auc_interval,
    paired_bootstrap,
)
from skbird.model_selection._bootstrap import resample_counts, within_fold_macro_auc
from skbird.model_selection._train_test_split import _TestPart
from skbird.utils._proba import as_proba_matrix
from skbird.utils._truth import validate_scores

FAST = {"n_bootstrap": 20, "random_state": 0}


class Lookup(ClassifierMixin, BaseEstimator):
    """Predicts the column ``p`` of the rows; keeps what fit was given."""

    def fit(self, X, y, sample_weight=None, label_weight=None, rounds=None):
        self.seen_ = (X, y, sample_weight, label_weight, rounds)
        self.n_species_ = np.shape(y)[1]
        self.classes_ = [np.array([0, 1])] * self.n_species_
        return self

    def predict_proba(self, X):
        if isinstance(X, pd.DataFrame):
            values = X["p"].to_numpy(dtype=float)
        else:
            values = np.array([float(str(x).rpartition("_")[2]) for x in X])
        return np.tile(values[:, None], self.n_species_)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def data(rng):
    """X, Y and recordings of 3 rows; a species without positives."""
    Y = (rng.random((90, 4)) < [0.5, 0.2, 0.1, 0]).astype(float)
    X = Y + rng.normal(0, 0.7, Y.shape)
    return X, Y, np.repeat(np.arange(30), 3)


def slow_within_fold_auc(Y, P, fold, recording, count):
    """Repeat rows as often as their recording is drawn, and leave it to sklearn."""
    rows = np.repeat(np.arange(len(Y)), count[recording].astype(int))
    per_species = []
    for j in range(Y.shape[1]):
        weights, areas = [], []
        for number in np.unique(fold):
            here = rows[(fold[rows] == number) & ~np.isnan(Y[rows, j])]
            here = here[(Y[here] != -1).any(axis=1)]
            positive = Y[here, j] >= 0.5
            if 0 < positive.sum() < len(here):
                weights.append(positive.sum())
                areas.append(roc_auc_score(positive, P[here, j]))
        if weights:
            per_species.append(np.average(areas, weights=weights))
    return np.mean(per_species) if per_species else np.nan


@pytest.mark.parametrize("n_folds", [1, 3])
@pytest.mark.parametrize("decimals", [1, 9])  # 1: most scores are tied
def test_bootstrap_is_what_drawing_recordings_would_give(rng, n_folds, decimals):
    Y = np.where(rng.random((60, 4)) < 0.3, 0.7, 0.0)
    Y[rng.random(Y.shape) < 0.1] = np.nan
    Y[:, 3] = 0
    Y[::11] = -1
    P = (0.3 * rng.random(Y.shape) + 0.2 * (Y > 0)).round(decimals)
    recording = rng.integers(20, size=60)
    fold = recording % n_folds
    counts = resample_counts(20, 12, 0)
    result = within_fold_macro_auc(*validate_scores(Y, P), fold, recording, counts)
    expected = [
        slow_within_fold_auc(Y, P, fold, recording, count) for count in counts.T
    ]
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    assert result[0] == pytest.approx(
        slow_within_fold_auc(Y, P, fold, recording, np.ones(20))
    )


def test_resamples_have_as_many_recordings_as_there_are():
    counts = resample_counts(50, 200, 0)
    assert (counts[:, 0] == 1).all()
    assert (counts.sum(axis=0) == 50).all()
    # The number of times that one is drawn is binomial, of mean and variance 1.
    assert counts[:, 1:].var() == pytest.approx(1, abs=0.05)


def test_a_replicate_with_nothing_to_judge_is_nan():
    truth_and_score = validate_scores([[1], [0]], [[0.9], [0.1]])
    counts = np.array([[1, 2, 1], [1, 0, 3]], dtype=np.float32)
    result = within_fold_macro_auc(
        *truth_and_score, np.zeros(2), np.array([0, 1]), counts
    )
    np.testing.assert_array_equal(result, [1, np.nan, 1])


MODELS = [
    KNeighborsClassifier(5),
    RandomForestClassifier(5, random_state=0),
    OneVsRestClassifier(LogisticRegression()),
    MultiOutputClassifier(LogisticRegression()),
]


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("n_species", [1, 2, 3])
@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_predictions_are_those_of_scikit_learn(data, model, n_species):
    X, Y, recordings = data
    X, Y = X[:, :n_species], Y[:, :n_species]
    cv = GroupKFold(3)
    report = cross_val_report(model, X, Y, groups=recordings, cv=cv, **FAST)
    for fold, (train, test) in enumerate(cv.split(X, Y, recordings)):
        fitted = model.fit(X[train], Y[train])
        expected = as_proba_matrix(
            fitted.predict_proba(X[test]), fitted.classes_, n_species
        )
        np.testing.assert_array_equal(report.proba.to_numpy()[test], expected)
        assert (report.test_fold[test] == fold).all()


def test_folds_score_as_cross_val_score_does(data):
    X, Y, recordings = data
    cv = GroupKFold(3)
    report = cross_val_report(
        KNeighborsClassifier(5), X, Y, groups=recordings, cv=cv, **FAST
    )
    scores = cross_val_score(
        KNeighborsClassifier(5),
        X,
        Y,
        groups=recordings,
        cv=cv,
        scoring=macro_roc_auc_scorer,
    )
    np.testing.assert_allclose(report.folds["macro_roc_auc"], scores)
    assert report.folds["n_train"].tolist() == [60, 60, 60]
    assert report.folds["n_test"].tolist() == [30, 30, 30]
    assert report.folds["n_species"].max() <= 3
    predicted = cross_val_predict(
        KNeighborsClassifier(5), X, Y, groups=recordings, cv=cv, method="predict_proba"
    )
    pooled = np.column_stack([p[:, -1] for p in predicted[:3]])
    assert report.pooled_macro_roc_auc == pytest.approx(macro_roc_auc(Y[:, :3], pooled))


def test_headline_weighs_the_folds_of_a_species_by_positives(data):
    X, Y, recordings = data
    report = cross_val_report(KNeighborsClassifier(5), X, Y, groups=recordings, **FAST)
    table = report.species.dropna(subset="roc_auc")
    weighted = (table["roc_auc"] * table["n_positive"]).groupby("species").sum()
    per_species = weighted / table["n_positive"].groupby("species").sum()
    assert report.macro_roc_auc == pytest.approx(per_species.mean(), abs=1e-6)
    assert report.interval[0] < report.macro_roc_auc < report.interval[1]
    assert list(report.species.columns) == [
        "n_train_positive",
        "n_rows",
        "n_positive",
        "roc_auc",
        "average_precision",
    ]
    total = report.species[["n_train_positive", "n_positive"]].sum(axis=1)
    assert (total.unstack() == Y.sum(axis=0)).all(axis=None)


def test_scores_on_different_scales_per_fold_do_no_harm_to_the_headline():
    X = pd.DataFrame({"p": np.r_[[0.1, 0.2, 0.3, 0.4], [0.6, 0.7, 0.8, 0.9]]})
    Y = np.array([[0], [0], [0], [1], [0], [1], [1], [1]])
    report = cross_val_report(Lookup(), X, Y, cv=KFold(2), **FAST)
    assert report.macro_roc_auc == 1
    assert report.pooled_macro_roc_auc == pytest.approx(15 / 16)


def test_interval_is_of_recordings_not_of_rows(data):
    X, Y, recordings = data
    cv = GroupMultilabelKFold(3)
    once = cross_val_report(
        KNeighborsClassifier(5), X, Y, groups=recordings, cv=cv, **FAST
    )
    many = paired_bootstrap(
        np.repeat(Y, 10, axis=0),
        np.repeat(once.proba.to_numpy(), 10, axis=0),
        np.repeat(np.zeros_like(Y), 10, axis=0),
        recording_ids=np.repeat(recordings, 10),
        folds=np.repeat(once.test_fold.to_numpy(), 10),
        **FAST,
    )
    # A constant model has an area of 0.5 in every replicate.
    np.testing.assert_allclose(np.add(many.interval, 0.5), once.interval, atol=1e-6)
    rows = cross_val_report(
        KNeighborsClassifier(5),
        X,
        Y,
        groups=recordings,
        cv=cv,
        recording_ids=np.arange(90),
        **FAST,
    )
    assert rows.n_recordings == 90
    assert once.n_recordings == 30
    assert rows.interval != once.interval
    assert rows.macro_roc_auc == once.macro_roc_auc


def test_interval_widens_with_confidence_and_repeats_with_the_seed(data):
    X, Y, recordings = data
    model = KNeighborsClassifier(5)
    options = {"groups": recordings, "n_bootstrap": 50}
    a, b, c, d = (
        cross_val_report(
            model, X, Y, confidence=confidence, random_state=seed, **options
        )
        for confidence, seed in [(0.5, 0), (0.5, 0), (0.9, 0), (0.5, 1)]
    )
    assert a.interval == b.interval != d.interval
    assert c.interval[0] < a.interval[0] < a.interval[1] < c.interval[1]


def test_fit_parameters_are_cut_to_the_training_rows():
    X = pd.DataFrame({"p": np.linspace(0, 1, 8)}, index=list("abcdefgh"))
    Y = pd.DataFrame(np.eye(8)[:, :2], index=X.index, columns=["wren", "owl"])
    report = cross_val_report(
        Lookup(),
        X,
        Y,
        cv=KFold(2),
        fit_params={
            "sample_weight": np.arange(8.0),
            "label_weight": 2 * Y,
            "rounds": 8,
        },
        return_estimators=True,
        **FAST,
    )
    X_train, y_train, sample_weight, label_weight, rounds = report.estimators[0].seen_
    assert list(X_train.index) == list(y_train.index) == list("efgh")
    assert sample_weight.tolist() == [4, 5, 6, 7]
    pd.testing.assert_frame_equal(label_weight, 2 * y_train)
    assert rounds == 8
    assert list(report.proba.index) == list(report.test_fold.index) == list(X.index)
    assert list(report.proba.columns) == ["wren", "owl"]
    assert cross_val_report(Lookup(), X, Y, cv=KFold(2), **FAST).estimators is None


@pytest.mark.parametrize("kind", ["frame", "list", "array", "recordings"])
def test_rows_of_any_kind_are_indexed(kind, write_wav):
    p = [0.1, 0.9, 0.2, 0.8]
    Y = np.array([[0], [1], [0], [1]])
    X = {
        "frame": pd.DataFrame({"p": p}),
        "list": [f"x_{v}" for v in p],
        "array": np.array([f"x_{v}" for v in p]),
        "recordings": Recordings([f"x_{v}" for v in p]),
    }[kind]

    class Paths(Lookup):
        def predict_proba(self, X):
            return super().predict_proba(getattr(X, "paths", X))

    report = cross_val_report(Paths(), X, Y, cv=2, groups=[1, 1, 2, 2], **FAST)
    assert report.proba[0].tolist() == p
    assert report.macro_roc_auc == 1
    assert report.n_recordings == (2 if kind == "frame" else 4)


def test_unreadable_and_untested_rows_are_nan_and_do_no_harm():
    X = pd.DataFrame({"p": [0.1, 0.9, np.nan, 0.2, 0.8, 0.5, 0.4, 0.3]})
    Y = np.array([[0], [1], [1], [0], [1], [-1], [0], [np.nan]])
    groups = [1, 1, 1, 2, 2, 2, 3, 3]
    with (
        pytest.warns(UserWarning, match="1 of 3 rows of proba is NaN"),
        pytest.warns(UserWarning, match=r"not tested: \['3'\]"),
    ):
        report = cross_val_report(
            Lookup(), X, Y, groups=groups, cv=LeaveOneSourceOut(), **FAST
        )
    assert report.test_fold.tolist() == [0, 0, 0, 1, 1, -1, -1, -1]
    assert np.isnan(report.proba[0]).tolist() == [0, 0, 1, 0, 0, 1, 1, 1]
    assert report.macro_roc_auc == report.pooled_macro_roc_auc == 1
    assert report.folds["held_out"].tolist() == ["1", "2"]
    assert report.species["n_rows"].tolist() == [2, 2]
    assert report.n_recordings == 2


@pytest.mark.filterwarnings("ignore:1 of 3 rows of proba is NaN")
def test_only_what_was_trained_on_and_judged_is_counted():
    X = pd.DataFrame({"p": [np.nan, 0.9, 0.1, 0.2, 0.8, 0.3]})
    Y = pd.DataFrame({"owl": [1, 1, 0, 0, 1, 0], "jay": [0, 1, 0, 1, 0, 0]})
    folds = KFold(2)
    report = cross_val_report(Lookup(), X, Y, cv=folds, **FAST)
    assert report.folds["n_test"].tolist() == [2, 3]
    assert report.folds["n_train"].tolist() == [3, 2]
    counts = report.species["n_train_positive"].unstack("fold")
    assert counts.loc[["owl", "jay"]].to_numpy().tolist() == [[1, 1], [1, 1]]
    assert "1 row of 6 could not be read: neither trained on nor judged" in str(report)
    # What weights hide is not trained on either, but judged.
    label_weight = np.ones(Y.shape)
    label_weight[1, 1] = 0
    weights = {"label_weight": label_weight, "sample_weight": [1, 1, 1, 1, 0, 1]}
    report = cross_val_report(Lookup(), X, Y, cv=folds, fit_params=weights, **FAST)
    assert report.folds["n_test"].tolist() == [2, 3]
    assert report.folds["n_train"].tolist() == [2, 2]
    counts = report.species["n_train_positive"].unstack("fold")
    assert counts.loc[["owl", "jay"]].to_numpy().tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(("n_positive", "quotes"), [(4, False), (5, True), (16, False)])
def test_scores_of_few_rows_are_not_to_be_quoted(n_positive, quotes):
    X = pd.DataFrame({"p": np.linspace(0, 1, 20)})
    Y = np.zeros((20, 1))
    Y[np.linspace(0, 19, n_positive).astype(int)] = 1
    report = str(cross_val_report(Lookup(), X, Y, cv=2, **FAST))
    assert ("quote this score: it" in report) == quotes
    assert ("no species was tested on 5 rows with it and 5 without" in report) != quotes


def test_recordings_are_kept_whole_by_default():
    X = pd.DataFrame({"p": np.linspace(0, 1, 30), "path": np.repeat(list("abcde"), 6)})
    Y = np.arange(30)[:, None] % 2
    for cv in (None, 5):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            report = cross_val_report(Lookup(), X, Y, cv=cv, **FAST)
        assert report.n_recordings == 5
        assert report.test_fold.groupby(X["path"]).nunique().max() == 1
        assert sorted(report.folds["held_out"]) == list("abcde")
    spelled = X.assign(path=np.where(np.arange(30) % 2, "./" + X["path"], X["path"]))
    again = cross_val_report(Lookup(), spelled, Y, **FAST)
    assert again.n_recordings == 5
    assert again.test_fold.groupby(X["path"]).nunique().max() == 1


def test_leaks_are_announced():
    X = pd.DataFrame({"p": np.linspace(0, 1, 8), "path": list("abcdabcd")})
    Y = np.arange(8)[:, None] % 2
    with pytest.warns(LeakageWarning, match=r"share .*a file \(8 rows in 2 folds") as w:
        cross_val_report(Lookup(), X, Y, cv=KFold(2), **FAST)
    assert w[0].filename == __file__
    X = X.drop(columns="path").assign(author="ann", date=["2021-05-03"] * 8)
    with pytest.warns(LeakageWarning, match="author and day .*'ann, 2021-05-03'"):
        cross_val_report(Lookup(), X, Y, cv=KFold(2), **FAST)


def test_printing_gives_the_summary(rng):
    X = pd.DataFrame({"p": rng.random(40)})
    Y = pd.DataFrame(
        {
            "wren": np.arange(40) % 2,
            "owl": (np.arange(40) < 3).astype(int),
            "jay": np.zeros(40),
        }
    )
    report = cross_val_report(
        Lookup(), X, Y, groups=np.arange(40) // 4, cv=2, confidence=0.9, **FAST
    )
    low, high = report.interval
    text = str(report)
    assert text.startswith(f"Macro ROC-AUC {report.macro_roc_auc:.3f}")
    assert f"[{low:.3f}, {high:.3f}], 90 % interval over 10 recordings" in text
    assert "2 of 3 species judged, 1 without a positive" in text
    assert "never trained on: owl\n" in text
    assert "5 groups" in text
    assert repr(report) == text


def test_reports_pickle_under_their_public_name(data):
    X, Y, recordings = data
    report = cross_val_report(KNeighborsClassifier(), X, Y, groups=recordings, **FAST)
    again = pickle.loads(pickle.dumps(report))
    pd.testing.assert_frame_equal(again.proba, report.proba)
    assert b"model_selection._" not in pickle.dumps(report)


def test_the_number_of_jobs_changes_nothing_and_the_estimator_stays_unfitted(data):
    X, Y, recordings = data
    model = KNeighborsClassifier()
    one = cross_val_report(model, X, Y, groups=recordings, **FAST)
    with joblib.parallel_config("threading"):
        two = cross_val_report(model, X, Y, groups=recordings, n_jobs=2, **FAST)
    pd.testing.assert_frame_equal(one.proba, two.proba)
    assert not hasattr(model, "classes_")


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_species_that_nobody_can_judge_give_nan(data):
    X, Y, recordings = data
    with pytest.warns(UndefinedMetricWarning, match="No species has the rows"):
        report = cross_val_report(
            KNeighborsClassifier(), X, Y[:, 3:], groups=recordings, **FAST
        )
    assert np.isnan([report.macro_roc_auc, *report.interval]).all()
    assert "0 of 1 species judged" in str(report)


def test_predictions_that_are_all_unreadable_give_nan():
    X = pd.DataFrame({"p": np.full(6, np.nan)})
    with pytest.warns(UserWarning, match="are NaN"):
        report = cross_val_report(Lookup(), X, np.eye(6)[:, :2], cv=KFold(2), **FAST)
    assert np.isnan(report.macro_roc_auc)
    assert report.n_recordings == 0
    assert "0 of 2 species judged, no row could be read\n" in str(report)
    assert "2 folds without a score (-): no species is both" in str(report)
    assert "NaN" not in str(report).split("\n\n")[1]
    X["p"] = [np.nan, np.nan, 0.3, 0.4, 0.5, 0.6]
    with pytest.warns(UserWarning, match="are NaN"):
        report = cross_val_report(Lookup(), X, np.eye(6)[:, :2], cv=KFold(2), **FAST)
    assert "judged, 2 without a positive in any test row that could be read\n" in str(
        report
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_bootstrap": 0}, "'n_bootstrap' parameter of cross_val_report"),
        ({"confidence": 1.0}, "'confidence' parameter of cross_val_report"),
        ({"estimator": "model"}, "'estimator' parameter of cross_val_report"),
        ({"cv": 1}, "'cv' parameter of cross_val_report"),
        ({"cv": RepeatedKFold(n_splits=2, n_repeats=2)}, "tests row .* without rep"),
        ({"cv": [([0, 1], [])]}, "Fold 0 .* has 2 training rows and 0 test rows"),
        ({"recording_ids": [1, 2]}, r"recording_ids has shape \(2,\), but there are"),
        ({"groups": [1, 2]}, r"groups has shape \(2,\), but there are"),
        ({"recording_ids": [None] * 90}, "recording_ids is missing"),
        ({"Y": np.zeros(90)}, r"shape \(90,\)"),
        ({"groups": np.zeros(90)}, "n_splits=5 exceeds the 1 group with"),
    ],
)
def test_report_refuses_bad_arguments(data, arguments, message):
    X, Y, recordings = data
    given = {"estimator": KNeighborsClassifier(), "X": X, "Y": Y, "groups": recordings}
    with pytest.raises(ValueError, match=message):
        cross_val_report(**given | arguments)


@pytest.mark.parametrize("name", ["groups", "recording_ids"])
def test_report_looks_for_columns_in_X(data, name):
    X, Y, _ = data
    with pytest.raises(ValueError, match=rf"{name}='author' is not a column of X"):
        cross_val_report(KNeighborsClassifier(), X, Y, **{name: "author"})


def test_paired_bootstrap_wants_the_predictions_of_a_report(data):
    X, Y, recordings = data
    report = cross_val_report(KNeighborsClassifier(), X, Y, groups=recordings, **FAST)
    message = r"proba_b is a CrossValReport.*proba_b=report.proba.*report.test_fold"
    with pytest.raises(TypeError, match=message):
        paired_bootstrap(Y, report.proba, report)


@pytest.mark.slow
def test_paired_bootstrap_is_what_resampling_both_would_give(rng):
    Y = (rng.random((80, 3)) < 0.3).astype(float)
    Y[rng.random(Y.shape) < 0.1] = np.nan
    A = np.nan_to_num(Y) + rng.normal(0, 1, Y.shape)
    B = np.nan_to_num(Y) + rng.normal(0, 1.3, Y.shape)
    A[3], B[4] = np.nan, np.nan
    recording = np.arange(80) // 4
    fold = np.where(np.arange(80) < 8, -1, recording % 2)
    result = paired_bootstrap(
        Y,
        A,
        B,
        recording_ids=recording,
        folds=fold,
        n_bootstrap=24,
        confidence=0.8,
        random_state=0,
    )
    rows = np.arange(8, 80)
    counts = np.zeros((20, 25), dtype=np.float32)
    counts[2:] = resample_counts(18, 24, 0)  # of the first two no row is compared
    a, b = (
        np.array(
            [
                slow_within_fold_auc(Y[rows], P[rows], fold[rows], recording[rows], c)
                for c in counts.T
            ]
        )
        for P in (A, B)
    )
    difference = (a - b)[1:]
    assert result.macro_roc_auc_a == pytest.approx(a[0], abs=1e-6)
    assert result.difference == pytest.approx(a[0] - b[0], abs=1e-6)
    expected = np.quantile(difference, [0.1, 0.9])
    np.testing.assert_allclose(result.interval, expected, atol=1e-6)
    assert result.share_positive == (difference > 0).mean()
    n_contrary = min((difference <= 0).sum(), (difference >= 0).sum())
    assert result.p_value == pytest.approx(min(1, 2 * (1 + n_contrary) / 25))


def test_rows_that_one_model_missed_are_left_out_of_both(rng):
    Y = (rng.random((60, 2)) < 0.5).astype(float)
    A, B = rng.random((2, 60, 2))
    gaps = A.copy()
    gaps[:20] = np.nan
    expected = paired_bootstrap(
        Y[20:], A[20:], B[20:], recording_ids=np.arange(20, 60), random_state=0
    )
    result = paired_bootstrap(Y, gaps, B, random_state=0)
    assert result.macro_roc_auc_b == expected.macro_roc_auc_b
    assert result.difference == expected.difference


def test_a_model_is_no_better_than_itself_and_signs_follow_the_order(rng):
    Y = (rng.random((60, 2)) < 0.5).astype(float)
    A, B = Y + rng.normal(0, 1, Y.shape), rng.random(Y.shape)
    same = paired_bootstrap(Y, A, A, random_state=0)
    assert same.difference == 0
    assert same.interval == (0, 0)
    assert same.p_value == 1
    assert same.share_positive == 0
    better = paired_bootstrap(Y, A, B, random_state=0)
    worse = paired_bootstrap(Y, B, A, random_state=0)
    assert better.difference == -worse.difference > 0
    np.testing.assert_allclose(better.interval, np.negative(worse.interval)[::-1])
    assert better.p_value == worse.p_value == pytest.approx(2 / 1001)
    assert better.share_positive == 1


def test_reports_can_be_compared(data):
    X, Y, recordings = data
    Y = pd.DataFrame(Y, columns=list("abcd"))
    near, far = (
        cross_val_report(KNeighborsClassifier(k), X, Y, groups=recordings, **FAST)
        for k in (5, 1)
    )
    result = paired_bootstrap(
        Y, near.proba, far.proba, recording_ids=recordings, folds=near.test_fold, **FAST
    )
    assert result.macro_roc_auc_a == near.macro_roc_auc
    assert result.macro_roc_auc_b == far.macro_roc_auc


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_bootstrap": 0}, "'n_bootstrap' parameter of paired_bootstrap"),
        ({"proba_b": np.eye(5)}, r"have \[4, 4, 5\] rows"),
        ({"folds": [0]}, r"folds \(list\) must .* each of the 4 rows"),
        ({"folds": KFold(2)}, r"folds \(KFold\) must .*report.test_fold"),
        ({"folds": 2}, r"folds \(int\) must"),
        ({"folds": list(KFold(2).split(np.eye(5)))}, r"folds \(list\) must"),
        ({"folds": pd.DataFrame({"n_test": [2, 2]})}, r"folds \(DataFrame\) must"),
        ({"recording_ids": [1]}, r"recording_ids has shape \(1,\)"),
        ({"y_true": np.zeros((4, 4))}, "nothing to compare"),
        ({"proba_a": np.full((4, 4), np.nan)}, "nothing to compare"),
        ({"proba_b": np.eye(4)[:, :2]}, r"proba \(4, 2\)"),
    ],
)
def test_paired_bootstrap_refuses_bad_arguments(arguments, message):
    given = {"y_true": np.eye(4), "proba_a": np.eye(4), "proba_b": np.eye(4)}
    with pytest.raises(ValueError, match=message):
        paired_bootstrap(**given | arguments)


def test_the_interval_of_one_set_of_predictions_is_over_recordings():
    rng = np.random.default_rng(0)
    y = np.eye(2)[rng.integers(2, size=300)]
    # Ten rows of a recording say the same: as evidence they are one.
    y = np.repeat(y[:30], 10, axis=0)
    score = np.repeat(0.5 * y[::10] + rng.random((30, 2)), 10, axis=0)
    recordings = np.repeat(np.arange(30), 10)
    options = {"n_bootstrap": 300, "random_state": 0}
    value, wide = macro_roc_auc_interval(y, score, recording_ids=recordings, **options)
    assert value == pytest.approx(macro_roc_auc(y, score))
    again, narrow = macro_roc_auc_interval(y, score, **options)
    assert again == value
    assert wide[0] < narrow[0] < value < narrow[1] < wide[1]


def test_the_interval_leaves_unreadable_rows_out():
    y, score = np.eye(2)[[0, 1, 0, 1, 0]], np.eye(2)[[0, 1, 0, 1, 1]]
    score[-1] = np.nan
    with pytest.warns(UserWarning, match="NaN"):
        value, _ = macro_roc_auc_interval(y, score, random_state=0)
    assert value == 1.0


def hide(how, y, scores, rows):
    """Make rows such that nothing of them can be judged."""
    y, scores = y.copy(), [score.copy() for score in scores]
    if how == "unreadable":
        scores[-1][rows] = np.nan
    else:
        y[rows] = {"unlabelled": -1, "unknown": np.nan, "alike": [np.nan, np.nan, 1]}[
            how
        ]
    return y, scores


@pytest.mark.filterwarnings("ignore:.* rows of proba are NaN")
@pytest.mark.parametrize("how", ["unlabelled", "unknown", "unreadable", "alike"])
@pytest.mark.parametrize("n_judged", [4, 12])
def test_recordings_that_are_not_judged_do_not_count(rng, how, n_judged):
    y = np.c_[np.eye(2)[np.arange(60) // 2 % 2], np.full(60, np.nan)]
    scores = list(np.nan_to_num(y) + rng.normal(0, 1, (2, *y.shape)))
    recording, known = np.arange(60) // 2, slice(2 * n_judged)
    y, scores = hide(how, y, scores, slice(2 * n_judged, None))

    def found(rows):
        options = {"recording_ids": recording[rows], **FAST}
        both = [score[rows] for score in scores]
        return (
            macro_roc_auc_interval(y[rows], both[-1], **options),
            vars(paired_bootstrap(y[rows], *both, **options)),
        )

    np.testing.assert_equal(found(slice(None)), found(known))
    (_, interval), pair = found(slice(None))
    assert np.isnan(interval).all() == np.isnan(pair["p_value"]) == (n_judged < 5)


@pytest.mark.filterwarnings("ignore:.* of proba are NaN")
@pytest.mark.parametrize("hidden", ["label", "sound"])
def test_a_report_counts_recordings_that_are_judged(hidden):
    p = np.linspace(0, 1, 60)
    Y = np.arange(60)[:, None] % 2.0
    (Y if hidden == "label" else p)[16:] = -1 if hidden == "label" else np.nan
    recordings = np.arange(60) // 4
    options = {"groups": recordings, "cv": GroupKFold(2), **FAST}
    report = cross_val_report(Lookup(), pd.DataFrame({"p": p}), Y, **options)
    assert report.n_recordings == 4
    assert np.isnan(report.interval).all()
    assert "no interval: 4 recordings\n  do not quote this score" in str(report)


def test_one_split_keeps_groups_apart_and_species_in_training():
    rng = np.random.default_rng(0)
    groups = rng.integers(20, size=200)
    Y = (rng.random((200, 5)) < 0.2).astype(float)
    rare = np.zeros((200, 1))
    rare[groups == 3] = 1  # one group alone has it
    Y = np.hstack([Y, rare])
    for seed in range(10):
        train, test = group_train_test_split(Y, groups, random_state=seed)
        assert sorted([*train, *test]) == list(range(200))
        assert not set(groups[train]) & set(groups[test])
        assert Y[train].any(axis=0).all()
        assert 36 <= len(test) <= 44


def grouped_rows(n_groups, seed=0, n_species=10):
    """Make rows in groups of very different sizes, each with few of the species."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), rng.geometric(0.1, n_groups))
    has = rng.random((n_groups, n_species)) < 0.3
    return has[groups] * (rng.random((len(groups), n_species)) < 0.5), groups


@pytest.mark.slow
@pytest.mark.parametrize("test_size", [0.1, 0.2, 0.3, 0.4, 0.5])
@pytest.mark.parametrize("n_groups", [10, 30, 300])
def test_one_split_is_of_the_size_asked_for(n_groups, test_size):
    for seed in range(5 if n_groups < 300 else 2):
        Y, groups = grouped_rows(n_groups, seed)
        wanted = test_size * len(Y)
        train, test = group_train_test_split(
            Y, groups, test_size=test_size, random_state=seed
        )
        sizes = np.bincount(groups)
        tolerance = sizes[sizes < 2 * wanted].max() / 2
        assert abs(len(test) - wanted) <= tolerance
        if n_groups == 300:
            assert abs(len(test) - wanted) <= 0.02 * wanted
        assert sorted([*train, *test]) == list(range(len(Y)))
        assert not set(groups[train]) & set(groups[test])
        assert Y[train].any(axis=0)[Y.any(axis=0)].all()


@pytest.mark.parametrize("test_size", [0.1, 0.2, 0.4])
def test_a_group_of_most_rows_is_trained_on(test_size):
    rng = np.random.default_rng(0)
    groups = np.concatenate([np.zeros(60, dtype=int), rng.integers(1, 20, 40)])
    Y = np.eye(5)[rng.integers(5, size=100)]
    for seed in range(10):
        _, test = group_train_test_split(
            Y, groups, test_size=test_size, random_state=seed
        )
        assert 0 not in groups[test]
        assert abs(len(test) - 100 * test_size) <= 2
        assert Y[test].any(axis=0).all()


def test_one_split_tests_nearly_all_species_in_their_share():
    for seed in range(5):
        Y, groups = grouped_rows(100, seed, n_species=40)
        Y[:, 30:] &= np.isin(groups, np.arange(seed, seed + 12))[:, None]  # rare ones
        n_groups = pd.DataFrame(Y).groupby(groups).any().sum().to_numpy()
        _, test = group_train_test_split(Y, groups, random_state=seed)
        tested = Y[test].any(axis=0)
        assert tested[n_groups >= 5].all()
        assert tested[n_groups >= 2].mean() >= 0.95
        share = Y[test, :30].sum(axis=0) / Y[:, :30].sum(axis=0)
        assert np.abs(share - 0.2).mean() < 0.08


def test_groups_without_positives_do_not_fill_the_test_part():
    groups = np.repeat([0, 1, 2, 3], [2, 2, 3, 3])
    Y = np.isin(groups, [1, 2])[:, None]
    for seed in range(20):
        _, test = group_train_test_split(Y, groups, random_state=seed)
        assert groups[test].tolist() == [1, 1]


def test_the_last_group_with_positives_stays_in_the_test_part():
    groups = np.repeat([0, 1, 2], [4, 10, 36])
    Y = np.isin(np.arange(50), [0, 14])[:, None]  # 1 would do for the size alone
    for seed in range(20):
        train, test = group_train_test_split(Y, groups, random_state=seed)
        assert Y[test].any()
        assert Y[train].any()


def best_loss(Y, groups):
    """Try all choices of groups; return the lowest loss, inf if there is no choice."""
    names, sizes = np.unique(groups, return_counts=True)
    counts = np.array([Y[groups == name].sum(axis=0) for name in names])
    found = [np.inf]
    for mask in itertools.product([False, True], repeat=len(names)):
        mask = np.array(mask)
        kept = counts[~mask].any(axis=0)[counts.any(axis=0)].all()
        if counts[mask].any() and kept:
            found.append(split_loss(counts, sizes, mask))
    best = min(found)
    nothing = split_loss(counts, sizes, np.zeros(len(names), dtype=bool))
    return best if best < nothing else np.inf


def split_loss(counts, sizes, mask):
    part = _TestPart(csr_array(counts), sizes, 0.2)
    part.rows, part.positives = sizes[mask].sum(), counts[mask].sum(axis=0)
    return part.loss()


@pytest.mark.slow
def test_of_few_groups_nearly_always_the_best_are_chosen():
    rng = np.random.default_rng(0)
    n_solvable = n_best = 0
    for seed in range(100):
        n_groups = rng.integers(3, 7)
        groups = np.repeat(np.arange(n_groups), rng.integers(1, 8, n_groups))
        has = rng.random((n_groups, 2)) < 0.5
        Y = has[groups] & (rng.random((len(groups), 2)) < 0.6)
        best = best_loss(Y, groups)
        if best == np.inf:
            continue
        _, test = group_train_test_split(Y, groups, random_state=seed)
        names, sizes = np.unique(groups, return_counts=True)
        counts = np.array([Y[groups == name].sum(axis=0) for name in names])
        loss = split_loss(counts, sizes, np.isin(names, groups[test]))
        n_solvable += 1
        n_best += loss <= best + 1e-9
    assert n_solvable > 50
    assert n_best >= 0.95 * n_solvable


def test_one_split_follows_the_seed_and_not_the_order_of_rows():
    Y, groups = grouped_rows(30)
    splits = [group_train_test_split(Y, groups, random_state=seed) for seed in range(5)]
    assert len({tuple(test) for _, test in splits}) == 5
    again = group_train_test_split(Y, groups, random_state=3)
    np.testing.assert_array_equal(again[1], splits[3][1])
    order = np.random.default_rng(0).permutation(len(Y))
    _, test = group_train_test_split(Y[order], groups[order], random_state=3)
    np.testing.assert_array_equal(np.sort(order[test]), splits[3][1])


def test_one_split_counts_and_tests_labelled_rows_only():
    Y, groups = grouped_rows(100)
    Y = Y.astype(float)
    unlabelled = np.arange(len(Y)) % 2 == 1
    Y[unlabelled] = -1
    Y[groups == 7] = -1
    train, test = group_train_test_split(Y, groups, random_state=0)
    assert not unlabelled[test].any()
    n_labeled = (Y[:, 0] >= 0).sum()
    assert abs(len(test) - 0.2 * n_labeled) <= 0.03 * n_labeled
    assert not set(groups[train]) & set(groups[test])
    assert set(np.flatnonzero(groups == 7)) <= set(train)


@pytest.mark.parametrize(
    ("Y", "groups", "options", "message"),
    [
        (np.eye(2)[[0, 1] * 3], [0, 0, 0, 1, 1, 1], {}, r"too many rows \(1.2 are"),
        (np.eye(6), list("abcdef"), {}, "leaves nothing to test on"),
        (np.eye(6), list("abcdef"), {"test_size": 0.7}, "'test_size' parameter"),
        (np.empty((0, 2)), [], {}, "Y has no rows"),
        (np.empty((2, 0)), [0, 1], {}, r"Y has shape \(2, 0\).* a column per species"),
        (np.zeros((2, 2)), [0, 1], {}, "no positives: none of its 2 rows .* Pass rows"),
        (np.full((2, 2), -1), [0, 1], {}, "no positives"),
    ],
)
def test_one_split_that_cannot_be(Y, groups, options, message):
    with pytest.raises(ValueError, match=message):
        group_train_test_split(Y, groups, **options)


@pytest.mark.parametrize(
    ("n_recordings", "is_given"), [(1, False), (4, False), (5, True)]
)
def test_a_few_recordings_have_no_interval(rng, n_recordings, is_given):
    Y = rng.integers(0, 2, (40, 2))
    X, recordings = Y + rng.normal(0, 0.7, Y.shape), np.arange(40) % n_recordings
    report = cross_val_report(
        KNeighborsClassifier(3), X, Y, cv=KFold(2), recording_ids=recordings, **FAST
    )
    score, interval = macro_roc_auc_interval(Y, X, recording_ids=recordings, **FAST)
    paired = paired_bootstrap(Y, X, -X, recording_ids=recordings, **FAST)
    assert 0 < score < 1
    assert 0 < report.macro_roc_auc < 1
    assert paired.difference > 0
    ends = [*report.interval, *interval, *paired.interval, paired.p_value]
    assert np.isfinite(ends).tolist() == [is_given] * 7
    first = str(report).split("\n")[0]
    assert ("95 % interval over 5 recordings" in first) == is_given
    assert (f"no interval: {n_recordings} recording" in first) != is_given


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["a", "a"], "Y has several columns 'a'"),
        (pd.MultiIndex.from_tuples([("x", "a"), ("x", "b")]), "Y have 2 levels"),
    ],
)
def test_columns_that_name_no_species_are_refused(columns, message):
    Y = pd.DataFrame(np.eye(2)[np.arange(40) % 2], columns=columns)
    X = np.arange(40.0).reshape(-1, 1)
    with pytest.raises(ValueError, match=message):
        cross_val_report(KNeighborsClassifier(1), X, Y, cv=4, **FAST)


def test_figures_that_mean_nothing_are_not_to_be_quoted():
    X, y = np.arange(12.0)[:, None], np.arange(12)[:, None] % 2
    alone = cross_val_report(KNeighborsClassifier(1), X, y, cv=12, **FAST)
    assert "nothing to quote: no fold tests rows with and without" in str(alone)
    few = cross_val_report(
        KNeighborsClassifier(1),
        X,
        y,
        groups=np.arange(12) // 3,
        recording_ids=np.arange(12) // 3,
        cv=2,
        **FAST,
    )
    assert "do not quote this score: too few recordings" in str(few)
