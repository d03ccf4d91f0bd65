"""Operators of networks, each in a few lines that fit any tensor of four axes."""

import numpy as np
import onnx

INPUT = (4, 128, 64)


class Graph:
    """Collects nodes and weights of a program."""

    def __init__(self):
        self.nodes, self.weights = [], []

    def weight(self, value):
        """Add a constant; return its name."""
        name = f"w{len(self.weights)}"
        self.weights.append(onnx.numpy_helper.from_array(np.asarray(value), name))
        return name

    def numbers(self, *dims, value=0.5):
        """Add constants of one value; return their name."""
        return self.weight(np.full(dims, value, np.float32))

    def sizes(self, *sizes):
        """Add sizes; return their name."""
        return self.weight(np.array(sizes, np.int64))

    def add(self, kind, *inputs, n_results=1, **attributes):
        """Add an operation; return the name of its result, or of its results."""
        names = [f"t{len(self.nodes)}_{n}" for n in range(n_results)]
        self.nodes.append(onnx.helper.make_node(kind, inputs, names, **attributes))
        return names[0] if n_results == 1 else names

    def reshape(self, x, dims):
        """Add a reshape; return the name of its result."""
        return self.add("Reshape", x, self.sizes(*dims))

    def write(self, result):
        """Return the program whose logits are the mean of a tensor."""
        zeros = self.numbers(1, 2, value=0)
        mean = self.reshape(self.add("ReduceMax", result, keepdims=0), (1, 1))
        row = self.add("ReduceMean", "segments", self.sizes(1, 2), keepdims=0)
        row = self.add("Add", self.add("Unsqueeze", row, self.sizes(1)), mean)
        self.nodes.append(onnx.helper.make_node("Add", [row, zeros], ["logits"]))
        info = onnx.helper.make_tensor_value_info
        ends = [
            info("segments", onnx.TensorProto.FLOAT, INPUT),
            info("logits", onnx.TensorProto.FLOAT, None),
        ]
        graph = onnx.helper.make_graph(
            self.nodes, "net", ends[:1], ends[1:], self.weights
        )
        sets = [onnx.helper.make_opsetid("", 20)]
        model = onnx.helper.make_model(graph, opset_imports=sets, ir_version=10)
        return model.SerializeToString()


def _elementwise(kind, **attributes):
    return lambda g, x, dims: g.add(kind, x, **attributes)


def _of_small(kind):
    """Return what keeps numbers in the range of the operator."""

    def make(g, x, dims):
        low, high = g.numbers(value=0.1), g.numbers(value=1)
        return g.add("Clip", g.add(kind, x), low, high)

    return make


def _reduced(kind, axis):
    """Return a reduction, added to what was reduced."""

    def make(g, x, dims):
        return g.add("Add", x, g.add(kind, x, g.sizes(axis), keepdims=1))

    return make


def _constant(kind):
    return lambda g, x, dims: g.add(kind, x, g.numbers(*dims[1:], value=1.01))


def _by_channel(kind):
    return lambda g, x, dims: g.add(kind, x, g.numbers(dims[1], 1, 1, value=1.01))


def _huge(kind):
    """Return a function of numbers that are far from its usual ones."""
    return lambda g, x, dims: g.add(kind, g.add("Mul", x, g.numbers(value=1e30)))


def _compared(kind):
    def make(g, x, dims):
        return g.add("Cast", g.add(kind, x, g.numbers(*dims[1:])), to=1)

    return make


def _logic(kind):
    def make(g, x, dims):
        truth = g.add("Cast", x, to=9)
        inputs = [truth] if kind == "Not" else [truth, g.add("Greater", x, x)]
        return g.add("Cast", g.add(kind, *inputs), to=1)

    return make


