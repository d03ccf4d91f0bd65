"""What an ONNX program of a stranger may do: arithmetic of a bounded size."""

import math
from typing import NamedTuple

import numpy as np

from skbird.inference._fixed_sizes import (
    constants_of,
    set_input_shape,
    shape_of,
    sizes_of,
)
from skbird.inference._program_cost import count_bytes, count_work, most_alive
from skbird.inference._protobuf import count_weights

# Arithmetic on tensors whose shapes are known beforehand. Left out on purpose: what
# loops or branches (If, Loop, Scan), draws at random, handles texts or sequences, or
# reads where computed numbers say (GatherElements, GatherND, Scatter...).
_OPERATORS = frozenset(
    """
    Abs Add And ArgMax AveragePool BatchNormalization Cast CastLike Ceil Celu Clip
    Concat Constant ConstantOfShape Conv Cos CumSum Div Einsum Elu Equal Erf Exp Expand
    Flatten Floor Gather Gelu Gemm GlobalAveragePool GlobalMaxPool Greater
    GreaterOrEqual GroupNormalization HardSigmoid HardSwish Identity
    InstanceNormalization LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax
    MatMul Max MaxPool Mean Min Mish Mul Neg Not Or PRelu Pad Pow RMSNormalization Range
    Reciprocal ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum ReduceSumSquare Relu Reshape Resize Round Selu Shape Sigmoid Sign Sin
    Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Swish Tanh
    ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Where
    """.split()
)
# Integers make the processor stop where they divide -2^63 by -1, or by nothing.
_NO_INTEGERS = frozenset({"Div", "Pow", "ReduceMean"})
# What is not weights: parsed, it takes up to a hundred times its size.
_MAX_NOTES = 4 * 2**20
_MAX_NODES = 20_000
# Weights this small, in bytes, may be sizes, which the inference of shapes reads.
_SMALL = 4096
# Attributes such as strides and paddings; sizes, but for the ends of slices, which
# may be "as far as it goes". Engines multiply them in 64 bits, some in 32.
_MAX_ATTRIBUTE = 2**16
_MAX_SIZE = 2**31
# Multiplications for a segment, and for a batch: some seconds, and some minutes.
# EfficientNet-B7 needs 5e9 for a segment of 5 s.
_MAX_WORK, _MAX_WORK_OF_BATCH = 2e11, 1e13


class ProgramError(ValueError):
    """A network's program is not one that skbird writes."""


