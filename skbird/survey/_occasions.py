"""Cut stretches of time into hours, days or nights of the place."""

import warnings
from dataclasses import dataclass
from numbers import Integral
from typing import ClassVar

import numpy as np
import pandas as pd

from skbird.survey._sun import places_of, sun_of_days
from skbird.survey._zones import microseconds, moments_of, second_times, to_utc, zone_of
from skbird.utils._text import counted

_NAMES = "hour", "day", "night", "hour_from_sunrise"
_NO_SUNRISE = -99  # the hour of all that is on a polar day, or in a polar night
_DAY = pd.Timedelta("1D")
_HOUR_US = 3_600_000_000
_PAUSE_US = 30 * 24 * _HOUR_US
_US = 1e-6  # seconds


@dataclass(frozen=True)
class Calendar:
    """The occasions of a survey.

    Parameters
    ----------
    by : {"hour", "day", "night", "hour_from_sunrise"} or int
        What an occasion is; an int is a number of days.
    first_day : Timestamp
        From which such days are counted, in the time of each place.
    """

    by: str | int
    first_day: pd.Timestamp
    key: ClassVar[str] = "time_zone"  # what places share whose occasions are the same

    def edges(self, name, first_us, last_us):
        """Return where occasions begin that hold the moments from first to last.

        Parameters
        ----------
        name : str
            Of the zone.
        first_us, last_us : int
            Microseconds since 1970, UTC.

        Returns
        -------
        ndarray of int
            Microseconds, ascending: of each occasion the start, and one end more.
        """
        zone = zone_of(name)
        first, last = days_of([first_us, last_us], zone)
        n_days = self.by if isinstance(self.by, Integral) else 1
        # From days before, for nights and where clocks skip a day, to one after.
        days_before = (first - self.first_day).days // n_days - 2
        start = self.first_day + pd.Timedelta(n_days * days_before, unit="D")
        end = last + pd.Timedelta(2 * n_days, unit="D")
        days = pd.Series(pd.date_range(start, end, freq=f"{n_days}D"))
        if self.by == "night":
            days += pd.Timedelta(12, unit="h")
        if self.by != "hour":
            return microseconds(to_utc(days, zone)[0])
        hours = pd.Series(pd.date_range(start, end, freq="h"))
        both = [to_utc(hours, zone)[0], second_times(hours, zone)]
        return np.unique(np.concatenate([microseconds(times) for times in both]))

    def cut(self, start_us, end_us, places):
        """Cut stretches where an occasion ends and the next begins.

        Parameters
        ----------
        start_us, end_us : ndarray of int, shape (n_stretches,)
            Microseconds since 1970, UTC.
        places : DataFrame of n_stretches rows
            ``site`` and ``time_zone``.

        Returns
        -------
        DataFrame
            ``stretch``, its number, ``occasion_us``, where the occasion begins,
            ``seconds``, and ``is_first``, of a stretch's pieces.
        """
        parts = []
        for name, stretch in _groups(places[self.key], start_us):
            start, end = start_us[stretch], end_us[stretch]
            edges = self.edges(name, start.min(), end.max())
            first = np.searchsorted(edges, start, side="right") - 1
            last = np.maximum(first, np.searchsorted(edges, end, side="left") - 1)
            n_pieces = last - first + 1
            of = np.repeat(np.arange(len(stretch)), n_pieces)
            nth = np.arange(len(of)) - np.repeat(
                np.cumsum(n_pieces) - n_pieces, n_pieces
            )
            edge = first[of] + nth
            length = np.minimum(end[of], edges[edge + 1])
            length -= np.maximum(start[of], edges[edge])
            parts.append(
                pd.DataFrame(
                    {
                        "stretch": stretch[of],
                        "occasion_us": edges[edge],
                        "seconds": length * _US,
                        "is_first": nth == 0,
                    }
                )
            )
        if not parts:
            empty = np.empty(0, dtype=np.int64)
            columns = {"stretch": empty, "occasion_us": empty}
            return pd.DataFrame(
                columns | {"seconds": 0.0 * empty, "is_first": empty > 0}
            )
        return pd.concat(parts, ignore_index=True)

    def label(self, occasion_us, places):
        """Say what occasions are called at their place.

        Parameters
        ----------
        occasion_us : ndarray of int, shape (n_occasions,)
        places : DataFrame of n_occasions rows
            ``site`` and ``time_zone``.

        Returns
        -------
        DataFrame
            ``date``, without zone, that of the evening of a night and the first of
            several days; ``hour``, if occasions are hours; and ``start_time``, UTC.
        """
        labels = pd.DataFrame({"date": pd.NaT, "start_time": moments_of(occasion_us)})
        labels["date"] = labels["date"].astype("datetime64[us]")
        hours = np.zeros(len(labels), dtype=np.int64)
        for name, rows in _groups(places[self.key], occasion_us):
            labels.loc[rows, "date"], hours[rows] = self._names(name, occasion_us[rows])
        if self.by in ("hour", "hour_from_sunrise"):
            labels.insert(1, "hour", hours)
        return labels

    def _names(self, name, occasion_us):
        """Return the dates and the hours of occasions in a zone."""
        local = (
            moments_of(occasion_us).dt.tz_convert(zone_of(name)).dt.tz_localize(None)
        )
        days = local.dt.normalize().astype("datetime64[us]")
        return days.to_numpy(), local.dt.hour.to_numpy()


