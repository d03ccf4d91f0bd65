"""error_table and co_activation: which errors, and which species for which."""

import numpy as np
import pandas as pd
import pytest

from skbird.metrics import co_activation, error_table, species_report


@pytest.fixture
def truth_and_scores():
    rng = np.random.default_rng(0)
    y_true = rng.random((80, 4)).round(1)
    y_true[:, 3] = 0.0
    y_true[rng.random(y_true.shape) < 0.2] = np.nan
    y_true[5] = -1
    return y_true, rng.random((80, 4)).round(2)


def test_errors_are_those_the_report_counts(truth_and_scores):
    threshold = np.array([0.3, 0.5, 0.6, 0.9])
    errors = error_table(*truth_and_scores, threshold)
    report = species_report(*truth_and_scores, threshold=threshold)
    n_wrong = (report["n_rows"] * (1 - report["accuracy"])).round()
    assert errors["species"].value_counts().sort_index().tolist() == n_wrong.tolist()
    hits = report["recall"].fillna(0) * report["n_positive"]
    false_positives = errors[errors["error"] == "false positive"]["species"]
    np.testing.assert_allclose(
        false_positives.value_counts().sort_index(), report["n_predicted"] - hits
    )


def test_each_line_is_an_error(truth_and_scores):
    y_true, proba = truth_and_scores
    threshold = np.array([0.3, 0.5, 0.6, 0.9])
    errors = error_table(y_true, proba, threshold)
    for line in errors.itertuples():
        truth = y_true[line.row, line.species]
        score = proba[line.row, line.species]
        assert (line.truth, line.score) == (truth, score)
        is_predicted = score >= threshold[line.species]
        assert is_predicted == (line.error == "false positive")
        assert is_predicted != (truth >= 0.5)
        assert line.margin == abs(score - threshold[line.species])


def test_most_confident_errors_come_first(truth_and_scores):
    margin = error_table(*truth_and_scores)["margin"]
    assert len(margin) > 20
    assert margin.is_monotonic_decreasing


@pytest.mark.parametrize("kind", ["false positive", "false negative"])
def test_kind_chooses_the_errors(truth_and_scores, kind):
    both = error_table(*truth_and_scores)
    expected = both[both["error"] == kind].reset_index(drop=True)
    pd.testing.assert_frame_equal(error_table(*truth_and_scores, kind=kind), expected)


def test_columns_of_the_rows_are_joined_by_position(truth_and_scores):
    start = np.arange(80) * 5.0
    rows = pd.DataFrame({"path": "a.ogg", "start": start}, index=np.arange(80)[::-1])
    errors = error_table(*truth_and_scores, X=rows)
    assert errors.columns.tolist()[-2:] == ["path", "start"]
    np.testing.assert_array_equal(errors["start"], errors["row"] * 5.0)
    assert errors.index.tolist() == list(range(len(errors)))


def test_limit_keeps_the_most_confident_of_each_species_and_kind(truth_and_scores):
    everything = error_table(*truth_and_scores)
    errors = error_table(*truth_and_scores, max_per_species=2)
    groups = everything.groupby(["species", "error"])
    assert len(errors) == groups.size().clip(upper=2).sum()
    assert errors.equals(groups.head(2).reset_index(drop=True))


def test_perfect_predictions_give_an_empty_table_with_all_columns():
    rows = pd.DataFrame({"path": ["a.ogg"]})
    errors = error_table([[1, 0]], [[0.9, 0.1]], X=rows, max_per_species=1)
    assert len(errors) == 0
    columns = ["row", "species", "error", "truth", "score", "margin", "path"]
    assert errors.columns.tolist() == columns


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"kind": "fp"}, ValueError, "kind='fp' must be one of"),
        ({"max_per_species": 0}, ValueError, "max_per_species=0 must be a whole"),
        ({"X": ["a.ogg"]}, TypeError, "X must be a DataFrame.*list"),
        ({"X": pd.DataFrame({"path": ["a"] * 3})}, ValueError, "X has 3 rows"),
        (
            {"X": pd.DataFrame({"score": [1.0] * 2})},
            ValueError,
            r"columns \['score'\].*Rename",
        ),
        ({"threshold": [0.1] * 3}, ValueError, "threshold has shape"),
        ({"species": ["a"]}, ValueError, "species has 1 name,"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        error_table([[1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8]], **arguments)


def slow_co_activation(y_true, activation):
    """Pair by pair, row by row."""
    n_species = y_true.shape[1]
    rates = np.full((n_species, n_species), np.nan)
    support = np.zeros((n_species, n_species), dtype=int)
    labelled = ~(y_true == -1).all(axis=1)
    for a in range(n_species):
        for b in range(n_species):
            rows = labelled & (y_true[:, a] >= 0.5)
            if a != b:
                rows &= y_true[:, b] < 0.5
            support[a, b] = rows.sum()
            if support[a, b]:
                rates[a, b] = activation[rows, b].mean()
    return rates, support


@pytest.mark.parametrize("n_species", [1, 2, 4])
def test_co_activation_agrees_with_a_slow_reference(truth_and_scores, n_species):
    y_true, proba = (values[:, :n_species] for values in truth_and_scores)
    threshold = np.linspace(0.3, 0.7, n_species)
    rates, support = co_activation(y_true, proba, threshold, return_support=True)
    expected, n_rows = slow_co_activation(y_true, proba >= threshold)
    np.testing.assert_allclose(rates, expected)
    np.testing.assert_array_equal(support, n_rows)
    report = species_report(y_true, proba, threshold=threshold)
    np.testing.assert_allclose(np.diag(rates), report["recall"])
    np.testing.assert_array_equal(np.diag(support), report["n_positive"])


def test_co_activation_without_threshold_is_the_mean_score(truth_and_scores):
    expected, _ = slow_co_activation(*truth_and_scores)
    np.testing.assert_allclose(co_activation(*truth_and_scores, None), expected)


def test_rows_with_both_species_are_no_confusion():
    rates = co_activation([[1, 1], [1, 0]], [[0.9, 0.9], [0.9, 0.1]])
    assert rates.loc[0, 1] == 0.0
    assert np.isnan(rates.loc[1, 0])


def test_co_activation_names_true_species_in_the_index():
    y_true = pd.DataFrame({"a": [1, 0], "b": [0, 1]})
    rates = co_activation(y_true, [[0.9, 0.8], [0.1, 0.9]])
    assert (rates.index.name, rates.columns.name) == ("true", "predicted")
    assert rates.loc["a", "b"] == 1.0
    assert rates.loc["b", "a"] == 0.0


@pytest.mark.filterwarnings("error")
def test_co_activation_counts_scores_at_the_threshold():
    rates, support = co_activation([[1, 0]], [[0.5, 0.5]], return_support=True)
    np.testing.assert_array_equal(rates, [[1, 1], [np.nan, np.nan]])
    np.testing.assert_array_equal(support, [[1, 1], [0, 0]])
    assert (support.dtypes == np.int64).all()
    with pytest.raises(ValueError, match=r"threshold has shape \(1,\)"):
        co_activation([[1, 0]], [[0.5, 0.5]], threshold=[0.5])
