"""Measure what kills cost an archive run, and whether memory grows with the archive.

Usage::

    python benchmarks/archive.py --files 500 --kills 3

Predicts one-minute ogg files with a small compiled network, once undisturbed and once
killed (SIGKILL) at random moments and called again, and compares all rows. Each run is
a process of its own. The time lost includes that of starting it again. A tenth of the
files in a run of their own shows whether memory grows.
"""

import argparse
import pickle
import random
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from _common import run_alone, write_results
from front_end import RATE, write_soundscapes

from skbird.archive import predict_archive

N_SPECIES = 206
# Two files, about what a kill loses; so that a tenth of the files, too, are blocks
# enough for the allocator to settle, which takes 20.
BLOCK_S = 120


def write_model(folder, backbone):
    """Fit a pipeline for a moment, compile it and write it."""
    from sklearn.pipeline import make_pipeline

    from skbird.inference import compile_pipeline
    from skbird.nn import CNNClassifier
    from skbird.preprocessing import BandPass, LogMel, Resampler, Segmenter

    paths = sorted(str(path) for path in folder.glob("original*.ogg"))
    Y = np.random.default_rng(0).integers(0, 2, (len(paths), N_SPECIES))
    pipe = make_pipeline(
        Resampler(RATE),
        BandPass(50, 16_000),
        Segmenter(5.0),
        LogMel(128, verbose=0),
        CNNClassifier(backbone, backbone_weights=None, max_epochs=1, verbose=0),
    ).fit(paths, Y)
    (folder / "model.pkl").write_bytes(pickle.dumps(compile_pipeline(pipe)))


def run_archive(folder, n_files, out):
    """Predict the first files of the folder; return what `predict_archive` does."""
    model = pickle.loads((folder / "model.pkl").read_bytes())
    paths = sorted(folder.glob("row*.ogg"))[:n_files]
    return predict_archive(model, paths, folder / out, block_s=BLOCK_S, verbose=0)


def kill_runs(folder, n_files, n_kills, work_s, rng):
    """Start runs and kill each at a random moment of its work.

    Returns
    -------
    int
        How many were killed: fewer than `n_kills` if one ended before its turn came.
    """
    context = get_context("spawn")
    for n_killed in range(n_kills):
        n_parts = count_parts(folder)
        process = context.Process(target=run_archive, args=(folder, n_files, "killed"))
        process.start()
        while process.is_alive() and count_parts(folder) == n_parts:
            time.sleep(0.01)
        process.join(rng.uniform(0, work_s / n_kills))
        if not process.is_alive():
            return n_killed
        process.kill()
        process.join()
        print(f"killed; {count_parts(folder)} parts are finished", flush=True)
    return n_kills


def count_parts(folder):
    """Return how many parts the run that gets killed has finished."""
    return len(list((folder / "killed").glob("part-*")))


def count_differences(one, other):
    """Return the number of rows in which two tables differ, in whatever order."""
    keys = ["path", "start", "end"]
    one, other = (t.sort_values(keys, ignore_index=True) for t in (one, other))
    if not one[keys].equals(other[keys]):
        raise SystemExit("The two runs do not have the same rows.")
    return int((one != other).any(axis=1).sum())


def main():
    """Parse the command line, measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--backbone", default="mobilenetv3_small_050")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_soundscapes(folder, args.files)
        run_alone(write_model, folder, args.backbone)
        _, _, few_mb = run_alone(run_archive, folder, args.files // 10, "few")
        start = time.perf_counter()
        whole, _, peak_mb = run_alone(run_archive, folder, args.files, "whole")
        undisturbed_s = time.perf_counter() - start
        rng = random.Random(args.seed)
        start = time.perf_counter()
        n_killed = kill_runs(folder, args.files, args.kills, whole.seconds, rng)
        resumed, _, _ = run_alone(run_archive, folder, args.files, "killed")
        together_s = time.perf_counter() - start
        n_different = count_differences(whole.read(), resumed.read())
    results = {
        "files": args.files,
        "rows": whole.n_rows,
        "rows after the kills": resumed.n_rows,
        "rows that differ": n_different,
        "kills": n_killed,
        "undisturbed run, s": undisturbed_s,
        "seconds of audio per second": whole.times_real_time,
        "seconds lost by the kills": together_s - undisturbed_s,
        "seconds lost per kill": (together_s - undisturbed_s) / max(n_killed, 1),
        "peak memory, a tenth of the files, MB": few_mb,
        "peak memory, all files, MB": peak_mb,
    }
    print(pd.Series(results).round(2).to_string())
    print(f"written to {write_results('archive', vars(args), results)}")


if __name__ == "__main__":
    main()
