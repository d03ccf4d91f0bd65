"""Row tables and empty folders given to ``predict``."""
# ruff: noqa: F811 - pytest takes fixtures that are imported

import pickle

import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import RATE, tone

pytest.importorskip("pyarrow")
pytest.importorskip("click")
from test_cli_input import model, predict  # noqa: F401

from skbird.annotations import read_birdnet, read_boxes, read_raven, read_submission
from skbird.archive import predict_archive
from skbird.cli import _formats
from skbird.data import read_rows, segment_table
from skbird.datasets import load_birdclef


@pytest.fixture
def table(predict, tmp_path):
    """Write a table of rows of two recordings, with sites and times; return it."""
    rows = segment_table(["a/one.wav", "b/two.wav"], 1.0, 1.0)
    rows["site"] = ["creek"] * 4 + ["=hill"] * 4
    rows["night"] = np.arange(8) % 4
    rows.to_csv(tmp_path / "rows.csv", index=False)
    return rows


def test_rows_are_read_from_every_kind_of_table(table, tmp_path):
    table.to_parquet("rows.parquet")
    table.to_csv("rows.tsv", sep="\t", index=False)
    for name in ("rows.csv", "rows.tsv", "rows.parquet"):
        rows = read_rows(tmp_path / name)
        assert rows["path"].tolist() == [str(tmp_path / p) for p in table["path"]]
        assert rows.drop(columns="path").equals(
            table.drop(columns="path").astype({"site": rows["site"].dtype})
        )
    (tmp_path / "none.csv").write_text("path,start,end\n")
    assert len(read_rows(tmp_path / "none.csv")) == 0
    (tmp_path / "none.csv").write_text("site\ncreek\n")
    with pytest.raises(ValueError, match="has no column for the recordings"):
        read_rows(tmp_path / "none.csv")


@pytest.mark.parametrize("format_", ["csv", "csv-parquet", "raven", "birdnet"])
def test_columns_of_a_table_go_into_events(table, predict, tmp_path, format_):
    out = {"csv": "e.csv", "csv-parquet": "e.parquet", "birdnet": "e.csv"}
    out = out.get(format_, "tables")
    name = format_.partition("-")[0]
    result = predict("rows.csv", "--out", out, "--format", name)
    assert result.exit_code == 0, result.output
    if name == "csv":
        events = read_boxes(out)
    elif name == "birdnet":
        events = read_birdnet(out)
    else:
        events = read_raven(
            sorted((tmp_path / out).iterdir()), ["a/one.wav", "b/two.wav"]
        )
    assert {"dove", "wren"} == set(events["species"])
    is_one = events["path"].str.endswith("one.wav")
    assert (events["site"] == np.where(is_one, "creek", "=hill")).all()
    assert (events["night"].astype(int) == events["start"]).all()


def test_columns_of_a_table_go_into_probabilities(table, predict):
    result = predict("rows.csv", "--out", "proba", "--format", "parquet")
    assert result.exit_code == 0, result.output
    assert pd.read_parquet("proba")["site"].tolist() == table["site"].tolist()


@pytest.mark.parametrize("format_", ["csv", "kaggle"])
def test_rows_without_an_end_go_on_to_that_of_the_recording(predict, tmp_path, format_):
    lines = "a/one.wav,0,1\na/one.wav,1,\nb/two.wav,,\nb/two.wav,99,\ngone.wav,0,\n"
    (tmp_path / "some.csv").write_text(f"path,start,end\n{lines}")
    result = predict("some.csv", "--out", "out.csv", "--format", format_)
    assert result.exit_code == 3, result.output
    assert "gone.wav does not exist" in result.output
    assert "b/two.wav has no samples after 99 s" in result.output
    if format_ == "csv":
        events = read_boxes("out.csv")
        ends = events.groupby("path")["end"].max()
        assert ends.tolist() == [4.0, 4.0]
    else:
        assert read_submission("out.csv").index.tolist() == ["one_1", "one_4", "two_4"]


def test_a_table_of_recordings_is_cut_into_rows(predict, tmp_path):
    (tmp_path / "sites.csv").write_text("file,site\na/one.wav,creek\nb/two.wav,hill\n")
    options = ("--out", "proba", "--format", "parquet", "--segment-s", 2)
    assert predict("sites.csv", *options).exit_code == 0
    proba = pd.read_parquet("proba")
    assert proba["site"].tolist() == ["creek"] * 2 + ["hill"] * 2
    assert proba["start"].tolist() == [0, 2, 0, 2]
    (tmp_path / "sites.csv").write_text("file,site\na/one.wav,creek\na/one.wav,hill\n")
    result = predict("sites.csv", "--out", "other", "--format", "parquet")
    assert result.exit_code == 1
    assert "a/one.wav more than once" in result.stderr


def test_columns_that_results_have_get_other_names(table, predict):
    table.assign(dove=1, species="x", row_species="y").to_csv("rows.csv", index=False)
    result = predict("rows.csv", "--out", "events.csv")
    assert result.exit_code == 0, result.output
    assert (
        "the column 'dove' of the table is 'row_dove' in the results" in result.stderr
    )
    events = read_boxes("events.csv")
    assert {"dove", "wren"} == set(events["species"])
    assert (events["row_row_species"] == "x").all()
    assert (events["row_species"] == "y").all()


