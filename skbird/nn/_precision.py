"""Number formats of the training: float32, bfloat16 and float16."""

import copy
import time
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn

from skbird.nn._batches import normalize_batch, to_segment_tensor

PRECISIONS = {
    "float32": None,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
# Trying costs as much as some ten steps; half precision has to gain clearly, so that
# chance does not decide.
_MIN_STEPS = 200
_MIN_PARAMETERS = 1_000_000
_MIN_GAIN = 1.15


def choose_precision(net, dataset):
    """Return the name of the format that ``precision="auto"`` means.

    Parameters
    ----------
    net : SegmentNet
        Initialised.
    dataset : SegmentDataset
        The rows that it will be trained on.

    Returns
    -------
    {"float32", "bfloat16", "float16"}
        On CUDA bfloat16 where the device has it, else float16. Elsewhere float32, but
        on a CPU that computes with bfloat16 if the training is long enough to find out
        and bfloat16 was clearly faster in a few steps on a copy of the network.
    """
    device_type = torch.device(net.device).type
    if device_type == "cuda":
        # Older cards emulate bfloat16, slowly.
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return "bfloat16" if has_bfloat16 else "float16"
    if device_type != "cpu":
        return "float32"
    n_steps = net.max_epochs * net.steps_per_epoch(dataset)
    n_parameters = sum(p.numel() for p in net.module_.parameters())
    if n_steps < _MIN_STEPS or n_parameters < _MIN_PARAMETERS:
        return "float32"
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return "float32"
    with torch.random.fork_rng():
        gain = _measure_gain(net, dataset)
    return "bfloat16" if gain > _MIN_GAIN else "float32"


def _measure_gain(net, dataset):
    """Return how many times faster a step is in bfloat16, timed in turns."""
    module = copy.deepcopy(net.module_).train()
    batch = to_segment_tensor(
        dataset.spectrograms.segments(dataset.bounds[dataset.usable[: net.batch_size]])
    )
    batch = normalize_batch(batch, net.format_.normalize, net.format_.top_db)
    batch = batch.contiguous(memory_format=torch.channels_last)
    seconds = {None: [], torch.bfloat16: []}
    for _ in range(3):
        for dtype, times in seconds.items():
            with depthwise_in_float32(module, dtype is not None):
                start = time.perf_counter()
                with autocast("cpu", dtype):
                    loss = module(batch).float().square().mean()
                loss.backward()
                times.append(time.perf_counter() - start)
    # The first steps allocate memory and choose kernels; of the others the fastest was
    # disturbed least.
    return min(seconds[None][1:]) / min(seconds[torch.bfloat16][1:])


def autocast(device_type, dtype):
    """Return a context in which a network computes in `dtype`; None is float32."""
    return torch.autocast(device_type, dtype=dtype, enabled=dtype is not None)


@contextmanager
def depthwise_in_float32(module, active):
    """Keep depthwise convolutions out of autocast, as long as the context lasts.

    On CPUs torch has no fast gradient of them in bfloat16: it costs EfficientNets more
    than all other convolutions gain.

    Parameters
    ----------
    module : torch.nn.Module
    active : bool
        False leaves everything as it is.
    """
    depthwise = [
        part
        for part in module.modules()
        if active
        and isinstance(part, nn.Conv2d)
        and 1 < part.groups == part.in_channels
    ]
    for conv in depthwise:
        conv.forward = partial(_without_autocast, conv)
    try:
        yield
    finally:
        for conv in depthwise:
            del conv.forward


def _without_autocast(conv, x):
    with torch.autocast(x.device.type, enabled=False):
        return type(conv).forward(conv, x.float())
