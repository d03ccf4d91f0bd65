"""Rules for each operator: its inputs, its attributes, and the shape of its result.

ONNX's own inference of shapes is made for honest programs: of others, some end the
process, some never end, and engines broadcast where it does not. Here, an operator has
the inputs and attributes that are listed, its sizes are constants, and its result has
one possible shape. What is not listed, no program of a model file may do: what loops,
branches, draws at random, or reads and writes where computed numbers say.
"""

import math
from dataclasses import dataclass

from skbird.inference import _program_shapes as shapes
from skbird.inference._program_operation import (
    MAX_LIST,
    MAX_RANK,
    ProgramError,
    Tensor,
)

# Numbers that engines may compute beforehand by slow operations.
_MAX_CONSTANT = 2**20


@dataclass(frozen=True)
class Rule:
    """Inputs and attributes that an operator may have.

    Parameters
    ----------
    shape : function of Operation to the shape of its result, or a list of shapes
    takes : str
        A letter for each input: "f" for float32, "b" for bool, "." for either, "i" for
        int64. "*" repeats the letter before it, of inputs that are all there.
    attributes : str, default=""
        The names that are known; all others are refused.
    least : int, default=None
        How many inputs it must have. None: all.
    gives : str, default="float32"
        The kind of the results: "=" is that of the first input, "to" is in the
        attribute of that name.
    since : int, default=18
        The set of operators that is the first one to have it.
    is_heavy : bool, default=False
        Whether engines compute it slowly of constants, beforehand: it may be asked of
        small ones only.
    """

    shape: object
    takes: str = "f"
    attributes: str = ""
    least: int | None = None
    gives: str = "float32"
    since: int = 18
    is_heavy: bool = False


_WINDOW = "auto_pad ceil_mode kernel_shape pads strides"
_REDUCE = Rule(shapes.reduction, "fi", "keepdims noop_with_empty_axes", least=1)
_FLOATS = """
    Abs Ceil Cos Erf Exp Floor HardSwish Log Mish Neg Reciprocal Relu Round
    Sigmoid Sign Sin Softplus Softsign Sqrt Tanh
"""
RULES = {
    **dict.fromkeys(_FLOATS.split(), Rule(shapes.same)),
    **dict.fromkeys(("Celu", "Elu", "LeakyRelu"), Rule(shapes.same, "f", "alpha")),
    "Gelu": Rule(shapes.same, "f", "approximate", since=20),
    "HardSigmoid": Rule(shapes.same, "f", "alpha beta"),
    "PRelu": Rule(shapes.same, "ff"),
    "Clip": Rule(shapes.clip, "fff", least=1),
    **dict.fromkeys(("Softmax", "LogSoftmax"), Rule(shapes.softmax, "f", "axis")),
    **dict.fromkeys(("Add", "Div", "Mul", "Pow", "Sub"), Rule(shapes.broadcast, "ff")),
    **dict.fromkeys(
        ("Max", "Mean", "Min", "Sum"), Rule(shapes.broadcast, "f*", least=1)
    ),
    **dict.fromkeys(
        ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"),
        Rule(shapes.broadcast, "ff", gives="bool"),
    ),
    **dict.fromkeys(("And", "Or"), Rule(shapes.broadcast, "bb", gives="bool")),
    "Not": Rule(shapes.same, "b", gives="bool"),
    "Where": Rule(shapes.broadcast, "bff"),
    "Identity": Rule(shapes.same, ".", gives="="),
    "Cast": Rule(shapes.same, ".", "to", gives="to"),
    "CumSum": Rule(shapes.cumulation, "fi", "exclusive reverse"),
    "BatchNormalization": Rule(
        shapes.normalization, "fffff", "epsilon momentum training_mode"
    ),
    "InstanceNormalization": Rule(shapes.instance_normalization, "fff", "epsilon"),
    "LayerNormalization": Rule(
        shapes.layer_normalization, "fff", "axis epsilon stash_type", least=2
    ),
    "Conv": Rule(
        shapes.convolution,
        "fff",
        "auto_pad dilations group kernel_shape pads strides",
        least=2,
        is_heavy=True,
    ),
    "AveragePool": Rule(
        shapes.pooling, "f", f"{_WINDOW} count_include_pad", is_heavy=True
    ),
    "MaxPool": Rule(
        shapes.pooling, "f", f"{_WINDOW} dilations storage_order", is_heavy=True
    ),
    **dict.fromkeys(
        ("GlobalAveragePool", "GlobalMaxPool"),
        Rule(shapes.global_pooling, is_heavy=True),
    ),
    "MatMul": Rule(shapes.matmul, "ff", is_heavy=True),
    "Gemm": Rule(
        shapes.gemm, "fff", "alpha beta transA transB", least=2, is_heavy=True
    ),
    "Einsum": Rule(shapes.einsum, "ff", "equation", is_heavy=True),
    **dict.fromkeys(
        ("ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin"), _REDUCE
    ),
    **dict.fromkeys(("ReduceProd", "ReduceSum", "ReduceSumSquare"), _REDUCE),
    "Reshape": Rule(shapes.reshape, ".i", "allowzero", gives="="),
    "Flatten": Rule(shapes.flatten, ".", "axis", gives="="),
    "Transpose": Rule(shapes.transpose, ".", "perm", gives="="),
    "Squeeze": Rule(shapes.squeeze, ".i", gives="="),
    "Unsqueeze": Rule(shapes.unsqueeze, ".i", gives="="),
    "Concat": Rule(shapes.concat, "f*", "axis", least=1),
    "Split": Rule(shapes.split, "fi", "axis num_outputs", least=1),
    "Slice": Rule(shapes.cut, ".iiii", least=3, gives="="),
    "Gather": Rule(shapes.gather, ".i", "axis", gives="="),
    "Expand": Rule(shapes.expand, ".i", gives="="),
    "Tile": Rule(shapes.tile, ".i", gives="="),
    "Pad": Rule(shapes.pad, "fif", "mode", least=2),
    "Resize": Rule(
        shapes.resize,
        "fffi",
        "antialias coordinate_transformation_mode cubic_coeff_a exclude_outside "
        "extrapolation_value keep_aspect_ratio_policy mode nearest_mode",
        least=1,
        is_heavy=True,
    ),
}
_LETTERS = {
    "f": ("float32",),
    "b": ("bool",),
    "i": ("int64",),
    ".": ("float32", "bool"),
}
_KINDS_OF_CAST = {1: "float32", 9: "bool"}  # those of onnx.TensorProto


