"""How much of the time that reading takes is hidden behind the computing."""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from skbird.data import Spectrograms
from skbird.nn import CNNClassifier, to_segment_tensor
from skbird.nn._reader import read_ahead

N_SEGMENTS, BATCH_SIZE, ROUNDS = 512, 32, 9
DEVICE_S = 0.02  # that a device works on a batch, which leaves the cores alone


def measure_overlap():
    """Read batches from files in turn with the computing, and ahead of it.

    What computes is a small network on one core of the CPU, and then a stand-in for a
    GPU: a time of waiting. Prints and returns the seconds of reading alone, of both in
    turn and of both at once, and the share of the reading that this hides.
    """
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        epochs = _epochs(Path(folder))
        with torch.inference_mode():
            seconds = _time_epochs(epochs)
    for kind, taken in seconds.items():
        print(f"{kind:19s} {1e3 * taken / (N_SEGMENTS / BATCH_SIZE):6.2f} ms a batch")
    hidden = {}
    for where in ("core", "device"):
        gain = seconds[f"in turn, {where}"] - seconds[f"read ahead, {where}"]
        hidden[where] = gain / seconds["reading"]
        print(f"behind a {where} {hidden[where]:.0%} of the reading is hidden")
    return seconds | {"hidden": hidden}


def _epochs(folder):
    """Return functions that go through all segments once."""
    X = np.random.default_rng(0).uniform(-80, 0, (N_SEGMENTS, 64, 157))
    spectrograms = Spectrograms.from_arrays(X)
    net = CNNClassifier("lcnet_035", backbone_weights=None, max_epochs=1, verbose=0)
    net.set_params(device="cpu").fit(spectrograms[:BATCH_SIZE], np.eye(BATCH_SIZE))
    for row, frames in enumerate(spectrograms.entries):
        # As the cache of LogMel keeps them.
        np.save(folder / f"{row}.npy", frames.T)
        spectrograms.entries[row] = str(folder / f"{row}.npy")
    jobs = np.arange(N_SEGMENTS).reshape(-1, BATCH_SIZE)

    def read(chosen):
        return to_segment_tensor(spectrograms.segments(chosen))

    def epoch(read_all, compute):
        def run():
            for batch in read_all(read, jobs):
                compute(batch)

        return run

    computing = {
        "core": net.module_.eval(),
        "device": lambda batch: time.sleep(DEVICE_S),
    }
    epochs = {"reading": epoch(map, id)}
    for where, compute in computing.items():
        epochs[f"in turn, {where}"] = epoch(map, compute)
        epochs[f"read ahead, {where}"] = epoch(read_ahead, compute)
    return epochs


def _time_epochs(epochs):
    """Return the median seconds of each, taking turns."""
    seconds = {kind: [] for kind in epochs}
    for _ in range(ROUNDS):
        for kind, epoch in epochs.items():
            start = time.perf_counter()
            epoch()
            seconds[kind].append(time.perf_counter() - start)
    return {kind: statistics.median(taken) for kind, taken in seconds.items()}
