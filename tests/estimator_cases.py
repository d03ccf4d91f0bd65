"""One instance of each public estimator, as the battery checks it."""

import librosa
import numpy as np
import onnx
from conftest import RATE
from sklearn.pipeline import Pipeline

from skbird.compose import CallTypeClassifier
from skbird.data import SpectrogramFormat
from skbird.ensemble import FoldEnsemble, MultilabelVotingClassifier, SeedEnsemble
from skbird.inference import CompiledNetwork, CompiledPipeline
from skbird.nn import CNNClassifier, SEDClassifier
from skbird.postprocessing import (
    ConformalClassifier,
    MultilabelCalibrator,
    SoundscapeReweighter,
    SoundscapeReweighterCV,
    ThresholdTuner,
)
from skbird.preprocessing import (
    BandPass,
    LogMel,
    Resampler,
    RMSFilter,
    Segmenter,
    SpectrogramStatistics,
    VADFilter,
)
from skbird.semi_supervised import PseudoLabelSelfTraining
from skbird.utils.estimator_checks import LevelClassifier


def make_tiny_onnx():
    """Return an ONNX model: the mean over time, and a linear layer for two species."""
    helper = onnx.helper
    segments, logits = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", *shape])
        for name, shape in (("segments", (79, 32)), ("logits", (2,)))
    )
    weights = 0.01 * np.random.default_rng(0).normal(size=(32, 2)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["segments", "axes"], ["mean"], keepdims=0),
            helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
        ],
        "tiny",
        [segments],
        [logits],
        [
            onnx.numpy_helper.from_array(weights, "weights"),
            onnx.numpy_helper.from_array(np.array([1]), "axes"),
        ],
    )
    opset = helper.make_opsetid("", 18)
    return helper.make_model(
        graph, opset_imports=[opset], ir_version=8
    ).SerializeToString()


NET = {
    "backbone": "test_efficientnet",
    "backbone_weights": None,
    "max_epochs": 1,
    "batch_size": 16,
}
NET |= {"verbose": 0, "random_state": 0}
MEL = LogMel(n_mels=32, hop_length=1024, n_jobs=1, verbose=0)
MEL_HZ = librosa.mel_frequencies(34, fmin=20, fmax=RATE / 2)[1:-1]
NETWORK = CompiledNetwork(
    make_tiny_onnx(),
    SpectrogramFormat(tuple(MEL_HZ), 1024 / RATE),
    ["wren", "dove"],
    "max",
    n_threads=1,
)
LEVELS = LevelClassifier(random_state=0)

ESTIMATORS = [
    LevelClassifier(),
    Resampler(8000),
    BandPass(300, 3000),
    Segmenter(2.0),
    VADFilter(),
    RMSFilter(scope="train", use_at_predict=True),
    LogMel(n_mels=16, verbose=0),
    SpectrogramStatistics(),
    CNNClassifier(**NET),
    SEDClassifier(**NET),
    CallTypeClassifier(LEVELS, min_recordings=2),
    SoundscapeReweighter(LEVELS),
    SoundscapeReweighterCV(LEVELS, cv=2),
    MultilabelCalibrator(LEVELS, cv=2),
    ThresholdTuner(LEVELS, cv=2),
    ConformalClassifier(LEVELS, cv=2),
    MultilabelVotingClassifier([("a", LEVELS), ("b", LevelClassifier(1))]),
    SeedEnsemble(LEVELS, n_estimators=2),
    FoldEnsemble(LEVELS, cv=2),
    PseudoLabelSelfTraining(LEVELS, verbose=0),
    NETWORK,
    CompiledPipeline(Pipeline([("logmel", MEL)]), NETWORK, verbose=0),
]
