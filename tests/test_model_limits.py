"""Model files whose values are each in range, and together are no model."""

import json
import zipfile

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper

from skbird.cli._app import app
from skbird.inference import ModelFileError, load_model
from skbird.preprocessing import LogMel

SPECIES = ["dove", "wren"]
RATE = 16_000
ABOUT = {
    "format": 2,
    "skbird": "0.1",
    "versions": {},
    "python": "3",
    "created": "now",
    "model": "m",
    "max_difference": None,
    "metrics": {},
    "data": None,
    "license": None,
    "notes": None,
}
NORMAL = {"normalize": "minmax", "top_db": None}
NO_LEVEL = {"top_rows": None, "level_power": 1, "level_share": 0, "kernel": None}


def part(kind, params, **others):
    return {"part": kind, "params": params, "state": {}} | others


def step(kind, params, number=0):
    return part(kind, params, name=f"{kind.lower()}{number}")


def resampler(sample_rate=RATE, number=0):
    return step("Resampler", {"sample_rate": sample_rate, "channels": "mean"}, number)


def band_pass(low_hz=100.0, high_hz=7000.0, order=12, number=0):
    band = {"low_hz": low_hz, "high_hz": high_hz, "order": order}
    return step("BandPass", band, number)


def grid(segment_s=1.0, overlap=0):
    return {"segment_s": segment_s, "overlap": overlap, "pad": "cycle"}


def log_mel(**changes):
    params = {
        "n_mels": 8,
        "n_fft": 512,
        "hop_length": 160,
        "low_hz": 0,
        "high_hz": None,
    }
    others = {"mel_scale": "slaney", "on_error": "raise", "verbose": 0}
    return step("LogMel", params | NORMAL | others | changes)


def network(
    number=0, species=SPECIES, frame_scores=False, rate=RATE, cut=None, **changes
):
    axes = log_mel(**changes)["params"]
    mel_hz = LogMel(**axes).make_op().centres_hz(rate)
    params = {
        "pooling": "mean",
        "tta_shifts_s": [],
        "weights_license": None,
        "frame_scores": frame_scores,
        "threshold": 0.5,
        "backend": "onnxruntime",
        "precision": "float32",
        "batch_size": 1,
    }
    return part(
        "CompiledNetwork",
        params,
        species=species,
        format={"mel_hz": mel_hz, "frame_s": axes["hop_length"] / rate} | NORMAL,
        grid=cut or grid(),
        network=number,
    )


def pipeline(inner, front=None, chunk_s=60.0):
    front = front or [resampler(), step("Segmenter", grid()), log_mel()]
    params = {"chunk_s": chunk_s, "verbose": 0}
    return part("CompiledPipeline", params, front_end=front, inner=[inner])


def filtered(*steps):
    """Return a pipeline with steps after its Resampler."""
    front = [resampler(), *steps, step("Segmenter", grid()), log_mel()]
    return pipeline(network(), front)


def around(name, inner, params, state, **others):
    inner = inner if isinstance(inner, list) else [inner]
    return part(name, params, species=SPECIES, inner=inner) | {"state": state} | others


def program(n_frames=101, n_mels=8, n_species=2, n_steps=()):
    """Return an ONNX program that answers each segment with its mean level."""
    weights = {
        "axes": np.array([1, 2]),
        "places": np.array([1, 2][: 1 + len(n_steps)]),
        "zeros": np.zeros((1, n_species, *n_steps), np.float32),
    }
    nodes = [
        helper.make_node("ReduceMean", ["segments", "axes"], ["mean"], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "places"], ["column"]),
        helper.make_node("Add", ["column", "zeros"], ["logits"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
        for name, dims in (
            ("segments", ["batch", n_frames, n_mels]),
            ("logits", [None] * (2 + len(n_steps))),
        )
    ]
    constants = [numpy_helper.from_array(w, name) for name, w in weights.items()]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    opset = helper.make_opsetid("", 18)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=10)
    return model.SerializeToString()


@pytest.fixture
def write(tmp_path):
    """Write a model file from its description."""
    path = tmp_path / "birds.skbird"

    def write(model, content=None, **about):
        species = model
        while "species" not in species:
            species = species["inner"][0]
        about = json.dumps(ABOUT | {"species": species["species"]} | about)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("skbird.json", about)
            archive.writestr("model.json", json.dumps(model))
            for number in range(2):
                archive.writestr(f"networks/{number}.onnx", content or program())
        return path

    return write


@pytest.fixture
def refused(write):
    def refused(model, match, **others):
        with pytest.raises(ModelFileError, match=match):
            load_model(write(model, **others))

    return refused


