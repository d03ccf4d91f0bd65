"""Grad-CAM of any layer of a network, by captum."""

from contextlib import contextmanager
from difflib import get_close_matches

import numpy as np
from scipy import ndimage

from skbird.utils._extras import install_hint

# What timm calls the sequence of a network's blocks, if it has one.
_BLOCK_LISTS = ("blocks", "stages")


def _import_captum():
    try:
        from captum.attr import LayerGradCam
    except ModuleNotFoundError as exc:
        raise ImportError(
            f"Grad-CAM needs captum; install it with: {install_hint('explain')}"
        ) from exc
    return LayerGradCam


@contextmanager
def evaluating(module):
    """Put a module into evaluation mode, and back as it was."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def block_names(net):
    """List the blocks of a fitted network's backbone, from the input on.

    Parameters
    ----------
    net : CNNClassifier or SEDClassifier
        Fitted.

    Returns
    -------
    list of str
        Such as ``["blocks.0", ..., "blocks.6"]`` of EfficientNets; for networks without
        a list of blocks the layers at which timm takes features, such as "layer1".
    """
    backbone = _module(net).backbone
    for name in _BLOCK_LISTS:
        blocks = getattr(backbone, name, None)
        if blocks is not None:
            return [f"{name}.{number}" for number, _ in blocks.named_children()]
    names = dict.fromkeys(info["module"] for info in backbone.feature_info)
    known = dict(backbone.named_modules())
    return [name for name in names if name in known]


def find_layer(net, name):
    """Return a layer of a fitted network by its name.

    Parameters
    ----------
    net : CNNClassifier or SEDClassifier
        Fitted.
    name : str
        As ``module_.backbone.named_modules()`` or ``module_.named_modules()`` has it.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    module = _module(net)
    layers = dict(module.named_modules()) | dict(module.backbone.named_modules())
    layers.pop("")
    if name not in layers:
        near = get_close_matches(str(name), layers, n=5) or block_names(net)
        raise ValueError(
            f"layer={name!r} is not a layer of the network. Near it: {near}; "
            "module_.backbone.named_modules() lists all."
        )
    return layers[name]


def grad_cam(net, X, segments, species, layer):
    """Compute Grad-CAM: where a layer's features speak for a species.

    Channels of the layer are weighted by the mean gradient of the species' logit of
    the segment, added, and cut at 0. The network stays as it is.

    Parameters
    ----------
    net : CNNClassifier or SEDClassifier
        Fitted.
    X : Spectrograms
    segments : array-like of shape (n,), int
        Numbers of segments of X.
    species : array-like of shape (n,), int
        For each segment the column of the species to explain.
    layer : str
        Name of a layer whose output is (batch, channels, frequency, time).

    Returns
    -------
    ndarray of shape (n, height, width), float32
        Of the layer's own resolution; the lowest frequencies first. >= 0.

    References
    ----------
    Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via
    Gradient-based Localization", ICCV 2017.
    """
    import torch

    from skbird.nn import normalize_batch, spectrograms_for, to_segment_tensor

    X = spectrograms_for(net, X)
    segments, species = np.asarray(segments), np.asarray(species)
    module = _module(net)
    explain = _import_captum()(module, find_layer(net, layer))
    maps = []
    with evaluating(module), torch.enable_grad():
        for first in range(0, len(segments), net.batch_size):
            batch = slice(first, first + net.batch_size)
            inputs = to_segment_tensor(X.segments(segments[batch]), net.device)
            inputs = normalize_batch(inputs, X.format.normalize, X.format.top_db)
            inputs = inputs.contiguous(memory_format=torch.channels_last)
            target = torch.from_numpy(species[batch]).to(net.device)
            cam = explain.attribute(inputs, target, relu_attributions=True)
            if cam.ndim != 4:
                raise ValueError(
                    f"layer={layer!r} gives {tuple(cam.shape)} and not a map (batch, "
                    f"channels, frequency, time). Choose one of {block_names(net)}."
                )
            maps.append(cam[:, 0].detach().float().cpu().numpy())
    return np.concatenate(maps)


def resize(maps, shape):
    """Interpolate maps of any resolution linearly to that of the spectrogram.

    Parameters
    ----------
    maps : ndarray of shape (n, ...)
        Cells of equal size that share out the axes of the spectrogram.
    shape : tuple of int
        The new shape of each map.

    Returns
    -------
    ndarray of shape (n, *shape), float32
    """
    factors = np.divide(shape, maps.shape[1:])
    return ndimage.zoom(
        maps.astype(np.float32), (1, *factors), order=1, mode="nearest", grid_mode=True
    )


def _module(net):
    from skbird.nn import uncompiled

    return uncompiled(net.module_)  # hooks do not work inside a compiled one
