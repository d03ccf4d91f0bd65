"""What is estimated from a survey whose truth is known, with errors and without."""

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skbird.datasets import make_survey
from skbird.review import ThresholdFromReviews, choose_for_review
from skbird.survey import (
    accumulation,
    activity,
    call_density,
    check_deployments,
    detection_history,
    effort,
    first_detections,
    recording_times,
)


def times_of(data):
    return recording_times(data.recordings, clock="UTC")


@pytest.fixture(scope="module")
def perfect():
    return make_survey(
        n_sites=4, n_weeks=2, n_species=3, recordings_per_day=12, separation=np.inf
    )


@pytest.fixture(scope="module")
def survey():
    return make_survey(n_sites=5, n_weeks=2, n_species=3, random_state=1)


def judge(data, chosen):
    """Return choices judged by who is never wrong."""
    at = pd.MultiIndex.from_frame(data.X[["path", "start"]])
    row = at.get_indexer(pd.MultiIndex.from_frame(chosen[["path", "start"]]))
    column = data.present.columns.get_indexer(chosen["species"])
    return chosen.assign(judged=data.present.to_numpy()[row, column].astype(float))


@pytest.fixture(scope="module")
def reviews(survey):
    chosen = choose_for_review(survey.proba, survey.X, 150, random_state=0)
    return judge(survey, chosen)


@pytest.fixture(scope="module")
def thresholds(survey, reviews):
    finder = ThresholdFromReviews(0.9, n_bootstrap=200, random_state=0)
    return finder.fit(reviews, survey.proba)


def true_calls(data, times):
    """Return the hours of the place in which species call, by counting rows."""
    table = data.present.copy()
    of_row = times.set_index("path").loc[data.X["path"]]
    start = of_row["start_time"].reset_index(drop=True)
    start += pd.to_timedelta(data.X["start"], unit="s")
    table["site"] = of_row["site"].to_numpy()
    local = start.dt.tz_convert("Europe/Madrid").dt.tz_localize(None)
    table["date"], table["hour"] = local.dt.normalize(), local.dt.hour
    return table[of_row["usable"].to_numpy()]


@pytest.mark.parametrize("by", ["hour", "day"])
def test_activity_and_histories_are_the_truth_where_detection_is_perfect(perfect, by):
    times = times_of(perfect)
    keys = ["site", "date", "hour"] if by == "hour" else ["site", "date"]
    truth = true_calls(perfect, times).groupby(keys)[perfect.species].sum()
    found = activity(
        perfect.proba, perfect.X, times, by=by, sites=perfect.sites
    ).sort_values(keys)
    for name in perfect.species:
        of_species = found[found["species"] == name].set_index(keys)
        heard = of_species[of_species["effort_s"] > 0]
        assert heard["n_calling"].tolist() == truth.loc[heard.index, name].tolist()
        assert len(heard) == len(truth)
    history = detection_history(found).set_index(["species", *keys])["y"]
    for name in perfect.species:
        y = history[name].dropna()
        assert (y == (truth.loc[y.index, name] > 0)).all()


def test_naive_occupancy_is_the_truth_where_detection_is_perfect(perfect):
    found = activity(perfect.proba, perfect.X, times_of(perfect), by="day")
    seen = detection_history(found).groupby(["site", "species"])["y"].max().unstack()
    occupied = perfect.occupied[seen.columns]
    assert (seen.to_numpy() <= occupied.to_numpy()).all()
    assert seen.to_numpy().sum() >= occupied.to_numpy().sum() - 1


def test_rates_are_those_that_the_survey_was_made_with():
    data = make_survey(
        n_sites=6, n_weeks=8, n_species=2, rows_per_hour=(30, 60), separation=np.inf
    )
    found = activity(data.proba, data.X, times_of(data), by="day")
    for name, line in data.species_table.iterrows():
        sites = data.occupied.index[data.occupied[name]]
        own = found[(found["species"] == name) & found["site"].isin(sites)]
        rate = 3600 * own["n_calling"].sum() / own["effort_s"].sum()
        assert rate == pytest.approx(line["rows_per_hour"], rel=0.1)


