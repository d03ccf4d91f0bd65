"""Sessions of reviews, and the file that holds what was said."""

import multiprocessing
import sqlite3
import sys
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import closing, suppress

import numpy as np
import pandas as pd
import pytest
import soundfile
from forks import started

from skbird.review import (
    ReviewSession,
    ThresholdFromReviews,
    choose_for_review,
    read_reviews,
    reviews_to_rows,
)
from skbird.review import _clips as clips
from skbird.review import _store as store
from skbird.review._clips import ClipMaker, make_clip
from skbird.survey import call_density

HALF = "caf\udce9.wav"


def some_detections(n=40, species="wren", **columns):
    table = {"path": [f"creek/A_2024050{1 + k % 3}_053000.wav" for k in range(n)]}
    table |= {"start": 5.0 * np.arange(n), "end": 5.0 * np.arange(n) + 5}
    table |= {"species": species, "probability": np.linspace(0.1, 0.9, n)}
    return pd.DataFrame(table | columns)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "reviews.sqlite"


@pytest.fixture
def session(path):
    return ReviewSession(some_detections(), path)


def entries(path):
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT count(*) FROM entries").fetchone()[0]


# ---------------------------------------------------------------------------- store


def test_the_latest_counts_and_nothing_is_overwritten(session, path):
    session.judge(3, "yes", reviewer="Ada", note=" faint ")
    session.judge(3, "other", reviewer="Ben", other_species="owl")
    assert session.said(3)["reviewer"] == "Ben"
    reviews = read_reviews(path)
    assert reviews[["judged", "other_species", "reviewer"]].to_numpy().tolist() == [
        [0.0, "owl", "Ben"]
    ]
    history = read_reviews(path, history=True)
    assert history["judgement"].tolist() == ["yes", "other"]
    assert history["note"].tolist() == ["faint", ""]
    assert history["time"].is_monotonic_increasing
    assert history["time"].dt.tz is not None


def test_undo_is_an_entry_too(session, path):
    for number, reviewer in [(1, "Ada"), (2, "Ada"), (3, "Ben")]:
        session.judge(number, "yes", reviewer=reviewer)
    assert [session.undo("Ada") for _ in range(3)] == [2, 1, None]
    assert [session.said(n) is None for n in (1, 2, 3)] == [True, True, False]
    assert len(read_reviews(path)) == 1
    history = read_reviews(path, history=True)
    assert history["undoes"].dropna().tolist() == [2.0, 1.0]
    session.judge(2, "no", reviewer="Ada")
    assert session.undo("Ada") == 2
    assert entries(path) == 7


def test_undo_brings_back_what_was_said_before(session):
    session.judge(1, "yes", reviewer="Ada")
    session.judge(1, "no", reviewer="Ben")
    session.undo("Ben")
    assert session.said(1)["judgement"] == "yes"


def test_whole_recordings_are_judged_and_taken_back(path):
    table = some_detections(2)[["path", "species", "probability"]]
    session = ReviewSession(table, path)
    session.judge(0, "yes", reviewer="Ada")
    assert read_reviews(path)["end"].isna().all()
    assert session.said(0) is not None
    assert session.undo("Ada") == 0
    assert session.said(0) is None


def test_undo_leaves_what_is_of_other_sessions(session, path):
    other = ReviewSession(some_detections(species="owl"), path)
    session.judge(0, "yes", reviewer="Ada")
    other.judge(0, "yes", reviewer="Ada")
    assert session.undo("Ada") == 0
    assert read_reviews(path)["species"].tolist() == ["owl"]


