"""Commands and broken, hostile or unusual input: nothing good is lost."""

import os
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace

import click
import numpy as np
import pandas as pd
import pytest
import soundfile
from click.testing import CliRunner
from conftest import RATE, tone
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline

pytest.importorskip("pyarrow")
from skbird.annotations import read_boxes, read_submission, write_raven
from skbird.annotations._places import place_boxes
from skbird.archive._part_files import write_part
from skbird.audio import AudioReadError
from skbird.cli import (
    _console,
    _formats,
    _labelled,
    _models,
    _results,
    _scores,
    _train,
    _training_data,
)
from skbird.cli._app import app
from skbird.cli._outputs import write_table
from skbird.data import segment_table
from skbird.datasets import load_recordings
from skbird.preprocessing import (
    LogMel,
    Resampler,
    Segmenter,
    SpectrogramStatistics,
)


def run(*args):
    """Run a command in this process; return the result of click's runner."""
    return CliRunner().invoke(app, list(map(str, args)), prog_name="skbird")


def noise(seconds):
    rng = np.random.default_rng(0)
    return 0.02 * rng.standard_normal(round(seconds * RATE))


@pytest.fixture(scope="module")
def model(bird_folder, tmp_path_factory):
    """Return the file of a pickled pipeline that tells dove from wren in a second."""
    Y = pd.get_dummies(bird_folder["species"]).astype(int)
    pipe = make_pipeline(
        Resampler(RATE),
        Segmenter(1.0),
        LogMel(16, n_fft=512, verbose=0),
        SpectrogramStatistics(),
        MultiOutputClassifier(LogisticRegression()),
    )
    pipe.fit(bird_folder, Y)
    pipe[-1].species_ = np.array(Y.columns, dtype=str)
    path = tmp_path_factory.mktemp("model") / "birds.pkl"
    path.write_bytes(pickle.dumps(pipe))
    return path


@pytest.fixture
def predict(model, tmp_path, monkeypatch):
    """Return a function that predicts, in a folder with recordings of two sites."""
    monkeypatch.chdir(tmp_path)
    for site, name, species in (("a", "one", 1), ("b", "two", 3)):
        (tmp_path / site).mkdir()
        samples = np.concatenate([noise(2), noise(2) + tone(1000 * species, 2)])
        soundfile.write(tmp_path / site / f"{name}.wav", samples, RATE)
    return lambda *args: run("predict", model, *args, "--trust-pickle")


@pytest.fixture
def evaluate(model, predict):
    """Return a function that judges the model, in the folder of `predict`."""
    return lambda *args: run("evaluate", model, *args, "--trust-pickle")


def break_file(path):
    """Make a recording that cannot be opened."""
    path.write_text("no sound")
    return path


def break_inside(path, at=60_000):
    """Make a recording that can be opened, but not decoded to its end."""
    soundfile.write(path, noise(5), RATE, format="FLAC")
    content = bytearray(path.read_bytes())
    content[at : at + 1000] = bytes(1000)
    path.write_bytes(content)
    return path


def test_several_folders_and_files_are_all_predicted(predict, tmp_path):
    soundfile.write(tmp_path / "three.wav", noise(2), RATE)
    arguments = ("a", "b", "three.wav", "a/one.wav", "--out", "proba")
    assert predict(*arguments, "--format", "parquet").exit_code == 0
    paths = pd.read_parquet(tmp_path / "proba")["path"]
    assert sorted(paths.unique()) == ["a/one.wav", "b/two.wav", "three.wav"]
    assert len(paths) == 4 + 4 + 2


def test_fresh_deletes_probabilities_and_nothing_else(predict, tmp_path):
    a = tmp_path / "a"
    (a / "nested").mkdir()
    for name in ("notes.txt", "nested/part-000000.parquet", "part-of-mine.parquet"):
        (a / name).write_text("mine")
    kept = {path for path in a.rglob("*") if path.is_file()}
    # Results beside the recordings: unwise, and allowed.
    assert predict("a", "--out", "a", "--format", "parquet").exit_code == 0
    written = {path for path in a.rglob("*") if path.is_file()} - kept
    names = {path.name for path in written}
    assert {"part-000000.parquet", "_manifest.json", "_errors.csv"} <= names
    arguments = ("b", "--out", "a", "--format", "parquet")
    assert predict(*arguments).exit_code == 1
    assert predict(*arguments, "--fresh").exit_code == 0
    assert {path for path in a.rglob("*") if path.is_file()} == kept | written
    assert pd.read_parquet(a / "part-000000.parquet")["path"].unique() == ["b/two.wav"]


def test_fresh_spares_results_if_the_new_run_cannot_begin(predict, tmp_path):
    assert predict("a", "--out", "events.csv").exit_code == 0
    part = tmp_path / "events.csv.parts" / "part-000000.parquet"
    (tmp_path / "empty").mkdir()
    assert predict("empty", "--out", "events.csv", "--fresh").exit_code == 1
    assert part.exists()


def test_a_part_of_unreadable_recordings_has_no_events(tmp_path):
    empty = pd.DataFrame({"path": [], "start": [], "end": []})
    empty = empty.astype({"path": object, "start": float, "end": float})
    rows = pd.DataFrame({"path": ["a.wav"], "start": [0.0], "end": [5.0]})
    for number, table in enumerate([empty, rows]):
        proba = np.full((len(table), 1), 0.9)
        path = tmp_path / f"part-{number:06d}.parquet"
        options = {"min_proba": None, "top_species": None}
        write_part(path, table, proba, ["owl"], [], [], **options)
    result = SimpleNamespace(parts=sorted(tmp_path.iterdir()))
    events, paths = _formats.find_events(result, 0.5, 0.0)
    assert events["species"].tolist() == ["owl"]
    assert paths == ["a.wav"]


