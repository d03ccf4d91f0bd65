"""The one way through models that hold models.

A model is seldom one estimator: a network ends a `Pipeline`, a search or a
post-processor stands around it, and an ensemble around these. What somebody else needs
to know of such a model (its species, its network) is asked here, so that the answer
does not depend on the wrapping.
"""

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import _num_samples

from skbird.utils._proba import as_proba_matrix
from skbird.utils._sklearn_compat import BaseSearchCV


def predict_matrix(model, X, n_species=None):
    """Predict the probability of each species in each row, whatever the model is.

    Parameters
    ----------
    model : fitted multi-label classifier
    X : what it takes
    n_species : int, default=None
        Columns expected; see `as_proba_matrix`. By default as many as `species_of`
        knows.

    Returns
    -------
    proba : ndarray of float, shape (n_rows, n_species)

    Raises
    ------
    ValueError
        If the model's answer has not one column per species.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skbird.utils._nested import predict_matrix
    >>> knn = KNeighborsClassifier(1).fit([[0], [1]], [[1, 0], [0, 1]])
    >>> predict_matrix(knn, [[0.2]])
    array([[1., 0.]])
    """
    if n_species is None:
        species = species_of(model)
        n_species = None if species is None else len(species)
    if n_species is not None and _num_samples(X) == 0:
        # Many refuse to predict nothing, which is what a test folder holds before a
        # competition fills it.
        return np.empty((0, n_species))
    proba = model.predict_proba(X)
    return as_proba_matrix(proba, getattr(model, "classes_", None), n_species)


def species_of(model):
    """Return the species that a fitted model knows, (n_species,); None if none.

    Parameters
    ----------
    model : fitted estimator
        If it has no ``species_`` itself, the models are asked that answer for it.

    Returns
    -------
    ndarray or None
    """
    for part in answering(model):
        species = getattr(part, "species_", None)
        if species is not None:
            return np.asarray(species)
    return None


def check_same_species(name, own, y):
    """Refuse y whose species are not those of a fitted estimator, in its order.

    One that was fitted before, on another y, can have such; so can y to judge it by.

    Parameters
    ----------
    name : str
        What messages call the estimator.
    own : ndarray or None
        Species of the model; None if it does not know them.
    y : array-like or DataFrame of shape (n_rows, n_species)
        Columns of an array have no names: only their number is compared.
    """
    if own is None:
        return
    own = np.asarray(own).tolist()
    species = np.asarray(getattr(y, "columns", [])).tolist()
    same_names = own == species or not set(own) & set(species)
    if len(own) != np.asarray(y).shape[1] or not same_names:
        raise ValueError(
            f"{name} was fitted on the {len(own)} species {own[:5]}, but the columns "
            f"of y are {species[:5] or np.asarray(y).shape[1]} (the first five of "
            "each). Order y as its species_."
        )


def final_network(model):
    """Return the fitted network, or compiled one, that a model ends with; or None.

    Parameters
    ----------
    model : fitted estimator
        Of an ensemble, the first member's network is returned.

    Returns
    -------
    network or None
    """
    # Networks are known by what they remember of spectrograms: torch may be missing.
    networks = (part for part in answering(model) if _has(part, "format_"))
    return next(networks, None)


def takes_fractions(model):
    """Return whether ``fit`` accepts soft targets: scikit-learn's classifiers do not.

    Parameters
    ----------
    model : estimator
        Fitted or not.

    Returns
    -------
    bool
    """
    if isinstance(model, FrozenEstimator):
        return True  # it is not fitted
    if is_opaque(model):
        return False
    return all(takes_fractions(inner) for inner in given_models(model))


def is_opaque(model):
    """Return whether a model is of scikit-learn, and does more than to pass things on.

    Such a classifier looks at y itself, and knows nothing of weights of labels.
    """
    is_foreign = type(model).__module__.startswith("sklearn.")
    return is_foreign and not isinstance(
        model, Pipeline | FrozenEstimator | BaseSearchCV
    )


