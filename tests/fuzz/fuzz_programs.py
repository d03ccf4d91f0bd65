"""Programs of one random operation: are the shapes that rules find those of engines?"""

import numpy as np
import onnx
import onnxruntime
import openvino
from fuzz_worker import Failure

from skbird.inference import _programs
from skbird.inference._programs import ProgramError, check_program

SHAPE = (2, 12, 9)
OPSETS = (18, 19, 20, 21, 22, 23)
SIDES = (1, 2, 3, 4, 6, 9, 12, 18, 27, 36, 54, 108)
WINDOWS = ("MaxPool", "AveragePool")
REDUCTIONS = """
    ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceProd ReduceSum
""".split()
FAR = (-(2**63), 2**63 - 1)


def prepare(folder):
    """Let programs have logits of any shape."""
    _programs._check_logits = lambda *args: None
    return openvino.Core()


def run(core, rng, place, story):
    way = WAYS[rng.integers(len(WAYS))]
    opset = int(rng.choice(OPSETS))
    kind, attributes, inputs = way(Sizes(rng))
    story.append(f"{kind} of set {opset}: {attributes} {inputs}")
    program = write(kind, attributes, inputs, opset)
    try:
        checked = check_program(program, shape=SHAPE, n_species=2, frame_scores=False)
    except ProgramError:
        return "refused"
    expected = checked.shapes["logits"]
    for engine, shape in (
        ("onnxruntime", run_onnxruntime(checked.program)),
        ("openvino", run_openvino(core, checked.program)),
    ):
        if shape != expected:
            raise Failure("wrong", f"{engine} makes {shape}, not {expected} | {story}")
    return "right"


def run_onnxruntime(program):
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = onnxruntime.InferenceSession(program, options)
    return session.run(None, {"segments": np.ones(SHAPE, np.float32)})[0].shape


def run_openvino(core, program):
    return tuple(core.read_model(program).output(0).partial_shape.to_shape())


