"""At which occasions each species was detected, for models of occupancy."""

from typing import Literal

import pandas as pd

from skbird.survey._rates import REVIEWED, check_activity
from skbird.utils._params import AT_LEAST_ONE, NOT_NEGATIVE, check_params
from skbird.utils._sklearn_compat import StrOptions

_NEEDED = "site", "date", "start_time", "species", "effort_s", "n_calling"


def detection_history(
    activity: pd.DataFrame,
    *,
    min_rows: int = 1,
    min_effort_s: float = 0.0,
    form: Literal["long", "wide"] = "long",
) -> pd.DataFrame:
    """Say at which occasions each species was detected at each site.

    An occasion counts for a species if it was listened to: without effort, or with
    less than `min_effort_s`, the history is NaN, not 0. Detections are those of a
    threshold, and may be false: with reviews, histories say which are certain.

    Parameters
    ----------
    activity : DataFrame
        As `activity` makes it, such as with ``by="day"``, or ``by=7`` for weeks; with
        its argument ``reviews``, the history has what was heard.
    min_rows : int >= 1, default=1
        From how many calling rows on, begun in the occasion, a species is detected.
    min_effort_s : float >= 0, default=0.0
        Least effort, in seconds, that an occasion needs.
    form : {"long", "wide"}, default="long"
        A line per species, site and occasion, or per species and site.

    Returns
    -------
    DataFrame
        Ordered by species, then site. Long: ``species``, ``site``, ``occasion`` (1 to
        n, by the date and hour of the place), ``y`` (1: there are `min_rows` detections
        that nobody found wrong; 0: there are fewer; NaN: no effort), ``effort_s``,
        ``n_calling``, ``date``, ``hour`` (of hours) and ``start_time``; occasions of
        which a site is not in `activity` have no line.
        Wide: ``species``, ``site``, ``y.1`` to ``y.n``, then ``effort_s.1`` to
        ``effort_s.n``, 0 where `activity` has none.
        With reviews the long form also has ``state`` (2 certain: a detection was
        confirmed; else as ``y``), ``n_reviewed`` and ``n_confirmed``; the wide form
        these and ``n_calling``, by occasion.

    Raises
    ------
    ValueError
        If `activity` lacks a column or names an occasion twice, or a parameter is out
        of its range.

    Notes
    -----
    In R, the lines of one species of the wide form are the input of unmarked and of
    spOccupancy: the columns ``y.`` as ``y``, those of ``effort_s.`` as a covariate of
    observation. ``to_csv(index=False)`` writes NaN as an empty cell, which ``read.csv``
    reads as NA.

    Thresholds leave false positives, which make species look as if they were
    everywhere. Two kinds of models take them into account. unmarked's ``occuFP`` takes
    ``state.`` as ``y``, its ``type`` being ``c(0, 0, n)`` (Miller et al., "Improving
    occupancy estimation when two types of observational error occur", Ecology 2011).
    Models that are written in JAGS, NIMBLE, Stan or PyMC take counts: of detections,
    ``n_calling.``, of those that were reviewed, and of those confirmed (Chambert et
    al., "A new framework for analysing automated acoustic species detection data",
    Methods in Ecology and Evolution 2018). Reviews must then be drawn by chance.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.survey import detection_history
    >>> days = pd.to_datetime(["2024-05-01", "2024-05-02"])
    >>> activity = pd.DataFrame({"site": "marsh", "date": days, "species": "amerob",
    ...     "start_time": days.tz_localize("UTC"), "effort_s": [600.0, 0.0],
    ...     "n_calling": [3, 0]})
    >>> detection_history(activity, form="wide")
      species   site  y.1  y.2  effort_s.1  effort_s.2
    0  amerob  marsh  1.0  NaN       600.0         0.0
    """
    check_params(
        "detection_history",
        {
            "min_rows": [AT_LEAST_ONE],
            "min_effort_s": [NOT_NEGATIVE],
            "form": [StrOptions({"long", "wide"})],
        },
        min_rows=min_rows,
        min_effort_s=min_effort_s,
        form=form,
    )
    history = _check_activity(activity)
    history["occasion"] = _number_occasions(history)
    effort_s = history["effort_s"]
    counts = (effort_s > 0) & (effort_s >= min_effort_s)
    reviewed = [name for name in REVIEWED if name in history.columns]
    n_wrong = 0
    if reviewed:  # in some of several tables, perhaps
        n_wrong = (history["n_reviewed"] - history["n_confirmed"]).fillna(0)
    detected = (history["n_calling"] - n_wrong >= min_rows).astype(float)
    history["y"] = detected.where(counts)
    if reviewed:
        state = detected.mask(history["n_confirmed"] > 0, 2.0)
        history["state"] = state.where(counts)
        reviewed = ["state", *reviewed]
    history = history.sort_values(["species", "site", "occasion"], ignore_index=True)
    if form == "long":
        when = [name for name in ("date", "hour", "start_time") if name in history]
        figures = ["occasion", "y", "effort_s", "n_calling"]
        return history[["species", "site", *figures, *reviewed, *when]]
    return _widen(history, [*reviewed, "n_calling"] if reviewed else [])


def _check_activity(activity):
    check_activity(activity, _NEEDED)
    twice = activity.duplicated(["species", "site", "start_time"]).to_numpy()
    if twice.any():
        line = activity.iloc[twice.argmax()]
        raise ValueError(
            f"activity has more than one line of species {line['species']!r} at site "
            f"{line['site']!r} on {line['date']}. Pass each occasion once."
        )
    if len([name for name in REVIEWED if name in activity.columns]) == 1:
        raise ValueError(
            "activity has one of the columns n_reviewed and n_confirmed; both are "
            "needed, or none. Pass what skbird.survey.activity returns."
        )
    return activity.reset_index(drop=True)


def _number_occasions(history):
    """Give occasions numbers from 1 on, by the date and hour of the place."""
    when = [name for name in ("date", "hour") if name in history.columns]
    # An hour that occurs twice, as clocks are put back, is two occasions.
    by_time = history.sort_values("start_time", kind="stable")
    nth = by_time.groupby(["species", "site", *when]).cumcount().sort_index()
    return history[when].assign(nth=nth).groupby([*when, "nth"]).ngroup() + 1


def _widen(history, others):
    """Return a line per species and site, with columns for all occasions."""
    parts = []
    absences = {"y": {}, "effort_s": {"fill_value": 0.0}, "state": {}}
    for name in ["y", "effort_s", *others]:
        absent = absences.get(name, {"fill_value": 0})
        table = history.set_index(["species", "site", "occasion"])[name]
        table = table.unstack(**absent)
        parts.append(table.set_axis([f"{name}.{n}" for n in table.columns], axis=1))
    return pd.concat(parts, axis=1).reset_index()
