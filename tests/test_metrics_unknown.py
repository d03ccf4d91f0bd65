"""Whatever a metric measures: the unknown, the unlabelled and the unread are alike."""

import numpy as np
import pandas as pd
import pytest

from skbird.metrics import (
    co_activation,
    error_table,
    lrap,
    macro_average_precision,
    macro_roc_auc,
    padded_cmap,
    species_report,
    threshold_curve,
)


def judged(result):
    """Drop what is said of the input rather than of its quality."""
    if isinstance(result, pd.DataFrame):
        return result.drop(columns=["row", "truth"], errors="ignore").to_numpy()
    return result


METRICS = [
    co_activation,
    error_table,
    lrap,
    macro_average_precision,
    macro_roc_auc,
    padded_cmap,
    species_report,
    threshold_curve,
]


@pytest.fixture
def truth_and_scores():
    rng = np.random.default_rng(0)
    y_true = (rng.random((40, 3)) < 0.4).astype(float)
    return y_true, rng.random((40, 3)).round(1)


@pytest.mark.parametrize("metric", METRICS)
def test_scores_of_unknown_entries_do_not_matter(truth_and_scores, metric):
    y_true, proba = truth_and_scores
    unknown = np.random.default_rng(1).random(y_true.shape) < 0.2
    y_true[unknown] = np.nan
    results = []
    for replacement in [0.0, 1.0, np.nan]:
        changed = np.where(unknown, replacement, proba)
        results.append(judged(metric(y_true, changed)))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize("metric", METRICS)
def test_unlabelled_rows_change_nothing(truth_and_scores, metric):
    y_true, proba = truth_and_scores
    longer_true = np.vstack([np.full((3, 3), -1.0), y_true])
    longer_score = np.vstack([np.ones((3, 3)), proba])
    expected = judged(metric(y_true, proba))
    np.testing.assert_array_equal(judged(metric(longer_true, longer_score)), expected)


@pytest.mark.parametrize("metric", METRICS)
def test_soft_truth_is_presence_from_one_half(truth_and_scores, metric):
    y_true, proba = truth_and_scores
    soft = np.where(y_true == 1, 0.5, 0.49)
    expected = judged(metric(y_true, proba))
    np.testing.assert_array_equal(judged(metric(soft, proba)), expected)


@pytest.mark.parametrize("metric", METRICS)
def test_unread_rows_are_refused_or_left_out(truth_and_scores, metric):
    y_true, proba = truth_and_scores
    expected = judged(metric(y_true[2:], proba[2:]))
    proba[:2] = np.nan
    with pytest.raises(ValueError, match=r"rows 0, 1.*nan_rows='omit'"):
        metric(y_true, proba)
    with pytest.warns(UserWarning, match="2 of 40 rows") as caught:
        result = metric(y_true, proba, nan_rows="omit")
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(judged(result), expected)


@pytest.mark.parametrize("metric", METRICS)
def test_tables_give_what_arrays_give(truth_and_scores, metric):
    y_true, proba = truth_and_scores
    names = ["a", "b", "c"]
    index = np.arange(40)[::-1] + 1  # other labels: rows match by position
    frames = [
        pd.DataFrame(values, columns=names, index=i)
        for values, i in [(y_true, None), (proba, index)]
    ]
    result, expected = metric(*frames), metric(y_true, proba)
    if isinstance(expected, pd.DataFrame) and "species" in expected:
        assert set(result["species"]) == set(names)
        expected["species"] = [names[j] for j in expected["species"]]
    np.testing.assert_array_equal(judged(result), judged(expected))
