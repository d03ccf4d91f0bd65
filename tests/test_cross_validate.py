"""``skbird cross-validate`` says what was trained on, judged and held out."""

import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile
from click.testing import CliRunner
from conftest import RATE, tone

pytest.importorskip("torch")
pytest.importorskip("click")
from skbird.cli._app import app

TINY = (
    "--backbone test_efficientnet --backbone-weights none --epochs 1 --segment-s 1 "
    "--n-mels 16 --sample-rate 16000 --segments-per-row 1 --folds 2 "
    "--set sedclassifier__verbose=0"
).split()
HZ = {"dove": 1000, "wren": 3000}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Return a table of eight recordings; half of them cannot be decoded to the end."""
    root, rows = tmp_path_factory.mktemp("birds"), []
    for number in range(8):
        species, is_torn = ("dove", "wren")[number % 2], number >= 4
        samples = tone(HZ[species], 1.0, level=0.1 + 0.1 * number)
        if is_torn:
            samples[-1] = np.nan
        path = root / f"{number}.wav"
        soundfile.write(path, samples, RATE, subtype="FLOAT")
        rows.append((str(path), species, "torn" if is_torn else "whole", number // 2))
    return pd.DataFrame(rows, columns=["path", "primary_label", "state", "site"])


@pytest.fixture
def judge(recordings, tmp_path, monkeypatch):
    """Return a function that cross-validates with tiny networks."""
    monkeypatch.chdir(tmp_path)

    def run(*args, table=recordings):
        table.to_csv("birds.csv", index=False)
        command = ["cross-validate", "birds.csv", "--out", "folds.csv", *TINY, *args]
        return CliRunner().invoke(app, list(map(str, command)), prog_name="skbird")

    return run


def test_only_recordings_that_were_decoded_are_counted(judge, recordings):
    sites = recordings["site"].replace(range(4), ["ridge", "marsh"] * 2)
    result = judge("--groups", "site", table=recordings.assign(site=sites))
    assert result.exit_code == 3, result.output
    assert "2 folds, 8 rows in all, in 2 groups, by site\n" in result.stderr
    assert "4 rows of 8 could not be read: neither trained on nor" in result.stdout
    assert sorted(line.split()[1:4] for line in result.stdout.splitlines()[-2:]) == [
        ["marsh", "2", "2"],
        ["ridge", "2", "2"],
    ]
    table = pd.read_csv("folds.csv")
    assert table["n_train_positive"].tolist() == [1] * 4
    assert "4 recordings were left out:" in result.stderr


def test_a_fold_without_a_recording_to_train_on_names_one(judge):
    result = judge("--groups", "state")
    assert result.exit_code == 1
    assert "There is nothing to train on in 4 rows" in result.stderr
    assert "4 rows cannot be read; the first error: " in result.stderr
    assert "4.wav holds 1 sample that is NaN" in result.stderr


def test_groups_are_named_and_said_alike(judge, recordings):
    whole = recordings[:4]
    result = judge(table=whole)
    assert "in 4 groups, by recording (recordists are" in result.stderr
    assert result.stdout.count("2 groups") == 2
    # A copy of a recording ties its groups together.
    shutil.copy(whole["path"][0], "copy.wav")
    copy = whole.iloc[[0]].assign(path="copy.wav", site="copy")
    twice = pd.concat([whole, copy])
    result = judge("--groups", "site", "--overwrite", table=twice)
    assert "in 2 groups" in result.stderr
    assert "0, copy" in result.stdout


def test_folds_are_replaced_only_if_that_is_asked_for(judge, tmp_path):
    (tmp_path / "folds.csv").write_text("of another training")
    result = judge()
    assert result.exit_code == 2
    assert "folds.csv is there already, from another training" in result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hold_out = 0.2", "hold_out has no effect here: each part of the recordings"),
        ("folds = 3", "folds goes on the command line only, as --folds."),
        ("fold = 3", "there is no 'fold'"),
    ],
)
def test_keys_without_effect_are_refused(judge, tmp_path, text, message):
    (tmp_path / "train.toml").write_text(text)
    result = judge("--config", "train.toml")
    assert result.exit_code == 2
    assert message in result.stderr
    assert ("`skbird train`" in result.stderr) == ("hold_out" in text)
