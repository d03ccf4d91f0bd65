"""Small files that ask for all memory or compute for ever are stopped elsewhere."""

import os
import resource
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
import onnx
from onnx import TensorProto, helper, numpy_helper

from skbird.encoders import EncoderOutput, EncoderSpec, _trial, load_encoder
from skbird.encoders._find import sha256_of

SPEC = EncoderSpec("small", "1", 8000, 0.2, {"embedding": EncoderOutput("e", [12])})
pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="other systems bound no memory"
)


def save(path, nodes, **constants):
    """Write a model that gives the first 12 samples, after what nodes do to them."""
    constants |= {"s0": np.array([0]), "s1": np.array([12]), "axis": np.array([1])}
    first = helper.make_node("Slice", ["x", "s0", "s1", "axis"], ["first"])
    graph = helper.make_graph(
        [first, *nodes],
        "bomb",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 1600])],
        [helper.make_tensor_value_info("e", TensorProto.FLOAT, ["b", 12])],
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


def one_huge_constant(path):
    value = numpy_helper.from_array(np.ones(1, np.float32))
    nodes = [
        helper.make_node("ConstantOfShape", ["n"], ["big"], value=value),
        helper.make_node("ReduceMax", ["big"], ["most"], keepdims=0),
        helper.make_node("Add", ["first", "most"], ["e"]),
    ]
    return save(path, nodes, n=np.array([4_000_000_000]))


def many_copies(path):
    nodes = [
        helper.make_node("Tile", ["x", "n"], ["big"]),
        helper.make_node("ReduceMax", ["big"], ["most"], keepdims=0),
        helper.make_node("Add", ["first", "most"], ["e"]),
    ]
    return save(path, nodes, n=np.array([1, 30_000]))


def loop(path, times):
    ends = [
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("at", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on_", TensorProto.BOOL, []),
            helper.make_tensor_value_info("at_", TensorProto.FLOAT, None),
        ],
    ]
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["on_"]),
            helper.make_node("Identity", ["at"], ["at_"]),
        ],
        "body",
        *ends,
    )
    node = helper.make_node("Loop", ["n", "yes", "first"], ["e"], body=body)
    return save(path, [node], n=np.array(times), yes=np.array(True))


def if_most(path, operator, threshold):
    """Write a model that asks for 2.8 GB if the most of the sound is such."""
    given = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    value = numpy_helper.from_array(np.ones(1, np.float32))
    bomb = [
        helper.make_node("ConstantOfShape", ["n"], ["big"], value=value),
        helper.make_node("ReduceMax", ["big"], ["most"], keepdims=0),
        helper.make_node("Add", ["first", "most"], ["out"]),
    ]
    same = [helper.make_node("Identity", ["first"], ["out"])]
    branches = {
        "then_branch": helper.make_graph(bomb, "bomb", [], [given]),
        "else_branch": helper.make_graph(same, "same", [], [given]),
    }
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["highest"], keepdims=0),
        helper.make_node(operator, ["highest", "threshold"], ["is_such"]),
        helper.make_node("If", ["is_such"], ["e"], **branches),
    ]
    constants = {"n": np.array([700_000_000]), "threshold": np.float32(threshold)}
    return save(path, nodes, **constants)


def on_silence(path):
    return if_most(path, "Less", 1e-6)


def test_branches_that_are_not_taken_are_not_computed_here(tmp_path):
    pytest.importorskip("openvino")
    path = if_most(tmp_path / "a.onnx", "Greater", 1e6)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert load_encoder(path, SPEC).runtime == "onnxruntime"
    with pytest.raises(ValueError, match="It is no usable model"):
        load_encoder(path, SPEC, runtime="openvino")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


@pytest.mark.parametrize("make", [one_huge_constant, many_copies, on_silence])
@pytest.mark.parametrize("runtime", ["auto", "openvino"])
def test_memory_without_end_is_refused(tmp_path, make, runtime):
    if runtime == "openvino":
        pytest.importorskip("openvino")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=r"takes more than 1\.5 GB for a few windows"):
        load_encoder(make(tmp_path / "a.onnx"), SPEC, runtime=runtime)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


def test_loops_without_end_are_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(_trial, "_MOST_S", 1)
    with pytest.raises(ValueError, match="for more than 1 s, and was stopped"):
        load_encoder(loop(tmp_path / "a.onnx", 2**60), SPEC)


def test_loops_that_end_are_run(tmp_path):
    encoder = load_encoder(loop(tmp_path / "a.onnx", 5), SPEC)
    windows = np.random.default_rng(0).standard_normal((3, 1600)).astype(np.float32)
    np.testing.assert_allclose(
        encoder.run(windows)["embedding"], windows[:, :12], atol=1e-6
    )


def test_a_model_is_tried_once(tmp_path, monkeypatch):
    path = loop(tmp_path / "a.onnx", 5)
    load_encoder(path, SPEC)

    def asks(job):
        raise AssertionError("again")

    monkeypatch.setattr(_trial, "_ask", asks)
    load_encoder(path, replace(SPEC, level="peak"))
    window = ["batch", 1600], "float32"
    _trial.try_model(path, SPEC, sha256_of(path), *window)
    with pytest.raises(AssertionError, match="again"):
        _trial.try_model(path, SPEC, "0" * 64, *window)
    known = next(s.sha256 for s in _trial.known_specs().values() if s.sha256)
    _trial.try_model(path, SPEC, known, *window)


def test_what_crashes_is_said(tmp_path, monkeypatch):
    path = loop(tmp_path / "a.onnx", 7)
    answer = {"signal": 11, "step": "open", "error": "it crashed"}
    monkeypatch.setattr(_trial, "_ask", lambda job: answer)
    with pytest.raises(ValueError, match=r"crashes its runtime \(SIGSEGV\)"):
        load_encoder(path, SPEC)


def test_a_worker_that_died_is_replaced(tmp_path):
    load_encoder(loop(tmp_path / "a.onnx", 5), SPEC)
    worker = _trial._running[os.getpid()]
    worker.kill()
    worker.wait()
    assert load_encoder(loop(tmp_path / "b.onnx", 6), SPEC)
    assert _trial._running[os.getpid()] is not worker


@pytest.mark.slow
def test_the_worker_ends_with_its_process(tmp_path):
    path = loop(tmp_path / "a.onnx", 5)
    code = (
        "from skbird.encoders import EncoderOutput, EncoderSpec, _trial, load_encoder\n"
        "outputs = {'embedding': EncoderOutput('e', [12])}\n"
        f"load_encoder({str(path)!r}, EncoderSpec('small', '1', 8000, 0.2, outputs))\n"
        "(worker,) = _trial._running.values()\n"
        "print(worker.pid)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not os.path.exists(f"/proc/{int(done.stdout)}")
