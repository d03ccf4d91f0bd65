"""What commands take for the truth: all formats, short calls, no model's own word."""

import os
import pickle
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile
from click.testing import CliRunner
from conftest import HOSTILE, RATE, needs_hostile, tone
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline

pytest.importorskip("pyarrow")
from skbird.annotations import (
    boxes_to_rows,
    read_audacity,
    read_boxes,
    read_raven,
    write_audacity,
    write_birdnet,
    write_boxes,
    write_raven,
    write_submission,
)
from skbird.annotations._places import place_boxes
from skbird.audio import list_audio
from skbird.cli._app import app
from skbird.preprocessing import LogMel, Resampler, Segmenter, SpectrogramStatistics

SHORT_BOXES = (HOSTILE / "tables" / "short_boxes.Table.1.selections.txt").resolve()
HZ = {"dove": 1000, "wren": 3000}
# What calls when in each recording, in seconds.
CALLS = {
    "a": [("dove", 1.0, 3.0)],
    "b": [("wren", 2.0, 4.0), ("dove", 5.0, 6.0)],
    "c": [("wren", 0.0, 1.0)],
    "quiet": [],
}


def run(*args):
    return CliRunner().invoke(app, list(map(str, args)), prog_name="skbird")


@pytest.fixture(scope="module")
def model(bird_folder, tmp_path_factory):
    """Return the file of a pickled pipeline that tells dove from wren in a second."""
    folder = tmp_path_factory.mktemp("model")
    rng = np.random.default_rng(1)
    for number in range(6):
        noise = 0.02 * rng.standard_normal(3 * RATE)
        soundfile.write(folder / f"{number}.wav", noise, RATE)
    quiet = pd.DataFrame({"path": list_audio(folder)})
    X = pd.concat([bird_folder, quiet], ignore_index=True)
    Y = pd.get_dummies(X["species"]).astype(int)
    pipe = make_pipeline(
        Resampler(RATE),
        Segmenter(1.0),
        LogMel(16, n_fft=512, verbose=0),
        SpectrogramStatistics(),
        MultiOutputClassifier(LogisticRegression()),
    )
    pipe.fit(X, Y)
    pipe[-1].species_ = np.array(Y.columns, dtype=str)
    path = folder / "birds.pkl"
    path.write_bytes(pickle.dumps(pipe))
    return path


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Return a folder of recordings in which CALLS are to be heard."""
    folder = tmp_path_factory.mktemp("field") / "soundscapes"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, calls in CALLS.items():
        samples = 0.02 * rng.standard_normal(8 * RATE)
        for species, start, end in calls:
            samples[round(start * RATE) : round(end * RATE)] += tone(
                HZ[species], end - start
            )
        soundfile.write(folder / f"{name}.wav", samples, RATE)
    return folder


@pytest.fixture
def field(recordings, tmp_path, monkeypatch):
    """Stand in a folder with the recordings in ``soundscapes``."""
    (tmp_path / "soundscapes").symlink_to(recordings)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def predict(model, field):
    return lambda *args: run("predict", model, "soundscapes", *args, "--trust-pickle")


@pytest.fixture
def evaluate(model, field):
    def evaluate(annotations, *args, data="soundscapes"):
        options = ("--annotations", annotations, "--out", "species.csv", *args)
        return run("evaluate", model, data, *options, "--trust-pickle")

    return evaluate


@pytest.fixture
def truth():
    lines = [(f"{name}.wav", *call) for name, calls in CALLS.items() for call in calls]
    return pd.DataFrame(lines, columns=["path", "species", "start", "end"])


def n_positive():
    return pd.read_csv("species.csv", index_col="species")["n_positive"].to_dict()


# Formats ----------------------------------------------------------------------


def write_kaggle(boxes):
    paths = [f"soundscapes/{name}.wav" for name in CALLS]
    boxes = boxes.assign(path="soundscapes/" + boxes["path"])
    rows, Y = boxes_to_rows(boxes, paths, 1.0, 1.0)
    write_submission(Y, rows, "truth.csv")
    return rows, Y


def write_wide(boxes):
    rows, Y = write_kaggle(boxes)
    rows.join(Y).to_parquet("truth.parquet")


def write_kaleidoscope(boxes):
    table = {
        "INDIR": "D:\\data",
        "FOLDER": "x",
        "IN FILE": boxes["path"],
        "OFFSET": boxes["start"],
        "DURATION": boxes["end"] - boxes["start"],
        "MANUAL ID": boxes["species"],
    }
    pd.DataFrame(table).to_csv("truth.csv", index=False)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (lambda boxes: write_boxes(boxes, "truth.csv"), "truth.csv"),
        (lambda boxes: write_boxes(boxes, "truth.parquet"), "truth.parquet"),
        (lambda boxes: write_birdnet(boxes, "truth.csv"), "truth.csv"),
        (lambda boxes: write_raven(boxes, "truth"), "truth"),
        (lambda boxes: write_audacity(boxes, "truth"), "truth"),
        (write_kaggle, "truth.csv"),
        (write_wide, "truth.parquet"),
        (write_kaleidoscope, "truth.csv"),
    ],
)
def test_the_truth_is_the_same_in_all_formats(evaluate, truth, write, name):
    write(truth)
    result = evaluate(name)
    assert result.exit_code == 0, result.output
    assert n_positive() == {"dove": 3, "wren": 3}
    assert "32 rows of 4 recordings" in result.stdout
    assert "4 boxes, 32 rows of 1 s" in result.stderr or "6 boxes" in result.stderr


def test_a_format_may_be_said(evaluate, truth):
    write_boxes(truth.rename(columns={"species": "Who"}).assign(species="x"), "t.csv")
    assert evaluate("t.csv", "--annotations-format", "nonsense").exit_code == 1
    assert evaluate("t.csv", "--annotations-format", "boxes").exit_code == 1
    write_raven(truth.assign(Who=truth["species"], species="call"), "tables")
    result = evaluate("tables", "--annotation-column", "Who")
    assert result.exit_code == 0, result.output
    assert n_positive() == {"dove": 3, "wren": 3}


# Short calls ------------------------------------------------------------------


@needs_hostile
def test_short_boxes_count(evaluate, field):
    shutil.copy(SHORT_BOXES, field)
    path = field / SHORT_BOXES.name
    path.write_text(path.read_text().replace("Alauda alta", "dove"))
    (field / "new").mkdir()
    noise = 0.02 * np.random.default_rng(0).standard_normal(12 * RATE)
    soundfile.write(field / "new" / "short_boxes.wav", noise, RATE)
    assert evaluate(path, data="new").exit_code == 0
    assert n_positive()["dove"] == 10  # a box in each of ten rows
    assert evaluate(path, "--min-overlap-s", 0.25, data="new").exit_code == 0
    assert n_positive()["dove"] == 2


def test_points_and_calls_between_rows_count(evaluate, truth):
    short = [
        ("quiet.wav", "dove", 1.5, 1.5),  # a point
        ("quiet.wav", "dove", 2.93, 3.07),  # in two rows, half in each
        ("quiet.wav", "wren", 4.99, 5.09),  # a tenth of it in one row
    ]
    boxes = pd.concat([truth, pd.DataFrame(short, columns=truth.columns)])
    write_boxes(boxes, "truth.csv")
    assert evaluate("truth.csv").exit_code == 0
    assert n_positive() == {"dove": 3 + 3, "wren": 3 + 1}
    result = evaluate("truth.csv", "--min-overlap-s", 0.25)
    assert n_positive() == {"dove": 3, "wren": 3}
    assert "3 of 7 boxes count for no row" in result.stderr


# Its own word -----------------------------------------------------------------

REFUSED = "nothing but detections of the model itself"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format_", "out"),
    [
        ("csv", "events.csv"),
        ("csv", "events.parquet"),
        ("birdnet", "events.csv"),
        ("raven", "tables"),
        ("audacity", "tables"),
    ],
)
@pytest.mark.parametrize("moved", [False, True])
def test_a_model_does_not_grade_itself(predict, evaluate, field, format_, out, moved):
    options = ("--format", format_, "--out", out, "--threshold", 0.3)
    assert predict(*options, "--max-gap-s", 1).exit_code == 0
    if moved:  # without the notes beside it
        (field / "elsewhere").mkdir()
        shutil.move(field / out, field / "elsewhere" / f"new_{out}")
        shutil.rmtree(field / f"{out}.parts")
        out = f"elsewhere/new_{out}"
    result = evaluate(out)
    assert result.exit_code == 1, result.output
    assert REFUSED in result.stderr
    assert "--reviewed" in result.stderr
    result = evaluate(out, "--reviewed")
    assert result.exit_code == 0, result.output
    assert "exactly the annotations that the model predicts" in result.stderr
    report = run("report", *run_options(evaluate, out))
    assert report.exit_code == 1
    assert REFUSED in report.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_never_ends_is_not_compared_with_what_predict_wrote(
    predict, evaluate, field, kind
):
    predict("--out", "events.csv")
    if kind == "pipe":
        os.mkfifo(field / "endless.csv")
    else:
        (field / "endless.csv").symlink_to("/dev/zero")
    result = evaluate("endless.csv")
    assert result.exit_code == 1
    assert f"'endless.csv' is a {kind}, not a file" in result.output


def run_options(evaluate, annotations):
    model = evaluate.__closure__[0].cell_contents
    options = ("--annotations", annotations, "--out", "page.html", "--trust-pickle")
    return model, "soundscapes", *options


@pytest.mark.parametrize("format_", ["kaggle", "parquet"])
def test_probabilities_are_no_truth(predict, evaluate, format_):
    out = "proba.csv" if format_ == "kaggle" else "proba"
    assert predict("--format", format_, "--out", out).exit_code == 0
    result = evaluate(out)
    assert result.exit_code == 1, result.output
    assert "where 0 or 1 is needed" in result.stderr or REFUSED in result.stderr
    if format_ == "parquet":
        options = ("--min-proba", 0.2, "--out", "long")
        assert predict("--format", format_, *options).exit_code == 0
        assert REFUSED in evaluate("long").stderr


@pytest.mark.slow
def test_tables_saved_again_and_parts_of_them_are_its_own(predict, evaluate, field):
    assert predict("--format", "raven", "--out", "tables").exit_code == 0
    for table in (field / "tables").iterdir():  # as Raven saves it
        lines = [line.split("\t") for line in table.read_text().splitlines()]
        lines = ["\t".join([*cells[::-1], "1"]) for cells in lines]
        text = "\r\n".join(lines).replace("Selection\t1", "Selection\tDelta")
        table.write_bytes(text.encode("utf-16"))
    assert REFUSED in evaluate("tables").stderr
    assert predict("--out", "events.csv").exit_code == 0
    part = read_boxes("events.csv")[:2]
    part[["species", "path", "score", "end", "start"]].to_csv("part.csv")
    assert REFUSED in evaluate("part.csv").stderr


def correct(table, old, new):
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new))


@pytest.mark.parametrize("moved", [False, True])
def test_only_corrected_tables_count(predict, evaluate, field, moved):
    assert predict("--format", "raven", "--out", "tables").exit_code == 0
    if moved:
        shutil.rmtree(field / "tables.parts")
    correct(field / "tables" / "b.Table.1.selections.txt", "wren", "dove")
    result = evaluate("tables")
    assert result.exit_code == 0, result.output
    assert "8 rows of 1 recording " in result.stdout
    assert n_positive() == {"dove": 3, "wren": 0}
    said = "3 of 4 tables are as written by `skbird predict`"
    if moved:
        said = (
            "2 recordings with exactly the annotations that the model predicts, and 1 "
        )
    assert said in result.stderr
    # A table from elsewhere is the truth of its recording; it may have scores.
    write_raven(
        pd.DataFrame(
            {"path": ["c.wav"], "start": [0.1], "end": [0.9], "species": "wren"}
        ).assign(score=1.0),
        field / "tables",
    )
    assert "16 rows of 2 recordings" in evaluate("tables").stdout


@pytest.mark.parametrize("change", ["added", "moved", "renamed"])
def test_recordings_count_as_soon_as_a_box_is_corrected(predict, evaluate, change):
    assert predict("--out", "events.csv").exit_code == 0
    events = read_boxes("events.csv")
    if change == "added":
        new = {"path": "a.wav", "start": 6.5, "end": 7.5, "species": "wren"}
        events = pd.concat([events, pd.DataFrame([new])], ignore_index=True)
    else:
        row = events["path"].str.endswith("a.wav").argmax()
        column, value = ("end", 2.9) if change == "moved" else ("species", "wren")
        events.loc[row, column] = value
    write_boxes(events, "corrected.csv")
    result = evaluate("corrected.csv")
    assert result.exit_code == 0, result.output
    assert "8 rows of 1 recording " in result.stdout


def test_boxes_of_other_programs_are_said_to_be_so(evaluate, truth):
    write_birdnet(truth.assign(score=0.7), "birdnet.csv")
    result = evaluate("birdnet.csv")
    assert result.exit_code == 0, result.output
    assert "all boxes have scores" in result.stderr
    write_boxes(truth, "truth.csv")
    assert "all boxes have scores" not in evaluate("truth.csv").stderr


def test_scores_are_no_reason_to_refuse_a_table_of_labels(model, field, truth):
    labels = truth.assign(path="soundscapes/" + truth["path"], score=0.8)
    labels = labels.rename(columns={"species": "primary_label"})
    labels.to_csv("labels.csv", index=False)
    result = run("evaluate", model, "labels.csv", "--trust-pickle")
    assert result.exit_code == 0, result.output
    assert "all boxes have scores" in result.stderr


def test_rows_that_predict_cut_otherwise_are_said_to_have_scores(predict, evaluate):
    assert predict("--out", "events.csv").exit_code == 0
    events = read_boxes("events.csv")
    events.loc[events["path"].str.endswith("a.wav"), "end"] += 0.3
    write_boxes(events, "copy.csv")
    result = evaluate("copy.csv")
    assert result.exit_code == 0, result.output
    assert "all boxes have scores" in result.stderr


def test_events_are_no_labels_of_recordings_either(model, predict):
    assert predict("--out", "events.csv").exit_code == 0
    result = run("evaluate", model, "events.csv", "--trust-pickle")
    assert result.exit_code == 1, result.output
    assert REFUSED in result.stderr


# Places -----------------------------------------------------------------------


def test_recordings_are_found_by_a_name_that_only_one_has(evaluate, truth, field):
    (field / "audio").mkdir()
    for path in (field / "soundscapes").iterdir():
        shutil.copy(path, field / "audio" / path.name.upper())
    # The files that the table names are there, too, and are not those to judge.
    boxes = truth.assign(path="audio/" + truth["path"].str.upper())
    write_boxes(boxes, "truth.csv")
    result = evaluate("truth.csv")
    assert result.exit_code == 0, result.output
    assert n_positive() == {"dove": 3, "wren": 3}
    assert "found by their names alone" in result.stderr
    # Another recording of that name is not taken for it.
    shutil.copy(field / "audio" / "C.WAV", field / "audio" / "A.WAV")
    assert evaluate("truth.csv").exit_code == 0
    assert n_positive() == {"dove": 1, "wren": 3}


def test_tables_of_all_kinds_are_placed_alike(field, truth):
    folder = field / "new" / "site"
    folder.mkdir(parents=True)
    for name in CALLS:
        shutil.copy(field / "soundscapes" / f"{name}.wav", folder)
    audio = list_audio(field / "new")
    tables = write_audacity(truth, field / "labels")
    named = read_raven(write_raven(truth.assign(path="D:\\x\\" + truth["path"]), "r"))
    boxes = pd.concat([read_audacity(tables), named], ignore_index=True)
    placed = place_boxes(boxes, field / "labels", field / "new", audio, print)
    assert len(placed) == 2 * len(truth)
    names = placed["path"].str.rpartition("/")[2]
    assert names.tolist() == truth["path"].tolist() * 2


def test_recordings_named_like_tables_keep_their_boxes(evaluate, field):
    (field / "data").mkdir()
    for name, new in (("quiet", "a"), ("a", "a.selections")):
        source = field / "soundscapes" / f"{name}.wav"
        shutil.copy(source, field / "data" / f"{new}.wav")
    (field / "labels").mkdir()
    (field / "labels" / "a.selections.txt").write_text("1\t3\tdove\n")
    options = ("--annotated-only", "--out", "rows.csv")
    result = evaluate("labels", *options, data="data")
    assert result.exit_code == 0
    assert pd.read_csv("rows.csv").set_index("species").loc["dove", "roc_auc"] == 1.0


# describe ---------------------------------------------------------------------


@pytest.mark.slow
def test_describe_says_how_to_describe_soundscapes(field):
    result = run("describe", "soundscapes")
    assert result.exit_code == 1
    assert "in no folder of a species" in result.stderr
    assert "Pass --no-labels to describe" in result.stderr
    assert run("describe", "soundscapes", "--no-labels").exit_code == 0
    (field / "sites").mkdir()
    (field / "sites" / "one").symlink_to(field / "soundscapes")
    result = run("describe", "sites")
    assert "Each folder is taken for a species; pass --no-labels" in result.stderr


def test_own_events_without_scores_are_said_to_look_so(predict, evaluate):
    assert predict("--out", "events.csv").exit_code == 0
    boxes = read_boxes("events.csv").drop(columns="score")
    boxes.to_csv("bare.csv", index=False)
    assert "exactly where the model itself finds events" in evaluate("bare.csv").stderr
    boxes.assign(start=boxes["start"] + 0.3).to_csv("moved.csv", index=False)
    assert "exactly where the model itself" not in evaluate("moved.csv").stderr


def test_rows_past_the_end_are_named_where_nothing_is_left(model, field):
    lines = ["c.wav,0,1,wren", "a.wav,90,91,dove", "b.wav,90,91,dove"]
    path = field / "soundscapes" / "rows.csv"
    path.write_text("\n".join(["path,start,end,species", *lines]))
    result = run("evaluate", model, path, "--reviewed", "--trust-pickle")
    path.unlink()
    assert result.exit_code != 0
    assert "2 rows could not be read" in result.stderr
    assert "b.wav from 90 to 91 s" in result.stderr
    assert "has no samples after 90 s" in result.stderr
