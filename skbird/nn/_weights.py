"""State dicts of networks."""

import torch


def copy_weights(module):
    """Return a copy of the state dict of a module."""
    return {name: value.clone() for name, value in module.state_dict().items()}


def mean_weights(states):
    """Average several state dicts of one network; counters are of the first."""
    return {
        name: torch.stack([state[name] for state in states]).mean(dim=0)
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }


def not_finite(state):
    """Return the name of a tensor of a state dict that holds NaN or infinity, or None.

    Parameters
    ----------
    state : dict of str to tensor
    """
    floats = {k: value for k, value in state.items() if value.is_floating_point()}
    # All are looked at, then the answers read at once: each reading waits for a GPU.
    finite = [torch.isfinite(value).all() for value in floats.values()]
    if not finite or torch.stack(finite).all():
        return None
    return next(name for name, good in zip(floats, finite, strict=True) if not good)
