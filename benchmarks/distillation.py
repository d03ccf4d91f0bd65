"""Distil BirdNET into a network, on hours of sound without labels.

Usage::

    python benchmarks/distillation.py --weights tf_efficientnet_lite0_in1k.safetensors \
        --cache cache --hours 4

Starts from the ImageNet weights and writes ``cache/distilled.safetensors``, which
``recognition.py`` compares with them. The sound is mixed out of ESC-10, of Doñana
soundscapes and of made-up calls; the teacher hears the mixtures (``_mixtures.py``).
xc_california is not among them: the cosine between what the network says of its
recordings and what BirdNET says tells how much carries over to birds that the network
has never heard. A training that was killed goes on.
"""

import argparse
import time
from pathlib import Path

from _common import read_metadata, weights_path, write_results
from _mixtures import CLIP_S, make_mixtures
from recognition import front_end
from sklearn.pipeline import make_pipeline

from skbird.data import segment_table
from skbird.nn import EmbeddingDistillation


def main():
    """Parse the command line, run, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="pretrained", help="of ImageNet")
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--cache", required=True, help="folder for what is computed")
    parser.add_argument("--hours", type=float, default=4.0)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--precision", default="auto")
    args = parser.parse_args()
    start = time.perf_counter()
    cache = Path(args.cache)
    paths = make_mixtures(cache / "mixtures", args.hours)
    steps = make_pipeline(*front_end(cache))
    heard = steps.fit_transform(segment_table(paths, CLIP_S, CLIP_S))
    birds = steps.transform(read_metadata("xc_california"))
    student = EmbeddingDistillation(
        "birdnet-2.4",
        args.backbone,
        backbone_weights=weights_path(args.weights),
        cache_dir=cache,
        max_epochs=args.epochs,
        batch_size=args.batch_size,
        lr=args.lr,
        random_state=0,
        precision=args.precision,
        checkpoint_dir=cache / "checkpoints",
    )
    student.fit(heard)
    student.save_weights(cache / "distilled.safetensors")
    results = {
        "hours": student.hours_,
        "cosine of the last epoch": 1 - student.history_["train_loss"].iloc[-1],
        "cosine on xc_california": student.score(birds),
        "seconds": time.perf_counter() - start,
    }
    for name, value in results.items():
        print(f"{name}: {value:.3f}")
    write_results("distillation", vars(args), results)


if __name__ == "__main__":
    main()
