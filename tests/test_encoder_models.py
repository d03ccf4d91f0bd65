"""Encoders in compiled pipelines, model files, archives and on the command line."""

import copy
import os
import pickle
import re
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from forks import started
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skbird.archive import part_paths, predict_archive
from skbird.cli._app import app
from skbird.encoders import (
    AttentionProbe,
    EmbeddingEncoder,
    PretrainedScores,
    ProbeClassifier,
    TrainingSource,
    load_encoder,
    read_spec,
)
from skbird.encoders._spec_files import known_specs
from skbird.inference import (
    CompiledProbe,
    ModelFileError,
    compile_pipeline,
    load_model,
    save_model,
)

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")

from test_imports import HIDE  # noqa: E402
from tiny_encoder import RATE, SPECIES, TONES, write_encoder  # noqa: E402

RATES = RATE, 22_050, 16_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("encoders")


@pytest.fixture(scope="module")
def encoder(folder):
    """The model as `load_encoder` finds it by name, in the folder of encoders."""
    place = folder / "models" / "toads"
    place.mkdir(parents=True)
    return load_encoder(write_encoder(place), runtime="onnxruntime")


@pytest.fixture(scope="module")
def rows(folder):
    """Twelve recordings, each with the tone of a species."""
    import soundfile

    rng = np.random.default_rng(0)
    files, labels = [], []
    for number in range(12):
        rate, species = RATES[number % 3], number % len(SPECIES)
        time_s = np.arange(round(2.5 * rate)) / rate
        sound = 0.2 * np.sin(2 * np.pi * TONES[species] * time_s)
        path = folder / f"{number}.wav"
        soundfile.write(path, sound + rng.normal(0, 0.01, len(sound)), rate)
        files.append(str(path))
        labels.append(species)
    Y = pd.DataFrame(np.eye(len(SPECIES))[labels], columns=list(SPECIES))
    return pd.DataFrame({"path": files}), Y


def probe(encoder, **options):
    return make_pipeline(
        EmbeddingEncoder(encoder, verbose=0, **options),
        StandardScaler(),
        OneVsRestClassifier(LogisticRegression()),
    )


@pytest.fixture(scope="module")
def fitted(encoder, rows):
    X, Y = rows
    model = probe(encoder).fit(X, Y)
    model[-1].species_ = np.asarray(Y.columns)
    return model


@pytest.fixture
def models_folder(folder, encoder, monkeypatch):
    monkeypatch.setenv("SKBIRD_ENCODERS", str(folder / "models"))
    return folder / "models"


def test_scores_find_the_tones(encoder, rows):
    X, Y = rows
    model = PretrainedScores(encoder, verbose=0).fit(X, Y)
    assert (model.predict_proba(X).argmax(axis=1) == Y.to_numpy().argmax(axis=1)).all()


def test_linear_heads_are_compiled_to_arrays(fitted, rows):
    X, _ = rows
    compiled = compile_pipeline(fitted, X, precision="float32")
    assert isinstance(compiled.network, CompiledProbe)
    assert compiled.max_difference_ < 1e-6
    again = pickle.loads(pickle.dumps(compiled))
    np.testing.assert_array_equal(again.predict_proba(X), compiled.predict_proba(X))


class Squared(StandardScaler):
    def transform(self, X):
        return super().transform(X) ** 2


class Lowered(ProbeClassifier):
    def predict_proba(self, X):
        return super().predict_proba(X) / 2


@pytest.mark.parametrize(
    "head",
    [
        [StandardScaler(with_mean=False), LogisticRegression()],
        [StandardScaler(with_std=False), LogisticRegression()],
        [Squared(), LogisticRegression()],
        [StandardScaler(), Lowered(C=0.1)],
    ],
    ids=["no mean", "no scale", "another scaler", "another probe"],
)
def test_heads_are_compiled_as_they_are(encoder, rows, head):
    X, Y = rows
    *scalers, last = head
    if isinstance(last, LogisticRegression):
        last = OneVsRestClassifier(last)
    step = EmbeddingEncoder(encoder, verbose=0)
    model = make_pipeline(step, *scalers, last).fit(X, Y)
    last.species_ = np.asarray(Y.columns)
    for rows_or_none in X, None:
        compiled = compile_pipeline(model, rows_or_none, precision="float32")
        assert compiled.max_difference_ < 1e-6