def test_the_curve_of_a_survey_is_that_of_its_scores(survey):
    assert (survey.species_table["slope"] == 5 / 1.5**2).all()
    score = np.log(survey.proba / (1 - survey.proba))
    for name, line in survey.species_table.iterrows():
        said = 1 / (1 + np.exp(-line["intercept"] - line["slope"] * score[name]))
        for low in (0.05, 0.3, 0.7):
            rows = said.between(low, low + 0.25)
            error = survey.present.loc[rows, name].mean() - said[rows].mean()
            assert abs(error) < 4 * np.sqrt(0.25 / rows.sum())


def test_deployments_of_a_survey_have_a_gap_each(survey):
    found = check_deployments(times_of(survey), survey.sites)
    assert found["problem"].value_counts().to_dict() == {"gap": 5}
    table = effort(times_of(survey), sites=survey.sites)
    assert (table["recorded_s"] == 0).sum() == 5
    unusable = (~survey.recordings["usable"]).sum()
    assert table["n_unusable"].sum() == unusable > 0


def test_detections_that_are_right_are_estimated_from_precision(
    survey, reviews, thresholds
):
    times = times_of(survey)
    report = thresholds.report_
    found = activity(survey.proba, survey.X, times, report, by="day", reviews=reviews)
    in_all = found.groupby("species")[
        [
            *("n_calling", "n_correct", "n_correct_low", "n_correct_high"),
            *("n_reviewed", "n_confirmed"),
        ]
    ].sum()
    usable = survey.X["path"].map(times.set_index("path")["usable"]).to_numpy()
    for name, line in in_all.iterrows():
        detected = usable & (survey.proba[name] >= report.loc[name, "threshold"])
        right = survey.present.loc[detected, name].sum()
        assert line["n_calling"] == detected.sum()
        assert line["n_correct_low"] <= right <= line["n_correct_high"]
        expected = line["n_calling"] * report.loc[name, "precision"]
        if line["n_reviewed"] == line["n_calling"]:
            expected = line["n_confirmed"]
        assert line["n_correct"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("judged", "precision", "n_correct"),
    [
        ([np.nan] * 6, 0.5, (2, 1)),
        # Of six, three are right: one was heard, and two are among the four others.
        ([0, 1, np.nan, np.nan, np.nan, np.nan], 0.5, (1 + 2 * 0.5, 2 * 0.5)),
        ([0, np.nan, np.nan, np.nan, 0, 0], 0.5, (3, 0)),
        ([1, 1, 1, 1, 0, np.nan], 0.5, (4, 0)),
        ([1, 0, 0, 1, 0, 1], 0.5, (2, 1)),
        ([0, 0, 0, 0, np.nan, np.nan], 0.9, (0, 2)),
    ],
)
def test_what_was_heard_counts_where_it_was_heard(judged, precision, n_correct):
    path = ["a/20240501_000000.WAV"] * 4 + ["b/20240501_000000.WAV"] * 2
    X = pd.DataFrame({"path": path, "start": [0.0, 5, 10, 15, 0, 5]})
    X["end"] = X["start"] + 5
    files = X[["path"]].drop_duplicates().assign(duration_s=20.0)
    threshold = pd.DataFrame({"species": ["owl"], "threshold": 0.5})
    for name in ("precision", "precision_low", "precision_high"):
        threshold[name] = precision
    found = activity(
        *(np.ones((6, 1)), X, recording_times(files, "UTC"), threshold),
        by="day",
        species=["owl"],
        reviews=X.assign(species="owl", judged=judged),
    )
    assert found["n_correct"].tolist() == pytest.approx(n_correct)


def test_reviews_of_detections_are_counted(survey, reviews, thresholds):
    times = times_of(survey)
    report = thresholds.report_
    found = activity(survey.proba, survey.X, times, report, reviews=reviews)
    usable = times["path"][times["usable"]]
    counts = reviews[
        (reviews["probability"] >= reviews["species"].map(report["threshold"]))
        & reviews["path"].isin(usable)
    ]
    assert found["n_reviewed"].sum() == len(counts) > 50
    assert found["n_confirmed"].sum() == counts["judged"].sum()
    assert (found["n_reviewed"] <= found["n_calling"]).all()
    assert (found["n_confirmed"] <= found["n_reviewed"]).all()