def test_two_sessions_at_once_lose_nothing(path):
    sessions = [ReviewSession(some_detections(), path) for _ in range(2)]

    def judge(own, numbers, reviewer):
        for number in numbers:
            own.judge(number, "yes", reviewer=reviewer)

    threads = [
        threading.Thread(target=judge, args=[own, range(k, 40, 2), "AB"[k]])
        for k, own in enumerate(sessions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_reviews(path)["reviewer"].value_counts().to_dict() == {"A": 20, "B": 20}
    assert [own.next() for own in sessions] == [[], []]


def judge_and_say(path, judged):
    session = ReviewSession(some_detections(), path)
    for number in range(40):
        session.judge(number, "yes", reviewer="Ada")
        judged.send(number)


@pytest.mark.slow
def test_what_was_stored_outlives_a_killed_process(path):
    judged, end = multiprocessing.Pipe(duplex=False)
    process = started(judge_and_say, path, end)
    end.close()
    n_judged = 0
    with suppress(EOFError):
        while True:
            judged.recv()
            n_judged += 1
            if n_judged == 10:
                process.kill()
    process.join()
    assert 10 <= n_judged <= len(read_reviews(path))


def test_what_is_stored_waits_for_the_disk(session):
    with session._store._opened() as database:
        assert database.execute("PRAGMA synchronous").fetchone() == (3,)  # extra
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_who_cannot_store_says_so(session, path, monkeypatch):
    monkeypatch.setattr(store, "_WAIT_S", 0.01)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OSError, match="locked; this review is not stored"):
            session.judge(0, "yes", reviewer="Ada")
    assert entries(path) == 0


def test_files_that_are_no_reviews_are_refused(tmp_path, path):
    (tmp_path / "a.csv").write_text("path\n" * 1000)
    for make in (read_reviews, lambda file: ReviewSession(some_detections(), file)):
        with pytest.raises(
            ValueError, match=r"a.csv is no file of reviews, or damaged"
        ):
            make(tmp_path / "a.csv")
    with closing(sqlite3.connect(tmp_path / "b.sqlite")) as other:
        other.execute("CREATE TABLE birds (name)")
    with pytest.raises(ValueError, match=r"b.sqlite is no file of reviews. Name anoth"):
        read_reviews(tmp_path / "b.sqlite")
    with pytest.raises(FileNotFoundError, match=r"There is no file .*none.sqlite"):
        read_reviews(tmp_path / "none.sqlite")
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*nowhere"):
        ReviewSession(some_detections(), tmp_path / "nowhere" / "r.sqlite")
    ReviewSession(some_detections(), path)
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 9")
    with pytest.raises(ValueError, match="newer skbird, in version 9"):
        read_reviews(path)


def test_a_file_that_is_gone_is_not_made_anew(session, path):
    session.judge(0, "yes", reviewer="Ada")
    path.unlink()
    with pytest.raises(OSError, match="not there any more; this review is not stored"):
        session.judge(1, "yes", reviewer="Ada")
    assert not path.exists()


@pytest.mark.parametrize("n_more", [0, 1, 2])
def test_where_another_file_was_put_its_entries_count(session, path, n_more):
    session.judge(0, "yes", reviewer="Ada")
    copy = path.with_name("copy.sqlite")
    copy.write_bytes(path.read_bytes())
    session.judge(1, "yes", reviewer="Ada")
    assert len(session.next(40)) == 38
    copy.replace(path)
    for number in range(2, 2 + n_more):
        session.judge(number, "no", reviewer="Ada")
    assert session.said(1) is None
    assert len(session.next(40)) == 39 - n_more


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM entries; END",
        "CREATE VIEW v AS SELECT * FROM entries",
        "CREATE INDEX i ON entries (length(note))",
        "ALTER TABLE entries ADD COLUMN more AS (hex(zeroblob(1e9)))",
        "DROP TABLE seed; CREATE VIEW seed AS WITH RECURSIVE r (seed) AS "
        "(SELECT 1 UNION ALL SELECT seed + 1 FROM r) SELECT max(seed) FROM r",
        "CREATE VIRTUAL TABLE t USING fts5(a)",
    ],
)
def test_files_that_would_run_something_are_refused(session, path, sql):
    session.judge(0, "yes", reviewer="Ada")
    with closing(sqlite3.connect(path)) as other:
        other.executescript(sql)
    with pytest.raises(ValueError, match="other tables, views, indexes or triggers"):
        read_reviews(path)
    with pytest.raises(ValueError, match="other tables, views, indexes or triggers"):
        session.judge(1, "yes", reviewer="Ada")


