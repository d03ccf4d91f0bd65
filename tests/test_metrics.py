import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier

from skbird.annotations import proba_to_events, write_submission
from skbird.ensemble import combine_proba, fit_weights
from skbird.metrics import (
    error_table,
    lrap_scorer,
    macro_average_precision,
    macro_average_precision_scorer,
    macro_roc_auc,
    macro_roc_auc_scorer,
    padded_cmap_scorer,
    prediction_entropy,
    species_report,
)
from skbird.model_selection import paired_bootstrap
from skbird.reports import describe_errors
from skbird.review import choose_for_review
from skbird.utils._proba import as_proba_matrix

METRICS = {
    macro_roc_auc: roc_auc_score,
    macro_average_precision: average_precision_score,
}
METRIC_PAIRS = [pytest.param(*pair, id=pair[0].__name__) for pair in METRICS.items()]
SCORERS = [
    macro_roc_auc_scorer,
    macro_average_precision_scorer,
    padded_cmap_scorer,
    lrap_scorer,
]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def truth_and_scores(rng):
    """Five species; scores with many ties."""
    y_true = (rng.random((60, 5)) < 0.3).astype(np.float32)
    return y_true, np.round(rng.random((60, 5)) * 0.8 + 0.2 * y_true, 1)


class ColumnClassifier(ClassifierMixin, BaseEstimator):
    """Multi-label dummy: the probabilities are the first columns of X."""

    n_predictions = 0

    def __init__(self, scale=1.0):
        self.scale = scale

    def fit(self, X, y):
        self.classes_ = [np.array([0, 1])] * np.shape(y)[1]
        return self

    def predict_proba(self, X):
        type(self).n_predictions += 1
        return np.asarray(X)[:, : len(self.classes_)] * self.scale


@pytest.mark.parametrize(("metric", "of_one_species"), METRIC_PAIRS)
def test_metric_is_the_mean_of_sklearns_with_ties(
    truth_and_scores, metric, of_one_species
):
    y_true, proba = truth_and_scores
    expected = np.mean([of_one_species(y_true[:, j], proba[:, j]) for j in range(5)])
    assert metric(y_true, proba) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("metric", "of_one_species"), METRIC_PAIRS)
