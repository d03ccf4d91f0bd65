"""``skbird train --encoder`` and ``skbird cross-validate --encoder``."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import tone

from skbird.cli import _encoder_training
from skbird.cli._app import app
from skbird.cli._read_settings import read_settings
from skbird.encoders import read_spec
from skbird.encoders._spec_files import known_specs

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


def chosen(name=None, Y=None, paths=None, assignments=(), **flags):
    """Return the encoder that is chosen, and what is said."""
    settings = read_settings(None, {"encoder": name, **flags}, assignments)
    Y = pd.DataFrame(np.eye(2), columns=["a", "b"]) if Y is None else Y
    X = pd.DataFrame({"path": [f"{n}.wav" for n in range(len(Y))]})
    X = X if paths is None else X.assign(path=paths)
    return _encoder_training.choose_encoder(settings, X, Y)


@pytest.fixture
def toads_are_here(folder, encoder, monkeypatch):
    spec = read_spec(encoder.with_suffix(".json"))
    monkeypatch.setenv("SKBIRD_ENCODERS", str(folder / "models"))
    monkeypatch.setitem(known_specs(), "toads", spec)
    monkeypatch.setattr(_encoder_training, "_AUTO", "toads")


def test_few_recordings_get_a_probe_where_there_is_an_encoder(toads_are_here):
    encoder, reason = chosen()
    assert encoder == "toads"
    assert "median is 1), and toads is here: a probe on it is trained" in reason


@pytest.mark.parametrize(
    "changes",
    [
        {"encoder": "none"},
        {"epochs": 3},
        {"epochs": 20},  # by default it is as many
        {"recipe": "fast"},
        {"assignments": ["sedclassifier__drop_rate=0"]},
        {"Y": pd.DataFrame({"a": np.ones(100), "b": np.ones(100)})},
        {"Y": pd.DataFrame({"a": np.full(100, 0.9), "never": np.zeros(100)})},
    ],
)
def test_a_network_is_for_who_asks_or_has_many_recordings(toads_are_here, changes):
    assert chosen(**changes) == (None, "")


def test_recordings_are_counted_not_their_rows(toads_are_here):
    Y = pd.DataFrame({"a": np.ones(300), "b": np.ones(300)})
    assert chosen(Y=Y, paths=[f"{n % 3}.wav" for n in range(300)])[0] == "toads"


def test_what_is_asked_for_is_taken(toads_are_here):
    assert chosen("perch-2") == ("perch-2", "")


def test_without_an_encoder_a_network_is_trained_and_said(monkeypatch, tmp_path):
    monkeypatch.setattr(_encoder_training, "_AUTO", "geomodel-9")
    monkeypatch.setitem(known_specs(), "geomodel-9", known_specs()["perch-2"])
    monkeypatch.setenv("SKBIRD_ENCODERS", str(tmp_path))
    encoder, reason = chosen()
    assert encoder is None
    assert "a probe on a pretrained model may do better" in reason
