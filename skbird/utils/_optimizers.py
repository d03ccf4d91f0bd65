"""Which optimizers of torch train the networks here."""

_UNFIT = {
    "LBFGS": "it takes several looks at each batch",
    "Muon": "it takes matrices only, no filters and biases",
    "Rprop": "it knows no weight decay",
    "SparseAdam": "it takes sparse gradients only",
}


def usable_optimizers():
    """Return the optimizers of `torch.optim` that train any network, by name.

    Returns
    -------
    dict of str to type
    """
    from torch import optim

    members = {name: getattr(optim, name) for name in sorted(dir(optim))}
    return {
        name: member
        for name, member in members.items()
        if isinstance(member, type)
        and issubclass(member, optim.Optimizer)
        and member is not optim.Optimizer
        and name not in _UNFIT
    }


def check_optimizer(optimizer):
    """Refuse an optimizer that would fail after all recordings are decoded.

    Parameters
    ----------
    optimizer : type or callable
        Those of others than torch are not known, and pass.

    Raises
    ------
    ValueError
        If it is one of torch's that does not train the networks here.
    """
    from torch import optim

    for name, reason in _UNFIT.items():
        # Not all versions have them all.
        if hasattr(optim, name) and optimizer is getattr(optim, name):
            raise ValueError(
                f"optimizer={name} does not train these networks: {reason}. Of "
                f"torch.optim take one of {', '.join(usable_optimizers())}."
            )