@pytest.mark.parametrize(
    ("out", "format_", "message"),
    [
        ("events", "csv", "must end in .csv or .parquet"),
        ("events.txt", "birdnet", "must end in .csv"),
        ("a", "csv", "is a folder; name a file"),
        (".", "csv", "is a folder; name a file"),
        ("a/one.wav", "raven", "is a file; name a folder"),
        ("a/one.wav", "parquet", "is a file; name a folder"),
        ("gone/tables", "audacity", "there is no folder gone"),
        ("tables.csv", "raven", "in this format it is a folder"),
        ("gone/s.csv", "kaggle", "there is no folder gone"),
    ],
)
def test_predict_refuses_where_it_cannot_write(
    predict, monkeypatch, out, format_, message
):
    monkeypatch.setattr("skbird.archive.predict_archive", None)
    result = predict("a", "--out", out, "--format", format_)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("describe", "a", "--out", "gone/x.html"),
        ("evaluate", "m.pkl", "a", "--out", "gone/x.csv"),
        ("report", "m.pkl", "a", "--out", "gone/x.html"),
        ("train", "a", "--out", "gone/x.pkl"),
    ],
)
def test_no_command_begins_what_it_cannot_write(predict, command, tmp_path):
    (tmp_path / "m.pkl").touch()
    result = run(*command)
    assert result.exit_code == 2
    assert "there is no folder gone" in result.stderr


def test_raven_tables_may_go_into_the_folder_one_is_in(predict, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert predict("../a", "--out", ".", "--format", "raven").exit_code == 0
    assert [path.name for path in (tmp_path / "here").iterdir()] == [
        "one.Table.1.selections.txt"
    ]
    assert (tmp_path / "here.parts").is_dir()


def test_a_work_folder_goes_with_events_only(predict):
    options = ("--format", "parquet", "--work-dir", "work")
    result = predict("a", "--out", "proba", *options)
    assert result.exit_code == 2
    assert "--out is that folder" in result.stderr


def test_a_submission_has_zeros_for_what_cannot_be_read(predict, tmp_path):
    break_file(tmp_path / "a" / "lost.wav")
    break_inside(tmp_path / "a" / "torn.flac")
    options = ("--format", "kaggle", "--segment-s", 1, "--out", "submission.csv")
    result = predict("a", *options)
    assert result.exit_code == 3
    assert "1 recording cannot be opened" in result.stderr
    table = pd.read_csv("submission.csv", index_col="row_id")
    assert len(table) == 4 + 5
    torn = [name for name in table.index if name.startswith("torn")]
    assert (table.loc[torn] == 0).all(axis=1).sum() == 1  # the damaged second
    sample = table.reset_index()[["row_id", "wren", "dove"]]
    lost = pd.DataFrame({"row_id": ["lost_1", "lost_2"], "wren": 0.1, "dove": 0.1})
    sample = pd.concat([lost, sample])
    sample.to_csv("sample.csv", index=False)
    result = predict("a", *options, "--like", "sample.csv")
    assert result.exit_code == 3
    submission = read_submission("submission.csv")
    assert list(submission.index) == sample["row_id"].tolist()
    assert list(submission) == ["wren", "dove"]
    assert (submission.loc[["lost_1", "lost_2"]] == 0).all(axis=None)
    assert submission.loc["one_4", "dove"] > 0.5


def test_a_submission_unlike_the_sample_is_refused_before_the_work(
    predict, tmp_path, monkeypatch
):
    monkeypatch.setattr("skbird.archive.predict_archive", None)
    options = ("--format", "kaggle", "--segment-s", 1, "--out", "submission.csv")
    rows = "".join(f"one_{end},0,0\n" for end in range(1, 5))
    for text, message in (
        (f"row_id,dove,owl\n{rows}", "species differ"),
        ("row_id,dove,wren\none_1,0,0\n", "row ids differ"),
        ("id,dove,wren\n", "no column 'row_id'"),
        (f"row_id,dove,wren\n{rows},0,0\n", "row_id of like is empty in 1 of"),
        (f"row_id,dove,wren\n{rows}one_1,0,0\n", "row_id of like must be unique"),
        ("row_id,dove,wren\n1,0,0\n2,0,0\n", "row ids differ"),
    ):
        (tmp_path / "sample.csv").write_text(text)
        result = predict("a", *options, "--like", "sample.csv")
        assert result.exit_code == 1
        assert message in result.stderr
    shutil.copy(tmp_path / "a" / "one.wav", tmp_path / "b" / "one.wav")
    result = predict("a", "b", *options)
    assert result.exit_code == 1
    assert "row_id must be unique" in result.stderr


def test_boxes_are_of_the_recordings_whose_paths_end_alike(evaluate, tmp_path):
    boxes = pd.DataFrame({"start": [2.0, 2.0], "end": [4.0, 4.0]})
    # As another program on another machine knows them.
    boxes = boxes.assign(path=["D:\\field\\a\\one.wav", "D:\\field\\b\\two.mp3"])
    boxes.assign(species=["dove", "wren"]).to_csv("boxes.csv", index=False)
    break_file(tmp_path / "b" / "broken.wav")
    break_inside(tmp_path / "b" / "torn.flac")
    result = evaluate(tmp_path, "--annotations", "boxes.csv", "--out", "species.csv")
    assert result.exit_code == 3
    assert "2 recordings were left out" in result.stderr
    assert "broken.wav" in result.stderr
    assert "torn.flac" in result.stderr
    table = pd.read_csv("species.csv", index_col="species")
    assert table["n_positive"].to_dict() == {"dove": 2, "wren": 2}
    assert (table["roc_auc"] == 1).all()
    boxes.assign(path="elsewhere.wav", species="dove").to_csv("boxes.csv", index=False)
    result = evaluate(tmp_path, "--annotations", "boxes.csv")
    assert result.exit_code == 1
    assert f"no box is in any recording of {tmp_path} (it has 4)" in result.stderr


@pytest.mark.slow
def test_report_goes_on_without_broken_recordings(model, predict, tmp_path):
    (tmp_path / "boxes.csv").write_text("path,start,end,species\none.wav,2,4,dove\n")
    break_file(tmp_path / "a" / "broken.wav")
    arguments = (model, "a", "--annotations", "boxes.csv", "--trust-pickle")
    result = run("report", *arguments, "--out", "errors.html")
    assert result.exit_code == 3, result.output
    assert "broken.wav" in result.stderr
    assert (tmp_path / "errors.html").exists()


@pytest.mark.slow
def test_describe_names_what_cannot_be_read(bird_folder, tmp_path):
    table = bird_folder[:4].rename(columns={"species": "primary_label"})
    broken = break_file(tmp_path / "broken.wav")
    table.loc[0, "path"] = str(broken)
    table.to_csv(tmp_path / "birds.csv", index=False)
    page = tmp_path / "page.html"
    result = run("describe", tmp_path / "birds.csv", "--out", page)
    assert result.exit_code == 3, result.output
    assert "1 recording was left out" in result.stderr
    assert page.exists()


@pytest.mark.slow
def test_the_page_is_written_before_anything_is_printed(
    bird_folder, tmp_path, monkeypatch
):
    def closed(frame):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(_console, "show_table", closed)
    table = bird_folder[:4].rename(columns={"species": "primary_label"})
    table.to_csv(tmp_path / "birds.csv", index=False)
    page = tmp_path / "page.html"
    assert run("describe", tmp_path / "birds.csv", "--out", page).exit_code != 0
    assert page.exists()


TRAIN = (
    "--backbone test_efficientnet --backbone-weights none --epochs 1 --segment-s 1 "
    "--n-mels 16 --sample-rate 16000 --segments-per-row 1 "
    "--set sedclassifier__verbose=0"
).split()


def test_labels_stay_with_their_rows_whatever_the_index(
    bird_folder, tmp_path, monkeypatch
):
    broken = break_file(tmp_path / "broken.wav")
    table = bird_folder.rename(columns={"species": "primary_label"})
    table.loc[3, "path"] = str(broken)
    # As pandas leaves it where tables were joined.
    table.index = [0, 1, 2, 3] * 3
    table.to_parquet(tmp_path / "birds.parquet")
    seen = []
    monkeypatch.setattr(_train, "_split", lambda *args: seen.append(args) or 1 / 0)
    arguments = (tmp_path / "birds.parquet", "--out", tmp_path / "birds.pkl", *TRAIN)
    assert "ZeroDivisionError" in run("train", *arguments).stderr
    X, Y, _ = seen[0]
    assert len(X) == len(Y) == 11
    assert (Y["wren"] == (X["primary_label"] == "wren")).all()
    assert X["path"].tolist() == [p for p in table["path"] if p != str(broken)]


def test_groups_that_cannot_be_split_have_a_remedy(bird_folder, tmp_path):
    table = bird_folder.rename(columns={"species": "primary_label"})
    table.to_csv(tmp_path / "birds.csv", index=False)
    arguments = (tmp_path / "birds.csv", "--out", tmp_path / "birds.pkl", *TRAIN)
    result = run("train", *arguments, "--groups", "primary_label")
    assert result.exit_code == 1
    assert "leaves nothing to test on" in result.stderr
    assert "--groups path splits by recording" in result.stderr


@pytest.mark.slow
def test_a_model_is_kept_if_there_is_nothing_to_judge(
    bird_folder, tmp_path, monkeypatch
):
    def nothing(*args, **options):
        raise ValueError("there is nothing to judge.")

    monkeypatch.setattr(_scores, "score", nothing)
    table = bird_folder.rename(columns={"species": "primary_label"})
    table.to_csv(tmp_path / "birds.csv", index=False)
    out = tmp_path / "birds.pkl"
    result = run("train", tmp_path / "birds.csv", "--out", out, *TRAIN)
    assert result.exit_code == 0, result.output
    assert "Warning: not judged. there is nothing to judge." in result.stderr
    assert out.exists()


@pytest.mark.slow
def test_held_out_recordings_that_break_inside_are_listed(
    bird_folder, tmp_path, monkeypatch
):
    table = bird_folder.rename(columns={"species": "primary_label"})
    table.loc[0, "path"] = str(break_inside(tmp_path / "torn.flac"))
    table.to_csv(tmp_path / "birds.csv", index=False)
    rows = np.arange(len(table))
    parts = rows[4:], rows[:4], "recording"
    monkeypatch.setattr(_train, "_split", lambda *args: parts)
    out = tmp_path / "birds.pkl"
    result = run("train", tmp_path / "birds.csv", "--out", out, *TRAIN)
    assert result.exit_code == 3, result.output
    assert "torn.flac" in result.stderr
    assert "3 rows of 3 recordings" in result.stdout


@pytest.mark.parametrize(("name", "goes_on"), [("predict", True), ("report", False)])
def test_an_interrupt_promises_only_what_is_kept(
    predict, model, monkeypatch, name, goes_on
):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"skbird.cli._{name}.open_model", interrupt)
    out = "x.csv" if name == "predict" else "x.html"
    result = run(name, model, "a", "--out", out, "--trust-pickle")
    assert result.exit_code == 130
    assert ("goes on" in result.stderr) == goes_on


