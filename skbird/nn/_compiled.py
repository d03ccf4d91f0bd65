"""Unwrap modules that torch.compile has wrapped."""

_INSIDE = "_orig_mod"


def uncompiled(module):
    """Return the module that torch.compile wrapped; one that is not wrapped, itself.

    The wrapper is of this machine, its parameters have other names, and hooks do not
    work inside it.

    Parameters
    ----------
    module : torch.nn.Module

    Returns
    -------
    torch.nn.Module
    """
    return getattr(module, _INSIDE, module)


def uncompiled_name(name):
    """Return the name that a parameter has in the module inside the wrapper."""
    return name.removeprefix(f"{_INSIDE}.")
