from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from skbird.metrics import event_report, match_events

COLUMNS = ["path", "start", "end", "species"]


def events(*lines):
    return pd.DataFrame(list(lines), columns=COLUMNS)


def random_events(rng, n, longest_s=6.0):
    start = rng.integers(0, 40, n) / 4
    return pd.DataFrame(
        {
            "path": rng.choice(["a.ogg", "b.ogg"], n),
            "start": start,
            "end": start + rng.integers(1, 4 * longest_s, n) / 4,
            "species": rng.choice(["owl", "robin"], n),
        }
    )


def slow_iou(a, b):
    if (a.path, a.species) != (b.path, b.species):
        return 0.0
    shared = max(0.0, min(a.end, b.end) - max(a.start, b.start))
    return shared / (a.end - a.start + b.end - b.start - shared)


def best_by_trying(true, predicted, min_iou):
    """Number of pairs and sum of IoU of the best of all one-to-one pairings."""
    iou = np.array(
        [[slow_iou(a, b) for b in predicted.itertuples()] for a in true.itertuples()]
    )
    iou[iou < min_iou] = 0
    iou = np.pad(iou, [(0, 0), (0, len(true))])  # columns without a partner
    return max(
        (np.count_nonzero(chosen), chosen.sum().round(9))
        for order in permutations(range(iou.shape[1]), len(true))
        for chosen in [iou[range(len(true)), order]]
    )


@pytest.mark.parametrize("min_iou", [0.0, 0.3, 0.7])
@pytest.mark.parametrize("seed", range(6))
def test_matching_is_the_best_of_all_pairings(seed, min_iou):
    rng = np.random.default_rng(seed)
    true, predicted = random_events(rng, 4), random_events(rng, 4)
    true[["path", "species"]] = predicted[["path", "species"]] = "same"
    pairs = match_events(true, predicted, min_iou=min_iou)
    found = len(pairs), pairs["iou"].sum().round(9)
    assert found == best_by_trying(true, predicted, min_iou)


def test_rows_of_events_are_counted_whatever_their_index():
    true = events(("a", 0, 2, "owl"), ("a", 4, 5, "owl")).set_axis([7, 0])
    predicted = events(("a", 0, 2, "owl")).set_axis([3])
    assert match_events(true, predicted)["true"].tolist() == [0]
    true["end"] = [2, 3]
    with pytest.raises(ValueError, match="start=4 and end=3 at row 1"):
        match_events(true, predicted)


@pytest.mark.filterwarnings("error")
def test_species_and_recordings_that_both_have_give_no_warning():
    table = events(("a", 0, 2, "owl"), ("a", 0, 2, "tit"))
    assert event_report(table, table, species=["owl"])["f1"].tolist() == [1.0]
    elsewhere = events(("a", 0, 2, "owl"), ("b", 0, 2, "owl"))
    assert event_report(elsewhere, table.head(1))["recall"].tolist() == [0.5]


def test_partners_share_recording_species_and_time():
    rng = np.random.default_rng(0)
    true, predicted = random_events(rng, 300, 2.0), random_events(rng, 200)
    pairs = match_events(true, predicted, min_iou=0.2)
    assert len(pairs) > 50
    assert pairs["true"].is_monotonic_increasing
    assert pairs["true"].is_unique
    assert pairs["predicted"].is_unique
    for pair in pairs.itertuples():
        a, b = true.loc[pair.true], predicted.loc[pair.predicted]
        assert pair.iou == pytest.approx(slow_iou(a, b))
        assert pair.iou >= 0.2


def test_more_pairs_come_before_better_pairs():
    true = events(("a", 0, 10, "owl"), ("a", 8, 14, "owl"))
    # The second prediction fits the first event best, but is the only one for the next.
    predicted = events(("a", 0, 4, "owl"), ("a", 1, 12, "owl"))
    pairs = match_events(true, predicted, min_iou=0.25)
    assert pairs[["true", "predicted"]].to_numpy().tolist() == [[0, 0], [1, 1]]


def test_order_of_the_lines_has_no_part_in_the_matching():
    rng = np.random.default_rng(1)
    true, predicted = random_events(rng, 60), random_events(rng, 60)
    report = event_report(true, predicted, min_iou=0.1)
    shuffled = event_report(
        true.sample(frac=1, random_state=0), predicted[::-1], min_iou=0.1
    )
    pd.testing.assert_frame_equal(report, shuffled)


def test_events_that_only_touch_do_not_match():
    true = events(("a", 0, 5, "owl"))
    assert match_events(true, events(("a", 5, 9, "owl")), min_iou=0).empty
    assert len(match_events(true, events(("a", 4.9, 9, "owl")), min_iou=0)) == 1


def test_equal_overlap_is_enough_despite_rounding():
    true = events(("a", 0.1, 0.5, "owl"), ("b", 0.1 + 0.2, 0.7, "owl"))
    predicted = events(("a", 0.3, 0.5, "owl"), ("b", 0.3, 0.7, "owl"))
    assert len(match_events(true, predicted, min_iou=0.5)) == 2
    assert match_events(true, predicted, min_iou=1.0)["true"].tolist() == [1]


def test_a_long_event_hides_none_behind_it():
    true = events(("a", 50, 52, "owl"), ("a", 90, 91, "owl"))
    long, right = ("a", 0, 100, "owl"), ("a", 50, 52, "owl")
    touching = ("a", 40, 50, "owl"), ("a", 52, 55, "owl"), ("a", 1, 2, "owl")
    pairs = match_events(true, events(long, *touching, right), min_iou=0)
    assert pairs[["true", "predicted"]].to_numpy().tolist() == [[0, 4], [1, 0]]
    assert len(match_events(true[:1], events(long, *touching), min_iou=0.1)) == 0
    only_long = match_events(true, events(long, *touching), min_iou=0)
    assert only_long["predicted"].tolist() == [0]


