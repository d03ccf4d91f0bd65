"""
Learn from soundscapes without labels
=====================================

Recordings of one bird each are not what a recorder in the forest hears, and nobody
labels thousands of soundscapes. So a network that has learnt the recordings predicts
the soundscapes, and teaches students with what it says: pseudo-labels. This example
trains two generations of students and shows what they gained.

Usage::

    python examples/self_training.py
    python examples/self_training.py --root birdclef-2025 --limit 5000
"""  # noqa: D205, D400

# %%
# Recordings with labels, soundscapes without
# -------------------------------------------
# Rows of Y that are -1 throughout are unlabelled. What counts is the score on other
# soundscapes; where there are none with a truth, as in Kaggle's downloads, a fifth of
# the recordists has to do.
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline

from skbird.datasets import load_birdclef, make_birdclef
from skbird.inspection import SelfTrainingDisplay
from skbird.metrics import macro_roc_auc, species_report
from skbird.model_selection import GroupMultilabelKFold
from skbird.nn import SEDClassifier
from skbird.preprocessing import BandPass, LogMel, Resampler, RMSFilter, Segmenter
from skbird.semi_supervised import PseudoLabelSelfTraining

parser = argparse.ArgumentParser(description="Learn from unlabelled soundscapes.")
parser.add_argument("--root", type=Path, help="folder of a BirdCLEF competition")
parser.add_argument("--output", type=Path, default=Path("self_training_output"))
parser.add_argument("--cache", type=Path, help="folder; by default in the output")
parser.add_argument("--limit", type=int, help="recordings, and unlabelled rows, to use")
parser.add_argument("--backbone", help="a network of timm")
parser.add_argument("--weights", help="'pretrained' or a file; else random")
parser.add_argument("--epochs", type=int)
args, _ = parser.parse_known_args()
args.output.mkdir(parents=True, exist_ok=True)
pd.set_option("display.width", 120, "display.max_columns", 20)

if args.root:
    data = load_birdclef(args.root)
else:
    sizes = {"n_recordings": 150, "n_unlabeled": 30, "n_test": 20}
    data = make_birdclef(args.output / "set", **sizes)
X = data.X.sample(frac=1, random_state=0)[: args.limit]
Y, X_test, Y_test = data.Y.loc[X.index], data.test, data.test_Y
if Y_test is None:
    train, test = next(GroupMultilabelKFold(5).split(X, Y, X["author"]))
    X_test, Y_test, X, Y = X.iloc[test], Y.iloc[test], X.iloc[train], Y.iloc[train]
soundscapes = data.unlabeled[: args.limit]
unknown = pd.DataFrame(-1.0, soundscapes.index, Y.columns)
print(f"{len(X)} recordings with labels, {len(soundscapes)} rows without")

# %%
# The teacher
# -----------
# It sees recordings with labels only.
teacher = make_pipeline(
    Resampler(32_000),
    BandPass(50, 16_000),
    Segmenter(5.0, overlap=0.5),
    RMSFilter(),
    LogMel(
        128 if args.root else 64,
        hop_length=512 if args.root else 1024,
        cache_dir=args.cache or args.output / "cache",
    ),
    SEDClassifier(
        args.backbone or ("efficientnet_b0" if args.root else "mobilenetv3_small_050"),
        attention="time",
        backbone_weights=args.weights or ("pretrained" if args.root else None),
        lr=1e-3 if args.root else 8e-3,
        max_epochs=args.epochs or (20 if args.root else 64),
        segments_per_row=1 if args.root else 4,
        random_state=0,
    ),
).fit(X, Y)

# %%
# The students
# ------------
# Each is trained on recordings into which soundscapes are mixed: it hears a bird over
# the noise of the forest, and has to say both. ``proba_power`` lowers the little that a
# teacher says of everything; without it, students believe in every species a bit. Look
# at the number of labels per row, which should be what one hears in a row, and at
# species that no round finds.
model = PseudoLabelSelfTraining(
    teacher,  # students are clones of it
    teacher=teacher,  # as trained above, not once more
    max_iter=2,
    mix=1.0,
    hard_threshold=None,
    proba_power=2.0,
)
model.fit(pd.concat([X, soundscapes], ignore_index=True), pd.concat([Y, unknown]))
columns = ["n_rows", "n_soft", "n_zero", "labels_per_row", "n_species", "change"]
print(model.history_[columns].round(2))

# %%
# What they gained
# ----------------
# Species by species: a mean can rise while some species lose. That they learn the
# sound of the forest, too, and not only labels, is part of the gain.
gain = pd.DataFrame(index=Y.columns)
for name, estimator in {"labels alone": teacher, "self-trained": model}.items():
    proba = estimator.predict_proba(X_test)
    gain[name] = species_report(Y_test, proba)["roc_auc"]
    print(f"{name}: macro ROC-AUC {macro_roc_auc(Y_test, proba):.3f}")

gain = gain.dropna().sort_values("labels alone")[:40]  # the worst, if there are more
figure, axes = plt.subplots(3, figsize=(8, 11), layout="constrained")
SelfTrainingDisplay.from_estimator(model, axes=axes[:2])
places = np.arange(len(gain))
axes[2].vlines(places, *gain.T.to_numpy(), color="0.7")
for (name, values), style in zip(gain.items(), ("ko", "C0s"), strict=True):
    axes[2].plot(places, values, style, fillstyle="none", label=name)
axes[2].set_xticks(places, gain.index, rotation=90, fontsize=8)
axes[2].set_ylabel("ROC-AUC, held out")
axes[2].legend()
figure.savefig(args.output / "rounds.png", dpi=100)
print(f"Wrote {args.output / 'rounds.png'}")
