"""Days and hours that a column of a row table tells, however they are written."""

import re
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

# As ISO has it, with other signs or none between the parts; 00 is not known.
_MOMENT = re.compile(
    r"(\d{4})(?:[-/._]?(\d\d)(?:[-/._]?(\d\d))?)?"
    r"(?:[T _-]*(\d\d)[:.h]?(?:\d\d)?(?:[:.]?\d\d)?(?:\.\d+)?)?"
    r"(?:Z|[+-]\d\d:?\d\d)?(?:\.0)?"
)
# Of recorders: a day alone, without signs, could be any number.
_NAMED = re.compile(
    r"(?<!\d)((?:19|20)\d\d)(-)?(\d\d)(?(2)-)(\d\d)"
    r"(?:([T_ -])(\d\d)[-:.]?(\d\d)[-:.]?(\d\d)"
    r"(?:(?:\.\d+)?(Z(?![A-Za-z])|[+-](?:0\d|1[0-4]):?(?:00|15|30|45)))?"
    r"|(?(2)|(?!)))(?!\d)"
)
_HEXADECIMAL = re.compile(r"[\dA-F]{8}(?=\.(?:wav|WAV)$)")
# Years in which recorders wrote such names; what is outside is some other number.
_HEXADECIMAL_YEARS = 2015, 2030
_NO_TIME = np.datetime64("NaT", "us")
_HOUR = re.compile(r"(\d{1,2})(?:[:.h]\d\d(?:[:.]\d\d(?:\.\d+)?)?)?\s*([ap]m)?", re.I)
_BARE_TIME = re.compile(r"(\d\d)\d\d(?:\d\d)?")


def moments(values):
    """Return year, month, day and hour of what a column says of dates.

    Parameters
    ----------
    values : Series or array-like of shape (n_rows,)
        Dates of pandas or Python, or texts and numbers such as "2023-05-10",
        "2023-05-10 07:30", "20230510_073000", 20230510, "2023-05-00" or "2023".
        Days before months ("10/05/2023") are not told from the other order: unknown.

    Returns
    -------
    DataFrame of float
        ``year``, ``month``, ``day`` and ``hour``; NaN where it does not say.

    Examples
    --------
    >>> from skbird.utils._days import moments
    >>> moments(["2023-05-10T07:30:00", "2023-05-00", None])
         year  month   day  hour
    0  2023.0    5.0  10.0   7.0
    1  2023.0    5.0   NaN   NaN
    2     NaN    NaN   NaN   NaN
    """
    numbers, texts = pd.factorize(_texts(values))
    parts = np.full((len(texts) + 1, 4), np.nan)  # -1, unknown, takes the last
    for place, text in enumerate(texts):
        match = _MOMENT.fullmatch(text)
        if match is not None:
            parts[place] = [_number(part) for part in match.groups()]
    year, month, day, hour = parts.T
    month[~((month >= 1) & (month <= 12))] = np.nan
    day[~((day >= 1) & (day <= 31)) | np.isnan(month)] = np.nan
    hour[~(hour < 24)] = np.nan
    year[~(year >= 1800)] = np.nan
    return pd.DataFrame(parts[numbers], columns=["year", "month", "day", "hour"])


def moments_of_names(paths):
    """Return year, month, day and hour of what names of recordings say.

    Parameters
    ----------
    paths : Series or array-like of shape (n_rows,)
        Such as "site1/AM1_20230510_073000.WAV" or "2023-05-10 dawn.wav".

    Returns
    -------
    DataFrame of float
        As `moments` returns it.

    Examples
    --------
    >>> from skbird.utils._days import moments_of_names
    >>> moments_of_names(["site1/AM1_20230510_073000.WAV", "XC20230510.mp3"])
         year  month   day  hour
    0  2023.0    5.0  10.0   7.0
    1     NaN    NaN   NaN   NaN
    """
    numbers, names = pd.factorize(pd.Series(paths).astype("string"))
    found = [_NAMED.search(_file_name(name)) for name in names]
    texts = [
        f"{match[1]}-{match[3]}-{match[4]}{f'T{match[6]}' if match[6] else ''}"
        if match
        else ""
        for match in found
    ]
    return moments(np.array([*texts, ""], dtype=object)[numbers])


