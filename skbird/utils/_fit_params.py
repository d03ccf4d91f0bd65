"""Pass weights and groups on to the estimators inside others."""

import warnings
from inspect import Parameter, signature

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import _num_samples, has_fit_parameter

from skbird.utils._nested import given_models, is_opaque
from skbird.utils._sklearn_compat import BaseSearchCV
from skbird.utils._text import counted

_WEIGHTS = ("sample_weight", "label_weight")


def given_params(fit_params, **named):
    """Join what ``fit`` was given by name and otherwise; None is nothing given.

    Parameters
    ----------
    fit_params : dict
    **named
        Parameters that ``fit`` names, such as ``label_weight``.

    Returns
    -------
    dict
    """
    return fit_params | {n: value for n, value in named.items() if value is not None}


def check_lengths(X, params):
    """Refuse weights that are not one for each row, or one row of them.

    scikit-learn cuts to a fold what has as many rows as X, and leaves all else as it
    is: weights of the labelled rows alone would fit the first teacher by chance, and
    fail hours later.

    Parameters
    ----------
    X : the rows
    params : dict
        Those whose names end in ``sample_weight`` or ``label_weight`` are looked at.

    Raises
    ------
    ValueError
    """
    n_rows = _num_samples(X)
    for name, value in params.items():
        is_weight = name.endswith(_WEIGHTS) and hasattr(value, "__len__")
        if is_weight and len(value) != n_rows:
            raise ValueError(
                f"{name} has {counted(len(value), 'row')}, but X has {n_rows}. Pass "
                "weights of all rows, also of those that are unlabelled."
            )


def hand_on(estimator, params):
    """Return the arguments of ``estimator.fit`` that bring parameters to their place.

    Without metadata routing, a Pipeline takes parameters by the name of a step only;
    here weights and groups are addressed to what takes them at its end.

    Parameters
    ----------
    estimator : estimator object
        What will be fitted.
    params : dict
        ``sample_weight``, ``label_weight`` and ``groups`` find their place themselves;
        others, such as ``<step>__label_weight``, stay as they are, and count more.

    Returns
    -------
    dict

    Raises
    ------
    TypeError
        If nothing in the estimator takes one of the three.

    Warns
    -----
    UserWarning
        If a weight is for an estimator that is frozen, so that it has no effect.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skbird.utils._fit_params import hand_on
    >>> hand_on(make_pipeline(LogisticRegression()), {"sample_weight": [1, 2]})
    {'logisticregression__sample_weight': [1, 2]}
    """
    addressed, others = {}, {}
    for name, value in params.items():
        if name not in (*_WEIGHTS, "groups"):
            others[name] = value
            continue
        key = fit_key(estimator, name)
        if key is not None:
            addressed[key] = value
        else:
            _complain(estimator, name)
    return addressed | others


def fit_key(estimator, name):
    """Return what ``fit`` of an estimator calls a parameter of what is at its end.

    Parameters
    ----------
    estimator : estimator object
    name : str
        Such as ``label_weight``.

    Returns
    -------
    str or None
        Such as ``net__label_weight``; None if nothing takes it.
    """
    if isinstance(estimator, FrozenEstimator) or not hasattr(estimator, "fit"):
        return None
    if isinstance(estimator, Pipeline):
        step, last = estimator.steps[-1]
        inner = fit_key(last, name)
        return None if inner is None else f"{step}__{inner}"
    inner = given_models(estimator)
    if has_fit_parameter(estimator, name):
        # Meta-estimators hand on, which helps if there is somebody to take it.
        return name if _is_taken(estimator, inner, name) else None
    if is_opaque(estimator) or not _takes_any(estimator):
        return None
    if not inner or (name == "groups" and isinstance(estimator, BaseSearchCV)):
        return name
    keys = {fit_key(model, name) for model in inner}
    return keys.pop() if len(keys) == 1 else None


def check_all_request(router, models, name):
    """Warn of models that do not get a weight by metadata routing.

    Parameters
    ----------
    router : estimator object
        Whose models they are.
    models : dict
        Estimators by name.
    name : str
        Name of the weight, which another estimator gets.
    """
    for key, model in models.items():
        if isinstance(model, FrozenEstimator):
            continue
        if not get_routing_for_object(model).consumes("fit", [name]):
            warnings.warn(
                f"{name} does not reach {key!r} of {type(router).__name__}, which does "
                f"not request it: call set_fit_request({name}=True) of its network.",
                stacklevel=4,
            )


def _is_taken(estimator, inner, name):
    # Others than skbird's do as they please with what their fit names.
    if not inner or not type(estimator).__module__.startswith("skbird."):
        return True
    return name == "groups" or any(fit_key(model, name) for model in inner)


def _takes_any(estimator):
    kinds = (p.kind for p in signature(estimator.fit).parameters.values())
    return Parameter.VAR_KEYWORD in kinds


def _complain(estimator, name):
    last = estimator
    while isinstance(last, Pipeline | BaseSearchCV):
        last = given_models(last)[0]
    if isinstance(last, FrozenEstimator):
        warnings.warn(
            f"{name} has no effect: the estimator is frozen, and is not fitted.",
            stacklevel=5,  # the caller of fit
        )
        return
    remedy = "Leave it out, or use a classifier that does"
    if name == "label_weight":
        remedy += ", such as the networks of skbird.nn"
    raise TypeError(
        f"{name} reaches nobody: fit of {type(last).__name__} takes no {name}. "
        f"{remedy}. In an ensemble, '<member>__{name}' is for one member only."
    )
