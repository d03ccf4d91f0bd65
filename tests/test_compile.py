"""Compiled pipelines say what the pipelines say, without torch."""

import copy
import io
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import RATE, livened
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline
from tiny_cnn import TinyCNN, TinySED

from skbird.audio import AudioReadError
from skbird.data import segment_table
from skbird.ensemble import MultilabelVotingClassifier, SeedEnsemble, combine_proba
from skbird.nn import CNNClassifier, SEDClassifier
from skbird.postprocessing import SoundscapeReweighter, ThresholdTuner
from skbird.preprocessing import (
    BandPass,
    LogMel,
    Resampler,
    RMSFilter,
    Segmenter,
    SpectrogramStatistics,
)

pytest.importorskip("onnxscript")
pytest.importorskip("openvino")
from skbird.inference import CompiledPipeline, compile_pipeline
from skbird.inference import _compile as compile_module
from skbird.inference import _pipeline as pipeline_module
from skbird.inference._engines import has_fast_bf16
from skbird.inference._pipeline import cut_blocks

NET = {
    "random_state": 0,
    "backbone_weights": None,
    "max_epochs": 1,
    "batch_size": 8,
    "verbose": 0,
}


def make(net, **logmel):
    return Pipeline(
        [
            ("resample", Resampler(RATE)),
            ("band", BandPass(100, 7000)),
            ("segment", Segmenter(1.0, overlap=0.5)),
            ("logmel", LogMel(n_mels=32, verbose=0, **logmel)),
            ("net", net),
        ]
    )


def count_rows(monkeypatch):
    """Return a list that gets the number of rows of each transform of a LogMel."""
    counts, transform = [], LogMel.transform

    def count(self, X):
        counts.append(len(X))
        return transform(self, X)

    monkeypatch.setattr(LogMel, "transform", count)
    return counts


def modules_of(pickled):
    """List the modules that a pickle imports."""
    found = []

    class Finder(pickle.Unpickler):
        def find_class(self, module, name):
            found.append(module)
            return super().find_class(module, name)

    Finder(io.BytesIO(pickled)).load()
    return found


needs_bf16 = pytest.mark.skipif(
    not has_fast_bf16(), reason="this CPU does not compute in bfloat16"
)


@pytest.fixture(scope="module")
def rows(bird_folder):
    X = segment_table(list(bird_folder["path"]), segment_s=2.0, step_s=2.0)
    species = X["path"].map(bird_folder.set_index("path")["species"])
    return X, pd.get_dummies(species).astype(np.float32)


@pytest.fixture(scope="module")
def fitted(rows):
    net = CNNClassifier(module=TinyCNN, **NET)
    return livened(make(net, on_error="skip").fit(*rows))


@pytest.fixture(scope="module")
def compiled(fitted):
    return compile_pipeline(fitted, precision="float32")


SHIFTED = {**NET, "tta_shifts_s": (-0.5, 0.5), "pooling": "mean", "threshold": 0.1}


@pytest.mark.slow
@pytest.mark.parametrize(
    "net",
    [
        CNNClassifier(module=TinyCNN, **SHIFTED),
        pytest.param(
            CNNClassifier("test_efficientnet", **SHIFTED), marks=pytest.mark.thorough
        ),
        SEDClassifier(attention="frequency", pooling="lse", module=TinySED, **NET),
        SEDClassifier(attention="time", frame_scores=True, module=TinySED, **NET),
    ],
    ids=["cnn, tta", "efficientnet, tta", "sed", "sed, frame scores"],
)
def test_same_probabilities(rows, net):
    X, Y = rows
    model = livened(make(net).fit(X, Y))
    assert np.ptp(model.predict_proba(X), axis=0).min() > 1e-3
    compiled = compile_pipeline(model, X, precision="float32")
    assert compiled.max_difference_ < 1e-4
    by_ort = copy.deepcopy(compiled)
    by_ort.network.backend = "onnxruntime"
    by_torch = compile_pipeline(model, X, backend="torch", precision="float32")
    for other in (compiled, by_ort, pickle.loads(pickle.dumps(by_torch))):
        np.testing.assert_allclose(
            other.predict_proba(X), model.predict_proba(X), atol=1e-5
        )
    proba = compiled.predict_proba(X)
    np.testing.assert_array_equal(compiled.predict(X), proba >= net.threshold)
    assert list(compiled.species_) == ["dove", "wren"]


