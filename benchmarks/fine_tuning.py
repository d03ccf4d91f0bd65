"""Compare ways to train a network on few recordings, alone and as ensembles.

Usage::

    python benchmarks/fine_tuning.py --cache cache \
        --weights tf_efficientnet_lite0_in1k.safetensors \
        --distilled cache/distilled.safetensors --device cuda

Ten birds of xeno-canto, five folds by recordist, ten recordings a species; the seed
draws the folds and seeds the networks. The first way, ``bfloat16``, is that of
``real_audio.py``; each other one differs in what its name says:

- ``float32``, ``float16``: the precision.
- ``head first``: the backbone waits in the first fifth of the steps.
- ``slow backbone``, ``slow backbone, 3 x as long``: its rate is 0.3 of the head's.
- ``taught``: the network also learns BirdNET's embeddings of the recordings.
- ``coarse``: half as many frames and half as many epochs.
- ``coarse, distilled``: the same from weights of ``distillation.py``.

Ensembles take the geometric mean of probabilities. What a way predicts is kept in the
cache, so that a killed run goes on. Accuracies are means over folds, macro AUCs are
over all rows; gains are of macro AUCs within folds, with 95 % intervals over
recordings.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import real_audio
from _common import (
    COARSE,
    front_end,
    kept,
    weights_key,
    weights_path,
    write_results,
)
from recognition import cross_validation, gain
from sklearn.pipeline import make_pipeline

from skbird.ensemble import combine_proba
from skbird.metrics import macro_roc_auc
from skbird.nn import CNNClassifier

TASK = "xc_california"
FINE = {}
SLOW = {"backbone_lr_factor": 0.3}
TAUGHT = {"callbacks__distill__weight": 1.0}
#: Name of each way: frames, the argument that has its weights, parameters.
WAYS = {
    "bfloat16": (FINE, "weights", {}),
    "float32": (FINE, "weights", {"precision": "float32"}),
    "float16": (FINE, "weights", {"precision": "float16"}),
    "head first": (FINE, "weights", {"callbacks__head_first__head_share": 0.2}),
    "slow backbone": (FINE, "weights", SLOW),
    "slow backbone, 3 x as long": (FINE, "weights", SLOW | {"max_epochs": 180}),
    "taught": (FINE, "weights", TAUGHT),
    "coarse": (COARSE, "weights", {"max_epochs": 30}),
    "coarse, distilled": (COARSE, "distilled", {"max_epochs": 30}),
}
ENSEMBLES = (
    ("bfloat16", "coarse, distilled"),
    ("bfloat16", "float32", "float16"),
    ("bfloat16", "float32", "float16", "coarse, distilled"),
)


def predict(args, name, seed, data):
    """Return what a way predicts of the rows that it was not trained on."""
    frames, weights, params = WAYS[name]
    settings = {
        "weights": weights_key(getattr(args, weights)),
        "device": args.device,
        "way": [frames, params],
    }

    def compute():
        proba = np.full(data.Y.shape, np.nan)
        start = time.perf_counter()
        for train, test in data.splits:
            net = CNNClassifier(
                "tf_efficientnet_lite0",
                backbone_weights=weights_path(getattr(args, weights)),
                max_epochs=60,
                batch_size=16,
                random_state=seed,
                device=args.device,
                precision="bfloat16",
                verbose=0,
            )
            if "callbacks__distill__weight" in params:
                net.set_params(callbacks__distill__cache_dir=args.cache)
            net.set_params(**params)
            model = make_pipeline(*front_end(args.cache, **frames), net)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(data.X.iloc[train], data.Y.iloc[train])
                proba[test] = model.predict_proba(data.X.iloc[test])
        print(f"{name}, seed {seed}: {time.perf_counter() - start:.0f} s", flush=True)
        return {"proba": proba}

    folder = Path(args.cache) / "fine_tuning"
    return kept(folder, f"{name}, {seed}", settings, compute)["proba"]


def judge(proba, data):
    """Return the mean accuracy of the folds and the macro AUC of all rows."""
    truth = data.Y.to_numpy()
    hit = proba.argmax(axis=1) == truth.argmax(axis=1)
    accuracy = np.mean([hit[test].mean() for test in data.tests])
    return {"accuracy": accuracy, "macro AUC": macro_roc_auc(truth, proba)}


def summarize(probas, seeds):
    """Return a line for each way: mean (lowest to highest) of the seeds, and gains."""
    lines = {}
    for name, of_seeds in probas.items():
        figures = pd.DataFrame(list(map(judge, of_seeds, seeds)))
        lines[name] = {
            figure: f"{values.mean():.3f} ({values.min():.3f}-{values.max():.3f})"
            for figure, values in figures.items()
        }
        if name != "bfloat16":
            found = gain(TASK, of_seeds, probas["bfloat16"], seeds)
            text = "{gain:+.3f} ({low:+.3f} to {high:+.3f})"
            lines[name]["above bfloat16"] = text.format(**found)
    return pd.DataFrame(lines).T.fillna("")


def main():
    """Parse the command line, run, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--weights", default="pretrained", help="of ImageNet")
    parser.add_argument("--distilled", help="file of distillation.py")
    parser.add_argument("--cache", required=True, help="folder for what is computed")
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    if args.distilled is None:
        args.ways = [name for name in args.ways if WAYS[name][1] != "distilled"]
    ways = list(dict.fromkeys(["bfloat16", *args.ways]))
    seeds = [cross_validation(*real_audio.load(TASK, seed)) for seed in args.seeds]
    probas = {
        name: [
            predict(args, name, seed, data)
            for seed, data in zip(args.seeds, seeds, strict=True)
        ]
        for name in ways
    }
    for names in ENSEMBLES:
        if set(names) <= set(ways):
            members = zip(*(probas[name] for name in names), strict=True)
            probas[" + ".join(names)] = [
                combine_proba(list(member), voting="geometric") for member in members
            ]
    table = summarize(probas, seeds)
    print(table.to_markdown())
    print(f"written to {write_results('fine_tuning', vars(args), table.to_dict())}")


if __name__ == "__main__":
    main()
