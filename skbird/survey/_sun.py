"""Sunrise and sunset at sites, through astral."""

import datetime as dt
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from skbird.survey._tables import check_recordings, check_sites, no_recordings
from skbird.survey._zones import microseconds, moments_of, zone_of
from skbird.utils._extras import install_hint
from skbird.utils._params import as_floats

_DAY = dt.timedelta(days=1)
_HALF_DAY = dt.timedelta(hours=12)

_COLUMNS = ["site", "date", "sunrise", "sunset", "sunrise_hour", "sunset_hour", "note"]


class SunDays(NamedTuple):
    """The sun at a place on days that follow each other."""

    day: pd.DatetimeIndex  # (n_days,), without zone
    sunrise_us: np.ndarray  # (n_days,): microseconds since 1970, UTC
    sunset_us: np.ndarray
    note: np.ndarray  # (n_days,): "polar day", "polar night", or empty


def sun_times(
    sites: pd.DataFrame, recordings: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Say when the sun rises and sets at each site, on each day of its deployment.

    Needs astral, which the extra ``survey`` brings.

    Parameters
    ----------
    sites : DataFrame
        Deployments, as `check_deployments` takes them, with ``latitude`` and
        ``longitude`` in degrees.
    recordings : DataFrame, default=None
        As `recording_times` makes it: tells the zones of sites that have no
        ``time_zone``.

    Returns
    -------
    DataFrame
        A line per site and day of the place: ``site``, ``date``, ``sunrise`` and
        ``sunset`` (UTC), ``sunrise_hour`` and ``sunset_hour``, what clocks of the place
        show, in [0, 24), and ``note``. Where the sun stays above or below the horizon
        the note is "polar day" or "polar night", and all times are missing.

    Raises
    ------
    ImportError
        If astral is not installed.
    ValueError
        If a site has no place, or several.

    Notes
    -----
    The upper edge of the sun is seen at a horizon at sea level, with the refraction of
    a standard atmosphere: hills are not known. Errors are a minute or two, and more
    near the poles.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.survey import sun_times
    >>> sites = pd.DataFrame({"site": ["marsh"], "latitude": 37.0, "longitude": -6.4,
    ...     "start": "2024-05-01", "end": "2024-05-01", "time_zone": "Europe/Madrid"})
    >>> times = sun_times(sites)
    >>> times[["sunrise_hour", "sunset_hour"]].round(2)
       sunrise_hour  sunset_hour
    0          7.52        21.23
    """
    places = places_of(sites)
    known = no_recordings() if recordings is None else check_recordings(recordings)
    parts = []
    for line in check_sites(sites, known).itertuples(index=False):
        ends = pd.Series([line.start_time, line.end_time - pd.Timedelta(1, unit="us")])
        first, last = ends.dt.tz_convert(zone_of(line.time_zone)).dt.tz_localize(None)
        latitude, longitude = places[line.site]
        zone = zone_of(line.time_zone)
        sun = sun_of_days(latitude, longitude, zone, first, last)
        part = {"site": line.site, "date": sun.day.astype("datetime64[us]")}
        for name in ("sunrise", "sunset"):
            moments = moments_of(getattr(sun, f"{name}_us"))
            part[name] = moments.where(sun.note == "")
            local = part[name].dt.tz_convert(zone)
            part[f"{name}_hour"] = local.dt.hour + local.dt.minute / 60
        parts.append(pd.DataFrame(part | {"note": sun.note}))
    if not parts:
        return pd.DataFrame(columns=_COLUMNS)
    table = pd.concat(parts, ignore_index=True).drop_duplicates(["site", "date"])
    return table.sort_values(["site", "date"], ignore_index=True)[_COLUMNS]


def places_of(sites):
    """Return latitude and longitude of each site, by name, or say what is wrong.

    Parameters
    ----------
    sites : DataFrame or None
        As the user gives it.

    Returns
    -------
    dict of str to (float, float)
    """
    given = [] if sites is None else list(getattr(sites, "columns", []))
    for name in ("site", "latitude", "longitude"):
        if name not in given:
            raise ValueError(
                f"sites has no column {name!r}; sunrise needs site, latitude and "
                "longitude, in degrees. Pass a table that has them."
            )
    where = [as_floats(sites[n], n, np.float64) for n in ("latitude", "longitude")]
    places = {}
    for site, *place in zip(sites["site"], *where, strict=True):
        if not np.isfinite(place).all():
            raise ValueError(
                f"latitude and longitude of site {site!r} are not known; sunrise "
                "needs them. Fill them in, in degrees."
            )
        if places.setdefault(site, tuple(place)) != tuple(place):
            raise ValueError(
                f"Site {site!r} has several places in sites: {places[site]} and "
                f"{tuple(place)}. Name them as sites of their own."
            )
    return places


def sun_of_days(latitude, longitude, zone, first, last):
    """Find sunrise and sunset of days that follow each other.

    Parameters
    ----------
    latitude, longitude : float
        In degrees.
    zone : tzinfo
        That of the place, whose days are meant.
    first, last : Timestamp
        Without zone.

    Returns
    -------
    SunDays
        On a polar day the sun is said to rise and to set at solar midnight, in a polar
        night at solar noon, to which both tend.
    """
    days = pd.date_range(first.normalize(), last.normalize())
    ups, downs, notes = zip(
        *(_sun_of_day(latitude, longitude, zone, day.date()) for day in days),
        strict=True,
    )
    moments = (pd.Series(pd.to_datetime(list(m), utc=True)) for m in (ups, downs))
    return SunDays(days, *map(microseconds, moments), np.array(notes, dtype=object))


@lru_cache(maxsize=100_000)
def _sun_of_day(latitude, longitude, zone, date):
    """Return when the sun rises and sets, and what is to be said about it."""
    try:
        from astral import Observer
        from astral.sun import elevation, noon, sunrise, sunset
    except ImportError as exc:
        raise ImportError(
            f"Sunrise and sunset need astral; install it with: {install_hint('survey')}"
        ) from exc
    observer = Observer(latitude, longitude)
    middle = dt.datetime.combine(date, dt.time(12), zone).astimezone(dt.UTC)
    around = [date - _DAY, date, date + _DAY]
    noons = [noon(observer, date=near) for near in around]
    top = min(noons, key=lambda moment: abs(moment - middle))
    up = _nearest(sunrise, observer, around, top, -1)
    down = _nearest(sunset, observer, around, top, +1)
    if up is not None and down is not None:
        return up, down, ""
    if elevation(observer, top) > 0:
        return top - _HALF_DAY, top + _HALF_DAY, "polar day"
    return top, top, "polar night"


def _nearest(event, observer, around, top, sign):
    """Return the sunrise before noon or the sunset after it; None if there is none."""
    found = []
    for date in around:
        try:
            away = sign * (event(observer, date=date) - top)
        except ValueError:  # astral has no other word for polar days and nights
            continue
        if dt.timedelta(0) <= away <= 1.02 * _HALF_DAY:
            found.append(away)
    return top + sign * min(found) if found else None
