"""Measure how long networks train until they reach a score, on CPUs or a GPU.

Usage::

    python benchmarks/time_to_score.py esc10 --cache cache \
        --weights tf_efficientnet_lite0_in1k.safetensors

A network is trained on each fold; after each epoch the clock stops, and the rows that
were held out are predicted. The score of an epoch is the accuracy over the rows of all
folds, and its time the sum of the training times until then: what it takes to train
five networks of that score. Recipes take turns, fold by fold, so that a slow moment
meets all of them:

- ``today``: that of ``real_audio.py``.
- ``coarse``: spectrograms with half as many frames.
- ``coarse, short``: and half as many epochs, so that the rate falls earlier.
- ``coarse first``: half as many frames in the first half of the steps, all in the rest.
- ``small``: half as many frames, and half as many mel bands.

What a network gave is kept in the cache, so that a killed run goes on;
``speed_score.py`` takes the probabilities from there.
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
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from skbird.nn import CNNClassifier

TARGETS = {"esc10": 0.93, "xc_california": 0.78}
#: Name of each recipe: parameters of LogMel, share of the epochs, and parameters of the
#: network.
RECIPES = {
    "today": ({}, 1.0, {}),
    "coarse": (COARSE, 1.0, {}),
    "coarse, short": (COARSE, 0.5, {}),
    "coarse first": ({}, 1.0, {"callbacks__coarse_first__coarse_share": 0.5}),
    "small": ({"n_mels": 64, **COARSE}, 1.0, {}),
}


class Clock(Callback):
    """Notes how long the training took, and what is predicted after each epoch."""

    def __init__(self, X):
        self.X = X
        self.seconds, self.probas = [], []

    def on_epoch_begin(self, net, **kwargs):
        """Start the clock."""
        self.start = time.perf_counter()

    def on_epoch_end(self, net, **kwargs):
        """Stop the clock, and predict."""
        self.seconds.append(time.perf_counter() - self.start)
        self.probas.append(net.predict_proba(self.X))


def train(args, task, recipe, seed, fold, data):
    """Return what became of a network.

    Returns
    -------
    dict
        ``seconds``, array of shape (n_epochs,); ``right``, boolean array of shape
        (n_epochs, n_test_rows): which held-out rows have the right species first; and
        ``proba``, array of shape (n_test_rows, n_species): what is predicted after the
        last epoch.
    """
    frames, share, options = RECIPES[recipe]
    settings = {
        "weights": weights_key(args.weights),
        "max_epochs": round(share * real_audio.EPOCHS[task]),
        "device": args.device,
        "precision": args.precision,
        "recipe": [frames, options],
    }

    def compute():
        X, Y, splits = data
        steps = make_pipeline(*front_end(args.cache, **frames))
        rows, held_out = splits[fold]
        X_train = steps.fit_transform(X.iloc[rows])
        X_test = steps.transform(X.iloc[held_out])
        net = CNNClassifier(
            "tf_efficientnet_lite0",
            backbone_weights=weights_path(args.weights),
            max_epochs=settings["max_epochs"],
            batch_size=16,
            random_state=seed,
            device=args.device,
            precision=args.precision,
            callbacks=[("clock", Clock(X_test))],
            verbose=0,
        ).set_params(**options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net.fit(X_train, Y.iloc[rows])
        clock = dict(net.callbacks_)["clock"]
        truth = Y.iloc[held_out].to_numpy().argmax(axis=1)
        right = np.stack(clock.probas).argmax(axis=2) == truth
        return {"seconds": clock.seconds, "right": right, "proba": clock.probas[-1]}

    folder = Path(args.cache) / "time_to_score"
    return kept(folder, f"{task}, {recipe}, {seed}, {fold}", settings, compute)


def train_in_turns(args, task, recipes, seed, data):
    """Return the networks of all folds for each recipe, which take turns."""
    networks = {recipe: [] for recipe in recipes}
    for fold in range(len(data[2])):
        for recipe, found in networks.items():
            found.append(train(args, task, recipe, seed, fold, data))
    return networks


def judge(args, networks):
    """Return the figures of the networks of all folds of a recipe and seed."""
    seconds = np.cumsum(np.sum([found["seconds"] for found in networks], axis=0))
    right = np.concatenate([found["right"] for found in networks], axis=1)
    accuracy = right.mean(axis=1)
    reached = np.flatnonzero(accuracy >= TARGETS[args.task])
    first = reached[0] if len(reached) else None
    return {
        "epochs to score": np.nan if first is None else first + 1,
        "seconds to score": np.nan if first is None else seconds[first],
        "seconds in all": seconds[-1],
        "accuracy in the end": accuracy[-1],
    }


def main():
    """Parse the command line, run, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=TARGETS)
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--weights", default="pretrained", help="of ImageNet")
    parser.add_argument("--cache", required=True, help="folder for what is computed")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    # "auto" may mean another format in each fold, and in shorter trainings.
    formats = ["float32", "bfloat16", "float16"]
    parser.add_argument("--precision", default="float32", choices=formats)
    args = parser.parse_args()
    lines = []
    for seed in args.seeds:
        data = real_audio.load(args.task, seed)
        networks = train_in_turns(args, args.task, args.recipes, seed, data)
        for recipe, found in networks.items():
            lines.append({"recipe": recipe, "seed": seed, **judge(args, found)})
        print(pd.DataFrame(lines).round(3).to_string(index=False), flush=True)
    table = pd.DataFrame(lines)
    recipes = table.drop(columns="seed").groupby("recipe", sort=False)
    # Where a seed did not come to the score, there is no mean time to it.
    mean = recipes.agg(lambda figures: figures.mean(skipna=False))
    reached = recipes["seconds to score"].count()
    print(mean.assign(**{"seeds that came to it": reached}).round(3).to_markdown())
    path = write_results(f"time_to_score_{args.task}", vars(args), lines)
    print(f"written to {path}")


if __name__ == "__main__":
    main()
