"""ONNX files with the names and shapes of published models, and next to no weights."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

N_PARTS = 16  # of a window


def levels(windows):
    """Return what all outputs are made of: the level of each part of a window."""
    parts = windows.reshape(len(windows), N_PARTS, -1)
    return np.abs(parts).mean(axis=2)


def weights(n):
    """Return the matrix that makes n values of the levels."""
    return np.random.default_rng(n).standard_normal((N_PARTS, n)).astype(np.float32)


def expected(windows, *shape, activation=None):
    """Return what an output of a shape is."""
    values = levels(windows) @ weights(shape[-1])
    if activation == "Sigmoid":
        values = 1 / (1 + np.exp(-values))
    for size in reversed(shape[:-1]):
        values = np.repeat(values[:, None], size, axis=1)
    return values


def write_model(path, input_name, n_samples, outputs, *, batch="batch", inner=()):
    """Write a model; return its path.

    Parameters
    ----------
    path : Path
    input_name : str
    n_samples : int
        Of a window.
    outputs : dict of str to tuple
        Name and shape of each; "Sigmoid" as the last of a shape is applied.
    batch : str or int
        The size of a batch, if it is fixed.
    inner : sequence of str
        Outputs that the graph computes and does not give out.
    """
    size = np.array([-1, N_PARTS, n_samples // N_PARTS])
    nodes = [
        helper.make_node("Reshape", [input_name, "size"], ["parts"]),
        helper.make_node("Abs", ["parts"], ["absolute"]),
        helper.make_node("ReduceMean", ["absolute"], ["levels"], axes=[2], keepdims=0),
    ]
    constants = {"size": size}
    given = []
    for k, (name, shape) in enumerate(outputs.items()):
        *shape, last = shape
        activation = last if isinstance(last, str) else "Identity"
        shape = shape if isinstance(last, str) else [*shape, last]
        steps = [("MatMul", f"weights{k}")]
        constants[f"weights{k}"] = weights(shape[-1])
        for axis in range(len(shape) - 1):
            constants[f"axis{k}{axis}"] = np.array([1])
            constants[f"tile{k}{axis}"] = np.array(
                [1, shape[len(shape) - 2 - axis], *[1] * (axis + 1)]
            )
            steps += [("Unsqueeze", f"axis{k}{axis}"), ("Tile", f"tile{k}{axis}")]
        at = "levels"
        for number, (kind, constant) in enumerate(steps):
            nodes.append(helper.make_node(kind, [at, constant], [f"at{k}{number}"]))
            at = f"at{k}{number}"
        nodes.append(helper.make_node(activation, [at], [name]))
        given.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, *shape])
        )
    window = helper.make_tensor_value_info(
        input_name, TensorProto.FLOAT, [batch, n_samples]
    )
    graph = helper.make_graph(
        nodes,
        "published",
        [window],
        [output for output in given if output.name not in inner],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


PERCH = {
    "embedding": (1536,),
    "spatial_embedding": (16, 4, 1536),
    "spectrogram": (500, 128),
    "label": (14795,),
}
