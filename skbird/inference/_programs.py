"""Check that an ONNX program from a model file is arithmetic of bounded size."""

import math
from typing import NamedTuple

import numpy as np

from skbird.inference._fixed_sizes import import_onnx
from skbird.inference._program_cost import Cost, preparation
from skbird.inference._program_form import (
    fix_form,
    forget_unchecked,
    keep_attributes,
    keep_value,
)
from skbird.inference._program_operation import (
    MAX_LIST,
    MAX_RANK,
    Operation,
    ProgramError,
    Tensor,
    read_attributes,
)
from skbird.inference._program_rules import RULES, results_of
from skbird.inference._protobuf import check_message

# OpenVINO takes seconds to compile so many, and minutes for ten times as many.
MAX_OPERATIONS = 4_000
_MAX_WEIGHTS = 2 * MAX_OPERATIONS
# Sets of operators, and versions of the format, that the rules are tested with.
_OPSETS, _FORMATS = range(18, 24), range(8, 13)
# So few numbers may be scales.
_SMALL = 16


class Checked(NamedTuple):
    """A program that is safe to run, and what it needs for one batch.

    Attributes
    ----------
    program : bytes
    n_bytes : int
        Beside the program itself.
    work : int
        Multiplications, about.
    n_operations : int
        How many simple operations take as long to make ready.
    shapes : dict of str to tuple of int
        Shapes of the results in the program, by name.
    """

    program: bytes
    n_bytes: int
    work: int
    n_operations: int
    shapes: dict


def check_program(program, *, shape, n_species, frame_scores):
    """Return an ONNX program, once it has been found to be arithmetic of bounded size.

    Parameters
    ----------
    program : bytes
    shape : tuple of int
        (batch_size, n_frames, n_mels) of the segments that it will get.
    n_species : int
        How many logits it must have.
    frame_scores : bool
        Whether the logits have a third axis, of steps.

    Returns
    -------
    Checked
        The same arithmetic, and nothing else that a reader could make something of.

    Raises
    ------
    ImportError
        If onnx is not installed.
    ProgramError
        If it is no ONNX, refers to other files, has operators that are not on the
        list, computes its sizes, has other inputs or outputs, or takes too long.
    """
    onnx = import_onnx()
    try:
        check_message(program)
        model = onnx.load_from_string(program)
    except ProgramError:
        raise
    except Exception as exc:  # protobuf has no public class of errors
        raise ProgramError(f"it is no ONNX model ({exc})") from exc
    forget_unchecked(model)
    _check_structure(model)
    n_operations = _count_operations(model.graph)
    tensors = _read_weights(model.graph)
    tensors["segments"] = Tensor(tuple(shape), moves=True)
    cost = Cost(tensors)
    for node in model.graph.node:
        operation, results = _check_node(node, tensors, model.opset_import[0].version)
        cost.add(operation, node, results)
        tensors.update(zip(node.output, results, strict=True))
    _check_logits(model.graph, tensors, shape, n_species, frame_scores)
    n_bytes = cost.n_bytes()
    shapes = fix_form(model, tensors)
    return Checked(model.SerializeToString(), n_bytes, cost.work, n_operations, shapes)


def _check_structure(model):
    """Refuse external files, functions, foreign operators and missing data."""
    graph = model.graph
    domains = {opset.domain for opset in model.opset_import}
    if not domains <= {"", "ai.onnx"} or model.functions or model.training_info:
        raise ProgramError(f"it has operators of its own ({sorted(domains)})")
    versions = [opset.version for opset in model.opset_import]
    if len(versions) != 1 or versions[0] not in _OPSETS:
        raise ProgramError(
            f"its operators are of the sets {versions!r:.100}, not of one from "
            f"{_OPSETS[0]} to {_OPSETS[-1]}"
        )
    if model.ir_version not in _FORMATS:
        raise ProgramError(
            f"it is ONNX of version {model.ir_version}, not {_FORMATS[0]} to "
            f"{_FORMATS[-1]}"
        )
    ends = [*graph.input, *graph.output]
    kinds = [end.type.WhichOneof("value") for end in ends]
    if len(graph.input) != 1 or kinds != ["tensor_type"] * 2:
        raise ProgramError("it has not one input and one output, both tensors")
    if graph.input[0].name != "segments":
        raise ProgramError(f"its input is {graph.input[0].name!r:.100}")
    if any(end.type.tensor_type.elem_type != 1 for end in ends):
        raise ProgramError("its input or output is no float32")
    if graph.sparse_initializer or graph.quantization_annotation:
        raise ProgramError("it has sparse or quantised weights")
    if len(graph.initializer) > _MAX_WEIGHTS:
        raise ProgramError(f"it has {len(graph.initializer)} weights")