def test_unknown_entries_are_left_out_of_their_species(
    truth_and_scores, rng, metric, of_one_species
):
    y_true, proba = truth_and_scores
    y_true[rng.random(y_true.shape) < 0.2] = np.nan
    known = ~np.isnan(y_true)
    expected = [
        of_one_species(y_true[known[:, j], j], proba[known[:, j], j]) for j in range(5)
    ]
    assert metric(y_true, proba) == pytest.approx(np.mean(expected), abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_unlabelled_rows_change_nothing(truth_and_scores, metric):
    y_true, proba = truth_and_scores
    longer_true = np.vstack([np.full((3, 5), -1.0), y_true])
    longer_score = np.vstack([np.full((3, 5), np.nan), proba])
    assert metric(longer_true, longer_score) == metric(y_true, proba)


@pytest.mark.parametrize("metric", METRICS)
def test_soft_truth_counts_as_presence_from_one_half(truth_and_scores, metric):
    y_true, proba = truth_and_scores
    soft = np.where(y_true == 1, 0.5, 0.49)
    assert metric(soft, proba) == metric(y_true, proba)


@pytest.mark.parametrize(
    ("metric", "skipped"),
    [(macro_roc_auc, ["absent", "everywhere", "unknown"]),
     (macro_average_precision, ["absent", "unknown"])],
)  # fmt: skip
def test_skipped_species_are_named(metric, skipped):
    y_true = pd.DataFrame(
        {
            "absent": [0.0, 0.0, 0.0],
            "good": [0.0, 1.0, 1.0],
            "everywhere": [1.0, 1.0, 1.0],
            "unknown": [np.nan] * 3,
        }
    )
    proba = np.array([[0.1], [0.5], [0.9]]).repeat(4, axis=1)
    score, names = metric(y_true, proba, return_skipped=True)
    assert (score, names) == (1.0, skipped)
    _, numbers = metric(y_true.to_numpy(), proba, return_skipped=True)
    assert [y_true.columns[j] for j in numbers] == skipped


@pytest.mark.filterwarnings("error")
def test_one_pair_of_rows_is_enough_and_none_is_passed_over_in_silence():
    y_true, proba = [[1, 0, 1], [0, 0, 1]], [[0.9, 0.9, 0.9], [0.1, 0.1, 0.1]]
    assert macro_roc_auc(y_true, proba, return_skipped=True) == (1.0, [1, 2])
    assert macro_roc_auc(y_true, np.negative(proba)) == 0.0


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("y_true", [np.zeros((4, 2)), np.full((4, 2), -1.0)])
def test_no_species_to_judge_gives_nan_and_a_warning(metric, y_true):
    with pytest.warns(UndefinedMetricWarning, match="No species"):
        score = metric(y_true, np.full((4, 2), 0.5))
    assert np.isnan(score)


def test_unread_rows_are_refused_or_left_out(truth_and_scores):
    y_true, proba = truth_and_scores
    unread = proba.copy()
    unread[[2, 7]] = np.nan
    with pytest.raises(ValueError, match=r"rows 2, 7.*nan_rows='omit'"):
        macro_roc_auc(y_true, unread)
    with pytest.warns(UserWarning, match="2 of 60 rows"):
        score = macro_roc_auc(y_true, unread, nan_rows="omit")
    read = np.delete(np.arange(60), [2, 7])
    assert score == macro_roc_auc(y_true[read], proba[read])


@pytest.mark.parametrize(
    ("y_true", "proba", "message"),
    [
        ([0, 1], [[0.1], [0.2]], r"y_true has shape \(2,\).*reshape"),
        ([[0], [1]], [0.1, 0.2], r"proba has shape \(2,\)"),
        ([[0], [1]], [[0.1], [0.2], [0.3]], "same rows and species"),
        ([[0], [2]], [[0.1], [0.2]], "holds 2 at row 1"),
        ([[0, 1], [-1, 1]], [[0.1, 0], [0.2, 0]], "holds -1 at row 1, species 0"),
        ([[0, 1], [1, 0]], [[np.nan, 0], [0.2, 0]], "finite"),
        ([[0], [1]], [[0.1], [np.inf]], "holds inf at row 1"),
        ([["a"], ["b"]], [[0.1], [0.2]], "y_true must be a numeric array"),
    ],
)
def test_bad_input_is_refused(y_true, proba, message):
    with pytest.raises(ValueError, match=message):
        macro_roc_auc(y_true, proba)


def test_columns_of_pandas_may_hold_its_missing_value():
    y_true = pd.DataFrame({"owl": pd.array([1, pd.NA, 0, 1], dtype="Int64")})
    proba = pd.DataFrame({"owl": pd.array([0.9, 0.1, 0.5, 0.2], dtype="Float64")})
    assert macro_roc_auc(y_true, proba) == 0.5


def test_tables_without_rows_are_refused():
    with pytest.raises(ValueError, match="y_true has no rows"):
        macro_roc_auc(np.empty((0, 2)), np.empty((0, 2)))


@pytest.mark.parametrize(
    ("n_unread", "shown"), [(5, r"rows 0, 1, 2, 3, 4\)"), (6, r"2, 3, 4, \.\.\.\)")]
)
def test_unread_rows_are_counted_and_the_first_five_named(n_unread, shown):
    y_true = np.column_stack([np.arange(8) % 2.0, np.full(8, np.nan)])
    proba = np.full((8, 2), 0.5)
    proba[:n_unread] = np.nan
    message = rf"{n_unread} of 8 rows of proba (is|are) NaN .*{shown}"
    with pytest.raises(ValueError, match=message):
        macro_roc_auc(y_true, proba)


def test_proba_matrix_is_of_floats_and_of_two_dimensions():
    matrix = as_proba_matrix(np.eye(2, dtype=int), classes=[], n_species=2)
    assert matrix.dtype == np.float64
    with pytest.raises(ValueError, match=r"returned shape \(2,\)"):
        as_proba_matrix(np.array([0.1, 0.9]), [0, 1], n_species=1)


def test_no_threshold_may_be_nan():
    with pytest.raises(ValueError, match=r"threshold=\[0.5 nan\] must not be NaN"):
        species_report([[1, 0]], [[0.9, 0.1]], threshold=[0.5, np.nan])


def test_unknown_nan_rows_option_is_refused():
    with pytest.raises(ValueError, match="nan_rows='drop' must be"):
        macro_roc_auc([[0], [1]], [[0.1], [0.2]], nan_rows="drop")


def test_differently_ordered_species_are_refused():
    y_true = pd.DataFrame({"a": [0, 1], "b": [1, 0]})
    with pytest.raises(ValueError, match=r"'a' and 'b'.*proba\[y_true.columns\]"):
        macro_roc_auc(y_true, y_true[["b", "a"]])


def test_report_agrees_with_sklearn(truth_and_scores):
    y_true, proba = truth_and_scores
    threshold = np.linspace(0.3, 0.7, 5)
    report = species_report(y_true, proba, list("abcde"), threshold)
    assert report.index.tolist() == list("abcde")
    assert report.index.name == "species"
    predicted = proba >= threshold
    for name, metric in [
        ("precision", precision_score), ("recall", recall_score), ("f1", f1_score),
    ]:  # fmt: skip
        np.testing.assert_allclose(
            report[name], metric(y_true, predicted, average=None)
        )
    assert report["roc_auc"].mean() == pytest.approx(macro_roc_auc(y_true, proba))
    assert (report["n_rows"] == 60).all()
    np.testing.assert_array_equal(report["n_positive"], y_true.sum(axis=0))
    np.testing.assert_array_equal(report["n_predicted"], predicted.sum(axis=0))
    accuracy = [accuracy_score(y_true[:, j], predicted[:, j]) for j in range(5)]
    np.testing.assert_allclose(report["accuracy"], accuracy)


def test_report_leaves_unknown_entries_out_of_the_accuracy():
    y_true = [[1.0, np.nan], [0.0, 1.0], [np.nan, 0.0], [-1.0, -1.0]]
    report = species_report(y_true, [[0.9, 0.9], [0.9, 0.9], [0.1, 0.9], [0.1, 0.1]])
    assert report["n_rows"].tolist() == [2, 2]
    assert report["accuracy"].tolist() == [0.5, 0.5]


def test_report_is_nan_where_undefined():
    y_true = pd.DataFrame({"absent": [0, 0], "unknown": [np.nan, np.nan]})
    report = species_report(y_true, np.full((2, 2), 0.1))
    assert report.index.tolist() == ["absent", "unknown"]
    assert report["n_rows"].tolist() == [2, 0]
    assert report.loc["absent", "accuracy"] == 1.0
    counts = ["n_rows", "n_positive", "n_predicted"]
    undefined = report.drop(columns=[*counts, "accuracy"])
    assert undefined.isna().all(axis=None)
    assert np.isnan(report.loc["unknown", "accuracy"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"species": ["a"]}, "species has 1 name,"),
     ({"threshold": [0.1, 0.2, 0.3]}, r"threshold has shape \(3,\)"),
     ({"threshold": np.nan}, r"threshold=nan must not be NaN.*numpy.inf")],
)  # fmt: skip
def test_report_refuses_arguments_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        species_report([[0, 1], [1, 0]], [[0.1, 0.2], [0.3, 0.4]], **arguments)


