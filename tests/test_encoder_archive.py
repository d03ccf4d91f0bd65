"""Archives that pretrained models predict: bad files, processes, memory."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from test_archive_damage import RATE, write_flac

from skbird.archive import predict_archive
from skbird.encoders import (
    EmbeddingEncoder,
    EncoderOutput,
    EncoderSpec,
    PretrainedScores,
    ProbeClassifier,
    load_encoder,
)
from skbird.preprocessing import Resampler

pytest.importorskip("pyarrow")
pytestmark = pytest.mark.filterwarnings("ignore:.* cannot be used and will be left out")
SPECIES = ["cricket", "frog"]


def _level(windows):
    """Say that there are crickets where it is loud."""
    level = np.abs(windows).mean(axis=1)
    both = np.column_stack([level, 1 - level])
    return {"embedding": both, "scores": both.clip(0, 1)}


@pytest.fixture(scope="module")
def encoder():
    outputs = {role: EncoderOutput(role, [2]) for role in ("embedding", "scores")}
    spec = EncoderSpec("level", "1", RATE, 2.0, outputs, class_names=SPECIES)
    return load_encoder(_level, spec)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "nights"
    folder.mkdir()
    write_flac(folder / "good.flac")
    return folder


def _fitted(kind, encoder, file, on_error, *steps):
    options = {"on_error": on_error, "verbose": 0}
    if kind == "scores":
        model = PretrainedScores(encoder, **options)
    else:
        model = make_pipeline(EmbeddingEncoder(encoder, **options), ProbeClassifier())
    if steps:
        parts = [model] if kind == "scores" else [step for _, step in model.steps]
        model = make_pipeline(*steps, *parts)
    Y = pd.DataFrame(np.eye(2), columns=SPECIES)
    return model.fit([str(file)] * 2, Y)


def _run(model, recordings, out, **options):
    return predict_archive(model, recordings, out, verbose=0, **options)


@pytest.mark.parametrize("kind", ["scores", "probe"])
def test_a_damaged_place_costs_only_its_rows(kind, encoder, folder, tmp_path):
    write_flac(folder / "damaged.flac", [0.5])
    (folder / "none.flac").write_bytes(b"fLaC")
    found = {}
    for on_error in ("raise", "skip"):
        model = _fitted(kind, encoder, folder / "good.flac", on_error)
        result = _run(model, folder, tmp_path / on_error)
        found[on_error] = result.read()
        assert len(result.errors) == 2
    assert 22 <= len(found["raise"]) < 24
    pd.testing.assert_frame_equal(found["raise"], found["skip"])


@pytest.mark.parametrize("kind", ["scores", "probe"])
@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize("is_step", [True, False], ids=["step", "column"])
def test_what_only_the_model_misses_is_said(
    kind, on_error, is_step, encoder, folder, tmp_path
):
    import soundfile

    sound, rate = soundfile.read(folder / "good.flac")
    soundfile.write(folder / "two.wav", np.column_stack([sound, sound]), rate)
    # The channel that files lack is named in a column, or by a step.
    steps = [Resampler(RATE, channels=1)] if is_step else []
    model = _fitted(kind, encoder, folder / "two.wav", on_error, *steps)
    rows = pd.DataFrame({"path": sorted(map(str, folder.iterdir()))})
    if not is_step:
        rows["channels"] = 1
    result = _run(model, rows, tmp_path / "out")
    assert result.read()["path"].tolist() == [str(folder / "two.wav")]
    assert "has 1 channel" in result.errors["error"].item()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["scores", "probe"])
def test_processes_give_what_one_gives(kind, encoder, folder, tmp_path):
    write_flac(folder / "other.flac")
    model = _fitted(kind, encoder, folder / "good.flac", "skip")
    options = {"block_s": 60.0}
    one = _run(model, folder, tmp_path / "one", **options).read()
    two = _run(model, folder, tmp_path / "two", n_jobs=2, **options).read()
    pd.testing.assert_frame_equal(one, two)
