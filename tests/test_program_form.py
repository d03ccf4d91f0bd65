"""Of a stranger's program, engines see what was checked, and nothing else."""

import numpy as np
import pytest

pytest.importorskip("onnx")
import onnx
from onnx import helper, numpy_helper

from skbird.inference._engines import Limits, OnnxRuntimeEngine, OpenVinoEngine
from skbird.inference._programs import ProgramError, check_program

SHAPE = (3, 8, 4)
FLOAT = onnx.TensorProto.FLOAT


def node(kind, inputs, output, **attributes):
    return helper.make_node(kind, inputs.split(","), output.split(","), **attributes)


def make_program(*nodes, opset=18, **weights):
    """Return a program of nodes beside one that gives logits."""
    weights |= {"one": [1], "matrix": np.ones((4, 2), np.float32)}
    needed = [
        node("ReduceMean", "segments,one", "mean", keepdims=0),
        node("MatMul", "mean,matrix", "logits"),
    ]
    graph = helper.make_graph(
        [*nodes, *needed],
        "net",
        [helper.make_tensor_value_info("segments", FLOAT, ["batch", 8, 4])],
        [helper.make_tensor_value_info("logits", FLOAT, ["batch", 2])],
        [numpy_helper.from_array(np.array(v), name) for name, v in weights.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def check(model):
    return check_program(
        model.SerializeToString(), shape=SHAPE, n_species=2, frame_scores=False
    )


def refused(model, message):
    with pytest.raises(ProgramError, match=message):
        check(model)


# -- What is not looked at is gone ----------------------------------------------------


def decorate(model):
    """Say everything twice, the second time in a field that no rule reads."""
    mean, graph = model.graph.node[-2], model.graph
    flag = mean.attribute[0]
    flag.ints.extend([2**40])
    flag.floats.extend([1.0])
    flag.t.CopyFrom(numpy_helper.from_array(np.ones(3)))
    flag.ref_attr_name = "secret"
    mean.name = mean.doc_string = mean.overload = "secret"
    graph.initializer[0].float_data.extend([1.0])
    graph.initializer[0].doc_string = "secret"
    graph.initializer[0].segment.begin = 5
    graph.value_info.append(helper.make_tensor_value_info("mean", FLOAT, [10**9]))
    graph.doc_string = graph.name = graph.output[0].doc_string = "secret"
    graph.input[0].type.denotation = "secret"
    model.metadata_props.add(key="secret", value="secret")
    model.doc_string = model.producer_name = model.domain = "secret"


def test_what_no_rule_looks_at_is_left_out():
    value = numpy_helper.from_array(np.ones(3, np.float32), "secret")
    value.doc_string = "secret"
    constant = helper.make_node("Constant", [], ["secret"], value=value)
    plain = make_program(constant)
    expected = check(plain).program
    assert b"secret" not in expected
    decorate(plain)
    assert check(plain).program == expected


def test_constants_are_what_their_type_says():
    types = onnx.AttributeProto
    for kind in (types.INTS, types.SPARSE_TENSOR, types.FLOAT):
        value = numpy_helper.from_array(np.ones(1, np.int64))
        constant = helper.make_node("Constant", [], ["x"], value=value)
        constant.attribute[0].type = kind
        refused(make_program(constant), "Constant has the attributes")


def test_programs_say_what_shape_each_result_has():
    checked = check(make_program())
    graph = onnx.load_from_string(checked.program).graph
    infos = [*graph.input, *graph.value_info, *graph.output]
    shapes = {
        info.name: tuple(d.dim_value for d in info.type.tensor_type.shape.dim)
        for info in infos
    }
    assert shapes == checked.shapes
    assert shapes == {"segments": SHAPE, "r0": (3, 4), "logits": (3, 2)}


# -- Engines are held to the shapes that the rules found ------------------------------


def run(engine, checked, **shapes):
    limits = Limits(checked.shapes | shapes, most_streams=1)
    made = engine(checked.program, "float32", SHAPE[0], 1, limits)
    return made.run([np.ones(SHAPE, np.float32)])


def test_openvino_complains_of_other_shapes():
    pytest.importorskip("openvino")
    checked = check(make_program())
    assert run(OpenVinoEngine, checked).shape == (3, 2)
    with pytest.raises(ValueError, match=r"r0 has the shape \[3,4\], not \(3, 5\)"):
        run(OpenVinoEngine, checked, r0=(3, 5))


def test_onnxruntime_complains_of_other_shapes():
    pytest.importorskip("onnxruntime")
    checked = check(make_program())
    assert run(OnnxRuntimeEngine, checked).shape == (3, 2)
    model = onnx.load_from_string(checked.program)
    model.graph.value_info[0].type.tensor_type.shape.dim[1].dim_value = 5
    with pytest.raises(Exception, match="inferred and declared dimension"):
        run(OnnxRuntimeEngine, checked._replace(program=model.SerializeToString()))


def test_batches_at_a_time_are_limited():
    pytest.importorskip("openvino")
    checked = check(make_program())
    limits = Limits(checked.shapes, most_streams=1)
    engine = OpenVinoEngine(checked.program, "float32", SHAPE[0], 4, limits)
    assert engine._compiled.get_property("NUM_STREAMS") == 1
    assert len(engine._queue) == 1


# -- What engines take in different ways is refused -----------------------------------


@pytest.mark.parametrize("flag", [2, -1])
def test_flags_are_0_or_1(flag):
    extra = node("ReduceMax", "segments", "x", keepdims=flag)
    refused(make_program(extra), "ReduceMax has another 'keepdims' than it may")


def test_texts_are_not_cut_off():
    equation = "abc,abc->" + "a" * 100
    extra = node("Einsum", "segments,segments", "x", equation=equation)
    refused(make_program(extra), "Einsum has another 'equation' than it may")


def test_weights_have_few_axes():
    model = make_program(x=np.ones((1,) * 7, np.float32))
    refused(model, "the weights 'x' have the shape")


@pytest.mark.parametrize("scale", [4.1666665, 0.9999999])
def test_scales_give_clear_sizes(scale):
    scales = np.array([1, 1, 1, scale], np.float32)
    extra = [
        node("Reshape", "segments,size", "row"),
        node("Resize", "row,,scales", "x", mode="nearest"),
    ]
    model = make_program(*extra, size=[1, 1, 4, 24], scales=scales)
    refused(model, "Resize has a scale that gives no clear size")


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (node("Gelu", "segments", "x"), "Gelu is no operator of set 18"),
        (
            node("AveragePool", "segments", "x", kernel_shape=[2], dilations=[2]),
            "AveragePool has an attribute 'dilations'",
        ),
        (
            node(
                "MaxPool", "segments", "x", kernel_shape=[2], dilations=[1], pads=[2, 0]
            ),
            "MaxPool has wide pads",
        ),
        (
            node("MaxPool", "segments", "x", kernel_shape=[2], dilations=[2]),
            "MaxPool has gaps",
        ),
        (node("InstanceNormalization", "mean,two,two", "x"), "has no places"),
    ],
)
def test_what_an_engine_would_refuse_is_refused(extra, message):
    model = make_program(two=np.ones(4, np.float32))
    model.graph.node.append(extra)
    refused(model, message)