@pytest.mark.parametrize("third", [0.7, "raise"])
def test_the_third_argument_of_a_report_is_no_threshold(third):
    with pytest.raises(TypeError, match=f"species='?{third}'? must .*threshold=0.7"):
        species_report(np.eye(2), np.eye(2), third)


@pytest.mark.parametrize("n_species", [1, 2, 3])
@pytest.mark.parametrize("as_frame", [False, True])
@pytest.mark.parametrize("scorer", SCORERS, ids=repr)
def test_scorers_accept_soft_truth_and_few_species(rng, scorer, as_frame, n_species):
    X = rng.random((40, 3))
    soft = np.where(X[:, :n_species] > 0.6, 0.8, 0.3)
    soft[::7, 0] = np.nan
    soft = pd.DataFrame(soft) if as_frame else soft
    # An integer cv would look at the kind of Y and refuse NaN before any scorer.
    scores = cross_val_score(ColumnClassifier(), X, soft, scoring=scorer, cv=KFold(3))
    np.testing.assert_allclose(scores, 1.0, rtol=1e-12)


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("n_species", [1, 2, 3])
@pytest.mark.parametrize(
    "classifier",
    [
        OneVsRestClassifier(LogisticRegression()),
        MultiOutputClassifier(LogisticRegression()),
        ClassifierChain(LogisticRegression()),
        KNeighborsClassifier(7),
        RandomForestClassifier(20, random_state=0),
    ],
    ids=lambda classifier: type(classifier).__name__,
)
def test_scorers_understand_every_kind_of_multilabel_classifier(
    rng, classifier, n_species
):
    X = rng.normal(size=(90, 3))
    Y = (X[:, :n_species] > 0).astype(int)
    scores = cross_val_score(
        classifier, X, Y, scoring=macro_roc_auc_scorer, error_score="raise"
    )
    assert scores.mean() > 0.9