@pytest.mark.parametrize("name", ["do\nve", "do\r\nve", "do\rve"], ids=repr)
def test_a_line_break_in_a_name_breaks_no_line(tmp_path, capsys, name):
    (tmp_path / name).mkdir()
    (tmp_path / "nocall").mkdir()
    for label in (name, "nocall"):
        soundfile.write(tmp_path / label / "one.wav", tone(1000, 1), RATE)
    loaded = load_recordings(tmp_path)
    _console.say_lines(loaded.DESCR)
    _console.say(f"Cannot read {name}.wav: it is empty.")
    _console.show(f"species {name}")
    _console.show_table(pd.DataFrame({"species": [name]}))
    captured = capsys.readouterr()
    assert len(captured.err.splitlines()) == 2
    assert "Cannot read do\\nve.wav" in captured.err
    assert captured.out == "species do\\nve\nspecies\ndo\\nve\n"


def test_messages_keep_lines_of_their_own(capsys):
    with pytest.raises(AudioReadError, match="2 files cannot be read") as raised:
        segment_table(["gone.wav", "a\nway.wav"])
    _console.say(raised.value)
    lines = capsys.readouterr().err.splitlines()
    assert [line[:2] for line in lines] == ["2 ", "  ", "  ", "Me"]
    assert r"a\nway.wav" in lines[2]


def test_nothing_that_strangers_wrote_commands_the_terminal(capsys):
    _console.say("name\x1b[31m\x9b\udce9\nnext")
    _console.show("license\x1b]0;x\x07")
    captured = capsys.readouterr()
    assert captured.err == "name [31m  \\nnext\n"
    assert captured.out == "license ]0;x \n"
    frame = pd.DataFrame({"path": ["a\tb\x1b[0m"], "n": [1]})
    _console.show_table(frame)
    assert capsys.readouterr().out == "path\tn\na b [0m\t1\n"

    @click.command()
    def wrong():
        raise click.UsageError("column \x1b[31m")

    app.add_command(wrong)
    try:
        assert "\x1b" not in run("wrong").stderr
    finally:
        del app.commands["wrong"]