def test_files_with_statistics_are_files_of_reviews(session, path):
    session.judge(0, "yes", reviewer="Ada")
    with closing(sqlite3.connect(path)) as other:
        other.executescript("ANALYZE; VACUUM")
    assert len(read_reviews(path)) == 1


@pytest.mark.parametrize(
    "values",
    [
        "start = 'soon'",
        "start = -1",
        "probability = 5",
        "species = x'ff'",
        "time = 'yesterday'",
        "judgement = 'maybe'",
        "stratum_size = 0",
        "stratum = NULL",
        "undoes = 7",
        "entry = 9223372036854775807",
        "note = zeroblob(2000000)",
    ],
)
def test_entries_that_nobody_wrote_are_refused(session, path, values):
    session.judge(session.next()[0], "yes", reviewer="Ada")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA ignore_check_constraints = 1")
        other.execute(f"UPDATE entries SET {values}")
    with pytest.raises(ValueError, match="no file of reviews, or damaged"):
        read_reviews(path)
    with pytest.raises(ValueError, match="no file of reviews, or damaged"):
        session.next()


# --------------------------------------------------------------------------- session


def test_what_is_chosen_does_not_depend_on_the_order_or_on_more(path):
    table = some_detections(300, path=[f"{k}.wav" for k in range(300)])
    first = ReviewSession(table, path, n_per_species=20)
    places = first.detections.loc[first.next(20), "path"].tolist()
    assert len(set(places)) == 20
    again = ReviewSession(
        pd.concat([table[::-1], some_detections(species="owl")]), path, n_per_species=20
    )
    numbers = again.next(20, species="wren")
    assert again.detections.loc[numbers, "path"].tolist() == places
    more = ReviewSession(table, path, n_per_species=60)
    assert set(places) < set(more.detections.loc[more.next(60), "path"])
    other = ReviewSession(table, path, n_per_species=20, random_state=1)
    assert other.detections.loc[other.next(20), "path"].tolist() != places


def test_weights_add_up_to_the_detections_of_the_bands_that_were_heard(path):
    table = some_detections(400, path=[f"{k}.wav" for k in range(400)])
    session = ReviewSession(table, path, n_per_species=50)
    numbers = session.next(50)
    for number in numbers:
        session.judge(number, "yes", reviewer="Ada")
    reviews = read_reviews(path)
    assert reviews["weight"].sum() == pytest.approx(400)
    chosen = choose_for_review(
        table[["probability"]], table, 50, species=["wren"], random_state=0
    )
    weights = [t.groupby("stratum")["weight"].first() for t in (reviews, chosen)]
    pd.testing.assert_series_equal(*weights, check_index_type=False)
    session.judge(numbers[0], "uncertain", reviewer="Ada")
    reviews = read_reviews(path)
    assert reviews["weight"].sum() == pytest.approx(400)  # also of the uncertain one
    found = ThresholdFromReviews(random_state=0, n_bootstrap=20).fit(reviews)
    assert found.report_.loc["wren", "n_detections"] == 400
    assert call_density(reviews).loc["wren", "n_rows"] == pytest.approx(400)


def judge_all(session):
    for number in session.next(1000):
        session.judge(number, "yes", reviewer="Ada")


def test_weights_are_those_of_the_detections_that_there_are_now(path):
    table = some_detections(400, path=[f"{k}.wav" for k in range(400)])
    first = table[table["probability"].between(0.2, 0.5)]
    judge_all(ReviewSession(first, path, n_per_species=20, random_state=0))
    more = ReviewSession(table, path, n_per_species=40, random_state=0)
    judge_all(more)
    reviews = read_reviews(path)
    assert reviews["weight"].sum() == pytest.approx(400)
    assert reviews["weight"].isna().any()  # chance would not choose them any more
    high = table[table["probability"] > 0.5]
    judge_all(ReviewSession(high, path, n_per_species=20, random_state=0))
    reviews = read_reviews(path).set_index("path")
    now = reviews.index.isin(high["path"])
    assert reviews.loc[now, "weight"].sum() == pytest.approx(len(high))
    # The lowest bands of before are whole; the one that was cut stands for nothing.
    assert 0 < reviews.loc[~now, "weight"].sum() < 400 - len(high)