@pytest.mark.slow
def test_filters_keep_what_they_learned(rows, fitted):
    X, _ = rows
    model = make(fitted["net"])
    loudest = RMSFilter(0.9, scope="train", mode="drop", use_at_predict=True)
    model.steps.insert(3, ("loud", loudest.fit(model[:3].transform(X))))
    compiled = compile_pipeline(model, X, precision="float32")
    assert compiled.max_difference_ < 1e-4
    assert compiled.front_end["loud"].limit_ == loudest.limit_
    apart = np.abs(compiled.predict_proba(X) - fitted.predict_proba(X)).max()
    assert apart > 1e-3


@needs_bf16
def test_bf16_stays_near(rows, fitted, compiled):
    X, _ = rows
    rough = copy.deepcopy(compiled)
    rough.network.precision = "bfloat16"
    difference = np.abs(rough.predict_proba(X) - fitted.predict_proba(X)).max()
    assert 0 < difference < 0.2


@pytest.mark.slow
def test_loads_and_predicts_without_torch(rows, compiled, tmp_path):
    X, _ = rows
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps((compiled, X, compiled.predict_proba(X))))
    code = (
        "import pickle, sys\n"
        "class NoTorch:\n"
        "    def find_spec(self, name, *args):\n"
        "        if name in ('torch', 'skorch', 'timm', 'torchaudio'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, NoTorch())\n"
        "model, X, proba = pickle.load(open(sys.argv[1], 'rb'))\n"
        "assert abs(model.predict_proba(X) - proba).max() < 1e-6\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)


@pytest.mark.slow
def test_torch_in_bf16_and_small_batches(rows, fitted):
    X, _ = rows
    options = {"backend": "torch", "batch_size": 3, "n_threads": 1}
    n_threads = torch.get_num_threads()
    try:
        rough = compile_pipeline(
            fitted, X, precision="bfloat16", tolerance=0.2, **options
        )
        assert 0 < rough.max_difference_ < 0.2
    finally:
        torch.set_num_threads(n_threads)


def test_blocks_change_nothing(rows, compiled, monkeypatch):
    X, _ = rows
    whole = compiled.predict_proba(X)
    X = X.sample(frac=1, random_state=0)
    sizes = []
    transform = LogMel.transform
    monkeypatch.setattr(
        LogMel,
        "transform",
        lambda *args: sizes.append(len(args[1])) or transform(*args),
    )
    compiled.set_params(chunk_s=8.0)
    np.testing.assert_allclose(compiled.predict_proba(X), whole[X.index], atol=1e-6)
    assert len(sizes) > 3
    assert sum(sizes) == len(X)


@pytest.mark.slow
def test_threads_get_their_own_answers(rows, compiled):
    X, _ = rows
    halves = [compiled.front_end.transform(X[i::2]) for i in range(2)]
    network = pickle.loads(pickle.dumps(compiled.network))  # its engine is made anew
    network.set_params(batch_size=1)
    expected = [network.predict_proba(half) for half in halves]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(network.predict_proba, halves * 20))
    for number, answer in enumerate(answers):
        np.testing.assert_allclose(answer, expected[number % 2], atol=1e-6)


def test_segments_after_some_that_cannot_be_read_get_their_own_answers(compiled):
    network = pickle.loads(pickle.dumps(compiled.network))
    shape = network.input_shape
    quiet, loud = np.full(shape, -90.0), np.full(shape, -20.0)

    def broken():
        yield from [loud] * 8
        raise AudioReadError("gone")

    expected = network._run([quiet])
    for _ in range(5):
        with pytest.raises(AudioReadError, match="gone"):
            network._run(broken())
        np.testing.assert_allclose(network._run([quiet]), expected, atol=1e-6)


