"""Measure what rows cost beside their sound: tables, labels, folds, metrics, files.

Usage::

    python benchmarks/rows.py --rows 10000 100000 1000000

The rows are 5-s stretches of recordings of an hour, with ten species. No sound is
decoded: the recordings are holes in wav files, of which headers alone are read, and
probabilities are drawn. Printed are microseconds a row, for each number of rows, and
the exponent of the growth from the fewest to the most: 1 is linear.
"""

import argparse
import math
import tempfile
import time
import warnings
import wave
from pathlib import Path

import numpy as np
import pandas as pd
from _common import write_results
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.frozen import FrozenEstimator

from skbird.annotations import proba_to_events, write_submission
from skbird.data import as_recordings, check_rows, encode_labels, segment_table
from skbird.metrics import error_table, macro_roc_auc, species_report
from skbird.model_selection import GroupMultilabelKFold, macro_roc_auc_interval
from skbird.postprocessing import SoundscapeReweighter
from skbird.preprocessing import BandPass, Resampler, Segmenter

ROW_S = 5
HOUR_S = 3600
SPECIES = [f"species {number}" for number in range(10)]


class Drawn(ClassifierMixin, BaseEstimator):
    """Gives back the probabilities that it was made with."""

    def __init__(self, proba=None):
        self.proba = proba
        self.species_ = np.array(SPECIES)

    def fit(self, X, y):
        """Learn nothing."""
        return self

    def predict_proba(self, X):
        """Return as many probabilities as X has rows."""
        return self.proba[: len(X)]


def write_recordings(folder, n_rows):
    """Write headers of recordings that have so many rows; return their paths."""
    paths = []
    for number in range(math.ceil(n_rows * ROW_S / HOUR_S)):
        seconds = min(n_rows * ROW_S - number * HOUR_S, HOUR_S)
        path = folder / f"site{number % 20}_{number}.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.setnframes(8000 * seconds)
            file.writeframes(b"")
        with path.open("r+b") as file:
            size = 2 * 8000 * seconds
            file.write(b"RIFF" + (36 + size).to_bytes(4, "little"))
            file.seek(40)
            file.write(size.to_bytes(4, "little"))
            file.truncate(44 + size)
        paths.append(str(path))
    return paths


def measure(folder, n_rows):
    """Return the seconds of each piece of bookkeeping for so many rows."""
    seconds = {}

    def timed(name, call):
        start = time.perf_counter()
        found = call()
        seconds[name] = time.perf_counter() - start
        return found

    paths = write_recordings(folder, n_rows)
    rng = np.random.default_rng(0)
    X = timed("segment_table", lambda: segment_table(paths, ROW_S, ROW_S))
    X = timed("check_rows", lambda: check_rows(X))
    labels = X.assign(primary_label=rng.choice(SPECIES, len(X)))
    Y, _ = timed("encode_labels", lambda: encode_labels(labels, SPECIES))
    proba = 0.5 * rng.random(Y.shape) + 0.4 * Y.to_numpy()
    recordings = timed("as_recordings", lambda: as_recordings(X))
    chosen = rng.permutation(len(X))[: len(X) // 2]
    timed("a half of the rows", lambda: recordings[chosen])

    def three_steps():
        rows = recordings
        for step in (Resampler(8000), BandPass(200), Segmenter()):
            rows = step.fit_transform(rows)
        return rows

    timed("three steps of a pipeline", three_steps)
    folds = GroupMultilabelKFold(5)
    timed("folds", lambda: list(folds.split(X, Y, groups=X["path"])))
    model = SoundscapeReweighter(FrozenEstimator(Drawn(proba))).fit(X, Y)
    timed("reweighting", lambda: model.predict_proba(X))
    timed("macro ROC-AUC", lambda: macro_roc_auc(Y, proba))
    ids = {"recording_ids": X["path"], "random_state": 0}
    timed("and its interval", lambda: macro_roc_auc_interval(Y, proba, **ids))
    timed("report by species", lambda: species_report(Y, proba))
    worst = {"X": X, "max_per_species": 20}
    timed("worst errors", lambda: error_table(Y, proba, **worst))
    named = {"species": SPECIES}
    timed("events", lambda: proba_to_events(proba, X, **named))
    timed("submission", lambda: write_submission(proba, X, folder / "s.csv", **named))
    return seconds


def main():
    """Parse the command line, measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    counts = [10_000, 100_000, 1_000_000]
    parser.add_argument("--rows", type=int, nargs="+", default=counts)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    found = {}
    for n_rows in sorted(args.rows):
        with tempfile.TemporaryDirectory() as name:
            found[n_rows] = measure(Path(name), n_rows)
    seconds = pd.DataFrame(found)
    table = 1e6 * seconds / seconds.columns
    few, many = seconds.columns[0], seconds.columns[-1]
    table.columns = [f"{n_rows:,} rows" for n_rows in table]
    if many > few:
        growth = np.log(seconds[many] / seconds[few]) / np.log(many / few)
        table["exponent"] = growth
    print(table.round(2).to_markdown())
    write_results("rows", vars(args), {"microseconds a row": table.to_dict()})


if __name__ == "__main__":
    main()
