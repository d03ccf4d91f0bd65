"""
Compute the spectrograms once
=============================

A training reads each recording many times; decoding it each time would take longer than
the network. ``LogMel(cache_dir=...)`` keeps the spectrograms on disk, where folds,
trials and later sessions find them. This example fills such a cache, shows what the
filters make of recordings of each collection, and measures what the second pass costs.

Usage::

    python examples/precompute.py
    python examples/precompute.py --root birdclef-2025
"""  # noqa: D205, D400

# %%
# The front end
# -------------
# The one of the report on BirdCLEF 2025: 32 kHz, 5-s segments that overlap by half, 128
# mel bands. Filters remove nothing: they lower the weight with which training draws a
# segment. Voice detection is stricter on collections that announce their species.
import argparse
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_pipeline

from skbird.datasets import load_birdclef, make_birdclef
from skbird.inspection import SpectrogramDisplay
from skbird.preprocessing import (
    BandPass,
    LogMel,
    Resampler,
    RMSFilter,
    Segmenter,
    VADFilter,
)

parser = argparse.ArgumentParser(description="Fill a cache of spectrograms.")
parser.add_argument("--root", type=Path, help="folder of a BirdCLEF competition")
parser.add_argument("--output", type=Path, default=Path("precompute_output"))
parser.add_argument("--cache", type=Path, help="folder; by default in the output")
parser.add_argument("--limit", type=int, help="recordings to use, drawn at random")
args, _ = parser.parse_known_args()
args.output.mkdir(parents=True, exist_ok=True)
cache_dir = args.cache or args.output / "cache"

data = load_birdclef(args.root) if args.root else make_birdclef(args.output / "set")
X = data.X.sample(frac=1, random_state=0)[: args.limit]

front_end = make_pipeline(
    Resampler(32_000),
    BandPass(50, 16_000),
    Segmenter(5.0, overlap=0.5),
    VADFilter(threshold={"CSA": 0.3, "XC": 0.7, "default": 0.5}),
    RMSFilter(),
    LogMel(n_mels=128, cache_dir=cache_dir, on_error="skip"),
)

# %%
# The first pass
# --------------
# Files are decoded in threads. A pass that is killed loses only the files in flight:
# call it again. Files that cannot be read are listed; nothing else is lost.
start = time.perf_counter()
spectrograms = front_end.fit_transform(X)
first_s = time.perf_counter() - start
print(spectrograms)
print(f"Recordings that could not be read: {len(spectrograms.errors)}")

# %%
# The second pass
# ---------------
# The same call finds everything there. So does every fold of a cross-validation, and
# every trial of a search that leaves the spectrograms themselves alone: overlap, the
# thresholds of the filters and normalisation are applied when segments are read.
start = time.perf_counter()
front_end.set_params(vadfilter__threshold=0.5, segmenter__overlap=0.0).fit_transform(X)
second_s = time.perf_counter() - start
front_end.set_params(
    vadfilter__threshold={"CSA": 0.3, "XC": 0.7, "default": 0.5}, segmenter__overlap=0.5
)
n_bytes = sum(file.stat().st_size for file in cache_dir.rglob("*.npy"))
hours = spectrograms.n_frames.sum() * spectrograms.format.frame_s / 3600
print(f"First pass {first_s:.1f} s, with other filters again {second_s:.2f} s")
print(f"Cache: {n_bytes / 1e6:.0f} MB for {hours:.2f} hours of audio")

# %%
# What the filters decided
# ------------------------
# Weights near 0 are segments that training hardly ever draws. If most of a collection
# is there, its threshold is too strict.
weights = spectrograms.segment_weights
collection = X["collection"].to_numpy()[spectrograms.segment_rows]
names = list(X["collection"].value_counts().index)
figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
edges = np.linspace(0, 1, 11)
for name in names:
    of_name = weights[collection == name]
    label = f"{name} ({len(of_name)} segments, mean {of_name.mean():.2f})"
    shares = np.histogram(of_name, edges)[0] / len(of_name)
    axis.stairs(shares, edges, label=label, linewidth=2)
    print(f"{name}: {np.mean(of_name < 0.5):.0%} of the segments weigh less than 0.5")
axis.set(xlabel="weight of a segment in training", ylabel="share of the segments")
axis.legend()
figure.savefig(args.output / "weights.png", dpi=100)

# %%
# One recording of each collection
# --------------------------------
# Under the spectrogram lie the segments with their weights, then what voice detection
# and level filter measured, and their limits. Look whether the dark segments are those
# in which the animal calls, and whether voices are where the detector says so.
seconds = spectrograms.n_frames * spectrograms.format.frame_s
for name in names:
    # One of about 20 s, long enough for several segments.
    row = np.where(X["collection"] == name, np.abs(seconds - 20), np.inf).argmin()
    display = SpectrogramDisplay.from_estimator(front_end, X, row=row)
    display.figure_.savefig(args.output / f"{name}.png", dpi=100)
print(f"Wrote {len(names) + 1} pictures into {args.output}")
