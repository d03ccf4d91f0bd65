"""Programs that compute their sizes become programs that do not."""

import sys

import numpy as np
import pytest

pytest.importorskip("onnx")
import onnx
from onnx.reference import ReferenceEvaluator

from skbird.inference._fixed_sizes import fix_sizes
from skbird.inference._programs import ProgramError, check_program

SHAPE = (3, 8, 4)


def make_program(*nodes, weights=()):
    """Return a program whose last result is "logits"."""
    float32 = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(*node[:3], **(node[3:] or [{}])[0]) for node in nodes],
        "net",
        [onnx.helper.make_tensor_value_info("segments", float32, ["batch", 8, 4])],
        [onnx.helper.make_tensor_value_info("logits", float32, ["batch", 2])],
        [onnx.numpy_helper.from_array(np.array(v), name) for name, v in weights],
    )
    opset = onnx.helper.make_opsetid("", 18)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10)
    return model.SerializeToString()


def check(program):
    return check_program(program, shape=SHAPE, n_species=2, frame_scores=False)


def run(program):
    segments = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    return ReferenceEvaluator(onnx.load_from_string(program)).run(
        None, {"segments": segments}
    )[0]


@pytest.fixture
def computed():
    """A program that pools, in a roundabout way: it asks for the size of the batch."""
    return make_program(
        ("Shape", ["segments"], ["shape"]),
        ("Slice", ["shape", "zero", "one"], ["batch"]),
        ("Concat", ["batch", "sides"], ["size"], {"axis": 0}),
        ("Reshape", ["segments", "size"], ["halves"]),
        ("Expand", ["halves", "size"], ["wide"]),
        ("ReduceMean", ["wide", "two"], ["logits"], {"keepdims": 0}),
        weights=[("zero", [0]), ("one", [1]), ("two", [2]), ("sides", [2, 16])],
    )


def test_a_missing_onnx_names_its_installation(computed, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    for read in (check, lambda program: fix_sizes(program, SHAPE)):
        with pytest.raises(ImportError, match=r"need onnx; .* pip install .*\[cpu\]"):
            read(computed)


def test_computed_sizes_become_constants(computed):
    with pytest.raises(ProgramError, match="'Shape' is not on the list"):
        check(computed)
    fixed = fix_sizes(computed, SHAPE)
    np.testing.assert_array_equal(run(check(fixed).program), run(computed))
    kinds = [node.op_type for node in onnx.load_from_string(fixed).graph.node]
    assert kinds == ["Reshape", "Expand", "ReduceMean"]


def test_programs_without_computed_sizes_stay_as_they_are():
    program = make_program(
        ("Reshape", ["segments", "size"], ["halves"]),
        ("ReduceMean", ["halves", "two"], ["logits"], {"keepdims": 0}),
        weights=[("size", [-1, 2, 16]), ("two", [2])],
    )
    assert fix_sizes(program, SHAPE) is program
    assert check(program).n_bytes > 0


def test_computed_slices_stay_computed():
    program = make_program(
        ("Shape", ["segments"], ["shape"]),
        ("Slice", ["segments", "one", "shape", "two"], ["slice"]),
        ("ReduceMean", ["slice", "two"], ["mean"], {"keepdims": 0}),
        ("MatMul", ["mean", "weights"], ["logits"]),
        weights=[
            ("one", [1]),
            ("two", [2]),
            ("weights", np.ones((8, 2), np.float32)),
        ],
    )
    with pytest.raises(ProgramError, match="'Shape' is not on the list"):
        check(fix_sizes(program, SHAPE))


def test_the_shape_that_a_program_claims_is_not_believed():
    program = make_program(
        ("ReduceMean", ["segments", "one"], ["mean"], {"keepdims": 0}),
        ("MatMul", ["mean", "weights"], ["logits"]),
        weights=[("one", [1]), ("weights", np.ones((4, 2), np.float32))],
    )
    model = onnx.load_from_string(program)
    dims = model.graph.input[0].type.tensor_type.shape.dim
    dims[1].dim_value = 10**9
    checked = check(model.SerializeToString())
    dims = onnx.load_from_string(checked.program).graph.input[0].type.tensor_type.shape
    assert [d.dim_param or d.dim_value for d in dims.dim] == [*SHAPE]
