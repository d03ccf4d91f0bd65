"""Measure the memory of the front end, with many rows and with long files.

Usage::

    python benchmarks/memory.py --rows 10000 --hours 2

The rows are a long recording (flac, or wav), once whole and once in rows of 5 s, and
one-minute ogg files in rows of 5 s. They go through the front end with and without
voice detection, each time in a process of its own; and so does a tenth of the short
files' rows, without the long recording.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from _common import run_alone, write_results
from front_end import RATE, time_passes, write_soundscapes

from skbird.data import segment_table

_ROW_S = 5


def write_long(path, seconds):
    """Write noise with a fading tone, a minute at a time."""
    rng = np.random.default_rng(0)
    tone = 0.2 * np.sin(2 * np.pi * 4000 * np.arange(60 * RATE) / RATE)
    with soundfile.SoundFile(path, "w", RATE, 1, subtype="PCM_16") as file:
        for _ in range(round(seconds / 60)):
            file.write(0.05 * rng.standard_normal(len(tone)) + rng.random() * tone)


def make_rows(folder, n_rows, hours, suffix):
    """Return the table of all rows, and that of a tenth, of short files only."""
    long = folder / f"long.{suffix}"
    write_long(long, 3600 * hours)
    whole = pd.DataFrame({"path": [str(long)], "start": [0.0], "end": [3600 * hours]})
    cut = segment_table([long], _ROW_S)
    n_short = n_rows - len(whole) - len(cut)
    if n_short <= 0:
        raise SystemExit(f"--rows must be above {len(whole) + len(cut)} for the hours.")
    paths = write_soundscapes(folder, -(-n_short * _ROW_S // 60))
    short = segment_table(paths, _ROW_S)[:n_short]
    few = segment_table(paths, _ROW_S)[: n_rows // 10]
    return pd.concat([whole, cut, short], ignore_index=True), few


def main():
    """Parse the command line, measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--hours", type=float, default=2.0, help="the long recording")
    parser.add_argument("--format", choices=["flac", "wav"], default="flac")
    args = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = make_rows(folder, args.rows, args.hours, args.format)
        for filters in ("none", "vad"):
            peaks = []
            for rows in tables:
                cache_dir = folder / f"{filters}{len(rows)}"
                _, base_mb, peak_mb = run_alone(
                    time_passes, rows, filters, cache_dir, 1
                )
                peaks.append(peak_mb)
            results[filters] = {
                "rows": len(tables[0]),
                "peak memory, MB": peaks[0],
                "peak memory, a tenth of the rows, no long file, MB": peaks[1],
                "memory before the pass, MB": base_mb,
            }
    print(pd.DataFrame(results).round(0).to_string())
    print(f"written to {write_results('memory', vars(args), results)}")


if __name__ == "__main__":
    main()
