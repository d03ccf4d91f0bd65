"""Sunrise and sunset at sites, through astral."""

import datetime as dt
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from skbird.survey._tables import check_recordings, check_sites, no_recordings
from skbird.survey._zones import microseconds, moments_of, zone_of
from skbird.utils._extras import install_hint
from skbird.utils._params import as_floats

_DAY = dt.timedelta(days=1)
_HALF_DAY = dt.timedelta(hours=12)
_HORIZON = 90 + 16 / 60  # degrees from the zenith, with the radius of the sun
_NEARBY = 10  # degrees of longitude

_COLUMNS = ["site", "date", "sunrise", "sunset", "sunrise_hour", "sunset_hour", "note"]


class SunDays(NamedTuple):
    """The sun at a place on some days."""

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
        days = pd.date_range(first.normalize(), last.normalize())
        sun = sun_of_days(latitude, longitude, zone, days)
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


def sun_of_days(latitude, longitude, zone, days):
    """Find sunrise and sunset of days.

    Parameters
    ----------
    latitude, longitude : float
        In degrees.
    zone : tzinfo
        That of the place, whose days are meant.
    days : DatetimeIndex
        Ascending, without zone or time.

    Returns
    -------
    SunDays
        On a polar day the sun is said to rise and to set at solar midnight, in a polar
        night at solar noon, to which both tend.
    """
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
        from astral import Observer, SunDirection
        from astral.sun import elevation, noon
    except ImportError as exc:
        raise ImportError(
            f"Sunrise and sunset need astral; install it with: {install_hint('survey')}"
        ) from exc
    observer = Observer(latitude, longitude)
    top = noon(observer, date=_date_of_noon(longitude, zone, date))
    up = _nearest(latitude, longitude, top, SunDirection.RISING, -1)
    down = _nearest(latitude, longitude, top, SunDirection.SETTING, +1)
    if up is not None and down is not None:
        return up, down, ""
    if elevation(observer, top) > 0:
        return top - _HALF_DAY, top + _HALF_DAY, "polar day"
    return top, top, "polar night"


def _date_of_noon(longitude, zone, date):
    """Return the date, by the sun, of the solar noon that is nearest to a clock's.

    The clock has no summer time and the sun goes evenly: days that follow each other
    have noons that do, also where the two are twelve hours apart.
    """
    clock = dt.datetime.combine(date, dt.time(12), zone)
    middle = clock.astimezone(dt.UTC) + (clock.dst() or dt.timedelta(0))
    after_utc = dt.timedelta(hours=longitude / 15)
    return (middle + after_utc).date()


def _nearest(latitude, longitude, top, direction, sign):
    """Return the sunrise before noon or the sunset after it; None if there is none."""
    from astral import Observer
    from astral.sun import time_of_transit

    # At midnight of UTC astral jumps over one, which a place nearby has, minutes off.
    away = -_NEARBY if longitude > 0 else _NEARBY
    for degrees, days in product((0, away), (0, -1, 1)):
        observer = Observer(latitude, longitude + degrees)
        date = top.date() + days * _DAY
        try:
            found = time_of_transit(observer, date, _HORIZON, direction)
        except ValueError:  # astral has no other word for polar days and nights
            continue
        found += dt.timedelta(hours=degrees / 15)
        if dt.timedelta(0) <= sign * (found - top) <= 1.02 * _HALF_DAY:
            return found
    return None