def test_linear_heads_are_compared_without_rows_too(fitted, monkeypatch):
    def wrong(head):
        return np.ones((3, 3)), np.zeros(3)

    monkeypatch.setattr("skbird.inference._compile.linear_of", wrong)
    with pytest.raises(ValueError, match="a probability differs by"):
        compile_pipeline(fitted, precision="float32")


@pytest.mark.parametrize("pooling", ["max", "meanmax"])
def test_poolings_are_compiled(encoder, rows, pooling):
    X, Y = rows
    model = probe(encoder, pooling=pooling).fit(X, Y)
    model[-1].species_ = np.asarray(Y.columns)
    assert compile_pipeline(model, X, precision="float32").max_difference_ < 1e-6


def test_corrected_activations_are_not_read_from_the_cache(encoder, rows, tmp_path):
    X, Y = rows
    options = {"cache_dir": tmp_path, "verbose": 0}
    found = {}
    for activation in ("none", "sigmoid"):
        changed = encoder.with_spec(replace(encoder.spec, activation=activation))
        model = PretrainedScores(changed, **options).fit(X, Y)
        found[activation] = model.predict_proba(X)
    np.testing.assert_allclose(found["sigmoid"], expit(found["none"]), atol=0.3)
    assert not np.allclose(found["none"], found["sigmoid"])


def test_other_probabilities_of_coefficients_are_not_taken_for_logistic(encoder, rows):
    X, Y = rows
    head = OneVsRestClassifier(SVC(kernel="linear", probability=True, random_state=0))
    model = make_pipeline(EmbeddingEncoder(encoder, verbose=0), head)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model.fit(X, Y)
    head = model[-1]
    head.species_ = np.asarray(Y.columns)
    compiled = compile_pipeline(model, precision="float32")
    np.testing.assert_allclose(
        compiled.predict_proba(X), model.predict_proba(X), atol=1e-6
    )


def test_other_heads_stay_as_they_are(encoder, rows, models_folder):
    from sklearn.neighbors import KNeighborsClassifier

    X, Y = rows
    model = make_pipeline(EmbeddingEncoder(encoder, verbose=0), KNeighborsClassifier(1))
    model.fit(X, Y)
    model[-1].species_ = np.asarray(Y.columns)
    compiled = compile_pipeline(model, X, precision="float32")
    assert compiled.max_difference_ == 0
    with pytest.raises(TypeError, match="PooledHead is none of"):
        save_model(compiled, models_folder / "no.skbird")


def test_unreadable_rows_are_nan_in_compiled_pipelines(fitted, rows, folder):
    (folder / "bad.wav").write_bytes(b"RIFF")
    X = pd.DataFrame({"path": [rows[0]["path"][0], str(folder / "bad.wav")]})
    compiled = compile_pipeline(fitted, precision="float32")
    compiled.front_end[-1].on_error = "skip"
    with pytest.warns(UserWarning, match="1 of 2 rows cannot be used"):
        proba = compiled.predict_proba(X)
    assert np.isnan(proba).all(axis=1).tolist() == [False, True]


def test_model_files_name_their_encoder(fitted, rows, models_folder, tmp_path):
    X, _ = rows
    save_model(compile_pipeline(fitted), tmp_path / "toads.skbird")
    model = load_model(tmp_path / "toads.skbird")
    assert model.front_end[-1].encoder.spec.name == "toads"
    np.testing.assert_allclose(
        model.predict_proba(X), fitted.predict_proba(X), atol=1e-6
    )
    assert b"MatMul" not in (tmp_path / "toads.skbird").read_bytes()  # no weights


def test_scores_of_encoders_are_saved(encoder, rows, models_folder, tmp_path):
    X, Y = rows
    model = PretrainedScores(encoder, verbose=0).fit(X, Y[list(SPECIES[::-1])])
    save_model(compile_pipeline(model), tmp_path / "toads.skbird")
    again = load_model(tmp_path / "toads.skbird")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.species_.tolist() == list(SPECIES[::-1])


