"""Measure the front end: time against decoding alone, memory, and a warm cache.

Usage::

    python benchmarks/front_end.py --rows 2000
    python benchmarks/front_end.py --rows 400 --filters vad

Writes a few one-minute ogg files, links them under as many names as there are rows, and
takes them from file to log-mel spectrogram, in a process of its own so that its peak
memory is that of the pass.

With voice detection it is also compared with what tutorials do: the default model of
Silero's package, then librosa's log-mel spectrogram. That runs file by file, and once
more in as many processes as there are cores.
"""

import argparse
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import soundfile
from _common import run_alone, write_results
from joblib import Parallel, delayed
from sklearn.pipeline import make_pipeline

from skbird.preprocessing import BandPass, LogMel, RMSFilter, Segmenter, VADFilter

RATE = 32_000
N_FILES = 8
N_COMPARED = 40  # files
N_SILERO = 16


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
        BandPass(50, 16_000),
        Segmenter(),
        *chosen,
        LogMel(cache_dir=cache_dir, verbose=0),
    )


def time_passes(rows, filters, cache_dir, n_passes=2):
    """Take rows through the front end again and again; return seconds of each pass."""
    seconds = []
    for _ in range(n_passes):
        start = time.perf_counter()
        steps(filters, cache_dir).fit_transform(rows)
        seconds.append(time.perf_counter() - start)
    return seconds


def compare_with_decoding(paths, filters, n_pairs):
    """Time the front end and decoding alone in turn; return the median ratio."""
    ratios, speeds = [], []
    decode = delayed(soundfile.read)
    for _ in range(n_pairs):
        start = time.perf_counter()
        Parallel(-1, prefer="threads")(decode(path, dtype="float32") for path in paths)
        middle = time.perf_counter()
        [seconds] = time_passes(paths, filters, None, n_passes=1)
        ratios.append(seconds / (middle - start))
        speeds.append(60 * len(paths) / seconds)
    return float(np.median(ratios)), float(np.median(speeds))


@cache
def silero_default():
    """Return the model of Silero's package that its own example loads."""
    from silero_vad import load_silero_vad

    return load_silero_vad()


def silero_and_librosa(path):
    """Find speech in a file and compute its log-mel spectrogram, as tutorials do."""
    import torch
    from silero_vad import get_speech_timestamps

    samples, rate = librosa.load(path, sr=RATE)
    voice = librosa.resample(samples, orig_sr=rate, target_sr=16_000)
    get_speech_timestamps(torch.from_numpy(voice), silero_default())
    mel = librosa.feature.melspectrogram(
        y=samples, sr=rate, n_mels=128, n_fft=1024, hop_length=512
    )
    librosa.power_to_db(mel)


def compare_with_silero(paths, n_pairs):
    """Time the front end and Silero's default with librosa in turn.

    Returns
    -------
    dict
        Median of how many times as fast the front end is, by how the others run.
    """
    # Processes of their own: the import of silero_vad sets torch to one thread.
    context = get_context("spawn")
    with (
        ProcessPoolExecutor(1, context) as alone,
        ProcessPoolExecutor(os.cpu_count(), context) as together,
    ):
        pools = {"file by file": alone, "a process per core": together}
        ratios = {name: [] for name in pools}
        for turn in range(n_pairs + 1):
            [ours] = time_passes(paths, "vad", None, n_passes=1)
            for name, pool in pools.items():
                start = time.perf_counter()
                list(pool.map(silero_and_librosa, paths))
                if turn > 0:  # in the first, models are loaded
                    ratios[name].append((time.perf_counter() - start) / ours)
    return {name: float(np.median(values)) for name, values in ratios.items()}


def main():
    """Parse the command line, measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--filters", choices=["none", "vad"], default="none")
    parser.add_argument("--pairs", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_soundscapes(folder, args.rows)
        (first, second), base_mb, peak_mb = run_alone(
            time_passes, paths, args.filters, folder / "cache"
        )
        ratio, speed = compare_with_decoding(
            paths[:N_COMPARED], args.filters, args.pairs
        )
        silero = {}
        if args.filters == "vad":
            silero = compare_with_silero(paths[:N_SILERO], args.pairs)
    results = {
        "rows of one minute": args.rows,
        "first pass, s": first,
        "second pass (warm cache), s": second,
        "second / first": second / first,
        "peak memory, MB": peak_mb,
        "memory before the pass, MB": base_mb,
        "time / soundfile.read alone (same threads)": ratio,
        "seconds of audio per second": speed,
    }
    for how, times in silero.items():
        results[f"times Silero's default and librosa, {how}"] = times
    path = write_results(f"front_end_{args.filters}", vars(args), results)
    print(pd.Series(results).round(3).to_string())
    print(f"written to {path}")


if __name__ == "__main__":
    main()
