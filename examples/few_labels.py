"""Learn from a few labelled recordings
====================================

Takes 1, 2, 4 and 8 recordings of each species, drawn several times, and compares
statistics of the spectrogram, a small network trained from scratch, a probe on the
embeddings of an encoder, the encoder's own scores, and the mean of these two. All are
judged on recordings from elsewhere. Prints a table and draws learning curves in
``few_labels_output/``.

By default the sounds are synthetic, and so is the encoder: ``_stand_in.py`` makes a
small ONNX model that has learnt from other recordings, and knows half of the species.
Where it does not know a species, its "own scores" have the estimate of a probe.
It takes the place of a real one, which is to be had by name (``skbird models list``)::

    python examples/few_labels.py
    python examples/few_labels.py --encoder birdnet-2.4 --data metadata.csv

``--data`` is what ``load_recordings`` reads: a folder per species, a table, the folder
of a BirdCLEF competition. Species are found among the encoder's classes by scientific
name: by that in a column ``scientific_name``, else by the label itself.
"""  # noqa: D205, D400

# sphinx_gallery_thumbnail_path = "images/learning_curve.png"
import argparse
import time
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from skbird.datasets import load_recordings, make_birdclef
from skbird.encoders import (
    EmbeddingEncoder,
    PretrainedScores,
    ProbeClassifier,
    load_encoder,
)
from skbird.ensemble import MultilabelVotingClassifier
from skbird.metrics import macro_roc_auc
from skbird.model_selection import GroupMultilabelKFold
from skbird.nn import CNNClassifier
from skbird.preprocessing import LogMel, Resampler, Segmenter, SpectrogramStatistics

FEW = 1, 2, 4, 8
METRICS = "macro ROC-AUC", "accuracy"


def front_end(cache_dir, **options):
    """Return the steps from files to spectrograms."""
    log_mel = LogMel(64, hop_length=1024, cache_dir=cache_dir, verbose=0, **options)
    return Resampler(32_000), Segmenter(5.0), log_mel


def make_models(encoder, names, cache_dir, n_epochs):
    """Return the models that are compared, by name.

    Parameters
    ----------
    encoder : Encoder
    names : dict
        The scientific name of each species.
    cache_dir : Path
    n_epochs : int
        Of the network.
    """
    options = {"cache_dir": cache_dir, "verbose": 0}
    probe = make_pipeline(EmbeddingEncoder(encoder, **options), ProbeClassifier())
    scores = PretrainedScores(encoder, names=names, **options)
    both = MultilabelVotingClassifier([("scores", scores), ("probe", probe)])
    return {
        "statistics": make_pipeline(
            *front_end(cache_dir, normalize=None, top_db=None),
            SpectrogramStatistics(),
            StandardScaler(),
            OneVsRestClassifier(LogisticRegression(max_iter=1000)),
        ),
        "network from scratch": make_pipeline(
            *front_end(cache_dir),
            CNNClassifier(
                "test_efficientnet",
                backbone_weights=None,
                max_epochs=n_epochs,
                segments_per_row=4,
                lr=8e-3,
                random_state=0,
                verbose=0,
            ),
        ),
        "probe": probe,
        "encoder's scores": scores,
        "scores + probe": both,
    }


def known_species(encoder, names, data):
    """Return which columns of Y the encoder has a class for."""
    scores = PretrainedScores(encoder, names=names, unmatched="nan")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # which ones it does not know
            return scores.fit(data.X[:1], data.Y[:1]).matched_
    except ValueError:  # it has no scores, or knows none
        return np.zeros(data.Y.shape[1], dtype=bool)


def split(data, encoder, draw):
    """Return which rows may be learnt from, which are judged, and in words why.

    Where there are collections that the encoder was not trained on, they are judged;
    else a fifth of the recordists, others in each draw.
    """
    X, heard = data.X, [source.collection for source in encoder.spec.training]
    if "collection" in X:
        elsewhere = ~X["collection"].isin(heard).to_numpy()
        if elsewhere.any() and not elsewhere.all():
            where = ", ".join(sorted(X["collection"][elsewhere].astype(str).unique()))
            why = f"collections that the encoder was not trained on: {where}"
            return np.flatnonzero(~elsewhere), np.flatnonzero(elsewhere), why
    by = "author" if "author" in X else "path"
    folds = GroupMultilabelKFold(5, shuffle=True, random_state=draw)
    learn, judged = next(folds.split(X, data.Y, X[by]))
    why = f"a fifth of the values of {by!r}, others in each draw"
    if heard:
        why += (
            f". The encoder was trained on {', '.join(heard)}: it may have heard them"
        )
    return learn, judged, why


def draw_rows(data, rows, random_state):
    """Return for each species the rows in which it is the main one, shuffled."""
    main = (data.Y.eq(1) & data.label_weight.eq(1)).to_numpy()
    rng = np.random.default_rng(random_state)
    return [rng.permutation(rows[main[rows, k]]) for k in range(main.shape[1])]


