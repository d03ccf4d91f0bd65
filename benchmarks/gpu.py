"""Time training and prediction on a GPU, against a loop written by hand.

Usage::

    python benchmarks/gpu.py

Random spectrograms, 206 species. The baseline, ``by hand``, is as fast as eager torch
can be: normalised float32 batches that lie on the device, channels last, autocast,
fused AdamW, and nothing in it waits for the device. Against it:

- ``skbird``: ``CNNClassifier.fit`` without augmentation, from spectrograms on the host.
- ``skbird, augmented``: with all that is on by default.
- ``predict by hand``, ``predict``: the network's forward pass on batches that lie on
  the device, and ``predict_proba`` from spectrograms on the host; in float32.

Without a GPU it measures the one thing that can be: how much of the time that reading
takes is hidden where batches are read ahead from mapped files, behind a small network
on one core of the CPU, and behind a stand-in for a GPU, which leaves the CPU alone.
"""

import argparse
import statistics
import time

import numpy as np
import torch
from _common import write_results
from _overlap import measure_overlap
from skorch.callbacks import Callback
from torch.nn.functional import binary_cross_entropy_with_logits

from skbird.data import Spectrograms
from skbird.nn import CNNClassifier

N_SPECIES = 206
AUGMENTATIONS = ("mixup", "shift", "time_mask", "frequency_mask", "erasing")
DTYPES = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Clock(Callback):
    """Notes when each epoch has come to its end on the device."""

    def __init__(self):
        self.times = []

    def on_train_begin(self, net, **kwargs):
        """Begin anew."""
        self.times = []

    def on_epoch_end(self, net, **kwargs):
        """Wait for the device, note the time."""
        wait(net.device)
        self.times.append(time.perf_counter())

    def seconds(self):
        """Return the median time of an epoch, from end to end; the first one warms."""
        return statistics.median(np.diff(self.times))


def wait(device):
    """Wait until the device has done all it was given."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


def make_segments(n, args):
    """Return random segments in dB, (n, n_mels, n_frames) float16, and targets."""
    rng = np.random.default_rng(0)
    X = rng.random((n, args.n_mels, args.n_frames), dtype=np.float32)
    Y = (rng.random((n, N_SPECIES)) < 0.02).astype(np.float32)
    return (80 * X - 80).astype(np.float16), Y


def make_net(args, batch_size, **options):
    """Return a network that is not fitted."""
    return CNNClassifier(
        args.backbone,
        backbone_weights=None,
        max_epochs=1 + args.epochs,
        batch_size=batch_size,
        device=args.device,
        random_state=0,
        verbose=0,
        **options,
    )


def resident_batches(X, Y, args, batch_size):
    """Return batches on the device, normalised, and their targets."""
    batches = []
    for first in range(0, len(X), batch_size):
        part = torch.from_numpy(X[first : first + batch_size]).to(args.device)
        part = (part.float() / 80 + 1)[:, None]
        target = torch.from_numpy(Y[first : first + batch_size]).to(args.device)
        batches.append((part.contiguous(memory_format=torch.channels_last), target))
    return batches


def time_epochs(epoch, args):
    """Return the median seconds of an epoch."""
    epoch()
    seconds = []
    for _ in range(args.epochs):
        wait(args.device)
        start = time.perf_counter()
        epoch()
        wait(args.device)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def loop_by_hand(batches, args, precision):
    """Return a function that trains an epoch."""
    import timm

    model = timm.create_model(
        args.backbone, in_chans=1, num_classes=N_SPECIES, drop_rate=0.2
    )
    model = model.to(args.device, memory_format=torch.channels_last).train()
    kind, dtype = torch.device(args.device).type, DTYPES[precision]
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, fused=kind == "cuda")
    scaler = torch.amp.GradScaler(kind, enabled=precision == "float16")

    def epoch():
        for x, y in batches:
            with torch.autocast(kind, dtype=dtype, enabled=dtype is not None):
                logits = model(x)
            loss = binary_cross_entropy_with_logits(logits.float(), y)
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()

    return epoch


def time_training(X, Y, args, batch_size, precision):
    """Return seconds of an epoch by kind of training."""
    batches = resident_batches(X, Y, args, batch_size)
    seconds = {"by hand": time_epochs(loop_by_hand(batches, args, precision), args)}
    del batches
    spectrograms = Spectrograms.from_arrays(X, normalize="minmax", top_db=80.0)
    for kind in ("skbird", "skbird, augmented"):
        clock = Clock()
        net = make_net(
            args, batch_size, precision=precision, callbacks=[("clock", clock)]
        )
        if kind == "skbird":
            net.set_params(**{f"callbacks__{name}": None for name in AUGMENTATIONS})
        net.fit(spectrograms, Y)
        seconds[kind] = clock.seconds()
    return seconds


def time_prediction(X, Y, args, batch_size):
    """Return seconds of a prediction of all segments, by hand and by skbird."""
    spectrograms = Spectrograms.from_arrays(X, normalize="minmax", top_db=80.0)
    net = make_net(args, batch_size, precision="float32")
    net.fit(spectrograms[:batch_size], Y[:batch_size])
    batches = resident_batches(X, Y, args, batch_size)

    def by_hand():
        with torch.inference_mode():
            return torch.cat([net.module_(x) for x, _ in batches]).cpu()

    net.module_.eval()
    seconds = {"predict by hand": time_epochs(by_hand, args)}
    seconds["predict"] = time_epochs(lambda: net.predict_proba(spectrograms), args)
    return seconds


def report(setting, seconds, n):
    """Print segments per second and ratios; return them."""
    base, *_ = seconds.values()
    lines = {}
    for kind, taken in seconds.items():
        lines[kind] = {"segments_per_s": n / taken, "of by hand": base / taken}
        print(
            f"{setting:22s} {kind:18s} {n / taken:7.0f} segments/s, "
            f"{base / taken:.3f} x by hand",
            flush=True,
        )
    return lines


def run_on_gpu(args):
    """Time all settings; return the results."""
    X, Y = make_segments(args.segments, args)
    results = {}
    for batch_size in args.batch_sizes:
        for precision in args.precisions:
            setting = f"{precision}, batch {batch_size}"
            seconds = time_training(X, Y, args, batch_size, precision)
            results[setting] = report(setting, seconds, len(X))
        seconds = time_prediction(X, Y, args, batch_size)
        setting = f"batch {batch_size}"
        results[setting] = report(setting, seconds, len(X))
    return results


def main():
    """Parse the command line, measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="efficientnet_b0")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--precisions", nargs="+", default=list(DTYPES))
    parser.add_argument("--segments", type=int, default=5120)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--n-mels", type=int, default=128)
    parser.add_argument("--n-frames", type=int, default=313)
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args()
    has_gpu = torch.cuda.is_available()
    name = torch.cuda.get_device_name() if has_gpu else "no GPU"
    print(f"{args.backbone} on {name}, torch {torch.__version__}", flush=True)
    if has_gpu or args.device != "cuda":
        results = run_on_gpu(args)
    else:
        print("There is no GPU; reading ahead, from files, beside the CPU:")
        results = measure_overlap()
    print(f"written to {write_results('gpu', vars(args), results)}")


if __name__ == "__main__":
    main()
