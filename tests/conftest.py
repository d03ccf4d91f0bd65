"""Synthetic recordings that the tests share, and the hostile files beside them."""

import gc
import os
import sys
from pathlib import Path

# Several processes with as many threads each would wait for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("LOKY_MAX_CPU_COUNT", "1")  # what n_jobs=-1 means

import numpy as np
import pandas as pd
import pytest
import soundfile
from shared_exports import SharedExports

RATE = 16_000
HOSTILE = Path(os.environ.get("SKBIRD_HOSTILE", "../shared/hostile"))
needs_hostile = pytest.mark.skipif(
    not HOSTILE.is_dir(), reason="SKBIRD_HOSTILE names no folder of hostile files"
)


# Examples in these rooms train networks, compile them or write pages of sound.
SLOW_EXAMPLES = ("skbird.inference", "skbird.reports", "skbird.utils")


def pytest_collection():
    gc.disable()  # what is imported and collected stays: looking at it costs seconds


def pytest_collection_modifyitems(config, items):
    named = any("::" in argument for argument in config.args)
    if not named and "thorough" not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in {*left_out}]
    # Registered, it sees the examples in docstrings, too, which are not in this folder.
    config.pluginmanager.register(SharedExports())
    for item in items:
        if isinstance(item, pytest.DoctestItem) and item.name.startswith(SLOW_EXAMPLES):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish():
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 100)
    # Tests of equal trainings need a GPU that computes the same each time.
    if "torch" in sys.modules:
        backend = sys.modules["torch"].backends.cudnn
        backend.deterministic, backend.allow_tf32 = True, False


def tone(hz, seconds, rate=RATE, level=0.3):
    return level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def heard(path, content):
    """Write bytes; return the header and the whole sound, which must agree."""
    from skbird.audio import read_audio, read_header

    path.write_bytes(content)
    header = read_header(path)
    samples, _ = read_audio(path)
    assert len(samples) == header.n_frames
    return header, samples


@pytest.fixture(scope="session")
def librosa():
    """Import librosa without the 15 s of compiling what no test calls."""
    import numba

    def uncompiled(*signatures, **options):
        return lambda function: function

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numba, "guvectorize", uncompiled)
        patch.setattr(numba, "vectorize", uncompiled)
        import librosa.feature.spectral
    return librosa


@pytest.fixture(scope="module")
def forked_workers():
    """Let joblib fork its processes from one that has imported what most of them need.

    By default each of them starts an interpreter that imports everything anew.
    """
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.backend.context import set_start_method

    get_reusable_executor(reuse=True).shutdown()
    set_start_method("forkserver", force=True)
    yield
    get_reusable_executor(reuse=True).shutdown()
    set_start_method(None, force=True)


@pytest.fixture
def write_wav(tmp_path):
    """Return a function that writes samples and returns the path."""

    def write(name, samples, rate=RATE):
        path = tmp_path / name
        soundfile.write(path, samples, rate, subtype="FLOAT")
        return str(path)

    return write


def livened(model):
    """Let the network of a pipeline, hardly trained, tell sounds apart.

    Without the statistics that batch normalisation learns in many steps, a network says
    the same of all sounds; tests that compare predictions would compare a constant.
    """
    import torch

    net = model[-1]
    for layer in net.module_.modules():
        if hasattr(layer, "running_var"):
            layer.reset_running_stats()
            layer.momentum = None  # the mean of all batches
    rng = np.random.default_rng(0)
    size = 32, 1, net.format_.n_mels, net.format_.frames_per_segment
    segments = rng.standard_normal(size) * rng.random((32, 1, 1, 1))
    with torch.no_grad():
        net.module_.train()
        net.module_(torch.from_numpy(segments).float().to(net.device))
        for weights in net.module_.parameters():
            if weights.shape[:1] == (len(net.species_),):
                weights.mul_(4)
        net.module_.eval()
    return model


@pytest.fixture(scope="module")
def brief_recordings():
    """Let make_birdclef cut its recordings after 6 s, of up to 25 s.

    Half of them still have more than one segment of 5 s.
    """
    from skbird.datasets import _make_birdclef as maker

    synthesize = maker.synthesize_recording

    def synthesize_start(*args):
        audio, sample_rate, facts = synthesize(*args)
        return audio[: 6 * sample_rate], sample_rate, facts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maker, "synthesize_recording", synthesize_start)
        yield


@pytest.fixture
def blank_pictures(monkeypatch):
    """Leave the pictures of reports blank, as drawing them takes most of the time."""
    from skbird.reports._page_parts import Plot

    monkeypatch.setattr(Plot, "svg", b"<svg/>")


@pytest.fixture(scope="session")
def bird_folder(tmp_path_factory):
    """Twelve recordings of two species, at 1 and 3 kHz, in noise, two collections."""
    folder = tmp_path_factory.mktemp("birds")
    rng = np.random.default_rng(0)
    rows = []
    for number in range(12):
        species = number % 2
        seconds = 3.0 + number % 4
        samples = tone(1000 + 2000 * species, seconds)
        samples += 0.02 * rng.standard_normal(len(samples))
        path = folder / f"bird{number}.wav"
        soundfile.write(path, samples, RATE)
        rows.append(
            {
                "path": str(path),
                "species": "wren" if species else "dove",
                "collection": "XC" if number < 6 else "iNat",
            }
        )
    return pd.DataFrame(rows)


@pytest.fixture
def birds(bird_folder):
    """Return (X, Y): a row table with a column ``collection``, and a DataFrame."""
    Y = pd.get_dummies(bird_folder["species"]).astype(np.float32)
    return bird_folder.drop(columns="species"), Y
