"""From audio files to a submission in a minute or two
===================================================

Makes a synthetic data set of BirdCLEF's shape, trains a network and a baseline on two
collections, judges them on a third that neither has heard, predicts the test
soundscapes with and without reweighting by the file's mean, and writes
``submission.csv`` and ``soundscape.png`` into ``quickstart_output/``.
"""  # noqa: D205, D400

import argparse
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbird.annotations import write_submission
from skbird.datasets import make_birdclef
from skbird.metrics import macro_roc_auc, macro_roc_auc_scorer
from skbird.nn import SEDClassifier
from skbird.postprocessing import SoundscapeReweighter
from skbird.preprocessing import (
    BandPass,
    LogMel,
    Resampler,
    RMSFilter,
    Segmenter,
    SpectrogramStatistics,
    VADFilter,
)

OUTPUT = Path("quickstart_output")
HELD_OUT = "CSA"  # in most of its recordings a voice announces the species


def front_end(**options):
    """Return the steps from files to spectrograms."""
    return [
        Resampler(32_000),
        BandPass(50, 16_000),
        Segmenter(5.0, overlap=0.5),
        VADFilter(threshold={"CSA": 0.3, "XC": 0.7, "default": 0.5}),
        RMSFilter(),
        LogMel(n_mels=64, cache_dir=OUTPUT / "cache", verbose=0, **options),
    ]


def make_baseline():
    """Statistics of the mel bands and logistic regression."""
    return make_pipeline(
        *front_end(normalize=None, top_db=None),
        SpectrogramStatistics(),
        StandardScaler(),
        OneVsRestClassifier(LogisticRegression(max_iter=1000)),
    )


def make_network():
    """Train a small network from scratch: two cores do it in a minute."""
    return make_pipeline(
        *front_end(),
        SEDClassifier(
            "mobilenetv3_small_050",
            attention="time",
            backbone_weights=None,
            max_epochs=12,
            segments_per_row=5,
            lr=1e-2,
            random_state=0,
        ),
    )


def plot_soundscape(rows, truth, proba, spectrograms, path):
    """Draw one soundscape: its spectrogram, and below it what is and what was said."""
    figure, axes = plt.subplots(
        3, 1, figsize=(11, 8), sharex=True, layout="constrained"
    )
    start, end = rows["start"].min(), rows["end"].max()
    decibel = np.concatenate([spectrograms[k] for k in range(len(rows))], axis=1)
    image = axes[0].imshow(
        decibel.astype(np.float32),
        origin="lower",
        aspect="auto",
        extent=(start, end, -0.5, len(decibel) - 0.5),
    )
    axes[0].set(title=Path(rows["path"].iloc[0]).name, ylabel="kHz")
    figure.colorbar(image, ax=axes[0], label="dB")
    ticks = np.linspace(0, len(decibel) - 1, 6).astype(int)
    mel_hz = np.array(spectrograms.format.mel_hz)
    axes[0].set_yticks(ticks, [f"{hz / 1000:.1f}" for hz in mel_hz[ticks]])
    names = list(truth.columns)
    for axis, values, title in (
        (axes[1], truth.to_numpy(), "truth"),
        (axes[2], proba / proba.max(), "predicted (reweighted, highest = 1)"),
    ):
        image = axis.imshow(
            values.T,
            aspect="auto",
            extent=(start, end, len(names) - 0.5, -0.5),
            vmin=0,
            vmax=1,
            cmap="Greens",
            interpolation="nearest",
        )
        axis.set(title=title, yticks=range(len(names)))
        axis.set_yticklabels(names, fontsize=7)
    figure.colorbar(image, ax=axes[1:], label="absent (0) to present (1)")
    axes[2].set_xlabel("seconds")
    figure.savefig(path, dpi=100)
    plt.close(figure)


def evaluate(title, pipeline, data, **params):
    """Train on two collections, and judge by the third and by the soundscapes.

    With ``cv=LeaveOneGroupOut()`` each collection is held out in turn, in three times
    the time; ``benchmarks/synthetic.py`` does that.

    Returns
    -------
    scores : dict of str to float
        Macro-averaged ROC-AUC.
    proba : array of shape (n_test_rows, n_species)
        Probabilities of the test soundscapes, reweighted.
    pipeline : Pipeline
        The fitted one.
    """
    print(f"{title}: trained without {HELD_OUT}", flush=True)
    held_out = (data.X["collection"] == HELD_OUT).to_numpy()
    result = cross_validate(
        pipeline,
        data.X,
        data.Y,
        cv=[(np.flatnonzero(~held_out), np.flatnonzero(held_out))],
        scoring=macro_roc_auc_scorer,
        params=params,
        return_estimator=True,
    )
    (score,), (pipeline,) = result["test_score"], result["estimator"]
    scores, proba = score_soundscapes(pipeline, data)
    return {f"held-out {HELD_OUT}": score, **scores}, proba, pipeline


def score_soundscapes(pipeline, data):
    """Score a fitted pipeline on the test soundscapes, with and without reweighting.

    Returns
    -------
    scores : dict of str to float
        Macro-averaged ROC-AUC.
    proba : array of shape (n_test_rows, n_species)
        Reweighted probabilities.
    """
    plain = pipeline.predict_proba(data.test)
    reweighter = SoundscapeReweighter(FrozenEstimator(pipeline)).fit(data.X, data.Y)
    reweighted = reweighter.predict_proba(data.test)
    scores = {
        "soundscapes": macro_roc_auc(data.test_Y, plain),
        "soundscapes, reweighted": macro_roc_auc(data.test_Y, reweighted),
    }
    return scores, reweighted


def main():
    """Run the whole way and print what came of it."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    start = time.perf_counter()
    print("Making a synthetic data set ...")
    data = make_birdclef(
        OUTPUT / "synthetic", n_recordings=220, n_labeled=0, n_unlabeled=0
    )
    print(
        f"{len(data.X)} recordings of {len(data.species)} species from "
        f"{', '.join(sorted(data.X['collection'].unique()))}; "
        f"{data.test['path'].nunique()} test soundscapes."
    )
    baseline, *_ = evaluate("Baseline", make_baseline(), data)
    weights = {"sedclassifier__label_weight": data.label_weight}
    scores, proba, network = evaluate("Network", make_network(), data, **weights)

    print("\nmacro-averaged ROC-AUC" + "".join(f"{title:>26}" for title in scores))
    for name, row in (("baseline", baseline), ("network", scores)):
        print(f"{name:<22}" + "".join(f"{score:>26.3f}" for score in row.values()))

    write_submission(
        proba,
        data.test,
        OUTPUT / "submission.csv",
        like=data.sample_submission,
        species=data.species,
    )
    first = (data.test["path"] == data.test["path"].iloc[0]).to_numpy()
    rows = data.test[first]
    plot_soundscape(
        rows,
        data.test_Y[first],
        proba[first],
        network[:-1].transform(rows),
        OUTPUT / "soundscape.png",
    )
    print(f"\nWrote {OUTPUT / 'submission.csv'} and {OUTPUT / 'soundscape.png'}")
    print(f"Took {time.perf_counter() - start:.0f} s.")


if __name__ == "__main__":
    main()
