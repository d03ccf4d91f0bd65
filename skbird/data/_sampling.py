"""Sampling weights of recordings."""

from collections.abc import Mapping
from numbers import Real

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skbird.utils._params import as_floats
from skbird.utils._text import counted
from skbird.utils._truth import PRESENT_FROM

_HIGHEST_RATING = 5  # xeno-canto's stars


def recording_weights(
    table: pd.DataFrame,
    Y: ArrayLike,
    *,
    collection: Mapping[str, float] | None = None,
    class_power: float = -0.5,
    rating_power: float = 0.0,
    max_per_species: int | None = None,
) -> np.ndarray:
    """Compute how often training should draw each recording.

    The weight of a recording is the product of

    - the weight of its collection,
    - ``count ** class_power`` of its rarest species, where count is the number of
      recordings that the species has,
    - ``(rating / 5) ** rating_power``; a recording without a rating (0, NaN or
      infinite) counts as the median one,
    - ``min(1, max_per_species / count)`` of the same species.

    Pass it as ``sample_weight``. The weights average 1.

    Parameters
    ----------
    table : DataFrame of n_rows
        With columns ``collection`` and ``rating`` where they are asked for.
    Y : array or DataFrame of shape (n_rows, n_species)
        A species counts as present from 0.5. Rows without one, unlabelled ones among
        them, get the mean of the factors of the others.
    collection : mapping of str to float, default=None
        Weight of each collection, >= 0; those without an entry have 1.
    class_power : float, default=-0.5
        0 leaves the imbalance as it is, -1 draws all species equally often. The second
        place of BirdCLEF 2025 and the first of 2023 used -0.5.
    rating_power : float, default=0.0
        0 ignores the rating.
    max_per_species : int >= 1, default=None
        A species with more recordings than this is drawn as often as one with just
        this many.

    Returns
    -------
    ndarray of shape (n_rows,), float64

    Raises
    ------
    ValueError
        If a column is missing, there is no row or species, a weight is negative, a
        power or weight is not finite, or all weights are 0.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from skbird.data import recording_weights
    >>> table = pd.DataFrame({"path": list("abcde")})
    >>> Y = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1]])
    >>> recording_weights(table, Y, class_power=-1).round(3)
    array([0.625, 0.625, 0.625, 0.625, 2.5  ])
    """
    if not hasattr(table, "__len__") or isinstance(table, str | bytes):
        raise TypeError(
            f"table={table!r:.100} must be a DataFrame with a line per recording."
        )
    present = as_floats(Y, "Y", np.float64) >= PRESENT_FROM
    if present.ndim != 2 or len(present) != len(table):
        raise ValueError(
            f"Y has shape {present.shape}, but (n_rows, n_species) with "
            f"{counted(len(table), 'row')}, as many as table has, is needed."
        )
    if not present.size:
        raise ValueError(f"Y has shape {present.shape}: no row or no species to weigh.")
    class_power = _check_power("class_power", class_power)
    rating_power = _check_power("rating_power", rating_power)
    if max_per_species is not None and not (
        isinstance(max_per_species, Real) and max_per_species >= 1
    ):
        raise ValueError(f"max_per_species={max_per_species!r} must be at least 1.")
    with np.errstate(over="ignore"):
        weight = _species_factor(present, class_power, max_per_species)
    if collection is not None:
        weight = weight * _collection_factor(table, collection)
    if rating_power:
        weight = weight * _rating_factor(table, rating_power)
    mean = weight.mean()
    if not mean > 0:
        raise ValueError(
            "All recordings have weight 0. Give at least one collection of the table a "
            "weight above 0, and choose powers nearer to 0."
        )
    if not np.isfinite(mean):
        raise ValueError(
            f"class_power={class_power:g} and rating_power={rating_power:g} make "
            "weights too large to be numbers. Choose powers nearer to 0."
        )
    return weight / mean


def _check_power(name, value):
    if not isinstance(value, Real) or not -np.inf < value < np.inf:
        raise ValueError(f"{name}={value!r} must be a finite number.")
    return float(value)


def _species_factor(present, class_power, max_per_species):
    counts = present.sum(axis=0)
    # The count of the rarest species of each row; infinite where there is none.
    rarest = np.where(present, counts, np.inf).min(axis=1)
    labelled = np.isfinite(rarest)
    factor = np.ones(len(present))
    factor[labelled] = rarest[labelled] ** class_power
    if max_per_species is not None:
        factor[labelled] *= np.minimum(1, max_per_species / rarest[labelled])
    if labelled.any():
        factor[~labelled] = factor[labelled].mean()
    return factor


def _collection_factor(table, collection):
    if not isinstance(collection, Mapping):
        raise ValueError(
            f"collection={collection!r} must map collections to weights, as in "
            "{'XC': 1.0, 'CSA': 0.5}."
        )
    for name, value in collection.items():
        if not (isinstance(value, Real) and 0 <= value < np.inf):
            raise ValueError(
                f"collection[{name!r}]={value!r} must be a finite number >= 0."
            )
    names = _column(table, "collection", "collection").astype(str)
    weights = {str(name): float(value) for name, value in collection.items()}
    return names.map(weights).fillna(1.0).to_numpy()


def _rating_factor(table, rating_power):
    rating = pd.to_numeric(_column(table, "rating", "rating_power"), errors="coerce")
    rating = rating.where((rating > 0) & (rating < np.inf))
    middle = rating.median()
    rating = rating.fillna(_HIGHEST_RATING if np.isnan(middle) else middle)
    return (rating.to_numpy(dtype=float) / _HIGHEST_RATING) ** rating_power


def _column(table, name, parameter):
    columns = list(getattr(table, "columns", ()))
    if name not in columns:
        raise ValueError(
            f"{parameter} needs a column. The table has no column {name!r}; its "
            f"columns are {columns}."
        )
    return table[name]