def test_certain_states_are_never_wrong(survey, reviews, thresholds):
    found = activity(
        *(survey.proba, survey.X, times_of(survey), thresholds.report_),
        by="day",
        reviews=reviews,
    )
    history = detection_history(found)
    assert list(history.columns[2:9]) == [
        *("occasion", "y", "effort_s", "n_calling", "state", "n_reviewed"),
        "n_confirmed",
    ]
    certain = history[history["state"] == 2]
    assert len(certain) > 10
    occupied = survey.occupied.stack()
    assert occupied[[*zip(certain["site"], certain["species"], strict=True)]].all()
    assert set(history["state"].dropna()) == {0, 1, 2}
    assert (history["state"].isna() == history["y"].isna()).all()
    wide = detection_history(found, form="wide")
    n = history["occasion"].max()
    names = ["y", "effort_s", "state", "n_reviewed", "n_confirmed", "n_calling"]
    assert list(wide.columns[2:]) == [
        f"{m}.{k}" for m in names for k in range(1, n + 1)
    ]
    assert wide.filter(like="n_calling").to_numpy().sum() == found["n_calling"].sum()


def little(judged, proba=(0.9, 0.9, 0.1)):
    """Return the history of a day of three rows, some of which were judged."""
    X = pd.DataFrame({"path": "a/20240501_000000.WAV", "start": [0.0, 5, 10]})
    X["end"] = X["start"] + 5
    recordings = X[["path"]].head(1).assign(duration_s=15.0)
    reviews = X.assign(species="owl", judged=judged)
    return detection_history(
        activity(
            *(np.array(proba)[:, None], X, recording_times(recordings, "UTC")),
            by="day",
            species=["owl"],
            reviews=pd.concat([reviews, reviews.head(1)]),
        )
    )


@pytest.mark.parametrize(
    ("judged", "y", "state", "n_reviewed", "n_confirmed"),
    [
        ([np.nan] * 3, 1, 1, 0, 0),
        ([1, np.nan, np.nan], 1, 2, 1, 1),
        ([0, np.nan, np.nan], 1, 1, 1, 0),
        ([0, 0, np.nan], 0, 0, 2, 0),
        ([0, 0, 1], 0, 0, 2, 0),  # below the threshold
        ([0, 1, 0], 1, 2, 2, 1),
    ],
)
def test_what_was_heard_makes_a_state(judged, y, state, n_reviewed, n_confirmed):
    (line,) = little(judged).itertuples()
    assert (line.state, line.n_reviewed, line.n_confirmed) == (
        state,
        n_reviewed,
        n_confirmed,
    )
    assert line.y == y


def test_years_with_and_without_reviews_go_together():
    X = pd.DataFrame({"path": ["a/20240501_000000.WAV"], "start": 0.0, "end": 5.0})
    parts = []
    for year, reviews in ((2023, None), (2024, "own")):
        X["path"] = f"a/{year}0501_000000.WAV"
        recordings = recording_times(X[["path"]].assign(duration_s=5.0), "UTC")
        judged = None if reviews is None else X.assign(species="owl", judged=0)
        parts.append(activity([[1]], X, recordings, species=["owl"], reviews=judged))
    history = detection_history(pd.concat(parts))
    assert history["y"].tolist() == [1, 0]
    assert history["state"].tolist() == [1, 0]


def test_who_disagrees_has_not_judged():
    X = pd.DataFrame({"path": ["a/20240501_000000.WAV"], "start": 0.0, "end": 5.0})
    recordings = recording_times(X[["path"]].assign(duration_s=5.0), "UTC")
    reviews = pd.concat([X.assign(species="owl", judged=j) for j in (0, 1)])
    found = activity([[1]], X, recordings, species=["owl"], reviews=reviews)
    assert found["n_reviewed"].tolist() == [0]


def test_species_without_a_threshold_are_left_out_and_said(survey):
    first, *others = survey.species
    table = pd.DataFrame({"species": survey.species, "threshold": 0.9})
    table.loc[0, "threshold"] = np.nan
    table["reason"] = ["3 reviews; 20 are needed", None, None]
    times = times_of(survey)
    message = rf"missing for 1 of 3 species.*{first}.* \(3 reviews; 20 are needed\)"
    with pytest.warns(UserWarning, match=message) as caught:
        found = activity(survey.proba, survey.X, times, table, by="day")
    assert caught[0].filename == __file__
    assert set(found["species"]) == {*others}
    same = activity(
        survey.proba[others], survey.X, times, dict.fromkeys(others, 0.9), by="day"
    )
    pd.testing.assert_frame_equal(found, same)