@pytest.mark.parametrize("pooling", ["lse", "attention"])
def test_heads_that_look_at_windows_are_saved(
    encoder, rows, models_folder, tmp_path, pooling
):
    X, Y = rows
    head = AttentionProbe(pooling=pooling, threshold=0.3)
    model = make_pipeline(EmbeddingEncoder(encoder, output="windows", verbose=0), head)
    compiled = compile_pipeline(model.fit(X, Y))
    save_model(compiled, tmp_path / "toads.skbird")
    again = load_model(tmp_path / "toads.skbird")
    np.testing.assert_allclose(
        again.predict_proba(X), model.predict_proba(X), atol=1e-6
    )
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.species_.tolist() == list(SPECIES)
    for name in ("mean_", "intercept_", "attention_coef_"):
        probe = copy.deepcopy(compiled)
        setattr(probe.network, name, np.ones((1, 7)))
        with pytest.raises(TypeError, match=rf"{name} has shape \("):
            save_model(probe, tmp_path / "wrong.skbird")


def test_without_the_encoder_a_model_file_says_what_is_missing(
    fitted, models_folder, tmp_path, monkeypatch
):
    save_model(compile_pipeline(fitted), tmp_path / "toads.skbird")
    monkeypatch.setenv("SKBIRD_ENCODERS", str(tmp_path / "elsewhere"))
    with pytest.raises(FileNotFoundError, match=r"put toads\.onnx into .*elsewhere"):
        load_model(tmp_path / "toads.skbird")


def test_another_file_of_the_encoder_is_refused(
    fitted, models_folder, tmp_path, monkeypatch
):
    save_model(compile_pipeline(fitted), tmp_path / "toads.skbird")
    other = tmp_path / "other" / "toads"
    other.mkdir(parents=True)
    path = write_encoder(other)
    changed = onnx.load(path)
    changed.doc_string = "another"
    onnx.save(changed, path)
    monkeypatch.setenv("SKBIRD_ENCODERS", str(tmp_path / "other"))
    with pytest.raises(ModelFileError, match="another file of toads"):
        load_model(tmp_path / "toads.skbird")


