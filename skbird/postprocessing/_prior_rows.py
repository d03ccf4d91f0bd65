"""What priors are looked up by: places, dates and other columns of rows."""

import warnings

import numpy as np
import pandas as pd

from skbird.utils._columns import check_columns
from skbird.utils._days import hours, moments, moments_of_names, week_of
from skbird.utils._params import as_floats
from skbird.utils._text import counted

DERIVED = ("month", "week", "hour")  # a date or time tells them
_NAMED = 5  # species that a warning spells out


def place_columns(table, latitude, longitude, date, what, *, must_tell=True):
    """Return the coordinates of rows, and their week.

    Parameters
    ----------
    table : DataFrame
        The rows.
    latitude, longitude : str or float
        Columns, in degrees, or the same for all rows; what is out of range is not
        known.
    date : str or None
        Column; None: no week.
    what : str
        What wants them, for errors.
    must_tell : bool, default=True
        Whether it is an error if no row tells its week.

    Returns
    -------
    DataFrame of n_rows rows
        ``latitude``, ``longitude`` and ``week``, NaN where unknown.
    """
    check_columns(table, [latitude, longitude])
    places = {}
    given = {"latitude": (latitude, 90), "longitude": (longitude, 180)}
    for name, (column, limit) in given.items():
        if not isinstance(column, str):
            places[name] = np.full(len(table), float(column))
            continue
        if column not in table.columns:
            raise ValueError(
                f"{what} needs the columns latitude={latitude!r} and "
                f"longitude={longitude!r} of X, which has {list(table.columns)}. Pass "
                "numbers if all rows are of one place."
            )
        values = as_floats(table[column], column, np.float64)
        places[name] = np.where(np.abs(values) <= limit, values, np.nan)
    if date is not None:
        places["week"] = key_columns(table, ["week"], date, what, must_tell=must_tell)[
            "week"
        ]
    return pd.DataFrame(places, index=range(len(table)))


def key_columns(table, names, date, what, *, must_tell=True):
    """Return columns by which priors are looked up, some of them from date and time.

    Parameters
    ----------
    table : DataFrame
        The rows.
    names : sequence of str
        Columns of X; "month", "week" and "hour" may also be told by a date or time.
    date : str or None
        Column with the date.
    what : str
        What wants them, for errors.
    must_tell : bool, default=True
        Whether it is an error if no name of a file tells a date.

    Returns
    -------
    DataFrame of n_rows rows
    """
    check_columns(table, [*names, date, "time", "path"])
    columns = {}
    told = _moments(table, date, must_tell)
    if told is not None:
        told["week"] = week_of(told["month"].to_numpy(), told["day"].to_numpy())
        if "time" in table.columns:
            told["hour"] = told["hour"].fillna(pd.Series(hours(table["time"])))
    elif "time" in table.columns:
        told = pd.DataFrame({"hour": hours(table["time"])})
    for name in names:
        if name in table.columns:
            columns[name] = table[name].to_numpy()
            if name in DERIVED:
                columns[name] = as_floats(table[name], name, np.float64)
        elif name in DERIVED and told is not None and name in told:
            columns[name] = told[name].to_numpy()
        else:
            source = ""
            if name in DERIVED:
                source = f", nor date={date!r} or times in file names to tell it"
            raise ValueError(
                f"{what} needs the column {name!r} of X, which has "
                f"{list(table.columns)}{source}."
            )
    return pd.DataFrame(columns, index=range(len(table)))


def dates_from_names(table, names, date):
    """Tell whether only the names of files say what the columns `names` would."""
    asked = {name for name in names if name in DERIVED} - set(table.columns)
    if "time" in table.columns:
        asked.discard("hour")
    if not asked or date is None or date in table.columns:
        return False
    return "path" in table.columns and _moments(table, date, must_tell=True) is not None


def _moments(table, date, must_tell):
    """Return what the column says of dates, or else the names of files; or None."""
    if date is None:
        return None
    if date in table.columns:
        return moments(table[date])
    if "path" not in table.columns:
        return None
    told = moments_of_names(table["path"])
    tells = len(told) == 0 or told["month"].notna().any()
    return told if tells or not must_tell else None


def number_rows(keys):
    """Give each row the number of its values; return the distinct ones, too.

    Parameters
    ----------
    keys : DataFrame of n_rows rows
        May have no columns: all rows are the same then.

    Returns
    -------
    numbers : ndarray of int, shape (n_rows,)
    levels : DataFrame
    """
    if not len(keys.columns):
        return np.zeros(len(keys), dtype=int), pd.DataFrame(index=range(1))
    numbers = keys.groupby(list(keys.columns), dropna=False, sort=False).ngroup()
    first = ~numbers.duplicated()
    return numbers.to_numpy(), keys[first.to_numpy()].reset_index(drop=True)


def look_up(keys, levels):
    """Return at which place of `levels` the values of each row are; -1 if nowhere.

    Parameters
    ----------
    keys, levels : DataFrame
        With the same columns.

    Returns
    -------
    ndarray of int, shape (n_rows,)
    """
    if not len(levels.columns):
        return np.zeros(len(keys), dtype=int)
    place = {row: k for k, row in enumerate(levels.itertuples(index=False, name=None))}
    numbers, distinct = number_rows(keys)
    found = [place.get(row, -1) for row in distinct.itertuples(index=False, name=None)]
    return np.array(found, dtype=int)[numbers]


def say_species(lacking, n_species, stacklevel):
    """Warn of species that the prior does not know, of `n_species`."""
    if not len(lacking):
        return
    shown = ", ".join(str(name) for name in lacking[:_NAMED])
    more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
    warnings.warn(
        f"The prior knows nothing of {shown}{more} ({len(lacking)} of {n_species} "
        "species): they stay as they are. If it calls them otherwise, "
        "PlaceSeasonPrior(names={species: name}) says how.",
        stacklevel=stacklevel,
    )


def say_rows(priors, stacklevel):
    """Warn of rows for which the prior knows no species."""
    unknown = np.isnan(priors).all(axis=1)
    if not priors.shape[1] or not unknown.any():
        return
    warnings.warn(
        f"The prior knows nothing of {unknown.sum()} of "
        f"{counted(len(unknown), 'row')}, such as row {unknown.argmax()}, which lack "
        "place or date, or are of levels that it has not: they stay as they are.",
        stacklevel=stacklevel,
    )
