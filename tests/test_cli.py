"""The command line, from a folder per species to tables for other programs."""

import json
import pickle
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import numpy as np
import pandas as pd
import pytest
import soundfile
from click.testing import CliRunner
from conftest import RATE, tone

pytest.importorskip("openvino")
pytest.importorskip("onnxscript")
pytest.importorskip("onnx")
from tiny_backbone import TINY

from skbird.annotations import read_audacity, read_birdnet, read_boxes, read_raven
from skbird.cli import _console
from skbird.cli._app import app
from skbird.inference import load_model, save_model
from skbird.utils._extras import install_hint

README = Path(__file__).parent.parent / "README.md"
# What makes a training short enough for a test.
SHORT = (
    f"--backbone {TINY} --backbone-weights none --epochs 3 --segment-s 1 "
    "--n-mels 32 --sample-rate 16000 --lr 0.01 --set sedclassifier__verbose=0"
).split()
HZ = {"dove": 1000, "wren": 3000}


def run(*args):
    """Run a command in this process; return the result of click's runner."""
    return CliRunner().invoke(app, list(map(str, args)), prog_name="skbird")


def call(species, seconds, rng):
    samples = 0.02 * rng.standard_normal(round(seconds * RATE))
    return samples + (tone(HZ[species], seconds) if species in HZ else 0)


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """Return a folder as a user has it: recordings by species, and soundscapes."""
    root = tmp_path_factory.mktemp("field")
    rng = np.random.default_rng(0)
    for species in (*HZ, "nocall"):
        (root / "recordings" / species).mkdir(parents=True)
        for number in range(10):
            path = root / "recordings" / species / f"{species}{number}.wav"
            soundfile.write(path, call(species, 3.0, rng), RATE)
    (root / "soundscapes" / "site").mkdir(parents=True)
    night = np.concatenate(
        [call(name, 3.0, rng) for name in ("nocall", "dove", "wren")]
    )
    soundfile.write(root / "soundscapes" / "site" / "night.flac", night, RATE)
    soundfile.write(root / "soundscapes" / "quiet.wav", call("", 4.0, rng), RATE)
    return root


@pytest.fixture(scope="module")
def done(field):
    """Run the commands of the README; return the folder and their results by name."""
    section = README.read_text().split("## From the command line")[1]
    lines = re.search(r"```bash\n(.*?)```", section, re.DOTALL).group(1).splitlines()
    assert len(lines) == 4
    results = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(field)
        for line in lines:
            program, name, *arguments = shlex.split(line)
            assert program == "skbird"
            short = SHORT if name == "train" else []
            results[name] = run(name, *arguments, *short)
    return field, results


@pytest.fixture
def folder(done, monkeypatch):
    monkeypatch.chdir(done[0])
    return done[0]


@pytest.mark.slow
def test_four_commands_lead_from_recordings_to_raven(done):
    field, results = done
    for name, result in results.items():
        assert result.exit_code == 0, (name, result.output)
    assert list(results) == ["describe", "train", "evaluate", "predict"]
    assert "dove\t10\t10" in results["describe"].stdout
    assert "<table" in (field / "recordings.html").read_text()
    assert "Macro ROC-AUC 1.000" in results["evaluate"].stdout
    assert "flatter" not in results["evaluate"].stderr
    audio = sorted((field / "soundscapes").rglob("*.*"))
    tables = sorted((field / "tables").iterdir())
    assert len(tables) == 2
    boxes = read_raven(tables, audio).sort_values("start")
    # The quiet recording has a table, too, without lines.
    assert set(boxes["path"]) == {str(field / "soundscapes/site/night.flac")}
    assert boxes["species"].tolist() == ["dove", "wren"]
    assert boxes["start"].tolist() == [3.0, 6.0]
    assert boxes["end"].tolist() == [6.0, 9.0]
    assert boxes["high_hz"].tolist() == [RATE / 2] * 2


