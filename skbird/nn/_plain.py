"""States of trainings as plain data, so that reading a checkpoint runs no code."""

import numpy as np
import torch

_SCALARS = (str, bytes, int, float, bool, torch.Tensor, type(None))
_KIND = "skbird kind"


class NotPlainError(TypeError):
    """A value is not plain data."""


def to_plain(value):
    """Write a value as what ``torch.load(weights_only=True)`` takes.

    Parameters
    ----------
    value : tensors, arrays, numbers, text, and dicts, lists, tuples and sets of them
        Also objects with the methods ``state_dict`` and ``load_state_dict``.

    Returns
    -------
    object
        For `from_plain`.

    Raises
    ------
    NotPlainError
        If it is, or holds, anything else.
    """
    if type(value) in _SCALARS:
        return value
    if isinstance(value, np.generic):
        return to_plain(value.item())
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return {_KIND: "array", "value": torch.from_numpy(value.copy())}
    if isinstance(value, dict):
        items = [(to_plain(key), to_plain(part)) for key, part in value.items()]
        return {_KIND: "dict", "value": items}
    if type(value) in (list, tuple, set):
        return type(value)(map(to_plain, value))
    if hasattr(value, "state_dict") and hasattr(value, "load_state_dict"):
        return {_KIND: "state", "value": to_plain(value.state_dict())}
    raise NotPlainError(f"{type(value).__name__} is not plain data")


def from_plain(value):
    """Return what `to_plain` was given; of an object with a state, a `State`."""
    if isinstance(value, dict):
        return _DECODERS[value[_KIND]](value["value"])
    if type(value) in (list, tuple, set):
        return type(value)(map(from_plain, value))
    return value


class State:
    """The state of an object that must be made in another way."""

    def __init__(self, value):
        self.state_dict = from_plain(value)


_DECODERS = {
    "array": torch.Tensor.numpy,
    "dict": lambda items: {from_plain(k): from_plain(v) for k, v in items},
    "state": State,
}
