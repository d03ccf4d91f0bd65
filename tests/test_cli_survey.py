"""From a folder of recordings to the page of a survey, by commands."""
# ruff: noqa: F811 - pytest takes fixtures that are imported

import os
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import RATE, tone

pytest.importorskip("pyarrow")
pytest.importorskip("click")
pytest.importorskip("astral")
from test_cli_input import model, noise, run  # noqa: F401

import skbird.reports
from skbird.datasets import make_survey
from skbird.review import ReviewSession

SITES = """site,latitude,longitude,start,end,time_zone
fen,37.0,-6.4,2024-05-01,2024-05-03,Europe/Madrid
marsh,37.1,-6.5,2024-05-01,2024-05-03,Europe/Madrid
"""


def record(path, species_hz):
    """Write four seconds, in the last two of which a species calls."""
    path.parent.mkdir(parents=True, exist_ok=True)
    call = tone(species_hz, 2) if species_hz else 0.0
    sound = np.concatenate([noise(2), noise(2) + call])
    soundfile.write(path, sound, RATE, format="WAV")


@pytest.fixture(scope="module")
def field(model, tmp_path_factory):
    """Return a folder with recordings of two sites, predicted, and tables beside."""
    root = tmp_path_factory.mktemp("field")
    for site, day, hour, hz in (
        ("fen", 1, 5, 3000),
        ("fen", 2, 5, 3000),
        ("fen", 3, 5, 0),
        ("marsh", 1, 5, 0),
        ("marsh", 2, 22, 1000),
    ):
        name = f"202405{day:02}_{hour:02}0000.WAV"
        record(root / "recordings" / site / name, hz)
    (root / "recordings" / "marsh" / "20240503_050000.WAV").write_text("broken")
    (root / "sites.csv").write_text(SITES)
    (root / "thresholds.csv").write_text(
        "species,threshold,precision,precision_low,precision_high,n_reviews\n"
        "dove,0.6,0.9,0.8,0.95,50\nwren,0.6,0.95,0.9,1.0,60\nowl,,,,,3\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        options = "--out", "proba", "--format", "parquet", "--trust-pickle"
        result = run("predict", model, "recordings", *options)
        assert result.exit_code == 3, result.output
    return root


@pytest.fixture
def survey(request, field, tmp_path, monkeypatch):
    """Return a function that runs the command in a copy of the folder."""
    shutil.copytree(field, tmp_path / "field")
    monkeypatch.chdir(tmp_path / "field")
    defaults = {"--sites": "sites.csv", "--thresholds": "thresholds.csv"}
    defaults["--out"] = "survey.html"

    # Pictures of species take most of the time; one test has them.
    without = partial(skbird.reports.describe_survey, n_drawn=0)

    def call(predictions="proba", *flags, pictures=False, **options):
        if not pictures:
            request.getfixturevalue("blank_pictures")
            monkeypatch.setattr(skbird.reports, "describe_survey", without)
        given = {f"--{name.replace('_', '-')}": v for name, v in options.items()}
        pairs = [pair for pair in (defaults | given).items() if pair[1] is not None]
        return run("survey", predictions, *np.ravel(pairs), *flags)

    return call


@pytest.mark.slow
def test_a_folder_of_recordings_becomes_a_page_and_tables(survey):
    result = survey(tables="tables", model="birdnet-2.4", pictures=True)
    assert result.exit_code == 3, result.output  # one cannot be read
    assert "1 species of --thresholds were not predicted" in result.stderr
    assert "20240503_050000.WAV" in result.stderr
    page = Path("survey.html").read_text()
    for text in ("birdnet-2.4", "CC BY-NC-SA 4.0", "110 reviews by ear", "Madrid"):
        assert text in page, text
    assert sorted(path.name for path in Path("tables").iterdir()) == [
        *("activity.csv", "effort.csv", "first_detections.csv", "history.csv"),
        *("history_wide.csv", "problems.csv", "species.csv"),
    ]
    activity = pd.read_csv("tables/activity.csv")
    calls = activity.pivot_table(
        index=["site", "date"], columns="species", values="n_calling"
    )
    assert calls["wren"].to_dict() == {
        ("fen", "2024-05-01"): 2,
        ("fen", "2024-05-02"): 2,
        ("fen", "2024-05-03"): 0,
        ("marsh", "2024-05-01"): 0,
        ("marsh", "2024-05-02"): 0,
        ("marsh", "2024-05-03"): 0,
    }
    assert calls["dove"].sum() == 2
    history = pd.read_csv("tables/history.csv").set_index(["species", "site", "date"])
    assert history.loc[("wren", "fen", "2024-05-01"), "y"] == 1
    assert np.isnan(history.loc[("dove", "marsh", "2024-05-03"), "y"])
    wide = pd.read_csv("tables/history_wide.csv")
    assert list(wide.columns[:5]) == ["species", "site", "y.1", "y.2", "y.3"]
    effort = pd.read_csv("tables/effort.csv")
    assert effort["usable_s"].sum() == 20
    assert effort["n_unusable"].sum() == 1
    assert {"n_correct", "precision"} <= set(pd.read_csv("tables/species.csv").columns)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["reviews.csv", "reviews.sqlite"])
