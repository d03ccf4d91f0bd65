"""Refuse parameters that a network does not have."""

from difflib import get_close_matches
from functools import lru_cache
from inspect import Parameter, isroutine, signature

import torch

_PARTS = (
    "module",
    "criterion",
    "optimizer",
    "iterator_train",
    "iterator_valid",
    "dataset",
)


def check_names(net, params, error):
    """Raise unless the network, or the part of it that is meant, has the parameters.

    skorch itself asks when it builds the network, which in a pipeline is after all
    recordings were decoded, and not at all for callbacks that are not there.

    Parameters
    ----------
    net : SegmentNet
    params : dict of str to object
        The parameters to set, as ``__init__`` and ``set_params`` take it.
    error : type
        Class of the error: TypeError or ValueError.
    """
    # With `kwargs` itself, which scikit-learn's checks pass: skorch refuses it in fit.
    own = {p.name for base in type(net).__mro__ for p in _parameters(base)}
    if params.keys() <= own:
        return
    known = own | _names_of_parts(net, vars(net) | params)
    unknown = [name for name in params if not _is_known(name, known)]
    if unknown:
        close = [get_close_matches(name, known) for name in unknown]
        what = " and ".join(
            repr(name) + (f" (did you mean {' or '.join(meant)}?)" if meant else "")
            for name, meant in zip(unknown, close, strict=True)
        )
        raise error(
            f"{type(net).__name__} has no parameter {what}. get_params() lists all "
            "that are set, among them those of the recipe's callbacks."
        )


def _parameters(made_by):
    """Return the parameters of a class or function, as its signature has them."""
    if isroutine(made_by):
        return signature(made_by).parameters.values()
    return _parameters_of_class(made_by, getattr(made_by.__init__, "__code__", None))


# Every clone asks, and to read all signatures takes milliseconds. A notebook that loads
# modules anew gives classes other code.
@lru_cache(maxsize=200)
def _parameters_of_class(cls, code):
    return tuple(signature(cls).parameters.values())


def _is_known(name, known):
    words = name.split("__")
    # Beyond it is the business of the part: groups of the optimizer, for instance.
    stem = "__".join(words[: 3 if words[0] == "callbacks" else 2])
    return stem in known or f"{stem.rpartition('__')[0]}__*" in known


def _names_of_parts(net, values):
    """Return names that begin with a part; ``part__*`` is for one that takes any."""
    known = {"optimizer__param_groups"}
    parts = {part: values[part] for part in _PARTS} | {"compile": torch.compile}
    for name, callback in net._uniquely_named_callbacks():
        known.add(f"callbacks__{name}")
        parts[f"callbacks__{name}"] = values.get(f"callbacks__{name}", callback)
    for part, value in parts.items():
        known |= {f"{part}__{option}" for option in _options(value)}
    return known


def _options(part):
    """Return the keyword arguments that make a part; "*" if it takes any."""
    if part is None:  # a callback switched off, perhaps only for now
        return {"*"}
    made_by = part if isroutine(part) or isinstance(part, type) else type(part)
    try:
        parameters = _parameters(made_by)
    except ValueError:  # some made in C do not tell
        return {"*"}
    return {"*" if p.kind is Parameter.VAR_KEYWORD else p.name for p in parameters}