@pytest.mark.slow
def test_predicts_in_a_fresh_process_without_torch(
    fitted, rows, models_folder, tmp_path
):
    X, _ = rows
    save_model(compile_pipeline(fitted), tmp_path / "toads.skbird")
    code = f"""{HIDE}
from skbird.inference import load_model
proba = load_model({str(tmp_path / "toads.skbird")!r}).predict_proba({list(X["path"])})
print(*proba.argmax(axis=1))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(k % 3) for k in range(12)]


def predict_slowly(models_folder, file, *args, **options):
    os.environ["SKBIRD_ENCODERS"] = str(models_folder)
    fast = CompiledProbe.predict_proba

    def slow(self, X):
        time.sleep(0.15)
        return fast(self, X)

    CompiledProbe.predict_proba = slow
    predict_archive(load_model(file), *args, **options)


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, pytest.param(3, marks=pytest.mark.thorough)])
def test_an_archive_that_is_killed(fitted, rows, models_folder, tmp_path, n):
    X, _ = rows
    save_model(compile_pipeline(fitted), tmp_path / "toads.skbird")
    options = {"segment_s": 1.0, "block_s": 5.0, "verbose": 0}

    def predict(out):
        model = load_model(tmp_path / "toads.skbird")
        return predict_archive(model, list(X["path"]), out, **options).read()

    whole, killed = predict(tmp_path / "whole"), tmp_path / "killed"
    for n_parts in range(n):
        file = tmp_path / "toads.skbird"
        args = models_folder, file, list(X["path"]), killed
        work = started(predict_slowly, *args, **options)
        while work.exitcode is None and len(part_paths(killed)) <= n_parts:
            time.sleep(0.02)
        work.kill()
        work.join()
    assert n <= len(part_paths(killed)) < 6  # it was killed at work
    pd.testing.assert_frame_equal(predict(killed), whole)


def run(*arguments):
    result = CliRunner().invoke(app, [*map(str, arguments)], prog_name="skbird")
    return result.exit_code, result.output


@pytest.fixture
def known_toads(models_folder, encoder, monkeypatch):
    """Let skbird know the model by its name."""
    monkeypatch.setitem(known_specs(), "toads", encoder.spec)


def test_predict_takes_the_name_of_an_encoder(known_toads, rows, tmp_path):
    X, Y = rows
    out = tmp_path / "events.csv"
    code, text = run("predict", "toads", *X["path"], "--out", out)
    assert code == 0, text
    events = pd.read_csv(out)
    found = events.groupby("path")["species"].agg(set)
    for path, (_, row) in zip(X["path"], Y.iterrows(), strict=True):
        assert found[path] == {row.idxmax()}


def test_predict_takes_the_file_of_an_encoder(models_folder, encoder, rows, tmp_path):
    X, _ = rows
    model = models_folder / "toads" / "toads.onnx"
    code, text = run("predict", model, *X["path"], "--out", tmp_path / "a.csv")
    assert code == 0, text
    assert set(pd.read_csv(tmp_path / "a.csv")["species"]) == set(SPECIES)
    code, text = run("models", "info", model)
    assert code == 2
    assert "is a pretrained model (`skbird models list`), which has no" in text


def test_raven_tables_of_an_encoder_open_again(known_toads, rows, tmp_path):
    from skbird.annotations import read_raven

    X, _ = rows
    code, text = run(
        "predict", "toads", *X["path"], "--out", tmp_path / "t", "--format", "raven"
    )
    assert code == 0, text
    tables = sorted((tmp_path / "t").glob("*.txt"))
    assert len(tables) == 12
    assert set(read_raven(tables)["species"]) == set(SPECIES)


def test_models_list_says_what_there_is():
    code, text = run("models", "list")
    assert code == 0
    for name in ("birdnet-2.4", "perch-2", "yamnet"):
        assert name in text
    assert "CC BY-NC-SA 4.0" in text


def test_an_unknown_name_is_neither_file_nor_model(tmp_path):
    code, text = run("predict", "birdnet-9", os.devnull, "--out", tmp_path / "a.csv")
    assert code == 2
    assert "skbird models list" in text


def test_a_folder_may_be_called_as_an_encoder(known_toads, rows, tmp_path, monkeypatch):
    X, _ = rows
    path = Path(X["path"][0]).absolute()
    monkeypatch.chdir(tmp_path)
    for out in "toads/first.csv", "toads/second.csv":  # the first makes the folder
        Path(out).parent.mkdir(exist_ok=True)
        code, text = run("predict", "toads", path, "--out", out)
        assert code == 0, text


def test_info_of_an_encoder_is_in_the_list(known_toads):
    code, text = run("models", "info", "toads")
    assert code == 2
    assert "toads is a pretrained model (`skbird models list`), which has no" in text


def test_scores_say_what_the_encoder_may_have_heard(
    known_toads, encoder, rows, tmp_path, monkeypatch
):
    training = (TrainingSource("XC", "2023-06-01"),)
    heard = replace(encoder.spec, training=training)
    monkeypatch.setitem(known_specs(), "toads", heard)
    X, Y = rows
    table = X[["path"]].assign(primary_label=Y.idxmax(axis=1).to_numpy())
    table["collection"] = ["XC"] * 6 + ["own"] * 6
    table["date"] = "2020-05-01"
    table["uploaded"] = "2020-06-01"
    table.to_csv(tmp_path / "rows.csv", index=False)
    code, text = run("evaluate", "toads", tmp_path / "rows.csv")
    assert code == 0, text
    assert "toads may have been trained on 6 of 12 rows" in text


def test_model_files_say_which_encoder_they_need(known_toads, encoder, rows, tmp_path):
    X, Y = rows
    model = PretrainedScores(encoder, verbose=0).fit(X, Y)
    save_model(model, tmp_path / "toads.skbird")
    code, text = run("models", "info", tmp_path / "toads.skbird")
    assert code == 0, text
    assert "encoder toads; license of its weights: CC0" in text


def test_rows_are_as_long_as_windows(encoder, rows):
    from skbird.cli._models import row_length

    X, Y = rows
    assert row_length(PretrainedScores(encoder, verbose=0).fit(X, Y)) == 1.0


def test_the_code_of_the_page_runs(encoder, rows, tmp_path, monkeypatch, capsys):
    page = Path(__file__).parent.parent / "docs" / "encoders.md"
    code = "".join(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
    monkeypatch.chdir(tmp_path)
    X, Y = rows
    exec(code.replace('"birdnet-2.4"', "encoder"), {"X": X, "Y": Y, "encoder": encoder})
    assert capsys.readouterr().out.count("[[") == 2
    (spec,) = re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL)
    (tmp_path / "toads.toml").write_text(spec)
    assert read_spec(tmp_path / "toads.toml").class_names == SPECIES[:2]
