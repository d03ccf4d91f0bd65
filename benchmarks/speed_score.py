"""Draw how well networks score against how fast they predict on a CPU.

Usage::

    python benchmarks/speed_score.py --cache cache --envs ENVIRONMENTS \
        --weights tf_efficientnet_lite0_in1k.safetensors

Speed: ten one-minute ogg files to probabilities of 206 species, by OpenVINO, as in
``inference.py``, in turns with decoding alone and, where ``--envs`` is given, with the
peers of ``peers.py`` that lie there. On a processor without bfloat16 the lines of bf16
are computed in float32. Score: macro AUC within folds, before compiling
(``real_audio.py --compiled openvino`` says what that changes), of the networks that
``time_to_score.py`` trains; with the same cache they are trained once. They are
``tf_efficientnet_lite0`` on segments of

- 128 mel bands x 313 frames, the default;
- 128 x 157, half as many frames;
- 64 x 157, and half as many bands.

``EfficientNet-B0`` and ``MobileNetV3`` have a speed only: of ImageNet's weights
``--weights`` holds one backbone's.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import peers
import real_audio
from _common import results_folder, take_turns, write_results
from front_end import write_soundscapes
from inference import N_FILES, Warm, make_models
from time_to_score import RECIPES, TARGETS, train_in_turns

from skbird.metrics import macro_roc_auc

#: Networks that time_to_score.py trains, by the name of its recipe.
TRAINED = {
    "today": "EfficientNet-lite0, 128 x 313",
    "coarse": "EfficientNet-lite0, 128 x 157",
    "small": "EfficientNet-lite0, 64 x 157",
}
#: Name: backbone, and parameters of LogMel.
NETWORKS = {
    "EfficientNet-B0, 128 x 313": ("efficientnet_b0", {}),
    **{
        title: ("tf_efficientnet_lite0", RECIPES[recipe][0])
        for recipe, title in TRAINED.items()
    },
    "MobileNetV3 small 0.50, 64 x 313": ("mobilenetv3_small_050", {"n_mels": 64}),
}
KINDS = {"fp32": "openvino fp32", "bf16": "openvino bf16"}
BASE = "EfficientNet-B0, 128 x 313, fp32"
PEER = "britekit, OpenVINO"


def measure_speed(envs, n_rounds):
    """Return a table of speeds, a line for each network and precision, and peer."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_soundscapes(folder, N_FILES)
        systems = {"decoding alone": Warm("decoding", folder, None)}
        for number, (title, (backbone, options)) in enumerate(NETWORKS.items()):
            prefix = f"{number}, "
            make_models(folder, backbone, prefix, tuple(KINDS.values()), **options)
            for short, kind in KINDS.items():
                warm = Warm(prefix + kind, folder, backbone)
                systems[f"{title}, {short}"] = warm
        for title, (make, _) in peers.SYSTEMS.items():
            if envs is not None and (envs / make.__name__).is_dir():
                systems[title] = peers.Server(title, folder, envs)
        seconds = take_turns(systems, n_rounds)
    table = pd.DataFrame({"seconds": {k: median(v) for k, v in seconds.items()}})
    table.insert(0, "x real time", 60 * N_FILES / table.pop("seconds"))
    for title, name in ((f"x {BASE}", BASE), (f"x {PEER}", PEER)):
        if name in seconds:
            table[title] = {
                system: median(np.divide(seconds[name], taken))
                for system, taken in seconds.items()
            }
    return table


def measure_scores(args):
    """Return the macro AUC of each network, task and seed."""
    lines = []
    for task in args.tasks:
        for seed in args.seeds:
            data = real_audio.load(task, seed)
            truth, splits = data[1].to_numpy(), data[2]
            networks = train_in_turns(args, task, TRAINED, seed, data)
            for recipe, found in networks.items():
                scores = [
                    macro_roc_auc(truth[test], network["proba"])
                    for network, (_, test) in zip(found, splits, strict=True)
                ]
                line = {"network": TRAINED[recipe], "task": task, "seed": seed}
                lines.append({**line, "macro AUC": np.mean(scores)})
            print(pd.DataFrame(lines).round(4).to_string(index=False), flush=True)
    return pd.DataFrame(lines)


def draw(speeds, scores, path):
    """Draw the mean score of each network against its speed, and the peers' speeds."""
    tasks = scores["task"].unique()
    figure, axes = plt.subplots(
        1, len(tasks), figsize=(6 * len(tasks), 4.5), layout="constrained"
    )
    for axis, task in zip(np.atleast_1d(axes), tasks, strict=True):
        its = scores[scores["task"] == task].groupby("network", sort=False)["macro AUC"]
        for (title, auc), marker in zip(its, "osD^v", strict=False):
            for short, color in zip(KINDS, ("C0", "C1"), strict=True):
                speed = speeds.loc[f"{title}, {short}", "x real time"]
                spread = [[auc.mean() - auc.min()], [auc.max() - auc.mean()]]
                axis.errorbar(
                    speed, auc.mean(), spread, fmt=marker, color=color, capsize=3
                )
                axis.annotate(
                    f"{title}, {short}",
                    (speed, auc.mean()),
                    textcoords="offset points",
                    xytext=(6, 6),
                    fontsize=7,
                )
        for title in speeds.index.intersection(list(peers.SYSTEMS)):
            axis.axvline(speeds.loc[title, "x real time"], color="gray", lw=0.5)
            axis.annotate(
                title,
                (speeds.loc[title, "x real time"], 0.02),
                xycoords=("data", "axes fraction"),
                rotation=90,
                fontsize=6,
            )
        axis.set(
            xscale="log",
            xlabel="x real time",
            ylabel="macro AUC, before compiling",
            title=task,
        )
    figure.savefig(path, dpi=100)


def main():
    """Parse the command line, measure, draw, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--weights", default="pretrained", help="of ImageNet")
    parser.add_argument("--cache", required=True, help="folder for what is computed")
    parser.add_argument("--envs", type=Path, help="folder of the peers' environments")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    formats = ["float32", "bfloat16", "float16"]
    parser.add_argument("--precision", default="float32", choices=formats)
    args = parser.parse_args()
    scores = measure_scores(args)
    speeds = measure_speed(args.envs, args.rounds)
    print(speeds.round(1).to_string())
    figures = scores.groupby(["task", "network"], sort=False)["macro AUC"]
    print(figures.agg(["mean", "min", "max"]).round(3).to_string())
    results = {"speeds": speeds.to_dict("index"), "scores": scores.to_dict("records")}
    print(f"written to {write_results('speed_score', vars(args), results)}")
    path = results_folder() / "speed_score.png"
    draw(speeds, scores, path)
    print(f"drawn into {path}")


if __name__ == "__main__":
    main()
