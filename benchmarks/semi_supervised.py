"""What unlabelled soundscapes are worth: self-training against labels alone.

Usage::

    python benchmarks/semi_supervised.py synthetic --seeds 0 2 3
    python benchmarks/semi_supervised.py mixed --seeds 0 1 2 \
        --weights tf_efficientnet_lite0_in1k.safetensors

Trains on labelled focal recordings, then in rounds on unlabelled soundscapes as well,
and prints the macro ROC-AUC on other soundscapes after each round, its gain over the
supervised model, and the history of the rounds. A seed is a data set of its own and
seeds the network; intervals are 95 % (Student's t over the seeds).

- ``synthetic``: sets of ``make_birdclef``.
- ``mixed``: xeno-canto birds put into Doñana recordings (``_target_site.py``);
  labelled, unlabelled and tested birds are of different recordists.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from _common import weights_path, write_results
from scipy.stats import t as student_t
from sklearn.pipeline import Pipeline

from skbird.data import make_birdclef
from skbird.metrics import macro_roc_auc
from skbird.nn import CNNClassifier, SEDClassifier
from skbird.preprocessing import BandPass, LogMel, Resampler, RMSFilter, Segmenter
from skbird.semi_supervised import PseudoLabelSelfTraining


def load_synthetic(folder, seed):
    """Return X, Y (-1 for soundscapes), test and test_Y of a synthetic set."""
    data = make_birdclef(
        folder / "birdclef", n_unlabelled=40, n_test=30, random_state=seed
    )
    X = pd.concat([data.X, data.unlabelled], ignore_index=True)
    hidden = pd.DataFrame(-1.0, data.unlabelled.index, data.Y.columns)
    Y = pd.concat([data.Y, hidden], ignore_index=True)
    return X, Y, data.test, data.test_Y


def load(task, folder, seed):
    """Return X, Y, test and test_Y."""
    if task == "synthetic":
        return load_synthetic(folder, seed)
    from _target_site import make_target_site

    return make_target_site(folder, seed)


def make_pipeline(args, cache, seed):
    """Return the supervised pipeline."""
    if args.task == "synthetic":
        net = SEDClassifier(
            "mobilenetv3_small_050",
            attention="time",
            weights=None,
            max_epochs=16,
            segments_per_row=5,
            lr=8e-3,
        )
    else:
        net = CNNClassifier(
            "tf_efficientnet_lite0",
            weights=weights_path(args.weights),
            max_epochs=40,
            batch_size=16,
        )
    net.set_params(random_state=seed, verbose=0)
    return Pipeline(
        [
            ("resample", Resampler(32_000)),
            ("band", BandPass(50, 16_000)),
            ("segment", Segmenter(5.0, overlap=0.5)),
            ("rms", RMSFilter()),
            ("logmel", LogMel(64, hop_length=1024, cache_dir=cache, verbose=False)),
            ("net", net),
        ]
    )


def run_seed(args, seed, folder):
    """Return the score after each round, 0 being the supervised model."""
    X, Y, test, truth = load(args.task, folder, seed)
    pipeline = make_pipeline(args, folder / "cache", seed)
    labelled = (Y != -1).any(axis=1)
    model = pipeline.fit(X[labelled], Y[labelled])
    scores = [macro_roc_auc(truth, model.predict_proba(test))]
    lines = []
    for power in args.power:
        # One round at a time, so that each student can be judged.
        training = PseudoLabelSelfTraining(
            pipeline,
            teacher=model,
            max_iter=1,
            power=power,
            soft_threshold=args.soft,
            hard_threshold=args.hard,
            mix=args.mix,
            student_params={"net__drop_path_rate": args.drop_path},
            verbose=0,
        ).fit(X, Y)
        model = training.estimator_
        scores.append(macro_roc_auc(truth, model.predict_proba(test)))
        lines.append(training.history_.iloc[0].drop("change"))
    history = pd.DataFrame(lines)
    history.insert(0, "macro AUC", scores[1:])
    history.index = pd.RangeIndex(1, len(lines) + 1, name="round")
    print(f"seed {seed}: supervised {scores[0]:.4f}")
    print(history.round(3).to_string(), flush=True)
    return scores


def main():
    """Parse the command line, run, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["synthetic", "mixed"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 2, 3])
    parser.add_argument("--weights", default=None, help="pretrained, none or a file")
    parser.add_argument("--power", type=float, nargs="+", default=[1.0, 1.5])
    parser.add_argument("--soft", type=float, default=0.05)
    parser.add_argument("--hard", type=float, default=None, help="none: all soft")
    parser.add_argument("--mix", type=float, default=1.0)
    parser.add_argument("--drop-path", type=float, default=0.1)
    args = parser.parse_args()
    table = {}
    for seed in args.seeds:
        with tempfile.TemporaryDirectory() as folder:
            table[seed] = run_seed(args, seed, Path(folder))
    scores = np.array(list(table.values()))
    gains = scores[:, 1:] - scores[:, :1]
    for number, gain in enumerate(gains.T, start=1):
        half = student_t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / len(gain) ** 0.5
        print(
            f"round {number}: {scores[:, number].mean():.4f} against "
            f"{scores[:, 0].mean():.4f}, gain {gain.mean():+.4f} "
            f"({gain.mean() - half:+.4f} to {gain.mean() + half:+.4f})"
        )
    print(
        f"written to {write_results(f'semi_supervised_{args.task}', vars(args), table)}"
    )


if __name__ == "__main__":
    main()
