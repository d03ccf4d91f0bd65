"""Store small models of this version, which later versions must read.

Usage, once a version is released: ``python tests/stored_models.py``. It writes the
folder ``tests/stored/VERSION``: models as files, pickles, and what they predict of the
rows that `make_rows` makes.
"""

import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from tiny_cnn import TinyCNN, TinySED

import skbird
from skbird.encoders import ProbeClassifier
from skbird.inference import compile_pipeline, save_model
from skbird.nn import CNNClassifier, SEDClassifier
from skbird.postprocessing import MultilabelCalibrator, SoundscapeReweighter
from skbird.preprocessing import (
    BandPass,
    LogMel,
    Resampler,
    RMSFilter,
    Segmenter,
    SpectrogramStatistics,
)

STORED = Path(__file__).with_name("stored")
RATE = 16_000
SPECIES_HZ = {"dove": 800.0, "wren": 3000.0}
NETWORKS = "calibrated", "frames", "network", "reweighted"  # which files can hold
NETWORK = {
    "backbone_weights": None,
    "max_epochs": 3,
    "lr": 0.01,
    "device": "cpu",
    "precision": "float32",
    "random_state": 0,
    "verbose": 0,
}


def make_rows(folder):
    """Write recordings that are the same everywhere; return rows and labels."""
    seconds = np.arange(3 * RATE) / RATE
    rng = np.random.RandomState(0)  # whose stream never changes
    lines = []
    for number in range(8):
        species = sorted(SPECIES_HZ)[number % 2]
        sound = 0.02 * rng.standard_normal(len(seconds))
        calls = np.sin(2 * np.pi * 2 * seconds) > 0
        sound += 0.2 * calls * np.sin(2 * np.pi * SPECIES_HZ[species] * seconds)
        path = Path(folder) / f"{number}.wav"
        soundfile.write(path, sound, RATE, subtype="PCM_16")
        lines.append({"path": str(path), "start": 0.0, "end": 3.0, "species": species})
    rows = pd.DataFrame(lines)
    Y = pd.get_dummies(rows.pop("species")).astype(np.float32)
    return rows, Y


def make_models(X, Y):
    """Return fitted pipelines by name, one of each kind that can be stored."""
    front = [Resampler(RATE), BandPass(100, 7000), Segmenter(1.0), RMSFilter()]
    bands = LogMel(32, n_fft=512, verbose=0)
    network = make_pipeline(*front, bands, CNNClassifier(module=TinyCNN, **NETWORK))
    frames = make_pipeline(*front, bands, SEDClassifier(module=TinySED, **NETWORK))
    probe = make_pipeline(*front, bands, SpectrogramStatistics(), ProbeClassifier())
    fitted = FrozenEstimator(network.fit(X, Y))
    return {
        "network": network,
        "frames": frames.fit(X, Y),
        "reweighted": SoundscapeReweighter(fitted).fit(X, Y),
        "calibrated": MultilabelCalibrator(fitted).fit(X, Y),
        "probe": probe.fit(X, Y),
    }


def main():
    """Write the folder of this version."""
    import tempfile

    folder = STORED / skbird.__version__
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as sounds:
        X, Y = make_rows(sounds)
        tables = []
        for name, model in make_models(X, Y).items():
            (folder / f"{name}.pkl").write_bytes(pickle.dumps(model))
            if name in NETWORKS:
                save_model(
                    compile_pipeline(model, precision="float32"),
                    folder / f"{name}.skbird",
                )
            proba = pd.DataFrame(model.predict_proba(X), columns=list(Y.columns))
            tables.append(proba.assign(model=name, row=range(len(X))))
    pd.concat(tables).to_csv(folder / "expected.csv", index=False, float_format="%.6f")


if __name__ == "__main__":
    sys.exit(main())
