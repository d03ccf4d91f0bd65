"""Fit the members of an ensemble, and share out the arguments of `fit`."""

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skbird.utils._fit_params import fit_key, hand_on
from skbird.utils._held_out import held_out_proba


def fit_clone(estimator, X, y, fit_params):
    """Return a clone of the estimator, fitted."""
    return clone(estimator).fit(X, y, **fit_params)


def unseen_proba(member, X, y, cv, groups, fit_params):
    """Predict the training rows of a member by models that were not fitted on them.

    Parameters
    ----------
    member : estimator object
        Fitted on X. If it has ``held_out_proba_``, that is the answer.
    X, y, cv, groups, fit_params
        See `held_out_proba`.

    Returns
    -------
    proba : ndarray of float, shape (n_rows, n_species)
        NaN in rows that were not predicted or could not be read.
    """
    # What is frozen has out-of-fold predictions of other rows.
    if hasattr(member, "held_out_proba_") and not isinstance(member, FrozenEstimator):
        return member.held_out_proba_
    proba, _ = held_out_proba(member, X, y, cv=cv, groups=groups, fit_params=fit_params)
    return proba


def share_out(fit_params, members, names):
    """Return the parameters that the ``fit`` of each member gets.

    Parameters
    ----------
    fit_params : dict
        ``<name>__<parameter>`` is for one member, all else for all.
    members : dict
        Estimators by name.
    names : collection of str
        Of all members, also of those that were dropped.

    Returns
    -------
    dict of dict
        By name, for each of `members`.

    Raises
    ------
    TypeError
        If a weight is for a member that takes none.
    ValueError
        If ``<name>__`` is neither a member nor a step of one.
    """
    shared, own = {}, {name: {} for name in names}
    for key, value in fit_params.items():
        name, _, parameter = key.partition("__")
        if name in own and parameter:
            own[name][parameter] = value
        else:
            if parameter and not any(_has_part(m, name) for m in members.values()):
                raise ValueError(
                    f"fit got {key!r}, but no estimator is named {name!r} and none has "
                    f"such a step. The estimators are {list(names)}."
                )
            shared[key] = value
    groups = shared.pop("groups", None)
    is_frozen = {n: isinstance(m, FrozenEstimator) for n, m in members.items()}
    result = {}
    for name, member in members.items():
        # Those that are frozen learn nothing, and miss nothing that others learn.
        is_spared = is_frozen[name] and not all(is_frozen.values())
        params = own[name] if is_spared else shared | own[name]
        if groups is not None and fit_key(member, "groups") is not None:
            params = {"groups": groups} | params
        result[name] = hand_on(member, params)
    return result


def _has_part(member, name):
    return any(name in param.split("__") for param in member.get_params())