def results_of(operation):
    """Return the results of an operation, if it is one that a program may have.

    Parameters
    ----------
    operation : Operation
        Operation of an operator in `RULES`.

    Returns
    -------
    list of Tensor

    Raises
    ------
    ProgramError
    """
    kind = operation.kind
    rule = RULES[kind]
    _check_inputs(operation, rule)
    unknown = operation.attributes.keys() - set(rule.attributes.split())
    operation.check(not unknown, f"has an attribute {min(unknown, default='')!r:.100}")
    moves = any(tensor.moves for tensor in operation.inputs if tensor is not None)
    found = rule.shape(operation)
    gives = rule.gives
    if gives == "=":
        gives = operation.inputs[0].kind
    elif gives == "to":
        gives = _KINDS_OF_CAST.get(operation.get("to", 0))
        operation.check(gives is not None, "gives numbers of another kind")
    found = found if isinstance(found, list) else [found]
    for dims in found:
        if len(dims) > MAX_RANK or any(not 0 < n <= shapes.MAX_DIM for n in dims):
            raise ProgramError(f"{kind} has a result of shape {dims}")
        is_small = math.prod(dims) <= _MAX_CONSTANT
        operation.check(moves or is_small or not rule.is_heavy, "has constants alone")
    return [Tensor(dims, gives, moves=moves) for dims in found]


def _check_inputs(operation, rule):
    most = MAX_LIST if rule.takes.endswith("*") else len(rule.takes)
    takes = rule.takes.rstrip("*").ljust(most, rule.takes[0])
    least = most if rule.least is None else rule.least
    n = len(operation.inputs)
    operation.check(least <= n <= most, f"has {n} inputs")
    for number, tensor in enumerate(operation.inputs):
        if tensor is None:
            may_lack = number >= least and not rule.takes.endswith("*")
            operation.check(may_lack, "lacks an input")
        elif tensor.kind not in _LETTERS[takes[number]]:
            operation.check(False, f"has numbers of kind {tensor.kind}")
