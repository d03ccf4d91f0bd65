"""What the front end costs: time against decoding alone, memory, and a warm cache.

Usage::

    python benchmarks/front_end.py --rows 2000

Writes a few one-minute ogg files, links them under as many names as there are rows, and
takes them from file to log-mel spectrogram, in a process of its own so that its peak
memory is that of the pass.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from _common import write_results
from joblib import Parallel, delayed
from sklearn.pipeline import make_pipeline

from skbird.preprocessing import BandPass, LogMel, RMSFilter, Segmenter, VADFilter

RATE = 32_000
N_FILES = 8


def write_soundscapes(folder, n_rows):
    """Write `N_FILES` minutes of chirps in noise; return `n_rows` paths to them."""
    rng = np.random.default_rng(0)
    time_s = np.arange(60 * RATE) / RATE
    originals = []
    for number in range(N_FILES):
        chirp = np.sin(2 * np.pi * (3000 + 200 * number) * time_s)
        samples = 0.05 * rng.standard_normal(len(time_s))
        samples += 0.2 * chirp * (np.sin(2 * np.pi * 3 * time_s) > 0.8)
        original = folder / f"original{number}.ogg"
        with soundfile.SoundFile(original, "w", RATE, 1) as file:
            for second in np.split(samples, 60):
                file.write(second)
        originals.append(original)
    paths = []
    for row in range(n_rows):
        path = folder / f"row{row:05d}.ogg"
        os.link(originals[row % N_FILES], path)
        paths.append(str(path))
    return paths


def steps(filters, cache_dir):
    """Return the front end; `filters` is "none" or "vad"."""
    chosen = [VADFilter(), RMSFilter()] if filters == "vad" else [RMSFilter()]
    return make_pipeline(
        BandPass(50, 16_000), Segmenter(), *chosen, LogMel(cache_dir=cache_dir)
    )


def measure_pass(folder, n_rows, filters):
    """Run the pass twice; print seconds and the peak memory as JSON."""
    paths = [str(p) for p in sorted(folder.glob("row*.ogg"))[:n_rows]]
    base_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        steps(filters, folder / "cache").fit_transform(paths)
        seconds.append(time.perf_counter() - start)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "base_mb": base_mb, "peak_mb": peak_mb}))


def compare_with_decoding(paths, filters, n_pairs):
    """Time the front end and decoding alone in turn; return the median ratio."""
    ratios, speeds = [], []
    decode = delayed(soundfile.read)
    for _ in range(n_pairs):
        start = time.perf_counter()
        Parallel(-1, prefer="threads")(decode(path, dtype="float32") for path in paths)
        middle = time.perf_counter()
        steps(filters, None).set_params(logmel__verbose=False).fit_transform(paths)
        end = time.perf_counter()
        ratios.append((end - middle) / (middle - start))
        speeds.append(60 * len(paths) / (end - middle))
    return float(np.median(ratios)), float(np.median(speeds))


def main():
    """Parse the command line, measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--filters", choices=["none", "vad"], default="none")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure_pass(args.measure, args.rows, args.filters)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_soundscapes(folder, args.rows)
        command = [sys.executable, __file__, "--measure", name]
        command += ["--rows", str(args.rows), "--filters", args.filters]
        run = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        measured = json.loads(run.stdout)
        ratio, speed = compare_with_decoding(paths[:40], args.filters, args.pairs)
    first, second = measured["seconds"]
    results = {
        "rows of one minute": args.rows,
        "first pass, s": first,
        "second pass (warm cache), s": second,
        "second / first": second / first,
        "peak memory, MB": measured["peak_mb"],
        "memory before the pass, MB": measured["base_mb"],
        "time / soundfile.read alone (same threads)": ratio,
        "seconds of audio per second": speed,
    }
    path = write_results(f"front_end_{args.filters}", vars(args), results)
    print(pd.Series(results).round(4).to_string())
    print(f"written to {path}")


if __name__ == "__main__":
    main()
