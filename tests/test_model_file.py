"""Model files: what is written comes back, and nothing else gets in."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import RATE, livened
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

pytest.importorskip("onnxscript")
pytest.importorskip("skops")
pytest.importorskip("openvino")
import skops.io

from skbird.inference import (
    ModelFileError,
    compile_pipeline,
    load_model,
    save_model,
    trained_on,
)
from skbird.inference import _model_file as model_file
from skbird.nn import CNNClassifier
from skbird.postprocessing import SoundscapeReweighter
from skbird.preprocessing import BandPass, LogMel, Resampler, Segmenter, VADFilter


@pytest.fixture(scope="module")
def X_and_Y(bird_folder):
    return bird_folder, pd.get_dummies(bird_folder["species"]).astype(np.float32)


@pytest.fixture(scope="module")
def compiled(X_and_Y):
    model = make_pipeline(
        Resampler(RATE),
        BandPass(100, 7000),
        Segmenter(1.0),
        VADFilter(threshold={"XC": 0.7, "default": 0.5}),
        LogMel(32, verbose=False),
        CNNClassifier("lcnet_035", weights=None, max_epochs=1, verbose=0),
    ).fit(*X_and_Y)
    livened(model)
    reweighter = SoundscapeReweighter(FrozenEstimator(model)).fit(*X_and_Y)
    return compile_pipeline(reweighter, precision="fp32")


@pytest.fixture
def path(compiled, X_and_Y, tmp_path):
    path = tmp_path / "birds.skbird"
    notes = {"metrics": {"macro_roc_auc": 0.9}, "licence": "CC BY 4.0", "notes": "λ"}
    save_model(compiled, path, data=X_and_Y[0], **notes)
    return path


def edit(path, member, change):
    """Change a member of a zip file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[member] = change(members[member])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def edit_about(path, **values):
    edit(path, "skbird.json", lambda text: json.dumps(json.loads(text) | values))


def test_comes_back_with_what_is_known_of_it(path, compiled, X_and_Y):
    model = load_model(path)
    X, _ = X_and_Y
    np.testing.assert_allclose(
        model.predict_proba(X), compiled.predict_proba(X), atol=1e-4
    )
    assert model.about_["species"] == ["dove", "wren"]
    assert model.about_["metrics"] == {"macro_roc_auc": 0.9}
    assert model.about_["licence"] == "CC BY 4.0"
    assert model.about_["notes"] == "λ"
    assert model.about_["data"]["n_rows"] == 12
    assert "threshold={'XC': 0.7" in model.about_["model"]
    assert len(model.about_["model"]) < 5000  # no weights


def test_loads_where_there_is_no_torch(path, X_and_Y, compiled, tmp_path):
    X, _ = X_and_Y
    X.to_csv(tmp_path / "rows.csv")
    np.save(tmp_path / "proba.npy", compiled.predict_proba(X))
    code = (
        "import sys, numpy as np, pandas as pd\n"
        "class NoTorch:\n"
        "    def find_spec(self, name, *args):\n"
        "        if name in ('torch', 'skorch', 'timm', 'torchaudio'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, NoTorch())\n"
        "from skbird.inference import load_model\n"
        "proba = load_model('birds.skbird').predict_proba(pd.read_csv('rows.csv'))\n"
        "np.testing.assert_allclose(proba, np.load('proba.npy'), atol=1e-4)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_the_fingerprint_is_of_the_rows_not_of_their_place(X_and_Y):
    X, _ = X_and_Y
    names = X["path"].str.split("/").str[-2:].str.join("/")
    moved = X.assign(path="/elsewhere/" + names)[::-1]
    assert model_file._fingerprint(moved) == model_file._fingerprint(X)
    assert model_file._fingerprint(X[1:]) != model_file._fingerprint(X)
    paths = list(X["path"])
    assert model_file._fingerprint(paths) == model_file._fingerprint(X[["path"]])


def test_recordings_of_the_training_are_known_by_name(path, compiled, X_and_Y):
    folder = Path(X_and_Y[0]["path"][0]).parent.name
    X = [f"elsewhere/{folder}/bird3.wav", "others/bird3.wav", f"{folder}/bird99.wav"]
    assert trained_on(load_model(path), X).tolist() == [True, False, False]
    assert trained_on(load_model(path), X_and_Y[0]).all()
    assert not trained_on(compiled, X).any()
    edit_about(path, data=None)
    assert not trained_on(load_model(path), X).any()


def test_a_changed_model_is_refused(path):
    edit(path, "model.skops", lambda content: content[:-1] + b"?")
    with pytest.raises(ModelFileError, match=r"birds\.skbird: .*SHA-256 differs"):
        load_model(path)


def test_foreign_classes_are_refused(path, compiled):
    payload = skops.io.dumps({"model": compiled, "run": subprocess.Popen})
    edit(path, "model.skops", lambda _: payload)
    edit_about(path, sha256=model_file.hashlib.sha256(payload).hexdigest())
    with pytest.raises(ModelFileError, match=r"is not loaded: it holds .*Popen"):
        load_model(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no model file"), (b"PK\x03\x04 cut off", "no model file")],
)
def test_what_is_no_model_file_is_refused(tmp_path, content, message):
    (tmp_path / "x.skbird").write_bytes(content)
    with pytest.raises(ModelFileError, match=rf"x\.skbird is {message}"):
        load_model(tmp_path / "x.skbird")
    with pytest.raises(FileNotFoundError, match=r"y\.skbird"):
        load_model(tmp_path / "y.skbird")


def test_a_zip_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ModelFileError, match=r"skbird\.json and model\.skops"):
        load_model(tmp_path / "x.zip")


def test_later_formats_say_what_to_install(path):
    edit_about(path, format=2, skbird="9.0")
    with pytest.raises(ModelFileError, match=r"format 2, written by skbird 9\.0.*this"):
        load_model(path)


def test_what_no_longer_loads_says_why(path, monkeypatch):
    def fail(*args, **options):
        raise AttributeError("no class Gone")

    monkeypatch.setattr(skops.io, "loads", fail)
    with pytest.raises(ModelFileError, match=r"does not load .*Gone.* Install those"):
        load_model(path)


def test_other_models_are_refused_and_leave_no_file(tmp_path):
    class Homemade(LogisticRegression):
        species_ = ("dove",)

    model = Homemade().fit(np.eye(2), [0, 1])
    with pytest.raises(TypeError, match=r"Homemade cannot be stored safely.*compile"):
        save_model(model, tmp_path / "x.skbird")
    assert not list(tmp_path.iterdir())
