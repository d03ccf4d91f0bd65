"""Reduce a program to what was checked, before an engine gets it.

Readers of ONNX do not agree on what counts where a message says something twice, such
as a number beside a list, or a claim of a shape. So all that is left in a program is
what its rules looked at, and the shapes that they found.
"""

from skbird.inference._fixed_sizes import import_onnx
from skbird.inference._program_operation import write_attributes

# By the names of messages, the fields that checks look at; others are removed.
_KEPT = {
    "ModelProto": "functions graph ir_version opset_import training_info",
    "GraphProto": (
        "initializer input node output quantization_annotation sparse_initializer"
    ),
    "NodeProto": "attribute domain input op_type output",
    "TensorProto": "data_location data_type dims external_data name raw_data",
}


def forget_unchecked(model):
    """Remove all fields of a program that no check looks at.

    Parameters
    ----------
    model : onnx.ModelProto
    """
    model.DiscardUnknownFields()
    for message in (model, model.graph, *model.graph.node, *model.graph.initializer):
        _keep_known(message)


def keep_attributes(node, attributes):
    """Rewrite the attributes of a node: only those that were read.

    Parameters
    ----------
    node : onnx.NodeProto
    attributes : dict
        From `read_attributes`.
    """
    del node.attribute[:]
    write_attributes(node, attributes)


def keep_value(node):
    """Strip the attribute of a checked ``Constant`` down to its tensor.

    Parameters
    ----------
    node : onnx.NodeProto
    """
    onnx = import_onnx()
    tensor = onnx.TensorProto()
    tensor.CopyFrom(node.attribute[0].t)
    _keep_known(tensor)
    tensor.ClearField("name")
    del node.attribute[:]
    kind = onnx.AttributeProto.TENSOR
    node.attribute.add(name="value", type=kind).t.CopyFrom(tensor)


def fix_form(model, tensors):
    """Give everything a plain name, and say of every result what shape it has.

    Parameters
    ----------
    model : onnx.ModelProto
        Checked.
    tensors : dict of str to Tensor
        All of its tensors by name.

    Returns
    -------
    dict of str to tuple of int
        The shape of each result, by its new name.
    """
    graph = model.graph
    names = {"": "", "segments": "segments"}
    results = [name for node in graph.node for name in node.output]
    for number, weights in enumerate(graph.initializer):
        names[weights.name] = weights.name = f"w{number}"
    names |= {name: f"r{number}" for number, name in enumerate(results)}
    names[graph.output[0].name] = "logits"
    for node in graph.node:
        node.domain = ""
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    version = model.opset_import[0].version
    del model.opset_import[:], graph.input[:], graph.output[:]
    model.opset_import.add(domain="", version=version)
    graph.name = "network"
    found = {names[name]: tensors[name] for name in ("segments", *results)}
    graph.input.append(_info("segments", found["segments"]))
    graph.output.append(_info("logits", found["logits"]))
    inner = found.keys() - {"segments", "logits"}
    graph.value_info.extend(_info(name, found[name]) for name in sorted(inner))
    return {name: tensor.dims for name, tensor in found.items()}


def _keep_known(message):
    kept = _KEPT[message.DESCRIPTOR.name].split()
    for field, _ in message.ListFields():
        if field.name not in kept:
            message.ClearField(field.name)


def _info(name, tensor):
    onnx = import_onnx()
    kind = onnx.helper.np_dtype_to_tensor_dtype(tensor.dtype)
    return onnx.helper.make_tensor_value_info(name, kind, tensor.dims)
