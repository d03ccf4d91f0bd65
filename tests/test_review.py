"""Reviews: what is listened to, what thresholds follow, and how sure they are."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from scipy.stats import beta
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import KNeighborsClassifier

from skbird.metrics import species_report
from skbird.postprocessing import ThresholdTuner
from skbird.review import ThresholdFromReviews, choose_for_review, reviews_to_rows
from skbird.review._choose_for_review import _share_out
from skbird.review._curve import bin_detections, fit_curves

CURVE = 0.0, 1.0  # intercept and slope of the truth


def survey(seed, n=4000, slope=CURVE[1]):
    """Make detections of one species: rows, probabilities, truth."""
    rng = np.random.default_rng(seed)
    score = np.minimum(logit(0.1) + rng.exponential(1.6, n), 8.0)
    correct = rng.random(n) < expit(CURVE[0] + slope * score)
    X = pd.DataFrame({"path": [f"{k // 20}.wav" for k in range(n)], "start": 5.0})
    X["start"] *= np.arange(n) % 20
    return X.assign(end=X["start"] + 5), expit(score)[:, None], correct


def listen(X, proba, correct, **how):
    """Review what is chosen, by an ear that is never wrong."""
    reviews = choose_for_review(proba, X, species=["wren"], threshold=0.0, **how)
    truth = X.assign(judged=correct.astype(float))
    return reviews.merge(truth, on=["path", "start", "end"])


def some_reviews(n=40, **columns):
    table = {"species": "wren", "probability": np.linspace(0.1, 0.95, n)}
    table |= {"path": [f"{k}.wav" for k in range(n)], "judged": 1.0}
    return pd.DataFrame(table | columns)


# ------------------------------------------------------------------ what comes next


def test_strata_have_equally_many_and_weights_add_up_to_all():
    X, proba, _ = survey(0)
    chosen = choose_for_review(proba, X, 50, random_state=0)
    assert chosen["stratum"].value_counts().tolist() == [10] * 5
    assert chosen["weight"].sum() == pytest.approx((proba >= 0.1).sum())
    bands = chosen.groupby("stratum")["probability"].agg(["min", "max"])
    assert (bands["max"].to_numpy()[:-1] < bands["min"].to_numpy()[1:]).all()
    assert not chosen.duplicated(["path", "start"]).any()


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["stratified", "random"])
def test_weighted_means_of_what_is_chosen_are_unbiased(strategy):
    X, proba, correct = survey(1, n=600)
    means = []
    for seed in range(80):
        reviews = listen(
            X, proba, correct, n_per_species=40, strategy=strategy, random_state=seed
        )
        means.append(np.average(reviews["judged"], weights=reviews["weight"]))
    error = np.std(means) / np.sqrt(len(means))
    assert abs(np.mean(means) - correct.mean()) < 3 * error


def test_a_larger_choice_has_the_smaller_one_in_it():
    X, proba, _ = survey(2)
    few, many = (
        choose_for_review(proba, X, n, random_state=3).set_index(["path", "start"])
        for n in (30, 90)
    )
    assert few.index.isin(many.index).all()


def test_species_are_chosen_from_by_themselves():
    proba = pd.DataFrame({"owl": [0.9, 0.05, 0.3], "wren": [np.nan, 0.4, 0.6]})
    X = ["a.wav", "b.wav", "c.wav"]
    chosen = choose_for_review(proba, X, threshold=[0.5, 0.2])
    found = chosen[["species", "path"]].to_numpy().tolist()
    assert sorted(found) == [["owl", "a.wav"], ["wren", "b.wav"], ["wren", "c.wav"]]
    assert chosen["weight"].tolist() == [1.0] * 3
    assert choose_for_review(proba, X, threshold=1.0).empty


@pytest.mark.parametrize(
    ("strategy", "expected"), [("top", [0.9, 0.8]), ("uncertain", [0.45, 0.6])]
)
def test_the_best_come_first_and_stand_for_no_others(strategy, expected):
    proba = np.array([0.2, 0.8, 0.45, 0.9, 0.6])[:, None]
    chosen = choose_for_review(proba, list("abcde"), 2, strategy=strategy)
    assert chosen["probability"].tolist() == expected
    assert chosen["weight"].isna().all()


def test_ties_are_broken_by_the_seed():
    proba, X = np.full((50, 1), 1.0), [f"{k}.wav" for k in range(50)]
    for strategy in ("top", "stratified"):
        first, again, other = (
            choose_for_review(proba, X, 5, strategy=strategy, random_state=seed)
            for seed in (0, 0, 1)
        )
        pd.testing.assert_frame_equal(first, again)
        assert first["path"].tolist() != other["path"].tolist()


@pytest.mark.parametrize(
    ("n", "available", "expected"),
    [
        (10, [5, 5, 5], [3, 3, 4]),
        (100, [5, 0, 2], [5, 0, 2]),
        (9, [1, 8, 8], [1, 4, 4]),
        (3, [9, 9, 9, 0], [1, 1, 1, 0]),
    ],
)
def test_bands_share_what_is_to_be_heard(n, available, expected):
    assert _share_out(n, np.array(available)).tolist() == expected


def test_choices_that_cannot_be_made_are_refused():
    proba, X = np.full((2, 1), 0.5), ["a.wav", "b.wav"]
    with pytest.raises(ValueError, match="n_strata=5 must be at most n_per_species=3"):
        choose_for_review(proba, X, 3)
    with pytest.raises(ValueError, match="proba has 2 rows, but X has 1"):
        choose_for_review(proba, X[:1])
    with pytest.raises(ValueError, match="species has 2 names, but proba has 1 col"):
        choose_for_review(proba, X, species=["owl", "wren"])
    with pytest.raises(ValueError, match="species has 'owl' twice"):
        choose_for_review(proba, X, species=["owl", "owl"])
    with pytest.raises(ValueError, match=r"outside \[0, 1\].*not logits"):
        choose_for_review(proba + 1, X)


# ----------------------------------------------------------------------- thresholds


def true_threshold(proba, slope=CURVE[1], min_precision=0.9):
    ordered = np.sort(proba[:, 0])[::-1]
    right = expit(CURVE[0] + slope * logit(ordered)).cumsum()
    precise = right / np.arange(1, len(ordered) + 1) >= min_precision
    return ordered[np.flatnonzero(precise)[-1]]


@pytest.mark.slow
def test_intervals_cover_the_truth_as_often_as_they_promise():
    covered, reached, wide = [], [], []
    for seed in range(200):
        X, proba, correct = survey(seed, n=2000)
        reviews = listen(X, proba, correct, n_per_species=120, random_state=seed)
        found = ThresholdFromReviews(0.9, n_bootstrap=200, random_state=seed)
        line = found.fit(reviews, pd.DataFrame(proba, columns=["wren"])).report_
        line = line.loc["wren"]
        precision = correct[proba[:, 0] >= line["threshold"]].mean()
        covered.append(line["precision_low"] <= precision <= line["precision_high"])
        truth = true_threshold(proba)
        reached.append(line["threshold_low"] <= truth <= line["threshold_high"])
        wide.append(line["precision_high"] - line["precision_low"])
    assert 0.9 <= np.mean(covered) <= 0.99
    assert np.mean(reached) >= 0.9
    assert np.mean(wide) < 0.2  # not by saying nothing


@pytest.mark.slow
def test_with_many_reviews_the_curve_may_have_any_form():
    covered, kept = {}, {}
    for seed in range(40):
        X, proba, _ = survey(seed, n=3000)
        score = logit(proba[:, 0])
        # Wrong ones are as common at all low scores.
        share = 0.05 + 0.95 * expit(3 * (score - 1.5))
        correct = np.random.default_rng(seed).random(len(X)) < share
        reviews = listen(X, proba, correct, n_per_species=300, random_state=seed)
        for curve in ("logistic", "auto"):
            found = ThresholdFromReviews(n_bootstrap=100, random_state=0, curve=curve)
            line = found.fit(reviews, pd.DataFrame({"wren": proba[:, 0]})).report_
            line = line.loc["wren"]
            above = proba[:, 0] >= line["threshold"]
            precision = correct[above].mean()
            holds = line["precision_low"] <= precision <= line["precision_high"]
            covered.setdefault(curve, []).append(holds)
            kept.setdefault(curve, []).append(above.sum())
        assert np.isnan(found.curves_).all()
    assert np.mean(covered["auto"]) >= 0.85 > np.mean(covered["logistic"])
    assert np.mean(kept["auto"]) > 1.05 * np.mean(kept["logistic"])


def test_a_curve_that_only_rises_knows_no_scores_beyond_those_judged():
    judged = np.linspace(0.1, 0.95, 40) > 0.5
    found = ThresholdFromReviews(curve="isotonic", random_state=0)
    found.fit(some_reviews(judged=judged))
    low, middle, high = found.proba_correct(np.array([[0.01], [0.5], [0.999]]))[:, 0]
    assert 0 < low < 0.1 < middle < 0.9 < high < 1
    (score, share), *_ = found.knots_
    assert len(score) == 40
    assert (np.diff(share) >= 0).all()
    assert 0.4 < found.thresholds_[0] < 0.6


def test_thresholds_approach_the_truth_with_many_reviews():
    X, proba, correct = survey(0, n=40_000)
    reviews = listen(X, proba, correct, n_per_species=8000, random_state=0)
    for curve in ("isotonic", "logistic"):
        found = ThresholdFromReviews(random_state=0, n_bootstrap=20, curve=curve)
        found.fit(reviews, proba)
        assert found.thresholds_ == pytest.approx([true_threshold(proba)], abs=0.03)
        assert found.proba_correct(np.array([[0.7]])) == pytest.approx(0.7, abs=0.05)
    np.testing.assert_allclose(found.curves_, [CURVE], atol=0.15)


def test_weights_say_what_the_reviews_stand_for():
    X, proba, correct = survey(3)
    reviews = listen(X, proba, correct, n_per_species=300, random_state=0)
    fit = ThresholdFromReviews(n_bootstrap=50, random_state=0).fit
    all_known = fit(reviews, proba).thresholds_
    assert fit(reviews).thresholds_ == pytest.approx(all_known, abs=0.05)
    # Without weights, high scores seem commoner than they are.
    assert fit(reviews.drop(columns="weight")).thresholds_ < all_known - 0.05


def test_all_right_is_no_certainty():
    report = ThresholdFromReviews(random_state=0).fit(some_reviews()).report_
    line = report.loc["wren"]
    assert line["threshold"] == 0.1
    assert 0.85 < line["precision_low"] < line["precision"] < 1
    assert line["n_more_reviews"] == 0
    assert pd.isna(line["reason"])


def test_one_score_gives_the_interval_of_jeffreys():
    judged = np.repeat([0.0, 1.0], [5, 45])
    reviews = some_reviews(50, probability=0.5, judged=judged)
    found = ThresholdFromReviews(0.5, n_bootstrap=20_000, random_state=0).fit(reviews)
    interval = found.report_.loc["wren", ["precision_low", "precision_high"]]
    # Two half reviews of each kind, at the lowest score and at the highest.
    expected = beta(46, 6).ppf([0.025, 0.975])
    np.testing.assert_allclose(interval.astype(float), expected, atol=0.01)


def test_scores_that_tell_all_give_finite_curves():
    curve = fit_curves(
        np.array([-2.0, -1.0, 1.0, 2.0]),
        np.array([0, 0, 1, 1]),
        np.ones((2, 4)),
        np.array([[0.5] * 4, [1e-12] * 4]),
    )
    assert np.isfinite(curve).all()
    assert (curve[:, 1] > 0.5).all()


def test_alike_reviews_of_few_recordings_make_wide_intervals():
    rng = np.random.default_rng(0)
    judged = np.repeat(rng.random(20) < 0.6, 10).astype(float)
    reviews = some_reviews(200, judged=judged, path=np.repeat(np.arange(20), 10))
    reviews["probability"] = 0.5
    found = ThresholdFromReviews(0.3, random_state=0)
    low, high = "precision_low", "precision_high"
    together = clone(found).fit(reviews).report_.loc["wren"]
    apart = found.fit(reviews, recording_ids=np.arange(200)).report_.loc["wren"]
    assert together[high] - together[low] > 2 * (apart[high] - apart[low])
    assert together["n_more_reviews"] > apart["n_more_reviews"]


def test_more_reviews_are_asked_for_by_the_square_of_the_width():
    reviews = some_reviews(judged=np.arange(40) % 4 > 0)
    asked = [
        ThresholdFromReviews(0.5, interval_width=width, random_state=0)
        .fit(reviews)
        .report_["n_more_reviews"]
        .iloc[0]
        for width in (0.1, 0.05)
    ]
    assert asked[1] + 40 == pytest.approx(4 * (asked[0] + 40), abs=4)


def test_what_is_too_little_or_too_wrong_gets_no_threshold_but_a_reason():
    rng = np.random.default_rng(0)
    tables = {
        "few": some_reviews(10),
        "one night": some_reviews(path="a.wav"),
        "wrong": some_reviews(judged=rng.random(40) < 0.2),
        "unsure": some_reviews(judged=np.nan),
        "picked": some_reviews(),
    }
    reviews = pd.concat([table.assign(species=name) for name, table in tables.items()])
    reviews["weight"] = np.where(reviews["species"] == "picked", np.nan, 2)
    reviews.loc[reviews["species"] == "few", "weight"] = 1.3  # of 13 detections
    found = ThresholdFromReviews(species=[*tables, "unheard"], random_state=0)
    report = found.fit(reviews).report_
    assert (found.thresholds_ == np.inf).all()
    assert report[["threshold", "precision_low"]].isna().all(axis=None)
    reasons = {
        "few": "10 reviews; 20 are needed, and only 3 detections are left in the bands",
        "one night": "reviews of 1 recording; 5 are needed",
        "wrong": r"precision 0.9 is not reached: at most 0\.\d",
        "unsure": "0 reviews; 20",
        "picked": "0 reviews and 40 without weight; 20 are needed",
        "unheard": "0 reviews; 20",
    }
    for name, reason in reasons.items():
        assert re.match(reason, report.loc[name, "reason"]), name
    assert report.loc["few", "n_more_reviews"] == 3
    assert report.loc["unsure", "n_uncertain"] == 40
    assert np.isnan(found.proba_correct(np.full((1, 6), 0.5))[0, 0])


def test_thresholds_are_in_the_form_that_metrics_take():
    reviews = some_reviews(judged=np.linspace(0.1, 0.95, 40) > 0.3)
    found = ThresholdFromReviews(species=["owl", "wren"], random_state=0).fit(reviews)
    assert found.species_.tolist() == ["owl", "wren"]
    proba = pd.DataFrame({"owl": [0.9, 0.2], "wren": [0.9, 0.2]})
    report = species_report(
        (proba > 0.5).astype(float), proba, threshold=found.thresholds_
    )
    assert report.loc["wren", "precision"] == 1


def test_a_tuned_model_takes_the_thresholds():
    X = np.linspace(0, 1, 20)[:, None]
    Y = np.column_stack([X[:, 0] > 0.5, X[:, 0] < 0.5]).astype(float)
    inner = FrozenEstimator(KNeighborsClassifier(5).fit(X, Y))
    tuner = ThresholdTuner(inner).fit(X, pd.DataFrame(Y, columns=["owl", "wren"]))
    reviews = some_reviews(judged=np.linspace(0.1, 0.95, 40) > 0.3)
    found = ThresholdFromReviews(species=tuner.species_, random_state=0).fit(reviews)
    tuner.thresholds_ = found.thresholds_
    wren = tuner.predict_proba(X)[:, 1] >= found.thresholds_[1]
    assert 0 < wren.sum() < len(X)
    assert tuner.predict(X).tolist() == [[0, is_there] for is_there in wren]


def test_predictions_are_found_by_name_and_none_below_what_was_judged_counts():
    reviews = some_reviews(probability=np.linspace(0.5, 0.95, 40))
    proba = pd.DataFrame({"owl": 0.99, "wren": [0.1, 0.5, 0.7, np.nan]})
    found = ThresholdFromReviews(random_state=0).fit(reviews, proba)
    assert found.report_.loc["wren", "n_detections"] == 2
    assert found.thresholds_ == [0.5]
    report = found.fit(reviews, proba[["wren"]] * 0.1).report_
    assert report.loc["wren", "reason"].startswith("proba has no detection from 0.5 on")


def test_recall_is_of_the_calls_that_are_known():
    judged = np.linspace(0.1, 0.95, 40) > 0.3
    found = ThresholdFromReviews(species=["owl", "wren"], random_state=0)
    found.fit(some_reviews(judged=judged))
    assert 0.1 < found.thresholds_[1] < 0.6
    Y = pd.DataFrame({"wren": [1.0, 1, 1, 1, 0, np.nan], "owl": 1.0})
    proba = pd.DataFrame({"wren": [0.9, 0.8, 0.05, np.nan, 0.9, 0.9], "owl": 0.9})
    report = found.recall(Y, proba)
    line = report.loc["wren"]
    assert line[["n_present", "n_found"]].tolist() == [3, 2]
    assert line["recall_low"] < line["recall"] == pytest.approx(2 / 3)
    assert line["recall"] < line["recall_high"] < 1
    assert report.loc["owl", ["n_present", "n_found"]].tolist() == [6, 0]
    assert np.isnan(report.loc["owl", "recall"])
    with pytest.raises(ValueError, match=r"Y has shape \(2, 2\), but proba has \(6, 2"):
        found.recall(Y[:2], proba)
    with pytest.raises(ValueError, match="Y and proba have the same rows in another"):
        found.recall(Y[::-1], proba)


def test_diverse_detections_are_of_all_recordings_and_sites():
    path = ["a/1"] * 6 + ["a/2"] * 5 + ["a/3"] * 4 + ["b/4"] * 3 + ["c/5"]
    X = pd.DataFrame(
        {"path": path, "start": np.arange(19.0), "end": np.arange(1, 20.0)}
    )
    for seed in range(5):
        chosen = choose_for_review(
            *(np.full((19, 1), 0.5), X, 12), strategy="diverse", random_state=seed
        )
        assert chosen["weight"].isna().all()
        assert not chosen.duplicated(["path", "start"]).any()
        recordings = chosen["path"].tolist()
        assert {path[0] for path in recordings[:3]} == {"a", "b", "c"}
        assert sorted(recordings[:5]) == ["a/1", "a/2", "a/3", "b/4", "c/5"]
        assert sorted(recordings[5:9]) == ["a/1", "a/2", "a/3", "b/4"]
    sites = X.assign(site=["x"] * 18 + ["y"])
    first = choose_for_review(np.ones((19, 1)), sites, 2, strategy="diverse")
    assert "c/5" in set(first["path"])


def test_bins_keep_the_number_of_detections():
    proba = np.random.default_rng(0).beta(0.3, 3, 30_000)
    lowest, score, count = bin_detections(proba, np.ones(len(proba)))
    assert count.sum() == 30_000
    assert len(count) <= 501
    assert (np.diff(lowest) > 0).all()
    assert (np.diff(score) > 0).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"judged": 2}, r"judged=2 of reviews must be 1 \(right\), 0 .*in row 0"),
        ({"judged": "yes"}, "judged of reviews must hold real numbers"),
        ({"probability": 1.5}, r"probability=.*1.5.*; a number in \[0, 1\] is needed"),
        ({"weight": 0}, r"weight=.*0.*; a number above 0, as choose_for_review"),
        ({"species": None}, "species=None; the name of a species is needed"),
        ({"path": None}, "recording_ids is missing"),
    ],
)
def test_reviews_that_are_no_reviews_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ThresholdFromReviews().fit(some_reviews(**changes))


def test_tables_that_do_not_fit_together_are_refused():
    reviews, found = some_reviews(), ThresholdFromReviews()
    with pytest.raises(TypeError, match="reviews must be a DataFrame, got list"):
        found.fit([1, 2])
    with pytest.raises(ValueError, match="reviews has no column 'judged'"):
        found.fit(reviews.drop(columns="judged"))
    with pytest.raises(ValueError, match="reviews has no rows, and species=None"):
        found.fit(reviews[:0])
    with pytest.raises(ValueError, match="proba has no column 'wren'"):
        found.fit(reviews, pd.DataFrame({"owl": [0.5]}))
    with pytest.raises(ValueError, match="species has 1 name, but proba has 2 columns"):
        found.fit(reviews, np.zeros((3, 2)))
    with pytest.raises(ValueError, match="judgements of 'wren', which species has not"):
        ThresholdFromReviews(species=["owl"]).fit(reviews)
    with pytest.raises(ValueError, match="'min_precision' parameter"):
        ThresholdFromReviews(1.5).fit(reviews)


# ------------------------------------------------------------------ rows to train on


def test_reviews_become_rows_with_what_nobody_judged_unknown():
    X, proba, correct = survey(0, n=200)
    reviews = listen(X, proba, correct, n_per_species=20, random_state=0)
    rows, Y = reviews_to_rows(reviews, X.assign(site="marsh"), ["owl", "wren"])
    assert len(rows) == len(Y) == 20
    assert rows["site"].eq("marsh").all()
    assert Y["owl"].isna().all()
    assert Y.dtypes.eq(np.float32).all()
    truth = rows.merge(X.assign(correct=correct), on=["path", "start", "end"])
    assert (Y["wren"].to_numpy() == truth["correct"].to_numpy()).all()


def test_judgements_that_differ_are_averaged_and_uncertain_ones_left_out():
    reviews = pd.DataFrame(
        {
            "path": ["a.wav", "a.wav", "a.wav", "b.wav"],
            "species": "wren",
            "judged": [1, 0, np.nan, np.nan],
        }
    )
    rows, Y = reviews_to_rows(reviews, ["b.wav", "a.wav"], ["wren"])
    assert rows["path"].tolist() == ["a.wav"]
    assert Y.to_numpy().tolist() == [[0.5]]


def test_reviews_of_other_rows_or_species_are_refused():
    reviews = pd.DataFrame({"path": ["a.wav"], "species": "wren", "judged": 1})
    with pytest.raises(ValueError, match=r"Row 0 .* of a.wav.*no row of X \(1 such\)"):
        reviews_to_rows(reviews, ["b.wav"], ["wren"])
    with pytest.raises(ValueError, match=r"'wren', which species has not.*Add it"):
        reviews_to_rows(reviews, ["a.wav"], ["owl"])