def test_reviews_make_certain_detections(survey, name):
    table = pd.read_parquet("proba")
    heard = table[table["wren"] >= 0.6].head(1)
    if name.endswith("csv"):
        heard = heard[["path", "start"]].assign(species="wren", judged=1)
        heard.to_csv(name, index=False)
    else:
        session = ReviewSession.from_proba(heard[["wren"]], heard, name)
        session.judge(0, "yes", reviewer="Ada")
    result = survey(reviews=name, tables="tables")
    assert result.exit_code == 3, result.output
    history = pd.read_csv("tables/history.csv")
    assert (history["state"] == 2).sum() == 1
    assert "sites certain" in Path("survey.html").read_text()


@pytest.mark.slow
def test_one_threshold_and_weeks_and_a_table_of_rows(survey):
    table = pd.read_parquet("proba").assign(latitude=37.0)
    table.to_csv("rows.csv", index=False)
    options = {"thresholds": None, "threshold": 0.6, "by": 7, "tables": "tables"}
    result = survey("rows.csv", "--check-sound", **options)
    assert result.exit_code == 0, result.output
    history = pd.read_csv("tables/history.csv")
    assert set(history["species"]) == {"dove", "wren"}
    assert history["occasion"].unique().tolist() == [1]
    result = survey("rows.csv", **(options | {"threshold": 1}))
    assert result.exit_code == 0, result.output
    assert "2 other species of the predictions were not detected" in result.stderr
    assert pd.read_csv("tables/activity.csv").empty


@pytest.mark.slow
def test_recordings_that_are_gone_keep_their_rows(survey):
    shutil.rmtree("recordings")
    result = survey(tables="tables")
    assert result.exit_code == 3
    assert "5 recordings cannot be read now" in result.stderr
    assert "Their clocks are taken to be Europe/Madrid" in result.stderr
    assert pd.read_csv("tables/effort.csv")["usable_s"].sum() == 20
    found = pd.read_csv("tables/problems.csv")
    assert (found["problem"] == "clock assumed").sum() == 2
    page = Path("survey.html").read_text()
    assert "the headers of 6 of them could not be read" in page
    assert "<title>Survey: proba" in page


@pytest.mark.slow
def test_without_thresholds_tables_have_columns(survey):
    Path("thresholds.csv").write_text("species,threshold\nwren,\n")
    result = survey(tables="tables")
    assert result.exit_code == 3, result.output
    assert "have an empty threshold, or inf, and are left out: wren." in result.stderr
    assert "Warning: No species has a threshold" in result.stderr
    for name in ("species", "first_detections", "history_wide"):
        assert "species" in pd.read_csv(f"tables/{name}.csv").columns, name
    assert pd.read_csv("tables/effort.csv")["usable_s"].sum() == 20


@pytest.mark.slow
def test_recordings_are_found_from_another_folder(survey, monkeypatch):
    Path("else").mkdir()
    monkeypatch.chdir("else")
    result = survey(
        "../proba",
        recordings="../recordings",
        sites="../sites.csv",
        thresholds="../thresholds.csv",
        tables="tables",
        title="Our fen",
    )
    assert result.exit_code == 3, result.output
    assert "cannot be read now" not in result.stderr
    found = pd.read_csv("tables/problems.csv")
    assert "clock assumed" not in set(found["problem"])
    assert "<title>Our fen" in Path("survey.html").read_text()
    shutil.move("../recordings/fen", "../recordings/ridge")
    result = survey(
        "../proba",
        recordings="../recordings",
        sites="../sites.csv",
        thresholds="../thresholds.csv",
    )
    assert "3 recordings cannot be read now" in result.stderr