def test_blocks_are_whole_files_of_a_given_length():
    paths = pd.Series(["a", "b", "a", "c", "d", "b"])
    seconds = np.array([3.0, 2.0, 3.0, 9.0, 1.0, 2.0])
    blocks = [block.tolist() for block in cut_blocks(paths, seconds, 8.0)]
    assert blocks == [[0, 1, 2, 5], [3], [4]]


@pytest.mark.slow
def test_unreadable_rows_are_listed_whatever_their_block(rows, compiled, tmp_path):
    X, _ = rows
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"not audio")
    X = pd.concat(
        [X[:5], pd.DataFrame({"path": [str(noise)]}), X[5:]], ignore_index=True
    )
    compiled = copy.deepcopy(compiled).set_params(chunk_s=4.0)
    with pytest.warns(UserWarning, match=r"1 of \d+ rows cannot be used.*row 5"):
        proba = compiled.predict_proba(X)
    assert np.isnan(proba[5]).all()
    assert np.isfinite(np.delete(proba, 5, axis=0)).all()
    assert compiled.errors_["row"].tolist() == [5]
    with pytest.warns(UserWarning, match="1 of 1 row cannot be used") as seen:
        assert np.isnan(compiled.predict_proba([noise])).all()
    assert len(seen) == 1


def test_unreadable_rows_are_named_early(rows, compiled, tmp_path, monkeypatch):
    compiled = copy.deepcopy(compiled)
    compiled.front_end.set_params(logmel__on_error="raise")
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"not audio")
    X = [*rows[0]["path"].unique(), str(noise)]
    monkeypatch.setattr(LogMel, "transform", None)
    with pytest.raises(AudioReadError, match=r"noise\.wav.*\n.*on_error='skip'"):
        compiled.predict_proba(X)


@pytest.mark.slow
def test_members_with_one_front_end_share_it(rows, fitted, monkeypatch):
    X, _ = rows
    model = SeedEnsemble(fitted)
    model.estimators_ = [fitted, copy.deepcopy(fitted)]
    model.species_, model.classes_ = fitted[-1].species_, fitted[-1].classes_
    compiled = compile_pipeline(model, X, precision="float32")
    assert isinstance(compiled, CompiledPipeline)
    passes = count_rows(monkeypatch)
    pickle.loads(pickle.dumps(compiled)).predict_proba(X)
    assert len(passes) == 1


@pytest.mark.slow
def test_members_with_other_front_ends_and_ranks_predict_by_themselves(rows, fitted):
    X, Y = rows
    other = make(CNNClassifier(module=TinyCNN, **NET), hop_length=256).fit(X, Y)
    members = [("one", FrozenEstimator(fitted)), ("two", FrozenEstimator(other))]
    model = MultilabelVotingClassifier(members, weights=[1, 3], voting="rank")
    model.fit(X, Y)
    compiled = compile_pipeline(model, precision="float32")
    assert isinstance(compiled, MultilabelVotingClassifier)
    assert isinstance(compiled.estimators_[1], CompiledPipeline)
    # Not the ranks of the model: rounding may swap two rows that are nearly alike.
    ranks = combine_proba(
        [member.predict_proba(X) for member in compiled.estimators_],
        weights=[1, 3],
        voting="rank",
    )
    np.testing.assert_allclose(compiled.predict_proba(X), ranks)


def test_ranks_within_blocks_are_refused_however_deep(rows, fitted):
    X, Y = rows
    *front, (_, net) = fitted.steps
    members = [("one", FrozenEstimator(net)), ("two", FrozenEstimator(net))]
    ranks = MultilabelVotingClassifier(members, voting="rank")
    spectrograms = fitted[:-1].transform(X)
    tuner = ThresholdTuner(FrozenEstimator(ranks.fit(spectrograms, Y)))
    model = Pipeline([*front, ("tuner", tuner.fit(spectrograms, Y))])
    with pytest.raises(TypeError, match="'rank' ranks all rows"):
        compile_pipeline(model)