def steps_of(model):
    """List what a row passes through, one step after the other.

    Parameters
    ----------
    model : estimator
        Pipelines in pipelines are spread out; frozen estimators and fitted searches
        stand for what they hold. Anything else is a step by itself.

    Returns
    -------
    list of estimator
    """
    return [step for _, step in named_steps_of(model)]


def named_steps_of(model):
    """List the steps of `steps_of` with their names, as (name, estimator).

    A step of a pipeline in a pipeline is named after both, as in ``front-logmel``; a
    model that is no pipeline has no name, "".
    """
    if isinstance(model, FrozenEstimator):
        return named_steps_of(model.estimator)
    if isinstance(model, BaseSearchCV) and _has(model, "best_estimator_"):
        return named_steps_of(model.best_estimator_)
    if _has(model, "front_end"):  # a compiled pipeline
        return [*named_steps_of(model.front_end), *named_steps_of(model.network)]
    if not isinstance(model, Pipeline):
        return [("", model)]
    return [
        (f"{name}-{inner}" if inner else name, part)
        for name, step in model.steps
        if step not in (None, "passthrough")
        for inner, part in named_steps_of(step)
    ]


def parts_of(model):
    """List a model and all estimators that work in it, the outer before the inner.

    Parameters
    ----------
    model : estimator
        Of meta-estimators that are fitted, what they fitted is listed, not what they
        were given.

    Returns
    -------
    list of estimator
        Those of `model` itself, not copies: what is set on them is set in it.
    """
    found, seen, queue = [], set(), [model]
    for item in queue:  # grows meanwhile
        if id(item) in seen or isinstance(item, type):
            continue
        seen.add(id(item))
        if isinstance(item, list | tuple):
            queue.extend(item)
        elif isinstance(item, dict):
            queue.extend(item.values())
        elif hasattr(item, "get_params"):
            found.append(item)
            queue.extend(_held(item))
    return found


def given_models(model):
    """List the models that a model will fit: the end of a pipeline, the inner ones.

    Parameters
    ----------
    model : estimator
        Fitted or not.

    Returns
    -------
    list of estimator
        Empty if it holds none.
    """
    if isinstance(model, Pipeline):
        return [model.steps[-1][1]]
    if isinstance(getattr(model, "estimators", None), list):
        return [inner for _, inner in model.estimators if inner != "drop"]
    # Of some, such as BaggingClassifier, None means a default.
    is_held = _has(model, "estimator") and model.estimator is not None
    return [model.estimator] if is_held else []


def _fitted_models(model):
    """List the fitted models that answer for a model; empty if it answers itself."""
    if isinstance(model, Pipeline):
        return [model.steps[-1][1]]
    if isinstance(model, FrozenEstimator):
        return [model.estimator]
    for name in ("best_estimator_", "estimator_", "network"):
        if _has(model, name):
            return [getattr(model, name)]
    return list(getattr(model, "estimators_", []))


def answering(model):
    """Yield a model, the one that answers for it, the one in that, and so on.

    Parameters
    ----------
    model : fitted estimator
        Of an ensemble, the first member is followed.

    Yields
    ------
    estimator
    """
    while model is not None:
        yield model
        model = next(iter(_fitted_models(model)), None)


def _held(estimator):
    """List the values of an estimator's attributes that it works with."""
    if isinstance(estimator, BaseSearchCV):  # its candidates do not work
        return [getattr(estimator, "best_estimator_", estimator.estimator)]
    state = vars(estimator)
    is_fitted = state.keys() & {"best_estimator_", "estimator_", "estimators_"}
    given = {"estimator", "estimators", "teacher"} if is_fitted else {}
    return [value for name, value in state.items() if name not in given]


def _has(model, name):
    # What a frozen estimator holds shows through it.
    return not isinstance(model, FrozenEstimator) and hasattr(model, name)
