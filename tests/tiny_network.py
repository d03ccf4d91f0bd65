"""A compiled network that is small, and made without torch."""

import numpy as np
import onnx

from skbird.data import SpectrogramFormat
from skbird.inference import CompiledNetwork
from skbird.preprocessing import LogMel, mel_frequencies

RATE = 16_000


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


MEL = LogMel(n_mels=32, hop_length=1024, n_jobs=1, verbose=0)
MEL_HZ = mel_frequencies(34, 20, RATE / 2, htk=False)[1:-1]
NETWORK = CompiledNetwork(
    make_tiny_onnx(),
    SpectrogramFormat(tuple(MEL_HZ), 1024 / RATE),
    ["wren", "dove"],
    "max",
    n_threads=1,
)
