"""Compare ImageNet weights with weights distilled from BirdNET, fold by fold.

Usage::

    python benchmarks/distillation.py --weights tf_efficientnet_lite0_in1k.safetensors \
        --cache cache --folds 0 1

``xc_california``, folds by recordist as in ``real_audio.py``. In each fold the network
starts from the ImageNet weights, hears the training recordings without their labels and
learns BirdNET's embeddings of them; then both weights are trained on the labels exactly
as ``real_audio.py --head cnn`` does. ``--aux`` also learns embeddings and labels in one
training. ``--extra`` adds the recordings of ESC-10 and Doñana to the unlabelled ones.

BirdNET was trained on xeno-canto, so it has probably heard the recordings that are held
out: the figures say what can be carried over, not how well new birds are recognised.
"""

import argparse
import time

import pandas as pd
from _common import data_folder, read_metadata, weights_path, write_results
from real_audio import EPOCHS, load
from sklearn.pipeline import make_pipeline

from skbird.metrics import macro_roc_auc
from skbird.nn import CNNClassifier, EmbeddingDistillation
from skbird.preprocessing import BandPass, LogMel, Resampler, Segmenter

TASK = "xc_california"


def front_end(args):
    """Return the steps of ``real_audio.py`` before the network."""
    return make_pipeline(
        Resampler(32_000),
        BandPass(50, 16_000),
        Segmenter(5.0, overlap=0.5),
        LogMel(cache_dir=args.cache, verbose=0),
    )


def unlabeled(args, X):
    """Return the rows to distil on."""
    if not args.extra:
        return X[["path", "start", "end"]]
    folder = data_folder("donana_soundscapes")
    donana = pd.read_csv(folder / "windows5s.csv")[["path", "start", "end"]]
    donana["path"] = [str(folder / path) for path in donana["path"]]
    parts = [X, read_metadata("esc10"), donana]
    parts = [part.reindex(columns=["path", "start", "end"]) for part in parts]
    return pd.concat(parts, ignore_index=True)


def network(args, weights, **options):
    """Return the network of ``real_audio.py``."""
    return CNNClassifier(
        args.backbone,
        backbone_weights=weights,
        max_epochs=args.epochs,
        batch_size=16,
        random_state=args.seed,
        precision=args.precision,
        verbose=0,
        **options,
    )


def distil(args, train, test, path):
    """Write distilled weights; return the cosine on held-out rows, before and after."""
    heard = front_end(args).fit_transform(unlabeled(args, train))
    held_out = front_end(args).fit_transform(test)
    student = EmbeddingDistillation(
        "birdnet-2.4",
        args.backbone,
        backbone_weights=weights_path(args.weights),
        cache_dir=args.cache,
        max_epochs=args.distil_epochs,
        batch_size=16,
        random_state=args.seed,
        precision=args.precision,
        verbose=0,
    )
    student.fit(heard)
    student.save_weights(path)
    losses = student.history_["train_loss"]
    return {
        "hours": student.hours_,
        "first_train_cosine": 1 - losses.iloc[0],
        "last_train_cosine": 1 - losses.iloc[-1],
        "held_out_cosine": student.score(held_out),
    }


def judge(name, net, args, X, Y, train, test):
    """Train on labels; return accuracy and macro AUC of the held-out fold."""
    start = time.perf_counter()
    pipeline = make_pipeline(front_end(args), net).fit(X.iloc[train], Y.iloc[train])
    proba, truth = pipeline.predict_proba(X.iloc[test]), Y.iloc[test].to_numpy()
    hit = proba.argmax(axis=1) == truth.argmax(axis=1)
    return {
        "weights": name,
        "accuracy": hit.mean(),
        "macro_auc": macro_roc_auc(truth, proba),
        "seconds": time.perf_counter() - start,
    }


def run(args):
    """Print a line for each fold and kind of weights, and return them."""
    X, Y, splits = load(TASK)
    imagenet = weights_path(args.weights)
    table = []
    for fold in args.folds:
        train, test = splits[fold]
        path = f"{args.cache}/distilled_{fold}_{args.seed}.safetensors"
        start = time.perf_counter()
        about = distil(args, X.iloc[train], X.iloc[test], path)
        about["seconds"] = time.perf_counter() - start
        print(f"fold {fold}", about, flush=True)
        nets = {"distilled": network(args, path), "ImageNet": network(args, imagenet)}
        if args.aux:
            options = {"weight": 1.0, "cache_dir": args.cache}
            options = {f"callbacks__distill__{k}": v for k, v in options.items()}
            nets["ImageNet, embeddings beside labels"] = network(
                args, imagenet, **options
            )
        for name, net in nets.items():
            line = {"fold": fold, "seed": args.seed}
            line |= judge(name, net, args, X, Y, train, test)
            table.append(line)
            print(line, flush=True)
    return pd.DataFrame(table)


def main():
    """Parse the command line, run, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="pretrained", help="of ImageNet")
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--cache", required=True, help="folder for what is computed")
    parser.add_argument("--folds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--distil-epochs", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=EPOCHS[TASK])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--extra", action="store_true")
    parser.add_argument("--aux", action="store_true")
    args = parser.parse_args()
    table = run(args)
    mean = table.groupby("weights")[["accuracy", "macro_auc"]].mean()
    print(mean.round(3).to_markdown())
    write_results("distillation", vars(args), table.to_dict("records"))


if __name__ == "__main__":
    main()