@pytest.mark.parametrize(
    ("files", "predictions", "options", "message"),
    [
        ({}, "proba", {"threshold": 0.5}, "Pass either --thresholds or --threshold"),
        ({}, "proba", {"thresholds": None}, "Pass either --thresholds or --threshold"),
        ({}, "proba", {"out": "page.txt"}, "must end in .html or .htm"),
        ({}, "proba", {"by": "month"}, "'month' is none of day, night, hour"),
        ({}, "proba", {"clock": "Mars"}, "clock='Mars' is no time zone"),
        ({}, "proba", {"time_zone": "UTC"}, "has a column time_zone: leave out"),
        ({}, "recordings", {}, "recordings holds no probabilities. Pass the folder"),
        (
            {},
            "proba",
            {"site_from": "prefix"},
            "of no site of --sites.*--site-from fol",
        ),
        ({"sites.csv": "site,start\na,2024-05-01\n"}, "proba", {}, "no column 'end'"),
        ({"sites.csv": "site,start,end\n"}, "proba", {}, "has no lines"),
        (
            {"sites.csv": SITES + ",2024-05-01,2024-05-03,UTC\n"},
            *("proba", {}, "sites.csv has a line without a site"),
        ),
        (
            {"sites.csv": "site,start,end\nfen,2024-05-01,2024-05-03\n"},
            *("proba", {}, "no column time_zone. Pass --time-zone"),
        ),
        (
            {"sites.csv": SITES.replace("fen", "ridge")},
            *("proba", {}, "3 recordings are of no site of --sites, such as"),
        ),
        ({"thresholds.csv": "name\nx\n"}, "proba", {}, "has no column 'species'"),
        (
            {"thresholds.csv": "species,threshold\nowl,1\nowl,2\n"},
            *("proba", {}, "names 'owl' more than once"),
        ),
        (
            {"thresholds.csv": "species,threshold\nowl,1\n"},
            *("proba", {}, "has none of the species of proba, which has"),
        ),
        (
            {"events.csv": "path,start,end,species,score\na.wav,0,5,owl,0.9\n"},
            *("events.csv", {}, "lists events, and not the probabilities"),
        ),
        (
            {"few.csv": "path,start,end,species,probability\na.wav,0,5,owl,0.9\n"},
            *("few.csv", {}, "written with --min-proba or --top-species"),
        ),
        (
            {"odd.csv": "path,start,end,wren\nfen/20240501_050000.wav,0,5,7\n"},
            *("odd.csv", {}, "values outside 0 and 1 in the column 'wren'"),
        ),
        (
            {"x.csv": "path,start,end,wren\nfen/a.wav,0,5,0.7\n"},
            *("x.csv", {}, "No recording tells when it began"),
        ),
    ],
)
def test_mistakes_are_named(survey, files, predictions, options, message):
    for name, text in files.items():
        Path(name).write_text(text)
    result = survey(predictions, **options)
    assert result.exit_code in (1, 2)
    text = " ".join(result.stderr.split())
    assert pd.Series([text]).str.contains(message).all(), text
    assert not Path("survey.html").exists()


def test_nothing_that_is_read_is_replaced(survey):
    Path("sites.html").write_text(SITES)
    result = survey(sites="sites.html", out="sites.html")
    assert result.exit_code == 2
    assert "would be replaced" in result.stderr
    Path("tables").mkdir()
    Path("tables/species.csv").write_text(Path("thresholds.csv").read_text())
    result = survey(thresholds="tables/species.csv", tables="tables")
    assert result.exit_code == 2
    assert "would be replaced" in result.stderr


@pytest.mark.slow
def test_zones_of_the_command_line_are_taken(survey):
    plain = SITES.replace(",time_zone", "").replace(",Europe/Madrid", "")
    Path("sites.csv").write_text(plain)
    result = survey(time_zone="America/Lima", clock="UTC", tables="tables")
    assert result.exit_code == 3, result.output
    dates = pd.read_csv("tables/activity.csv").query("n_calling > 0")
    dove = dates[dates["species"] == "dove"].iloc[0]
    assert dove["date"] == "2024-05-02"
    assert dove["start_time"].startswith("2024-05-02T05:00:00Z")