def _count_operations(graph):
    """Return how many simple operations take an engine as long to prepare."""
    for node in graph.node:
        if max(len(node.input), len(node.output)) > MAX_LIST:
            raise ProgramError(f"{node.op_type!r:.100} has over {MAX_LIST} results")
    n = sum(map(preparation, graph.node))
    if n > MAX_OPERATIONS:
        raise ProgramError(f"it has {n} operations, or few that take as long")
    return n


def _read_weights(graph):
    """Return the weights by name: the shape of each, and the values of small ones."""
    tensors = {}
    for weights in graph.initializer:
        if weights.name in tensors or weights.name in ("segments", ""):
            raise ProgramError("its input is among its weights, or two have one name")
        tensors[weights.name] = _read_tensor(weights)
    return tensors


def _read_tensor(weights):
    """Refuse data in external files, and shapes larger than their data."""
    import onnx

    name = f"the weights {weights.name!r:.100}"
    if weights.external_data or weights.data_location:
        raise ProgramError(f"{name} are in another file")
    kinds = onnx.TensorProto
    kinds = {kinds.FLOAT: "float32", kinds.INT64: "int64", kinds.BOOL: "bool"}
    kind = kinds.get(weights.data_type)
    if kind is None:
        raise ProgramError(f"{name} are numbers of kind {weights.data_type}")
    dims = tuple(weights.dims)
    if len(dims) > MAX_RANK or any(n < 0 for n in dims):
        raise ProgramError(f"{name} have the shape {dims!r:.100}")
    n = math.prod(dims)
    if n * np.dtype(kind).itemsize != len(weights.raw_data):
        raise ProgramError(
            f"{name} are {len(weights.raw_data)} bytes, not {n} values of {kind}"
        )
    value = None
    if kind == "int64" or n <= _SMALL:
        value = np.frombuffer(weights.raw_data, np.dtype(kind).newbyteorder("<"))
        value = value.reshape(dims)
    return Tensor(dims, kind, value)


def _check_node(node, tensors, opset):
    """Return an operation and its results, if it is one that a program may have."""
    is_known = node.op_type in RULES or node.op_type == "Constant"
    if not is_known or node.domain not in ("", "ai.onnx"):
        name = f"{node.domain}.{node.op_type}".lstrip(".")
        raise ProgramError(f"the operator {name!r:.100} is not on the list")
    if node.op_type in RULES and opset < RULES[node.op_type].since:
        raise ProgramError(f"{node.op_type} is no operator of set {opset}")
    for name in node.output:
        if not name or name in tensors or list(node.output).count(name) > 1:
            raise ProgramError(f"{node.op_type} has a result without a name of its own")
    if node.op_type == "Constant":
        return _check_constant(node)
    for name in node.input:
        if name and name not in tensors:
            raise ProgramError(f"{node.op_type} uses {name!r:.100} before it is there")
    inputs = [tensors[name] if name else None for name in node.input]
    operation = Operation(node.op_type, inputs, read_attributes(node))
    keep_attributes(node, operation.attributes)
    results = results_of(operation)
    if len(results) != len(node.output):
        raise ProgramError(f"{node.op_type} has {len(node.output)} results")
    return operation, results


def _check_constant(node):
    import onnx

    found = [(attribute.name, attribute.type) for attribute in node.attribute]
    # Engines go by the type: of a number with a tensor beside it, some take the number.
    is_tensor = found == [("value", onnx.AttributeProto.TENSOR)]
    if not is_tensor or node.input or len(node.output) != 1:
        raise ProgramError(f"Constant has the attributes {found!r:.100}")
    tensor = _read_tensor(node.attribute[0].t)
    keep_value(node)
    return Operation("Constant", [], {}), [tensor]


def _check_logits(graph, tensors, shape, n_species, frame_scores):
    logits = tensors.get(graph.output[0].name, Tensor(()))
    n_axes = 3 if frame_scores else 2
    dims = logits.dims
    is_right = len(dims) == n_axes and dims[:2] == (shape[0], n_species)
    if not is_right or logits.kind != "float32" or not logits.moves:
        raise ProgramError(
            f"it answers {shape[0]} segments with logits of shape {list(dims)}, where "
            f"({shape[0]}, {n_species}{', n_steps' if frame_scores else ''}) is needed"
        )
    if frame_scores and dims[2] > shape[1]:
        raise ProgramError(f"it has {dims[2]} steps in {shape[1]} frames")