def test_what_was_held_out_was_not_trained_on(folder):
    held_out = pd.read_csv("birds.skbird.heldout.csv", keep_default_na=False)
    assert 4 <= len(held_out) <= 8
    assert {"dove", "wren"} < set(held_out["primary_label"])
    about = load_model("birds.skbird").about_
    assert about["data"]["n_rows"] == 30 - len(held_out)
    assert about["metrics"]["macro_roc_auc"] == 1.0
    result = run("evaluate", "birds.skbird", "recordings")
    assert f"{30 - len(held_out)} of these 30 rows" in result.stderr


@pytest.mark.slow
def test_annotated_soundscapes_are_judged(folder, tmp_path):
    boxes = pd.DataFrame({"start": [3.0, 6.0], "end": [6.0, 9.0]})
    boxes = boxes.assign(path="soundscapes/site/night.flac", species=["dove", "wren"])
    boxes.to_csv("boxes.csv", index=False)
    out = tmp_path / "species.csv"
    arguments = ("soundscapes", "--annotations")
    result = run("evaluate", "birds.skbird", *arguments, "boxes.csv", "--out", out)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(out, index_col="species")
    assert table.loc[["dove", "wren"], "n_positive"].tolist() == [3, 3]
    assert table["n_rows"].tolist() == [13, 13]
    assert table["roc_auc"].tolist() == [1.0, 1.0]
    own = run("evaluate", "birds.skbird", *arguments, "tables")
    assert own.exit_code == 1
    assert "2 of 2 tables are as written by `skbird predict`" in own.stderr
    raven = run("evaluate", "birds.skbird", *arguments, "tables", "--reviewed")
    assert "2 boxes, 13 rows of 1 s" in raven.stderr


@pytest.mark.parametrize(
    ("name", "read"),
    [("csv", read_boxes), ("birdnet", read_birdnet), ("audacity", read_audacity)],
)
def test_events_are_written_for_other_programs(folder, tmp_path, name, read):
    out = tmp_path / ("labels" if name == "audacity" else "events.csv")
    options = ("--out", out, "--format", name, "--work-dir", "tables.parts")
    result = run("predict", "birds.skbird", "soundscapes", *options)
    assert result.exit_code == 0, result.output
    assert "predicted before" in result.stderr
    events = read(sorted(out.iterdir()) if out.is_dir() else out)
    assert events["species"].tolist() == ["dove", "wren"]
    assert events[["start", "end"]].to_numpy().tolist() == [[3, 6], [6, 9]]
    assert events["score"].between(0.5, 1).all()


@pytest.mark.slow
def test_probabilities_are_written_for_every_row(folder, tmp_path):
    submission = tmp_path / "submission.csv"
    options = ("--format", "kaggle", "--work-dir", "tables.parts", "--out", submission)
    assert run("predict", "birds.skbird", "soundscapes", *options).exit_code == 0
    table = pd.read_csv(submission, index_col="row_id")
    assert len(table) == 13
    assert table.loc["night_5", "dove"] > 0.5 > table.loc["night_8", "dove"]
    proba = tmp_path / "proba"
    options = ("--format", "parquet", "--min-proba", 0.5, "--out", proba)
    assert run("predict", "birds.skbird", "soundscapes", *options).exit_code == 0
    table = pd.read_parquet(proba)
    assert list(table) == ["path", "start", "end", "species", "probability"]
    assert len(table) == 6


def test_a_broken_file_costs_nothing_but_itself(folder, tmp_path):
    (tmp_path / "broken.wav").write_text("no sound")
    night = folder / "soundscapes/site/night.flac"
    options = ("--out", tmp_path / "events.csv")
    result = run("predict", "birds.skbird", night, tmp_path / "broken.wav", *options)
    assert result.exit_code == 3
    assert "1 recording was left out" in result.stderr
    assert "broken.wav" in result.stderr
    assert len(read_boxes(tmp_path / "events.csv")) == 2
    errors = pd.read_csv(tmp_path / "events.csv.parts" / "_errors.csv")
    assert errors["path"].tolist() == [str(tmp_path / "broken.wav")]