@pytest.mark.slow
@pytest.mark.usefixtures("blank_pictures")
def test_recordings_of_audiomoths_lead_to_a_page(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    size = {"n_sites": 2, "n_weeks": 1, "n_species": 2, "recordings_per_day": 2}
    data = make_survey("made", recording_s=5.0, unusable_share=0.2, **size)
    options = "--out", "proba", "--format", "parquet", "--trust-pickle"
    assert run("predict", model, "made/recordings", *options).exit_code == 0
    options = "--sites", "made/sites.csv", "--threshold", 0.5, "--out", "survey.html"
    result = run("survey", "proba", *options, "--tables", "tables", "--check-sound")
    assert result.exit_code == 0, result.output
    effort = pd.read_csv("tables/effort.csv")
    # The zone of the clock, UTC, is in the headers alone.
    assert effort["n_recordings"].max() == 2
    assert effort["n_recordings"].sum() == len(data.recordings)
    assert effort["n_unusable"].sum() == (~data.recordings["usable"]).sum() > 0
    problems = pd.read_csv("tables/problems.csv")
    assert set(problems["problem"]) <= {"gap", "clock jump"}
    assert "silent" in Path("survey.html").read_text()
    Path("made").rename("moved")
    options = "--sites", "moved/sites.csv", "--threshold", 0.5, "--out", "survey.html"
    options = *options, "--tables", "tables", "--recordings", "moved", "--check-sound"
    result = run("survey", "proba", *options)
    assert result.exit_code == 0, result.output
    pd.testing.assert_frame_equal(pd.read_csv("tables/effort.csv"), effort)
    assert pd.read_csv("tables/problems.csv").equals(problems)


@pytest.mark.slow
@pytest.mark.usefixtures("blank_pictures")
def test_four_commands_lead_from_recordings_to_a_survey(model, tmp_path, monkeypatch):
    def listen(session, **options):
        for number, detection in session.detections.iterrows():
            is_right = detection["probability"] > 0.3
            session.judge(number, "yes" if is_right else "no", reviewer="Ada")

    monkeypatch.setattr(ReviewSession, "serve", listen)
    monkeypatch.chdir(tmp_path)
    size = {"n_sites": 2, "n_weeks": 1, "n_species": 2, "recordings_per_day": 2}
    make_survey("made", recording_s=5.0, unusable_share=0.0, **size)
    folder, out = ("--recordings", "made/recordings"), "--out"
    options = "--format", "parquet", "--trust-pickle"
    for command in (
        ("predict", model, "made/recordings", out, "proba", *options),
        ("review", "proba", *folder, out, "r.sqlite", "--threshold", 0.0001),
        ("thresholds", "r.sqlite", "--precision", 0.6, out, "thresholds.csv"),
        (
            *("survey", "proba", *folder, "--sites", "made/sites.csv"),
            *("--thresholds", "thresholds.csv", "--reviews", "r.sqlite"),
            *(out, "survey.html", "--tables", "tables"),
        ),
    ):
        result = run(*command)
        assert result.exit_code == 0, result.output
    thresholds = pd.read_csv("thresholds.csv", index_col="species")["threshold"]
    proba = pd.read_parquet("proba")
    species = pd.read_csv("tables/species.csv", index_col="species")
    assert len(species) == thresholds.notna().sum() > 0
    history = pd.read_csv("tables/history.csv")
    for name, threshold in thresholds.dropna().items():
        n_detections = (proba[name] >= threshold).sum()
        assert species.loc[name, "detections"] == n_detections > 0
        assert (history.loc[history["species"] == name, "state"] == 2).any()


@pytest.mark.slow
def test_the_recordings_of_donana_work(model, tmp_path, monkeypatch):
    root = Path(os.environ.get("SKBIRD_DATA", "nowhere"), "donana_soundscapes")
    if not root.is_dir():
        pytest.skip("SKBIRD_DATA has no donana_soundscapes")
    monkeypatch.chdir(tmp_path)
    options = "--out", "proba", "--format", "parquet", "--trust-pickle"
    step = "--segment-s", 5, "--step-s", 5
    result = run("predict", model, root / "audio", *options, *step)
    assert result.exit_code == 0, result.output
    Path("sites.csv").write_text(
        "site,latitude,longitude,start,end,time_zone\n"
        "AM1,37.0,-6.4,2023-05-10,2023-05-11,Europe/Madrid\n"
    )
    options = "--sites", "sites.csv", "--threshold", 0.5, "--out", "survey.html"
    result = run("survey", "proba", *options, "--tables", "t", "--site-from", "prefix")
    assert result.exit_code == 0, result.output
    effort = pd.read_csv("t/effort.csv")
    assert effort["n_recordings"].tolist() == [2, 5]


def test_names_of_thresholds_may_be_spelled_otherwise(survey):
    Path("thresholds.csv").write_text("species;threshold\nWREN;0.6\ndove;inf\n")
    result = survey(tables="tables")
    assert result.exit_code == 3, result.output  # a recording is broken
    table = pd.read_csv("tables/species.csv", index_col="species")
    assert table["threshold"].to_dict() == {"wren": 0.6}
    assert "have an empty threshold, or inf, and are left out: dove." in result.stderr


def test_reviews_may_spell_names_as_thresholds_do(survey):
    Path("thresholds.csv").write_text("species,threshold\nWREN,0.6\n")
    heard = pd.read_parquet("proba").query("wren >= 0.6")[["path", "start"]]
    others = heard.head(1).assign(species="emu", judged=1)
    heard = pd.concat([heard.assign(species="WREN", judged=1), others])
    heard.to_csv("reviews.csv", index=False)
    result = survey(tables="tables", reviews="reviews.csv")
    assert "1 review is of species that are left out" in result.stderr
    table = pd.read_csv("tables/species.csv", index_col="species")
    assert table.loc["wren", "n_confirmed"] == len(heard) - 1


def test_clocks_that_nothing_tells_are_said(survey):
    assert "is taken to be that of the site, Europe/Madrid" in survey().stderr
    assert "is taken to be" not in survey(clock="UTC").stderr
