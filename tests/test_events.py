import numpy as np
import pandas as pd
import pytest

from skbird.annotations import proba_to_events
from skbird.metrics import event_report


def table(*lines):
    return pd.DataFrame(list(lines), columns=["path", "start", "end"])


NIGHT = table(*(("a.ogg", s, s + 5.0) for s in range(0, 30, 5)))


def as_lines(events):
    return [tuple(line) for line in events[["path", "start", "end", "species"]].values]


def test_consecutive_rows_become_one_event_with_the_highest_score():
    proba = pd.DataFrame({"owl": [0.1, 0.6, 0.9, 0.5, 0.4, 0.7]})
    events = proba_to_events(proba, NIGHT)
    assert as_lines(events) == [
        ("a.ogg", 5.0, 20.0, "owl"), ("a.ogg", 25.0, 30.0, "owl"),
    ]  # fmt: skip
    assert events["score"].tolist() == [0.9, 0.7]


@pytest.mark.parametrize(("max_gap_s", "n_events"), [(4.9, 2), (5.0, 1)])
def test_gaps_are_spanned_up_to_their_limit(max_gap_s, n_events):
    proba = [[0.9], [0.1], [0.9], [0.1], [0.1], [0.1]]
    events = proba_to_events(proba, NIGHT, max_gap_s=max_gap_s, species=["owl"])
    assert len(events) == n_events


def test_species_and_recordings_are_kept_apart():
    rows = table(("b.ogg", 0, 5), ("b.ogg", 5, 10), ("a.ogg", 0, 5), ("a.ogg", 5, 10))
    proba = [[0.9, 0.9], [0.1, 0.8], [0.9, 0.1], [0.9, 0.9]]
    events = proba_to_events(proba, rows, species=["tit", "owl"])
    assert as_lines(events) == [
        ("b.ogg", 0.0, 5.0, "tit"), ("b.ogg", 0.0, 10.0, "owl"),
        ("a.ogg", 0.0, 10.0, "tit"), ("a.ogg", 5.0, 10.0, "owl"),
    ]  # fmt: skip


def test_rows_may_come_in_any_order_and_with_any_index():
    rng = np.random.default_rng(0)
    proba = pd.DataFrame(rng.random((6, 3)), columns=list("abc"))
    shuffled = rng.permutation(6)
    pd.testing.assert_frame_equal(
        proba_to_events(proba, NIGHT),
        proba_to_events(proba.iloc[shuffled], NIGHT.iloc[shuffled]),
    )


def test_overlapping_rows_are_joined_also_behind_a_long_one():
    rows = table(("a", 0, 20), ("a", 2, 4), ("a", 19, 24), ("a", 24.5, 29))
    events = proba_to_events([[0.9]] * 4, rows, species=["owl"])
    assert as_lines(events) == [("a", 0.0, 24.0, "owl"), ("a", 24.5, 29.0, "owl")]


def test_rounding_of_seconds_makes_no_gap():
    start = np.arange(50) * 0.1
    rows = pd.DataFrame({"path": "a", "start": start, "end": start + 0.1})
    assert (rows["start"].to_numpy()[1:] > rows["end"].to_numpy()[:-1]).any()
    assert len(proba_to_events(np.ones((50, 1)), rows, species=["owl"])) == 1


def test_each_species_may_have_its_threshold():
    events = proba_to_events([[0.4, 0.4]] * 6, NIGHT, [0.4, 0.5], species=["a", "b"])
    assert events["species"].tolist() == ["a"]


def test_unread_rows_break_events_and_may_lack_an_end():
    rows = pd.concat([NIGHT, table(("bad.ogg", 0.0, np.nan))])
    proba = np.full((7, 1), 0.9)
    proba[[2, 6]] = np.nan
    events = proba_to_events(proba, rows, species=["owl"])
    assert events["start"].tolist() == [0.0, 15.0]
    proba[6] = 0.9
    with pytest.raises(ValueError, match="X has no end at row 6"):
        proba_to_events(proba, rows, species=["owl"])


def test_no_detection_gives_an_empty_table_that_can_be_judged():
    events = proba_to_events(np.zeros((6, 2)), NIGHT, species=["a", "b"])
    assert events.columns.tolist() == ["path", "start", "end", "species", "score"]
    assert len(events) == 0
    assert len(event_report(events, events)) == 0


def test_events_of_the_truth_match_themselves():
    truth = pd.DataFrame(np.random.default_rng(0).random((6, 2)) > 0.5, columns=[1, 2])
    events = proba_to_events(truth, NIGHT)
    assert (event_report(events, events)["f1"] == 1).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"X": ["a.ogg"]}, TypeError, "X must be a DataFrame.*segment_table"),
        ({"X": NIGHT[:5]}, ValueError, "proba has 6 rows and X has 5"),
        ({"threshold": [0.1, 0.2]}, ValueError, r"threshold has shape \(2,\)"),
        ({"threshold": np.nan}, ValueError, "threshold=nan must not be NaN"),
        ({"max_gap_s": -1}, ValueError, "max_gap_s=-1 must be 0"),
        ({"species": None}, ValueError, "species is needed"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, message):
    arguments = {"X": NIGHT, "species": ["owl"]} | arguments
    with pytest.raises(error, match=message):
        proba_to_events(np.zeros((6, 1)), **arguments)
