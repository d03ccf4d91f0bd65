"""Measure what each part of the training recipe is worth: one change at a time.

Usage::

    python benchmarks/ablation.py run synthetic --seeds 0 2 3
    python benchmarks/ablation.py run xc_california esc10 \
        --weights tf_efficientnet_lite0_in1k.safetensors
    python benchmarks/ablation.py table

``run`` fits the base pipeline and each change of it (``_changes.py``) with the same
seed on the same split, and appends a line per split to ``ablation.csv``; what is there
already is not run again, so that it goes on where it was killed. ``table`` prints the
mean difference to the base and its 95 % confidence interval (Student's t over the
pairs), as Markdown with ``--markdown``. Folds of one seed share recordings to train on:
for them the interval is somewhat too narrow.

- ``synthetic``: trained on focal recordings, judged on 30 soundscapes: macro ROC-AUC.
  A seed is a data set of its own and seeds the network.
- ``xc_california``: two of five folds by recordist a seed, macro ROC-AUC of each.
- ``esc10``: one of the official folds a seed, accuracy.

To fit so many models on a laptop, spectrograms are coarse (64 bands, 32 ms) and the
networks small or short of epochs: differences count here, not levels.
"""

import argparse
import csv
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _changes import CHANGES
from _common import ROOT, read_metadata, weights_path
from scipy.stats import t as student_t
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from skbird.data import encode_labels
from skbird.datasets import make_birdclef
from skbird.metrics import macro_roc_auc
from skbird.nn import SEDClassifier
from skbird.preprocessing import (
    BandPass,
    LogMel,
    Resampler,
    RMSFilter,
    Segmenter,
    VADFilter,
)

RESULTS = ROOT / "benchmarks" / "ablation.csv"
COLUMNS = ["task", "change", "seed", "split", "score", "fit_seconds"]
BASE = "base"
_NETS = {
    "synthetic": {"max_epochs": 16, "segments_per_row": 5, "lr": 8e-3},
    "xc_california": {"max_epochs": 25, "batch_size": 16},
    "esc10": {"max_epochs": 4, "batch_size": 16},
}


def make_base(task, cache, weights, seed):
    """Return the pipeline that all others are compared with."""
    backbone = "tf_efficientnet_lite0"
    filters = [("vad", "passthrough"), ("rms", "passthrough")]
    if task == "synthetic":
        backbone, weights = "mobilenetv3_small_050", None
        limits = {"CSA": 0.3, "XC": 0.7, "default": 0.5}
        filters = [
            ("vad", VADFilter(threshold=limits)),
            ("rms", RMSFilter()),
        ]
    net = SEDClassifier(
        backbone,
        backbone_weights=weights,
        precision="float32",
        random_state=seed,
        verbose=0,
        callbacks__shift__p=0.0,  # these two are on because of what came of them here
        callbacks__erasing__p=0.0,
        **_NETS[task],
    )
    return Pipeline(
        [
            ("resample", Resampler(32_000)),
            ("band", BandPass(50, 16_000)),
            ("segment", Segmenter(5.0, overlap=0.5)),
            *filters,
            ("logmel", LogMel(64, hop_length=1024, cache_dir=cache, verbose=0)),
            ("net", net),
        ]
    )


def synthetic_splits(seed, folder):
    """Yield the one split of a synthetic set: focal recordings, soundscapes."""
    data = make_birdclef(folder / f"synthetic{seed}", n_test=30, random_state=seed)
    yield "soundscapes", (data.X, data.Y, data.label_weight), (data.test, data.test_Y)


def real_splits(task, seed):
    """Yield the splits of a set of real recordings."""
    X = read_metadata(task)
    Y, label_weight = encode_labels(X[["primary_label"]])
    if task == "esc10":
        folds = [np.flatnonzero(X["fold"] == 1 + seed % 5)]
    else:
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        folds = [test for _, test in folds.split(X, X["primary_label"], X["author"])]
        folds = folds[:2]
    for number, test in enumerate(folds):
        train = np.setdiff1d(np.arange(len(X)), test)
        yield (
            f"fold {number}",
            (X.iloc[train], Y.iloc[train], label_weight.iloc[train]),
            (X.iloc[test], Y.iloc[test]),
        )


def score(task, truth, proba):
    """Return macro ROC-AUC, or accuracy where every recording has one class."""
    if task == "esc10":
        return (proba.argmax(axis=1) == truth.to_numpy().argmax(axis=1)).mean()
    return macro_roc_auc(truth, proba)


def fit(change, pipeline, train):
    """Fit a changed pipeline and return it."""
    X, Y, label_weight = train
    pipeline.set_params(**change.params)
    params = {"label_weight": label_weight}
    if change.fit_params is not None:
        params = change.fit_params(X, Y, label_weight)
    if change.wrap is not None:
        pipeline = change.wrap(pipeline)
    return pipeline.fit(
        X, Y, **{f"net__{name}": value for name, value in params.items()}
    )


def predict_changed(change, fitted, train, X):
    """Predict with a fitted base pipeline that is changed for the time being."""
    before = fitted.get_params()
    fitted.set_params(**change.params)
    model = fitted if change.wrap is None else change.wrap(fitted).fit(*train[:2])
    proba = model.predict_proba(X)
    fitted.set_params(**{name: before[name] for name in change.params})
    return proba


