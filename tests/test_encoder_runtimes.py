"""ONNX models of the published names and shapes, through each runtime."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
from published_models import PERCH, expected, write_model

from skbird.encoders import (
    EncoderOutput,
    EncoderSpec,
    load_encoder,
    read_spec,
    write_spec,
)
from skbird.encoders import _onnx_runtimes as runtimes
from skbird.encoders._spec_files import known_specs

RUNTIMES = ["onnxruntime", "openvino", "auto"]
SMALL = {"embedding": EncoderOutput("embedding", [12])}


def spec_of(name, **changes):
    """Return the known spec of a model, but for the sum of its file."""
    return replace(known_specs()[name], sha256=None, **changes)


def small_spec(**changes):
    return EncoderSpec(
        **{
            "name": "small",
            "version": "1",
            "sample_rate": 8000,
            "window_s": 0.2,
            "outputs": SMALL,
        }
        | changes
    )


def sounds(spec, n=3):
    rng = np.random.default_rng(0)
    loudness = rng.uniform(0.1, 1, (n, 1))
    sounds = loudness * rng.uniform(-1, 1, (n, spec.window_samples)) + 0.05
    return sounds.astype(np.float32)


def leveled(windows, spec):
    """Level as the authors of Perch 2 do it, in another way than skbird."""
    out = []
    for window in windows:
        window = window - np.mean(window)
        peak = np.max(np.abs(window))
        out.append(window * spec.level_peak / peak if peak > 0 else window)
    return np.array(out)


@pytest.fixture(autouse=True)
def _needs(request):
    runtime = getattr(request.node, "callspec", None)
    if runtime is not None and runtime.params.get("runtime") == "openvino":
        pytest.importorskip("openvino")


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", ["perch-2", "perch-2-no-dft"])
def test_perch_2(tmp_path, name, runtime):
    spec = spec_of(name)
    path = write_model(tmp_path / spec.file, "inputs", 160_000, PERCH)
    names = [f"Species {k}" for k in range(14_795)]
    (tmp_path / "labels.csv").write_text("\n".join(["inat2024_fsd50k", *names]))
    encoder = load_encoder(path, spec, runtime=runtime)
    windows = sounds(spec)
    values = encoder.run(windows)
    heard = leveled(windows, spec)
    for role, shape in (
        ("embedding", (1536,)),
        ("spatial", (16, 4, 1536)),
        ("scores", (14_795,)),
    ):
        np.testing.assert_allclose(values[role], expected(heard, *shape), atol=1e-4)
    assert encoder.class_names == tuple(names)
    proba = encoder.probabilities(values["scores"])
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-4)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("batch", ["batch", 1, 4])
def test_perch_2_headless_of_any_batch(tmp_path, runtime, batch):
    spec = spec_of("perch-2-headless")
    path = write_model(
        tmp_path / spec.file, "any", 160_000, {"any name": (1536,)}, batch=batch
    )
    encoder = load_encoder(path, spec, runtime=runtime)
    windows = sounds(spec, 5)
    values = encoder.run(windows)["embedding"]
    np.testing.assert_allclose(
        values, expected(leveled(windows, spec), 1536), atol=1e-4
    )


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_birdnet_3_gives_probabilities_first(tmp_path, runtime):
    spec = spec_of("birdnet-3-preview")
    outputs = {"predictions": (11_560, "Sigmoid"), "embeddings": (1280,)}
    path = write_model(tmp_path / "birdnet3.onnx", "input", 96_000, outputs)
    rows = [f"{k};Species {k};{k}" for k in range(11_560)]
    labels = "\n".join(["idx;sci_name;com_name", *rows])
    (tmp_path / spec.labels_file).write_text(labels)
    encoder = load_encoder(path, spec, runtime=runtime)
    windows = sounds(spec)
    values = encoder.run(windows)
    proba = expected(windows, 11_560, activation="Sigmoid")
    np.testing.assert_allclose(
        encoder.probabilities(values["scores"]), proba, atol=1e-4
    )
    np.testing.assert_allclose(values["embedding"], expected(windows, 1280), atol=1e-4)
    assert encoder.class_names[-1] == "Species 11559"


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("input_name", ["INPUT", "input"])
def test_birdnet_2_as_onnx(tmp_path, runtime, input_name):
    spec = replace(
        known_specs()["birdnet-2.4"],
        sha256=None,
        labels_file=None,
        input_name=None,
        outputs={"scores": EncoderOutput(0, [6522])},
    )
    path = write_model(tmp_path / "b.onnx", input_name, 144_000, {"output": (6522,)})
    windows = sounds(spec)
    values = load_encoder(path, spec, runtime=runtime).run(windows)["scores"]
    np.testing.assert_allclose(values, expected(windows, 6522), atol=1e-4)


# Any model ------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path):
    """Return the path of a small model whose spec lies beside it."""
    path = write_model(tmp_path / "small.onnx", "x", 1600, {"embedding": (12,)})
    write_spec(small_spec(), tmp_path / "small.json")
    return path


def test_specs_lie_beside_their_model(small):
    assert load_encoder(small).spec == small_spec()
    assert load_encoder(str(small)).spec == small_spec()
    assert load_encoder(small, small.with_suffix(".json")).spec == small_spec()
    small.with_suffix(".json").unlink()
    with pytest.raises(ValueError, match=r"Pass spec=.*beside the file as small\.json"):
        load_encoder(small)


def test_one_model_is_opened_once(small):
    first = load_encoder(small)
    with ThreadPoolExecutor(4) as pool:
        loaded = list(pool.map(lambda _: load_encoder(small), range(8)))
    assert all(encoder is first for encoder in loaded)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_threads_share_a_model(small, runtime):
    encoder = load_encoder(small, runtime=runtime)
    windows = sounds(encoder.spec, 40)
    right = encoder.run(windows)["embedding"]
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda w: encoder.run(w[None])["embedding"][0], windows))
    np.testing.assert_allclose(parts, right, atol=1e-5)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_inner_tensors_are_outputs_on_demand(tmp_path, runtime):
    path = write_model(
        tmp_path / "a.onnx", "x", 1600, {"a": (12,), "b": (3,)}, inner=["a"]
    )
    outputs = {"embedding": EncoderOutput("a", [12]), "scores": EncoderOutput("b", [3])}
    spec = small_spec(outputs=outputs)
    if runtime == "openvino":
        with pytest.raises(ValueError, match="has no output 'a'"):
            load_encoder(path, spec, runtime=runtime)
        return
    encoder = load_encoder(path, spec, runtime=runtime)
    assert encoder.runtime == "onnxruntime"
    windows = sounds(spec)
    values = encoder.run(windows)
    np.testing.assert_allclose(values["embedding"], expected(windows, 12), atol=1e-4)
    np.testing.assert_allclose(values["scores"], expected(windows, 3), atol=1e-4)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_name": "y"}, r"has the inputs \['x'\], not input_name='y'"),
        ({"window_s": 0.4}, "Compare input_name, input_type, input_shape and window_s"),
        ({"input_shape": ["batch", 1, "samples"]}, "Compare input_name"),
        ({"outputs": {"embedding": EncoderOutput("y", [12])}}, "has no output 'y'"),
        ({"outputs": {"embedding": EncoderOutput(1, [12])}}, "has 1 outputs, not 1"),
        (
            {"outputs": {"embedding": EncoderOutput(0, [13])}},
            r"shape \(1, 12\) for 1 windows; its spec says \(1, 13\)",
        ),
    ],
)
def test_specs_that_do_not_fit_fail_at_once(small, runtime, change, message):
    with pytest.raises(ValueError, match=message):
        load_encoder(small, small_spec(**change), runtime=runtime)


def test_a_wrong_type_of_input_fails_at_once(small):
    with pytest.raises(ValueError, match="Compare input_name, input_type"):
        load_encoder(small, small_spec(input_type="uint8"), runtime="onnxruntime")


def test_openvino_is_used_where_it_computes_the_same(small, monkeypatch):
    pytest.importorskip("openvino")
    assert load_encoder(small).runtime == "openvino"

    class Other(runtimes.OpenVinoRuntime):
        def run(self, windows, outputs):
            return [values + 1 for values in super().run(windows, outputs)]

    monkeypatch.setattr(runtimes, "OpenVinoRuntime", Other)
    spec = small_spec(version="2")
    with pytest.warns(UserWarning, match="OpenVINO computes other values of small"):
        encoder = load_encoder(small, spec)
    assert encoder.runtime == "onnxruntime"
    windows = sounds(spec)
    right = expected(windows, 12)
    np.testing.assert_allclose(encoder.run(windows)["embedding"], right, atol=1e-5)


def test_runtimes_run_files_of_their_kind(small, tmp_path):
    with pytest.raises(ValueError, match=r"runtime='litert' does not run \.onnx"):
        load_encoder(small, runtime="litert")
    other = tmp_path / "a.tflite"
    other.write_bytes(b"no")
    with pytest.raises(ValueError, match=r"runtime='openvino' does not run \.tflite"):
        load_encoder(other, small_spec(), runtime="openvino")
    (tmp_path / "a.pt").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"must end in \.onnx or \.tflite"):
        load_encoder(tmp_path / "a.pt", small_spec())
    with pytest.raises(ValueError, match="runtime"):
        load_encoder(small, runtime="torch")


def test_a_changed_file_is_refused(small):
    spec = replace(small_spec(), sha256="0" * 64)
    with pytest.raises(ValueError, match="is not the file of small"):
        load_encoder(small, spec)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_another_spec_may_ask_for_other_outputs(tmp_path, runtime):
    outputs = {"a": (12,), "b": (3,)}
    path = write_model(tmp_path / "a.onnx", "x", 1600, outputs)
    spec = small_spec(outputs={"embedding": EncoderOutput("a", [12])})
    encoder = load_encoder(path, spec, runtime=runtime)
    windows = sounds(spec)
    other = encoder.with_spec(
        replace(spec, outputs={"scores": EncoderOutput("b", [3])})
    )
    np.testing.assert_allclose(
        other.run(windows)["scores"], expected(windows, 3), atol=1e-4
    )
    louder = encoder.with_spec(replace(spec, level="peak", level_peak=1.0))
    assert louder.runtime == encoder.runtime
    assert not np.allclose(
        louder.run(windows)["embedding"], encoder.run(windows)["embedding"]
    )
    with pytest.raises(ValueError, match="has no output 'c'"):
        encoder.with_spec(replace(spec, outputs={"scores": EncoderOutput("c", [3])}))


def test_models_in_a_store_of_links_are_opened(small, tmp_path):
    store, links = tmp_path / "blobs", tmp_path / "snapshots"
    store.mkdir()
    links.mkdir()
    for path in (small, small.with_suffix(".json")):
        path.rename(store / f"hash of {path.name}".replace(".", " "))
        (links / path.name).symlink_to(store / f"hash of {path.name}".replace(".", " "))
    assert load_encoder(links / "small.onnx").spec == small_spec()


# Pickles --------------------------------------------------------------------------


def test_pickles_look_for_their_file_again(small):
    encoder = load_encoder(small)
    content = pickle.dumps(encoder)
    assert len(content) < 3000  # without the weights
    assert pickle.loads(content) is encoder
    saved = small.read_bytes()
    small.write_bytes(saved + b"\0")
    with pytest.raises(ValueError, match="is not the file of small"):
        pickle.loads(content)
    small.unlink()
    with pytest.raises(FileNotFoundError, match="Put it there, or load the model"):
        pickle.loads(content)


def test_pickles_find_their_file_in_the_folder(small, tmp_path, monkeypatch):
    encoder = load_encoder(small, small_spec(file="small.onnx"))
    content = pickle.dumps(encoder)
    folder = tmp_path / "encoders" / "small"
    folder.mkdir(parents=True)
    small.rename(folder / "small.onnx")
    monkeypatch.setenv("SKBIRD_ENCODERS", str(tmp_path / "encoders"))
    windows = sounds(encoder.spec)
    again = pickle.loads(content).run(windows)["embedding"]
    np.testing.assert_array_equal(again, encoder.run(windows)["embedding"])


@pytest.mark.slow
def test_pickles_compute_the_same_in_a_fresh_process(small, tmp_path):
    encoder = load_encoder(small)
    windows = sounds(encoder.spec)
    np.save(tmp_path / "windows.npy", windows)
    np.save(tmp_path / "values.npy", encoder.run(windows)["embedding"])
    (tmp_path / "encoder").write_bytes(pickle.dumps(encoder))
    code = (
        "import pickle, sys, numpy as np\n"
        "encoder = pickle.load(open('encoder', 'rb'))\n"
        "values = encoder.run(np.load('windows.npy'))['embedding']\n"
        "np.testing.assert_allclose(values, np.load('values.npy'), atol=1e-6)\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_written_specs_open_models(small):
    assert read_spec(small.with_suffix(".json")) == small_spec()