def test_tables_hold_no_formulas_and_are_read_back(tmp_path):
    table = pd.DataFrame(
        {"path": ["/x/a.wav", "/x/b.wav"], "primary_label": ["=1+1", "owl"]}
    )
    write_table(table.assign(longitude=[-1.5, np.nan]), tmp_path / "table.csv")
    text = (tmp_path / "table.csv").read_text().splitlines()
    assert text == [
        "path,primary_label,longitude",
        "/x/a.wav,'=1+1,-1.5",
        "/x/b.wav,owl,",
    ]
    data = load_recordings(tmp_path / "table.csv")
    assert data.species == ["=1+1", "owl"]
    assert data.X["longitude"][0] == -1.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs = 0", "epochs = 0: 0 is not in the range x>=1"),
        ("hold_out = 0.7", "hold_out = 0.7: 0.7 is not in the range 0<=x<=0.5"),
        ("epochs = true", "epochs = True must be of type int"),
        ("backbone = 3", "backbone = 3 must be of type str"),
    ],
)
def test_a_file_may_say_what_a_flag_may(bird_folder, tmp_path, text, message):
    table = bird_folder.rename(columns={"species": "primary_label"})
    table.to_csv(tmp_path / "birds.csv", index=False)
    config = tmp_path / "train.toml"
    config.write_bytes(b"\xef\xbb\xbf" + text.encode())  # as Windows' editors write
    options = ("--config", config, "--out", tmp_path / "birds.skbird")
    result = run("train", tmp_path / "birds.csv", *options)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.slow
def test_a_pickle_leaves_no_cache_where_it_predicts(model, predict, tmp_path):
    pipe = pickle.loads(model.read_bytes()).set_params(logmel__cache_dir="cache")
    kept = pickle.loads(pickle.dumps(pipe))
    kept.set_params(logmel__cache_dir=str(tmp_path / "kept"))
    for name, estimator in (("relative", pipe), ("absolute", kept)):
        path = tmp_path / f"{name}.pkl"
        path.write_bytes(pickle.dumps(estimator))
        arguments = ("a", "--out", f"{name}.csv", "--trust-pickle")
        assert run("predict", path, *arguments).exit_code == 0
    assert not (tmp_path / "cache").exists()
    assert (tmp_path / "kept").is_dir()
    assert "dove" in set(read_boxes("relative.csv")["species"])


def test_progress_is_shown_for_a_while_only():
    from skbird.inference import CompiledPipeline

    compiled = CompiledPipeline(None, None)
    with _models.progress_shown(compiled):
        assert compiled.verbose
    assert not compiled.verbose


def test_rows_are_predicted_also_by_models_that_raise(model, predict, tmp_path):
    pipe = pickle.loads(model.read_bytes())
    X = pd.DataFrame({"path": ["a/one.wav", str(break_file(tmp_path / "x.wav"))]})
    proba, errors = _labelled.predict_rows(pipe, X)
    assert np.isnan(proba).all(axis=1).tolist() == [False, True]
    assert errors["path"].tolist() == [os.fspath(tmp_path / "x.wav")]


@pytest.mark.slow
def test_a_damaged_recording_without_events_gives_empty_tables(predict, tmp_path):
    (tmp_path / "c").mkdir()
    break_inside(tmp_path / "c" / "torn.flac", 85_000)
    for format_, out in (("csv", "events.csv"), ("raven", "tables")):
        options = ("--format", format_, "--threshold", 0.99)
        options += ("--segment-s", 1, "--out", out)
        result = predict("c", *options)
        assert result.exit_code == 3, result.output
        assert "0 events of 0 species" in result.stderr
    assert len(read_boxes("events.csv")) == 0


def test_only_parts_of_this_run_are_read(predict, tmp_path):
    assert predict("a", "--out", "events.csv").exit_code == 0
    parts = tmp_path / "events.csv.parts"
    shutil.copy(parts / "part-000000.parquet", parts / "part-000009.parquet")
    n_events = len(read_boxes("events.csv"))
    assert predict("a", "--out", "events.csv").exit_code == 0
    assert len(read_boxes("events.csv")) == n_events


def test_a_recording_is_predicted_once_however_often_it_is_named(predict, tmp_path):
    (tmp_path / "latest").symlink_to(tmp_path / "a")
    result = predict("a", "latest", tmp_path / "a" / "one.wav", "--out", "events.csv")
    assert "2 recordings are named twice" in result.stderr
    assert read_boxes("events.csv")["path"].unique().tolist() == ["a/one.wav"]


def test_tables_made_by_hand_are_not_replaced(predict, tmp_path):
    table = tmp_path / "tables" / "one.Table.1.selections.txt"
    table.parent.mkdir()
    table.write_text("mine")
    options = ("a", "--format", "raven", "--out", "tables")
    result = predict(*options)
    assert result.exit_code == 2
    assert "Pass --overwrite" in result.stderr
    assert table.read_text() == "mine"
    assert predict(*options, "--overwrite").exit_code == 0
    assert table.read_text().startswith("Selection")


def test_names_of_tables_do_not_depend_on_broken_recordings(predict, tmp_path):
    break_file(tmp_path / "b" / "one.wav")
    table = tmp_path / "tables" / "one.Table.1.selections.txt"
    table.parent.mkdir()
    table.write_text("mine")
    result = predict("a", "b", "--format", "raven", "--out", "tables")
    assert result.exit_code == 3
    assert table.read_text() == "mine"
    names = {path.name.partition(".")[0] for path in table.parent.iterdir()}
    assert names == {"one", "a_one", "two"}


@pytest.mark.slow
@pytest.mark.parametrize("format_", ["raven", "audacity"])
def test_tables_of_an_interrupted_run_are_finished(predict, tmp_path, format_):
    options = ("a", "b", "--format", format_, "--out", "tables")
    assert predict(*options).exit_code == 0
    one, two = sorted((tmp_path / "tables").iterdir())
    text = two.read_text()
    two.unlink()
    assert predict(*options).exit_code == 0
    assert two.read_text() == text
    # Who corrects a table does not lose it; all others follow the threshold.
    one.write_text("corrected")
    result = predict(*options, "--threshold", 1)
    assert result.exit_code == 0
    assert "1 table was kept, such as" in result.stderr
    assert one.read_text() == "corrected"
    assert len(two.read_text()) < len(text)
    assert predict(*options, "--overwrite").exit_code == 0
    assert two.read_text() == text
    assert one.read_text() != "corrected"


@pytest.mark.slow
def test_a_kill_between_two_tables_costs_nothing(predict, tmp_path, monkeypatch):
    def killed(data, file, sync):
        if file.name.startswith("two"):
            raise KeyboardInterrupt
        write(data, file, sync)

    options = ("a", "b", "--format", "raven", "--out", "tables", "--threshold")
    assert predict(*options, 1).exit_code == 0
    write = _results._write
    with monkeypatch.context() as patch:
        patch.setattr(_results, "_write", killed)
        assert predict(*options, 0.5).exit_code == 130
    assert predict(*options, 0.5).exit_code == 0
    tables = sorted((tmp_path / "tables").iterdir())
    assert all(len(table.read_text().splitlines()) > 1 for table in tables)


@pytest.mark.slow
def test_a_table_that_a_power_cut_left_empty_is_made_again(predict, tmp_path):
    options = ("a", "b", "--format", "raven", "--out", "tables", "--threshold", 0.5)
    assert predict(*options).exit_code == 0
    table = min((tmp_path / "tables").iterdir())
    whole = table.read_text()
    table.write_text("")
    assert predict(*options).exit_code == 0
    assert table.read_text() == whole


@pytest.mark.slow
def test_a_corrected_table_stays_with_its_recording(predict, tmp_path):
    options = ("a", "b", "--format", "raven", "--out", "tables")
    assert predict(*options).exit_code == 0
    table = tmp_path / "tables" / "one.Table.1.selections.txt"
    table.write_text("corrected")
    shutil.copy(tmp_path / "a" / "one.wav", tmp_path / "b" / "one.wav")
    result = predict(*options)
    assert result.exit_code == 0, result.output
    texts = {file.name[:5]: file.read_text() for file in table.parent.iterdir()}
    assert set(texts) == {"one.T", "b_one", "two.T"}
    assert texts["one.T"] == "corrected"
    assert texts["b_one"].startswith("Selection")


@pytest.mark.slow
def test_formats_of_one_work_folder_do_not_meet(predict, tmp_path):
    options = ("a", "b", "--work-dir", "work", "--out")
    for out, format_ in (
        ("one.csv", "csv"),
        ("two.csv", "csv"),
        ("kaggle.csv", "kaggle"),
        ("birdnet.csv", "birdnet"),
        ("tables", "raven"),
        ("tables", "audacity"),
    ):
        assert predict(*options, out, "--format", format_).exit_code == 0
    files = ["birdnet.csv", "kaggle.csv", "one.csv", "two.csv"]
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == files
    tables = sorted(path.name for path in (tmp_path / "tables").iterdir())
    raven = [f"{name}.Table.1.selections.txt" for name in ("one", "two")]
    assert tables == sorted([*raven, "one.txt", "two.txt"])
    text = (tmp_path / "tables" / raven[0]).read_text()
    assert text.startswith("Selection")


def test_results_may_be_links_to_files_of_other_names(predict, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "store" / "real.csv")
    for _ in range(2):
        assert predict("a", "--out", "link.csv").exit_code == 0
    assert (tmp_path / "link.csv").is_symlink()
    boxes = read_boxes(tmp_path / "store" / "real.csv")
    assert boxes["path"].unique().tolist() == ["a/one.wav"]


@pytest.mark.slow
def test_tables_of_recordings_that_broke_since_go(predict, tmp_path):
    options = ("a", "b", "--out", "tables", "--format", "raven")
    assert predict(*options).exit_code == 0
    break_file(tmp_path / "b" / "two.wav")
    assert predict(*options).exit_code == 3
    assert [path.name[:3] for path in (tmp_path / "tables").iterdir()] == ["one"]


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", '[{"a": 1}]', "[[], {}, 3]"])
def test_a_damaged_note_is_none(predict, tmp_path, text):
    assert predict("a", "--out", "events.csv").exit_code == 0
    (tmp_path / "events.csv.parts" / "_written.json").write_text(text)
    assert predict("a", "--out", "events.csv").exit_code == 2
    assert predict("a", "--out", "events.csv", "--overwrite").exit_code == 0
    assert predict("a", "--out", "events.csv").exit_code == 0


@pytest.mark.slow
def test_events_of_others_are_not_replaced(predict, tmp_path):
    table = tmp_path / "events.csv"
    options = ("a", "--out", "events.csv")
    assert predict(*options).exit_code == 0
    assert predict(*options, "--threshold", 0.9).exit_code == 0
    table.write_text("corrected")
    result = predict(*options)
    assert result.exit_code == 2
    assert "events.csv is there already, and was not written by skbird" in result.stderr
    assert predict("a", "--out", "events.csv", "--work-dir", "x").exit_code == 2
    assert table.read_text() == "corrected"
    assert predict(*options, "--overwrite").exit_code == 0
    assert table.read_text().startswith("path")


def test_outputs_that_cannot_be_written_are_refused_before_the_work(
    predict, tmp_path, monkeypatch
):
    monkeypatch.setattr("skbird.archive.predict_archive", None)
    (tmp_path / "link.csv").symlink_to(tmp_path / "gone" / "events.csv")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "_errors.csv").write_text("mine")
    (tmp_path / "b" / "two.wav").rename(tmp_path / "b" / f"{120 * 'Ж'}.wav")
    for arguments, message in (
        (("a", "--out", "e.csv", "--work-dir", "e.csv"), "--work-dir e.csv is --out"),
        (("a", "--out", "link.csv"), "gone. Make it"),
        (("a", "--out", "mine", "--format", "parquet"), "_errors.csv would be rep"),
        (("b", "--out", "tables", "--format", "raven"), "more than 255 bytes"),
    ):
        result = predict(*arguments)
        assert result.exit_code == 2, result.output
        assert message in result.stderr


