"""Options of the optimizer, and groups of parameters that it treats differently."""

import torch

from skbird.nn._compiled import uncompiled_name

_CHOICES = {"fused", "foreach", "differentiable", "capturable"}


def fast_options(optimizer, device, given):
    """Return the options with which an optimizer is fastest on a device.

    Parameters
    ----------
    optimizer : type
    device : str or torch.device
    given : collection of str
        Options that the user has set: one of another way of computing is left alone.

    Returns
    -------
    dict
        On CUDA and CPUs Adam and AdamW are fused: one kernel in place of a dozen.
    """
    has_fused = optimizer in (torch.optim.Adam, torch.optim.AdamW)
    is_known = torch.device(device).type in ("cpu", "cuda")
    return (
        {"fused": True} if has_fused and is_known and not _CHOICES & set(given) else {}
    )


def make_parameter_groups(named_parameters, lr, weight_decay, backbone_lr_factor):
    """Group parameters: no decay of norms and biases, another rate for the backbone.

    Parameters
    ----------
    named_parameters : iterable of (str, Parameter)
        Those of the network; the backbone's names start with ``backbone.``.
    lr, weight_decay : float
        Learning rate of the head; decay of all weights but norms and biases.
    backbone_lr_factor : float
        Rate of the backbone, as a share of `lr`.

    Returns
    -------
    list of dict
        As torch's optimizers take them.
    """
    groups = {}
    for name, parameter in named_parameters:
        if not parameter.requires_grad:
            continue
        in_backbone = uncompiled_name(name).startswith("backbone.")
        # Scales, shifts and biases have one dimension.
        key = (in_backbone, parameter.ndim > 1)
        groups.setdefault(key, []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": lr * (backbone_lr_factor if in_backbone else 1.0),
            "weight_decay": weight_decay if decays else 0.0,
        }
        for (in_backbone, decays), parameters in groups.items()
    ]
