"""Shapes that programs of strangers are believed to have are those that they have."""

import io

import numpy as np
import pytest

pytest.importorskip("onnx")
import onnx
from onnx import helper, numpy_helper

from skbird.inference._program_operation import Operation, ProgramError, Tensor
from skbird.inference._program_rules import RULES, results_of

OPSET = 20


def whole(*numbers):
    return np.array(numbers, dtype=np.int64)


def floats(*shape):
    return np.ones(shape, np.float32)


def slid(**changes):
    return {"kernel_shape": [3, 2], "strides": [2, 2], **changes}


# Operator, shape of the segments, further inputs, attributes.
CASES = [
    ("Relu", (2, 3), [], {}),
    ("Gelu", (2, 3), [], {}),
    ("Softmax", (2, 3, 4), [], {"axis": -2}),
    ("PRelu", (2, 3, 4), [floats(3, 1)], {}),
    ("Clip", (2, 3), [floats()], {}),
    ("Add", (2, 1, 4), [floats(3, 1)], {}),
    ("Mul", (3, 1), [floats(2, 1, 4)], {}),
    ("Max", (2, 1), [floats(3), floats(2, 3)], {}),
    ("Less", (2, 1, 4), [floats(3, 1)], {}),
    ("Cast", (2, 3), [], {"to": 9}),
    ("CumSum", (2, 3), [whole(-1)], {}),
    ("BatchNormalization", (2, 3, 4), [floats(3)] * 4, {}),
    ("InstanceNormalization", (2, 3, 4), [floats(3)] * 2, {}),
    ("LayerNormalization", (2, 3, 4), [floats(3, 4)], {"axis": -2}),
    ("Conv", (2, 4, 9, 7), [floats(6, 2, 3, 2)], {"group": 2, "strides": [2, 3]}),
    ("Conv", (2, 3, 9), [floats(5, 3, 4)], {"dilations": [2], "pads": [1, 3]}),
    ("MaxPool", (2, 3, 10, 9), [], slid(ceil_mode=1, pads=[1, 0, 1, 0])),
    ("AveragePool", (2, 3, 10, 9), [], slid(ceil_mode=1, pads=[1, 1, 1, 0])),
    ("MaxPool", (2, 3, 9, 8), [], slid(dilations=[1, 1])),
    ("GlobalMaxPool", (2, 3, 4, 5), [], {}),
    ("MatMul", (2, 3, 4), [floats(4, 5)], {}),
    ("MatMul", (3, 4), [floats(2, 1, 4, 5)], {}),
    ("Gemm", (4, 3), [floats(5, 4), floats(5)], {"transA": 1, "transB": 1}),
    ("Einsum", (2, 3, 4), [floats(2, 4, 5)], {"equation": "bij,bjk->bki"}),
    ("ReduceMean", (2, 3, 4), [whole(-1, 0)], {"keepdims": 0}),
    ("ReduceSum", (2, 3, 4), [], {}),
    ("ReduceMax", (2, 3, 4), [whole()], {}),
    ("Reshape", (2, 3, 4), [whole(0, -1, 2)], {}),
    *(("Flatten", (2, 3, 4), [], {"axis": axis}) for axis in range(-3, 4)),
    ("Transpose", (2, 3, 4), [], {}),
    ("Transpose", (2, 3, 4), [], {"perm": [1, 2, 0]}),
    ("Squeeze", (2, 1, 3, 1), [whole(-3)], {}),
    ("Unsqueeze", (2, 3), [whole(-1, 1)], {}),
    ("Concat", (2, 3, 4), [floats(2, 5, 4)], {"axis": -2}),
    ("Split", (2, 6), [], {"axis": -1, "num_outputs": 3}),
    ("Split", (2, 6), [whole(1, 5)], {"axis": 1}),
    ("Slice", (5, 9), [whole(-8, 1), whole(2**63 - 1, -1), whole(1, 0)], {}),
    ("Slice", (5, 9), [whole(1), whole(8), whole(-1), whole(3)], {}),
    ("Gather", (2, 3, 4), [whole(0, -1, 1)[None]], {"axis": -2}),
    ("Expand", (3, 1), [whole(2, 1, 4)], {}),
    ("Tile", (2, 3), [whole(3, 2)], {}),
    ("Pad", (2, 3), [whole(1, 0, 2, 3)], {}),
    ("Resize", (1, 2, 5, 7), [None, None, whole(1, 2, 3, 9)], {"mode": "linear"}),
    ("Resize", (1, 2, 5, 7), [None, np.float32([1, 1, 2.5, 0.3])], {}),
]


def believed(kind, shape, values, attributes):
    """Return the shapes of an operation's results, from those of its inputs."""
    inputs = [
        None if value is None else Tensor(value.shape, str(value.dtype), value)
        for value in values
    ]
    attributes = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in attributes.items()
    }
    operation = Operation(kind, [Tensor(shape, moves=True), *inputs], attributes)
    return [tensor.dims for tensor in results_of(operation)]


def write_program(kind, shape, values, attributes, n_results):
    """Return a program of one operation."""
    names = ["" if v is None else f"w{n}" for n, v in enumerate(values)]
    results = [f"y{number}" for number in range(n_results)]
    by_name = {n: v for n, v in zip(names, values, strict=True) if n}
    graph = helper.make_graph(
        [helper.make_node(kind, ["segments", *names], results, **attributes)],
        "net",
        [helper.make_tensor_value_info("segments", onnx.TensorProto.FLOAT, shape)],
        [onnx.ValueInfoProto(name=name) for name in results],
        [numpy_helper.from_array(v, n) for n, v in by_name.items()],
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    return model.SerializeToString()


def run_onnxruntime(program, segments):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(program, providers=["CPUExecutionProvider"])
    return session.run(None, {"segments": segments})


def run_openvino(program, segments):
    core = pytest.importorskip("openvino").Core()
    model = core.compile_model(core.read_model(io.BytesIO(program)), "CPU")
    return model([segments]).to_tuple()


@pytest.mark.parametrize("run", [run_onnxruntime, run_openvino])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[3]}")
def test_shapes_are_those_that_an_engine_makes(case, run):
    shapes = believed(*case)
    found = run(write_program(*case, len(shapes)), floats(*case[1]))
    assert [array.shape for array in found] == shapes


def test_every_function_of_shapes_is_compared():
    tried = {RULES[kind].shape for kind, *_ in CASES}
    assert tried == {rule.shape for rule in RULES.values()}


@pytest.mark.parametrize(
    ("kind", "values", "attributes", "message"),
    [
        (
            "MaxPool",
            [],
            slid(strides=[5, 1], ceil_mode=1),
            "has a place behind",
        ),
        ("Squeeze", [whole()], {}, "Squeeze is not clear"),
        ("Flatten", [], {"axis": 5}, "Flatten has no axis 5"),
        ("Flatten", [], {"axis": -5}, "Flatten has no axis -5"),
    ],
)
def test_what_engines_take_in_another_way_is_refused(kind, values, attributes, message):
    with pytest.raises(ProgramError, match=message):
        believed(kind, (1, 2, 5, 2), values, attributes)
