"""The commands review and thresholds, and thresholds that predict takes."""
# ruff: noqa: F811 - pytest takes fixtures that are imported

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("click")
from test_cli_input import model, predict, run  # noqa: F401

from skbird.annotations import read_boxes
from skbird.cli._app import app
from skbird.cli._thresholds import thresholds_of
from skbird.review import ReviewSession
from skbird.review._choose_for_review import STRATEGIES


@pytest.fixture
def served(monkeypatch):
    """Sessions that were served, and how; none waits for anybody."""
    calls = []
    monkeypatch.setattr(
        ReviewSession, "serve", lambda self, **how: calls.append((self, how))
    )
    return calls


@pytest.mark.slow
@pytest.mark.parametrize("format_", ["csv", "raven", "birdnet", "parquet", "long"])
def test_review_takes_what_predict_writes(predict, served, format_):
    out = {"csv": "a.csv", "birdnet": "b.csv"}.get(format_, "out")
    how = ["--format", format_, "--threshold", 0.3]
    if format_ in ("parquet", "long"):
        how = ["--format", "parquet"]
        how += ["--min-proba", 0.05] if format_ == "long" else []
    result = predict("a", "b", "--out", out, *how)
    assert result.exit_code == 0, result.output
    result = run("review", out, "--recordings", ".", "--threshold", 0.3, "--port", 99)
    assert result.exit_code == 0, result.output
    [(session, options)] = served
    assert options["port"] == 99
    assert options["open_browser"]
    assert set(session.species) <= {"dove", "wren"}
    assert session.detections["probability"].min() >= 0.3
    assert set(session.detections["recording"]) == {"a/one.wav", "b/two.wav"}
    assert f"{len(session.detections)} detections of" in result.stderr
    assert "0 judged: reviews.sqlite" in result.stderr
    session.judge(0, "yes", reviewer="Ada")
    result = run("review", out, "--recordings", ".", "--no-browser", "--reviewer", "B")
    assert "1 of them judged" in result.stderr
    assert served[1][1] == {"port": 0, "reviewer": "B", "open_browser": False}


def test_review_refuses_what_is_no_prediction(tmp_path, bird_folder, served):
    folder = str(bird_folder["path"][0]).rpartition("/")[0]
    table = tmp_path / "boxes.csv"
    pd.DataFrame(
        {"path": bird_folder["path"][:1], "start": 0, "end": 1, "species": "owl"}
    ).to_csv(table, index=False)
    out = "--out", tmp_path / "r.sqlite"
    result = run("review", table, "--recordings", folder, *out)
    assert result.exit_code == 1
    assert "has no scores: it is no prediction" in result.stderr
    table.write_text(table.read_text().replace("species", "species,score"))
    table.write_text(table.read_text().replace("owl", "owl,0.05"))
    result = run("review", table, "--recordings", folder, *out)
    assert "no detection with a probability of at least 0.1" in result.stderr
    result = run("review", table, "--recordings", folder, "--out", table)
    assert result.exit_code == 2
    assert "is read by this command" in result.stderr
    assert not served


def reviewed(path, n=40):
    table = pd.DataFrame(
        {"path": [f"{k}.wav" for k in range(n)], "probability": np.linspace(0.1, 1, n)}
    )
    tables = [table.assign(species=name) for name in ("=dove", "wren")]
    session = ReviewSession(pd.concat(tables), path, n_per_species=n)
    for number, detection in session.detections.iterrows():
        if detection["species"] == "=dove" or number % 9 == 0:
            is_right = detection["probability"] > 0.4
            session.judge(number, "yes" if is_right else "no", reviewer="Ada")
    return path


def test_thresholds_are_found_or_refused_with_a_reason(tmp_path):
    path, out = reviewed(tmp_path / "r.sqlite"), tmp_path / "thresholds.csv"
    result = run("thresholds", path, "--precision", 0.8, "--out", out)
    assert result.exit_code == 0, result.output
    assert "=dove\t40\t0." in result.stdout
    assert "No threshold for wren: 4 reviews; 20 are needed." in result.stderr
    assert "1 threshold for precision 0.8" in result.stderr
    found = thresholds_of(out, ["=dove", "wren", "owl"])
    assert 0.1 < found[0] < 0.5
    assert np.isinf(found[1:]).all()


def test_a_line_is_that_of_one_species(tmp_path):
    (tmp_path / "t.csv").write_text("species,threshold\nwren,0.5\nOWL,0.7\nEmu,0.2\n")
    species = ["wren", "Wren", "owl", "emu", "EMU"]
    found = thresholds_of(tmp_path / "t.csv", species)
    assert found.tolist() == [0.5, np.inf, 0.7, np.inf, np.inf]


def test_the_command_knows_all_strategies():
    (option,) = (
        o for o in app.get_command(None, "review").params if o.name == "strategy"
    )
    assert tuple(option.type.choices) == STRATEGIES


def test_thresholds_need_reviews(tmp_path):
    ReviewSession(
        pd.DataFrame({"path": ["a"], "species": "owl", "probability": 1}),
        tmp_path / "r.sqlite",
    )
    result = run("thresholds", tmp_path / "r.sqlite")
    assert result.exit_code == 1
    assert "has no reviews yet. Listen first: `skbird review`." in result.stderr
    (tmp_path / "a.txt").write_text("text " * 300)
    result = run("thresholds", tmp_path / "a.txt")
    assert "is no file of reviews" in result.stderr
    result = run("thresholds", tmp_path / "r.sqlite", "--precision", 1)
    assert result.exit_code == 2


@pytest.mark.slow
def test_predict_takes_thresholds_of_species(predict, tmp_path):
    (tmp_path / "t.csv").write_text("species,threshold,reason\nwren,0.3,\ndove,,few\n")
    result = predict("a", "b", "--out", "events.csv", "--thresholds", "t.csv")
    assert result.exit_code == 0, result.output
    assert "1 of 2 species have no threshold in t.csv" in result.stderr
    assert "from the thresholds of the species on" in result.stderr
    assert set(read_boxes("events.csv")["species"]) == {"wren"}
    both = predict("a", "--out", "e.csv", "--thresholds", "t.csv", "--threshold", 0.5)
    assert "--threshold and --thresholds do not go together" in both.stderr
    rows = "--format", "parquet", "--thresholds", "t.csv"
    assert "formats that list events only" in predict("a", "--out", "p", *rows).stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "has no column 'species'"),
        ("species,threshold\nowl,2\n", "threshold=2 for owl; a number in"),
        ("species,threshold\nowl,high\n", "threshold=high for owl"),
        ("species,threshold\nowl,0.5\nowl,0.7\n", "names 'owl' more than once"),
        ("species,threshold\nowl,\n", "a threshold for none of the 1 species"),
        ("species,threshold\nemu,0.5\n", "a threshold for none of the 1 species"),
        ("species,threshold\n,0.5\n", "names no species in row 0"),
        ("species,threshold\nowl,True\n", "threshold=True for owl"),
        ("species,threshold\nOWL,0.5\nOwl,0.6\n", "'OWL' and 'Owl', which both mean"),
        ("", "is empty"),
    ],
)
def test_thresholds_that_are_none_are_refused(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        thresholds_of(tmp_path / "t.csv", ["owl"])