def test_long_names_are_written(predict, tmp_path):
    (tmp_path / "b" / "two.wav").rename(tmp_path / "b" / f"{115 * 'Ж'}.wav")
    assert predict("b", "--out", "tables", "--format", "raven").exit_code == 0
    assert len(list((tmp_path / "tables").iterdir())) == 1


def test_names_that_differ_in_case_only_are_refused_before_the_work(
    predict, tmp_path, monkeypatch
):
    if (tmp_path / "a" / "ONE.WAV").exists():
        pytest.skip("the file system does not tell case apart")
    shutil.copy(tmp_path / "a" / "one.wav", tmp_path / "a" / "ONE.WAV")
    monkeypatch.setattr("skbird.archive.predict_archive", None)
    result = predict("a", "--out", "tables", "--format", "audacity")
    assert result.exit_code == 1
    assert "differs from another path in case" in result.stderr


@pytest.mark.parametrize(
    ("command", "out"),
    [
        (("evaluate", "MODEL", "t.csv", "--out", "t.csv", "--trust-pickle"), "t.csv"),
        (
            ("evaluate", "MODEL", "a", "--annotations", "t.csv", "--out", "t.csv"),
            "t.csv",
        ),
        (
            ("predict", "MODEL", "a", "--format=kaggle", "--like=t.csv", "--out=t.csv"),
            "t.csv",
        ),
        (("train", "b.pkl.heldout.csv", "--out", "b.pkl"), "b.pkl.heldout.csv"),
        (("describe", "a", "--out", "a/one.wav"), "a/one.wav"),
        (("report", "MODEL", "a", "--out", "t.csv"), "t.csv"),
    ],
)
def test_no_command_replaces_what_it_reads(predict, model, tmp_path, command, out):
    for name in ("t.csv", "b.pkl.heldout.csv"):
        (tmp_path / name).write_text("row_id\n")
    before = (tmp_path / out).read_bytes()
    words = [model if word == "MODEL" else word for word in command]
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert "would be replaced" in result.stderr or "must end in .html" in result.stderr
    assert (tmp_path / out).read_bytes() == before


def test_folders_count_where_sites_have_recordings_of_one_name(evaluate, tmp_path):
    # A table of all sites, and the recordings of one.
    lines = "a/one.wav,2,4,dove\na/two.wav,0,4,wren\nb/one.wav,0,2,wren\n"
    (tmp_path / "boxes.csv").write_text("path,start,end,species\n" + lines)
    samples = noise(4) + tone(3000, 4)
    soundfile.write(tmp_path / "a" / "two.wav", samples, RATE)
    result = evaluate("a", "--annotations", "boxes.csv", "--out", "species.csv")
    assert result.exit_code == 0, result.output
    assert "boxes of 1 recording not in a, such as b/one.wav" in result.stderr
    table = pd.read_csv("species.csv", index_col="species")
    assert table["n_positive"].to_dict() == {"dove": 2, "wren": 4}


def test_a_path_seen_from_the_table_is_exact(evaluate, tmp_path):
    (tmp_path / "a" / "sub").mkdir()
    samples = noise(4) + tone(3000, 4)
    soundfile.write(tmp_path / "a" / "sub" / "one.wav", samples, RATE)
    lines = "one.wav,2,4,dove\nsub/one.wav,0,4,wren\n"
    (tmp_path / "a" / "boxes.csv").write_text("path,start,end,species\n" + lines)
    result = evaluate("a", "--annotations", "a/boxes.csv", "--out", "species.csv")
    assert result.exit_code == 0, result.output
    table = pd.read_csv("species.csv", index_col="species")
    assert table["n_positive"].to_dict() == {"dove": 2, "wren": 4}


def test_recordings_found_by_name_alone_are_reported(evaluate, tmp_path):
    lines = "elsewhere/one.wav,2,4,dove\nelsewhere/two.wav,2,4,wren\n"
    (tmp_path / "boxes.csv").write_text("path,start,end,species\n" + lines)
    result = evaluate(tmp_path, "--annotations", "boxes.csv")
    assert result.exit_code == 0, result.output
    assert "2 recordings of boxes.csv were found by their names" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["B.PKL", "b.pkl"])
def test_a_model_is_where_it_was_said_to_be(bird_folder, tmp_path, name):
    table = bird_folder.rename(columns={"species": "primary_label"})
    table.to_csv(tmp_path / "birds.csv", index=False)
    out = tmp_path / name
    # Nothing of the training makes the work folder.
    options = ("--set", "logmel__cache_dir=None")
    options += ("--set", "sedclassifier__checkpoint_dir=None", "--hold-out", 0)
    (tmp_path / f"{name}.heldout.csv").touch()
    result = run("train", tmp_path / "birds.csv", "--out", out, *TRAIN, *options)
    assert result.exit_code == 0, result.output
    assert "heldout.csv belongs to another training" in result.stderr
    assert out.stat().st_size > 10_000


@pytest.mark.slow
def test_a_training_that_is_called_again_is_not_repeated(bird_folder, tmp_path):
    table = bird_folder.rename(columns={"species": "primary_label"})
    table.to_csv(tmp_path / "birds.csv", index=False)
    out = tmp_path / "birds.pkl"
    arguments = (tmp_path / "birds.csv", "--out", out, *TRAIN)
    assert run("train", *arguments).exit_code == 0
    again = run("train", *arguments)
    assert again.exit_code == 2
    assert "birds.pkl is there already, from another training" in again.stderr
    assert run("train", *arguments, "--overwrite").exit_code == 0
    assert not (tmp_path / "birds.pkl.work" / "unjudged").exists()
    checkpoints = tmp_path / "birds.pkl.work" / "checkpoints"
    assert len(list(checkpoints.iterdir())) == 1


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link.csv").symlink_to(tmp_path / "table.csv")
    write_table(pd.DataFrame({"n": [1]}), tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "table.csv").read_text() == "n\n1\n"


@pytest.mark.slow
def test_what_folders_hold_and_nobody_can_read_is_an_error(
    predict, evaluate, model, tmp_path
):
    (tmp_path / "a" / "disk").symlink_to(tmp_path / "gone")
    (tmp_path / "boxes.csv").write_text("path,start,end,species\none.wav,2,4,dove\n")
    for result in (
        predict("a", "--out", "events.csv"),
        evaluate("a", "--annotations", "boxes.csv"),
        run("describe", "a", "--no-labels"),
    ):
        assert result.exit_code == 3, result.output
        assert "1 recording was left out" in result.stderr
        assert "disk" in result.stderr
    errors = pd.read_csv(tmp_path / "events.csv.parts" / "_errors.csv")
    assert errors["path"].tolist() == ["a/disk"]


