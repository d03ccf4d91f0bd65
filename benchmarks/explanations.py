"""Measure whether networks look at the calls: Grad-CAM per block, and attention.

Usage::

    python benchmarks/explanations.py --seeds 0 2 3

Trains the quickstart's small network from scratch on synthetic recordings, as a CNN and
with attention over time and over frequency, and prints for the calls of soundscapes
that it has not heard, for each block and for the attention: the pointing game's hit
rate and the share of energy inside the calls' boxes, the same for maps of other
examples (control), the gain and its 95 % interval (bootstrap over the soundscapes of
all seeds). A seed is a data set of its own and seeds the networks. The network's last
blocks have one cell for 32 mel bands, which hears nearly all of them: attention over
frequency does not clearly beat its control, with more bands (``--mels 128``) neither.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from _common import write_results
from sklearn.pipeline import make_pipeline

from skbird.datasets import make_birdclef
from skbird.inspection._explanation_report import example_scores, summarize_scores
from skbird.nn import CNNClassifier, SEDClassifier
from skbird.preprocessing import BandPass, LogMel, Resampler, RMSFilter, Segmenter

N_TEST = 20
MAX_EXAMPLES = 1000


def make_networks(seed, epochs):
    """Return the networks by name."""
    options = {
        "backbone_weights": None,
        "max_epochs": epochs,
        "segments_per_row": 5,
        "lr": 8e-3,
        "random_state": seed,
        "verbose": 0,
    }
    backbone = "mobilenetv3_small_050"
    return {
        "CNN": CNNClassifier(backbone, **options),
        "SED time": SEDClassifier(backbone, attention="time", **options),
        "SED frequency": SEDClassifier(backbone, attention="frequency", **options),
    }


def run_seed(seed, epochs, n_mels, folder):
    """Return scores of all examples, and the networks' macro ROC-AUC."""
    data = make_birdclef(
        folder / "birdclef",
        n_test=N_TEST,
        n_labeled=0,
        n_unlabeled=0,
        random_state=seed,
    )
    front_end = [
        Resampler(32_000),
        BandPass(50, 16_000),
        Segmenter(5.0, overlap=0.5),
        RMSFilter(),
        LogMel(n_mels, cache_dir=folder / "cache", verbose=0),
    ]
    scores, auc = [], {}
    for name, network in make_networks(seed, epochs).items():
        pipe = make_pipeline(*front_end, network)
        params = {f"{pipe.steps[-1][0]}__label_weight": data.label_weight}
        pipe.fit(data.X, data.Y, **params)
        auc[name] = pipe.score(data.test, data.test_Y)
        print(f"seed {seed}, {name}: macro ROC-AUC {auc[name]:.3f}", flush=True)
        rng = np.random.RandomState(seed)
        table = example_scores(
            pipe, data.test, data.calls, "all", 0.3, MAX_EXAMPLES, rng
        )
        scores.append(table.assign(network=name))
    return pd.concat(scores), auc


def main():
    """Parse the command line, run, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 2, 3])
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--mels", type=int, default=64)
    args = parser.parse_args()
    scores, aucs = [], {}
    for seed in args.seeds:
        with tempfile.TemporaryDirectory() as folder:
            table, aucs[seed] = run_seed(seed, args.epochs, args.mels, Path(folder))
        scores.append(table)
    scores = pd.concat(scores, ignore_index=True)
    results = []
    for name, table in scores.groupby("network", sort=False):
        report = summarize_scores(table, 1000, 0.95, np.random.RandomState(0))
        print(f"\n{name}\n{report.round(3).to_string()}")
        results += report.reset_index().assign(network=name).to_dict("records")
    settings = {**vars(args), "macro_auc": aucs}
    print(f"\nwritten to {write_results('explanations', settings, results)}")


if __name__ == "__main__":
    main()
