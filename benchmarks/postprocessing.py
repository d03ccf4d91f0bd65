"""Measure gains after training: ensembles, TTA, smoothing, reweighting by the file.

Usage::

    python benchmarks/postprocessing.py synthetic --seeds 0 2 3
    python benchmarks/postprocessing.py mixed --seeds 0 1 2 \
        --weights tf_efficientnet_lite0_in1k.safetensors

Trains five networks and a baseline on focal recordings and prints what each method adds
to one of them, and what is lost if it is left out of all together: the macro ROC-AUC on
soundscapes and the gain with its 95 % interval (paired bootstrap over the soundscapes
of all seeds). Weights of ensembles and of the reweighting are fitted on other labelled
soundscapes, of other birds or individuals, and compared with fixed ones. A seed is a
data set of its own and seeds the networks. The tasks are those of
``semi_supervised.py``.
"""

import argparse
import tempfile
from collections import ChainMap
from pathlib import Path

import pandas as pd
from _common import write_results
from _soundscapes import add_arguments, compare, load, make_baseline, make_pipeline
from sklearn.frozen import FrozenEstimator

from skbird.ensemble import MultilabelVotingClassifier, combine_proba, fit_weights
from skbird.postprocessing import SoundscapeReweighterCV, reweight

NETWORKS = {
    "one": ("sed", 0),
    "seed 2": ("sed", 100),
    "seed 3": ("sed", 200),
    "frequency": ("sed frequency", 0),
    "cnn": ("cnn", 0),
}
TTA_SHIFTS_S = (-1.25, 1.25)
KERNEL = (1, 2, 4, 2, 1)
ENSEMBLES = {
    "3 seeds": ("one", "seed 2", "seed 3"),
    "3 networks": ("one", "frequency", "cnn"),
    "3 networks and baseline": ("one", "frequency", "cnn", "baseline"),
}
ALL = {
    "TTA": {"tta": True},
    "3 networks": {"members": ENSEMBLES["3 networks"]},
    "smoothing": {"kernel": KERNEL},
    "reweighting": {"level_power": 1.0},
}


def process(probas, rows, *, members=("one",), tta=False, level_power=0.0, kernel=None):
    """Return the members' mean, smoothed and reweighted."""
    proba = combine_proba([probas[name, tta] for name in members])
    return reweight(
        proba, rows["path"], start=rows["start"], level_power=level_power, kernel=kernel
    )


def predict(models, rows):
    """Return each model's predictions, those of networks also with TTA."""
    probas = {}
    for name, model in models.items():
        probas[name, False] = model.predict_proba(rows)
        if name in NETWORKS:
            model.set_params(net__tta_shifts_s=TTA_SHIFTS_S)
            probas[name, True] = model.predict_proba(rows)
            model.set_params(net__tta_shifts_s=())
    return probas


def run_seed(args, seed, folder):
    """Return the test rows' truth and files, and what each method predicts."""
    data = load(args.task, folder, seed)
    cache = folder / "cache"
    options = {} if args.epochs is None else {"max_epochs": args.epochs}
    models = {
        name: make_pipeline(args, cache, seed + offset, network, **options)
        for name, (network, offset) in NETWORKS.items()
    }
    models["baseline"] = make_baseline(cache)
    for model in models.values():
        model.fit(data.X, data.Y)
    tuning, test = predict(models, data.soundscapes), predict(models, data.test)
    methods = dict(ChainMap(*ALL.values()))
    results = {
        "one": process(test, data.test),
        "all": process(test, data.test, **methods),
        "3 seeds": process(test, data.test, members=ENSEMBLES["3 seeds"]),
    }
    for name, method in ALL.items():
        others = {key: value for key, value in methods.items() if key not in method}
        results[name] = process(test, data.test, **method)
        results[f"all but {name}"] = process(test, data.test, **others)
    for name, members in ENSEMBLES.items():
        results[f"{name}, equal"] = process(test, data.test, members=members)
        for method in ("fit", "greedy"):
            weights = fit_weights(
                [tuning[member, False] for member in members],
                data.soundscapes_Y,
                method=method,
                groups=data.soundscapes["path"],
            )
            results[f"{name}, {method}"] = combine_proba(
                [test[member, False] for member in members], weights=weights
            )
            print(f"  {name}, {method}: weights {weights.round(2)}")
    for name, per_species in (("fitted", False), ("fitted per species", True)):
        reweighter = SoundscapeReweighterCV(
            FrozenEstimator(models["one"]), per_species=per_species
        ).fit(data.soundscapes, data.soundscapes_Y)
        results[f"reweighting, {name}"] = reweighter.predict_proba(data.test)
    print(f"  reweighting: {reweighter.best_params_}")
    members = []
    for name in ENSEMBLES["3 networks"]:
        models[name].set_params(net__tta_shifts_s=TTA_SHIFTS_S)
        members.append((name, FrozenEstimator(models[name])))
    voting = MultilabelVotingClassifier(members).fit(data.X, data.Y)
    everything = SoundscapeReweighterCV(FrozenEstimator(voting))
    everything.fit(data.soundscapes, data.soundscapes_Y)
    results["all, reweighting fitted"] = everything.predict_proba(data.test)
    print(f"  reweighting of all: {everything.best_params_}", flush=True)
    return data.test_Y, data.test["path"], results


def main():
    """Parse the command line, run, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    args = parser.parse_args()
    truths, files, results = [], [], []
    for seed in args.seeds:
        print(f"seed {seed}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            truth, file, result = run_seed(args, seed, Path(folder))
        truths.append(truth)
        files.append(file)
        results.append(result)
    pairs = [(name, "one") for name in ("3 seeds", *ALL, "all")]
    pairs += [("all", f"all but {name}") for name in ALL]
    pairs += [("all, reweighting fitted", other) for other in ("one", "all")]
    pairs += [
        (f"{name}, {method}", f"{name}, equal")
        for name in ENSEMBLES
        for method in ("fit", "greedy")
    ]
    pairs += [
        (f"reweighting, {name}", "reweighting")
        for name in ("fitted", "fitted per species")
    ]
    table = {
        (name, f"against {other}"): compare(
            truths,
            files,
            [result[name] for result in results],
            [result[other] for result in results],
        )
        for name, other in pairs
    }
    table = pd.DataFrame(table).T
    print(table.round(3).to_string())
    rows = table.rename_axis(["method", "reference"]).reset_index().to_dict("records")
    path = write_results(f"postprocessing_{args.task}", vars(args), rows)
    print(f"written to {path}")


if __name__ == "__main__":
    main()
