"""A small pretrained model as an ONNX file, made in a moment."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from skbird.encoders import EncoderOutput, EncoderSpec, write_spec

RATE = 8000
WINDOW_S = 1.0
SPECIES = "Bufo bufo", "Rana arvalis", "Hyla arborea"
TONES = 500.0, 1500.0, 3000.0  # Hz, one for each species


def write_encoder(folder, name="toads", species=SPECIES, tones=TONES, **changes):
    """Write ``<name>.onnx`` and its spec; return the path of the model.

    It hears one tone for each species: the embedding has the level of each, and the
    score of a species is high where its tone is loud.
    """
    n = round(RATE * WINDOW_S)
    time = np.arange(n) / RATE
    waves = [f(2 * np.pi * hz * time) for hz in tones for f in (np.sin, np.cos)]
    matrix = np.array(waves, np.float32).T * 2 / n
    pairs = np.repeat(np.eye(len(tones), dtype=np.float32), 2, axis=0)
    nodes = [
        helper.make_node("MatMul", ["INPUT", "waves"], ["parts"]),
        helper.make_node("Mul", ["parts", "parts"], ["squares"]),
        helper.make_node("MatMul", ["squares", "pairs"], ["power"]),
        helper.make_node("Sqrt", ["power"], ["embedding"]),
        helper.make_node("Mul", ["embedding", "steep"], ["steeper"]),
        helper.make_node("Add", ["steeper", "bias"], ["logits"]),
    ]
    constants = {
        "waves": matrix,
        "pairs": pairs,
        "steep": np.float32([60.0]),
        "bias": np.float32([-3.0]),
    }
    graph = helper.make_graph(
        nodes,
        "toads",
        [helper.make_tensor_value_info("INPUT", TensorProto.FLOAT, ["batch", n])],
        [
            helper.make_tensor_value_info(out, TensorProto.FLOAT, ["batch", len(tones)])
            for out in ("embedding", "logits")
        ],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    path = folder / f"{name}.onnx"
    onnx.save(model, path)
    fields = {
        "name": name,
        "version": "1",
        "sample_rate": RATE,
        "window_s": WINDOW_S,
        "outputs": {
            "embedding": EncoderOutput("embedding", [len(tones)]),
            "scores": EncoderOutput("logits", [len(tones)]),
        },
        "input_name": "INPUT",
        "activation": "sigmoid",
        "class_names": species,
        "license": "CC0",
        "file": path.name,
    }
    write_spec(EncoderSpec(**fields | changes), path.with_suffix(".json"))
    return path
