"""Search front end, network and augmentation together
===================================================

Makes a synthetic data set, then tries pipelines on held-out collections. After each
fold Optuna may give a trial up. Spectrograms are computed once for each setting that
changes them, here two numbers of mel bands; filters, overlap and normalisation are
applied when segments are read, so that trials share the rest. Prints the best trial and
how much time the cache saved. A search that was killed goes on where it was.

Usage::

    python examples/optuna_search.py --trials 20
"""  # noqa: D205, D400

import argparse
import time
from pathlib import Path

import numpy as np
import optuna
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.pipeline import Pipeline

from skbird.data import recording_weights
from skbird.datasets import make_birdclef
from skbird.metrics import macro_roc_auc
from skbird.nn import BCEFocalLoss, BinaryCrossEntropy, SEDClassifier
from skbird.preprocessing import (
    BandPass,
    LogMel,
    Resampler,
    RMSFilter,
    Segmenter,
    VADFilter,
)

OUTPUT = Path("optuna_output")
N_MELS = (32, 64)
LOSSES = {"bce": BinaryCrossEntropy, "bce + focal": BCEFocalLoss}


def make_pipeline(cache_dir):
    """Return the pipeline that the search sets the parameters of."""
    return Pipeline(
        [
            ("resample", Resampler(32_000)),
            ("band", BandPass(50, 16_000)),
            ("segment", Segmenter(5.0)),
            ("vad", VADFilter()),
            ("rms", RMSFilter()),
            ("logmel", LogMel(hop_length=1024, cache_dir=cache_dir, verbose=0)),
            (
                "net",
                SEDClassifier(
                    "mobilenetv3_small_050",
                    backbone_weights=None,
                    max_epochs=6,
                    segments_per_row=3,
                    random_state=0,
                    verbose=0,
                ),
            ),
        ]
    )


def suggest(trial):
    """Return what a trial tries, as parameters of the pipeline."""
    loss = trial.suggest_categorical("loss", list(LOSSES))
    return {
        # Front end
        "logmel__n_mels": trial.suggest_categorical("n_mels", N_MELS),
        "segment__overlap": trial.suggest_float("overlap", 0.0, 0.75, step=0.25),
        "vad__threshold": trial.suggest_float("vad_threshold", 0.2, 0.9),
        "rms__quantile": trial.suggest_float("rms_quantile", 0.0, 1.0),
        # Network
        "net__attention": trial.suggest_categorical("attention", ["time", "frequency"]),
        "net__lr": trial.suggest_float("lr", 1e-3, 2e-2, log=True),
        "net__criterion": LOSSES[loss],
        # Augmentation
        "net__callbacks__mixup__p": trial.suggest_float("mixup_p", 0.0, 1.0),
        "net__callbacks__cutmix__p": trial.suggest_float("cutmix_p", 0.0, 0.5),
        "net__callbacks__time_mask__p": trial.suggest_float("time_mask_p", 0.0, 1.0),
    }


class Objective:
    """Macro ROC-AUC on held-out collections; counts the front end's time.

    Parameters
    ----------
    data : Bunch
        As ``load_birdclef`` returns it.
    cache_dir : path
        Of the spectrograms.
    """

    def __init__(self, data, cache_dir):
        self.data = data
        self.cache_dir = str(cache_dir)
        self.seconds = 0.0
        self.n_rows = 0

    def __call__(self, trial):
        """Cross-validate one trial."""
        data = self.data
        weight_power = trial.suggest_float("class_power", -1.0, 0.0)
        weight = recording_weights(data.X, data.Y, class_power=weight_power)
        pipeline = make_pipeline(self.cache_dir).set_params(**suggest(trial))
        front_end, net = pipeline[:-1], pipeline[-1]
        scores = []
        folds = LeaveOneGroupOut().split(data.X, groups=data.X["collection"])
        for fold, (train, test) in enumerate(folds):
            # What pipeline.fit and pipeline.predict_proba do, with a clock.
            start = time.perf_counter()
            X_train = front_end.fit_transform(data.X.iloc[train])
            X_test = front_end.transform(data.X.iloc[test])
            self.seconds += time.perf_counter() - start
            self.n_rows += len(data.X)
            net.fit(
                X_train,
                data.Y.iloc[train],
                sample_weight=weight[train],
                label_weight=data.label_weight.iloc[train],
            )
            scores.append(macro_roc_auc(data.Y.iloc[test], net.predict_proba(X_test)))
            trial.report(float(np.mean(scores)), fold)
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(np.mean(scores))


def fill_cache(data, cache_dir):
    """Compute all spectrograms that the search may ask for.

    Returns
    -------
    seconds_per_row : float
        What a row costs without a cache; nan if all was there already.
    """
    start, n_new = time.perf_counter(), 0
    for n_mels in N_MELS:
        n_before = len(list(Path(cache_dir).rglob("*.npy")))
        front_end = make_pipeline(str(cache_dir)).set_params(logmel__n_mels=n_mels)[:-1]
        front_end.fit_transform(data.X)
        n_new += len(data.X) * (len(list(Path(cache_dir).rglob("*.npy"))) > n_before)
    return (time.perf_counter() - start) / n_new if n_new else np.nan


def main():
    """Run the search and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--recordings", type=int, default=300)
    args = parser.parse_args()
    data = make_birdclef(OUTPUT / "birdclef", n_recordings=args.recordings)
    cache_dir = OUTPUT / "cache"
    seconds_per_row = fill_cache(data, cache_dir)
    study = optuna.create_study(
        study_name="skbird",
        direction="maximize",
        storage=f"sqlite:///{OUTPUT / 'study.db'}",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
    )
    objective = Objective(data, cache_dir)
    n_left = args.trials - len(study.get_trials(deepcopy=False))
    if n_left > 0:
        study.optimize(objective, n_trials=n_left, show_progress_bar=True)
    states = [trial.state.name.lower() for trial in study.trials]
    counts = {state: states.count(state) for state in sorted(set(states))}
    print(f"\n{len(states)} trials: {counts}")
    print(f"Best: {study.best_value:.3f} on held-out collections, with")
    for name, value in study.best_params.items():
        print(f"  {name:<14} {value if isinstance(value, str) else round(value, 4)}")
    if objective.n_rows and not np.isnan(seconds_per_row):
        without = objective.n_rows * seconds_per_row
        print(
            f"Front end: {objective.n_rows} rows in {objective.seconds:.1f} s. Without "
            f"the cache, at {1000 * seconds_per_row:.1f} ms a row, {without:.0f} s: it "
            f"saved {without - objective.seconds:.0f} s, and cost "
            f"{seconds_per_row * len(data.X) * len(N_MELS):.0f} s to fill."
        )


if __name__ == "__main__":
    main()