class Checked(NamedTuple):
    """A program that is safe to run, and the bytes it takes beside its weights."""

    program: bytes
    n_bytes: int


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
        The same program without what no engine needs, in ONNX's own form: what another
        reader could take for a program of another kind is gone.

    Raises
    ------
    ImportError
        If onnx is not installed.
    ProgramError
        If it is no ONNX, refers to other files, has operators that are not on the
        list, computes its sizes, has other inputs or outputs, or takes too long.
    """
    import onnx

    try:
        notes = len(program) - count_weights(program)
        if notes > _MAX_NOTES:
            raise ProgramError(f"{notes} bytes of it are no weights")
        model = onnx.load_from_string(program)
    except ProgramError:
        raise
    except Exception as exc:  # protobuf has no public class of errors
        raise ProgramError(f"it is no ONNX model ({exc})") from exc
    _check_structure(model)
    _forget_notes(model)
    _fix_input(model.graph, shape)
    try:
        # Its outline is enough: of the weights, only their shapes matter.
        outline = _take_outline(model)
        onnx.checker.check_model(model)
        _check_sizes(outline.graph)
        set_input_shape(outline.graph, shape)
        found = onnx.shape_inference.infer_shapes(outline, strict_mode=True).graph
    except ProgramError:
        raise
    except Exception as exc:  # of onnx.checker and onnx.shape_inference, in C++
        raise ProgramError(f"it is no sound ONNX model ({exc!s:.300})") from exc
    tensors = _read_tensors(found)
    _check_kinds(found, tensors, constants_of(model.graph))
    _check_ends(found, tensors, shape, n_species, frame_scores)
    shapes = {name: dims for name, (dims, _) in tensors.items()}
    work = count_work(found, shapes)
    if work > min(_MAX_WORK * shape[0], _MAX_WORK_OF_BATCH):
        raise ProgramError(
            f"{shape[0]} segments need {work:.0e} multiplications, more than "
            f"{_MAX_WORK:.0e} each, or {_MAX_WORK_OF_BATCH:.0e} in all"
        )
    n_bytes = {name: count_bytes(*tensors[name]) for name in _names_of_results(found)}
    return Checked(model.SerializeToString(), most_alive(found, n_bytes))


def _check_structure(model):
    """Refuse other files, functions, foreign operators, and data that is not there."""
    graph = model.graph
    domains = {opset.domain for opset in model.opset_import}
    if not domains <= {"", "ai.onnx"} or model.functions or model.training_info:
        raise ProgramError(f"it has operators of its own ({sorted(domains)})")
    if any(opset.version < 18 for opset in model.opset_import):
        raise ProgramError("its operators are older than set 18")
    ends = [*graph.input, *graph.output]
    kinds = [end.type.WhichOneof("value") for end in ends]
    if len(graph.input) != 1 or kinds != ["tensor_type"] * 2:
        raise ProgramError("it has not one input and one output, both tensors")
    names = [tensor.name for tensor in graph.initializer]
    if len({graph.input[0].name, *names}) != len(names) + 1:
        raise ProgramError("its input is among its weights, or two have one name")
    if graph.sparse_initializer or graph.quantization_annotation:
        raise ProgramError("it has sparse or quantised weights")
    if len(graph.node) > _MAX_NODES:
        raise ProgramError(f"it has {len(graph.node)} operations")
    for tensor in graph.initializer:
        _check_tensor(tensor)
    for node in graph.node:
        if node.op_type not in _OPERATORS or node.domain not in ("", "ai.onnx"):
            name = f"{node.domain}.{node.op_type}".lstrip(".")
            raise ProgramError(f"the operator {name!r:.100} is not on the list")
        for attribute in node.attribute:
            _check_attribute(node.op_type, attribute)


def _check_attribute(kind, attribute):
    if attribute.HasField("g") or attribute.graphs:
        raise ProgramError(f"{kind} has a graph of its own")
    if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
        raise ProgramError(f"{kind} has sparse tensors")
    if attribute.HasField("t"):
        _check_tensor(attribute.t)
    for tensor in attribute.tensors:
        _check_tensor(tensor)
    numbers = [*attribute.ints, attribute.i]
    if any(abs(number) > _MAX_ATTRIBUTE for number in numbers):
        raise ProgramError(f"{kind} has {attribute.name!r:.100} over {_MAX_ATTRIBUTE}")
    if kind == "Pad" and attribute.name == "mode" and attribute.s != b"constant":
        raise ProgramError(f"Pad repeats what is there ({attribute.s!r:.100})")


def _check_tensor(tensor):
    """Refuse data of another file, and shapes that promise more than there is."""
    import onnx

    if tensor.external_data or tensor.data_location:
        raise ProgramError(f"the weights {tensor.name!r:.100} are in another file")
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except (KeyError, TypeError):
        dtype = None
    if dtype is None or np.dtype(dtype).kind not in "fiub":
        raise ProgramError(f"the weights {tensor.name!r:.100} are no numbers")
    if any(n < 0 for n in tensor.dims):
        raise ProgramError(f"the weights {tensor.name!r:.100} have a negative size")
    n = math.prod(tensor.dims)
    if n * np.dtype(dtype).itemsize != len(tensor.raw_data):
        raise ProgramError(
            f"the weights {tensor.name!r:.100} are {len(tensor.raw_data)} bytes, not "
            f"{n} values of {np.dtype(dtype)}"
        )


def _forget_notes(model):
    """Remove what is not arithmetic: texts, claims of shapes, unknown fields."""
    model.DiscardUnknownFields()
    for name in ("producer_name", "producer_version", "domain", "doc_string"):
        model.ClearField(name)
    model.ClearField("model_version")
    del model.metadata_props[:]
    del model.graph.value_info[:]
    del model.graph.metadata_props[:]
    for node in model.graph.node:
        node.ClearField("doc_string")
        del node.metadata_props[:]


def _fix_input(graph, shape):
    """Give the input the shape that it will have; batches may have another length."""
    dims = graph.input[0].type.tensor_type.shape.dim
    is_fixed = len(dims) > 0 and dims[0].HasField("dim_value")
    set_input_shape(graph, shape)
    if not is_fixed:
        graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"


def _take_outline(model):
    """Return the program with weights as inputs, but for those that may be sizes."""
    import onnx

    outline = onnx.ModelProto(ir_version=model.ir_version)
    outline.opset_import.extend(model.opset_import)
    graph = outline.graph
    graph.name = model.graph.name
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    graph.output[0].type.tensor_type.ClearField("shape")
    graph.node.extend(model.graph.node)
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) <= _SMALL:
            graph.initializer.add().CopyFrom(tensor)
        else:
            info = onnx.helper.make_tensor_value_info(
                tensor.name, tensor.data_type, tensor.dims
            )
            graph.input.append(info)
    return outline


def _check_sizes(graph):
    """Refuse sizes that are computed, and those that engines could miscount."""
    import onnx

    constants = constants_of(graph)
    for node in graph.node:
        for position, name in sizes_of(node):
            if name not in constants:
                raise ProgramError(f"{node.op_type} computes its sizes")
            values = onnx.numpy_helper.to_array(constants[name]).ravel()
            if node.op_type == "Slice" and position in (1, 2):
                low, high = -np.inf, np.inf
            elif node.op_type == "Pad":
                low, high = 0, _MAX_SIZE
            else:
                low, high = -_MAX_SIZE, _MAX_SIZE
            is_scale = node.op_type == "Resize" and position < 3
            is_filling = node.op_type == "Pad" and position == 2
            if not is_filling and (
                values.dtype != (np.float32 if is_scale else np.int64)
                or not ((values >= low) & (values <= high)).all()
            ):
                raise ProgramError(f"{node.op_type} has sizes {values[:9]}")


def _read_tensors(graph):
    """Return the (shape, kind) of each tensor, if all of them are known."""
    tensors = {t.name: (list(t.dims), t.data_type) for t in graph.initializer}
    for info in (*graph.input, *graph.value_info, *graph.output):
        tensors[info.name] = shape_of(info), info.type.tensor_type.elem_type
    for node in graph.node:
        for name in filter(None, (*node.input, *node.output)):
            if tensors.get(name, (None,))[0] is None:
                raise ProgramError(f"{node.op_type} has a result of unknown size")
    return tensors


def _names_of_results(graph):
    computed = [name for node in graph.node for name in node.output if name]
    return [graph.input[0].name, *computed]


def _check_kinds(graph, tensors, constants):
    """Refuse odd numbers, and reading where computed numbers say."""
    import onnx

    usual = onnx.TensorProto
    for node in graph.node:
        for name in filter(None, (*node.input, *node.output)):
            kind = tensors[name][1]
            if kind not in (usual.FLOAT, usual.INT64, usual.INT32, usual.BOOL):
                raise ProgramError(f"{node.op_type} has numbers of kind {kind}")
        if node.op_type in _NO_INTEGERS and tensors[node.output[0]][1] != usual.FLOAT:
            raise ProgramError(f"{node.op_type} has integers")
        if node.op_type == "Gather":
            _check_gather(node, tensors, constants)


def _check_gather(node, tensors, constants):
    """Refuse indices that are computed, or that engines would have to check."""
    import onnx

    if node.input[1] not in constants:
        raise ProgramError("Gather computes its indices")
    indices = onnx.numpy_helper.to_array(constants[node.input[1]])
    axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
    n = tensors[node.input[0]][0][axis]
    if ((indices < -n) | (indices >= n)).any():
        raise ProgramError(f"Gather reads beyond the {n} entries that are there")


def _check_ends(graph, tensors, shape, n_species, frame_scores):
    import onnx

    ends = graph.input[0].name, graph.output[0].name
    if any(tensors[name][1] != onnx.TensorProto.FLOAT for name in ends):
        raise ProgramError("its input or output is no float32")
    if graph.input[0].name != "segments":
        raise ProgramError(f"its input is {graph.input[0].name!r:.100}")
    logits = tensors[graph.output[0].name][0]
    n_axes = 3 if frame_scores else 2
    if len(logits) != n_axes or logits[:2] != [shape[0], n_species]:
        raise ProgramError(
            f"it answers {shape[0]} segments with logits of shape {logits}, where "
            f"({shape[0]}, {n_species}{', n_steps' if frame_scores else ''}) is needed"
        )
