"""Thresholds of species, perhaps with their precision, however they are given."""

import warnings
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from skbird.utils._columns import check_columns
from skbird.utils._params import as_floats
from skbird.utils._text import counted
from skbird.utils._truth import validate_threshold

_PRECISION = ["precision", "precision_low", "precision_high"]


class Thresholds(NamedTuple):
    """Thresholds of the species that have one."""

    species: list
    threshold: np.ndarray  # (n_species,)
    precision: np.ndarray | None  # (3, n_species): with the ends of its interval


def read_thresholds(threshold, species, stacklevel):
    """Return the thresholds of species.

    Parameters
    ----------
    threshold : float, array-like, mapping or DataFrame
        As the user gives it.
    species : list of str
        The columns of the probabilities.
    stacklevel : int
        Of the warning about species that have none.

    Returns
    -------
    Thresholds
    """
    if not isinstance(threshold, pd.DataFrame):
        values = _of_all(threshold, species)
        return Thresholds(species, values, None)
    table = _check_table(threshold)
    if len(species) and not table.index.isin(species).any():
        raise ValueError(
            f"threshold has no line for any of {len(species)} species, such as "
            f"{species[0]!r}; it has {list(table.index)[:5]}. Are the names the same?"
        )
    values = _of_all(table["threshold"].reindex(species), species)
    has_one = ~np.isnan(values)
    if not has_one.all():
        lacking = [name for name, has in zip(species, has_one, strict=True) if not has]
        reason = table.get("reason", pd.Series(dtype=object)).get(lacking[0])
        because = f" ({reason})" if isinstance(reason, str) else ""
        warnings.warn(
            f"threshold is missing for {len(lacking)} of "
            f"{counted(len(species), 'species', 'species')}, which are left out, such "
            f"as {lacking[0]!r}{because}.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )
    kept = [name for name, has in zip(species, has_one, strict=True) if has]
    precision = _check_precision(table.loc[kept].reindex(columns=_PRECISION))
    if not set(_PRECISION) <= set(table.columns):
        precision = None
    threshold = validate_threshold(values[has_one], len(kept))
    return Thresholds(kept, threshold, precision)


def _check_precision(table):
    """Return precision and the ends of its interval, or say what is wrong."""
    middle, low, high = (
        as_floats(table[name], f"{name} of threshold", np.float64)
        for name in _PRECISION
    )
    in_order = ~(low > middle) & ~(middle > high) & ~(low < 0) & ~(high > 1)
    in_order &= ~(middle < 0) & ~(middle > 1)
    if not in_order.all():
        row = in_order.argmin()
        raise ValueError(
            f"precision={middle[row]:g} of {table.index[row]!r} in threshold, from "
            f"{low[row]:g} to {high[row]:g}, must be a share from 0 to 1 within its "
            "interval. Correct the table; are they percentages?"
        )
    return np.array([middle, low, high])


def _of_all(threshold, species):
    """Return the threshold of each species; NaN where a table has none."""
    if isinstance(threshold, Mapping | pd.Series):
        lacking = [name for name in species if name not in threshold]
        if lacking:
            raise ValueError(
                f"threshold has none for {lacking[0]!r} ({len(lacking)} of "
                f"{counted(len(species), 'species', 'species')}). Add it; numpy.inf is "
                "for a species that is never to be detected."
            )
        values = [threshold[name] for name in species]
        if isinstance(threshold, pd.Series):
            return as_floats(values, "threshold", np.float64)
        threshold = values
    return np.broadcast_to(validate_threshold(threshold, len(species)), len(species))


def _check_table(table):
    """Return a table of thresholds by species."""
    check_columns(table, ["species", "threshold"], "threshold")
    if "threshold" not in table.columns:
        raise ValueError(
            f"threshold has no column 'threshold'; its columns are "
            f"{list(table.columns)[:10]}. Pass report_ of ThresholdFromReviews, or a "
            "table with species and threshold."
        )
    if "species" in table.columns:
        table = table.set_index("species")
    if not table.index.is_unique:
        twice = table.index[table.index.duplicated()][0]
        raise ValueError(f"threshold names {twice!r} more than once. Keep one of each.")
    return table
