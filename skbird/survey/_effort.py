"""How long was recorded, and how much of it can be used."""

from typing import Literal

import numpy as np
import pandas as pd

from skbird.survey._occasions import make_calendar
from skbird.survey._tables import are_in_time, check_recordings, check_sites
from skbird.survey._zones import microseconds


def effort(
    recordings: pd.DataFrame,
    by: Literal["hour", "day", "night", "hour_from_sunrise"] | int = "day",
    *,
    sites: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Add up the seconds recorded, and those usable, per site and occasion.

    A recording that goes on over midnight counts for both days. Of a night in which
    clocks are put back, the hour that occurs twice is two occasions, and the day has 25
    hours. Files that overlap count twice: `check_deployments` lists them.

    Parameters
    ----------
    recordings : DataFrame
        As `recording_times` makes it. A column ``usable`` may say False of those that
        are silent, clipped, broken or too noisy; those whose duration is not known are
        not usable either.
    by : {"hour", "day", "night", "hour_from_sunrise"} or int, default="day"
        What an occasion is, in the time of the place: an hour, a day, from noon to
        noon, an hour from sunrise, or so many days, counted from the first day of the
        recordings that count. Of hours from sunrise there are 24 a day, from -12 to 11,
        of which the last takes the minutes by which sunrise moves; days without a
        sunrise are in no occasion. They need `sites` with latitude and longitude, and
        astral (the extra ``survey``).
    sites : DataFrame, default=None
        Deployments, as `check_deployments` takes them: occasions of a deployment
        without recordings are listed, with 0 seconds, and recordings outside all
        deployments of their site are left out; one that is partly outside counts whole.
        None: only occasions that have recordings.

    Returns
    -------
    DataFrame
        A line per site and occasion: ``site``, ``date`` (that of the evening of a
        night), ``hour`` (of hours, also from sunrise), ``start_time`` of the occasion
        (UTC), ``recorded_s`` and ``usable_s``, and ``n_recordings`` and ``n_unusable``,
        each counted where it begins.

    Raises
    ------
    ValueError
        If a column is missing or holds what it cannot, or `by` is none of the above.

    Warns
    -----
    UserWarning
        If recordings have no ``start_time``, are outside the deployments of their site,
        or are of days without a sunrise: they are in no occasion.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.survey import effort, recording_times
    >>> table = pd.DataFrame({"path": ["20240501_233000.WAV", "20240502_120000.WAV"]})
    >>> table = table.assign(site="marsh", duration_s=3600.0, usable=[True, False])
    >>> effort(recording_times(table, "UTC"))[["date", "recorded_s", "usable_s"]]
            date  recorded_s  usable_s
    0 2024-05-01      1800.0    1800.0
    1 2024-05-02      5400.0    1800.0
    """
    table = check_recordings(recordings)
    deployments = None if sites is None else check_sites(sites, table)
    table = table[are_in_time(table, deployments, stacklevel=2)]
    table = table.reset_index(drop=True)
    calendar = make_calendar(by, table, sites, deployments, stacklevel=2)
    cells = occasion_effort(table, deployments, calendar)
    labels = calendar.label(cells["occasion_us"].to_numpy(), cells)
    figures = ["recorded_s", "usable_s", "n_recordings", "n_unusable"]
    return pd.concat([cells[["site"]], labels, cells[figures]], axis=1)


def occasion_effort(recordings, deployments, calendar):
    """Add up the effort of each site and occasion.

    Parameters
    ----------
    recordings : DataFrame
        As `check_recordings` returns it, each with a time.
    deployments : DataFrame or None
        As `check_sites` returns it.
    calendar : Calendar

    Returns
    -------
    DataFrame
        ``site``, ``time_zone``, ``occasion_us`` and the figures of `effort`; ordered
        by site and time.
    """
    start_us = microseconds(recordings["start_time"])
    seconds = recordings["duration_s"].fillna(0.0).to_numpy()
    pieces = calendar.cut(
        start_us,
        start_us + np.rint(seconds * 1e6).astype(np.int64),
        recordings,
    )
    whole = recordings.iloc[pieces["stretch"]].reset_index(drop=True)
    parts = [
        pd.DataFrame(
            {
                "site": whole["site"],
                "time_zone": whole["time_zone"],
                "occasion_us": pieces["occasion_us"],
                "recorded_s": pieces["seconds"],
                "usable_s": pieces["seconds"].where(whole["usable"], 0.0),
                "n_recordings": pieces["is_first"].astype(int),
                "n_unusable": (pieces["is_first"] & ~whole["usable"]).astype(int),
            }
        )
    ]
    if deployments is not None and len(deployments):
        ends = (microseconds(deployments[f"{name}_time"]) for name in ("start", "end"))
        pieces = calendar.cut(*ends, deployments)
        whole = deployments.iloc[pieces["stretch"]].reset_index(drop=True)
        nothing = dict.fromkeys(["recorded_s", "usable_s"], 0.0)
        nothing |= dict.fromkeys(["n_recordings", "n_unusable"], 0)
        parts.append(
            whole[["site", "time_zone"]].assign(
                occasion_us=pieces["occasion_us"], **nothing
            )
        )
    cells = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    keys = ["site", "time_zone", "occasion_us"]
    return cells.groupby(keys, as_index=False).sum()
