"""Search encoder, pooling and classifier from one cache
=====================================================

What costs time is to run an encoder over the recordings, and that is done once: the
first trial of each encoder fills the cache, all others, with any pooling and any
classifier, find the windows there. Each trial says how many recordings it had to decode
and run an encoder over. Trials are judged on held-out collections, or recordists.

By default the sounds are synthetic, and the encoders two small ones that
``_stand_in.py`` makes: one hears windows of 3 s, one of 1 s. Real ones by name::

    python examples/search_encoder.py --trials 20
    python examples/search_encoder.py --encoder birdnet-2.4 yamnet --data metadata.csv
"""  # noqa: D205, D400

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import optuna
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbird.datasets import load_recordings, make_birdclef
from skbird.encoders import AttentionProbe, EmbeddingEncoder, ProbeClassifier
from skbird.metrics import macro_roc_auc
from skbird.model_selection import GroupMultilabelKFold


def make_model(trial, encoders, cache_dir):
    """Return the pipeline that a trial tries."""
    encoder = encoders[trial.suggest_categorical("encoder", list(encoders))]
    head = trial.suggest_categorical("head", ["probe", "attention", "logistic"])
    C = trial.suggest_float("C", 1e-3, 10, log=True)
    options = {"cache_dir": cache_dir, "verbose": 0}
    if head == "attention":  # it pools the windows itself
        windows = EmbeddingEncoder(encoder, output="windows", **options)
        return make_pipeline(windows, AttentionProbe(C=C))
    pooling = trial.suggest_categorical("pooling", ["mean", "max", "meanmax"])
    vectors = EmbeddingEncoder(encoder, pooling=pooling, **options)
    if head == "probe":
        return make_pipeline(vectors, ProbeClassifier(C=C))
    logistic = OneVsRestClassifier(LogisticRegression(C=C, max_iter=1000))
    return make_pipeline(vectors, StandardScaler(), logistic)


class Objective:
    """Macro ROC-AUC out of fold; says what each trial had to compute.

    Parameters
    ----------
    data : Bunch
        As ``load_recordings`` returns it.
    encoders : dict
        What `EmbeddingEncoder` takes, by name.
    cache_dir : Path
    """

    def __init__(self, data, encoders, cache_dir):
        self.data = data
        self.encoders = encoders
        self.cache_dir = cache_dir
        names = [n for n in ("collection", "author", "path") if n in data.X]
        self.by = next((n for n in names if data.X[n].nunique() > 1), "path")
        n_folds = min(4, data.X[self.by].nunique())
        folds = GroupMultilabelKFold(n_folds).split(data.X, data.Y, data.X[self.by])
        self.folds = list(folds)

    def __call__(self, trial):
        """Cross-validate one trial."""
        start, n_before = time.perf_counter(), self.n_cached()
        model = make_model(trial, self.encoders, self.cache_dir)
        X, Y = self.data.X, self.data.Y
        scores = []
        for train, test in self.folds:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # C is large
                model.fit(X.iloc[train], Y.iloc[train])
            proba = model.predict_proba(X.iloc[test])
            scores.append(macro_roc_auc(Y.iloc[test], proba))
        score, tried = float(np.mean(scores)), trial.params
        print(
            f"trial {trial.number:>3}: {score:.3f}  {tried['encoder']:<16} "
            f"{tried.get('pooling', '-'):<8} {tried['head']:<10} C={tried['C']:<8.3g} "
            f"windows of {self.n_cached() - n_before} recordings computed, "
            f"{time.perf_counter() - start:.1f} s",
            flush=True,
        )
        return score

    def n_cached(self):
        """Return of how many recordings the cache has windows."""
        return len(list(Path(self.cache_dir).rglob("*.npy")))


def load(args):
    """Return the recordings, and the encoders by name."""
    if args.data is not None:
        data = load_recordings(args.data)
    else:
        sizes = {"n_test": 1, "n_labeled": 0, "n_unlabeled": 0, "soundscape_s": 5.0}
        data = make_birdclef(
            args.output / "birdclef", n_species=8, n_recordings=100, **sizes
        )
    if args.encoder:
        return data, {Path(name).name: name for name in args.encoder}
    from _stand_in import make_encoder

    species = sorted(data.X["scientific_name"].unique())
    models = [make_encoder(args.output, species, window_s=s) for s in (3.0, 1.0)]
    return data, {path.stem: path for path in models}


def main():
    """Run the search and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--encoder", nargs="+", help="names or files; else two are made"
    )
    parser.add_argument("--data", type=Path, help="by default synthetic sound is made")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path("search_encoder_output"))
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    data, encoders = load(args)
    objective = Objective(data, encoders, args.output / "cache")
    print(
        f"{len(data.X)} recordings of {len(data.species)} species, "
        f"{len(objective.folds)} folds by {objective.by}; {', '.join(encoders)}"
    )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=0)
    )
    start = time.perf_counter()
    study.optimize(objective, n_trials=args.trials)
    print(f"\nBest: {study.best_value:.3f} out of fold, with")
    for name, value in study.best_params.items():
        print(f"  {name:<8} {value if isinstance(value, str) else f'{value:.3g}'}")
    print(f"{args.trials} trials took {time.perf_counter() - start:.0f} s.")


if __name__ == "__main__":
    main()
