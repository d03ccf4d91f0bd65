"""Time training with skbird, against loops written by hand on the same batches.

Usage::

    python benchmarks/training_speed.py --backbone efficientnet_b0

Trainings take turns, each in a process of its own, so that what one does to the
allocator does not help the others:

- ``plain``: the loop of a tutorial. float32, torch's default memory layout.
- ``by hand``: a loop with all that skbird does to be fast: channels last, the same
  number format, freed memory kept. Batches lie in memory as tensors.
- ``skbird``: ``CNNClassifier.fit`` without augmentation, from spectrograms.
- ``skbird, augmented``: with all that is on by default.

Figures are the medians over the rounds; ratios are those of each round.
"""

import argparse
import statistics
import time
from contextlib import nullcontext
from multiprocessing import get_context

import numpy as np
from _common import write_results

KINDS = ("plain", "by hand", "skbird", "skbird, augmented")
N_SPECIES = 206


def make_segments(n, args):
    """Return random segments in dB, (n, n_mels, n_frames) float16, and targets."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-80, 0, (n, args.n_mels, args.n_frames)).astype(np.float16)
    Y = (rng.random((n, N_SPECIES)) < 0.02).astype(np.float32)
    return X, Y


def loop_by_hand(args, precision):
    """Return a function that trains an epoch; `precision` None is the plain loop."""
    import timm
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    X, Y = make_segments(args.batch_size * args.batches, args)
    X = torch.from_numpy(X.astype(np.float32) / 80 + 1)[:, None].split(args.batch_size)
    Y = torch.from_numpy(Y).split(args.batch_size)
    model = timm.create_model(
        args.backbone, in_chans=1, num_classes=N_SPECIES, drop_rate=0.2
    )
    layout, dtype, context = torch.contiguous_format, None, nullcontext()
    if precision is not None:
        from skbird.nn._allocator import keep_freed_memory
        from skbird.nn._precision import PRECISIONS, depthwise_in_float32

        keep_freed_memory()
        layout, dtype = torch.channels_last, PRECISIONS[precision]
        context = depthwise_in_float32(model, dtype is not None)
    model = model.to(memory_format=layout).train()
    context.__enter__()
    X = [x.contiguous(memory_format=layout) for x in X]
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

    def epoch():
        for x, y in zip(X, Y, strict=True):
            with torch.autocast("cpu", dtype=dtype, enabled=dtype is not None):
                logits = model(x)
            loss = binary_cross_entropy_with_logits(logits.float(), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()

    epoch.context = context  # lasts as long as the function
    return epoch


def loop_of_skbird(args, augment):
    """Return a function that trains an epoch with skbird."""
    from skbird.data import Spectrograms
    from skbird.nn import CNNClassifier

    X, Y = make_segments(args.batch_size * args.batches, args)
    X = Spectrograms.from_arrays(X, normalize="minmax", top_db=80.0)
    net = CNNClassifier(
        args.backbone,
        backbone_weights=None,
        max_epochs=1,
        batch_size=args.batch_size,
        precision=args.precision,
        warm_start=True,
        device="cpu",
        verbose=0,
    )
    if not augment:
        for name in ("mixup", "shift", "time_mask", "frequency_mask", "erasing"):
            net.set_params(**{f"callbacks__{name}": None})
    return lambda: net.fit(X, Y)


def work(kind, args, connection):
    """Train an epoch whenever asked to and answer how long it took."""
    if kind.startswith("skbird"):
        epoch = loop_of_skbird(args, augment=kind.endswith("augmented"))
    else:
        epoch = loop_by_hand(args, None if kind == "plain" else args.precision)
    epoch()  # memory is allocated, code is warm
    connection.send("ready")
    while connection.recv() == "go":
        start = time.perf_counter()
        epoch()
        connection.send(time.perf_counter() - start)


def main():
    """Parse the command line, run, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="efficientnet_b0")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--batches", type=int, default=4, help="in each turn")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--n-mels", type=int, default=128)
    parser.add_argument("--n-frames", type=int, default=313)
    formats = ["float32", "bfloat16"]
    parser.add_argument("--precision", choices=formats, default="bfloat16")
    args = parser.parse_args()
    print(f"{args.backbone}, {args.precision}", flush=True)
    context = get_context("spawn")
    workers = {}
    for kind in KINDS:
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(kind, args, theirs))
        process.start()
        ours.recv()
        workers[kind] = process, ours
    seconds = {kind: [] for kind in KINDS}
    for _ in range(args.rounds):
        for kind, (_, connection) in workers.items():
            connection.send("go")
            seconds[kind].append(connection.recv())
    for process, connection in workers.values():
        connection.send("stop")
        process.join()
    n = args.batch_size * args.batches
    results = {}
    for kind in KINDS:
        rate = n / statistics.median(seconds[kind])
        against = {
            base: statistics.median(
                b / k for b, k in zip(seconds[base], seconds[kind], strict=True)
            )
            for base in ("plain", "by hand")
        }
        results[kind] = {"segments_per_s": rate, "seconds": seconds[kind], **against}
        print(
            f"{kind:18s} {rate:6.1f} segments/s, {against['plain']:.2f} x plain, "
            f"{against['by hand']:.3f} x by hand"
        )
    print(f"written to {write_results('training_speed', vars(args), results)}")


if __name__ == "__main__":
    main()
