"""Exported networks: what any ONNX runtime makes of them is what the pipeline says."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import RATE, livened
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from tiny_cnn import TinyCNN, TinySED

from skbird.audio import read_audio
from skbird.data import Clip, ClipOp, segment_table
from skbird.inference import export_onnx
from skbird.inference._export import SamplesToSegments
from skbird.inference._onnx import _mel_matrix
from skbird.nn import CNNClassifier, SEDClassifier
from skbird.preprocessing import BandPass, LogMel, Resampler, RMSFilter, Segmenter
from skbird.preprocessing._clip_transformer import ClipTransformer

pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

# Seeded: some random networks amplify the rounding of spectrograms to 0.07.
NET = {
    "backbone_weights": None,
    "max_epochs": 1,
    "batch_size": 8,
    "random_state": 3,
    "verbose": 0,
}


class ReverseOp(ClipOp):
    def __call__(self, clip):
        return clip


class Reverse(ClipTransformer):
    def make_op(self):
        return ReverseOp()


@pytest.fixture(scope="module")
def rows(bird_folder):
    X = segment_table(list(bird_folder["path"]), segment_s=1.0, step_s=1.0)
    species = X["path"].map(bird_folder.set_index("path")["species"])
    return X, pd.get_dummies(species).astype(np.float32)


@pytest.fixture(scope="module")
def fitted(rows):
    model = make_pipeline(
        Resampler(RATE),
        BandPass(50, 16_000),
        Segmenter(1.0),
        RMSFilter(),
        LogMel(n_mels=32, high_hz=7000, verbose=0),
        CNNClassifier(module=TinyCNN, **NET),
    )
    return livened(model.fit(*rows))


def run(path, **inputs):
    session = onnxruntime.InferenceSession(path)
    return session.run(None, inputs)[0], session.get_modelmeta().custom_metadata_map


def samples_of(rows):
    stretches = zip(rows["path"], rows["start"], rows["end"], strict=True)
    return np.stack([read_audio(*stretch)[0] for stretch in stretches])


@pytest.mark.slow
def test_from_samples_to_probabilities(rows, fitted, tmp_path):
    X, _ = rows
    notes = export_onnx(fitted, tmp_path / "birds.onnx")
    proba, kept = run(tmp_path / "birds.onnx", samples=samples_of(X))
    expected = fitted.predict_proba(X)
    assert np.ptp(expected, axis=0).min() > 0.001
    np.testing.assert_allclose(proba, expected, atol=0.01)
    assert {name: json.loads(value) for name, value in kept.items()} == notes
    assert notes["sample_rate"] == RATE
    assert notes["n_samples"] == RATE
    assert notes["species"] == ["dove", "wren"]


def test_the_spectrogram_is_that_of_the_pipeline_but_for_the_edges(fitted):
    sound = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    model = make_pipeline(BandPass(1000, 5000), *[step for _, step in fitted.steps[2:]])
    mel = LogMel(n_mels=32, high_hz=7000).make_op()
    _, filters = _mel_matrix(model, mel)
    with torch.no_grad():
        frames = SamplesToSegments(mel, filters)(torch.from_numpy(sound)[None])[0]
    clip = BandPass(1000, 5000).make_op()(Clip(sound, RATE))
    np.testing.assert_allclose(frames[1:-1], mel(clip)[1:-1], atol=2)
    difference = np.abs(frames.numpy() - mel(clip))[1:-1]
    assert np.median(difference) < 0.05
    unfiltered = np.abs(mel(Clip(sound, RATE)) - mel(clip))[1:-1]
    assert unfiltered[:, 0].mean() > 20


@pytest.mark.slow
def test_from_segments_to_probabilities(rows, fitted, tmp_path):
    X, Y = rows
    spectrograms = fitted[:-1].transform(X)
    net = SEDClassifier(module=TinySED, attention="time", **NET).fit(spectrograms, Y)
    livened([net])
    notes = export_onnx(net, tmp_path / "net.onnx", inputs="segments")
    segments = spectrograms.segments(np.arange(len(X))).astype(np.float32)
    proba, _ = run(tmp_path / "net.onnx", segments=segments)
    assert next(net.module_.parameters()).device.type == net.device  # it has not moved
    net.set_params(device="cpu")  # GPUs round more
    np.testing.assert_allclose(proba, net.predict_proba(spectrograms), atol=1e-5)
    assert set(notes) == {"species", "segment_s"}


def test_refuses_what_cannot_be_exported(rows, fitted, tmp_path):
    path = tmp_path / "x.onnx"
    with pytest.raises(ValueError, match=r"inputs='waves' must be 'samples'"):
        export_onnx(fitted, path, inputs="waves")
    with pytest.raises(ValueError, match=r"needs the front end: pass the whole"):
        export_onnx(fitted[-1], path)
    with pytest.raises(TypeError, match=r"ends in LogisticRegression; a network"):
        export_onnx(LogisticRegression(), path)
    unfitted = make_pipeline(*clone(fitted))
    with pytest.raises(NotFittedError, match="not fitted yet"):
        export_onnx(unfitted, path)
    odd = make_pipeline(Reverse(), *[step for _, step in fitted.steps])
    with pytest.raises(TypeError, match=r"ReverseOp cannot be exported. Leave"):
        export_onnx(odd, path)
    assert not list(tmp_path.iterdir())