def judge(model, data, learn, judged, columns):
    """Train a model on some rows, and score it on others.

    Returns
    -------
    dict of str to float
        Macro ROC-AUC of all species and of some sets of them, and accuracy: in what
        share of the rows with one species it is the one with the highest probability.
    """
    with warnings.catch_warnings():
        # That some species have no example, or are not known, is said once by `main`.
        warnings.simplefilter("ignore")
        model.fit(data.X.iloc[learn], data.Y.iloc[learn])
        proba = model.predict_proba(data.X.iloc[judged])
    truth = data.Y.iloc[judged].to_numpy()
    single = np.nansum(truth, axis=1) == 1
    hit = proba[single].argmax(axis=1) == np.nanargmax(truth[single], axis=1)
    found = {"macro ROC-AUC": macro_roc_auc(truth, proba), "accuracy": hit.mean()}
    for name, some in columns.items():
        found[name] = macro_roc_auc(truth[:, some], proba[:, some])
    return found


def compare(models, data, encoder, n_draws, columns):
    """Score all models on all numbers of recordings in all draws.

    Returns
    -------
    DataFrame
        ``model``, ``recordings``, ``draw`` and the scores.
    """
    table = []
    with tqdm(total=n_draws * len(FEW) * len(models), unit="model") as progress:
        for draw in range(n_draws):
            learn, judged, _ = split(data, encoder, draw)
            drawn = draw_rows(data, learn, draw)
            for few in FEW:
                # Those of a larger number contain those of the smaller ones.
                rows = np.unique(np.concatenate([rows[:few] for rows in drawn]))
                for name, model in models.items():
                    progress.set_description(f"{name}, {few} of each species")
                    line = {"model": name, "recordings": few, "draw": draw}
                    table.append(line | judge(model, data, rows, judged, columns))
                    progress.update()
    return pd.DataFrame(table)


def plot_curves(table, path):
    """Draw the mean of each model's scores, and shade the spread over the draws."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
    for axis, metric in zip(axes, METRICS, strict=True):
        for k, (name, rows) in enumerate(table.groupby("model", sort=False)):
            scores = rows.groupby("recordings")[metric].agg(["mean", "std"]).fillna(0)
            low, high = scores["mean"] - scores["std"], scores["mean"] + scores["std"]
            style = {"color": f"C{k}", "marker": "osD^v"[k], "label": name}
            axis.plot(scores.index, scores["mean"], **style)
            axis.fill_between(scores.index, low, high, color=f"C{k}", alpha=0.15)
        axis.set_xscale("log", base=2)
        axis.set_xticks(FEW, list(map(str, FEW)))
        axis.set(xlabel="labelled recordings of each species", ylabel=metric)
        axis.grid(alpha=0.3)
    lines = axes[0].get_legend_handles_labels()
    figure.legend(*lines, loc="outside upper center", ncols=len(lines[0]))
    figure.savefig(path, dpi=100)
    plt.close(figure)


def load(args):
    """Return the recordings and the encoder."""
    if args.data is not None:
        data = load_recordings(args.data)
    else:
        sizes = {"n_test": 1, "n_labeled": 0, "n_unlabeled": 0, "soundscape_s": 5.0}
        data = make_birdclef(
            args.output / "birdclef", n_species=6, n_recordings=150, **sizes
        )
    names = {}
    if "scientific_name" in data.X:
        columns = data.X["primary_label"], data.X["scientific_name"]
        names = dict(zip(*columns, strict=True))
    encoder = args.encoder
    if encoder is None:
        from _stand_in import make_encoder

        encoder = make_encoder(args.output, list(names.values()))
    return data, names, load_encoder(encoder)


def main():
    """Compare, print a table and draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", help="name or file; by default one is made")
    parser.add_argument("--data", type=Path, help="by default synthetic sound is made")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10, help="of the network")
    parser.add_argument("--output", type=Path, default=Path("few_labels_output"))
    args = parser.parse_args()
    start = time.perf_counter()
    args.output.mkdir(parents=True, exist_ok=True)
    data, names, encoder = load(args)
    print(f"{len(data.X)} recordings of {len(data.species)} species; {encoder}")
    known = known_species(encoder, names, data)
    print(f"The encoder has classes for {known.sum()} of the {len(known)} species.")
    print(f"Judged on {split(data, encoder, 0)[2]}.")
    models = make_models(encoder, names, args.output / "cache", args.epochs)
    columns = {}
    if not known.any():
        for name in ("encoder's scores", "scores + probe"):
            del models[name]
    elif not known.all():
        columns = {"ROC-AUC of known": known, "of unknown": ~known}
    table = compare(models, data, encoder, args.draws, columns)

    scores = [*METRICS, *columns]
    groups = table.groupby(["model", "recordings"], sort=False)[scores]
    mean, spread = groups.mean(), groups.std().fillna(0)
    shown = mean.map("{:.3f}".format) + " ± " + spread.map("{:.3f}".format)
    print(f"\nMean and standard deviation of {args.draws} draws")
    print(shown.loc[list(models)].to_string())
    plot_curves(table, args.output / "learning_curve.png")
    print(f"\nWrote {args.output / 'learning_curve.png'}.", end=" ")
    print(f"Took {time.perf_counter() - start:.0f} s.")


if __name__ == "__main__":
    main()
