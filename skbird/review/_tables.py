"""Tables of reviews and the names of species, checked once."""

from collections import Counter

import numpy as np
import pandas as pd

from skbird.data import check_rows
from skbird.utils._columns import check_table
from skbird.utils._params import as_floats, check_list
from skbird.utils._proba import check_proba
from skbird.utils._rows import check_same_order, check_species_columns
from skbird.utils._text import counted
from skbird.utils._truth import check_judged


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
    given, proba = proba, check_proba(proba, None)
    rows = check_rows(X)
    if len(rows) != len(proba):
        raise ValueError(
            f"proba has {counted(len(proba), 'row')}, but X has {len(rows)}. Pass the "
            "rows that were predicted, in their order."
        )
    check_same_order(X, given, ("X", "proba"))
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
    remedy = "skbird.review.read_reviews makes such a table"
    check_table(reviews, "reviews", needed, remedy, ["weight", "path"])
    reviews = reviews.reset_index(drop=True)
    refuse_rows(
        reviews["species"].isna(),
        reviews["species"],
        "species",
        "the name of a species",
    )
    return reviews.assign(judged=check_judged(reviews["judged"]))


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
    refuse_rows(
        ~((proba >= 0) & (proba <= 1)), proba, "probability", "a number in [0, 1]"
    )
    weight = as_floats(reviews.get("weight", np.ones(len(proba))), "reviews['weight']")
    refuse_rows(
        ~(np.isnan(weight) | ((weight > 0) & np.isfinite(weight))),
        weight,
        "weight",
        "a number above 0, as choose_for_review gives it, or NaN (left out)",
    )
    return proba, weight.astype(np.float64)


def refuse_rows(wrong, values, column, needed, what="reviews"):
    """Refuse a table of which some rows hold what they cannot.

    Parameters
    ----------
    wrong : array-like of bool, shape (n_rows,)
    values : array-like of shape (n_rows,)
    column : str
        What holds them.
    needed : str
        What the error asks for.
    what : str
        How the error calls the table.
    """
    wrong = np.flatnonzero(wrong)
    if len(wrong):
        value = np.asarray(values)[wrong[0]]
        raise ValueError(
            f"Row {wrong[0]} of {what} has {column}={value!r:.60}; {needed} is needed. "
            f"Correct such rows ({len(wrong)} of {len(values)}), or leave them out."
        )


def decided_weights(reviews, weight):
    """Return weights with which judgements stand for uncertain ones of their band, too.

    Parameters
    ----------
    reviews : DataFrame
        As `check_reviews` returns it, perhaps with ``stratum``.
    weight : ndarray of shape (n_reviews,)

    Returns
    -------
    ndarray of shape (n_reviews,)
        0 for uncertain ones, unless all of their band are.
    """
    stratum = reviews.get("stratum", pd.Series(0, reviews.index))
    cells = pd.DataFrame({"species": reviews["species"], "stratum": stratum})
    cells["whole"] = weight
    cells["decided"] = np.where(reviews["judged"].isna(), 0.0, weight)
    band = cells.groupby(["species", "stratum"], dropna=False)
    whole, decided = (band[name].transform("sum") for name in ("whole", "decided"))
    factor = np.divide(whole, decided, out=np.ones(len(cells)), where=decided > 0)
    return weight * factor


def sites_of(rows):
    """Return the site of each row: of the table, or the folder of the recording.

    Parameters
    ----------
    rows : DataFrame

    Returns
    -------
    ndarray of str, shape (n_rows,)
    """
    if "site" in rows:
        return rows["site"].astype("string").fillna("").to_numpy(object)
    numbers, paths = pd.factorize(rows["path"])
    parents = [str(path).replace("\\", "/").split("/")[-2:-1] for path in paths]
    return np.array(["".join(parent) for parent in parents], dtype=object)[numbers]