def test_a_table_whose_recordings_are_all_elsewhere_is_an_error(tmp_path):
    (tmp_path / "t.csv").write_text("path,primary_label\nx/1.wav,owl\nx/2.wav,wren\n")
    result = run("describe", tmp_path / "t.csv")
    assert result.exit_code == 1
    assert "None of the recordings" in result.stderr


@pytest.mark.slow
def test_who_splits_by_recording_is_told(bird_folder, tmp_path):
    table = bird_folder.rename(columns={"species": "primary_label"})
    table.to_csv(tmp_path / "birds.csv", index=False)
    arguments = (tmp_path / "birds.csv", "--out", tmp_path / "birds.pkl", *TRAIN)
    result = run("train", *arguments)
    assert "by recording (recordists are not known: there is no col" in result.stderr
    result = run("train", *arguments, "--groups", "path", "--overwrite")
    assert "rows, by path; see" in result.stderr


def test_boxes_are_of_the_path_that_agrees_most():
    boxes = pd.DataFrame({"path": ["D:/siteB/24/1.wav", "D:/siteA/24/1.wav"]})
    table, data = Path("t.csv"), Path("siteA")
    placed = place_boxes(
        boxes, table, data, ["siteA/24/1.wav", "siteA/25/1.wav"], print
    )
    assert placed["path"].to_dict() == {1: "siteA/24/1.wav"}
    twice = pd.DataFrame({"path": ["D:/siteB/24/1.wav", "D:/siteC/24/1.wav"]})
    with pytest.raises(ValueError, match=r"would both be 'siteA/24/1\.wav'"):
        place_boxes(twice, table, data, ["siteA/24/1.wav"], print)
    with pytest.raises(ValueError, match=r"'x\.wav' may be 'a/x\.wav' or 'b/x\.wav'"):
        place_boxes(
            pd.DataFrame({"path": ["x.wav"]}),
            table,
            data,
            ["a/x.wav", "b/x.wav"],
            print,
        )


def test_boxes_of_another_site_are_left_out(tmp_path, capsys):
    def place(paths, audio, root=tmp_path):
        boxes = pd.DataFrame({"path": paths, "start": 0.0})
        table, data = root / "t.csv", tmp_path / "A"
        audio = [str(data / name) for name in audio]
        placed = place_boxes(boxes, table, data, audio, _console.say)["path"]
        said = capsys.readouterr().err
        return {
            n: Path(path).relative_to(data).as_posix() for n, path in placed.items()
        }, said

    for site in "AB":
        (tmp_path / site / "24").mkdir(parents=True)
    # The quiet recording of A has no line; that of B has its name.
    (tmp_path / "B" / "24" / "2.wav").touch()
    audio = ["24/1.wav", "24/2.wav"]
    placed, said = place(["A/24/1.wav", "B/24/2.wav"], audio)
    assert placed == {0: "24/1.wav"}
    assert "boxes of 1 recording not in" in said
    # The same where the tables know another disk.
    placed, said = place(["/d/A/24/1.wav", "/d/B/24/2.wav"], audio)
    assert placed == {0: "24/1.wav"}
    assert "1 recording of" in said
    assert "found by the ends of their paths" in said
    assert "B/24/2.wav; they are left out" in said
    with pytest.raises(ValueError, match=r"no box is in .*\(it has 2\)"):
        place(["B/24/2.wav"], audio)
    # Nothing tells other disks apart but that the user is asked.
    placed, said = place(["/d/B/24/2.wav"], audio)
    assert placed == {0: "24/2.wav"}
    assert "Are they the same?" in said
    # Names without folders, below any folders; any suffix; any spelling of accents.
    placed, _ = place(["x.wav", "y.wav"], ["24/x.wav", "25/7/y.wav"])
    assert placed == {0: "24/x.wav", 1: "25/7/y.wav"}
    placed, _ = place(["A/24/1.mp3", "A/24/2.wav"], audio)
    assert placed == {0: "24/1.wav", 1: "24/2.wav"}
    placed, _ = place(
        ["A/Ka\u0308uz.wav", "A/24/a\u0308.wav"], ["K\u00e4uz.wav", "24/\u00e4.wav"]
    )
    assert placed == {0: "K\u00e4uz.wav", 1: "24/\u00e4.wav"}
    placed, _ = place(["/d/24/a\u0308.wav"], ["24/\u00e4.wav"])
    assert placed == {0: "24/\u00e4.wav"}


def test_linked_recordings_are_judged_once(evaluate, tmp_path):
    (tmp_path / "a" / "latest").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "again.wav").symlink_to(tmp_path / "a" / "one.wav")
    (tmp_path / "boxes.csv").write_text(
        "path,start,end,species\na/one.wav,2,4,dove\nb/two.wav,2,4,wren\n"
    )
    result = evaluate(".", "--annotations", "boxes.csv", "--out", "species.csv")
    assert "2 recordings, 2 boxes, 8 rows" in result.stderr
    assert (pd.read_csv("species.csv")["n_positive"] == 2).all()


def test_a_table_that_is_read_is_not_replaced(evaluate, tmp_path):
    table = tmp_path / "a" / "train.csv"
    table.write_text("primary_label,filename\n")
    result = evaluate("a", "--out", table)
    assert result.exit_code == 2
    assert "is read by this command and would be replaced" in result.stderr
    assert table.read_text() == "primary_label,filename\n"


