"""Label what teaches most
=======================

Nothing is labelled at first. In each round a query chooses recordings to listen to; the
answers are here looked up, and one in ten is "uncertain". A probe learns from all
answers so far, and is scored on recordings of other authors. The loop is pickled after
each round, as it would be overnight, and ends by its own rule or when the labels are
spent. Prints the history and draws the curves in ``active_learning_output/``.

The sounds are synthetic and summed up by statistics of their spectrograms. With
recordings of yours and an encoder (``skbird models list``)::

    python examples/active_learning.py
    python examples/active_learning.py --encoder birdnet-2.4 --data metadata.csv
"""  # noqa: D205, D400

# sphinx_gallery_thumbnail_path = "images/gallery/active_learning.png"
import argparse
import pickle
import time
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_pipeline

from skbird.active import ActiveLearner, CoreSetQuery, RandomQuery, RareSpeciesQuery
from skbird.datasets import load_recordings, make_birdclef
from skbird.encoders import EmbeddingEncoder, ProbeClassifier
from skbird.model_selection import group_train_test_split
from skbird.preprocessing import LogMel, Resampler, Segmenter, SpectrogramStatistics

UNCERTAIN = 0.1  # of all answers
QUERIES = {
    "random": RandomQuery(),
    "rare species": RareSpeciesQuery(),
    "CoreSet": CoreSetQuery(),
}


def make_features(encoder, cache_dir):
    """Return the steps from files to features, which keep what they computed."""
    if encoder is not None:
        return EmbeddingEncoder(encoder, cache_dir=cache_dir, on_error="skip")
    return make_pipeline(
        Resampler(32_000),
        Segmenter(5.0),
        LogMel(64, hop_length=1024, cache_dir=cache_dir, verbose=0),
        SpectrogramStatistics(),
    )


def listen(Y, rows, rng):
    """Return the labels of rows; some cannot be told."""
    answers = Y.iloc[rows].astype(float)
    answers[rng.random(len(rows)) < UNCERTAIN] = np.nan
    return answers


def learn(query, features, parts, args):
    """Ask and answer until there is no gain, or the labels are spent."""
    X, Y, X_test, Y_test = parts
    learner = ActiveLearner(
        make_pipeline(features, ProbeClassifier(C=0.1)),
        X,
        query=query,
        first_query=RandomQuery() if isinstance(query, RandomQuery) else None,
        features=features,
        X_test=X_test,
        Y_test=Y_test,
        random_state=0,
    )
    rng = np.random.default_rng(0)
    saved = args.output / "learner.pickle"
    for _ in range(args.rounds):
        rows = learner.query(args.batch)
        learner.teach(rows, listen(Y, rows, rng))
        saved.write_bytes(pickle.dumps(learner))
        learner = pickle.loads(saved.read_bytes())  # your own file, and none of others
        if learner.termination_condition_ and not args.all_rounds:
            break
    return learner


def plot_curves(histories, path):
    """Draw the score of each query over the number of labels."""
    figure, axis = plt.subplots(figsize=(7, 5), layout="constrained")
    for name, history in histories.items():
        axis.plot(history["n_labeled"], history["score"], marker="o", label=name)
    axis.set(xlabel="recordings with labels", ylabel="macro ROC-AUC, other authors")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(path, dpi=100)
    plt.close(figure)


def load(args):
    """Return the recordings, split by author: pool, labels, held-out ones, labels."""
    if args.data is not None:
        data = load_recordings(args.data)
    else:
        sizes = {"n_test": 1, "n_labeled": 0, "n_unlabeled": 0, "soundscape_s": 5.0}
        data = make_birdclef(args.output / "birdclef", n_recordings=150, **sizes)
    column = "author" if "author" in data.X else "path"
    train, test = group_train_test_split(
        data.Y, data.X[column], test_size=0.4, random_state=0
    )
    print(
        f"{len(train)} recordings to ask for, {len(test)} of other {column}s to judge"
    )
    return data.X.iloc[train], data.Y.iloc[train], data.X.iloc[test], data.Y.iloc[test]


def main():
    """Compare the queries, print their histories and draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", help="name or file; by default statistics")
    parser.add_argument("--data", type=Path, help="by default synthetic sound is made")
    parser.add_argument("--batch", type=int, default=6, help="recordings of a round")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--all-rounds", action="store_true", help="do not stop early")
    parser.add_argument("--output", type=Path, default=Path("active_learning_output"))
    args = parser.parse_args()
    start = time.perf_counter()
    args.output.mkdir(parents=True, exist_ok=True)
    parts = load(args)
    features = make_features(args.encoder, args.output / "cache")
    histories = {}
    for name, query in QUERIES.items():
        with warnings.catch_warnings():
            # Of species that nobody has heard yet, and of very few rows.
            warnings.filterwarnings("ignore", ".*among the rows that are trained on")
            warnings.filterwarnings("ignore", ".*still changed after max_iter")
            learner = learn(query, features, parts, args)
        histories[name] = learner.history_
        reason = learner.termination_condition_ or "the labels are spent"
        print(f"\n{name}: {reason}")
        columns = ["n_labeled", "n_uncertain", "n_species", "score", "agreement"]
        print(learner.history_[columns].round(3).to_string())
    plot_curves(histories, args.output / "curves.png")
    print(f"\nWrote {args.output / 'curves.png'}.", end=" ")
    print(f"Took {time.perf_counter() - start:.0f} s.")


if __name__ == "__main__":
    main()
