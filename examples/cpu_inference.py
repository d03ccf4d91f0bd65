"""
Predict on a machine that has only CPUs, and no torch
=====================================================

Field stations and Kaggle's notebooks have no GPU, and nobody wants to install torch
there. This example fits an EfficientNet-B0, compiles the pipeline, writes it to a model
file, and lets a fresh process, which does without torch, predict soundscapes and write
a submission. It prints how much faster that is, and what it costs in accuracy.

Usage::

    python examples/cpu_inference.py
    python examples/cpu_inference.py --root birdclef-2025 --model model.pickle
    pip install 'skbird[cpu]'  # all that the machine needs which predicts
"""  # noqa: D205, D400

# %%
# A fitted pipeline
# -----------------
# Trained briefly: speed does not depend on how good the network is. With ``--model`` a
# pickle of ``train.py`` is used instead. Around it each probability is multiplied by
# the mean of its soundscape; ensembles compile as well. The soundscapes are those of
# the test or, as in Kaggle's downloads, ten without labels.
import argparse
import pickle
import subprocess
import sys
import timeit
from pathlib import Path

import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from skbird.datasets import load_birdclef, make_birdclef
from skbird.inference import compile_pipeline, save_model
from skbird.metrics import macro_roc_auc
from skbird.nn import CNNClassifier
from skbird.postprocessing import SoundscapeReweighter
from skbird.preprocessing import BandPass, LogMel, Resampler, Segmenter

parser = argparse.ArgumentParser(description="Compile, save, load and predict.")
parser.add_argument("--root", type=Path, help="folder of a BirdCLEF competition")
parser.add_argument("--output", type=Path, default=Path("cpu_inference_output"))
parser.add_argument("--limit", type=int, default=1000, help="recordings to fit on")
parser.add_argument("--model", type=Path, help="a pickled pipeline, instead of a fit")
parser.add_argument("--backbone", default="efficientnet_b0", help="a network of timm")
parser.add_argument("--weights", help="'pretrained' or a file; else random")
parser.add_argument("--epochs", type=int, default=6)
args, _ = parser.parse_known_args()
args.output.mkdir(parents=True, exist_ok=True)

data = load_birdclef(args.root) if args.root else make_birdclef(args.output / "set")
X = data.X.sample(frac=1, random_state=0)[: args.limit]
Y, rows = data.Y.loc[X.index], data.test
if not len(rows):
    rows = data.unlabeled
    rows = rows[rows["path"].isin(rows["path"].unique()[:10])]
if args.model:
    pipe = pickle.loads(args.model.read_bytes())
else:
    pipe = make_pipeline(
        Resampler(32_000),
        BandPass(50, 16_000),
        Segmenter(5.0),
        LogMel(verbose=0),
        CNNClassifier(
            args.backbone,
            backbone_weights=args.weights or ("pretrained" if args.root else None),
            max_epochs=args.epochs,
            lr=1e-3 if args.root else 2e-3,
            random_state=0,
        ),
    ).fit(X, Y)
pipe.set_params(logmel__cache_dir=None)  # decoding is part of what is timed
model = SoundscapeReweighter(FrozenEstimator(pipe)).fit(X, Y)

# %%
# What the other machine runs
# ---------------------------
# A model file runs no code of its own when it is loaded, and needs no torch.
PREDICT = """
import sys, timeit

class NoTorch:  # here it is installed
    def find_spec(self, name, *_):
        if name == "torch":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoTorch())
import pandas as pd
from skbird.annotations import write_submission
from skbird.inference import load_model

rows = pd.read_csv(sys.argv[1])
for path in sys.argv[2:]:
    model = load_model(path)
    proba = model.predict_proba(rows)
    submission = path.removesuffix(".skbird") + ".csv"
    write_submission(proba, rows, submission, species=model.species_)
    print(min(timeit.repeat(lambda: model.predict_proba(rows), number=1, repeat=3)))
"""


def predict_elsewhere(paths):
    """Return seconds and probabilities of each model in a fresh process."""
    table = args.output / "rows.csv"
    rows.to_csv(table, index=False)
    command = [sys.executable, "-c", PREDICT, table, *paths]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found = []
    for path, seconds in zip(paths, done.stdout.split(), strict=True):
        submission = path.with_suffix(".csv")
        print(f"Wrote {path} ({path.stat().st_size / 1e6:.0f} MB) and {submission}")
        proba = pd.read_csv(submission, index_col="row_id").to_numpy()
        found.append((float(seconds), proba))
    return found


# %%
# Compile, save, load, predict
# ----------------------------
# ``precision="auto"`` takes bfloat16 where the CPU computes in it. The model is
# compared with the original on a few recordings, and refused if a probability differs
# by more than rounding.
proba = model.predict_proba(rows)
seconds = min(timeit.repeat(lambda: model.predict_proba(rows), number=1, repeat=3))
results = {"pipeline": (seconds, proba)}
paths = {}
for precision in ("float32", "auto"):
    paths[f"compiled, {precision}"] = path = args.output / f"birds_{precision}.skbird"
    compiled = compile_pipeline(model, X[:8], precision=precision)
    save_model(compiled, path, data=X, license="CC0-1.0")
results |= zip(paths, predict_elsewhere([*paths.values()]), strict=True)

# %%
# What it brought
# ---------------
# Look at the speed-up against the largest difference of any probability; only where the
# latter moves the score is it worth to insist on ``precision="float32"``.
audio_s = (rows["end"] - rows["start"]).sum()
print(f"\n{audio_s:.0f} s of soundscapes, {len(rows)} rows")
table = pd.DataFrame(
    {
        "seconds": {name: s for name, (s, _) in results.items()},
        "difference": {name: abs(p - proba).max() for name, (_, p) in results.items()},
    }
)
table.insert(1, "speed_up", table["seconds"]["pipeline"] / table["seconds"])
if data.test_Y is not None:
    table["macro_auc"] = [macro_roc_auc(data.test_Y, p) for _, p in results.values()]
print(table.round({"seconds": 2, "speed_up": 1, "difference": 5, "macro_auc": 3}))