def test_an_honest_one_predicts(write, tmp_path):
    soundfile.write(tmp_path / "hum.wav", 0.1 * np.sin(np.arange(3 * RATE)), RATE)
    model = filtered(band_pass(), band_pass(50.0, None, 4, number=1))
    proba = load_model(write(model)).predict_proba([tmp_path / "hum.wav"])
    assert proba.shape == (1, 2)
    assert np.isfinite(proba).all()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (pipeline(pipeline(network())), "CompiledPipeline holds another"),
        (
            pipeline(
                around(
                    "MultilabelVotingClassifier",
                    [network(), network(1)],
                    {"voting": "rank", "threshold": None},
                    {"weights_": [0.5, 0.5]},
                    names=["a", "b"],
                )
            ),
            "would rank the rows of a block alone",
        ),
        (
            around(
                "FoldEnsemble",
                [pipeline(network()), network(1)],
                {"threshold": 0.5},
                {},
            ),
            "FoldEnsemble holds models of files and models of spectrograms",
        ),
        (
            pipeline(
                around(
                    "FoldEnsemble",
                    [network(), pipeline(network(1))],
                    {"threshold": 0.5},
                    {},
                )
            ),
            "FoldEnsemble holds models of files and models of spectrograms",
        ),
    ],
)
def test_pipelines_stand_once_between_files_and_networks(refused, model, message):
    refused(model, message)


def test_networks_alone_take_spectrograms(write):
    assert load_model(write(network())).species_.tolist() == SPECIES
    both = around("FoldEnsemble", [network(), network(1)], {"threshold": 0.5}, {})
    assert len(load_model(write(both)).estimators_) == 2


def test_networks_are_counted(refused):
    members = [network(number) for number in range(65)]
    refused(
        around("FoldEnsemble", members, {"threshold": 0.5}, {}),
        "65 networks, more than 64",
    )


def test_operations_of_networks_are_counted_together(monkeypatch, refused, write):
    both = around("FoldEnsemble", [network(), network(1)], {"threshold": 0.5}, {})
    monkeypatch.setattr("skbird.inference._program_limits._MAX_OPERATIONS", 6)
    assert load_model(write(both))
    monkeypatch.setattr("skbird.inference._program_limits._MAX_OPERATIONS", 5)
    refused(both, "more than 5 operations together")


def test_the_work_of_one_batch_is_bounded(monkeypatch, refused):
    # A short recording needs a whole batch of segments of any length.
    monkeypatch.setattr("skbird.inference._program_limits._MAX_WORK", 1e3)
    refused(pipeline(network()), "a batch needs .* multiplications, more than 1e.03")


def test_the_work_of_a_second_is_bounded(monkeypatch, refused):
    monkeypatch.setattr("skbird.inference._program_limits._MAX_WORK_PER_S", 1e3)
    refused(pipeline(network()), "a second of sound needs .* more than 1e.03")


def test_lists_in_descriptions_are_few(monkeypatch, refused):
    monkeypatch.setattr("skbird.inference._model_archive._MAX_LISTS", 20)
    refused(pipeline(network()), "model.json has over 20 lists and objects")


def test_batches_stay_as_they_were_checked(write, tmp_path):
    soundfile.write(tmp_path / "hum.wav", 0.1 * np.sin(np.arange(3 * RATE)), RATE)
    model = load_model(write(pipeline(network())))
    model.network.set_params(batch_size=7)
    with pytest.raises(ValueError, match=r"batch_size=7 was changed: .* of 1 s"):
        model.predict_proba([tmp_path / "hum.wav"])


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([resampler(48_000, number=1)], "2 of Resampler, not 1"),
        ([step("Segmenter", grid(), number=1)], "2 of Segmenter, not 1"),
        ([band_pass(number=n) for n in range(3)], "3 of BandPass, not 2"),
        ([band_pass(1e-300, 1e-299)], "BandPass from 1e-300 .* cannot be computed"),
        ([band_pass(8000.0, None)], "BandPass from 8000 .* leaves nothing"),
    ],
)
def test_steps_of_a_front_end_are_few_and_computable(refused, steps, message):
    refused(filtered(*steps), message)


def test_filters_before_the_resampler_are_looked_at(refused, write):
    rest = [resampler(), step("Segmenter", grid()), log_mel()]
    refused(pipeline(network(), [band_pass(1e-300, 1e-299), *rest]), "be computed")
    assert load_model(write(pipeline(network(), [band_pass(6e4, 9e4, 4), *rest])))


def test_transforms_of_a_second_are_bounded(refused, write):
    axes = {"n_fft": 65_536, "hop_length": 16, "n_mels": 1}
    front = [resampler(1_000_000), step("Segmenter", grid()), log_mel(**axes)]
    model = pipeline(network(rate=1_000_000, **axes), front)
    refused(model, "n_fft=65536 and hop_length=16 at 1e.06 Hz needs 7e.10 operations")


def test_short_blocks_do_not_hide_large_spectrograms(refused):
    axes = {"n_fft": 16, "hop_length": 16, "n_mels": 100}
    front = [resampler(1_000_000), step("Segmenter", grid()), log_mel(**axes)]
    model = pipeline(network(rate=1_000_000, **axes), front, chunk_s=0.1)
    refused(model, "600 s of sound are over 512 MiB of spectrograms at hop_length=16")


def test_detectors_of_bats_are_no_attack(write):
    axes = {"n_fft": 4096, "hop_length": 256, "n_mels": 128}
    front = [resampler(500_000), step("Segmenter", grid()), log_mel(**axes)]
    model = pipeline(network(rate=500_000, **axes), front, chunk_s=600.0)
    assert load_model(write(model, program(1954, 128)))


