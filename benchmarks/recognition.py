"""Compare ways to recognise species on five sets: mean and range of three seeds.

Usage::

    python benchmarks/distillation.py --cache cache \
        --weights tf_efficientnet_lite0_in1k.safetensors
    python benchmarks/recognition.py --cache cache \
        --weights tf_efficientnet_lite0_in1k.safetensors \
        --distilled cache/distilled.safetensors

Columns: statistics of mel bands and logistic regression; a network from ImageNet
weights; the same network from weights that were distilled from BirdNET; a probe on
BirdNET's embeddings; BirdNET's own scores, where it has a class for each species; the
mean of both networks; and an ensemble of all but the statistics. Its weights, and
whether it takes the mean of probabilities or of log odds, are learnt from rows that no
member was trained on.

Sets, of which a seed draws what is said and seeds the networks:

- ``esc10``: ten classes of sound on the five official folds.
- ``xc_california``: ten birds, five folds by recordist. The seed draws the folds.
- ``donana``: 5-s rows of seven soundscapes, each predicted by models of the others.
- ``mixed``: xeno-canto birds put into Doñana recordings (``_target_site.py``): trained
  on recordings of birds, tested on soundscapes. The seed draws all.
- ``synthetic``: soundscapes of ``make_birdclef``, trained on its recordings. The seed
  draws all.

In the first three, weights for a fold are learnt from the predictions of the other
folds; in the last two from soundscapes that have labels and are neither trained nor
tested on. BirdNET was trained on xeno-canto: it has probably heard the birds of
xc_california and of ``mixed``. The recordings of ESC-10 and Doñana are in the sound
that was distilled on, without labels.

What a model predicts is kept in the cache: a killed run goes on, and the table is
printed of what there is.
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
from _target_site import make_target_site
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from skbird.datasets import make_birdclef
from skbird.encoders import EmbeddingEncoder, PretrainedScores, ProbeClassifier
from skbird.ensemble import combine_proba, fit_weights
from skbird.metrics import macro_roc_auc
from skbird.model_selection import paired_bootstrap
from skbird.nn import CNNClassifier
from skbird.preprocessing import SpectrogramStatistics

SEEDS = 0, 1, 2
EPOCHS = {
    "esc10": 12,
    "xc_california": 30,
    "donana": 10,
    "mixed": 60,
    "synthetic": 20,
}
SINGLE = "esc10", "xc_california"  # one species in each row: accuracy makes sense
IN_ENSEMBLE = "network, ImageNet", "network, distilled", "probe", "encoder's scores"


def statistics(args, task, seed):
    """Return the baseline. The level tells sounds apart on ESC-10, not birds."""
    normalize = None if task == "esc10" else "minmax"
    return make_pipeline(
        *front_end(args.cache, normalize=normalize, **COARSE),
        SpectrogramStatistics(),
        StandardScaler(),
        OneVsRestClassifier(LogisticRegression(max_iter=2000)),
    )


def network(weights):
    """Return a function that makes a network from weights of an argument."""

    def make(args, task, seed):
        net = CNNClassifier(
            "tf_efficientnet_lite0",
            backbone_weights=weights_path(getattr(args, weights)),
            max_epochs=EPOCHS[task],
            batch_size=16,
            random_state=seed,
            device=args.device,
            precision=args.precision,
            verbose=0,
        )
        return make_pipeline(*front_end(args.cache, **COARSE), net)

    return make


def probe(args, task, seed):
    """Return a probe on BirdNET's embeddings."""
    encoder = EmbeddingEncoder("birdnet-2.4", cache_dir=args.cache, verbose=0)
    return make_pipeline(encoder, ProbeClassifier())


def scores(args, task, seed):
    """Return BirdNET's own scores."""
    return PretrainedScores("birdnet-2.4", cache_dir=args.cache, verbose=0)


