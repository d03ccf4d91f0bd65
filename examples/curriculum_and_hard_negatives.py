"""
Easy recordings first, hard ones more often
===========================================

A curriculum begins with the recordings that are easy to learn and admits the others by
and by; hard-negative mining draws those more often in which the network hears species
that are not there. The report on BirdCLEF 2025 tried both, and both cost score. This
example trains one network in five ways, each for as many steps, and compares them on
collections that none has heard.

Usage::

    python examples/curriculum_and_hard_negatives.py
    python examples/curriculum_and_hard_negatives.py --root birdclef-2025 --limit 5000
"""  # noqa: D205, D400

# %%
# The data, and the plain network
# -------------------------------
# It is also the teacher that says what is easy: recordings of which it is sure, so that
# its predictions have a low entropy.
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skbird.datasets import load_birdclef, make_birdclef
from skbird.inspection import CurriculumDisplay
from skbird.metrics import prediction_entropy
from skbird.model_selection import GroupMultilabelKFold, paired_bootstrap
from skbird.nn import SEDClassifier
from skbird.preprocessing import BandPass, LogMel, Resampler, RMSFilter, Segmenter

parser = argparse.ArgumentParser(description="Compare orders of training.")
parser.add_argument("--root", type=Path, help="folder of a BirdCLEF competition")
parser.add_argument("--output", type=Path, default=Path("curriculum_output"))
parser.add_argument("--cache", type=Path, help="folder; by default in the output")
parser.add_argument("--limit", type=int, help="recordings to use, drawn at random")
parser.add_argument("--backbone", help="a network of timm")
parser.add_argument("--weights", help="'pretrained' or a file; else random")
parser.add_argument("--epochs", type=int)
args, _ = parser.parse_known_args()
args.output.mkdir(parents=True, exist_ok=True)

data = load_birdclef(args.root) if args.root else make_birdclef(args.output / "set")
X = data.X.sample(frac=1, random_state=0)[: args.limit]
Y, label_weight = data.Y.loc[X.index], data.label_weight.loc[X.index]
folds = GroupMultilabelKFold(3).split(X, Y, data.groups[X.index])
train, test = next(iter(folds))

plain = make_pipeline(
    Resampler(32_000),
    BandPass(50, 16_000),
    Segmenter(5.0, overlap=0.5),
    RMSFilter(),
    LogMel(128 if args.root else 64, cache_dir=args.cache or args.output / "cache"),
    SEDClassifier(
        args.backbone or ("efficientnet_b0" if args.root else "mobilenetv3_small_050"),
        backbone_weights=args.weights or ("pretrained" if args.root else None),
        lr=1e-3 if args.root else 8e-3,
        max_epochs=args.epochs or (20 if args.root else 16),
        segments_per_row=1 if args.root else 5,
        random_state=0,
    ),
)
weight = {"sedclassifier__label_weight": label_weight.iloc[train]}
plain.fit(X.iloc[train], Y.iloc[train], **weight)
X = X.assign(entropy=prediction_entropy(plain.predict_proba(X)))

# %%
# What is easy
# ------------
# A network that has learnt its recordings is unsure of noisy ones and of those with
# several species. Look whether recordings of rare species are hard: a curriculum leaves
# them out of the first epochs.
rare = Y[Y.iloc[train].sum().nsmallest(3).index].any(axis=1)
for name, mask in {"common": ~rare, "the three rarest": rare}.items():
    median = X["entropy"].iloc[train][mask.iloc[train]].median()
    print(f"Median entropy, species {name}: {median:.3f} bits")

# %%
# Four other ways
# ---------------
# A curriculum can follow any column of X, such as this entropy or a rating; or the loss
# of the training itself. The last way is the plain one with another seed: whatever
# differs by less than that is luck.
ways = {
    "curriculum by entropy": {
        "callbacks__curriculum__start": 0.3,
        "callbacks__curriculum__by": "entropy",
        "callbacks__curriculum__easy": "low",
    },
    "curriculum by loss": {
        "callbacks__curriculum__start": 0.3,
        "callbacks__curriculum__by": "loss",
    },
    "hard negatives": {"callbacks__hard_negatives__boost": 3.0},
    "plain, another seed": {"random_state": 1},
}
models = {}
for name, params in ways.items():
    models[name] = clone(plain)
    models[name][-1].set_params(**params)
    models[name].fit(X.iloc[train], Y.iloc[train], **weight)

# %%
# What they brought
# -----------------
# Macro ROC-AUC against the plain network, on the same held-out recordings, with 95 %
# intervals over recordings. Where an interval holds 0, or the gain is no larger than
# that of another seed, nothing was gained.
X_test, Y_test = X.iloc[test], Y.iloc[test]
baseline, gains = plain.predict_proba(X_test), {}
for name, model in models.items():
    proba = model.predict_proba(X_test)
    gains[name] = paired_bootstrap(Y_test, proba, baseline, random_state=0)
score = gains["hard negatives"].macro_roc_auc_b
print(f"\n{'plain':<22}{score:.3f} on {len(test)} held-out recordings")
for name, gain in gains.items():
    low, high = gain.interval
    print(f"{name:<22}{gain.difference:+.3f} [{low:+.3f}, {high:+.3f}]")

figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
for place, gain in enumerate(gains.values()):
    axis.plot(gain.interval, [place, place], color="#0072B2")
    axis.plot(gain.difference, place, "o", color="#0072B2")
axis.axvline(0, color="0.5", linestyle=":")
axis.set_yticks(range(len(gains)), gains)
axis.set(xlabel="gain in macro ROC-AUC over the plain network", ylim=(3.5, -0.5))
figure.savefig(args.output / "gains.png", dpi=100)

# %%
# What the trainings did
# ----------------------
# Above the recordings admitted, then the loss. It is no measure of success: easy
# recordings have a low one, and drawing hard ones raises it. For hard negatives the
# species wrongly heard: those that stay bright are confused to the end.
for name in ("curriculum by entropy", "hard negatives"):
    display = CurriculumDisplay.from_estimator(models[name])
    display.figure_.savefig(args.output / f"{name.replace(' ', '_')}.png", dpi=100)
print(f"Wrote pictures into {args.output}")