def _window(kind, size, **attributes):
    """Return a pooling window that keeps the size, where it fits in."""

    def make(g, x, dims):
        kernel = [min(size, n // 2 * 2 - 1) if n > 1 else 1 for n in dims[2:]]
        pads = [n // 2 for n in kernel] * 2
        return g.add(kind, x, kernel_shape=kernel, pads=pads, **attributes)

    return make


def _convolution(size, group="all", dilation=1):
    """Return a convolution of all channels, of each by itself, or of pairs."""

    def make(g, x, dims):
        n = dims[1]
        groups = {"each": n, "pairs": n // 2}.get(group, 1)
        if groups == 1 and n > 64:
            return None
        kernel = [min(size, max(n // dilation // 2 * 2 - 1, 1)) for n in dims[2:]]
        weights = g.numbers(n, n // groups, *kernel, value=1e-3)
        pads = [dilation * (k // 2) for k in kernel] * 2
        attributes = {"pads": pads, "group": groups, "dilations": [dilation] * 2}
        return g.add("Tanh", g.add("Conv", x, weights, **attributes))

    return make


def _split(n):
    def make(g, x, dims):
        if dims[1] % n:
            return None
        parts = g.add("Split", x, n_results=n, axis=1, num_outputs=n)
        return g.add("Concat", *parts[::-1], axis=1)

    return make


def _joined(axis):
    """Return both halves of two tensors, one after the other."""

    def make(g, x, dims):
        if dims[axis] < 2:
            return None
        half = dims[axis] // 2
        ends = [g.sizes(0), g.sizes(half), g.sizes(axis)]
        rest = [g.sizes(half), g.sizes(2 * half), g.sizes(axis)]
        halves = g.add("Slice", x, *rest), g.add("Slice", x, *ends)
        return g.add("Concat", *halves, axis=axis)

    return make


def _stepped(axis):
    def make(g, x, dims):
        if dims[axis] < 2:
            return None
        cut = [g.sizes(dims[axis]), g.sizes(axis), g.sizes(2)]
        halves = [g.add("Slice", x, g.sizes(n), *cut) for n in (1, 0)]
        return g.add("Concat", *halves, axis=axis)

    return make


def _gathered(axis):
    def make(g, x, dims):
        order = np.random.default_rng(1).permutation(dims[axis])
        return g.add("Gather", x, g.weight(order), axis=axis)

    return make


def _turned(order):
    def make(g, x, dims):
        back = np.argsort(order).tolist()
        return g.add("Transpose", g.add("Transpose", x, perm=order), perm=back)

    return make


def _doubled(kind, axis):
    """Return a tensor, made twice as long on an axis and halved again."""

    def make(g, x, dims):
        times = [2 if a == axis else 1 for a in range(4)]
        if kind == "Tile":
            x = g.add(kind, x, g.sizes(*times))
        elif kind == "Pad":
            after = [n if a == axis else 0 for a, n in enumerate(dims)]
            x = g.add(kind, x, g.sizes(0, 0, 0, 0, *after))
        else:
            wide = [*dims[:axis], 1, *dims[axis:]]
            asked = [*dims[:axis], 2, *dims[axis:]]
            x = g.add(kind, g.reshape(x, wide), g.sizes(*asked))
            x = g.reshape(x, [n * m for n, m in zip(dims, times, strict=True)])
        ends = g.sizes(0), g.sizes(dims[axis]), g.sizes(axis)
        return g.add("Slice", x, *ends)

    return make


def _resized(mode, **attributes):
    def make(g, x, dims):
        if max(dims[2:]) > 4096:
            return None
        scales = g.weight(np.array([1, 1, 2, 2], np.float32))
        x = g.add("Resize", x, "", scales, mode=mode, **attributes)
        steps = [g.sizes(0, 0), g.sizes(*(2 * n for n in dims[2:]))]
        return g.add("Slice", x, *steps, g.sizes(2, 3), g.sizes(2, 2))

    return make


def _product(rows, inner, columns):
    """Return products of small matrices, as many as there are numbers for."""

    def make(g, x, dims):
        n = np.prod(dims[1:]) // (rows * inner)
        left = g.reshape(x, (dims[0], n, rows, inner))
        right = g.add("Slice", left, g.sizes(0), g.sizes(1), g.sizes(2))
        right = g.add("Expand", right, g.sizes(dims[0], n, columns, inner))
        right = g.add("Transpose", right, perm=[0, 1, 3, 2])
        result = g.add("MatMul", left, right)
        if columns < inner:
            result = g.add("Expand", result, g.sizes(dims[0], n, rows, inner))
        return g.reshape(result, dims)

    return make


def _by_constant(n_in, n_out):
    def make(g, x, dims):
        n = np.prod(dims) // n_in
        x = g.add("MatMul", g.reshape(x, (n, n_in)), g.numbers(n_in, n_out, value=0.01))
        if n_out < n_in:
            x = g.add("Add", x, g.numbers(n, n_in))
        return g.reshape(x, dims)

    return make


def _gemm(g, x, dims):
    x = g.reshape(x, (np.prod(dims) // 512, 512))
    weights = g.numbers(512, 512, value=0.001)
    return g.reshape(g.add("Gemm", x, weights, g.numbers(512), transB=1), dims)


def _einsum(equation, *sizes):
    def make(g, x, dims):
        n = np.prod(dims[1:]) // 128**2
        weights = g.numbers(*sizes, value=0.01)
        x = g.reshape(x, (4, n, 128, 128))
        return g.reshape(g.add("Einsum", x, weights, equation=equation), dims)

    return make


def _normalized(kind):
    def make(g, x, dims):
        if kind == "LayerNormalization":
            return g.add(kind, x, g.numbers(dims[-1], value=1))
        scale = [g.numbers(dims[1], value=1) for _ in "ab"]
        if kind == "BatchNormalization":
            scale += [g.numbers(dims[1], value=1) for _ in "ab"]
        return g.add(kind, x, *scale)

    return make


def _several(kind):
    def make(g, x, dims):
        return g.add(kind, x, g.numbers(dims[1], 1, 1), x, g.numbers(dims[-1]))

    return make


_PLAIN = """
    Abs Ceil Celu Cos Elu Erf Floor Gelu HardSigmoid HardSwish Identity LeakyRelu Mish
    Neg Relu Round Sigmoid Sign Sin Softplus Softsign Tanh GlobalAveragePool
    GlobalMaxPool
"""
_REDUCTIONS = """
    ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare
"""
_AXES = range(1, 4)
CASES = {
    "Conv 3": _convolution(3),
    "Conv 15": _convolution(15),
    "Conv 1": _convolution(1),
    "Conv 3 dilated": _convolution(3, dilation=8),
    "Conv 3 by channel": _convolution(3, "each"),
    "Conv 1 by channel": _convolution(1, "each"),
    "Conv 15 by channel": _convolution(15, "each"),
    "Conv 15 by channel dilated": _convolution(15, "each", dilation=4),
    "Conv 15 by pairs": _convolution(15, "pairs"),
    "Gemm": _gemm,
    "MatMul constant": _by_constant(512, 512),
    "MatMul vector": _by_constant(512, 1),
    "MatMul narrow": _by_constant(2, 2),
    **{f"MatMul small {n}": _product(n, n, n) for n in (1, 2, 4, 8, 32)},
    "MatMul small rows": _product(1, 64, 64),
    "MatMul dots": _product(1, 64, 1),
    "Einsum": _einsum("abcd,ed->abce", 128, 128),
    **{kind: _elementwise(kind) for kind in _PLAIN.split()},
    **{kind: _of_small(kind) for kind in ("Exp", "Log", "Reciprocal", "Sqrt")},
    **{f"{kind} of 1e30": _huge(kind) for kind in ("Cos", "Sin", "Mish", "Softplus")},
    **{kind: _constant(kind) for kind in ("Add", "Div", "Mul", "Pow", "Sub", "PRelu")},
    **{f"{kind} by channel": _by_channel(kind) for kind in ("Add", "Div", "Pow")},
    **{
        kind: _compared(kind)
        for kind in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
    },
    **{kind: _logic(kind) for kind in ("And", "Or", "Not")},
    **{kind: _several(kind) for kind in ("Max", "Mean", "Min", "Sum")},
    "Clip": lambda g, x, dims: g.add("Clip", x, g.numbers(value=0), g.numbers(value=9)),
    "Where": lambda g, x, dims: g.add("Where", g.add("Greater", x, x), x, x),
    "Cast": lambda g, x, dims: g.add("Cast", g.add("Cast", x, to=9), to=1),
    **{
        f"{kind} {axis}": _elementwise(kind, axis=axis)
        for kind in ("Softmax", "LogSoftmax")
        for axis in _AXES
    },
    **{
        f"CumSum {axis}": lambda g, x, dims, axis=axis: g.add(
            "CumSum", x, g.weight(np.array(axis))
        )
        for axis in _AXES
    },
    **{
        f"{kind} {axis}": _reduced(kind, axis)
        for kind in _REDUCTIONS.split()
        for axis in _AXES
    },
    **{
        kind: _normalized(kind)
        for kind in ("BatchNormalization", "InstanceNormalization")
    },
    "LayerNormalization": _normalized("LayerNormalization"),
    **{
        f"{kind} {size}": _window(kind, size)
        for kind in ("MaxPool", "AveragePool")
        for size in (3, 31)
    },
    "AveragePool 301 on a line": lambda g, x, dims: g.reshape(
        g.add(
            "AveragePool",
            g.reshape(x, (*dims[:2], dims[2] * dims[3])),
            kernel_shape=[min(301, dims[2] * dims[3] // 2 * 2 - 1)],
            pads=[min(301, dims[2] * dims[3] // 2 * 2 - 1) // 2] * 2,
        ),
        dims,
    ),
    "AveragePool 31 with pads": _window("AveragePool", 31, count_include_pad=1),
    **{f"Split {n}": _split(n) for n in (2, 64)},
    **{f"Concat {axis}": _joined(axis) for axis in _AXES},
    **{f"Slice {axis} in steps": _stepped(axis) for axis in _AXES},
    **{f"Gather {axis}": _gathered(axis) for axis in _AXES},
    **{
        f"Transpose {order}": _turned(order)
        for order in ([0, 1, 3, 2], [0, 2, 3, 1], [3, 2, 1, 0], [1, 0, 2, 3])
    },
    **{
        f"{kind} {axis}": _doubled(kind, axis)
        for kind in ("Expand", "Pad", "Tile")
        for axis in _AXES
    },
    "Resize nearest": _resized("nearest"),
    "Resize linear": _resized("linear"),
    "Resize aligned": _resized(
        "linear", coordinate_transformation_mode="align_corners"
    ),
}
