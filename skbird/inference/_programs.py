"""What an ONNX program of a stranger may do: arithmetic of a bounded size."""

import itertools
import math

import numpy as np

# Arithmetic on tensors whose shapes are known beforehand. Left out on purpose: what
# loops or branches (If, Loop, Scan), draws at random, handles texts or sequences.
_OPERATORS = frozenset(
    """
    Abs Add And ArgMax AveragePool BatchNormalization Cast CastLike Ceil Celu Clip
    Concat Constant ConstantOfShape Conv Cos CumSum Div Einsum Elu Equal Erf Exp Expand
    Flatten Floor Gather GatherElements Gelu Gemm GlobalAveragePool GlobalMaxPool
    Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish Identity
    InstanceNormalization LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax
    MatMul Max MaxPool Mean Min Mish Mul Neg Not Or PRelu Pad Pow RMSNormalization Range
    Reciprocal ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum ReduceSumSquare Relu Reshape Resize Round Selu Shape Sigmoid Sign Sin
    Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Swish Tanh
    ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Where
    """.split()
)
# Which of their inputs are sizes: these numbers decide how large the result is.
_SIZES = {
    "ConstantOfShape": 0,
    "Expand": 1,
    "Pad": 1,
    "Range": 0,
    "Reshape": 1,
    "Resize": 1,
    "Slice": 1,
    "Split": 1,
    "Tile": 1,
    "TopK": 1,
}
# Integers make the processor stop where they divide -2^63 by -1, or by nothing.
_NO_INTEGERS = frozenset({"Div", "Pow", "ReduceMean"})
# What is not weights: parsed, it takes up to a hundred times its size.
_MAX_NOTES = 4 * 2**20
_MAX_FIELDS = 100_000
# Numbers in a row. Where ONNX follows values, each of them takes over 100 bytes.
_MAX_ROW = 2**20
# Engines keep channels in blocks of so many.
_CHANNELS = 16
# Bytes of the tensors that are alive at the same time.
_MAX_ALIVE = 384 * 2**20
_MAX_NODES = 20_000
# Tensors this small may hold shapes, which the inference of shapes needs to see.
_SMALL = 4096