@pytest.mark.slow
def test_broken_recordings_are_neither_trained_on_nor_held_out(field, tmp_path):
    shutil.copytree(field / "recordings", tmp_path / "recordings")
    for number in range(3):
        (tmp_path / "recordings" / "dove" / f"broken{number}.wav").write_text(
            "no sound"
        )
    for species in HZ:  # what shows only when they are decoded
        for number in range(2):
            path = tmp_path / "recordings" / species / f"torn{number}.wav"
            soundfile.write(path, np.append(tone(1000, 2), np.nan), RATE, "FLOAT")
    out = tmp_path / "birds.skbird"
    result = run("train", tmp_path / "recordings", "--out", out, *SHORT, "--epochs", 1)
    assert result.exit_code == 3, result.output
    assert "7 recordings were left out" in result.stderr
    held_out = pd.read_csv(tmp_path / "birds.skbird.heldout.csv")["path"]
    n_torn = held_out.str.contains("torn").sum()
    assert n_torn < 4
    assert load_model(out).about_["data"]["n_rows"] == 30 - len(held_out) + n_torn
    for path in (tmp_path / "recordings").rglob("*.wav"):
        path.write_text("no sound")
    result = run("train", tmp_path / "recordings", "--out", out, *SHORT, "--overwrite")
    assert result.exit_code == 1
    assert "None of the 37 recordings can be read" in result.stderr


@pytest.mark.slow
def test_recordings_are_added_but_others_need_another_run(folder, tmp_path):
    quiet, night = folder / "soundscapes/quiet.wav", folder / "soundscapes"
    options = ("--out", tmp_path / "events.csv")
    assert run("predict", "birds.skbird", quiet, *options).exit_code == 0
    result = run("predict", "birds.skbird", night, *options)
    assert result.exit_code == 0
    assert re.search(r"\d recordings? (is|are) new; the run had 1", result.output)
    assert len(read_boxes(tmp_path / "events.csv")) == 2
    result = run("predict", "birds.skbird", quiet, *options)
    assert result.exit_code == 1
    assert "holds another run" in result.stderr
    assert "Pass --fresh, which deletes that run" in result.stderr
    assert run("predict", "birds.skbird", quiet, *options, "--fresh").exit_code == 0
    assert len(read_boxes(tmp_path / "events.csv")) == 0


def test_errors_are_one_line(folder):
    result = run("describe", "soundscapes")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert "no folder of a species" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    result = run("--traceback", "describe", "soundscapes")
    assert isinstance(result.exception, ValueError)


