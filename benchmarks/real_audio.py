"""Score skbird on real audio: ESC-10, xeno-canto birds, Doñana soundscapes.

Usage::

    python benchmarks/real_audio.py esc10 --backbone tf_efficientnet_lite0 \
        --weights tf_efficientnet_lite0_in1k.safetensors

``esc10``: ten sound classes on the five official folds. ``xc_california``: ten bird
species, five folds that keep all recordings of a recordist together. ``donana``: 5-s
rows of one-minute soundscapes, each recording predicted by a model of the others; only
species that occur in two recordings can be scored, so take the figure as a smoke test.

All predictions are out of fold. ``--seeds 3`` trains with seeds 0, 1, 2 (on the birds
with other folds, too) and prints the mean and the range: a single figure says little of
sets as small as these. ``--against statistics`` also scores that head on the same
folds, and prints the difference with an interval over recordings. ``--head statistics``
gives the baseline: log-mel statistics and logistic regression, to which ``--normalize
none`` leaves the level of a segment (better on ESC-10, worse on the birds). ``--recipe
report`` (or ``default``, ``fast``) takes a whole pipeline of `skbird.recipes` instead
of a head, with the epochs, batch size and normalisation of this benchmark;
``competition`` needs unlabelled soundscapes, which none of these sets has. ``--compiled
openvino`` also compiles each fold's network and prints the largest change of a
probability, and that of the macro AUC. On a processor without bfloat16, OpenVINO
computes in float32 all the same; ``--compiled torch`` rounds on any.
"""

import argparse
import time

import numpy as np
import pandas as pd
from _common import data_folder, read_metadata, weights_path, write_results
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    LeaveOneGroupOut,
    PredefinedSplit,
    StratifiedGroupKFold,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbird import recipes
from skbird.data import encode_labels, recording_weights
from skbird.inference import compile_pipeline
from skbird.metrics import macro_roc_auc
from skbird.model_selection import paired_bootstrap
from skbird.nn import CNNClassifier, SEDClassifier
from skbird.preprocessing import (
    BandPass,
    LogMel,
    Resampler,
    Segmenter,
    SpectrogramStatistics,
)

RECIPES = ("default", "fast", "report")
GROUPS = {"esc10": "unknown", "xc_california": "Aves", "donana": "Aves"}
EPOCHS = {"esc10": 12, "xc_california": 60, "donana": 10}
PRECISIONS = ("float32", "bfloat16")


def load(task, seed=0):
    """Return rows X, targets Y (DataFrame) and the list of (train, test) splits."""
    if task == "donana":
        folder = data_folder("donana_soundscapes")
        X = pd.read_csv(folder / "windows5s.csv")
        X["path"] = [str(folder / path) for path in X["path"]]
        labels = pd.DataFrame({"primary_label": X["species"]})
        calls = X[["path"]].assign(species=X["species"].str.split(";"))
        n_files = calls.explode("species").groupby("species")["path"].nunique()
        Y, _ = encode_labels(labels.fillna(""), species=sorted(n_files.index))
        Y = Y[[name for name in Y if n_files[name] > 1]]
        X = X.assign(collection="AudioMoth", group=GROUPS[task])
        return X, Y, list(LeaveOneGroupOut().split(X, groups=X["path"]))
    X = read_metadata(task).assign(group=GROUPS[task])
    Y, _ = encode_labels(X[["primary_label"]])
    if task == "esc10":
        return X, Y, list(PredefinedSplit(X["fold"]).split())
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    return X, Y, list(folds.split(X, X["primary_label"], X["author"]))


def build(args):
    """Return the pipeline that the arguments describe."""
    if args.recipe is not None:
        return build_recipe(args)
    front_end = [
        Resampler(32_000),
        BandPass(50, 16_000),
        Segmenter(5.0, overlap=0.5),
        LogMel(cache_dir=args.cache, normalize=args.normalize),
    ]
    if args.head == "statistics":
        model = OneVsRestClassifier(LogisticRegression(max_iter=2000))
        return make_pipeline(
            *front_end, SpectrogramStatistics(), StandardScaler(), model
        )
    backbone = args.backbone or "tf_efficientnet_lite0"
    options = network_options(args)
    options["backbone_weights"] = weights_path(args.weights)
    if args.head == "cnn":
        return make_pipeline(*front_end, CNNClassifier(backbone, **options))
    attention = args.head.removeprefix("sed-")
    return make_pipeline(*front_end, SEDClassifier(backbone, attention, **options))


def build_recipe(args):
    """Return a recipe of skbird, with what the arguments say of its network."""
    backbone = {} if args.backbone is None else {"backbone": args.backbone}
    weights = weights_path(args.weights)
    recipe = getattr(recipes, args.recipe)
    pipeline = recipe(**backbone, backbone_weights=weights, cache_dir=args.cache)
    options = network_options(args)
    return pipeline.set_params(
        logmel__normalize=args.normalize,
        **{f"sedclassifier__{name}": value for name, value in options.items()},
    )


def network_options(args):
    """Return the parameters of the network that the arguments give."""
    given = {"lr": args.lr, "segments_per_row": args.segments_per_row}
    return {
        **{name: value for name, value in given.items() if value is not None},
        "max_epochs": args.epochs or EPOCHS[args.task],
        "batch_size": args.batch_size,
        "random_state": args.seed,
        "device": args.device,
        "precision": args.precision,
        "verbose": 0,
    }