@pytest.mark.parametrize(("format_", "out"), [("audacity", "t"), ("kaggle", "s.csv")])
def test_columns_without_room_are_said(table, predict, format_, out):
    table.assign(row_id=[f"r{n}" for n in range(8)]).to_csv("rows.csv", index=False)
    result = predict("rows.csv", "--out", out, "--format", format_)
    assert result.exit_code == 0, result.output
    assert (
        f"--format {format_} has no room for the columns site, night" in result.stderr
    )
    if format_ == "kaggle":
        assert read_submission(out).index.tolist() == [f"r{n}" for n in range(8)]


def test_a_table_goes_alone_and_has_a_step_of_its_own(table, predict):
    result = predict("rows.csv", "a", "--out", "events.csv")
    assert result.exit_code == 2
    assert "is a table of rows, which goes alone" in result.stderr
    result = predict("rows.csv", "--step-s", 1, "--out", "events.csv")
    assert result.exit_code == 2
    assert "has rows with start and end" in result.stderr


def test_an_archive_takes_the_path_of_a_table(table, model, tmp_path):
    pipe = pickle.loads(model.read_bytes())
    result = predict_archive(pipe, tmp_path / "rows.csv", tmp_path / "o", verbose=0)
    assert result.read()["site"].tolist() == table["site"].tolist()


def test_an_archive_of_nothing_has_no_rows(model, predict, tmp_path):
    pipe = pickle.loads(model.read_bytes())
    empty = segment_table([]).assign(site=[])
    for recordings, columns in (([], []), (empty, ["site"])):
        with pytest.warns(UserWarning, match="no recordings to predict"):
            result = predict_archive(pipe, recordings, tmp_path / "out", verbose=0)
        assert list(result.read()) == ["path", "start", "end", *columns, "dove", "wren"]
        assert result.n_rows == len(result.read()) == len(result.errors) == 0
        assert "0 recordings" in str(result)
    with pytest.warns(UserWarning, match="no recordings to predict"):
        result = predict_archive(pipe, [], tmp_path / "out", min_proba=0.1, verbose=0)
    assert list(result.read()) == ["path", "start", "end", "species", "probability"]
    # Nothing is in the way of what comes later, and nothing of it is lost.
    run = predict_archive(pipe, ["a/one.wav"], tmp_path / "out", verbose=0)
    assert run.n_files == 1
    with pytest.raises(
        ValueError, match="holds a run, and now there are no recordings"
    ):
        predict_archive(pipe, [], tmp_path / "out", verbose=0)
    with pytest.warns(UserWarning, match="no recordings to predict"):
        predict_archive(pipe, [], tmp_path / "out", fresh=True, verbose=0)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("like", [False, True])
@pytest.mark.parametrize("what", ["folder", "table"])
def test_a_submission_of_an_empty_test_folder(predict, tmp_path, like, what):
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "readme.txt").touch()
    (tmp_path / "rows.csv").write_text("path,start,end\n")
    (tmp_path / "sample.csv").write_text("row_id,wren,dove\nx_5,0.5,0.5\nx_10,1,1\n")
    arguments = ["test" if what == "folder" else "rows.csv", "--out", "submission.csv"]
    arguments += ["--format", "kaggle"] + ["--like", "sample.csv"] * like
    for _ in range(2):
        result = predict(*arguments)
        assert result.exit_code == 0, result.output
        assert "Warning: There are no rows: the submission has" in result.stderr
        text = (tmp_path / "submission.csv").read_text()
        if like:
            assert text == "row_id,wren,dove\nx_5,0,0\nx_10,0,0\n"
        else:
            assert text == "row_id,dove,wren\n"
    if like:
        (tmp_path / "sample.csv").write_text("row_id,owl\nx_5,0.5\n")
        result = predict(*arguments)
        assert result.exit_code == 1
        assert "species differ" in result.stderr


def test_other_formats_ask_for_recordings(predict, tmp_path):
    (tmp_path / "test").mkdir()
    assert predict("test", "--out", "events.csv").exit_code == 1


def test_a_birdclef_folder_without_test_recordings(model, tmp_path):
    (tmp_path / "train_audio" / "dove").mkdir(parents=True)
    soundfile.write(tmp_path / "train_audio/dove/1.wav", tone(1000, 2), RATE)
    (tmp_path / "train.csv").write_text("primary_label,filename\ndove,dove/1.wav\n")
    (tmp_path / "sample_submission.csv").write_text("row_id,dove,wren\n")
    for made in (None, "test_soundscapes", "train_soundscapes"):
        if made:
            (tmp_path / made).mkdir()
        data = load_birdclef(tmp_path)
        for rows in (data.test, data.unlabeled):
            assert len(rows) == 0
            assert list(rows) == ["path", "start", "end", "collection", "row_id"]
            assert rows["start"].dtype == float
        pipe = pickle.loads(model.read_bytes())
        with pytest.warns(UserWarning, match="no recordings to predict"):
            result = predict_archive(pipe, data.test, tmp_path / "out", verbose=0)
        assert len(result.read()) == 0


@pytest.mark.parametrize("format_", ["csv", "raven", "birdnet", "audacity"])
def test_what_a_format_cannot_write_is_said_before_the_work(
    predict,
    model,
    monkeypatch,
    format_,
    tmp_path,
):
    def refuse(*args):
        raise ValueError("cannot be written")

    monkeypatch.setattr("skbird.archive.predict_archive", None)
    monkeypatch.setitem(_formats.EVENTS, format_, refuse)
    out = "out.csv" if format_ in ("csv", "birdnet") else "out"
    result = predict("a", "--out", out, "--format", format_)
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr
