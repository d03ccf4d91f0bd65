import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import fbeta_score, precision_score, recall_score

from skbird.metrics import species_report, threshold_curve


@pytest.fixture
def truth_and_scores():
    """Four species, the last without positives; scores that hit thresholds exactly."""
    rng = np.random.default_rng(0)
    y_true = (rng.random((60, 4)) < [0.5, 0.3, 0.1, 0.0]).astype(float)
    y_true[rng.random(y_true.shape) < 0.2] = np.nan
    return y_true, rng.random((60, 4)).round(1)


@pytest.mark.slow
def test_curve_agrees_with_the_report_at_each_threshold(truth_and_scores):
    curve = threshold_curve(*truth_and_scores, species=list("abcd"))
    assert curve["threshold"].unique().tolist() == [i / 100 for i in range(101)]
    for threshold, part in curve.groupby("threshold"):
        report = species_report(*truth_and_scores, list("abcd"), threshold)
        assert part["species"].tolist() == list("abcd")
        for ours, theirs in [
            ("n_predicted", "n_predicted"), ("precision", "precision"),
            ("recall", "recall"), ("f_beta", "f1"),
        ]:  # fmt: skip
            np.testing.assert_allclose(part[ours], report[theirs], rtol=1e-12)


@pytest.mark.parametrize("beta", [0.5, 2.0])
def test_f_beta_is_sklearns(truth_and_scores, beta):
    y_true, proba = np.nan_to_num(truth_and_scores[0]), truth_and_scores[1]
    curve = threshold_curve(y_true[:, :3], proba[:, :3], [0.3], beta=beta)
    expected = fbeta_score(y_true[:, :3], proba[:, :3] >= 0.3, beta=beta, average=None)
    np.testing.assert_allclose(curve["f_beta"], expected)


def test_macro_is_the_mean_over_species_with_positives(truth_and_scores):
    y_true, proba = np.nan_to_num(truth_and_scores[0]), truth_and_scores[1]
    macro = threshold_curve(y_true, proba, [0.2, 0.7], average="macro")
    predicted = proba[:, :3] >= 0.7
    assert macro["threshold"].tolist() == [0.2, 0.7]
    assert macro["n_predicted"][1] == predicted.sum()
    for name, metric in [("precision", precision_score), ("recall", recall_score)]:
        expected = metric(y_true[:, :3], predicted, average="macro")
        assert macro[name][1] == pytest.approx(expected)


def test_macro_precision_passes_over_species_never_predicted():
    y_true, proba = [[1, 1], [0, 0]], [[0.9, 0.2], [0.8, 0.1]]
    macro = threshold_curve(y_true, proba, [0.5], average="macro").loc[0]
    assert (macro["precision"], macro["recall"]) == (0.5, 0.5)
    assert macro["f_beta"] == pytest.approx((2 / 3 + 0) / 2)


def test_macro_without_positives_is_nan():
    macro = threshold_curve([[0], [0]], [[0.6], [0.2]], [0.1, 0.5], average="macro")
    assert macro["n_predicted"].tolist() == [0, 0]
    assert macro[["precision", "recall", "f_beta"]].isna().all(axis=None)


def test_thresholds_come_out_ascending_and_once(truth_and_scores):
    curve = threshold_curve(*truth_and_scores, [0.7, 0.2, 0.7])
    assert curve["threshold"].tolist() == [0.2, 0.7] * 4
    assert curve["species"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_other_scores_need_thresholds_of_their_own():
    y_true, logits = pd.DataFrame({"a": [0, 1]}), [[-3.0], [2.0]]
    with pytest.raises(ValueError, match=r"such as -3\. Pass thresholds"):
        threshold_curve(y_true, logits)
    curve = threshold_curve(y_true, logits, [-4.0, 0.0])
    assert curve["precision"].tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beta": 0}, "beta=0 must be above 0"),
        ({"average": "micro"}, "average='micro' must be None or 'macro'"),
        ({"thresholds": []}, "thresholds=.*one or more"),
        ({"thresholds": [[0.1]]}, "thresholds=.*one or more"),
        ({"thresholds": [0.1, np.nan]}, "thresholds=.*none NaN"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        threshold_curve([[0], [1]], [[0.1], [0.9]], **arguments)


@pytest.mark.parametrize("score", [-0.1, 1.1])
def test_scores_hardly_outside_the_thresholds_are_refused(score):
    with pytest.raises(ValueError, match=rf"outside \[0, 1\], such as {score}"):
        threshold_curve([[1], [0]], [[0.5], [score]])