def fit(pipeline, X, Y, recipe):
    """Fit; the report drew rare species more often."""
    if recipe == "report":
        weights = recording_weights(X, Y)
        return pipeline.fit(X, Y, sedclassifier__sample_weight=weights)
    return pipeline.fit(X, Y)


def run(args):
    """Cross-validate, print a line per fold; return results and probabilities."""
    X, Y, splits = load(args.task, args.seed)
    truth = Y.to_numpy()
    proba = np.full(truth.shape, np.nan)
    compiled = {
        (backend, precision): proba.copy()
        for backend in args.compiled
        for precision in PRECISIONS
    }
    folds, start = [], time.perf_counter()
    for number, (train, test) in enumerate(splits, start=1):
        fold_start = time.perf_counter()
        pipeline = fit(build(args), X.iloc[train], Y.iloc[train], args.recipe)
        proba[test] = pipeline.predict_proba(X.iloc[test])
        fold = {"fold": number, "rows": len(test)}
        fold["seconds"] = round(time.perf_counter() - fold_start, 1)
        for (backend, precision), its_proba in compiled.items():
            options = {"backend": backend, "precision": precision, "tolerance": 0.5}
            model = compile_pipeline(pipeline, **options)
            its_proba[test] = model.predict_proba(X.iloc[test])
            change = np.abs(its_proba[test] - proba[test]).max()
            fold[f"change {backend} {precision}"] = float(change)
        if args.task != "donana":
            hit = proba[test].argmax(axis=1) == truth[test].argmax(axis=1)
            fold["accuracy"] = hit.mean()
        folds.append(fold)
        print("  ".join(f"{k} {v:.3g}" for k, v in fold.items()), flush=True)
    results = {"folds": folds, "seconds": time.perf_counter() - start}
    results["macro_auc_out_of_fold"] = macro_roc_auc(truth, proba)
    if args.task != "donana":
        results["accuracy_mean"] = float(np.mean([f["accuracy"] for f in folds]))
        # Scores of different folds' models need not be comparable; within a fold
        # they are.
        per_fold = [macro_roc_auc(truth[test], proba[test]) for _, test in splits]
        results["macro_auc_mean"] = float(np.mean(per_fold))
    for names, its_proba in compiled.items():
        change = np.abs(its_proba - proba).max()
        name = "_".join(names)
        results[f"change_of_probability_{name}"] = float(change)
        results[f"change_of_auc_{name}"] = (
            macro_roc_auc(truth, its_proba) - results["macro_auc_out_of_fold"]
        )
    return results, proba


def run_seeds(args):
    """Run all seeds; return the results of each, and what they have in common."""
    runs = []
    for number in range(args.seeds):
        own = argparse.Namespace(**vars(args) | {"seed": args.seed + number})
        print(f"seed {own.seed}", flush=True)
        results, proba = run(own)
        if args.against is not None:
            changes = {"head": args.against, "recipe": None, "compiled": []}
            other = argparse.Namespace(**vars(own) | changes)
            results |= compare(own, proba, run(other)[1])
        runs.append(results)
    table = pd.DataFrame(runs).drop(columns=["folds", "seconds"])
    figures = table.select_dtypes("number").agg(["mean", "min", "max"]).T
    return runs, figures


def compare(args, proba, other):
    """Return the difference to another model, with an interval over recordings."""
    X, Y, splits = load(args.task, args.seed)
    folds = np.full(len(Y), -1)
    for number, (_, test) in enumerate(splits):
        folds[test] = number
    found = paired_bootstrap(
        Y, proba, other, recording_ids=X["path"], folds=folds, random_state=0
    )
    low, high = found.interval
    name = f"macro_auc_above_{args.against}"
    return {name: found.difference, f"{name}_low": low, f"{name}_high": high}


def main():
    """Parse the command line, run, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=sorted(EPOCHS))
    parser.add_argument(
        "--backbone", help="default: tf_efficientnet_lite0, or that of the recipe"
    )
    parser.add_argument("--weights", default=None, help="pretrained, none or a file")
    heads = ["cnn", "sed-time", "sed-frequency", "statistics"]
    parser.add_argument("--head", default="cnn", choices=heads)
    parser.add_argument("--recipe", choices=RECIPES, help="instead of --head")
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--lr", type=float, default=None)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--segments-per-row", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1, help="how many, from --seed on")
    parser.add_argument("--against", choices=heads, help="another head to compare with")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    formats = ["auto", "float32", "bfloat16", "float16"]
    parser.add_argument("--precision", default="auto", choices=formats)
    modes = {"minmax": "minmax", "standard": "standard", "none": None}
    parser.add_argument("--normalize", default="minmax", choices=modes)
    parser.add_argument("--cache", default=None, help="folder for the spectrograms")
    backends = ["openvino", "torch"]
    parser.add_argument("--compiled", nargs="+", default=[], choices=backends)
    args = parser.parse_args()
    args.normalize = modes[args.normalize]
    runs, figures = run_seeds(args)
    results = {"runs": runs, "figures": figures.to_dict("index")}
    path = write_results(f"{args.task}_{args.recipe or args.head}", vars(args), results)
    print(figures.to_string(float_format="{:.4g}".format))
    print(f"written to {path}")


if __name__ == "__main__":
    main()
