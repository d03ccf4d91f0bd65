"""
Understand what a network says, and where it fails
==================================================

A score says how good a network is, not what it has learnt. This example trains one
without a collection, predicts that collection, and looks at species, thresholds,
probabilities and confusions; at what the network attends to; and, where the extents of
calls are known, measures whether that is the calls.

Usage::

    python examples/understand_predictions.py
    python examples/understand_predictions.py --root birdclef-2025 --limit 5000
"""  # noqa: D205, D400

# %%
# A network, and recordings that it has not heard
# -----------------------------------------------
# Held-out predictions are needed for all that follows: on its own training recordings
# a network is nearly always right. Attention over time says when an animal calls;
# ``--attention frequency`` hints at what pitch (and is often wrong).
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.pipeline import make_pipeline

from skbird.datasets import load_birdclef, make_birdclef
from skbird.inspection import (
    AttentionDisplay,
    CoActivationDisplay,
    GradCAMDisplay,
    ReliabilityDisplay,
    SupportDisplay,
    ThresholdCurveDisplay,
    explanation_report,
)
from skbird.model_selection import GroupMultilabelKFold
from skbird.nn import SEDClassifier
from skbird.preprocessing import BandPass, LogMel, Resampler, RMSFilter, Segmenter
from skbird.reports import describe_errors

# sphinx_gallery_thumbnail_path = "images/gallery/understand_predictions.png"
parser = argparse.ArgumentParser(description="Look at the predictions of a network.")
parser.add_argument("--root", type=Path, help="folder of a BirdCLEF competition")
parser.add_argument("--output", type=Path, default=Path("understand_output"))
parser.add_argument("--cache", type=Path, help="folder; by default in the output")
parser.add_argument("--limit", type=int, help="recordings to use, drawn at random")
parser.add_argument("--attention", default="time", choices=["time", "frequency"])
parser.add_argument("--backbone", help="a network of timm")
parser.add_argument("--weights", help="'pretrained' or a file; else random")
parser.add_argument("--epochs", type=int)
args, _ = parser.parse_known_args()
args.output.mkdir(parents=True, exist_ok=True)
pd.set_option("display.width", 120, "display.max_columns", 20)

data = load_birdclef(args.root) if args.root else make_birdclef(args.output / "set")
X = data.X.sample(frac=1, random_state=0)[: args.limit]
Y, label_weight = data.Y.loc[X.index], data.label_weight.loc[X.index]

pipe = make_pipeline(
    Resampler(32_000),
    BandPass(50, 16_000),
    Segmenter(5.0, overlap=0.5),
    RMSFilter(),
    LogMel(128, cache_dir=args.cache or args.output / "cache"),
    SEDClassifier(
        args.backbone or ("efficientnet_b0" if args.root else "mobilenetv3_small_050"),
        attention=args.attention,
        backbone_weights=args.weights or ("pretrained" if args.root else None),
        lr=1e-3 if args.root else 8e-3,
        max_epochs=args.epochs or (20 if args.root else 16),
        segments_per_row=1 if args.root else 5,
        random_state=0,
    ),
)
folds = GroupMultilabelKFold(3).split(X, Y, data.groups[X.index])
train, test = next(iter(folds))
X_train, Y_train = X.iloc[train], Y.iloc[train]
X_test, Y_test = X.iloc[test], Y.iloc[test]
pipe.fit(X_train, Y_train, sedclassifier__label_weight=label_weight.iloc[train])
proba_train, proba = pipe.predict_proba(X_train), pipe.predict_proba(X_test)
print(f"Trained on {len(train)} recordings, {len(test)} held out")
print("Held out:", X_test["collection"].value_counts().to_dict())


def save(display, name):
    """Keep a picture."""
    display.figure_.savefig(args.output / f"{name}.png", dpi=100)


# %%
# From probabilities to decisions
# -------------------------------
# A high ROC-AUC says that the ranking is right, not that 0.5 is a good limit. Look
# where the F score is highest, and whether the reliability follows the diagonal: if
# it does not, ``MultilabelCalibrator`` and ``ThresholdTuner`` mend it, on recordings
# of their own.
thresholds = ThresholdCurveDisplay.from_predictions(Y_test, proba)
threshold = thresholds.best_threshold_
save(thresholds, "thresholds")
save(ReliabilityDisplay.from_predictions(Y_test, proba), "reliability")
print(f"The F score is highest at a threshold of {threshold:.2f}")

# %%
# Species, confusions, and what is known by heart
# -----------------------------------------------
# Look for species low on the right of the first picture: common, and not recognised
# all the same. In the second, a bright cell off the diagonal is a confusion, a bright
# column a species that is heard everywhere. The gap is between ROC-AUC in training and
# held out: where it is wide, microphones or individuals were learnt, not the species.
save(SupportDisplay.from_predictions(Y_test, proba), "support")
confusions = CoActivationDisplay.from_predictions(Y_test, proba, threshold=threshold)
save(confusions, "confusions")


def explain(row, species):
    """Draw what the network looked at, for the clips of the page."""
    return GradCAMDisplay.from_estimator(pipe, X_test, row=row, species=species).figure_


errors = describe_errors(
    X_test,
    Y_test,
    proba,
    threshold=threshold,
    train_predictions=(Y_train, proba_train),
    explain=explain,
    n_clips=20,
)
columns = ["species", "n_positive", "roc_auc", "precision", "recall", "f1"]
print(errors.tables["species"][columns].sort_values("f1").head(15).round(3))
print(errors.tables["confusions"].head(5).round(3))
print(errors.tables["memory"].head(5).round(3))
page = errors.to_html(args.output / "errors.html")

# %%
# When it attends, and what speaks for a species
# ----------------------------------------------
# The held-out recording that the network is surest of. Attention says which moments
# count; Grad-CAM, block by block, where the evidence for the species lies. The report
# on BirdCLEF 2025 saw its last block look elsewhere than at the call. Does this one?
row, species = divmod(int((proba * Y_test.to_numpy()).argmax()), Y.shape[1])
chosen = {"row": row, "species": Y.columns[species]}
save(AttentionDisplay.from_estimator(pipe, X_test, **chosen), "attention")
save(GradCAMDisplay.from_estimator(pipe, X_test, **chosen, blocks="all"), "grad_cam")

# %%
# The same as numbers
# -------------------
# One picture proves nothing. Where the extents of calls are known, the share of each
# map inside them is compared with a control: the maps of other examples, laid over the
# same calls. A block looks at the calls if ``low`` is above 0.
if data.calls is not None:
    maps = explanation_report(pipe, data.test, data.calls, random_state=0)
    energy = maps.xs("energy", level="measure").xs("time", level="axis")
    print(energy.round(3))
    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    reach = [energy["gain"] - energy["low"], energy["high"] - energy["gain"]]
    axis.errorbar(energy.index, energy["gain"], reach, fmt="ko", capsize=5)
    axis.axhline(0, color="0.5", linestyle=":")
    axis.set(ylabel="share of the map inside the calls\n(in time), above control")
    axis.tick_params(axis="x", rotation=90)
    figure.savefig(args.output / "explanations.png", dpi=100)
print(f"Wrote {page}, and pictures beside it")