def test_scorers_share_one_prediction():
    X = np.random.default_rng(1).random((20, 2))
    ColumnClassifier.n_predictions = 0
    results = cross_validate(
        ColumnClassifier(),
        X,
        (X > 0.5).astype(int),
        scoring={"auc": SCORERS[0], "ap": SCORERS[1]},
        cv=2,
    )
    assert ColumnClassifier.n_predictions == 2
    assert results["test_auc"].tolist() == results["test_ap"].tolist() == [1.0, 1.0]


@pytest.mark.slow
@pytest.mark.usefixtures("forked_workers")
def test_scorers_work_in_a_parallel_grid_search(rng):
    X = rng.random((30, 2))
    search = GridSearchCV(
        ColumnClassifier(),
        {"scale": [-1.0, 1.0]},
        scoring={"auc": SCORERS[0], "ap": SCORERS[1]},
        refit="auc",
        cv=2,
        n_jobs=2,
    )
    search = clone(search).fit(X, (X > 0.5) * 0.7)
    assert search.best_params_ == {"scale": 1.0}
    assert search.best_score_ == 1.0


@pytest.mark.parametrize("scorer", SCORERS, ids=repr)
def test_scorers_pickle_by_their_public_name(scorer):
    assert pickle.loads(pickle.dumps(scorer)) is scorer
    assert b"skbird.metrics" in pickle.dumps(scorer, protocol=2)
    assert b"_scorers" not in pickle.dumps(scorer, protocol=2)


def test_scorer_leaves_unread_recordings_out_with_a_warning(rng):
    X = rng.random((20, 2))
    Y = (X > 0.5).astype(int)
    X[3] = np.nan
    with pytest.warns(UserWarning, match="1 of 20 rows"):
        score = macro_roc_auc_scorer(ColumnClassifier().fit(X, Y), X, Y)
    assert score == 1.0


def test_scorer_checks_truth_before_it_predicts(rng):
    X = rng.random((20, 2))
    classifier = ColumnClassifier().fit(X, X)
    ColumnClassifier.n_predictions = 0
    with pytest.raises(ValueError, match="y_true has shape"):
        macro_roc_auc_scorer(classifier, X, X[:, 0])
    assert ColumnClassifier.n_predictions == 0


