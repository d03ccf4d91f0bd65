"""Work of an operation, in multiplications of a convolution that take as long.

Most of what a network of a stranger may do is slower for each number than a
convolution, and slowest on awkward shapes. The weights are what the slower engine needs
on two cores, whatever the shape, rounded up: ``benchmarks/operators.py`` measures them.
"""

import math
import re

from skbird.inference._program_shapes import einsum_sizes

# Engines keep channels, and the rows and columns of weights, in blocks of so many.
BLOCK = 16
# For each number that is read or written.
_WEIGHTS = {
    100: """
        Abs Add And BatchNormalization Cast Ceil Clip Concat Conv Equal Flatten Floor
        Gemm Greater GreaterOrEqual Identity Less LessOrEqual MatMul Mul Neg Not Or
        Relu Reshape Round Sign Split Sqrt Squeeze Sub Transpose Unsqueeze Where
        AveragePool LayerNormalization LogSoftmax MaxPool Softmax
    """,
    200: """
        Div Einsum Erf Exp Expand Gelu HardSigmoid HardSwish LeakyRelu Log Pad PRelu
        Reciprocal Sigmoid Slice Softsign Tanh Tile
    """,
    400: """
        Celu Elu GlobalAveragePool GlobalMaxPool InstanceNormalization Max Mean
        Min Resize Sin Sum
    """,
}
_WEIGHT_OF = {
    kind: weight for weight, kinds in _WEIGHTS.items() for kind in kinds.split()
}
# Of all others: Cos, CumSum, Gather, Mish, Pow, Softplus, and reductions.
_SLOW = 800
# For each row that is worked on by itself, however short.
_ROWS = {"LayerNormalization": 1500, "LogSoftmax": 5000, "Softmax": 5000}
# For each matrix, or group of channels, that is multiplied by itself, however small.
_MATRIX = 12_000
# For each multiplication, and for each number that a window or filter looks at.
_PRODUCT, _FILTER, _BY_CHANNEL, _WINDOW, _EINSUM = 1, 2, 8, 8, 40
_MEAN_OF_LINE = 160  # ONNX Runtime averages on one axis in one thread


def work_of(operation, results):
    """Return how many multiplications of a convolution take as long, about.

    Parameters
    ----------
    operation : Operation
    results : list of Tensor

    Returns
    -------
    int
    """
    inputs = [tensor for tensor in operation.inputs if tensor is not None]
    n_numbers = sum(math.prod(tensor.dims) for tensor in [*inputs, *results])
    work = _WEIGHT_OF.get(operation.kind, _SLOW) * n_numbers
    multiply = _MULTIPLICATIONS.get(operation.kind)
    return work if multiply is None else work + multiply(operation, results[0].dims)


def round_up(n):
    """Return the least number of whole blocks that is not below n, in numbers."""
    return -(-n // BLOCK) * BLOCK


def _of_convolution(operation, result):
    n_filters, n_channels, *kernel = operation.dims(1)
    groups = operation.get("group", 1)
    looks = result[0] * math.prod(result[2:]) * math.prod(kernel)
    if groups > 1 and n_channels == 1 and n_filters == groups:
        return _BY_CHANNEL * looks * round_up(groups)
    pairs = groups * round_up(n_filters // groups) * round_up(n_channels)
    return _MATRIX * groups * result[0] + _FILTER * looks * pairs


def _of_window(operation, result):
    looks = result[0] * round_up(result[1]) * math.prod(result[2:])
    kernel = operation.attributes["kernel_shape"]
    is_line = operation.kind == "AveragePool" and len(kernel) == 1
    weight = _MEAN_OF_LINE if is_line else _WINDOW
    # A place takes as long as some numbers, even if its window has one.
    return weight * looks * (BLOCK + math.prod(kernel))


def _of_product(operation, result):
    *others, n_rows, n_columns = result
    n_inner = operation.dims()[0 if operation.get("transA", 0) else -1]
    sizes = round_up(n_rows), round_up(n_inner), round_up(n_columns)
    # Vectors are not widened: what takes the time is to read the other matrix.
    if min(n_rows, n_inner, n_columns) == 1:
        sizes = n_rows, n_inner, n_columns
    return math.prod(others) * (_MATRIX + _PRODUCT * math.prod(sizes))


def _of_einsum(operation, result):
    sizes = einsum_sizes(operation)
    left, right, kept = re.split(",|->", operation.attributes["equation"])
    n_matrices = math.prod(
        sizes[letter] for letter in set(left) & set(right) & set(kept)
    )
    return _MATRIX * n_matrices + _EINSUM * math.prod(sizes.values())


def _of_rows(operation, result):
    n_rows, axis = math.prod(result), operation.axis(-1)
    if operation.kind == "LayerNormalization" or axis == len(result) - 1:
        n_rows = math.prod(result[:axis])
    # Along other axes, numbers are gathered one by one.
    return _ROWS[operation.kind] * n_rows


_MULTIPLICATIONS = {
    "Conv": _of_convolution,
    "Gemm": _of_product,
    "MatMul": _of_product,
    "Einsum": _of_einsum,
    "AveragePool": _of_window,
    "MaxPool": _of_window,
    **dict.fromkeys(_ROWS, _of_rows),
}