def test_weights_of_other_recordings_stay(path):
    table = some_detections(400, path=[f"{k}.wav" for k in range(400)])
    for own in (table[:150], table[150:]):
        judge_all(ReviewSession(own, path, n_per_species=20))
    assert read_reviews(path)["weight"].sum() == pytest.approx(400)


def test_without_a_detection_reviews_stay_as_they_were(path):
    judge_all(ReviewSession(some_detections(), path))
    before = read_reviews(path)
    session = ReviewSession.from_proba([[0.0]], ["a.wav"], path, species=["wren"])
    assert session.next() == []
    pd.testing.assert_frame_equal(read_reviews(path), before)


def test_what_was_heard_as_top_counts_once_chance_chooses_it(path):
    table = some_detections(60, path=[f"{k}.wav" for k in range(60)])
    session = ReviewSession(table, path, n_per_species=10, strategy="top")
    judge_all(session)
    judge_all(ReviewSession(table, path, n_per_species=60))
    assert (read_reviews(path)["weight"] == 1).all()


def test_who_stops_early_has_heard_of_all_bands(path):
    rare = some_detections(20, path=[f"r{k}" for k in range(20)])
    rare["probability"] = np.linspace(0.8, 0.95, 20)
    common = some_detections(2000, path=[f"c{k}" for k in range(2000)])
    common["probability"] = np.linspace(0.1, 0.2, 2000)
    session = ReviewSession(pd.concat([rare, common]), path, n_per_species=40)
    for number in session.next(20):
        session.judge(number, "yes", reviewer="Ada")
    reviews = read_reviews(path)
    assert 7 <= (reviews["probability"] > 0.5).sum() <= 13
    assert reviews["weight"].sum() == pytest.approx(2020)


def test_what_is_not_chosen_by_chance_has_no_weight(path):
    table = some_detections(400, path=[f"{k}.wav" for k in range(400)])
    session = ReviewSession(table, path, n_per_species=5, strategy="top")
    numbers = session.next(5)
    assert session.detections.loc[numbers, "probability"].min() > 0.89
    by_chance = {*session.next(5, strategy="stratified")}
    by_chance |= {*session.next(5, strategy="random")}
    for number in {*numbers, *by_chance}:
        session.judge(number, "yes", reviewer="Ada")
    reviews = read_reviews(path).set_index("path")
    drawn = session.detections.loc[sorted(by_chance), "path"]
    assert reviews["weight"].notna().sum() == len(by_chance)
    assert reviews.loc[drawn, "weight"].notna().all()


def test_filters_and_places_choose_what_comes_next(session):
    chosen = session.next(40)
    table = session.detections
    day = table.loc[session.next(40, first_date="2024-05-02", last_date="2024-05-02")]
    assert set(day["time"].dt.day) == {2}
    band = table.loc[session.next(40, min_proba=0.5, max_proba=0.6), "probability"]
    assert band.between(0.5, 0.6).all()
    assert session.next(40, species="owl") == session.next(40, site="hill") == []
    assert len(session.next(40, site="creek")) == 40
    assert session.next(2, after=chosen[37]) == chosen[38:40]
    assert session.next(1, after=chosen[39]) == chosen[:1]
    session.judge(chosen[0], "no", reviewer="Ada")
    assert session.next() == chosen[1:2]


def test_two_reviewers_get_different_clips(session):
    [ada], [ben] = session.next(reviewer="Ada"), session.next(reviewer="Ben")
    assert ada != ben
    assert session.next(reviewer="Ada") == [ada]
    session.judge(ada, "yes", reviewer="Ada")
    assert session.next(reviewer="Ada") != [ben]


def test_progress_counts_species(path):
    table = pd.concat([some_detections(), some_detections(10, "owl")])
    session = ReviewSession(table, path, n_per_species=20)
    for number, said in zip(
        session.next(4, species="wren"), ("yes", "no"), strict=False
    ):
        session.judge(number, said, reviewer="Ada")
    progress = session.progress()
    columns = ["n_detections", "n_chosen", "n_left", "n_reviews", "yes", "no"]
    assert progress.loc["wren", columns].tolist() == [40, 20, 18, 2, 1, 1]
    assert progress.loc["owl", columns].tolist() == [10, 10, 10, 0, 0, 0]