def times_of_names(paths):
    """Return the moment, to the second, at which recordings begin by their names.

    Parameters
    ----------
    paths : Series or array-like of shape (n_rows,)
        Such as "AM1_20230510_073000.WAV", "20230510T073000+1000_x.wav" or, of
        AudioMoths before 2020, the hexadecimal "5E90A4D4.WAV".

    Returns
    -------
    DataFrame
        ``time``, without a zone, as the clock of the recorder had it (NaT: the name
        does not say), and ``offset_s``, the seconds by which that clock is ahead of UTC
        (NaN: the name does not say). Names in hexadecimal count seconds in UTC. After
        a dash only "T" makes a zone of digits that follow: else they may be a number.

    Examples
    --------
    >>> from skbird.utils._days import times_of_names
    >>> times_of_names(["20230510T073000+1000.wav", "5E90A4D4.WAV", "XC1.mp3"])
                     time  offset_s
    0 2023-05-10 07:30:00   36000.0
    1 2020-04-10 16:54:44       0.0
    2                 NaT       NaN
    """
    numbers, names = pd.factorize(pd.Series(paths).astype("string"))
    times = np.full(len(names) + 1, "NaT", dtype="datetime64[us]")
    offsets = np.full(len(names) + 1, np.nan)  # -1, unknown, takes the last
    for place, name in enumerate(names):
        times[place], offsets[place] = _named_time(_file_name(name))
    return pd.DataFrame({"time": times[numbers], "offset_s": offsets[numbers]})


def hours(values):
    """Return the hour, in [0, 23], that a column of times says; NaN if it does not.

    Parameters
    ----------
    values : Series or array-like of shape (n_rows,)
        Such as "07:30", "7:30", "073000" or 7.

    Returns
    -------
    ndarray of float, shape (n_rows,)

    Examples
    --------
    >>> from skbird.utils._days import hours
    >>> hours(["07:30", "073000", 7, "9:45am", "?"])
    array([ 7.,  7.,  7.,  9., nan])
    """
    numbers, texts = pd.factorize(_texts(values))
    found = np.full(len(texts) + 1, np.nan)
    for place, text in enumerate(texts):
        found[place] = _hour(text)
    return found[numbers]


def week_of(month, day):
    """Return the week, in [1, 48], four per month; the third if no day is known.

    Parameters
    ----------
    month, day : ndarray of float, shape (n_rows,)
        NaN is unknown.

    Returns
    -------
    ndarray of float, shape (n_rows,)

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.utils._days import week_of
    >>> week_of(np.array([1.0, 5, 12]), np.array([1.0, 10, np.nan]))
    array([ 1., 18., 47.])
    """
    day = np.where(np.isnan(day), 15, day)
    return 4 * (month - 1) + np.minimum((day - 1) // 7, 3) + 1


def _texts(values):
    values = pd.Series(values)
    if pd.api.types.is_float_dtype(values.dtype):  # whole numbers beside NaN
        values = values.astype("Float64").round().astype("Int64")
    return values.astype("string").str.strip().replace("", pd.NA)


def _file_name(path):
    return re.split(r"[/\\]", path)[-1]


def _named_time(name):
    """Return the moment that a name tells, and its seconds ahead of UTC."""
    if match := _NAMED.search(name):
        year, _, month, day, mark, *clock, zone = match.groups()
        try:
            time = datetime(*map(int, (year, month, day, *clock)))
        except (TypeError, ValueError):  # no time of day, or 31 June
            return _NO_TIME, np.nan
        return time, _offset_s(zone, mark)
    if match := _HEXADECIMAL.match(name):
        time = datetime(1970, 1, 1) + timedelta(seconds=int(match[0], 16))
        first, last = _HEXADECIMAL_YEARS
        if first <= time.year < last:
            return time, 0.0
    return _NO_TIME, np.nan


def _offset_s(zone, mark):
    if zone == "Z":
        return 0.0
    if zone is None or (zone[0] == "-" and mark != "T"):
        return np.nan
    seconds = 3600 * int(zone[1:3]) + 60 * int(zone[-2:])
    return float(-seconds if zone[0] == "-" else seconds)


def _number(text):
    return float(text) if text else np.nan


def _hour(text):
    if text.isdecimal() and len(text) in (3, 5):  # a number, which lost its first 0
        text = "0" + text
    match = _BARE_TIME.fullmatch(text) or _HOUR.fullmatch(text)
    if match is None:
        return np.nan
    hour = float(match[1])
    half = (match[2] or "").lower() if match.re is _HOUR else ""
    if half:
        hour = hour % 12 + 12 * (half == "pm")
    return hour if hour < 24 else np.nan
