"""Measure what the cache of spectrograms saves, and what it costs.

Usage::

    python benchmarks/cache.py --rows 400

One-minute ogg files go through the front end with an empty and with a warm cache, in a
process of its own, and through a cross-validation of three folds without a cache, with
an empty and with a warm one. Then segments are read in random order, as training does:

- ``mapped``: from files that are mapped, as skbird does.
- ``loaded``: from files that are loaded whole each time.
- ``in memory``: without a cache.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _common import run_alone, write_results
from front_end import steps, time_passes, write_soundscapes
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbird.data import Spectrograms
from skbird.metrics import macro_roc_auc_scorer
from skbird.preprocessing import SpectrogramStatistics

N_SPECIES = 5
BATCH_SIZE = 32


class LoadedSpectrograms(Spectrograms):
    """Spectrograms whose files are loaded whole whenever a segment is read."""

    def frames(self, row):
        """Return the spectrogram of a row, time first."""
        return np.load(self.entries[row]).T


def time_cross_validations(paths, folder):
    """Cross-validate without a cache, with an empty and with a warm one; in turn."""
    Y = np.random.default_rng(0).integers(0, 2, (len(paths), N_SPECIES))
    seconds = {}
    cached = folder / "folds"
    for name, cache_dir in {"no": None, "empty": cached, "warm": cached}.items():
        pipe = make_pipeline(
            steps("none", cache_dir),
            SpectrogramStatistics(),
            StandardScaler(),
            OneVsRestClassifier(LogisticRegression()),
        )
        start = time.perf_counter()
        cross_val_score(
            pipe, paths, Y, cv=3, scoring=macro_roc_auc_scorer, error_score="raise"
        )
        seconds[name] = time.perf_counter() - start
    return seconds


def time_reading(paths, cache_dir, n_rounds):
    """Return segments per second for each way to read them, medians of the rounds."""
    mapped = steps("none", cache_dir).fit_transform(paths)
    ways = {
        "mapped": mapped,
        "loaded": LoadedSpectrograms(
            mapped.rows, mapped.entries, mapped.n_frames, mapped.format
        ),
        "in memory": steps("none", None).fit_transform(paths),
    }
    order = np.random.default_rng(0).permutation(mapped.n_segments)
    batches = np.array_split(order, -(-len(order) // BATCH_SIZE))
    speeds = {name: [] for name in ways}
    for _ in range(n_rounds):
        for name, spectrograms in ways.items():
            start = time.perf_counter()
            for batch in batches:
                spectrograms.segments(batch)
            speeds[name].append(len(order) / (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in speeds.items()}


def main():
    """Parse the command line, measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_soundscapes(folder, args.rows)
        cache_dir = folder / "cache"
        (first, second), _, _ = run_alone(time_passes, paths, "none", cache_dir)
        n_bytes = sum(file.stat().st_size for file in cache_dir.rglob("*.npy"))
        folds = time_cross_validations(paths, folder)
        speeds = time_reading(paths, cache_dir, args.rounds)
    results = {
        "rows of one minute": args.rows,
        "first pass, s": first,
        "second pass, s": second,
        "second / first": second / first,
        "MB on disk per hour of audio": n_bytes / 1e6 / (args.rows / 60),
    }
    for name, seconds in folds.items():
        results[f"three folds, {name} cache, s"] = seconds
    for name, speed in speeds.items():
        results[f"segments per second, {name}"] = speed
    print(pd.Series(results).round(3).to_string())
    print(f"written to {write_results('cache', vars(args), results)}")


if __name__ == "__main__":
    main()