class Results:
    """The lines of ``ablation.csv``."""

    def __init__(self, path):
        self.path = path
        if not path.exists():
            path.write_text(",".join(COLUMNS) + "\n")
        self.table = pd.read_csv(path)
        keys = self.table[["task", "change", "seed", "split"]]
        self.done = set(keys.itertuples(index=False, name=None))

    def add(self, *line):
        """Append a line and print it."""
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow(line)
        self.done.add(line[:4])
        print(*line, flush=True)


def run(args):
    """Fit what `args` asks for, but for what is done already."""
    results = Results(args.results)
    names = args.changes or list(CHANGES)
    folder = Path(args.folder or tempfile.gettempdir()) / "skbird-ablation"
    folder.mkdir(parents=True, exist_ok=True)
    for seed in args.seeds:
        for task in args.tasks:
            wanted = [name for name in names if task in CHANGES[name].tasks]
            splits = (
                synthetic_splits(seed, folder)
                if task == "synthetic"
                else real_splits(task, seed)
            )
            for split, train, test in splits:
                missing = [
                    name
                    for name in [BASE, *wanted]
                    if (task, name, seed, split) not in results.done
                ]
                run_split(
                    task, missing, seed, split, train, test, folder, args, results
                )


def run_split(task, missing, seed, split, train, test, folder, args, results):
    """Fit and judge the base, if it is needed, and the changes on one split."""
    X, truth = test

    def base():
        weights = weights_path(args.weights)
        return make_base(task, str(folder / "cache"), weights, seed)

    at_predict = [n for n in missing if n != BASE and CHANGES[n].at_predict]
    if BASE in missing or at_predict:
        start = time.perf_counter()
        fitted = base().fit(*train[:2], net__label_weight=train[2])
        seconds = round(time.perf_counter() - start, 1)
        if BASE in missing:
            value = score(task, truth, fitted.predict_proba(X))
            results.add(task, BASE, seed, split, round(value, 5), seconds)
        for name in at_predict:
            proba = predict_changed(CHANGES[name], fitted, train, X)
            value = score(task, truth, proba)
            results.add(task, name, seed, split, round(value, 5), seconds)
    for name in missing:
        if name == BASE or CHANGES[name].at_predict:
            continue
        start = time.perf_counter()
        model = fit(CHANGES[name], base(), train)
        seconds = round(time.perf_counter() - start, 1)
        value = score(task, truth, model.predict_proba(X))
        results.add(task, name, seed, split, round(value, 5), seconds)


def compare(table):
    """Return the paired differences to the base, a row per change and task.

    Parameters
    ----------
    table : DataFrame
        Columns ``task``, ``change``, ``seed``, ``split``, ``score``.

    Returns
    -------
    DataFrame
        Index (change, task); columns ``pairs``, ``base``, ``difference``, ``low`` and
        ``high`` (95 %).
    """
    keys = ["task", "seed", "split"]
    base = table[table["change"] == BASE].set_index(keys)["score"]
    rows = {}
    for (change, task), part in table.groupby(["change", "task"], sort=False):
        if change == BASE:
            continue
        difference = (part.set_index(keys)["score"] - base).dropna()
        n = len(difference)
        if n == 0:
            continue
        half = np.nan
        if n > 1:
            half = student_t.ppf(0.975, n - 1) * difference.std() / np.sqrt(n)
        mean = difference.mean()
        base_mean = base.loc[difference.index].mean()
        rows[change, task] = [n, base_mean, mean, mean - half, mean + half]
    compared = pd.DataFrame(
        rows.values(), columns=["pairs", "base", "difference", "low", "high"]
    )
    compared.index = pd.MultiIndex.from_tuples(rows, names=["change", "task"])
    return compared


def print_table(args):
    """Print the comparison, as text or as Markdown."""
    table = pd.read_csv(args.results)
    compared = compare(table)
    tasks = [task for task in _NETS if task in set(table["task"])]
    base = table[table["change"] == BASE].groupby("task")["score"]
    heads = [
        f"{task}: {base.get_group(task).mean():.3f} ({base.get_group(task).size} pairs)"
        for task in tasks
    ]
    lines = [["change", *heads, "the report"]]
    for change, description in CHANGES.items():
        cells = [_cell(compared, change, task) for task in tasks]
        if any(cells):
            lines.append([change, *cells, description.report])
    if args.markdown:
        lines.insert(1, ["---"] * len(lines[0]))
        print("\n".join("| " + " | ".join(line) + " |" for line in lines))
        return
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)))


def _cell(compared, change, task):
    if (change, task) not in compared.index:
        return ""
    row = compared.loc[(change, task)]
    clear = "**" if row["low"] > 0 or row["high"] < 0 else ""
    cell = f"{clear}{100 * row['difference']:+.1f}{clear}"
    if row["pairs"] > 1:
        cell += f" ({100 * row['low']:+.1f} to {100 * row['high']:+.1f})"
    return cell


def main():
    """Parse the command line and do what it says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    runner = commands.add_parser("run", help="fit and judge what is missing")
    runner.add_argument("tasks", nargs="+", choices=list(_NETS))
    runner.add_argument("--seeds", type=int, nargs="+", default=[0, 2, 3])
    runner.add_argument("--changes", nargs="+", choices=list(CHANGES), metavar="NAME")
    runner.add_argument("--weights", default=None, help="pretrained, none or a file")
    runner.add_argument("--folder", default=os.environ.get("SKBIRD_CACHE"))
    runner.set_defaults(do=run)
    printer = commands.add_parser("table", help="print the comparison")
    printer.add_argument("--markdown", action="store_true")
    printer.set_defaults(do=print_table)
    for command in (runner, printer):
        command.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    args.do(args)


if __name__ == "__main__":
    main()