def test_an_interrupt_says_how_to_go_on(folder, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("skbird.archive.predict_archive", interrupt)
    result = run("predict", "birds.skbird", "soundscapes", "--out", "never.csv")
    assert result.exit_code == 130
    assert "goes on where it was" in result.stderr


def test_pickles_are_opened_only_on_request(folder, tmp_path):
    model = "birds.skbird.work/birds.pipeline.pkl"
    arguments = (model, "soundscapes/quiet.wav", "--out", tmp_path / "events.csv")
    result = run("predict", *arguments)
    assert result.exit_code == 2
    assert "can run any program" in result.stderr
    assert run("predict", *arguments, "--trust-pickle").exit_code == 0
    assert run("models", "info", model).exit_code == 2


@pytest.mark.slow
def test_report_is_a_page(folder, tmp_path):
    page = tmp_path / "errors.html"
    result = run("report", "birds.skbird", "birds.skbird.heldout.csv", "--out", page)
    assert result.exit_code == 0, result.output
    assert "Errors: birds.skbird.heldout.csv" in page.read_text()
    result = run("report", "birds.skbird", "recordings", "--out", page, "--grad-cam")
    assert "pipeline.pkl" in result.stderr
    model = "birds.skbird.work/birds.pipeline.pkl"
    options = ("--out", page, "--grad-cam", "--trust-pickle", "--threshold", "0.999999")
    result = run("report", model, "birds.skbird.heldout.csv", *options, "--clips", 2)
    assert result.exit_code == 0, result.output


def test_models_info(folder):
    result = run("models", "info", "birds.skbird")
    lines = result.stdout.splitlines()
    starts = [re.match("[^:]*: *", line).end() for line in lines]
    assert len(set(starts)) == 1
    assert lines[0].split(": ", 1)[1].strip() == "2: dove, wren"
    assert re.search(r"^metric macro_roc_auc: +1\.000$", result.stdout, re.M)
    about = json.loads(run("models", "info", "birds.skbird", "--json").stdout)
    assert about["species"] == ["dove", "wren"]
    result = run("models", "info", "recordings.html")
    assert result.exit_code == 1
    assert "is no model file of skbird" in result.stderr


def test_species_with_line_breaks_stay_on_the_line_of_species(folder, monkeypatch):
    about = load_model("birds.skbird").about_
    about = about | {"species": ["do\nlicense: none", "wren"]}
    found = SimpleNamespace(about_=about)
    monkeypatch.setattr("skbird.inference.load_model", lambda *_, **__: found)
    lines = run("models", "info", "birds.skbird").stdout.splitlines()
    assert re.sub(" +", " ", lines[0]) == r"species: 2: do\nlicense: none, wren"
    assert not any("none" in line for line in lines[1:])


def test_an_author_cannot_speak_for_the_command(folder, tmp_path):
    path = tmp_path / "birds.skbird"
    said = {"species": 9000, "a\x1b[2Jb": "x\nlicense: none"}
    save_model(load_model("birds.skbird"), path, metrics=said, notes="n\nwritten: now")
    lines = run("models", "info", path).stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "species",
        "metric species",
        "metric a [2Jb",
        "  license",
        "trained on",
        "license",
        "notes",
        "  written",
        "written",
    ]


@pytest.mark.parametrize(
    "command",
    [
        ("models", "info", "{}"),
        ("predict", "{}", "recordings", "--out", "{}.csv"),
        ("evaluate", "{}", "recordings"),
        ("report", "{}", "recordings", "--out", "{}.html"),
    ],
)
def test_models_beyond_a_size_are_refused(folder, tmp_path, command):
    path = tmp_path / "large.skbird"
    path.write_bytes(bytes(2 * 2**20))
    arguments = [argument.format(path) for argument in command]
    result = run(*arguments, "--max-model-mib", 1)
    assert result.exit_code == 1
    assert "more than max_bytes=1048576. If you trust who made it" in result.stderr
    assert "no zip archive" in run(*arguments).stderr


