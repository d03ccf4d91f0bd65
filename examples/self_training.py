"""What unlabelled soundscapes teach a network that has seen focal recordings only.

Makes a synthetic data set, trains a small network on its recordings, and lets it teach
two generations of students with its predictions of unlabelled soundscapes. Prints the
score on test soundscapes before and after and draws, in ``self_training_output/``, the
labels of each round and what each species gained.
"""

import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from skbird.data import make_birdclef
from skbird.inspection import SelfTrainingDisplay
from skbird.metrics import macro_roc_auc, species_report
from skbird.nn import SEDClassifier
from skbird.preprocessing import BandPass, LogMel, Resampler, RMSFilter, Segmenter
from skbird.semi_supervised import PseudoLabelSelfTraining

OUTPUT = Path("self_training_output")


def make_network():
    """Return a small network, from scratch."""
    return Pipeline(
        [
            ("resample", Resampler(32_000)),
            ("band", BandPass(50, 16_000)),
            ("segment", Segmenter(5.0, overlap=0.5)),
            ("rms", RMSFilter()),
            (
                "logmel",
                LogMel(64, hop_length=1024, cache_dir=OUTPUT / "cache", verbose=False),
            ),
            (
                "net",
                SEDClassifier(
                    "mobilenetv3_small_050",
                    attention="time",
                    weights=None,
                    max_epochs=64,
                    segments_per_row=4,
                    lr=8e-3,
                    random_state=0,
                    verbose=0,
                ),
            ),
        ]
    )


def plot_gain(before, after, axis):
    """Draw the ROC-AUC of each species before and after."""
    places = np.arange(len(before))
    axis.vlines(places, before, after, color="0.7")
    axis.plot(places, before, "ko", fillstyle="none", label="labels alone")
    axis.plot(places, after, "o", color="tab:green", label="self-trained")
    axis.set_xticks(places, before.index, rotation=90, fontsize=8)
    axis.set_ylabel("ROC-AUC on test soundscapes")
    axis.legend()


def main():
    """Train with labels alone, then in rounds, and compare."""
    start = time.perf_counter()
    data = make_birdclef(
        OUTPUT / "birdclef", n_recordings=150, n_unlabelled=30, n_test=20
    )
    X = pd.concat([data.X, data.unlabelled], ignore_index=True)
    unlabelled = pd.DataFrame(-1.0, data.unlabelled.index, data.Y.columns)
    Y = pd.concat([data.Y, unlabelled], ignore_index=True)
    print(f"{len(data.X)} recordings with labels, {len(unlabelled)} rows without")

    supervised = make_network().fit(data.X, data.Y)
    model = PseudoLabelSelfTraining(
        make_network(),
        teacher=supervised,  # as trained above, not once more
        max_iter=2,
        mix=1.0,  # soundscapes are heard behind the recordings, which keep their labels
        hard_threshold=None,
        power=2.0,  # lowers the little that the teacher says of everything
    ).fit(X, Y)
    print(model.history_.round(2).to_string())

    scores, reports = {}, {}
    for name, estimator in (("labels alone", supervised), ("self-trained", model)):
        proba = estimator.predict_proba(data.test)
        scores[name] = macro_roc_auc(data.test_Y, proba)
        reports[name] = species_report(data.test_Y, proba)["roc_auc"]
        print(f"{name}: macro ROC-AUC {scores[name]:.3f} on test soundscapes")

    figure, axes = plt.subplots(3, 1, figsize=(8, 11), layout="constrained")
    SelfTrainingDisplay.from_estimator(model, axes=axes[:2])
    plot_gain(reports["labels alone"], reports["self-trained"], axes[2])
    figure.savefig(OUTPUT / "rounds.png", dpi=100)
    plt.close(figure)
    print(f"Wrote {OUTPUT / 'rounds.png'}. Took {time.perf_counter() - start:.0f} s.")


if __name__ == "__main__":
    main()
