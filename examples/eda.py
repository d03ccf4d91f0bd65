"""
Look at the recordings before learning from them
================================================

Most surprises of a model are there to be seen in its data: species with three
recordings, collections that differ in level and noise, pairs of species that nobody
ever recorded apart, the same file twice. This example looks for them, prints what it
finds and writes a page to be read in a browser.

Usage::

    python examples/eda.py
    python examples/eda.py --root birdclef-2025
"""  # noqa: D205, D400

# %%
# The data
# --------
# Without ``--root`` a synthetic set of BirdCLEF's shape is made. Of the sound, that of
# 1000 recordings is decoded, as many of each collection as there are; headers are read
# of all.
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from skbird.datasets import load_birdclef, make_birdclef
from skbird.reports import describe_recordings

parser = argparse.ArgumentParser(description="Describe recordings.")
parser.add_argument("--root", type=Path, help="folder of a BirdCLEF competition")
parser.add_argument("--output", type=Path, default=Path("eda_output"))
parser.add_argument("--limit", type=int, help="recordings to use, drawn at random")
parser.add_argument("--speech", action="store_true", help="look for human voices, too")
args, _ = parser.parse_known_args()
args.output.mkdir(parents=True, exist_ok=True)
pd.set_option("display.width", 120, "display.max_columns", 20)

data = load_birdclef(args.root) if args.root else make_birdclef(args.output / "set")
X = data.X.sample(frac=1, random_state=0)[: args.limit]
Y = data.Y.loc[X.index]
print(data.DESCR)

# %%
# What stands out
# ---------------
# One line for each thing that was looked for. Begin with the largest numbers, and ask
# of each whether the model should learn from these recordings, and whether it will meet
# such in the field. Here a few are so noisy that their species can hardly be heard.
report = describe_recordings(X, Y, speech=args.speech, random_state=0)
print(report.tables["findings"].to_string(index=False))

# %%
# Species
# -------
# The score of BirdCLEF is a mean over species: the last ones of this list count as much
# as the first. Ask of a rare one how many authors it has: with one, no held-out
# recording will tell how well it is recognised elsewhere.
species = report.tables["species"].set_index("species")
print(species.drop(columns="hours"))
print(data.species_table["group"].value_counts().to_string())

# %%
# Collections
# -----------
# Where collections differ in level, noise or sample rate, a network can tell them
# apart, and with them the species that only one of them has. So a split at random
# flatters: hold whole collections out. Levels themselves do not matter to ``LogMel``,
# which normalises each segment; the distance from the noise does.
columns = ["recordings", "hours", "median_s", "authors", "clipped_files"]
levels = ["median_level_dbfs", "median_noise_dbfs", "median_contrast_db"]
collections = report.tables["collections"].set_index("collection")
print(collections[columns + levels].T.round(2))

recordings = report.tables["recordings"]
figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
colours = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")  # apart for the colour-blind
for name, marker, colour in zip(collections.index, "os^D", colours, strict=False):
    part = recordings[recordings["collection"] == name]
    style = {"marker": marker, "color": colour, "s": 18, "alpha": 0.7}
    axis.scatter(part["noise_dbfs"], part["contrast_db"], label=name, **style)
axis.set(xlabel="noise (dBFS)", ylabel="loudest 1 % above the noise (dB)")
axis.legend(title="collection")
figure.savefig(args.output / "noise.png", dpi=100)

# %%
# Species that are heard together
# -------------------------------
# The shares say how many recordings of the one have the other as well. What is hardly
# ever heard apart cannot be told apart by training.
print(report.tables["together"].head(10).to_string(index=False))

# %%
# Copies and damage
# -----------------
# Copies on both sides of a split are known by heart, not recognised:
# :func:`skbird.model_selection.leak_groups` keeps them together. Files that cannot be
# read stop a training, unless ``LogMel(on_error="skip")`` leaves them out.
for name in ("duplicates", "unreadable"):
    table = report.tables[name]
    print(f"{name}: {len(table)}")
    print(table.head(20).to_string(index=False) if len(table) else "none")

# %%
# The page
# --------
# All of this with more pictures, all tables to be sorted and searched, and clips of
# each problem to be played. It needs no network and no other file.
page = report.to_html(args.output / "recordings.html")
for name, figure in report.figures.items():
    figure.savefig(args.output / f"{name}.png", dpi=100)
print(f"Wrote {page} and {len(report.figures) + 1} pictures beside it")