def write(kind, attributes, inputs, opset):
    """Return a program of one operation on the segments, perhaps in another shape."""
    attributes = {"shape": SHAPE} | attributes
    values = {f"w{n}": np.array(w) for n, w in enumerate(inputs) if w is not None}
    values["shape"] = np.array(attributes.pop("shape"))
    names = [f"w{n}" if w is not None else "" for n, w in enumerate(inputs)]
    nodes = [
        onnx.helper.make_node("Reshape", ["segments", "shape"], ["x"]),
        onnx.helper.make_node(kind, ["x", *names], ["logits"], **attributes),
    ]
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "net",
        [info("segments", onnx.TensorProto.FLOAT, SHAPE)],
        [info("logits", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    sets = [onnx.helper.make_opsetid("", opset)]
    model = onnx.helper.make_model(graph, opset_imports=sets, ir_version=10)
    return model.SerializeToString()


class Sizes:
    """Draws the numbers of an operation."""

    def __init__(self, rng):
        self.rng = rng

    def one(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def some(self, n, low, high):
        return [self.one(low, high) for _ in range(n)]

    def any_of(self, values):
        return values[self.rng.integers(len(values))]

    def axes(self, least, most):
        axes = self.rng.permutation(np.arange(-3, 3))
        return np.array(axes[: self.one(least, most)], dtype=np.int64)

    def picture(self):
        height = self.any_of(SIDES)
        return 2, 1, height, 108 // height


def pool(sizes):
    attributes = {
        "shape": sizes.picture(),
        "kernel_shape": sizes.some(2, 1, 5),
        "strides": sizes.some(2, 1, 6),
        "pads": sizes.some(4, 0, 4),
        "ceil_mode": sizes.any_of([0, 1, 1, 1, 2]),
    }
    kind = sizes.any_of(WINDOWS)
    if sizes.one(0, 1):
        attributes["pads"] = [0] * 4
    if kind == "AveragePool":
        attributes["count_include_pad"] = sizes.one(0, 1)
    elif sizes.one(0, 1):
        attributes["dilations"] = sizes.some(2, 1, 2)
    return kind, attributes, []


def convolve(sizes):
    attributes = {
        "shape": sizes.picture(),
        "strides": sizes.some(2, 1, 4),
        "pads": sizes.some(4, 0, 4),
        "dilations": sizes.some(2, 1, 3),
    }
    return "Conv", attributes, [np.ones((2, 1, *sizes.some(2, 1, 4)), np.float32)]


def resize_to(sizes):
    ways = ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"]
    attributes = {
        "shape": sizes.picture(),
        "mode": sizes.any_of(["nearest", "linear"]),
        "coordinate_transformation_mode": sizes.any_of(ways),
    }
    return "Resize", attributes, [None, None, np.array([2, 1, *sizes.some(2, 1, 20)])]


def resize_by(sizes):
    shape = sizes.picture()
    wide, high = sizes.some(2, 1, 200)
    near = wide / shape[2], high / shape[3]
    scales = [1, 1, *(near if sizes.one(0, 1) else (wide / high, high / wide))]
    attributes = {"shape": shape, "mode": sizes.any_of(["nearest", "linear"])}
    return "Resize", attributes, [None, np.array(scales, np.float32)]


def flatten(sizes):
    return "Flatten", {"axis": sizes.one(-4, 4)}, []


def reduce(sizes):
    inputs = [sizes.axes(0, 3)] if sizes.one(0, 9) else []
    return sizes.any_of(REDUCTIONS), {"keepdims": sizes.one(-1, 2)}, inputs


def cut(sizes):
    ends = [[sizes.any_of([sizes.one(-20, 20), *FAR]) for _ in "ab"] for _ in "ab"]
    steps = [sizes.any_of([1, 2, 5, 100, 2**22]), sizes.any_of([1, 3])]
    return "Slice", {}, [np.array(n) for n in (*ends, sizes.axes(2, 2), steps)]


def squeeze(sizes):
    shape = [sizes.any_of([1, 2, 12]) for _ in range(4)]
    rest, odd = divmod(216, int(np.prod(shape)))
    shape = [2, 1, 108, 1] if odd else [*shape, rest]
    return "Squeeze", {"shape": shape}, [sizes.axes(0, 2)]


def unsqueeze(sizes):
    return "Unsqueeze", {}, [sizes.axes(1, 3)]


def reshape(sizes):
    asked = [
        sizes.any_of([0, -1, 1, 2, 9, 12, 18, 216]) for _ in range(sizes.one(1, 4))
    ]
    return "Reshape", {"allowzero": sizes.one(0, 1)}, [np.array(asked)]


def split(sizes):
    if sizes.one(0, 1):
        return "Split", {"axis": sizes.one(-3, 2), "num_outputs": 1}, []
    return "Split", {"axis": sizes.one(-3, 2)}, [np.array([sizes.any_of([2, 9, 12])])]


def pad(sizes):
    return "Pad", {}, [np.array(sizes.some(6, 0, 3))]


def gather(sizes):
    places = sizes.any_of([0, [0, -1], [[1], [0]], [11]])
    return "Gather", {"axis": sizes.one(-3, 2)}, [np.array(places)]


def transpose(sizes):
    return "Transpose", {"perm": sizes.rng.permutation(3).tolist()}, []


def expand(sizes):
    asked = [sizes.any_of([1, 2, 9, 12]) for _ in range(sizes.one(0, 4))]
    return "Expand", {}, [np.array(asked, dtype=np.int64)]


def tile(sizes):
    return "Tile", {}, [np.array(sizes.some(3, 1, 3))]


def multiply(sizes):
    shape = sizes.any_of([(9, 4), (2, 9, 3), (3, 1, 9, 2), (1, 9, 1), (9,)])
    return "MatMul", {}, [np.ones(shape, np.float32)]


def add_products(sizes):
    right = sizes.any_of([(108, 3), (3, 108), (2, 5), (5, 2)])
    shift = sizes.any_of([(), (3,), (1, 3), (2, 1), (5,)])
    attributes = {"shape": (2, 108), "transA": sizes.one(0, 2)}
    attributes["transB"] = sizes.one(-1, 1)
    return "Gemm", attributes, [np.ones(right, np.float32), np.ones(shift, np.float32)]


def normalize(sizes):
    shape = sizes.any_of([(9,), (12, 9)])
    inputs = [np.ones(shape, np.float32)]
    return "LayerNormalization", {"axis": sizes.one(-3, 2)}, inputs


def normalize_instances(sizes):
    shape = sizes.any_of([(2, 108), SHAPE, (2, 12, 3, 3)])
    attributes = {"shape": shape}
    return "InstanceNormalization", attributes, [np.ones(shape[1], np.float32)] * 2


def smooth(sizes):
    return "Gelu", {"approximate": sizes.any_of(["none", "tanh"])}, []


WAYS = (
    *(pool, pool, convolve, resize_to, resize_by, resize_by, flatten, reduce, cut),
    *(squeeze, unsqueeze, reshape, split, pad, gather, transpose, expand, tile),
    *(multiply, add_products, normalize, normalize_instances, smooth),
)
