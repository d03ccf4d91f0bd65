"""Make students from the estimator, fit them, and let them teach."""

import copy

import numpy as np
from sklearn.base import clone

from skbird.utils._nested import check_same_species, species_of

# What mixes pseudo-labelled rows in; its parameter p says how often.
_MIXER = "callbacks__pseudo_mix"


def choose_mix(estimator, mix):
    """Return the share that `mix` stands for, None for no mixing.

    Raises
    ------
    ValueError
        If it is a number, and the estimator has no network that mixes.
    """
    mixers = _mixers(estimator)
    if mix == "auto":
        return 1.0 if mixers else None
    if mix is not None and not mixers:
        raise ValueError(
            f"mix={mix:g} needs a network of skbird in the estimator "
            f"({type(estimator).__name__}): it has no {_MIXER}. Set mix=None or 'auto'."
        )
    return mix


def _mixers(estimator):
    """List the parameters of the estimator that are mixers."""
    params = estimator.get_params().items()
    return [
        name for name, value in params if name.endswith(_MIXER) and value is not None
    ]


def make_student(estimator, *, params, mix, earlier=None):
    """Make a student, which is still to be fitted.

    Parameters
    ----------
    estimator : estimator object
    params : dict or None
        Parameters that are set on students only.
    mix : float or None
        Set wherever the estimator mixes.
    earlier : estimator object, default=None
        A fitted one whose state the student goes on from.

    Returns
    -------
    estimator object
    """
    names = estimator.get_params()
    # A copy: the teacher must stay what it was when it predicted.
    student = clone(estimator) if earlier is None else copy.deepcopy(earlier)
    params = dict(params or {})
    if mix is not None:
        params |= {f"{name}__p": mix for name in _mixers(estimator)}
    if earlier is not None:
        params |= {name: True for name in names if name.endswith("warm_start")}
    student.set_params(**params)  # returns nothing if the estimator is frozen
    return student


def fit_labelled(model, data, labels):
    """Fit a model on the rows that have a label, true or pseudo.

    Parameters
    ----------
    model : estimator object
    data : TrainingRows
    labels : ndarray of shape (n_rows, n_species)
        -1 throughout in the other rows.

    Returns
    -------
    estimator object
        The model.
    """
    rows = np.flatnonzero((labels != -1).any(axis=1))
    X, params = data.take(rows)
    model.fit(X, data.like_y(labels, rows), **params)
    # What is frozen was fitted on another y.
    check_same_species("The estimator", species_of(model), data.y)
    return model


def teach_out_of_fold(train, predict, data, labels, n_folds):
    """Predict unlabelled rows by students that were not fitted on these rows.

    A student that predicts what it was fitted on repeats the errors of its teacher.

    Parameters
    ----------
    train : callable
        ``train(data, labels)`` returns a fitted student.
    predict : callable
        ``predict(student, X)`` returns probabilities (n_rows, n_species).
    data : TrainingRows
    labels : ndarray of shape (n_rows, n_species)
        True and pseudo-labels.
    n_folds : int

    Returns
    -------
    ndarray of shape (n_unlabelled, n_species), float32
    """
    proba = np.full((len(data.hidden), labels.shape[1]), np.nan, np.float32)
    for _, fold in data.folds(n_folds):
        rows = data.hidden[fold]
        seen = labels.copy()
        seen[rows] = -1
        proba[fold] = predict(train(data, seen), data.take(rows)[0])
    return proba