def clear_version(model):
    model.ClearField("ir_version")


def clear_sets(model):
    del model.opset_import[:]


def add_set(model):
    model.opset_import.append(helper.make_opsetid("ai.onnx", 19))


def age(model):
    model.opset_import[0].version = 17


def renew(model):
    model.opset_import[0].version = 99


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (clear_version, "ONNX of version 0, not 8 to 12"),
        (clear_sets, r"of the sets \[\], not of one from 18 to 23"),
        (add_set, r"of the sets \[18, 19\]"),
        (age, r"of the sets \[17\]"),
        (renew, r"of the sets \[99\]"),
    ],
)
def test_versions_are_those_that_rules_are_tested_with(change, message):
    model = make_program()
    change(model)
    refused(model, message)


# -- What takes long is refused before it does ----------------------------------------


def test_results_of_an_operation_are_few():
    many = ",".join(f"x{n}" for n in range(257))
    refused(make_program(node("Split", "segments", many)), "over 256")


def test_weights_are_few():
    weights = {f"x{n}": np.zeros((), np.float32) for n in range(8_001)}
    refused(make_program(**weights), "it has 8003 weights")


@pytest.mark.parametrize(
    ("kind", "inputs", "n"),
    [("Sum", 200, 30), ("Concat", 200, 30), ("Einsum", 2, 300), ("Gelu", 1, 600)],
)
def test_what_takes_engines_long_to_prepare_counts_more(kind, inputs, n):
    extra = [node(kind, ",".join(["segments"] * inputs), f"x{k}") for k in range(n)]
    refused(make_program(*extra), r"it has \d+ operations, or few that take as long")


def test_lists_of_sizes_are_short():
    names = "segments,many,many,many,many"
    model = make_program(node("Slice", names, "x"), many=np.arange(300))
    refused(model, "Slice has 300 sizes")


def large(*nodes, **weights):
    """Return what a program needs that makes 1 MiB, and more of it."""
    extra = [
        node("ReduceMax", "segments", "loudest", keepdims=0),
        node("Expand", "loudest,size", "wide"),
    ]
    return check(make_program(*extra, *nodes, size=[512, 512], **weights)).n_bytes


def test_scratch_of_engines_counts():
    plain, mib = large(node("Relu", "wide", "x")), 2**20
    assert 2 * mib < plain < 2.1 * mib
    assert large(node("Softmax", "wide", "x", axis=0)) == plain + 2 * mib
    assert large(node("Max", "wide,wide,wide", "x")) == plain + 2 * mib
    condition = node("Greater", "wide,loudest", "louder")
    assert large(condition, node("Where", "louder,wide,wide", "x")) == plain + 3 * mib


def test_copies_of_the_input_count():
    many = check_program(
        make_program().SerializeToString(),
        shape=(4096, 8, 4),
        n_species=2,
        frame_scores=False,
    )
    assert many.n_bytes > 4 * 4096 * 8 * 4 * 4
