"""What the commands say is of use to somebody who has only the command line."""
# ruff: noqa: F811 - pytest takes fixtures that are imported

import ast
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import RATE, tone

pytest.importorskip("pyarrow")
pytest.importorskip("click")
from test_cli_input import TRAIN, model, predict, run  # noqa: F401

import skbird
from skbird.cli import _console
from skbird.cli._advice import ADVICE
from skbird.cli._parameters import unknown_name


def messages():
    """Yield the texts of skbird's code outside the commands, values as x."""
    root = Path(skbird.__file__).parent
    for path in root.rglob("*.py"):
        if path.parent.name == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                texts = (getattr(part, "value", "x") for part in node.values)
                yield "".join(t if isinstance(t, str) else "x" for t in texts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.fixture(scope="module")
def all_messages():
    return "\n".join(messages())


@pytest.mark.parametrize("advice", ADVICE)
def test_what_is_said_otherwise_in_commands_is_said_somewhere(all_messages, advice):
    assert advice in all_messages


def test_channels_that_cancel_are_heard_through_a_table(predict, tmp_path):
    sound = tone(1000, 2)
    soundfile.write("antiphase.wav", np.column_stack([sound, -sound]), RATE)
    result = predict("antiphase.wav", "--out", "events.csv")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("the mean of the channels") == 1
    assert "A column 'channels' of a table" in result.stderr
    assert "Resampler" not in result.stderr
    (tmp_path / "rows.csv").write_text("path,channels\nantiphase.wav,loudest\n")
    result = predict("rows.csv", "--out", "loud.csv")
    assert result.exit_code == 0, result.output
    assert "the mean of the channels" not in result.stderr


@pytest.mark.slow
def test_a_channel_that_is_not_there_is_named(predict, tmp_path):
    (tmp_path / "rows.csv").write_text("path,channels\na/one.wav,7\nb/two.wav,\n")
    result = predict("rows.csv", "--out", "events.csv")
    assert result.exit_code == 3, result.output
    assert re.search(r"one.wav has 1 channel, and not .* channels=7", result.stderr)
    assert "the model gives NaN" not in result.stderr


@pytest.mark.parametrize("format_", ["csv", "raven"])
def test_who_finds_nothing_is_told_what_threshold_would(predict, format_):
    out = {"csv": "events.csv", "raven": "tables"}[format_]
    options = "a", "b", "--out", out, "--format", format_
    result = predict(*options, "--threshold", 1)
    assert result.exit_code == 0, result.output
    # One speed is enough: that of the progress bar.
    assert re.search(r"hours, predicted in \S+ s; wrote", result.stderr)
    assert "0 events" in result.stderr
    found = re.search(r"highest probability is (\S+), of (dove|wren)", result.stderr)
    assert "--threshold" in result.stderr
    result = predict(*options, "--threshold", float(found[1]) - 0.001)
    assert result.exit_code == 0, result.output
    assert "0 events" not in result.stderr
    assert "highest probability" not in result.stderr
    assert "predicted before" in result.stderr


def test_who_keeps_nothing_is_told_so(predict):
    options = "a", "--out", "proba", "--format", "parquet"
    result = predict(*options, "--min-proba", 1)
    assert result.exit_code == 0, result.output
    assert "no probability reaches --min-proba 1." in result.stderr
    result = predict(*options, "--min-proba", 0.01, "--fresh")
    assert result.exit_code == 0, result.output
    assert "--min-proba" not in result.stderr


def test_what_is_not_known_is_a_dash():
    assert [_console._cell(x).plain for x in (np.nan, 0.5)] == ["-", "0.500"]


def test_a_warning_is_said_once(capsys):
    with _console.plain_warnings():
        for level in (1, 2, 1):
            warnings.warn("It rains.", stacklevel=level)
    assert capsys.readouterr().err == "Warning: It rains.\n"


def test_defaults_are_in_one_pair_of_brackets():
    for command in ("train", "predict", "describe", "evaluate", "report"):
        text = " ".join(run(command, "--help").stdout.split())
        assert "[default: " in text
        assert "[default: (" not in text
    assert "[default: pretrained]" in " ".join(run("train", "-h").stdout.split())


def test_recordings_of_no_species_are_counted(tmp_path):
    for name in ("dove", "wren", "nocall"):
        (tmp_path / "birds" / name).mkdir(parents=True)
        soundfile.write(tmp_path / "birds" / name / "a.wav", tone(1000, 1), RATE)
    result = run("describe", tmp_path / "birds", "--out", tmp_path / "page.html")
    assert result.exit_code == 0, result.output
    assert "2 species (dove, wren), 1 row with none of them" in result.stderr
    assert "rows of none" in (tmp_path / "page.html").read_text()


def test_train_says_why_no_recording_can_be_used(bird_folder, tmp_path):
    table = bird_folder.rename(columns={"species": "primary_label"})
    table.to_csv(tmp_path / "birds.csv", index=False)
    options = "--out", tmp_path / "b.pkl", *TRAIN, "--channels", 5
    result = run("train", tmp_path / "birds.csv", *options)
    assert result.exit_code == 1
    assert "None of the 12 recordings can be read. The first: " in result.stderr
    assert "has 1 channel, and not that of channels=5" in result.stderr


def test_parameters_without_their_step_are_found():
    known = ["lr", "net__lr", "net__other__lr", "net"]
    assert "Did you mean net__lr or net__other__lr?" in unknown_name("lr", known)
    assert unknown_name("q", known).endswith(
        "Known: lr, net, and what comes behind their __"
    )


def test_evaluate_names_annotations_where_there_are_no_labels(predict, model):
    Path("sounds").mkdir()
    Path("a/one.wav").rename("sounds/one.wav")
    result = run("evaluate", model, "sounds", "--trust-pickle")
    assert result.exit_code == 1
    assert "pass --annotations" in result.stderr