@pytest.mark.slow
def test_call_density_is_unbiased_and_its_interval_holds_the_truth(survey):
    truth = survey.present.mean()
    errors, held = [], []
    for seed in range(15):
        chosen = choose_for_review(
            *(survey.proba, survey.X, 60), threshold=0.0, random_state=seed
        )
        found = call_density(
            judge(survey, chosen), n_bootstrap=200, random_state=seed
        ).loc[survey.species]
        assert found["n_rows"].tolist() == pytest.approx([len(survey.X)] * 3)
        errors.append(found["share"] / truth - 1)
        held.append(found["share_low"].le(truth) & found["share_high"].ge(truth))
    errors, held = np.array(errors), np.array(held)
    assert (np.abs(errors.mean(axis=0)) < 4 * errors.std(axis=0) / np.sqrt(15)).all()
    assert held.mean() >= 0.9


def test_call_density_by_hand():
    reviews = pd.DataFrame(
        {
            "species": ["owl"] * 6 + ["wren"],
            "judged": [1, 0, np.nan, 1, 1, 0, 1],
            "weight": [10.0] * 3 + [2.0] * 4,
            "stratum": [0] * 3 + [1] * 4,
            "path": [*"abcdefg"],
        }
    )
    found = call_density(reviews, 3600, random_state=0)
    assert found.loc["owl", "n_rows"] == 36
    assert found.loc["owl", "n_present"] == pytest.approx(30 / 2 + 6 * 2 / 3)
    assert found.loc["owl", "rows_per_hour"] == pytest.approx(19)
    assert found.loc["owl", ["n_reviews", "n_correct"]].tolist() == [5, 3]
    low, high = found.loc["owl", ["share_low", "share_high"]]
    assert 0 < low < 19 / 36 < high < 1
    assert np.isnan(found.loc["wren", "share_low"])
    assert found.loc["wren", "share"] == 1
    assert "rows_per_hour" not in call_density(reviews)


def test_rows_that_two_have_judged_stand_for_themselves_once():
    reviews = pd.DataFrame({"species": "owl", "path": list("abcdef"), "start": 0.0})
    reviews = reviews.assign(weight=2.0, judged=[1, 0, 1, 1, np.nan, 0])
    again = reviews.assign(judged=[1, 0, 1, 1, 1, 1])
    found = call_density(pd.concat([reviews, again])).loc["owl"]
    assert found[["n_rows", "n_reviews", "n_correct"]].tolist() == [12, 5, 4]
    assert found["n_present"] == pytest.approx(12 * 4 / 5)


def test_reviews_find_rows_of_files_that_are_written_in_two_ways(survey):
    times, X = times_of(survey), survey.X.copy()
    path = X["path"].iloc[0]
    X.loc[1, "path"] = path.replace("/", "\\")
    reviews = pd.DataFrame({"path": path, "start": X["start"].iloc[:2]})
    reviews = reviews.assign(species=survey.species[0], judged=1.0)
    found = activity(survey.proba, X, times, 0.0, reviews=reviews)
    assert found["n_reviewed"].sum() == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"judged": 2.0}, r"judged=2 of reviews must be 1 \(right\)"),
        ({"weight": np.nan}, "weight=nan of reviews must be above 0"),
        ({"weight": None}, "weight=nan of reviews"),
        ({"stratum": np.nan}, "stratum of reviews is missing in row 0"),
        ({"species": None}, "species of reviews is missing in row 0"),
    ],
)
def test_reviews_that_are_none_are_refused(change, message):
    reviews = pd.DataFrame({"species": ["owl"], "judged": 1.0, "weight": 1.0})
    with pytest.raises(ValueError, match=message):
        call_density(reviews.assign(**change))
    with pytest.raises(ValueError, match="reviews has no column 'weight'"):
        call_density(reviews.drop(columns="weight"))
    with pytest.raises(TypeError, match="reviews must be a DataFrame, got list"):
        call_density([])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "b.wav"}, "reviews are of no row of X, such as 'b.wav' from 0 s"),
        ({"species": "dodo"}, "judgements of 'dodo', which is none of the"),
        ({"judged": 0.5}, "judged=0.5 of reviews must be"),
        ({"start": np.nan}, "start of reviews is missing in row 0"),
    ],
)
def test_reviews_of_other_rows_are_refused(survey, reviews, change, message):
    times = times_of(survey)
    wrong = reviews.head(2).assign(**change)
    if "path" in change:
        wrong["start"] = 0.0
    with pytest.raises(ValueError, match=message):
        activity(survey.proba, survey.X, times, reviews=wrong)


