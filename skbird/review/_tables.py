"""Tables of reviews and the names of species, checked once."""

from collections import Counter

import numpy as np
import pandas as pd

from skbird.data import check_rows
from skbird.utils._params import as_floats, check_list
from skbird.utils._proba import check_proba
from skbird.utils._rows import check_columns, check_species_columns
from skbird.utils._text import counted


def name_species(proba, species):
    """Return the names of the columns of proba, or say what is wrong with them.

    Parameters
    ----------
    proba : array-like or DataFrame of shape (n_rows, n_species)
    species : sequence of str, or None
        None: the columns of the DataFrame, or numbers.

    Returns
    -------
    list
    """
    check_species_columns(proba, "proba")
    if isinstance(proba, pd.DataFrame):
        n_species = proba.shape[1]
        own = list(proba.columns)
    else:
        n_species = as_floats(proba, "proba").shape[1:]
        n_species = n_species[0] if len(n_species) == 1 else None
        own = list(range(n_species or 0))
    if n_species in (None, 0):
        raise ValueError(
            "proba has no columns; (n_rows, n_species) is needed. For one species pass "
            "proba.reshape(-1, 1)."
        )
    if species is None:
        return own
    names = check_names(species)
    if len(names) != n_species:
        raise ValueError(
            f"species has {counted(len(names), 'name')}, but proba has "
            f"{counted(n_species, 'column')}. Pass one name per column."
        )
    return names


def check_predictions(proba, X, species):
    """Check predictions and their rows together.

    Parameters
    ----------
    proba : array-like or DataFrame of shape (n_rows, n_species)
    X : DataFrame or sequence of paths
    species : sequence of str, or None
        See `name_species`.

    Returns
    -------
    names : list
    proba : ndarray of shape (n_rows, n_species)
    rows : DataFrame
    """
    names = name_species(proba, species)
    proba = check_proba(proba, None)
    rows = check_rows(X)
    if len(rows) != len(proba):
        raise ValueError(
            f"proba has {counted(len(proba), 'row')}, but X has {len(rows)}. Pass the "
            "rows that were predicted, in their order."
        )
    return names, proba, rows


def check_names(species):
    """Return names of species as a list, each once.

    Parameters
    ----------
    species : sequence of str

    Raises
    ------
    TypeError, ValueError
        If it is no such list.
    """
    names = check_list(species, "species")
    if not names:
        raise ValueError("species has no names. Name at least one.")
    try:
        twice = [name for name, n in Counter(names).items() if n > 1]
    except TypeError:  # lists have no hash
        raise TypeError(f"species={names!r:.100} must be a list of names.") from None
    if twice:
        raise ValueError(f"species has {twice[0]!r} twice. Name each species once.")
    return names


def check_reviews(reviews, needed):
    """Bring a table of reviews into one form.

    Parameters
    ----------
    reviews : DataFrame
    needed : sequence of str
        The columns that it must have, beside ``species`` and ``judged``.

    Returns
    -------
    DataFrame
        A copy, indexed 0 to n - 1, in which ``judged`` is float.

    Raises
    ------
    TypeError, ValueError
        If it is no such table, or judgements are others than 0, 1 and NaN.
    """
    needed = ["species", "judged", *needed]
    if not isinstance(reviews, pd.DataFrame):
        raise TypeError(
            f"reviews is of type {type(reviews).__name__}; a DataFrame is needed, with "
            f"the columns {needed}."
        )
    check_columns(reviews, [*needed, "weight", "path"], "reviews")
    missing = [name for name in needed if name not in reviews.columns]
    if missing:
        raise ValueError(
            f"reviews has no column {missing[0]!r}, only {list(reviews.columns)[:10]}. "
            "Rename the one that holds it."
        )
    reviews = reviews.reset_index(drop=True)
    judged = as_floats(reviews["judged"], "reviews['judged']", np.float64)
    _refuse(
        reviews["species"].isna(),
        reviews["species"],
        "species",
        "the name of a species",
    )
    _refuse(
        ~(np.isnan(judged) | (judged == 0) | (judged == 1)),
        judged,
        "judged",
        "1 (right), 0 (wrong) or NaN (uncertain)",
    )
    return reviews.assign(judged=judged)


def check_scores(reviews):
    """Return probabilities and weights of reviews as arrays.

    Parameters
    ----------
    reviews : DataFrame
        As `check_reviews` returns it, with ``probability`` and perhaps ``weight``.

    Returns
    -------
    probability, weight : ndarray of float64, shape (n_reviews,)
        The weight is 1 where there is no such column.
    """
    proba = as_floats(reviews["probability"], "reviews['probability']", np.float64)
    _refuse(~((proba >= 0) & (proba <= 1)), proba, "probability", "a number in [0, 1]")
    weight = as_floats(reviews.get("weight", np.ones(len(proba))), "reviews['weight']")
    _refuse(
        ~(np.isnan(weight) | ((weight > 0) & np.isfinite(weight))),
        weight,
        "weight",
        "a number above 0, as choose_for_review gives it, or NaN (left out)",
    )
    return proba, weight.astype(np.float64)


def _refuse(wrong, values, column, needed):
    wrong = np.flatnonzero(wrong)
    if len(wrong):
        raise ValueError(
            f"Row {wrong[0]} of reviews has {column}={values[wrong[0]]!r:.60}; "
            f"{needed} is needed. Correct such rows ({len(wrong)} of {len(values)}), "
            "or leave them out."
        )