@pytest.mark.parametrize(
    ("proba", "classes", "n_species", "expected"),
    [
        ([[[0.9, 0.1]], [[0.2, 0.8]]], None, 2, [[0.1, 0.8]]),
        ([[[0.1, 0.9]], [[0.2, 0.8]]], [[1, 0], [0, 1]], 2, [[0.1, 0.8]]),
        ([[[1.0]], [[1.0]]], [[0], [1]], 2, [[0.0, 1.0]]),
        (np.array([[0.7, 0.3]]), [0, 1], 1, [[0.3]]),
        (np.array([[0.7, 0.3]]), [0, 1], 2, [[0.7, 0.3]]),
        (np.array([[1.0]]), [0], 1, [[0.0]]),
        (np.array([[0.3]]), [[0, 1]], 1, [[0.3]]),
    ],
)
def test_proba_matrix_holds_the_probability_of_presence(
    proba, classes, n_species, expected
):
    if isinstance(proba, list):
        proba = [np.array(p) for p in proba]
    np.testing.assert_array_equal(as_proba_matrix(proba, classes, n_species), expected)


@pytest.mark.parametrize(
    ("proba", "n_species", "message"),
    [
        (np.zeros((4, 3)), 2, r"shape \(4, 3\), but \(n_rows, 2\)"),
        (np.zeros(4), None, r"\(n_rows, n_species\)"),
        ([np.ones((4, 1))], 1, "Pass classes"),
    ],
)
def test_proba_matrix_refuses_what_it_cannot_read(proba, n_species, message):
    with pytest.raises(ValueError, match=message):
        as_proba_matrix(proba, n_species=n_species)


def test_entropy_is_in_bits_and_exact_where_the_model_is_sure():
    proba = [[0, 1, 0, 1], [0.5, 0.5, 0, 1], [0.25, 0.75, 0, 0], [np.nan] * 4]
    quarter = 0.5 + 0.75 * np.log2(4 / 3)  # -1/4 log2(1/4) - 3/4 log2(3/4)
    expected = [0, 0.5, quarter / 2, np.nan]
    np.testing.assert_allclose(prediction_entropy(proba), expected, rtol=1e-12)
    assert prediction_entropy([[0, 1]]).tolist() == [0]
    assert prediction_entropy([[1e-9]]).item() == pytest.approx(3.134e-8, rel=1e-3)


@pytest.mark.parametrize("value", [-0.5, 1.5])
def test_entropy_is_of_probabilities_only(value):
    with pytest.raises(ValueError, match=rf"outside \[0, 1\], such as {value}"):
        prediction_entropy([[0.5, value]])
    with pytest.raises(ValueError, match=r"proba has shape \(2,\)"):
        prediction_entropy([0.5, 0.5])


@pytest.mark.parametrize(
    "call",
    [
        macro_roc_auc,
        lambda y, score: paired_bootstrap(y, y, score),
        lambda y, score: fit_weights([score, score], y),
        lambda y, score: combine_proba([y, score]),
        lambda y, score: proba_to_events(score, y[[]].assign(path="a", start=0, end=5)),
    ],
)
def test_the_same_rows_in_another_order_are_refused(call):
    y = pd.DataFrame({"a": [1.0, 0, 1, 0], "b": [0.0, 1, 1, 0]}, index=list("wxyz"))
    with pytest.raises(ValueError, match="same rows in another order"):
        call(y, y[::-1])


@pytest.mark.parametrize("flip", [lambda p: p[::-1], lambda p: p[["b", "a"]]])
@pytest.mark.parametrize(
    "call",
    [
        lambda y, a, b: paired_bootstrap(y, a, b),
        lambda y, a, b: combine_proba([y, a, b]),
        lambda y, a, b: fit_weights([a, b], y),
        lambda y, a, b: fit_weights([y, a, b], y),
        lambda y, a, b: fit_weights([y, b], a),
    ],
)
def test_an_array_hides_no_order_of_the_others(call, flip):
    y = np.array([[1.0, 0], [0, 1], [1, 1], [0, 0]])
    a = pd.DataFrame(y, list("wxyz"), list("ab"))
    call(y, a, a)
    with pytest.raises(ValueError, match=r"in another order: .* in place 0"):
        call(y, a, flip(a))