def precise(table, middle, low, high):
    return table.assign(precision=middle, precision_low=low, precision_high=high)


def test_tables_of_thresholds_are_checked(survey):
    arguments = survey.proba, survey.X, times_of(survey)
    table = pd.DataFrame({"species": survey.species, "threshold": 0.5})
    for wrong, message in (
        (table.drop(columns="threshold"), "threshold has no column 'threshold'"),
        (pd.concat([table, table]), "names 'upwwhi1' more than once"),
        (table.head(1).assign(species="dodo"), "threshold has no line for any of"),
        (precise(table, 90, 80, 95), "precision=90 of 'upwwhi1' .* from 80 to 95"),
        (precise(table, 0.9, 0.95, 0.8), "from 0.95 to 0.8, must be a share"),
        (precise(table, "high", 0, 1), "precision of threshold"),
    ):
        with pytest.raises(ValueError, match=message):
            activity(*arguments, wrong)
    with pytest.warns(UserWarning, match=f"threshold is missing for .* {len(table)} "):
        found = activity(*arguments, table.head(2))
    assert set(found["species"]) == set(table["species"].head(2))


@pytest.mark.slow
def test_the_example_of_the_page_runs(
    survey, reviews, thresholds, tmp_path, monkeypatch
):
    pytest.importorskip("matplotlib").use("Agg")
    pytest.importorskip("astral")
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    pd.concat([survey.X, survey.proba], axis=1).to_parquet("proba")
    survey.sites.to_csv("sites.csv", index=False)
    thresholds.report_.to_csv("thresholds.csv")
    page = Path(__file__).parent.parent / "docs" / "survey.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    given = 'recording_times(X["path"].unique(), "Europe/Madrid", clock="UTC")'
    assert given in code
    code = code.replace(given, "recording_times(recordings, clock='UTC')")
    code = code.replace('read_reviews("reviews.sqlite")', "judged")
    namespace = {"judged": reviews, "recordings": survey.recordings}
    exec(code.replace("wren", survey.species[0]), namespace)
    import matplotlib.pyplot as plt

    plt.close("all")


def history_of(found, **columns):
    """Return a history of species by units, of which a letter is a detection."""
    lines = [
        (name, f"site{unit % 2}", unit + 1, float(name in units))
        for unit, units in enumerate(found)
        for name in "abcd"
    ]
    table = pd.DataFrame(lines, columns=["species", "site", "occasion", "y"])
    return table.assign(effort_s=60.0, **columns)


def test_richness_grows_as_the_mean_over_all_orders():
    found = ["a", "ab", "", "abc", "a"]
    curve = accumulation(history_of(found))
    assert curve["observed"].tolist() == [1, 2, 2, 3, 3]
    rng = np.random.default_rng(0)
    orders = [rng.permutation(5) for _ in range(4000)]
    mean = np.mean(
        [
            [len(set("".join(found[k] for k in order[: n + 1]))) for n in range(5)]
            for order in orders
        ],
        axis=0,
    )
    np.testing.assert_allclose(curve["species"], mean, atol=0.05)
    assert curve["species"].iloc[-1] == 3
    assert curve["chao2"].tolist() == [pytest.approx(3.0)] * 5  # one of one, one of two
    assert (curve["species_low"] <= curve["species"]).all()
    sites = accumulation(history_of(found), unit="site")
    assert sites["n"].tolist() == [1, 2]
    assert sites["observed"].tolist() == [1, 3]