class ProgramError(ValueError):
    """A network's program is not one that skbird writes."""


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
    bytes
        The same program without what no engine needs, in ONNX's own form: what another
        reader could take for a program of another kind is gone.

    Raises
    ------
    ImportError
        If onnx is not installed.
    ProgramError
        If it is no ONNX, refers to other files, has operators that are not on the
        list, other inputs or outputs, or tensors beyond the limit.
    """
    import onnx

    try:
        notes = len(program) - _count_weights(program)
        if notes > _MAX_NOTES:
            raise ProgramError(f"{notes} bytes of it are no weights")
        model = onnx.load_from_string(program)
    except ProgramError:
        raise
    except Exception as exc:  # protobuf has no public class of errors
        raise ProgramError(f"it is no ONNX model ({exc})") from exc
    _check_structure(model)
    _forget_notes(model)
    try:
        onnx.checker.check_model(model)
        sizes = _infer_sizes(model, shape)
    except ProgramError:
        raise
    except Exception as exc:  # of onnx.checker and onnx.shape_inference, in C++
        raise ProgramError(f"it is no sound ONNX model ({exc!s:.300})") from exc
    _check_ends(model.graph, sizes, shape, n_species, frame_scores)
    alive = _most_alive(model.graph, sizes)
    if alive > _MAX_ALIVE:
        raise ProgramError(
            f"batches of {shape[0]} segments need {alive >> 20} MiB of memory, more "
            f"than {_MAX_ALIVE >> 20}. Compile it with a smaller batch_size"
        )
    return model.SerializeToString()


def _count_weights(program):
    """Return how many bytes of an ONNX program are weights, without parsing it."""
    graphs = [place for number, *place in _fields(program) if number == 7]
    tensors = [
        place
        for graph in graphs
        for number, *place in _fields(program, *graph)
        if number == 5
    ]
    return sum(
        end - first
        for tensor in tensors
        for number, first, end in _fields(program, *tensor)
        if number == 9
    )


def _fields(program, first=0, end=None):
    """Yield (number, first byte, end) of the fields of a protobuf message."""
    end = len(program) if end is None else end
    for n_fields in itertools.count():
        if first >= end:
            return
        if n_fields > _MAX_FIELDS:
            raise ProgramError(f"a message has more than {_MAX_FIELDS} fields")
        key, first = _varint(program, first)
        if key & 7 == 2:
            n_bytes, first = _varint(program, first)
        elif key & 7 == 0:
            n_bytes = _varint(program, first)[1] - first
        else:
            n_bytes = {1: 8, 5: 4}[key & 7]
        if first + n_bytes > end:
            raise ProgramError("a field is longer than what it is in")
        yield key >> 3, first, first + n_bytes
        first += n_bytes


def _varint(program, first):
    value = shift = 0
    while shift < 64:
        byte = program[first]
        value |= (byte & 127) << shift
        first, shift = first + 1, shift + 7
        if byte < 128:
            return value, first
    raise ProgramError("a number has too many bytes")


def _check_structure(model):
    """Refuse other files, functions, foreign operators, and data that is not there."""
    graph = model.graph
    domains = {opset.domain for opset in model.opset_import}
    if not domains <= {"", "ai.onnx"} or model.functions or model.training_info:
        raise ProgramError(f"it has operators of its own ({sorted(domains)})")
    if any(opset.version < 18 for opset in model.opset_import):
        raise ProgramError("its operators are older than set 18")
    if graph.input and graph.input[0].name in {t.name for t in graph.initializer}:
        raise ProgramError("its input is among its weights")
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
            if attribute.HasField("g") or attribute.graphs:
                raise ProgramError(f"{node.op_type} has a graph of its own")
            if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
                raise ProgramError(f"{node.op_type} has sparse tensors")
            if attribute.HasField("t"):
                _check_tensor(attribute.t)
            for tensor in attribute.tensors:
                _check_tensor(tensor)


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


def _infer_sizes(model, shape):
    """Return the (shape, bytes) of each tensor that is computed, or goes in or out."""
    import onnx

    outline = onnx.ModelProto()
    outline.CopyFrom(model)
    graph = outline.graph
    # Without the weights themselves: only their shapes matter.
    large = [tensor for tensor in graph.initializer if len(tensor.raw_data) > _SMALL]
    small = [tensor for tensor in graph.initializer if len(tensor.raw_data) <= _SMALL]
    for tensor in large:
        graph.input.append(
            onnx.helper.make_tensor_value_info(
                tensor.name, tensor.data_type, tensor.dims
            )
        )
    kept = [onnx.TensorProto.FromString(t.SerializeToString()) for t in small]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    if len(model.graph.input) != 1 or len(model.graph.output) != 1:
        raise ProgramError("it has not one input and one output")
    ends = graph.input[0].type.tensor_type, graph.output[0].type.tensor_type
    if any(end.elem_type != onnx.TensorProto.FLOAT for end in ends):
        raise ProgramError("its input or output is no float32")
    ends[0].ClearField("shape")
    for n in shape:
        ends[0].shape.dim.add().dim_value = n
    ends[1].ClearField("shape")
    # At first without values, which finds kinds and long rows at no cost.
    found = onnx.shape_inference.infer_shapes(outline, strict_mode=True)
    _check_rows(found.graph)
    found = onnx.shape_inference.infer_shapes(outline, strict_mode=True, data_prop=True)
    sizes, kinds = {}, {t.name: t.data_type for t in graph.initializer}
    kinds |= {info.name: info.type.tensor_type.elem_type for info in graph.input}
    for info in [graph.input[0], *found.graph.value_info, *found.graph.output]:
        kind = info.type.tensor_type
        kinds[info.name] = kind.elem_type
        if not kind.HasField("shape"):
            continue
        dims = [
            dim.dim_value if dim.HasField("dim_value") else -1 for dim in kind.shape.dim
        ]
        if min(dims, default=1) > 0:
            sizes[info.name] = dims, _count_bytes(dims, kind.elem_type)
    for node in model.graph.node:
        for name in node.output:
            if name and name not in sizes:
                raise ProgramError(f"{node.op_type} has a result of unknown size")
    _check_kinds(model.graph, kinds)
    return sizes


def _check_rows(graph):
    """Refuse what the inference of values would turn into gigabytes."""
    kinds = {t.name: t.data_type for t in graph.initializer}
    for info in (*graph.input, *graph.value_info, *graph.output):
        kind = info.type.tensor_type
        kinds[info.name] = kind.elem_type
        dims = [dim.dim_value for dim in kind.shape.dim]
        if len(dims) == 1 and dims[0] > _MAX_ROW:
            raise ProgramError(f"{info.name!r:.100} is a row of {dims[0]} numbers")
    _check_kinds(graph, kinds)


def _count_bytes(dims, kind):
    """Return the bytes that engines take for a tensor, whatever they convert it to."""
    import onnx

    if len(dims) > 3:
        dims = [dims[0], -(-dims[1] // _CHANNELS) * _CHANNELS, *dims[2:]]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    return math.prod(dims) * max(4, np.dtype(dtype).itemsize)


def _check_kinds(graph, kinds):
    """Refuse odd numbers, and sizes that engines could compute in another way.

    The inference of shapes follows sizes through casts and sums as if all of them were
    of 64 bits. Those of fewer bits wrap, and what it finds small could be huge.
    """
    import onnx

    usual = onnx.TensorProto
    makers = {name: node for node in graph.node for name in node.output}
    asked = []
    for node in graph.node:
        for name in filter(None, (*node.input, *node.output)):
            kind = kinds.get(name)
            if kind not in (usual.FLOAT, usual.INT64, usual.INT32, usual.BOOL):
                raise ProgramError(f"{node.op_type} has numbers of kind {kind}")
        if node.op_type in _NO_INTEGERS and kinds[node.output[0]] != usual.FLOAT:
            raise ProgramError(f"{node.op_type} has integers")
        if node.op_type in _SIZES:
            asked += node.input[_SIZES[node.op_type] :]
    seen = set()
    while asked:
        name = asked.pop()
        if not name or name in seen:
            continue
        seen.add(name)
        node = makers.get(name)
        if node is None or node.op_type in ("Constant", "Shape"):
            continue
        if {kinds.get(n) for n in (name, *filter(None, node.input))} != {usual.INT64}:
            raise ProgramError(f"{node.op_type} computes sizes that are no int64")
        asked += node.input


def _check_ends(graph, sizes, shape, n_species, frame_scores):
    if graph.input[0].name != "segments":
        raise ProgramError(f"its input is {graph.input[0].name!r:.100}")
    logits = sizes[graph.output[0].name][0] if graph.output[0].name in sizes else []
    n_axes = 3 if frame_scores else 2
    if len(logits) != n_axes or logits[:2] != [shape[0], n_species]:
        raise ProgramError(
            f"it answers {shape[0]} segments with logits of shape {logits}, where "
            f"({shape[0]}, {n_species}{', n_steps' if frame_scores else ''}) is needed"
        )


def _most_alive(graph, sizes):
    """Return the most bytes of results that are needed at the same time.

    Engines choose the order of the operations: the file's own, or depth first from the
    last one, taking first inputs first or last ones first.
    """
    nodes = list(graph.node)
    orders = [nodes, _depth_first(nodes, 1), _depth_first(nodes, -1)]
    return max(_most_alive_in(order, graph, sizes) for order in orders)


def _depth_first(nodes, step):
    """Return nodes in the order in which depth-first search finishes them."""
    makers = {name: n for n, node in enumerate(nodes) for name in node.output if name}
    order, entered, done = [], set(), set()
    stack = list(range(len(nodes)))
    while stack:
        number = stack[-1]
        if number in entered:
            stack.pop()
            if number not in done:
                done.add(number)
                order.append(nodes[number])
            continue
        entered.add(number)
        needed = [makers[name] for name in nodes[number].input if name in makers]
        stack += [n for n in needed[::-step] if n not in entered]
    return order


def _most_alive_in(nodes, graph, sizes):
    last_use = {}
    for number, node in enumerate(nodes):
        for name in (*node.input, *node.output):
            last_use[name] = number
    # What does not depend on the segments is computed beforehand, and kept.
    moving = {graph.input[0].name}
    for node in nodes:
        if node.op_type != "Shape" and moving.intersection(node.input):
            moving.update(node.output)
    dying = {}
    for name, number in last_use.items():
        if name in sizes and name in moving:
            dying.setdefault(number, []).append(name)
    alive = most = sizes[graph.input[0].name][1]
    for number, node in enumerate(nodes):
        alive += sum(sizes[name][1] for name in node.output if name)
        most = max(most, alive)
        alive -= sum(sizes[name][1] for name in dying.get(number, ()))
    return most