@pytest.mark.slow
def test_flags_count_more_than_the_file(folder, tmp_path):
    config = tmp_path / "train.toml"
    config.write_text(
        f'backbone = "{TINY}"\nbackbone_weights = "none"\nepochs = 1\n'
        "sample_rate = 16000\nn_mels = 16\nhold_out = 0\n[set]\n"
        "segmenter__overlap = 0.0\nsedclassifier__verbose = 0\n"
        "sedclassifier__callbacks__mixup__alpha = 0.2\n"
    )
    out = tmp_path / "birds.pkl"
    options = ("--config", config, "--out", out, "--n-mels", 24, "--segment-s", 1)
    result = run("train", "recordings", *options, "--set", "rmsfilter__quantile=0.1")
    assert result.exit_code == 0, result.output
    assert not list(tmp_path.glob("*.csv"))
    params = pickle.loads(out.read_bytes()).get_params()
    assert params["logmel__n_mels"] == 24
    assert params["resampler__sample_rate"] == 16_000
    assert params["segmenter__overlap"] == 0
    assert params["rmsfilter__quantile"] == 0.1
    assert params["sedclassifier__callbacks__mixup__alpha"] == 0.2
    assert params["logmel__cache_dir"] is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("backbones = 'a'", "there is no 'backbones'. Did you mean backbone or"),
        ("epochs = 'many'", "epochs = 'many' must be of type int"),
        ("epochs = ", "is no TOML file"),
        ("[set]\nlogmell__n_mels = 3", "Did you mean logmel__n_mels"),
    ],
)
def test_a_wrong_file_is_refused_at_once(folder, tmp_path, text, message):
    config = tmp_path / "train.toml"
    config.write_text(text)
    options = ("--config", config, "--out", tmp_path / "birds.skbird")
    result = run("train", "recordings", "--backbone-weights", "none", *options)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--out", "birds.h5"), 2, "must end in .skbird or .pkl"),
        (("--out", "nowhere/birds.skbird"), 2, "there is no folder nowhere"),
        (("--out", "b.skbird", "--groups", "site"), 2, "have no such column"),
        (
            ("--out", "b.skbird", "--backbone", "resnet9999"),
            1,
            "is not a model of timm",
        ),
        (("--out", "b.skbird", "--set", "epochs"), 2, "write NAME=VALUE"),
        (
            ("--out", "b.skbird", "--backbone", "hrnet_w18_small"),
            1,
            "hrnet_w18_small' cannot take segments of 128 mel bands x 313 frames",
        ),
        (
            (
                *("--out", "b.skbird", "--backbone", "test_efficientnet"),
                *("--set", "sedclassifier__criterion__label_smoothing=2"),
            ),
            1,
            "label_smoothing=2 must be in [0, 1)",
        ),
    ],
)
def test_train_complains_before_it_trains(folder, options, code, message):
    result = run("train", "recordings", "--backbone-weights", "none", *options)
    assert result.exit_code == code
    assert message in result.stderr.replace("\n", " ")
    assert not Path("b.skbird.work").exists()


def test_options_that_do_not_go_together(folder):
    for options in (("--top-species", 3), ("--like", "birds.skbird.heldout.csv")):
        result = run("predict", "birds.skbird", "soundscapes", "--out", "x", *options)
        assert result.exit_code == 2
        assert f"{options[0]} goes with --format" in result.stderr


def test_names_from_strangers_are_neither_markup_nor_commands(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    frame = pd.DataFrame({"species": ["[red]x[/]", "a\x1b[31mb"], "n": [0.5, np.nan]})
    _console.show_table(frame)
    shown = capsys.readouterr().out
    assert "[red]x[/]" in shown
    assert "a [31mb" in shown


def commands(group, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield pytest.param((*path, name), command, id=" ".join((*path, name)))


@pytest.mark.parametrize(("path", "command"), list(commands(app)))
def test_help_ends_with_examples_that_are_understood(path, command):
    text = run(*path, "--help").stdout
    text = re.sub(r"\\\n +", "", text.split("Example")[1])  # lines that go on
    examples = re.findall(r"^ +skbird (.*)$", text, re.MULTILINE)
    assert examples
    flags = {flag for p in command.params for flag in p.opts}
    for example in examples:
        words = shlex.split(example)
        assert tuple(words[: len(path)]) == path
        assert {word for word in words if word.startswith("--")} <= flags


def run_python(code, folder):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.slow
def test_help_imports_nothing_heavy_and_predict_needs_no_torch(folder, tmp_path):
    done = run_python(
        "import sys\n"
        "from skbird.cli._app import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "heavy = {'torch', 'pandas', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        f"out = {str(tmp_path / 'events.csv')!r}\n"
        "words = ['birds.skbird', 'soundscapes', '--out', out]\n"
        "sys.modules['torch'] = None  # as if it were not installed\n"
        "app(['predict', *words], standalone_mode=False)\n",
        folder,
    )
    assert done.returncode == 0, done.stderr


def test_a_missing_package_names_the_extra(tmp_path):
    code = (
        "import sys; sys.modules['click'] = None; sys.modules['rich'] = None\n"
        "from skbird.cli import main; main()"
    )
    done = run_python(code, tmp_path)
    assert done.returncode == 1
    assert install_hint("cli") in done.stderr
