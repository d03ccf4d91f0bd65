"""Three ways to split a data set, and the score on soundscapes
============================================================

Makes a synthetic data set and cross-validates the same cheap classifier on random
segments of the recordings, on held-out recordists and on held-out collections, then
tries it on soundscapes. Random splits have pieces of one recording on both sides, and
the leak check says so. Prints the scores with their intervals, and draws them and the
held-out score of each species and collection in ``held_out_sources_output/``.
"""  # noqa: D205, D400

# sphinx_gallery_thumbnail_path = "images/gallery/held_out_sources.png"
import argparse
import time
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbird.data import segment_table
from skbird.datasets import make_birdclef
from skbird.metrics import macro_roc_auc
from skbird.model_selection import (
    GroupMultilabelKFold,
    LeakageWarning,
    LeaveOneSourceOut,
    check_leaks,
    cross_val_report,
)
from skbird.preprocessing import LogMel, Resampler, Segmenter, SpectrogramStatistics


def make_classifier(cache_dir):
    """Make a classifier: statistics of the mel bands and logistic regression."""
    return make_pipeline(
        Resampler(32_000),
        Segmenter(5.0),
        LogMel(64, normalize=None, top_db=None, cache_dir=cache_dir, verbose=0),
        SpectrogramStatistics(),
        StandardScaler(),
        OneVsRestClassifier(LogisticRegression(max_iter=1000)),
    )


def cut(data):
    """Cut the recordings into rows of 5 s, as many data sets come, and keep labels."""
    rows = segment_table(data.X["path"].tolist())
    recording = data.X.reset_index().set_index("path")["index"]
    number = recording.loc[rows["path"]].to_numpy()
    X = rows.assign(
        author=data.X["author"].to_numpy()[number],
        collection=data.X["collection"].to_numpy()[number],
    )
    return X, data.Y.iloc[number].reset_index(drop=True)


def plot_scores(reports, soundscapes, axis):
    """Draw the score and the interval of each way to split."""
    names = list(reports)
    scores = np.array([report.macro_roc_auc for report in reports.values()])
    intervals = np.array([report.interval for report in reports.values()])
    reach = np.abs(intervals.T - scores)
    axis.errorbar(range(len(names)), scores, reach, fmt="o", capsize=6, color="k")
    axis.axhline(soundscapes, color="tab:green", label="test soundscapes")
    axis.axhline(0.5, color="0.7", linestyle=":", label="chance")
    axis.set_xticks(range(len(names)), names)
    axis.set(ylabel="macro ROC-AUC", xlim=(-0.5, len(names) - 0.5), ylim=(0.45, 1.0))
    axis.legend(loc="lower left")


def plot_species(report, axis):
    """Draw the ROC-AUC of each species in each held-out collection."""
    table = report.species["roc_auc"].unstack("species")
    image = axis.imshow(table, vmin=0.5, vmax=1, cmap="viridis", aspect="auto")
    axis.set_xticks(range(table.shape[1]), table.columns, rotation=90, fontsize=8)
    axis.set_yticks(range(len(table)), report.folds["held_out"])
    axis.set_title("held-out collections, species by species")
    axis.figure.colorbar(image, ax=axis, label="ROC-AUC")


def main():
    """Split in three ways, print the scores and draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("held_out_sources_output"))
    output = parser.parse_args().output
    start = time.perf_counter()
    data = make_birdclef(output / "birdclef", random_state=0)
    classifier = make_classifier(output / "cache")
    X, Y = cut(data)
    splits = {
        "random rows": (KFold(5, shuffle=True, random_state=0), None),
        "recordists": (GroupMultilabelKFold(5), X["author"]),
        "collections": (LeaveOneSourceOut(), X["collection"]),
    }
    reports = {}
    for name, (cv, groups) in splits.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LeakageWarning)  # looked at below
            leaks = check_leaks(X, cv.split(X, Y, groups), identical=False, author=None)
            reports[name] = cross_val_report(
                classifier, X, Y, groups=groups, cv=cv, random_state=0
            )
        print(f"\n{name}: {len(leaks)} leaks")
        print(reports[name])
    model = clone(classifier).fit(X, Y)
    soundscapes = macro_roc_auc(data.test_Y, model.predict_proba(data.test))
    print(f"\ntest soundscapes: macro ROC-AUC {soundscapes:.3f}")

    figure, axes = plt.subplots(2, 1, figsize=(8, 8), layout="constrained")
    plot_scores(reports, soundscapes, axes[0])
    plot_species(reports["collections"], axes[1])
    figure.savefig(output / "scores.png", dpi=100)
    plt.close(figure)
    print(f"Wrote {output / 'scores.png'}. Took {time.perf_counter() - start:.0f} s.")


if __name__ == "__main__":
    main()
