"""The two tasks that are tested on soundscapes, and the networks that learn them."""

import pandas as pd
from _common import weights_path
from _target_site import make_target_site
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skbird.datasets import make_birdclef
from skbird.model_selection import paired_bootstrap
from skbird.nn import CNNClassifier, SEDClassifier
from skbird.preprocessing import (
    BandPass,
    LogMel,
    Resampler,
    RMSFilter,
    Segmenter,
    SpectrogramStatistics,
)

N_TARGET, N_TEST = 30, 30


def add_arguments(parser):
    """Add the arguments that both benchmarks share."""
    parser.add_argument("task", choices=["synthetic", "mixed"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 2, 3])
    parser.add_argument("--weights", default=None, help="pretrained, none or a file")
    parser.add_argument("--epochs", type=int, default=None)


def load(task, folder, seed):
    """Return focal recordings, soundscapes of the target, and others to test on.

    Parameters
    ----------
    task : {"synthetic", "mixed"}
        Sets of `make_birdclef`, or xeno-canto birds put into Doñana recordings.
    folder : Path
        Where files may be written.
    seed : int
        Each has a data set of its own.

    Returns
    -------
    data : Bunch
        DataFrames ``X``, ``Y``; ``soundscapes``, ``soundscapes_Y``; ``test``,
        ``test_Y``.
    """
    if task == "mixed":
        return make_target_site(folder, seed, N_TARGET, N_TEST)
    return make_birdclef(
        folder / "birdclef",
        n_recordings=150,
        n_labeled=N_TARGET,
        n_unlabeled=0,
        n_test=N_TEST,
        random_state=seed,
    )


def make_pipeline(args, cache, seed, network="cnn", **options):
    """Return front end and network; `network` is "cnn", "sed" or "sed frequency"."""
    if args.task == "synthetic":
        options = {"max_epochs": 144, "segments_per_row": 4, "lr": 8e-3, **options}
        backbone, weights = "mobilenetv3_small_050", None
    else:
        options = {"max_epochs": 120, "batch_size": 16, **options}
        backbone, weights = "tf_efficientnet_lite0", weights_path(args.weights)
    options.update(backbone_weights=weights, random_state=seed, verbose=0)
    if network == "cnn":
        net = CNNClassifier(backbone, **options)
    else:
        attention = "frequency" if "frequency" in network else "time"
        net = SEDClassifier(backbone, attention=attention, **options)
    return Pipeline([*front_end(cache), ("net", net)])


def make_baseline(cache):
    """Return statistics of the mel bands and logistic regression."""
    return Pipeline(
        [
            *front_end(cache, normalize=None, top_db=None),
            ("statistics", SpectrogramStatistics()),
            ("scale", StandardScaler()),
            ("logistic", OneVsRestClassifier(LogisticRegression(max_iter=1000))),
        ]
    )


def front_end(cache, **options):
    """Return the steps from files to spectrograms."""
    logmel = LogMel(64, hop_length=1024, cache_dir=cache, verbose=0, **options)
    return [
        ("resample", Resampler(32_000)),
        ("band", BandPass(50, 16_000)),
        ("segment", Segmenter(5.0, overlap=0.5)),
        ("rms", RMSFilter()),
        ("logmel", logmel),
    ]


def compare(truths, paths, probas, others):
    """Return macro AUC, that of the others, gain and its interval over soundscapes.

    Each argument is a list with an entry per seed; rows are compared within a seed.
    """
    sizes = [len(truth) for truth in truths]
    result = paired_bootstrap(
        pd.concat(truths, ignore_index=True),
        pd.concat([pd.DataFrame(proba) for proba in probas]).to_numpy(),
        pd.concat([pd.DataFrame(proba) for proba in others]).to_numpy(),
        recording_ids=pd.concat(paths).to_numpy(),
        folds=[number for number, size in enumerate(sizes) for _ in range(size)],
        random_state=0,
    )
    return {
        "macro AUC": result.macro_roc_auc_a,
        "without": result.macro_roc_auc_b,
        "gain": result.difference,
        "low": result.interval[0],
        "high": result.interval[1],
    }