@dataclass(frozen=True)
class SunCalendar(Calendar):
    """Hours from sunrise: 24 between twelve hours before it and those before the next.

    Parameters
    ----------
    by, first_day
        As of `Calendar`.
    places : dict of str to (float, float)
        Latitude and longitude of each site.
    zones : dict of str to str
        Names of their zones.
    """

    places: dict
    zones: dict
    key: ClassVar[str] = "site"

    def sun(self, site, days):
        """Return the sun at a site on some days."""
        if site not in self.places:
            raise ValueError(
                f"sites has no site {site!r}, of which there are recordings: when the "
                "sun rises there is not known. Add it, with latitude and longitude."
            )
        return sun_of_days(*self.places[site], zone_of(self.zones[site]), days)

    def edges(self, name, first_us, last_us):
        """Return where occasions begin that hold the moments from first to last."""
        return self._hours(name, first_us, last_us)[0]

    def cut(self, start_us, end_us, places):
        """Cut stretches, and leave out those of days without a sunrise."""
        pieces = super().cut(start_us, end_us, places)
        sites = places["site"].to_numpy()[pieces["stretch"]]
        has_sunrise = np.ones(len(pieces), bool)
        when = pieces["occasion_us"].to_numpy()
        for site, rows in _groups(sites, when):
            has_sunrise[rows] = self._names(site, when[rows])[1] != _NO_SUNRISE
        return pieces[has_sunrise].reset_index(drop=True)

    def _names(self, name, occasion_us):
        edges, days, hours = self._hours(name, occasion_us.min(), occasion_us.max())
        place = np.searchsorted(edges, occasion_us, side="right") - 1
        return days[place], hours[place]

    def _hours(self, site, first_us, last_us):
        """Return where hours begin, the days that they are of, and their numbers."""
        first, last = days_of([first_us, last_us], zone_of(self.zones[site]))
        sun = self.sun(site, pd.date_range(first - 2 * _DAY, last + 2 * _DAY))
        begin = sun.sunrise_us - 12 * _HOUR_US
        following = np.append(begin[1:], begin[-1] + 24 * _HOUR_US)
        number = np.arange(24)
        edges = begin[:, None] + _HOUR_US * number
        is_polar = sun.note != ""
        kept = (edges < following[:, None]) & ~(is_polar[:, None] & (number > 0))
        hours = np.where(is_polar[:, None], _NO_SUNRISE, number - 12)
        days = np.repeat(sun.day.to_numpy("datetime64[us]")[:, None], 24, axis=1)
        return edges[kept], days[kept], hours[kept]


def _groups(names, moments_us):
    """Yield each name with the places of its moments, apart where a clock was wrong.

    A recording of 1970 does not need the occasions of all years since.
    """
    numbers, names = pd.factorize(names)
    order = np.lexsort((moments_us, numbers))
    apart = np.diff(moments_us[order]) > _PAUSE_US
    apart |= np.diff(numbers[order]) > 0
    for places in np.split(order, np.flatnonzero(apart) + 1):
        if len(places):
            yield names[numbers[places[0]]], places


def days_of(moments_us, zone):
    """Return the days, without zone, on which moments are at a place."""
    local = moments_of(moments_us).dt.tz_convert(zone).dt.tz_localize(None)
    return local.dt.normalize()


def make_calendar(by, recordings, sites, deployments, stacklevel):
    """Return the calendar of recordings, or say what is wrong with `by`.

    Parameters
    ----------
    by : str or int
    recordings : DataFrame
        As `check_recordings` returns it, each with a time.
    sites : DataFrame or None
        As the user gives it: where the sun rises.
    deployments : DataFrame or None
        As `check_sites` returns it.
    stacklevel : int
        Of the warning about days without a sunrise.

    Returns
    -------
    Calendar
    """
    is_days = (
        isinstance(by, Integral) and not isinstance(by, bool) and 1 <= by <= 10_000
    )
    if not is_days and not (isinstance(by, str) and by in _NAMES):
        raise ValueError(
            f"by={by!r} must be 'hour', 'day', 'night', 'hour_from_sunrise' or a "
            "number of days from 1 to 10000, such as 7."
        )
    first_days = [
        days_of([microseconds(times).min()], zone_of(name))[0]
        for name, times in recordings.groupby("time_zone")["start_time"]
    ]
    first_day = min(first_days, default=pd.Timestamp(1970, 1, 1))
    if by != "hour_from_sunrise":
        return Calendar(by, first_day)
    zones = recordings.drop_duplicates("site").set_index("site")["time_zone"]
    if deployments is not None:
        zones = pd.concat([zones, deployments.set_index("site")["time_zone"]])
    zones = zones[~zones.index.duplicated()].to_dict()
    calendar = SunCalendar(by, first_day, places_of(sites), zones)
    _warn_of_polar_days(calendar, recordings, stacklevel + 1)
    return calendar


def _warn_of_polar_days(calendar, recordings, stacklevel):
    for site, of_site in recordings.groupby("site"):
        when = microseconds(of_site["start_time"])
        days = days_of(when, zone_of(calendar.zones[site]))
        sun = calendar.sun(site, pd.DatetimeIndex(sorted(days.unique())))
        polar = sun.note != ""
        if polar.any():
            first = polar.argmax()
            warnings.warn(
                f"{counted(polar.sum(), 'day')} of site {site!r} "
                f"{'has' if polar.sum() == 1 else 'have'} no sunrise, such as "
                f"{sun.day[first]:%Y-%m-%d} ({sun.note[first]}), and count in no "
                "occasion. Pass by='hour' for such sites.",
                UserWarning,
                stacklevel=stacklevel + 1,
            )