def test_reviews_are_found_again_where_the_folder_lies_elsewhere(tmp_path, path):
    for place in ("here", "there"):
        file = tmp_path / place / "creek" / "A_20240501_053000.wav"
        file.parent.mkdir(parents=True)
        soundfile.write(file, np.zeros(800), 8000)
    name = "creek/A_20240501_053000.wav"
    for place, named in (("here", name), ("there", f"/lost/disk/{name}")):
        session = ReviewSession(
            some_detections(path=named), path, folder=tmp_path / place
        )
        if place == "here":
            session.judge(0, "yes", reviewer="Ada")
    assert session.said(0)["judgement"] == "yes"
    assert str(tmp_path / "there") in session.detections["file"][0]
    with pytest.raises(ValueError, match=r"'b.wav' is not among the recordings"):
        ReviewSession(some_detections(path="b.wav"), path, folder=tmp_path / "here")


def test_predictions_become_detections_and_reviews_rows(path):
    X = pd.DataFrame({"path": ["a.wav", "b.wav"], "site": ["creek", "hill"]})
    proba = pd.DataFrame({"owl": [0.9, 0.05], "wren": [np.nan, 0.6]})
    session = ReviewSession.from_proba(proba, X, path, threshold=[0.1, 0.5])
    columns = ["path", "species", "site"]
    assert session.detections[columns].to_numpy().tolist() == [
        ["a.wav", "owl", "creek"],
        ["b.wav", "wren", "hill"],
    ]
    session.judge(1, "no", reviewer="Ada")
    rows, Y = reviews_to_rows(read_reviews(path), X, ["owl", "wren"])
    assert rows["path"].tolist() == ["b.wav"]
    assert Y["wren"].tolist() == [0.0]


def test_times_are_those_of_names_else_of_the_table(path):
    paths = ["A_20240501_053000.wav", "a.wav", "b.wav", "c.wav", "d.wav"]
    dates = ["2020-01-01", "20240502", "2024-05-03T04:00:00+02:00", "May"]
    dates.append("2024-05-04T04:00:00.25-0500")
    table = some_detections(5, path=paths, date=dates).assign(start=10.0)
    session = ReviewSession(table.assign(end=20.0), path)
    times = session.detections.set_index("path")["time"][paths]
    assert times.dt.strftime("%dT%H:%M:%S").fillna("?").tolist() == [
        "01T05:30:10",
        "02T00:00:00",
        "03T04:00:00",
        "?",
        "04T04:00:00",
    ]


def test_the_page_needs_its_extra(session, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ImportError, match=r"The page needs uvicorn; .*\[review\]"):
        session.serve(open_browser=False)


def test_the_same_detection_twice_is_one(path):
    table = pd.concat([some_detections(probability=0.3), some_detections()])
    session = ReviewSession(table, path)
    assert len(session.detections) == 40
    assert session.detections["probability"].max() == 0.9


def test_what_differs_by_less_than_a_sample_is_one_detection(path):
    table = some_detections()
    shifted = table.assign(start=table["start"] + 1e-8)
    session = ReviewSession(pd.concat([table, shifted]), path)
    assert len(session.detections) == 40
    session.judge(0, "yes", reviewer="Ada")
    assert session.said(0)["judgement"] == "yes"
    again = ReviewSession(shifted, path)
    again.judge(0, "no", reviewer="Ben")
    assert read_reviews(path)["judged"].tolist() == [0.0]