@pytest.mark.parametrize(("n_species", "n_steps"), [(500, ()), (100, (5,))])
def test_logits_of_a_block_are_bounded(monkeypatch, refused, n_species, n_steps):
    monkeypatch.setattr("skbird.inference._model_checks._MAX_BLOCK", 2**20)
    monkeypatch.setattr("skbird.inference._model_checks._LEAST_BLOCK_S", 1)
    cut, names = grid(0.1, 0.95), [f"s{n}" for n in range(n_species)]
    inner = network(species=names, frame_scores=len(n_steps) > 0, cut=cut)
    front = [resampler(), step("Segmenter", cut), log_mel()]
    message = f"over 1 MiB of logits of {n_species} species at overlap=0.95"
    content = program(11, 8, n_species, n_steps)
    refused(pipeline(inner, front, chunk_s=4.0), message, content=content)


def test_steps_are_no_finer_than_frames(refused, write):
    model = pipeline(network(frame_scores=True))
    assert load_model(write(model, program(n_steps=(101,))))
    content = program(n_steps=(102,))
    refused(model, "it has 102 steps in 101 frames", content=content)


@pytest.mark.parametrize(
    ("changes", "content", "message"),
    [
        ({"n_mels": 9}, program(101, 9), "8 mel bands .* was trained on 9 mel bands"),
        ({"hop_length": 320}, program(51), "frames of 10 ms, but .* of 20 ms"),
        ({"cut": grid(2.0)}, program(201), "101 frames, where the network takes 201"),
    ],
)
def test_networks_suit_their_front_end(refused, changes, content, message):
    refused(pipeline(network(**changes)), message, content=content)


def test_bands_lie_below_half_the_rate(refused):
    front = [resampler(), step("Segmenter", grid()), log_mel(high_hz=9000.0)]
    refused(pipeline(network(), front), "high_hz=9000.0 of LogMel is beyond half of")


@pytest.mark.parametrize(
    "curve", [[[0], [3e8]], [[0, 1], [0.0, 1.5]], [[0, 1, 2], [0, 1, 0]], [[0], [-1]]]
)
def test_calibrated_probabilities_are_probabilities(refused, curve):
    params = {"method": "isotonic", "shrinkage": 1, "threshold": 0.5}
    state = {"method_": "isotonic", "curves_": [curve] * 2}
    model = around("MultilabelCalibrator", pipeline(network()), params, state)
    refused(model, "isotonic curve falls, or leaves")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel": []}, "kernel=.* an odd number of weights"),
        ({"kernel": [0, 0, 0]}, "in the middle, for the row itself, one above 0"),
        ({"level_power": [1, 2, 3]}, r"level_power has shape \(3,\); .*shape \(2,\)"),
        ({"level_share": [0.1, 0.2, 0.3]}, r"level_share has shape \(3,\)"),
        ({"top_rows": 0}, "top_rows"),
    ],
)
def test_levels_of_files_suit_the_species(refused, write, change, message):
    level, base = NO_LEVEL | change, pipeline(network())
    refused(around("SoundscapeReweighter", base, level, {}), message)
    params = {"per_species": True, "shrinkage": 1, "scoring": "roc_auc"}
    state = {
        "candidates_": [NO_LEVEL, level],
        "chosen_": [0, 0],
        "best_params_": NO_LEVEL,
        "best_score_": 0,
    }
    model = around("SoundscapeReweighterCV", base, params, state)
    assert load_model(write(model))  # what nobody chose does no harm
    state["chosen_"] = [1, 1]
    refused(model, message)


@pytest.mark.parametrize(
    ("name", "message"),
    [("", "is an empty text"), (" \t", "empty text"), ("wr\ud800en", "no text in UTF")],
)
def test_names_of_species_are_texts(refused, name, message):
    refused(pipeline(network(species=["dove", name])), message)


@pytest.mark.parametrize("name", ["license", "notes"])
def test_words_of_the_author_are_texts(refused, name):
    refused(pipeline(network()), "no text in UTF-8", **{name: "x\udc80"})


def test_metrics_are_finite(tmp_path, write):
    path = write(pipeline(network()), metrics={"auc": 0.5})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["skbird.json"] = members["skbird.json"].replace(b"0.5", b"1e999")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ModelFileError, match=r"metrics: .*inf is not in"):
        load_model(path)


@pytest.mark.parametrize("blank", [" ", "\t", "\u3000", "\u2800", "\u3164", "\x1b"])
def test_no_line_of_an_author_looks_like_another(write, blank):
    path = write(
        pipeline(network()),
        license="x" + 75 * blank + "metric auc: 0.99",
        metrics={"a\nspecies": 0.5, "b": f"c\u2028{blank * 80}d"},
        notes=f"n\r{blank * 80}written: now",
    )
    result = CliRunner().invoke(app, ["models", "info", str(path)])
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "species:          2: dove, wren",
        "metric a species: 0.500",
        "metric b:         c",
        "  d",
        "trained on:       unknown",
        "license:          x metric auc: 0.99",
        "notes:            n",
        "  written: now",
        "written:          now by skbird 0.1",
    ]