def test_a_species_of_broken_recordings_only_is_named(tmp_path):
    for name, seconds in (("dove/1.wav", 1), ("wren/2.wav", 0), ("nocall/3.wav", 1)):
        path = tmp_path / "birds" / name
        path.parent.mkdir(parents=True)
        soundfile.write(path, noise(seconds), RATE)
    break_file(tmp_path / "birds" / "wren" / "2.wav")
    loaded = load_recordings(tmp_path / "birds")
    readable, _ = _training_data._readable_rows(loaded.X)
    with pytest.raises(ValueError, match="No recording of dove, wren can be read"):
        _training_data.check_species(
            loaded.Y, (loaded.X["primary_label"] == "").to_numpy()
        )
    shutil.rmtree(tmp_path / "birds" / "nocall")
    result = run("train", tmp_path / "birds", "--out", tmp_path / "b.pkl", *TRAIN)
    assert result.exit_code == 1
    assert "All recordings that can be read are of ['dove']" in result.stderr
    assert "No recording of wren can be read. The first error: " in result.stderr
    assert "2.wav" in result.stderr
    said = CliRunner().invoke(
        click.command()(lambda: _training_data.check_species(loaded.Y, readable))
    )
    assert "the model will not know wren: none of the rec" in said.stderr
    assert _training_data.check_species(loaded.Y, readable) == ["dove"]
    assert _training_data.check_species(loaded.Y, readable, is_fixed=True) == [
        "dove",
        "wren",
    ]


@pytest.mark.slow
def test_a_species_that_does_not_decode_is_not_in_the_model(tmp_path):
    for name in ("dove/1.wav", "-dove/2.wav", "wren/3.wav", "empty/notes.txt"):
        path = tmp_path / "birds" / name
        path.parent.mkdir(parents=True)
        samples = noise(2)
        if "wren" in name:
            samples[-1] = np.nan  # shows when it is decoded
        if path.suffix == ".wav":
            soundfile.write(path, samples, RATE, subtype="FLOAT")
    out = tmp_path / "b.pkl"
    options = "--hold-out", 0, "--channels", "loudest"
    result = run("train", tmp_path / "birds", "--out", out, *TRAIN, *options)
    assert result.exit_code == 3, result.stderr
    assert "no recordings, and gives no species: 'empty'" in result.stderr
    assert "the model will not know wren: none of the rec" in result.stderr
    model = pickle.loads(out.read_bytes())
    assert list(model[-1].species_) == ["dove"]
    assert model[0].channels == "loudest"
    assert np.isfinite(model.predict_proba([tmp_path / "birds/dove/1.wav"])).all()


@pytest.mark.filterwarnings("ignore:40 of 40 files are missing")
def test_who_is_held_out_by_unknown_authors_is_told():
    X = pd.DataFrame({"path": [f"{n}.wav" for n in range(40)]})
    Y = pd.DataFrame({"dove": np.arange(40) % 2, "wren": 1 - np.arange(40) % 2})
    settings = SimpleNamespace(groups=None, hold_out=0.2, seed=0)
    *_, by = _train._split(X.assign(author=[None, " "] * 20), Y, settings)
    assert by.startswith("recording (recordists are not known: the column 'author' is")
    *_, by = _train._split(X.assign(author=["ann", "ben"] * 20), Y, settings)
    assert by.startswith("recording (too few recordists: 2 of them, and 10 are needed;")
    *_, by = _train._split(X, Y, settings)
    assert by.startswith("recording (recordists are not known: there is no column")
    authors = [f"a{n}" for n in range(30)] + [None] * 10
    *_, by = _train._split(X.assign(author=authors), Y, settings)
    assert by == "author (unknown in 10 of 40 rows, which stand alone)"


def test_boxes_in_parquet_may_have_labels_of_other_names(tmp_path):
    boxes = pd.DataFrame({"path": ["a"], "start": [0.0], "end": [1.0], "label": "owl"})
    boxes.to_parquet(tmp_path / "boxes.parquet")
    assert read_boxes(tmp_path / "boxes.parquet")["species"].tolist() == ["owl"]


def test_labels_that_the_model_does_not_know_are_named_and_others_are_matched(
    evaluate, tmp_path
):
    lines = "a/one.wav,2,4,Dove \na/one.wav,0,1,owl\nb/two.wav,2,4,wren\n"
    (tmp_path / "boxes.csv").write_text("path,start,end,species\n" + lines)
    result = evaluate(".", "--annotations", "boxes.csv")
    assert "the model does not know the labels of 1 box (1 label" in result.stderr
    assert "such as 'owl')" in result.stderr
    assert "taken for a species whose name differs" in result.stderr
    assert "'Dove' for 'dove'" in result.stderr


@pytest.mark.parametrize("format_", ["csv", "raven"])
def test_recordings_without_annotations_are_said_or_left_out(
    evaluate, tmp_path, format_
):
    if format_ == "csv":
        truth = tmp_path / "boxes.csv"
        truth.write_text("path,start,end,species\na/one.wav,2,4,dove\n")
    else:
        truth = tmp_path / "tables"
        box = {"path": ["one.wav"], "start": [2.0], "end": [4.0], "species": ["dove"]}
        write_raven(pd.DataFrame(box), truth, recordings=["one.wav", "empty.wav"])
        soundfile.write(tmp_path / "b" / "empty.wav", noise(2), RATE)
    result = evaluate(".", "--annotations", truth)
    assert "Warning: 1 of " in result.stderr
    assert "--annotated-only leaves them out" in result.stderr
    result = evaluate(".", "--annotations", truth, "--annotated-only")
    assert "Left out: 1 recording without annotations" in result.stderr
    n_rows = 4 if format_ == "csv" else 6
    assert f"{n_rows} rows of" in result.stdout
    assert "(too few recordings for an interval)" in result.stdout


def test_why_nothing_can_be_read_is_said(evaluate, tmp_path):
    (tmp_path / "t.csv").write_text("path,label\nx/1.wav,dove\nx/2.wav,wren\n")
    result = evaluate("t.csv")
    assert result.exit_code == 1
    assert "None of the 2 recordings can be read. The first, ./x/1.wav" in result.stderr


@pytest.mark.slow
def test_one_species_can_be_described_but_not_trained(tmp_path):
    path = tmp_path / "birds" / "Owl, Barn" / "1.wav"
    path.parent.mkdir(parents=True)
    soundfile.write(path, noise(2), RATE)
    result = run("describe", tmp_path / "birds")
    assert result.exit_code == 0, result.output
    assert "are of ['Owl, Barn']: there is nothing to tell it from" in result.stderr
    result = run("train", tmp_path / "birds", "--out", tmp_path / "b.pkl", *TRAIN)
    assert result.exit_code == 1
    assert "All recordings that can be read are of ['Owl, Barn']" in result.stderr
    assert "in a folder 'nocall'" in result.stderr
