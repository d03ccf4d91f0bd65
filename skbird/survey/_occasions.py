"""Cut stretches of time into hours, days or nights of the place."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd

from skbird.survey._zones import microseconds, moments_of, to_utc, zone_of

_HOUR_US = 3_600_000_000
_US = 1e-6  # seconds


@dataclass(frozen=True)
class Calendar:
    """The occasions of a survey.

    Parameters
    ----------
    by : {"hour", "day", "night"} or int
        What an occasion is; an int is a number of days.
    first_day : Timestamp
        From which such days are counted, in the time of each place.
    """

    by: str | int
    first_day: pd.Timestamp

    def edges(self, zone, first_us, last_us):
        """Return where occasions begin that hold the moments from first to last.

        Parameters
        ----------
        zone : tzinfo
        first_us, last_us : int
            Microseconds since 1970, UTC.

        Returns
        -------
        ndarray of int
            Microseconds, ascending: of each occasion the start, and one end more.
        """
        local = moments_of([first_us, last_us]).dt.tz_convert(zone).dt.tz_localize(None)
        first, last = local.dt.normalize()
        n_days = self.by if isinstance(self.by, Integral) else 1
        # From a day before, for nights, to one after.
        days_before = (first - self.first_day).days // n_days - 1
        start = self.first_day + pd.Timedelta(n_days * days_before, unit="D")
        end = last + pd.Timedelta(2 * n_days, unit="D")
        days = pd.Series(pd.date_range(start, end, freq=f"{n_days}D"))
        if self.by == "night":
            days += pd.Timedelta(12, unit="h")
        edges = microseconds(to_utc(days, zone)[0])
        if self.by != "hour":
            return edges
        n_hours = -(np.diff(edges) // -_HOUR_US)  # of a day in which clocks change
        nth = np.arange(n_hours.sum()) - np.repeat(
            np.cumsum(n_hours) - n_hours, n_hours
        )
        return np.append(np.repeat(edges[:-1], n_hours) + _HOUR_US * nth, edges[-1])

    def cut(self, start_us, end_us, zones):
        """Cut stretches where an occasion ends and the next begins.

        Parameters
        ----------
        start_us, end_us : ndarray of int, shape (n_stretches,)
            Microseconds since 1970, UTC.
        zones : Series of str, shape (n_stretches,)
            Names of their zones.

        Returns
        -------
        DataFrame
            ``stretch``, its number, ``occasion_us``, where the occasion begins,
            ``seconds``, and ``is_first``, of a stretch's pieces.
        """
        parts = []
        numbers, names = pd.factorize(zones)
        for number, name in enumerate(names):
            stretch = np.flatnonzero(numbers == number)
            start, end = start_us[stretch], end_us[stretch]
            edges = self.edges(zone_of(name), start.min(), end.max())
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

    def label(self, occasion_us, zones):
        """Say what occasions are called at their place.

        Parameters
        ----------
        occasion_us : ndarray of int, shape (n_occasions,)
        zones : Series of str, shape (n_occasions,)

        Returns
        -------
        DataFrame
            ``date``, without zone, that of the evening of a night and the first of
            several days; ``hour``, if occasions are hours; and ``start_time``, UTC.
        """
        start_time = moments_of(occasion_us)
        labels = pd.DataFrame({"date": pd.NaT, "start_time": start_time})
        labels["date"] = labels["date"].astype("datetime64[us]")
        hours = np.zeros(len(labels), dtype=np.int64)
        numbers, names = pd.factorize(zones)
        for number, name in enumerate(names):
            rows = numbers == number
            local = start_time[rows].dt.tz_convert(zone_of(name)).dt.tz_localize(None)
            labels.loc[rows, "date"] = local.dt.normalize().astype("datetime64[us]")
            hours[rows] = local.dt.hour
        if self.by == "hour":
            labels.insert(1, "hour", hours)
        return labels


def make_calendar(by, recordings):
    """Return the calendar of recordings, or say what is wrong with `by`."""
    is_days = (
        isinstance(by, Integral) and not isinstance(by, bool) and 1 <= by <= 10_000
    )
    is_name = isinstance(by, str) and by in ("hour", "day", "night")
    if not is_days and not is_name:
        raise ValueError(
            f"by={by!r} must be 'hour', 'day', 'night' or a number of days from 1 to "
            "10000, such as 7."
        )
    first_days = [
        times.min().tz_convert(zone_of(name)).tz_localize(None).normalize()
        for name, times in recordings.groupby("time_zone")["start_time"]
    ]
    return Calendar(by, min(first_days, default=pd.Timestamp(1970, 1, 1)))
