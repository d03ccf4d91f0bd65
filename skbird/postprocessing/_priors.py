"""How likely species are in rows by what is known of them but their sound."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from skbird.postprocessing._prior_rows import DERIVED, look_up, number_rows
from skbird.postprocessing._prior_tables import read_prior_table
from skbird.utils._names import match_names
from skbird.utils._params import as_floats

_TABLES = (".csv", ".tsv", ".txt")
_PLACES = 1000  # that a geo model is asked for at once


def make_prior(prior):
    """Return what tells the priors of rows, but for "learned".

    Parameters
    ----------
    prior : str, path, DataFrame, callable or geo model
        See `PlaceSeasonPrior`.

    Returns
    -------
    GeoPrior, TablePrior or CallablePrior
        Its method ``of_rows(rows, species)`` gives an array (n_rows, n_species), NaN
        where nothing is known. ``keys`` are the columns that rows must have; None
        means all of X.
    """
    if isinstance(prior, pd.DataFrame):
        return TablePrior(prior)
    if isinstance(prior, str | os.PathLike):
        path = Path(prior)
        if path.suffix.lower() in _TABLES:
            return TablePrior(read_prior_table(path))
        from skbird.encoders import load_geo_model

        prior = load_geo_model(prior)
    if hasattr(prior, "predict") and hasattr(prior, "class_names"):
        return GeoPrior(prior)
    if not callable(prior):
        raise TypeError(
            f"prior={prior!r:.100} is no geo model, which has predict and class_names, "
            "and no function."
        )
    return CallablePrior(prior)


class GeoPrior:
    """Priors by a geo model, which needs the place and the date of rows.

    Parameters
    ----------
    model : GeoModel
    """

    keys = ("latitude", "longitude", "week")

    def __init__(self, model):
        self._model = model

    def of_rows(self, rows, species):
        """Return the priors of rows: of the whole year without a column ``week``."""
        column = self._columns(species)
        # Rows of a recording, or of a site in a week, ask for the same.
        numbers, places = number_rows(rows)
        priors = np.full((len(places), len(species)), np.nan)
        for first in range(0, len(places), _PLACES):
            part = places.iloc[first : first + _PLACES]
            week = part.get("week")
            given = self._model.predict(part["latitude"], part["longitude"], week)
            priors[first : first + len(part)] = np.where(
                column >= 0, given[:, column], np.nan
            )
        return priors[numbers]

    def knows(self, species, priors, min_prior):
        """Return which species the model was trained on, (n_species,) bool."""
        column = self._columns(species)
        # Here, or else anywhere: some live within a mesh of the grid of the world.
        known = (priors >= min_prior).any(axis=0)
        if not known[column >= 0].all():
            known |= (column >= 0) & (self._model.highest[column] >= min_prior)
        return known

    def _columns(self, species):
        place = {}
        for number, name in enumerate(self._model.class_names):
            place.setdefault(name, number)
        matched = match_names(species, place)
        return np.array([place.get(matched.get(name), -1) for name in species])


class TablePrior:
    """Priors by a table with a row per species and, say, month.

    Parameters
    ----------
    table : DataFrame
    """

    def __init__(self, table):
        missing = [name for name in ("species", "prior") if name not in table.columns]
        if missing:
            raise ValueError(
                f"The table of priors has the columns {list(table.columns)}, without "
                f"{missing[0]!r}. A row of it tells species, prior, and if wanted "
                "month (1-12), week (1-48), hour (0-23) and columns of X such as site."
            )
        self.keys = [name for name in table.columns if name not in ("species", "prior")]
        values = as_floats(table["prior"], "prior", np.float64)
        if ((values < 0) | (values > 1)).any():
            worst = values[(values < 0) | (values > 1)][0]
            raise ValueError(
                f"The table of priors has prior={worst:g}; it must be in [0, 1]."
            )
        table = table.assign(prior=values, species=table["species"].astype(str))
        for name in set(DERIVED) & set(self.keys):
            table[name] = as_floats(table[name], name, np.float64)
        where = [*self.keys, "species"]
        twice = table.duplicated(where)
        if twice.any():
            raise ValueError(
                "The table of priors has more than one row for "
                f"{table.loc[twice, where].iloc[0].to_dict()}."
            )
        self._species = list(dict.fromkeys(table["species"]))
        self._numbers = {name: k for k, name in enumerate(self._species)}
        keys = table[self.keys]
        number, self._levels = number_rows(keys)
        self._values = np.full((len(self._levels), len(self._species)), np.nan)
        self._values[number, table["species"].map(self._numbers)] = values

    def of_rows(self, rows, species):
        """Return the priors of rows that have the columns of the table."""
        matched = match_names(species, self._species)
        column = np.array(
            [self._numbers.get(matched.get(name), -1) for name in species], dtype=int
        )
        level = look_up(rows[self.keys], self._levels)
        values = np.append(self._values, np.full((1, len(self._species)), np.nan), 0)
        values = np.append(values, np.full((len(values), 1), np.nan), 1)
        return values[level][:, column]

    def knows(self, species, priors, min_prior):
        """Return which species the table has, (n_species,) bool."""
        matched = match_names(species, self._species)
        return np.array([name in matched for name in species], dtype=bool)


class CallablePrior:
    """Priors by a function of the row table and the names of species.

    Parameters
    ----------
    function : callable
    """

    keys = None

    def __init__(self, function):
        self._function = function

    def of_rows(self, rows, species):
        """Return what the function says, checked."""
        given = as_floats(self._function(rows, list(species)), "prior", np.float64)
        if given.shape != (len(rows), len(species)):
            raise ValueError(
                f"prior returned values of shape {given.shape} for {len(rows)} rows "
                f"and {len(species)} species."
            )
        if ((given < 0) | (given > 1)).any():
            raise ValueError("prior returned values that are not in [0, 1].")
        return given

    def knows(self, species, priors, min_prior):
        """Return of which species the function says anything, (n_species,) bool."""
        return (~np.isnan(priors)).any(axis=0)
