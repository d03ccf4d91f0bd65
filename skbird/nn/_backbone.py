"""Any timm network as the part that turns spectrograms into feature maps."""

from difflib import get_close_matches
from pathlib import Path

import torch

from skbird.nn._weights import not_finite
from skbird.nn._weights_origin import is_file, origin_of
from skbird.utils._names import one_line


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
        (batch, ``backbone.num_features``, frequency, time), if it is a convolutional
        network; `check_takes` finds out.

    Raises
    ------
    ValueError
        If timm has no such model, or the weights do not load.
    """
    import timm  # it takes more than a second, and only what trains needs it

    if not timm.is_model(name):
        near = get_close_matches(name, timm.list_models(), n=5)
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
    if is_file(weights):
        _check_loaded(name, weights, backbone, options)
    if not isinstance(getattr(backbone, "num_features", None), int):
        raise ValueError(
            f"backbone={name!r} has no single number of features. Choose a "
            "convolutional network, such as 'efficientnet_b0'."
        )
    return backbone


def _check_loaded(name, weights, backbone, options):
    # timm ignores names that it does not know, so a file of another network would
    # leave the weights random without a word.
    wanted = backbone.state_dict().keys()
    shared = wanted & options["pretrained_cfg_overlay"]["state_dict"].keys()
    if len(shared) < len(wanted) / 2:
        reason = f"it has only {len(shared)} of its {len(wanted)} tensors"
        raise ValueError(_weights_message(name, weights, reason))
    wrong = not_finite(backbone.state_dict())
    if wrong is not None:
        reason = f"{wrong} holds NaN or infinity"
        raise ValueError(_weights_message(name, weights, reason))


def _weight_options(weights):
    if weights is None:
        return {"pretrained": False}
    if weights == "pretrained":
        return {"pretrained": True}
    path = Path(weights).expanduser()
    if not path.is_file():
        raise ValueError(
            f"backbone_weights={str(weights)!r} is neither 'pretrained', None nor a "
            "file."
        )
    overlay = {"state_dict": _read_state(path)}
    if origin_of(path) is not None:  # timm warns of stems that it need not adapt
        overlay["input_size"] = (1, 224, 224)
    return {"pretrained": True, "pretrained_cfg_overlay": overlay}


def _read_state(path):
    """Read a state dict without running code that the file may hold."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as exc:  # each damaged format has errors of its own
        raise ValueError(
            f"backbone_weights={str(path)!r} cannot be read as safetensors or as a "
            f"state dict that torch.save wrote ({type(exc).__name__}): it is damaged, "
            "or holds more than names and tensors."
        ) from None  # torch's message recommends to run the code of the file
    if not isinstance(state, dict):
        raise ValueError(
            f"backbone_weights={str(path)!r} holds a {type(state).__name__} instead of "
            "a state dict (names and tensors)."
        )
    return state


def _weights_message(name, weights, exc):
    lines = str(exc).splitlines() or [type(exc).__name__]
    # torch says in the first line only that there are errors.
    first = lines[1].strip() if lines[0].endswith(":") and lines[1:] else lines[0]
    reason = first.rstrip(".")
    if weights == "pretrained":
        return (
            f"backbone_weights='pretrained' loads the ImageNet weights of {name} from "
            f"the network or its cache, which failed: {reason}. Without a network "
            "pass backbone_weights=None (random weights) or the path of a weights "
            "file; with HF_HUB_OFFLINE=1 in the environment it fails at once instead "
            "of retrying."
        )
    origin = None if isinstance(exc, OSError) else origin_of(weights)
    whose = "" if origin is None else f" They are of {one_line(origin.backbone)}."
    return f"backbone_weights={str(weights)!r} do not fit {name}: {reason}.{whose}"
