"""Make all sizes in a program constants, so that it can be checked without a run."""

import numpy as np

from skbird.utils._extras import install_hint

# The input of an operator that is nothing but the shape of its result.
_SHAPE_OF_RESULT = {"Expand": 1, "Reshape": 1, "Resize": 3}


def fix_sizes(program, shape):
    """Return a program in which no size is computed, for batches of one shape.

    Some networks, such as MobileViT, ask for the shape of what they compute and compute
    with it. Where the shape of the batches is known, all of that is constant.

    Parameters
    ----------
    program : bytes
        An ONNX model that can be trusted.
    shape : tuple of int
        (batch_size, n_frames, n_mels) of the segments that it will get.

    Returns
    -------
    bytes
        The same program if it computes no shapes. Other sizes, such as where a slice
        begins, stay computed.
    """
    onnx = import_onnx()
    model = onnx.load_from_string(program)
    constants = {tensor.name for tensor in model.graph.initializer}
    constants |= {n.output[0] for n in model.graph.node if n.op_type == "Constant"}
    computed = [
        (node, position)
        for node in model.graph.node
        if len(node.input) > (position := _SHAPE_OF_RESULT.get(node.op_type, 999))
        and node.input[position] not in constants
    ]
    if not computed:
        return program
    set_input_shape(model.graph, shape)
    del model.graph.value_info[:]
    found = onnx.shape_inference.infer_shapes(model, data_prop=True)
    shapes = {info.name: shape_of(info) for info in found.graph.value_info}
    for node, position in computed:
        result = shapes.get(node.output[0])
        if result is None:
            continue
        name = f"{node.output[0]}_shape"
        values = np.array(result, dtype=np.int64)
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
        node.input[position] = name
    _remove_unused(model.graph)
    return model.SerializeToString()


def import_onnx():
    """Import onnx, which reads and checks programs."""
    try:
        import onnx
    except ImportError as exc:
        raise ImportError(
            f"Model files need onnx; install it with: {install_hint('cpu')}"
        ) from exc
    return onnx


def set_input_shape(graph, shape):
    """Set the shape of the only input of an ONNX graph."""
    kind = graph.input[0].type.tensor_type
    kind.ClearField("shape")
    for n in shape:
        kind.shape.dim.add().dim_value = n


def shape_of(info):
    """Return the shape in a ValueInfoProto, a list, or None if it is not known."""
    kind = info.type.tensor_type
    dims = [d.dim_value if d.HasField("dim_value") else -1 for d in kind.shape.dim]
    return dims if kind.HasField("shape") and min(dims, default=1) > 0 else None


def _remove_unused(graph):
    used = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):  # in the order in which they are computed
        if used.intersection(node.output):
            used.update(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    weights = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(weights)