def test_around_a_reweighter(rows, fitted):
    X, Y = rows
    model = SoundscapeReweighter(FrozenEstimator(fitted), level_power=0.5).fit(X, Y)
    compiled = compile_pipeline(model, X, precision="float32")
    assert compiled.max_difference_ < 1e-4
    assert type(compiled) is SoundscapeReweighter
    assert model.estimator_.estimator is fitted
    packages = {name.split(".")[0] for name in modules_of(pickle.dumps(compiled))}
    assert packages & {"torch", "skorch", "timm"} == set()


def test_the_cache_of_the_training_is_left_alone(rows, fitted, tmp_path):
    model = Pipeline([*make(None, cache_dir=tmp_path).steps[:-1], fitted.steps[-1]])
    compiled = compile_pipeline(model, precision="float32")
    compiled.predict_proba(rows[0])
    assert not list(tmp_path.iterdir())
    assert model["logmel"].cache_dir == tmp_path


@needs_bf16
def test_a_difference_above_the_tolerance_is_refused(fitted):
    with pytest.raises(ValueError, match=r"differs by .* more than tolerance=1e-12"):
        compile_pipeline(fitted, precision="bfloat16", tolerance=1e-12)


def test_auto_is_float32_where_bfloat16_is_too_coarse(fitted, monkeypatch):
    # Also on CPUs that compute in float32 whatever they are asked.
    monkeypatch.setattr(compile_module, "has_fast_bf16", lambda: True)
    limits = {"float32": 1.0, "bfloat16": 0.05}
    monkeypatch.setattr(compile_module, "_TOLERANCES", limits)
    assert compile_pipeline(fitted).network.precision == "bfloat16"
    monkeypatch.setattr(compile_module, "_TOLERANCES", limits | {"bfloat16": -1.0})
    assert compile_pipeline(fitted).network.precision == "float32"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "tensorrt"}, r"backend='tensorrt' must be one of openvino"),
        ({"precision": "float16"}, "precision='float16' is for training on CUDA"),
        ({"precision": "int8"}, r"precision='int8' must be one of float32, bfloat16"),
        (
            {"backend": "onnxruntime", "precision": "bfloat16"},
            r"no precision='bfloat16'",
        ),
    ],
)
def test_refuses_what_it_does_not_know(fitted, options, message):
    with pytest.raises(ValueError, match=message):
        compile_pipeline(fitted, **options)


def test_names_what_to_install(fitted, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ImportError, match=r"pip install .*\[cpu\]'"):
        compile_pipeline(fitted)


def test_needs_a_fitted_network(rows):
    X, Y = rows
    with pytest.raises(NotFittedError, match="not fitted yet"):
        compile_pipeline(make(CNNClassifier(module=TinyCNN, **NET)))
    logistic = MultiOutputClassifier(LogisticRegression())
    steps = [*make(None).steps[:-1], ("mean", SpectrogramStatistics()), ("l", logistic)]
    with pytest.raises(TypeError, match=r"ends in MultiOutputClassifier.*network"):
        compile_pipeline(Pipeline(steps).fit(X, Y))
    with pytest.raises(TypeError, match=r"LogisticRegression is no network"):
        compile_pipeline(LogisticRegression().fit(np.eye(2), [0, 1]))


def test_shows_progress(rows, compiled, capsys, monkeypatch):
    shown = {}
    original = pipeline_module.progress_bar
    monkeypatch.setattr(
        pipeline_module,
        "progress_bar",
        lambda **options: shown.update(options) or original(**options),
    )
    compiled.predict_proba(rows[0])
    assert shown["total"] == pytest.approx(rows[0].eval("end - start").sum(), abs=1)
