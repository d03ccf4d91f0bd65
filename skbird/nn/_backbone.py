"""Any timm network as the part that turns spectrograms into feature maps."""

from pathlib import Path

import torch


def make_backbone(name, weights, drop_path_rate):
    """Build a convolutional network from timm without its classifier.

    Parameters
    ----------
    name : str
        A model of timm, such as "efficientnet_b0".
    weights : {"pretrained", None} or path
        ImageNet weights from the network; random ones; or a file (safetensors, or what
        ``torch.save`` made of a state dict). Stems for three channels are adapted to
        one, as timm does.
    drop_path_rate : float
        Stochastic depth.

    Returns
    -------
    torch.nn.Module
        ``backbone.forward_features`` maps (batch, 1, n_mels, n_frames) to
        (batch, ``backbone.num_features``, frequency, time).

    Raises
    ------
    ValueError
        If timm has no such model, it gives no map, or the weights do not load.
    """
    timm = _import_timm()
    if not timm.is_model(name):
        near = timm.list_models(f"*{name[:8]}*")[:5]
        raise ValueError(
            f"backbone={name!r} is not a model of timm {timm.__version__}. "
            + (f"Did you mean one of {near}? " if near else "")
            + "timm.list_models() lists them all."
        )
    options = {"in_chans": 1, "num_classes": 0, "drop_path_rate": drop_path_rate}
    options |= _weight_options(weights)
    try:
        backbone = timm.create_model(name, **options)
    except TypeError:  # some families know no stochastic depth
        if drop_path_rate:
            raise ValueError(
                f"drop_path_rate={drop_path_rate}: {name} has no stochastic depth; "
                "set it to 0."
            ) from None
        del options["drop_path_rate"]
        backbone = timm.create_model(name, **options)
    except (OSError, RuntimeError, KeyError) as exc:
        raise ValueError(_weights_message(name, weights, exc)) from exc
    _check_gives_map(name, backbone)
    return backbone


def _check_gives_map(name, backbone):
    training = backbone.training
    try:
        with torch.no_grad():
            shape = backbone.eval().forward_features(torch.zeros(1, 1, 128, 160)).shape
    except (AssertionError, RuntimeError) as exc:  # made for one size of image
        shape = str(exc)
    backbone.train(training)
    if not isinstance(shape, torch.Size) or len(shape) != 4:
        raise ValueError(
            f"backbone={name!r} gives no map (batch, channels, frequency, time) for "
            f"spectrograms of any size ({shape}). Choose a convolutional network."
        )


def _import_timm():
    try:
        import timm
    except ModuleNotFoundError as exc:
        raise ImportError(
            "Networks need timm; install it with: pip install 'skbird[train]'"
        ) from exc
    return timm


def _weight_options(weights):
    if weights is None:
        return {"pretrained": False}
    if weights == "pretrained":
        return {"pretrained": True}
    path = Path(weights).expanduser()
    if not path.is_file():
        raise ValueError(
            f"weights={str(weights)!r} is neither 'pretrained', None nor a file."
        )
    return {"pretrained": True, "pretrained_cfg_overlay": {"file": str(path)}}


def _weights_message(name, weights, exc):
    reason = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
    if weights == "pretrained":
        return (
            f"weights='pretrained' downloads the ImageNet weights of {name}, which "
            f"failed: {reason}. Without a network pass weights=None (random weights) "
            "or the path of a weights file."
        )
    return f"weights={str(weights)!r} do not fit {name}: {reason}."