def test_report_counts_hits_misses_and_false_detections():
    true = events(
        ("a", 0, 2, "owl"), ("a", 4, 6, "owl"), ("b", 0, 2, "owl"), ("a", 0, 2, "tit")
    )
    predicted = events(
        ("a", 0, 2, "owl"),
        ("a", 0.2, 2, "owl"),  # a second detection of the same call
        ("a", 4, 9, "owl"),  # too long
        ("b", 0, 2, "jay"),  # another species
    )
    report = event_report(true, predicted)
    assert report.index.tolist() == ["jay", "owl", "tit"]
    assert report["n_true"].tolist() == [0, 3, 1]
    assert report["n_predicted"].tolist() == [1, 3, 0]
    assert report["n_matched"].tolist() == [0, 1, 0]
    np.testing.assert_allclose(report["precision"], [0, 1 / 3, np.nan])
    np.testing.assert_allclose(report["recall"], [np.nan, 1 / 3, 0])
    np.testing.assert_allclose(report["f1"], [0, 1 / 3, 0])


def test_only_annotated_recordings_and_chosen_species_are_judged():
    true = events(("a", 0, 2, "owl"), ("a", 0, 2, "tit"))
    predicted = events(("a", 0, 2, "owl"), ("new", 0, 2, "owl"), ("empty", 0, 2, "owl"))
    chosen = {"species": ["owl", "jay"], "recordings": ["a", "empty"]}
    with pytest.warns(UserWarning, match=r"has \['jay'\].*1 of 2 names") as caught:
        report = event_report(true, predicted, **chosen)
    assert caught[0].filename == __file__
    assert report.index.tolist() == ["owl", "jay"]
    assert report["n_predicted"].tolist() == [2, 0]
    assert report.loc["owl", "precision"] == 0.5


@pytest.mark.parametrize("judge", [match_events, event_report])
def test_the_caller_is_told_of_names_that_are_spelled_in_two_ways(judge):
    true, predicted = events(("a", 0, 2, "Pica pica")), events(("a", 0, 2, "Pica_pica"))
    with pytest.warns(UserWarning, match="Pica_pica") as caught:
        assert len(judge(true, predicted)) == 1
    assert [warning.filename for warning in caught] == [__file__]


def test_species_of_which_there_is_no_event_are_a_typo():
    table = events(("a", 0, 2, "owl"), ("b", 0, 2, "tit"))
    with pytest.raises(ValueError, match=r"\['olw'\].*they have \['owl', 'tit'\]"):
        event_report(table, table, species=["olw"])
    # Known, only not where it is looked for.
    report = event_report(table, table, species=["tit"], recordings=["a"])
    assert report["n_true"].tolist() == [0]
    with pytest.raises(TypeError, match="species='owl' must be a list"):
        event_report(table, table, species="owl")
    nothing = table[:0]
    with pytest.warns(UserWarning, match="1 of 1 name"):
        assert len(event_report(nothing, nothing, species=["owl"])) == 1


def test_species_numbers_match_their_text():
    true = events(("a", 0, 2, 22973))
    report = event_report(true, events(("a", 0, 2, "22973")), species=[22973])
    assert report["f1"].tolist() == [1.0]


def test_tables_may_be_empty():
    none, one = events(), events(("a", 0, 1, "owl"))
    assert match_events(none, none).columns.tolist() == ["true", "predicted", "iou"]
    assert event_report(one, none).loc["owl", "recall"] == 0.0
    assert event_report(none, one).loc["owl", "precision"] == 0.0
    assert len(event_report(none, none)) == 0


def test_tables_without_a_common_recording_cause_a_warning():
    with pytest.warns(UserWarning, match=r"'a', \.\.\., the predicted ones in 'x/a'"):
        event_report(events(("a", 0, 1, "owl")), events(("x/a", 0, 1, "owl")))


def test_callers_tables_stay_as_they_are():
    true = events(("a", 0, 1, 5))
    before = true.copy()
    event_report(true, true)
    pd.testing.assert_frame_equal(true, before)


@pytest.mark.parametrize(
    ("true", "error", "message"),
    [
        ([("a", 0, 1, "owl")], TypeError, "true_events must be a DataFrame.*list"),
        (events()[COLUMNS[:2]], ValueError, r"has no columns \['end', 'species'\]"),
        (events(("a", 0, None, "owl")), ValueError, "no end at row 0"),
        (events(("a", 0, 1, np.nan)), ValueError, "no species at row 0"),
        (events(("a", 1, 1, "owl")), ValueError, "start=1 and end=1 at row 0.*1 such"),
        (events(("a", 0, np.inf, "owl")), ValueError, "end=inf at row 0"),
        (events(("a", "x", 1, "owl")), ValueError, "true_events: start and end must"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("function", [match_events, event_report])
def test_bad_tables_are_refused(function, true, error, message):
    with pytest.raises(error, match=message):
        function(true, events(("a", 0, 1, "owl")))


@pytest.mark.parametrize("min_iou", [-0.1, 1.1, np.nan])
def test_overlap_beyond_its_range_is_refused(min_iou):
    with pytest.raises(ValueError, match=r"min_iou=.* must be in \[0, 1\]"):
        match_events(events(), events(), min_iou=min_iou)


def test_a_single_path_is_refused():
    with pytest.raises(TypeError, match="recordings='a' must be a list"):
        event_report(events(), events(), recordings="a")