MODELS = {
    "statistics": statistics,
    "network, ImageNet": network("weights"),
    "network, distilled": network("distilled"),
    "probe": probe,
    "encoder's scores": scores,
}
#: Sets of whose classes BirdNET knows all.
HAVE_SCORES = "xc_california", "donana", "mixed"


def load(args, task, seed):
    """Return rows X, targets Y and folds; see `cross_validation` and `soundscapes`."""
    if task in ("mixed", "synthetic"):
        folder = Path(args.cache) / f"{task}_{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        if task == "mixed":
            return soundscapes(make_target_site(folder, seed, 30, 30))
        options = {"n_recordings": 150, "n_labeled": 30, "n_unlabeled": 0, "n_test": 30}
        return soundscapes(make_birdclef(folder, random_state=seed, **options))
    return cross_validation(*real_audio.load(task, seed))


def cross_validation(X, Y, splits):
    """Return a task in which all rows are predicted by models of the other folds.

    ``chosen_on[k]`` are the rows that the ensemble's weights for fold k come from.
    """
    rows = np.arange(len(X))
    tests = [test for _, test in splits]
    chosen_on = [np.setdiff1d(rows, test) for test in tests]
    return Bunch(X=X, Y=Y, splits=splits, tests=tests, chosen_on=chosen_on)


def soundscapes(data):
    """Return a task of one fold: trained on recordings, tested on soundscapes."""
    parts = [data.X, data.soundscapes, data.test]
    ends = np.cumsum([len(part) for part in parts])
    train, chosen_on, test = np.split(np.arange(ends[-1]), ends[:-1])
    columns = ["path", "start", "end"]
    X = pd.concat([part.reindex(columns=columns) for part in parts], ignore_index=True)
    Y = pd.concat([data.Y, data.soundscapes_Y, data.test_Y], ignore_index=True)
    splits = [(train, np.concatenate([chosen_on, test]))]
    return Bunch(X=X, Y=Y, splits=splits, tests=[test], chosen_on=[chosen_on])


def predict(make, args, name, seed, data):
    """Return what a model predicts of the rows that it was not trained on."""
    settings = {}
    if name.startswith("network"):
        weights = args.weights if name == "network, ImageNet" else args.distilled
        settings = {
            "weights": weights_key(weights),
            "epochs": EPOCHS[args.task],
            "device": args.device,
            "precision": args.precision,
        }

    def compute():
        proba = np.full(data.Y.shape, np.nan)
        start = time.perf_counter()
        for train, test in data.splits:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = make(args, args.task, seed)
                model.fit(data.X.iloc[train], data.Y.iloc[train])
                proba[test] = model.predict_proba(data.X.iloc[test])
        seconds = time.perf_counter() - start
        print(f"{args.task}, seed {seed}: {name} took {seconds:.0f} s", flush=True)
        return {"proba": proba}

    folder = Path(args.cache) / "held_out"
    return kept(folder, f"{args.task}, {name}, {seed}", settings, compute)["proba"]


def vote(members, data):
    """Return what the ensemble of some predictions says of the test rows."""
    proba = np.full(data.Y.shape, np.nan)
    for test, known in zip(data.tests, data.chosen_on, strict=True):
        held_out = [member[known] for member in members]
        truth, files = data.Y.iloc[known], data.X["path"].iloc[known].to_numpy()
        options = {}
        for voting in ("mean", "geometric"):
            weights = fit_weights(held_out, truth, voting=voting, groups=files)
            found = combine_proba(held_out, weights=weights, voting=voting)
            options[voting] = macro_roc_auc(truth, found), weights
        voting = max(options, key=lambda name: options[name][0])
        proba[test] = combine_proba(
            [member[test] for member in members],
            weights=options[voting][1],
            voting=voting,
        )
    return proba


def judge(proba, data, task):
    """Return the figures of predictions of the test rows."""
    tests = np.concatenate(data.tests)
    truth, proba = data.Y.iloc[tests].to_numpy(), proba[tests]
    found = {"macro AUC": macro_roc_auc(truth, proba)}
    if task in SINGLE:
        found["accuracy"] = np.mean(proba.argmax(axis=1) == truth.argmax(axis=1))
    return found


