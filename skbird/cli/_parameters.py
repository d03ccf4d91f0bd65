"""Parameters of a pipeline, as flags and files can say them."""

import click

_NET = "sedclassifier"
_FILTERS = ("bandpass", "rmsfilter", "vadfilter")  # steps that can be left out
_LOSS = f"{_NET}__criterion"
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


def from_text(values, known):
    """Return parameters with losses for their names; refuse what no text can say.

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
    """
    for name, value in values.items():
        _check(name, value, known)
    if _LOSS in values:
        return {**values, _LOSS: _find_loss(values[_LOSS])}
    return values


def _check(name, value, known):
    words = name.split("__")
    if words[0] == _NET and len(words) > 1 and words[1] in _WITHOUT_EFFECT:
        reason = _WITHOUT_EFFECT[words[1]]
        raise click.UsageError(f"set: {name} has no effect: {reason}. Leave it out.")
    if name in _FILTERS:
        is_right, remedy = value == "passthrough", " to leave it out, 'passthrough'"
    elif name.startswith(f"{_NET}__callbacks__") and len(words) == 3:
        is_right, remedy = value is None, " to leave it out, None"
    elif name == f"{_NET}__callbacks":
        is_right, remedy = value in (None, "disable"), " None or 'disable'"
    else:
        takes_objects = ("steps", f"{_NET}__module", f"{_NET}__optimizer")
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

    public = {name: getattr(skbird.nn, name) for name in skbird.nn.__all__}
    losses = {
        name: loss
        for name, loss in public.items()
        if isinstance(loss, type) and issubclass(loss, Module)
    }
    if not isinstance(name, str) or name not in losses:
        raise click.UsageError(
            f"set: {_LOSS}={name!r:.100} is no loss of skbird.nn. Known: "
            f"{', '.join(losses)}."
        )
    return losses[name]
