"""padded_cmap and lrap."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    label_ranking_average_precision_score,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier

from skbird.metrics import (
    lrap,
    lrap_scorer,
    macro_average_precision,
    padded_cmap,
    padded_cmap_scorer,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def truth_and_scores(rng):
    """Five species, the last without positives; scores with many ties, also at 1."""
    y_true = (rng.random((60, 5)) < [0.3, 0.3, 0.1, 0.05, 0.0]).astype(float)
    return y_true, np.round(rng.random((60, 5)) * 0.8 + 0.2 * y_true, 1)


@pytest.mark.parametrize("padding", [1, 5])
def test_padded_cmap_is_the_mean_average_precision_of_padded_tables(
    truth_and_scores, padding
):
    y_true, proba = truth_and_scores
    proba[:3, 4] = 1.0  # even the species without positives is judged
    ones = np.ones((padding, 5))
    expected = average_precision_score(
        np.vstack([y_true, ones]), np.vstack([proba, ones]), average="macro"
    )
    result = padded_cmap(y_true, proba, padding=padding)
    assert result == pytest.approx(expected, abs=1e-12)
    assert result > macro_average_precision(y_true, proba)


def test_padded_cmap_pads_with_five_rows_unless_told():
    # One miss at the bottom: 5 padded hits on top, the sixth after one false alarm.
    expected = (5 + 6 / 7) / 6
    assert padded_cmap([[1], [0]], [[0.1], [0.9]]) == pytest.approx(expected)


def test_padded_cmap_judges_known_entries_only(truth_and_scores, rng):
    y_true, proba = truth_and_scores
    y_true[rng.random(y_true.shape) < 0.2] = np.nan
    expected = []
    for j in range(5):
        known = ~np.isnan(y_true[:, j])
        expected.append(padded_cmap(y_true[known, j, None], proba[known, j, None]))
    result = padded_cmap(y_true, proba)
    assert result == pytest.approx(np.mean(expected), abs=1e-12)


def test_padded_cmap_skips_only_species_of_which_nothing_is_known():
    y_true = pd.DataFrame({"absent": [0, 0], "unknown": [np.nan] * 2, "good": [1, 0]})
    proba = [[0.9, 0.9, 0.9], [0.8, 0.8, 0.1]]
    assert padded_cmap(y_true, proba, return_skipped=True) == (1.0, ["unknown"])
    with pytest.warns(UndefinedMetricWarning, match="No species"):
        assert np.isnan(padded_cmap(np.full((2, 1), np.nan), [[0.1], [0.2]]))


@pytest.mark.parametrize("padding", [0, 2.5, None])
def test_padding_must_be_a_number_of_rows(padding):
    with pytest.raises(ValueError, match=r"padding=.*macro_average_precision"):
        padded_cmap([[1], [0]], [[0.9], [0.1]], padding=padding)


def test_padded_cmap_refuses_logits():
    with pytest.raises(ValueError, match=r"outside \[0, 1\], such as 1.5.*logits"):
        padded_cmap([[1], [0]], [[1.5], [0.1]])


def test_lrap_is_sklearns_where_all_is_known(truth_and_scores):
    y_true, proba = truth_and_scores
    y_true = y_true[y_true.any(axis=1)]
    proba = proba[: len(y_true)]
    expected = label_ranking_average_precision_score(y_true, proba)
    assert lrap(y_true, proba) == pytest.approx(expected, abs=1e-12)


def test_lrap_leaves_out_rows_without_a_known_positive():
    y_true = [[0, 1], [0, 0], [np.nan, 0], [-1, -1]]
    proba = [[0.9, 0.1], [0.1, 0.2], [0.9, 0.3], [0.5, 0.4]]
    assert lrap(y_true, proba) == 0.5


def slow_lrap(y_true, proba):
    """The formula, entry by entry."""
    rows = []
    for truth, score in zip(y_true, proba, strict=True):
        known = ~np.isnan(truth)
        positive = known & (truth >= 0.5)
        shares = [
            (positive & (score >= score[j])).sum() / (known & (score >= score[j])).sum()
            for j in np.flatnonzero(positive)
        ]
        rows += [np.mean(shares)] if shares else []
    return np.mean(rows)


@pytest.mark.parametrize("scale", [1.0, -1.0, -1e300])
@pytest.mark.parametrize("n_species", [1, 2, 5])
def test_lrap_leaves_unknown_entries_out_of_their_rows(
    truth_and_scores, rng, n_species, scale
):
    y_true, proba = (values[:, :n_species] for values in truth_and_scores)
    y_true[rng.random(y_true.shape) < 0.3] = np.nan
    result = lrap(y_true, scale * proba)
    assert result == pytest.approx(slow_lrap(y_true, scale * proba), abs=1e-12)


def test_lrap_without_a_positive_is_nan_with_a_warning():
    with pytest.warns(UndefinedMetricWarning, match="No row") as caught:
        assert np.isnan(lrap([[0, 0]], [[0.1, 0.2]]))
    assert caught[0].filename == __file__


@pytest.mark.parametrize("n_species", [1, 2, 3])
def test_scorers_choose_in_a_grid_search(rng, n_species):
    X = rng.normal(size=(80, 4))
    Y = (X[:, :n_species] > 0.3).astype(int)
    search = GridSearchCV(
        OneVsRestClassifier(LogisticRegression()),
        {"estimator__C": [1e-9, 1.0]},
        scoring={"padded_cmap": padded_cmap_scorer, "lrap": lrap_scorer},
        refit="padded_cmap",
        cv=2,
    ).fit(X, Y)
    assert search.best_params_ == {"estimator__C": 1.0}
    assert search.best_score_ > 0.95
    assert (search.cv_results_["mean_test_lrap"] > 0.5).all()
