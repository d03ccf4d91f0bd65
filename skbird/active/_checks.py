"""Check what a learner is made of, before anybody listens to a recording."""

import os
from numbers import Integral, Real

import numpy as np
import pandas as pd

from skbird.active._core_set_query import CoreSetQuery
from skbird.active._query import COSTS, Query
from skbird.active._random_query import RandomQuery
from skbird.active._uncertainty_query import UncertaintyQuery
from skbird.utils._linked import number_linked
from skbird.utils._nested import takes_fractions
from skbird.utils._params import NOT_NEGATIVE, as_floats, check_params
from skbird.utils._rows import check_same_order, files_of_rows, groups_of_rows
from skbird.utils._sklearn_compat import Interval
from skbird.utils._text import counted
from skbird.utils._truth import validate_truth

_CONSTRAINTS = {
    **COSTS,
    "patience": [Interval(Integral, 1, None, closed="left")],
    "tol": [NOT_NEGATIVE],
    "min_agreement": [Interval(Real, 0, 1, closed="both")],
}


def check_numbers(**params):
    """Refuse numbers out of range."""
    check_params("ActiveLearner", _CONSTRAINTS, **params)


def check_estimator(estimator):
    """Return an estimator that can be asked for probabilities."""
    for name in ("fit", "predict_proba"):
        if not hasattr(estimator, name):
            raise TypeError(
                f"estimator={estimator!r:.100} has no method {name}. Pass a "
                "multi-label classifier that gives probabilities."
            )
    return estimator


def as_queries(query, first_query, has_features):
    """Return the query for when there is a model, and that for before.

    Parameters
    ----------
    query, first_query : Query or None
    has_features : bool

    Returns
    -------
    (Query, Query)
    """
    if query is None:
        query = CoreSetQuery() if has_features else UncertaintyQuery()
    if first_query is None:
        first_query = CoreSetQuery() if has_features else RandomQuery()
        if isinstance(query, Query) and "proba" not in query.needs:
            first_query = query
    for name, given in (("query", query), ("first_query", first_query)):
        if not isinstance(given, Query):
            raise TypeError(
                f"{name}={given!r:.100} is no query. Pass an instance of a class such "
                "as UncertaintyQuery, or of your own that is derived from Query."
            )
        if "features" in given.needs and not has_features:
            raise ValueError(
                f"{name}={given!r:.100} needs features, of which there are none. Pass "
                "features=, such as EmbeddingEncoder(cache_dir='cache')."
            )
    if "proba" in first_query.needs:
        raise ValueError(
            f"first_query={first_query!r:.100} needs a model, but is for when there is "
            "none. Pass CoreSetQuery(), TypiClustQuery() or RandomQuery()."
        )
    return query, first_query


def features_of(X, features):
    """Return features as a matrix, the transformer that makes them, or None."""
    if features is None:
        is_matrix = isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "fiu"
        if not is_matrix:
            return None
        features = X
    if hasattr(features, "fit_transform"):
        return features
    check_same_order(X, features, ("X", "features"))
    table = np.ascontiguousarray(as_floats(features, "features", np.float32))
    if table.ndim != 2 or len(table) != len(X):
        raise ValueError(
            f"features has shape {table.shape}, but (n_rows, n_features) with "
            f"{counted(len(X), 'row')} is needed, or a transformer."
        )
    return table


def check_fractions(estimator, labels):
    """Refuse answers that a classifier of scikit-learn could not be trained on."""
    partly = np.isnan(labels).any(axis=1) & ~np.isnan(labels).all(axis=1)
    soft = ((labels > 0) & (labels < 1)).any(axis=1)
    if takes_fractions(estimator) or not (partly | soft).any():
        return
    raise ValueError(
        f"The answer for {counted((partly | soft).sum(), 'row')} has fractions, or NaN "
        f"for some species, which {type(estimator).__name__} cannot learn from. Answer "
        "0 or 1, or NaN throughout the row; or take a ProbeClassifier or a network of "
        "skbird."
    )


def check_held_out(X, X_test, Y_test, recording_ids):
    """Refuse held-out rows without labels, or of recordings of the pool."""
    if (X_test is None) != (Y_test is None):
        raise ValueError("X_test and Y_test belong together: pass both, or neither.")
    if X_test is None:
        return
    if len(X_test) != len(Y_test):
        raise ValueError(
            f"X_test has {counted(len(X_test), 'row')}, but Y_test has {len(Y_test)}."
        )
    validate_truth(Y_test, "Y_test")
    check_same_order(X_test, Y_test, ("X_test", "Y_test"))
    shared = _shared_files(X, X_test)
    if isinstance(recording_ids, str):
        pool, test = (
            groups_of_rows(part, recording_ids, "recording_ids").tolist()
            for part in (X, X_test)
        )
        shared = set(pool) & set(test) or shared
    if shared:
        shared = sorted(shared, key=str)  # of several types
        raise ValueError(
            f"{counted(len(shared), 'recording')} of X_test are in the pool, too, such "
            f"as {shared[0]!r:.200}: the score would be of what was learnt by heart. "
            "Split by recording, never by row."
        )


def check_held_out_species(Y_test, species):
    """Refuse held-out labels of other species than those of the answers.

    Parameters
    ----------
    Y_test : array-like or DataFrame of shape (n_rows, n_species), or None
    species : ndarray of shape (n_species,)
        The columns of the answers, or their numbers.
    """
    if Y_test is None:
        return
    ours, numbers = species.tolist(), list(range(np.shape(Y_test)[1]))
    theirs = list(getattr(Y_test, "columns", numbers))
    # What is numbered throughout has no names, and fits whatever has.
    have_names = ours != numbers != theirs or set(ours) == set(theirs)
    if len(ours) != len(theirs) or (have_names and ours != theirs):
        raise ValueError(
            f"Y_test has {counted(len(theirs), 'column')}, {theirs[:5]}, but the "
            f"answers have {len(ours)}, {ours[:5]} (the first five of each). Pass the "
            "same species in the same order."
        )


def _shared_files(X, X_test):
    """Return files of X_test that X has, too, in whatever spelling."""
    try:
        pool, test = (set(files_of_rows(part)) for part in (X, X_test))
    except (TypeError, ValueError):  # nothing tells
        return set()
    places = set(map(os.path.abspath, pool))
    return {path for path in test if os.path.abspath(path) in places}


def joined_groups(groups, recordings):
    """Join groups that share a recording, so that no recording is in two of them.

    Parameters
    ----------
    groups : ndarray of shape (n_rows,)
    recordings : ndarray of int, shape (n_rows,)

    Returns
    -------
    ndarray of int, shape (n_rows,)
    """
    numbers = pd.factorize(groups)[0]
    n_groups, n_recordings = numbers.max() + 1, recordings.max() + 1
    size = n_groups + n_recordings
    return number_linked(numbers, n_groups + recordings, size)[numbers]