def gain(task, probas, others, seeds):
    """Return how far predictions are above others, and its interval over recordings."""
    tables, files, folds = [], [], []
    for seed, data in enumerate(seeds):
        for number, test in enumerate(data.tests):
            tables.append((seed, data, test))
            files.extend(data.X["path"].iloc[test])
            folds.extend([100 * seed + number] * len(test))
    truth = pd.concat([data.Y.iloc[test] for _, data, test in tables])
    found = paired_bootstrap(
        truth.reset_index(drop=True),
        np.concatenate([probas[seed][test] for seed, _, test in tables]),
        np.concatenate([others[seed][test] for seed, _, test in tables]),
        recording_ids=files,
        folds=folds,
        random_state=0,
    )
    return {
        "gain": found.difference,
        "low": found.interval[0],
        "high": found.interval[1],
    }


def run(args):
    """Predict all models of a task, and return their figures and the gains."""
    seeds = [load(args, args.task, seed) for seed in args.seeds]
    probas = {}
    for name, make in MODELS.items():
        if name == "encoder's scores" and args.task not in HAVE_SCORES:
            continue
        if name == "network, distilled" and args.distilled is None:
            continue
        if name.startswith("network") and args.without_networks:
            continue
        probas[name] = [
            predict(make, args, name, seed, data)
            for seed, data in zip(args.seeds, seeds, strict=True)
        ]
    networks = [probas[name] for name in IN_ENSEMBLE[:2] if name in probas]
    members = [probas[name] for name in IN_ENSEMBLE if name in probas]
    if len(networks) == 2:
        probas["mean of both networks"] = list(np.mean(networks, axis=0))
    probas["ensemble"] = [
        vote(list(member), data) for *member, data in zip(*members, seeds, strict=True)
    ]
    table = [
        {"set": args.task, "model": name, "seed": seed, **judge(proba, data, args.task)}
        for name, of_seeds in probas.items()
        for seed, proba, data in zip(args.seeds, of_seeds, seeds, strict=True)
    ]
    pairs = [("ensemble", name) for name in probas if name != "ensemble"]
    if "network, distilled" in probas:
        pairs.append(("network, distilled", "network, ImageNet"))
    gains = [
        {"set": args.task, "model": one, "above": other}
        | gain(args.task, probas[one], probas[other], seeds)
        for one, other in pairs
    ]
    return table, gains


def summarize(table):
    """Return a line per model and a column per set: mean (lowest to highest)."""
    figures = table.melt(["set", "model", "seed"], var_name="figure").dropna()
    figures["set"] += ", " + figures["figure"]
    groups = figures.groupby(["model", "set"], sort=False)["value"]
    spread = groups.agg(["mean", "min", "max"]).map("{:.3f}".format)
    text = spread["mean"] + " (" + spread["min"] + "-" + spread["max"] + ")"
    return text.unstack("set", fill_value="").loc[list(dict.fromkeys(table["model"]))]


def main():
    """Parse the command line, run, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=EPOCHS, default=list(EPOCHS))
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--weights", default="pretrained", help="of ImageNet")
    parser.add_argument("--distilled", help="file of distillation.py")
    parser.add_argument("--cache", required=True, help="folder for what is computed")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--without-networks", action="store_true", help="minutes")
    args = parser.parse_args()
    table, gains = [], []
    for task in args.tasks:
        args.task = task
        found = run(args)
        table += found[0]
        gains += found[1]
        print(summarize(pd.DataFrame(found[0])).to_markdown(), flush=True)
    table, gains = pd.DataFrame(table), pd.DataFrame(gains)
    print(summarize(table).to_markdown())
    print(gains.round(3).to_markdown(index=False))
    results = {"table": table.to_dict("records"), "gains": gains.to_dict("records")}
    write_results("recognition", vars(args), results)


if __name__ == "__main__":
    main()
