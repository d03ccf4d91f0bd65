"""Parameters of a pipeline, as flags and files can say them."""

from difflib import get_close_matches

import click

_NET = "sedclassifier"
# Steps that can be left out, by their classes.
_FILTERS = {"bandpass": "BandPass", "rmsfilter": "RMSFilter", "vadfilter": "VADFilter"}
_LOSS, _OPTIMIZER = f"{_NET}__criterion", f"{_NET}__optimizer"
# Parts of the network that are written in tables of their own.
_PARTS = {f"{_NET}__{part}" for part in ("callbacks", "criterion", "optimizer")}
_WITHOUT_EFFECT = {
    "dataset": "batches are drawn from spectrograms",
    "iterator_train": "batches are drawn from spectrograms; see batch_size",
    "iterator_valid": "batches are drawn from spectrograms; see batch_size",
    "torch_load_kwargs": "nothing is loaded by skorch",
    "predict_nonlinearity": "probabilities are sigmoids of logits",
}


def spread(values, known):
    """Give what is in tables the names that ``set_params`` takes.

    Parameters
    ----------
    values : dict
        ``{"sedclassifier": {"lr": 0.1}}`` means ``{"sedclassifier__lr": 0.1}``, which
        counts more.
    known : dict
        The parameters of the pipeline. A table for one that is no part of it, with
        parameters of its own, stays a table.

    Returns
    -------
    dict
    """
    parts = {name.rpartition("__")[0] for name in known} | _PARTS
    nested, plain = {}, {}
    for name, value in values.items():
        if isinstance(value, dict) and name in parts:
            inner = {f"{name}__{key}": inner for key, inner in value.items()}
            nested |= spread(inner, known)
        else:
            plain[name] = value
    return nested | plain


def add_filters(pipe, values):
    """Put the filters that are named, but that the recipe leaves out, in their places.

    Parameters
    ----------
    pipe : Pipeline
    values : dict
        By names such as ``vadfilter__threshold`` or ``vadfilter``.

    Returns
    -------
    Pipeline
    """
    from sklearn.pipeline import Pipeline

    from skbird import preprocessing

    named = {name.split("__")[0] for name in values}
    steps = list(pipe.steps)
    place = list(pipe.named_steps).index("logmel")
    for name in ("rmsfilter", "vadfilter"):  # each stands in front of the one before
        if name in pipe.named_steps:
            place = list(dict(steps)).index(name)
        elif name in named:
            steps.insert(place, (name, getattr(preprocessing, _FILTERS[name])()))
    return Pipeline(steps)


def from_text(values, known):
    """Return parameters with classes for their names; refuse what no text can say.

    Parameters
    ----------
    values : dict
        As `spread` returns it.
    known : dict
        The parameters of the pipeline.

    Returns
    -------
    dict

    Raises
    ------
    click.UsageError
        If a parameter takes an object of Python, or has no effect.
    ValueError
        If an optimizer cannot train the networks.
    """
    for name, value in values.items():
        _check(name, value, known)
    # A filter that is named is a step already, see `add_filters`.
    values = dict(item for item in values.items() if item not in _FILTERS.items())
    find = {_LOSS: _find_loss, _OPTIMIZER: _find_optimizer}
    return {n: find[n](v) if n in find else v for n, v in values.items()}


def _check(name, value, known):
    words = name.split("__")
    if words[0] == _NET and len(words) > 1 and words[1] in _WITHOUT_EFFECT:
        reason = _WITHOUT_EFFECT[words[1]]
        raise click.UsageError(f"set: {name} has no effect: {reason}. Leave it out.")
    if name in _FILTERS:
        is_right = value in ("passthrough", _FILTERS[name])
        remedy = f" to leave it out, 'passthrough', or {_FILTERS[name]!r}"
    elif name.startswith(f"{_NET}__callbacks__") and len(words) == 3:
        is_right, remedy = value is None, " to leave it out, None"
    elif name == f"{_NET}__callbacks":
        is_right, remedy = value in (None, "disable"), " None or 'disable'"
    else:
        takes_objects = ("steps", f"{_NET}__module")
        is_step = hasattr(known.get(name), "get_params")
        is_right, remedy = not (is_step or name in takes_objects), ""
    if not is_right:
        remedy = f"here only{remedy}" if remedy else "not text"
        raise click.UsageError(
            f"set: {name}={value!r:.100}: it takes an object of Python; {remedy}. Set "
            f"parameters of it, as {name}__..., or train in Python."
        )


def _find_loss(name):
    from torch.nn import Module

    import skbird.nn

    members = {n: getattr(skbird.nn, n) for n in skbird.nn.__all__}
    losses = {
        name: member
        for name, member in members.items()
        if isinstance(member, type) and issubclass(member, Module)
    }
    return _find_class(_LOSS, name, "loss", skbird.nn, losses)


def _find_optimizer(name):
    from torch import optim

    from skbird.utils._optimizers import check_optimizer, usable_optimizers

    if isinstance(name, str):
        check_optimizer(getattr(optim, name, None))
    return _find_class(_OPTIMIZER, name, "optimizer", optim, usable_optimizers())


def _find_class(parameter, name, kind, module, classes):
    """Return the class of a name, if it is one of those of a module."""
    if not isinstance(name, str) or name not in classes:
        raise click.UsageError(
            f"set: {parameter}={name!r:.100} is no {kind} of {module.__name__}. Known: "
            f"{', '.join(classes)}."
        )
    return classes[name]


def unknown_name(name, known):
    """Say that there is no such name, and which there are that are like it.

    Parameters
    ----------
    name : str
    known : sequence of str

    Returns
    -------
    str
    """
    inner = [other for other in known if other.endswith(f"__{name}")]
    near = (inner or get_close_matches(name, known))[:3]
    if near:
        return f"there is no {name!r}. Did you mean {' or '.join(near)}?"
    outer = [other for other in known if "__" not in other]
    more = ", and what comes behind their __" if len(outer) < len(known) else ""
    return f"there is no {name!r}. Known: {', '.join(outer)}{more}"