def test_undo_looks_at_many_entries_of_others_at_once(path, monkeypatch):
    monkeypatch.setattr(store, "_AT_ONCE", 2)
    session = ReviewSession(some_detections(), path)
    other = ReviewSession(some_detections(species="owl"), path)
    session.judge(3, "yes", reviewer="Ada")
    for number in range(5):
        other.judge(number, "yes", reviewer="Ada")
    assert session.undo("Ada") == 3
    assert session.undo("Ada") is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"number": 40}, "number=40 is no detection; there are those from 0 to 39"),
        ({"number": True}, "number=True is no detection"),
        ({"judgement": "maybe"}, "judgement='maybe' must be one of yes, no"),
        ({"judgement": "other"}, "other_species=None does not go with"),
        ({"other_species": "owl"}, "other_species='owl' does not go with"),
        (
            {"judgement": "other", "other_species": " wren"},
            "other_species='wren' is the species of the detection. Say 'yes'",
        ),
        ({"reviewer": " "}, "reviewer=' ' must be a text of 1 to 200"),
        ({"reviewer": "\ud800"}, r"reviewer='\\ud800' must be a text"),
        ({"note": "x" * 2001}, "note=.* must be a text of 0 to 2000"),
    ],
)
def test_judgements_that_are_none_are_refused(session, path, arguments, message):
    right = {"number": 0, "judgement": "yes", "reviewer": "Ada"}
    with pytest.raises(ValueError, match=message):
        session.judge(**right | arguments)
    assert entries(path) == 0


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"probability": 1.5}, r"probability=.*1.5.*; a number in \[0, 1\]"),
        ({"species": HALF}, r"species='caf\\udce9.wav'; a name in UTF-8 is"),
        ({"site": HALF}, "a name in UTF-8 is needed"),
        ({"species": None}, "species=.*; the name of a species is needed"),
        ({"start": 500.0}, "0 <= start < end is needed"),
    ],
)
def test_detections_that_are_none_are_refused(path, columns, message):
    table = some_detections().assign(
        **{
            name: pd.Series(value, range(40), dtype=object)
            for name, value in columns.items()
        }
    )
    with pytest.raises(ValueError, match=message):
        ReviewSession(table, path)


def test_tables_and_filters_that_are_none_are_refused(session, path):
    with pytest.raises(
        TypeError, match=r"detections must be a DataFrame, got list.*from_proba"
    ):
        ReviewSession([1], path)
    with pytest.raises(ValueError, match="detections has no column 'probability'"):
        ReviewSession(some_detections().drop(columns="probability"), path)
    with pytest.raises(ValueError, match="'n_per_species' parameter"):
        ReviewSession(some_detections(), path, n_per_species=4)
    with pytest.raises(ValueError, match="first_date='soon' is no date"):
        session.next(first_date="soon")
    with pytest.raises(ValueError, match="'min_proba' parameter of next"):
        session.next(min_proba=2)
    with pytest.raises(ValueError, match="'port' parameter of serve"):
        session.serve(port=-1)


# ----------------------------------------------------------------------------- clips


def test_of_long_detections_the_beginning_is_heard(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(100 * 1000), 1000)
    clip = make_clip(str(tmp_path / "a.wav"), 0.0, None, 5.0)
    assert (clip.end_s, clip.is_cut) == (65.0, True)
    assert len(clip.sound) < 1_100_000


def test_clips_have_sound_and_a_picture(tmp_path):
    rate = 16_000
    sound = np.zeros(10 * rate)
    sound[5 * rate : 6 * rate] = 0.1 * np.sin(np.arange(rate) * 2 * np.pi * 4000 / rate)
    soundfile.write(tmp_path / "a.wav", sound, rate)
    clip = make_clip(str(tmp_path / "a.wav"), 5.0, 6.0, 2.0)
    assert (clip.start_s, clip.end_s, clip.top_hz) == (3.0, 8.0, 8000.0)
    Image = pytest.importorskip("PIL.Image")
    import io

    samples, _ = soundfile.read(io.BytesIO(clip.sound))
    assert len(samples) == 5 * rate
    assert np.abs(samples).max() == pytest.approx(0.7, abs=0.01)
    picture = np.asarray(Image.open(io.BytesIO(clip.picture)).convert("L"), float)
    row, column = np.unravel_index(picture.argmax(), picture.shape)
    assert row / picture.shape[0] == pytest.approx(0.5, abs=0.02)
    assert 0.38 < column / picture.shape[1] < 0.62
    assert not clip.is_cut
    halved = make_clip(str(tmp_path / "a.wav"), 9.0, None, 5.0, 4000.0)
    assert (halved.start_s, halved.end_s, halved.top_hz) == (4.0, 10.0, 4000.0)


