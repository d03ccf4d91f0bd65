"""Measure self-training with unlabelled soundscapes against labels alone.

Usage::

    python benchmarks/semi_supervised.py synthetic --seeds 0 2 3
    python benchmarks/semi_supervised.py mixed --seeds 0 1 2 \
        --weights tf_efficientnet_lite0_in1k.safetensors [--teacher birdnet-2.4]

Trains on labelled focal recordings, then in rounds on unlabelled soundscapes as well,
and prints the history of the rounds and, after each of them, the macro ROC-AUC on other
soundscapes. Two more models tell where a gain comes from:

- ``background`` has the unlabelled soundscapes as background noise, without labels;
- ``longer``, only if students take more steps than the supervised model (with
  ``--mix 0`` they have more rows), has the labels alone and as many steps.

``--teacher`` adds a pretrained model, by its scores, or by a probe for species that it
does not know; and a student like that of round 1 which it taught. BirdNET has probably
heard the birds of ``mixed``, those of the test soundscapes, too.

A seed is a data set of its own and seeds the network. Two 95 % intervals of the gain
are given: over the test soundscapes of all seeds (paired bootstrap), and over the seeds
(Student's t). The tasks:

- ``synthetic``: sets of ``make_birdclef``.
- ``mixed``: xeno-canto birds put into Doñana recordings (``_target_site.py``);
  labelled, unlabelled and tested birds are of different recordists.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from _common import write_results
from _soundscapes import add_arguments, compare, load, make_pipeline
from scipy.stats import t as student_t
from sklearn.base import clone

from skbird.metrics import macro_roc_auc
from skbird.recipes import few_labels
from skbird.semi_supervised import PseudoLabelSelfTraining


def count_steps(model):
    """Return how many batches the network of a pipeline was trained on."""
    return model[-1].history_["train_batch_count"].sum()


def background_noise(pipeline, data):
    """Return parameters with which soundscapes are noise, as loud as the labelled."""
    noise = {
        "background": pipeline[:-1].transform(data.soundscapes),
        "min_snr_db": -3.0,
        "max_snr_db": 3.0,
        "p": 1.0,
    }
    return {f"net__callbacks__noise__{name}": value for name, value in noise.items()}


def teach(args, pipeline, teacher, X, Y, power):
    """Return a self-training of one round."""
    return PseudoLabelSelfTraining(
        pipeline,
        teacher=teacher,
        max_iter=1,
        proba_power=power,
        soft_threshold=args.soft,
        hard_threshold=args.hard,
        mix=args.mix or None,
        student_params={"net__drop_path_rate": args.drop_path},
        verbose=0,
    ).fit(X, Y)


def run_seed(args, seed, folder):
    """Return the test rows' truth and files, and each model's predictions of them."""
    data = load(args.task, folder, seed)
    hidden = pd.DataFrame(-1.0, data.soundscapes.index, data.Y.columns)
    X = pd.concat([data.X, data.soundscapes], ignore_index=True)
    Y = pd.concat([data.Y, hidden], ignore_index=True)
    options = {} if args.epochs is None else {"max_epochs": args.epochs}
    pipeline = make_pipeline(args, folder / "cache", seed, **options)
    model = pipeline.fit(data.X, data.Y)
    models, histories = {"supervised": model}, {}
    for number, power in enumerate(args.power, start=1):
        # One round at a time, so that each student can be judged.
        training = teach(args, pipeline, model, X, Y, power)
        model = training.estimator_
        models[f"round {number}"] = model
        histories[f"round {number}"] = training.history_.iloc[0].drop("change")
    controls = {"background": background_noise(pipeline, data)}
    n_steps = [count_steps(model) for model in models.values()]
    if max(n_steps) > n_steps[0]:
        n_epochs = round(pipeline[-1].max_epochs * max(n_steps) / n_steps[0])
        controls["longer"] = {"net__max_epochs": n_epochs}
    for name, params in controls.items():
        models[name] = clone(pipeline).set_params(**params).fit(data.X, data.Y)
    if args.teacher is not None:
        teacher = few_labels(args.teacher, scores=True, cache_dir=folder / "encoder")
        models[args.teacher] = teacher.set_params(verbose=0).fit(data.X, data.Y)
        training = teach(args, pipeline, teacher, X, Y, args.power[0])
        name = taught_by(args.teacher)
        models[name] = training.estimator_
        histories[name] = training.history_.iloc[0].drop("change")
    networks = {n: m for n, m in models.items() if n != args.teacher}
    probas = {name: model.predict_proba(data.test) for name, model in models.items()}
    scores = {n: macro_roc_auc(data.test_Y, proba) for n, proba in probas.items()}
    history = pd.DataFrame(histories).T.reindex(list(scores))
    history.insert(0, "macro AUC", pd.Series(scores))
    history.insert(1, "steps", pd.Series(networks).map(count_steps))
    print(f"seed {seed}\n{history.round(3).to_string(na_rep='')}", flush=True)
    return data.test_Y, data.test["path"], probas, scores


def taught_by(teacher):
    """Return what the student of a pretrained model is called."""
    return f"taught by {teacher}"


def over_seeds(gains):
    """Return the 95 % interval of the mean of a few gains."""
    if len(gains) < 2:
        return {}
    half = student_t.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / len(gains) ** 0.5
    return {"low, seeds": gains.mean() - half, "high, seeds": gains.mean() + half}


def main():
    """Parse the command line, run, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--power", type=float, nargs="+", default=[2.0, 2.0])
    parser.add_argument("--soft", type=float, default=0.05)
    parser.add_argument("--hard", type=float, default=None, help="none: all soft")
    parser.add_argument("--mix", type=float, default=1.0, help="0: do not mix")
    parser.add_argument("--drop-path", type=float, default=0.0)
    parser.add_argument("--teacher", help="a pretrained model, such as birdnet-2.4")
    args = parser.parse_args()
    truths, files, probas, scores = [], [], [], []
    for seed in args.seeds:
        with tempfile.TemporaryDirectory() as folder:
            results = run_seed(args, seed, Path(folder))
        for values, result in zip(
            (truths, files, probas, scores), results, strict=True
        ):
            values.append(result)
    scores = pd.DataFrame(scores, index=args.seeds)
    others = scores.columns.intersection(["supervised", "background", "longer"])
    pairs = [(a, b) for a in scores.columns.drop(others) for b in others]
    if args.teacher is not None:
        pairs.append((taught_by(args.teacher), "round 1"))
    lines = {
        (name, f"against {other}"): compare(
            truths,
            files,
            [proba[name] for proba in probas],
            [proba[other] for proba in probas],
        )
        | over_seeds(np.asarray(scores[name] - scores[other]))
        for name, other in pairs
    }
    print(pd.DataFrame(lines).T.round(3).to_string())
    path = write_results(
        f"semi_supervised_{args.task}", vars(args), scores.to_dict("index")
    )
    print(f"written to {path}")


if __name__ == "__main__":
    main()
