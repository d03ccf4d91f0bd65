"""Time zones, and moments between them."""

import re
from datetime import UTC, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

_OFFSET = re.compile(r"([+-])(0\d|1[0-4]):?([0-5]\d)")


def zone_of(name, parameter="time_zone"):
    """Return the time zone of a name.

    Parameters
    ----------
    name : str
        Such as "Europe/Madrid", "UTC" or "+10:00".
    parameter : str
        How the error calls it.

    Returns
    -------
    tzinfo

    Raises
    ------
    ValueError
        If there is no such zone.
    """
    if isinstance(name, str):
        if match := _OFFSET.fullmatch(name):
            sign, hours, minutes = match.groups()
            ahead = timedelta(hours=int(hours), minutes=int(minutes))
            return timezone(-ahead if sign == "-" else ahead)
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    raise ValueError(
        f"{parameter}={name!r} is no time zone. Pass a name of "
        "zoneinfo.available_timezones(), such as 'Europe/Madrid' or 'UTC', or an "
        "offset such as '+10:00' for a clock that has no summer time."
    )


def to_utc(times, zone):
    """Say in UTC what clocks of a zone show.

    Parameters
    ----------
    times : Series of datetime64
        Without zone; NaT stays.
    zone : tzinfo

    Returns
    -------
    utc : Series of datetime64[us, UTC]
        Of times that occur twice, as clocks are put back, the first. Of times that
        are skipped, what a clock shows that was not put forward.
    is_twice, is_skipped : ndarray of bool
        Which are such times.
    """
    # Dates that are not to be localised become NaT; Python's own rules decide on them.
    utc = times.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    utc = utc.astype("datetime64[us, UTC]")
    doubtful = (utc.isna() & times.notna()).to_numpy()
    is_twice, is_skipped = doubtful.copy(), doubtful.copy()
    for k in np.flatnonzero(doubtful):
        first = times.iloc[k].to_pydatetime().replace(tzinfo=zone)
        is_skipped[k] = first.utcoffset() < first.replace(fold=1).utcoffset()
        is_twice[k] = not is_skipped[k]
        utc.iloc[k] = pd.Timestamp(first.astimezone(UTC))
    return utc, is_twice, is_skipped


def second_times(times, zone):
    """Say in UTC what clocks of a zone show the second time, after they are put back.

    Parameters
    ----------
    times : Series of datetime64
        Without zone.
    zone : tzinfo

    Returns
    -------
    Series of datetime64[us, UTC]
        Only of times that occur twice.
    """
    twice = times[to_utc(times, zone)[1]]
    seconds = [time.to_pydatetime().replace(tzinfo=zone, fold=1) for time in twice]
    seconds = [time.astimezone(UTC) for time in seconds]
    return pd.Series(seconds, dtype="datetime64[us, UTC]")


def microseconds(times):
    """Return moments as whole microseconds since 1970, UTC.

    Parameters
    ----------
    times : Series of datetime64 with a zone, without NaT

    Returns
    -------
    ndarray of int
    """
    utc = times.dt.tz_convert("UTC").dt.tz_localize(None)
    return utc.to_numpy(dtype="datetime64[us]").astype(np.int64)


def moments_of(microseconds):
    """Return whole microseconds since 1970 as moments in UTC."""
    moments = np.asarray(microseconds, dtype=np.int64).astype("datetime64[us]")
    return pd.Series(moments).dt.tz_localize("UTC")