@pytest.mark.parametrize("top_hz", [2000.0, 4000.0, 24000.0])
@pytest.mark.parametrize("rate", [44_100, 384_000])
def test_a_tone_is_drawn_at_its_frequency(tmp_path, rate, top_hz):
    Image = pytest.importorskip("PIL.Image")
    import io

    times = np.arange(rate) / rate
    soundfile.write(tmp_path / "a.wav", 0.1 * np.sin(2 * np.pi * 1700 * times), rate)
    clip = make_clip(str(tmp_path / "a.wav"), 0.0, 1.0, 0.0, top_hz)
    picture = np.asarray(Image.open(io.BytesIO(clip.picture)).convert("L"), float)
    height = len(picture) - 1
    loud = np.flatnonzero(picture.mean(axis=1) >= picture.mean(axis=1).max() - 1)
    middle = (1 - loud.mean() / height) * top_hz
    assert middle == pytest.approx(1700, abs=0.015 * top_hz)


def test_sound_below_what_browsers_play_is_played(tmp_path):
    import io

    soundfile.write(tmp_path / "a.wav", np.sin(np.arange(2000)), 500)
    clip = make_clip(str(tmp_path / "a.wav"), 0.0, 4.0, 0.0)
    samples, rate = soundfile.read(io.BytesIO(clip.sound))
    assert (rate, len(samples)) == (8000, 4 * 8000)
    assert clip.top_hz == 250


@pytest.mark.slow
def test_clicks_in_a_long_clip_are_in_its_picture(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    import io

    rate = 48_000
    sound = 1e-4 * np.random.default_rng(0).standard_normal(60 * rate)
    first = np.arange(5, 55) * rate + np.arange(50) * 24  # at all phases of a column
    for start in first:
        sound[start : start + 50] += 0.3
    soundfile.write(tmp_path / "a.wav", sound, rate)
    clip = make_clip(str(tmp_path / "a.wav"), 0.0, 60.0, 0.0)
    picture = np.asarray(Image.open(io.BytesIO(clip.picture)).convert("L"), float)
    loudest = picture.max(axis=0)
    column = np.rint(first / len(sound) * len(loudest)).astype(int)
    found = np.max([loudest[column + k] for k in (-1, 0, 1)], axis=0)
    assert found.min() > found.max() - 40  # of 255, which are 60 dB
    assert np.median(loudest) < found.min() - 40


def test_clips_that_are_awaited_are_made_however_many(monkeypatch):
    made = []

    def make(*clip):
        made.append(clip)
        time.sleep(0.002)
        return clip

    monkeypatch.setattr(clips, "make_clip", make)
    monkeypatch.setattr(clips, "_KEPT", 3)
    maker = ClipMaker()
    wanted = [("a.wav", float(k)) for k in range(40)]
    with ThreadPoolExecutor(20) as listeners:
        found = list(listeners.map(lambda clip: maker.wait_for(*clip), wanted))
    assert found == wanted
    assert sorted(made) == wanted
    maker.wait_for(*wanted[-1])
    assert len(made) == 40  # the last ones are kept
    maker.close()


def test_who_waits_for_a_clip_at_the_end_is_told(monkeypatch):
    begun, end = threading.Event(), threading.Event()

    def make(*clip):
        begun.set()
        end.wait(10)

    monkeypatch.setattr(clips, "make_clip", make)
    maker = ClipMaker()
    with ThreadPoolExecutor(5) as listeners:
        asked = [listeners.submit(maker.wait_for, "a.wav", k) for k in range(5)]
        begun.wait(10)
        while len(maker._clips) < 5:
            time.sleep(0.001)
        maker.close()
        end.set()
        outcomes = [type(one.exception(10)) for one in asked]
    assert outcomes.count(CancelledError) == 3
    with pytest.raises(RuntimeError, match="after shutdown"):
        maker.wait_for("a.wav", 4)
