"""``skbird train --encoder`` and ``skbird cross-validate --encoder``."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import tone

from skbird.cli._app import app

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")

from tiny_encoder import RATE, SPECIES, TONES, write_encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An encoder, and a folder per species with recordings and a broken one."""
    import soundfile

    folder = tmp_path_factory.mktemp("training")
    place = folder / "models" / "toads"
    place.mkdir(parents=True)
    write_encoder(place)
    rng = np.random.default_rng(0)
    for name, hz in zip(SPECIES, TONES, strict=True):
        (folder / "recordings" / name).mkdir(parents=True)
        for number in range(5):
            sound = tone(hz, 2.0, RATE, 0.1) + rng.normal(0, 0.01, 2 * RATE)
            soundfile.write(folder / "recordings" / name / f"{number}.wav", sound, RATE)
    (folder / "recordings" / SPECIES[0] / "broken.wav").write_bytes(b"RIFF")
    return folder


@pytest.fixture
def run(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SKBIRD_ENCODERS", str(folder / "models"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        result = CliRunner().invoke(app, [*map(str, arguments)], prog_name="skbird")
        return result.exit_code, result.output

    return run


@pytest.fixture
def encoder(folder):
    return folder / "models" / "toads" / "toads.onnx"


@pytest.mark.parametrize("ending", ["skbird", "pkl"])
def test_a_probe_is_trained_judged_and_predicts(run, folder, encoder, ending):
    code, text = run(
        *("train", folder / "recordings", "--out", f"m.{ending}", "--encoder", encoder)
    )
    assert code == 3, text  # a recording cannot be read
    assert "broken.wav" in text
    assert "Macro ROC-AUC 1.000" in text
    trust = ["--trust-pickle"] if ending == "pkl" else []
    held_out = pd.read_csv(f"m.{ending}.heldout.csv")
    code, text = run(
        *("predict", f"m.{ending}", *held_out["path"], "--out", "events.csv", *trust)
    )
    assert code == 0, text
    events = pd.read_csv("events.csv")
    found = events.groupby("path")["species"].agg(set)
    labels = held_out.set_index("path")["primary_label"]
    assert found.to_dict() == {path: {name} for path, name in labels.items()}


def test_probes_are_cross_validated(run, folder, encoder):
    code, text = run(
        *("cross-validate", folder / "recordings", "--folds", 3),
        *("--out", "folds.csv", "--encoder", encoder),
    )
    assert code == 3, text
    assert (pd.read_csv("folds.csv")["roc_auc"] == 1).all()


def test_parameters_of_the_probe_are_set(run, folder, encoder):
    code, text = run(
        *("train", folder / "recordings", "--out", "m.skbird", "--encoder", encoder),
        *("--set", "probeclassifier__D=1"),
    )
    assert code == 2
    assert "probeclassifier__D" in text


def test_other_outputs_of_the_encoder_are_refused(run, folder, encoder):
    code, text = run(
        *("train", folder / "recordings", "--out", "m.skbird", "--encoder", encoder),
        *("--set", "embeddingencoder__output=windows"),
    )
    assert code == 2
    assert "embeddingencoder__output='windows' does not go" in text


def test_flags_of_networks_do_not_go_with_an_encoder(run, folder, encoder):
    code, text = run(
        *("train", folder / "recordings", "--out", "m.skbird", "--encoder", encoder),
        *("--epochs", 3),
    )
    assert code == 2
    assert "epochs is of networks" in text


def test_an_unknown_encoder_is_named_before_the_work(run, folder):
    code, text = run(
        *("train", folder / "recordings", "--out", "m.skbird", "--encoder", "birdnet")
    )
    assert code == 1
    assert "encoder='birdnet' is no known model (birdnet-2.4," in text
