"""Rates of activity, added up over sites or hours."""

import numpy as np

from skbird.utils._columns import check_table
from skbird.utils._params import as_floats

#: Columns that activity has with reviews.
REVIEWED = "n_reviewed", "n_confirmed"
_NEEDED = "site", "date", "species", "effort_s", "n_calling"


def check_activity(activity, needed):
    """Refuse what is no table that `skbird.survey.activity` made.

    Parameters
    ----------
    activity : DataFrame
        As the user gives it.
    needed : iterable of str
        Its columns that are used.
    """
    remedy = "skbird.survey.activity makes it"
    check_table(activity, "activity", needed, remedy, ["hour", *REVIEWED])
    for name in ("effort_s", "n_calling", *REVIEWED):
        if name in activity.columns:
            as_floats(activity[name], f"{name} of activity", np.float64)


def check_rates(activity, species, site=None):
    """Return the lines of a species, perhaps at one site, or say what is wrong.

    Parameters
    ----------
    activity : DataFrame
        As the user gives it.
    species : str
    site : str or None
        None: all.

    Returns
    -------
    DataFrame
    """
    check_activity(activity, _NEEDED)
    wanted = {"species": species} | ({} if site is None else {"site": site})
    for name, value in wanted.items():
        has_it = (activity[name].map(str) == str(value)).to_numpy()
        if not has_it.any():
            known = sorted(map(str, activity[name].unique()))[:10]
            raise ValueError(
                f"{name}={value!r:.100} is not in activity, which has {known}. Name "
                "one of these."
            )
        activity = activity[has_it]
    return activity


def sum_rates(activity, keys):
    """Add up detections and effort, and divide.

    Parameters
    ----------
    activity : DataFrame
        As `check_rates` returns it.
    keys : list of str
        Columns whose values stay apart.

    Returns
    -------
    DataFrame
        ``n_calling``, ``effort_s`` and ``rows_per_hour`` (NaN without effort), indexed
        by the keys.
    """
    sums = activity.groupby(keys)[["n_calling", "effort_s"]].sum()
    effort_s = sums["effort_s"].where(sums["effort_s"] > 0, np.nan)
    return sums.assign(rows_per_hour=3600 * sums["n_calling"] / effort_s)