def test_only_certain_detections_count_if_that_is_asked_for():
    history = history_of(["ab", "b"], state=[2.0, 1.0, 0, 0, 0, 2.0, 0, 0])
    assert accumulation(history, certain=True)["observed"].tolist() == [1, 2]
    firsts = first_detections(history, certain=True).dropna(subset="occasion")
    assert firsts["species"].tolist() == ["a", "b"]
    with pytest.raises(ValueError, match=r"column 'state'.*Pass reviews to"):
        accumulation(history.drop(columns="state"), certain=True)


def test_first_detections_say_after_what_effort():
    history = history_of(["", "a", "b", "a"])
    history.loc[history["occasion"] == 1, "y"] = np.nan  # not listened to
    found = first_detections(history).set_index(["site", "species"])
    assert found.loc[("site1", "a")].tolist() == [2, 1, 60.0]
    assert found.loc[("site0", "b")].tolist() == [3, 1, 60.0]
    assert pd.isna(found.loc[("site1", "c"), "occasion"])
    assert found.loc[("site1", "c"), "n_occasions"] == 2


def test_no_history_has_no_curve():
    nothing = history_of(["a"]).iloc[:0]
    assert len(accumulation(nothing)) == 0
    assert len(first_detections(nothing)) == 0
    with pytest.raises(TypeError, match="history must be a DataFrame, got list"):
        accumulation([])


@pytest.mark.slow
def test_thresholds_reach_their_precision_within_their_interval():
    """A part of benchmarks/survey.py, which simulates 200 reviews."""
    data = make_survey(n_sites=6, n_weeks=2, n_species=2, random_state=3)
    held = []
    for seed in range(10):
        chosen = judge(
            data, choose_for_review(data.proba, data.X, 120, random_state=seed)
        )
        finder = ThresholdFromReviews(0.9, n_bootstrap=200, random_state=seed)
        report = finder.fit(chosen, data.proba).report_
        for name, line in report.iterrows():
            detected = data.proba[name] >= line["threshold"]
            precision = data.present.loc[detected, name].mean()
            held.append(line["precision_low"] <= precision <= line["precision_high"])
    assert np.mean(held) >= 0.85


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_sites": 0}, "n_sites=0 must be from 1 to 1000"),
        ({"n_weeks": 1.5}, "n_weeks=1.5 must be a whole number"),
        ({"n_species": 300}, "n_species=300 must be from 1 to 200"),
        ({"recording_s": 2.0}, "recording_s=2.0 must be from 5 to 600"),
        ({"separation": 0}, "separation=0 must be"),
        ({"gap_share": 1.0}, "gap_share=1.0 must be"),
        ({"occupancy": 0.5}, "occupancy=0.5 must be two numbers from 0 to 1"),
        ({"rows_per_hour": (0, 5)}, "must be two numbers from 0.001 to 120"),
        ({"n_weeks": 1000}, "would have .* rows, more than .* Lower n_sites"),
        ({"root": "made"}, "hours of sound, more than 3. Lower"),
    ],
)
def test_surveys_that_cannot_be_made_are_refused(options, message, tmp_path):
    if "root" in options:
        options = {"root": tmp_path / "made"}
    with pytest.raises(ValueError, match=message):
        make_survey(**options)
    assert not [*tmp_path.iterdir()]


def test_the_same_number_gives_the_same_survey_and_none_is_overwritten(tmp_path):
    small = {"n_sites": 1, "n_weeks": 1, "n_species": 2, "recordings_per_day": 1}
    small |= {"recording_s": 5.0, "unusable_share": 0.3}
    made = [make_survey(tmp_path / n, **small) for n in "ab"]
    for name in ("proba", "present", "sites", "occupied", "species_table"):
        pd.testing.assert_frame_equal(made[0][name], made[1][name])
    files = [sorted((tmp_path / name).rglob("*.WAV")) for name in "ab"]
    assert [f.read_bytes() for f in files[0]] == [f.read_bytes() for f in files[1]]
    with pytest.raises(FileExistsError, match="is not empty; nothing was changed"):
        make_survey(tmp_path / "a", **small)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        times = recording_times(made[0].recordings["path"], "Europe/Madrid")
    assert times["note"].tolist() == [""] * len(files[0])
    told = recording_times(made[0].recordings, clock="UTC")
    assert times["start_time"].tolist() == told["start_time"].tolist()
    assert set(times["site"]) == {"site01"}
