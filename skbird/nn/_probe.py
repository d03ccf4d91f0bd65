"""Check parameters and shapes before a training, or before files are decoded."""

import torch
from sklearn.base import clone

from skbird.data import SegmentGrid, SpectrogramFormat
from skbird.nn._compiled import uncompiled
from skbird.nn._recipe_callback import RecipeCallback
from skbird.utils._text import counted

# Most networks halve their input five times; some fit its halves together again.
_STRIDE = 32


def check_net(net, n_mels, n_frames, n_species):
    """Raise for parameters that `fit` would refuse; see `SegmentNet.check_input`."""
    net = clone(net)
    net._check_parameters()
    check_device(net.device)
    net.species_ = [f"species {column}" for column in range(n_species)]
    # Only the shape matters: any frames and bands will do.
    grid = SegmentGrid(float(n_frames - 1), 0.0)
    net.format_ = SpectrogramFormat(tuple(range(n_mels)), 1.0, grid)
    with torch.random.fork_rng():
        net.initialize()
    for _, callback in net.callbacks_:
        if isinstance(callback, RecipeCallback):
            callback.check_parameters()


def check_device(device):
    """Raise a ValueError if torch cannot use a device.

    Parameters
    ----------
    device : str or torch.device
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as exc:  # the latter without CUDA
        raise ValueError(
            f"device={device!r} cannot be used: {str(exc).splitlines()[0]:.200} Take "
            "'auto', 'cpu' or 'cuda'."
        ) from exc


def check_takes(module, backbone, n_mels, n_frames):
    """Raise if a network cannot take segments of this shape.

    Parameters
    ----------
    module : torch.nn.Module
        The network with its head. It is not changed.
    backbone : str
        Its name, for the message.
    n_mels, n_frames : int
        Shape of the segments.

    Raises
    ------
    ValueError
        Names the backbone, the shape and the remedy.
    """
    reason = _why_not(module, n_mels, n_frames)
    if reason is None:
        return
    near = [-(-size // _STRIDE) * _STRIDE for size in (n_mels, n_frames)]
    remedy = (
        "Choose a convolutional network that gives a map (batch, channels, frequency, "
        "time) of spectrograms of any size, such as 'efficientnet_b0'."
    )
    if near != [n_mels, n_frames] and _why_not(module, *near) is None:
        remedy = (
            f"It takes {near[0]} x {near[1]}: change n_mels of LogMel, or segment_s of "
            "Segmenter (frames are 1 + segment_s * sample_rate / hop_length). Or "
            "choose one that takes any size, such as 'efficientnet_b0'."
        )
    raise ValueError(
        f"backbone={backbone!r} cannot take segments of {n_mels} mel bands x "
        f"{n_frames} frames ({reason}). {remedy}"
    )


def check_batches(net, dataset):
    """Raise if a batch would be of one segment, and that is too little for the network.

    Norms of batches need two values of each channel: two segments, or one of which the
    network keeps more than one place.

    Parameters
    ----------
    net : SegmentNet
        Initialized. It is not changed.
    dataset : SegmentDataset
        What it is about to be trained on.

    Raises
    ------
    ValueError
    """
    n_segments = len(dataset) * net.segments_per_row
    if n_segments // max(net.steps_per_epoch(dataset), 1) != 1:
        return  # batches are about alike: none is smaller than that
    shape = net.format_.n_mels, net.format_.frames_per_segment
    module = uncompiled(net.module_)
    buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
    try:
        with torch.no_grad(), torch.random.fork_rng():
            like = next(module.parameters())
            module.train()(like.new_zeros(1, 1, *shape))
    except ValueError as exc:
        raise ValueError(
            f"backbone={net.backbone!r} cannot be trained on a batch of one segment of "
            f"{shape[0]} mel bands x {shape[1]} frames, and of "
            f"{counted(n_segments, 'segment')} in batches of batch_size="
            f"{net.batch_size} at least one is alone. Train on more rows, or raise "
            "segments_per_row, batch_size or the length of segments."
        ) from exc
    finally:
        for name, buffer in module.named_buffers():
            buffer.copy_(buffers[name])


def _why_not(module, n_mels, n_frames):
    """Return why a network cannot take segments of this shape, None if it can."""
    like = next(module.parameters())
    training = module.training
    try:
        with torch.no_grad():
            module.eval()(like.new_zeros(1, 1, n_mels, n_frames))
    except Exception as exc:  # each family of networks has errors of its own
        reason = str(exc).partition("\n")[0][:200].rstrip(" .")
        return f"{type(exc).__name__}: {reason}" if reason else type(exc).__name__
    finally:
        module.train(training)
    return None