def test_two_models_of_other_species_are_not_compared():
    y = np.eye(2)[[0, 1, 0, 1]]
    proba = pd.DataFrame(y, columns=["a", "b"])
    with pytest.raises(ValueError, match=r"proba_a and proba_b name different species"):
        paired_bootstrap(y, proba, proba.set_axis(["a", "c"], axis=1))


@pytest.mark.parametrize(
    "call",
    [
        lambda y, proba, X: error_table(y, proba, X=X),
        lambda y, proba, X: describe_errors(X, y, proba, n_clips=0, max_decoded=0),
        lambda y, proba, X: choose_for_review(proba, X, 5),
        lambda y, proba, X: write_submission(proba, X, "never.csv"),
    ],
)
def test_rows_in_another_order_than_their_predictions_are_refused(call):
    y = np.eye(2)[[0, 1, 0, 1]]
    proba = pd.DataFrame(y, list("wxyz"), ["a", "b"])
    X = pd.DataFrame({"path": "a.wav", "start": np.arange(4.0)}, index=list("wxyz"))
    X["end"] = X["start"] + 1
    with pytest.raises(ValueError, match="same rows in another order"):
        call(y, proba, X[::-1])


def test_the_same_columns_in_another_order_are_not_averaged():
    proba = pd.DataFrame({"a": [0.1], "b": [0.9]})
    with pytest.raises(ValueError, match="another order: the columns have 'a' and 'b'"):
        combine_proba([proba, proba[["b", "a"]]])


def test_rows_with_other_labels_are_judged_by_their_places():
    y = pd.DataFrame({"a": [1.0, 0, 1, 0]}, index=list("wxyz"))
    assert macro_roc_auc(y, y.reset_index(drop=True)) == 1
    assert macro_roc_auc(y.set_axis(list("wwyy")), y.set_axis(list("wwyy"))) == 1
    pairs = pd.MultiIndex.from_product([["a.ogg", "b.ogg"], [0.0, 5.0]])
    assert macro_roc_auc(y.set_axis(pairs), y.reset_index(drop=True)) == 1


def test_labels_of_other_kinds_that_mean_the_same_are_in_one_order():
    y = pd.DataFrame({"a": [1.0, 0, 1, 0]})
    hours = pd.date_range("2025-06-01", periods=4, freq="h", tz="UTC")
    elsewhere = hours.tz_convert("Asia/Tokyo")
    assert macro_roc_auc(y.set_axis(hours), y.set_axis(elsewhere)) == 1
    with pytest.raises(ValueError, match="same rows in another order"):
        macro_roc_auc(y.set_axis(hours), y.set_axis(elsewhere[::-1]))
    names = pd.Index(["w", None, "y", "z"], dtype="string")
    assert macro_roc_auc(y.set_axis(names), y.set_axis(names.astype(object))) == 1
    with pytest.raises(ValueError, match=r"'w' and 'z' in place 0"):
        macro_roc_auc(y.set_axis(names), y.set_axis(names[::-1]))


def test_scorers_refuse_species_in_another_order_than_the_models(rng):
    X, y = rng.random((8, 2)), pd.DataFrame({"a": [1, 0] * 4, "b": [0, 1, 1, 0] * 2})
    model = ColumnClassifier().fit(X, y)
    model.species_ = list(y)
    assert 0 <= macro_roc_auc_scorer(model, X, y) <= 1
    message = r"ColumnClassifier was fitted on the 2 species \['a', 'b'\].*\['b', 'a'\]"
    with pytest.raises(ValueError, match=message):
        macro_roc_auc_scorer(model, X, y[["b", "a"]])
