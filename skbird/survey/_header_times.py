"""When and by what recordings were made: AudioMoth's comment, and GUANO."""

import re
from datetime import datetime

import numpy as np
import pandas as pd

# What a header claims may be anything: so much is read of it, and no more.
_MOST_CHUNKS = 64
_MOST_BYTES = 65_536
_FURTHEST_S = 15 * 3600  # no clock is further from UTC
_YEARS = range(1970, 2100)  # a clock that was never set begins with the first
_FORMS = b"RIFF", b"RF64", b"RIFX"
_COMMENT = re.compile(
    r"Recorded at (\d\d):(\d\d):(\d\d)(?:\.\d{1,6})? (\d\d)/(\d\d)/(\d{4}) "
    r"\(UTC(?:([+-])(\d{1,2})(?::?(\d\d))?)?\)(?: by AudioMoth ([0-9A-F]{16})\b)?"
)
_NOTHING = None, np.nan, ""


def times_of_headers(paths):
    """Return the moment at which recordings begin by their headers.

    Parameters
    ----------
    paths : sequence of str
        Of files; those that are no WAV, or cannot be read, tell nothing.

    Returns
    -------
    DataFrame
        ``time``, without a zone, as the clock of the recorder had it (NaT: the header
        does not say); ``offset_s``, the seconds by which that clock is ahead of UTC
        (NaN: the header does not say); and ``device``, the serial number of an
        AudioMoth (empty: the header does not say).
    """
    told = [_time_of(path) for path in paths]
    times = np.array([time for time, _, _ in told], dtype="datetime64[us]")
    offsets = np.array([offset_s for _, offset_s, _ in told], dtype=float)
    devices = np.array([device for _, _, device in told], dtype=object)
    return pd.DataFrame({"time": times, "offset_s": offsets, "device": devices})


def _time_of(path):
    if not path.lower().endswith(".wav"):
        return _NOTHING
    try:
        with open(path, "rb") as file:
            for name, content in _texts(file):
                time, offset_s, device = _READERS[name](content)
                if time is not None and time.year in _YEARS:
                    return time, offset_s, device
    except OSError:  # what reads their durations says so
        pass
    return _NOTHING


def _texts(file):
    """Yield the name and the first bytes of each chunk that may tell the time."""
    start = file.read(12)
    if start[:4] not in _FORMS or start[8:] != b"WAVE":
        return
    order = "big" if start[:4] == b"RIFX" else "little"
    for _ in range(_MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            return
        size = int.from_bytes(head[4:], order)
        name, after = head[:4], file.tell() + size + size % 2
        if name in _READERS:
            yield name, file.read(min(size, _MOST_BYTES))
        file.seek(after)


def _of_comment(content):
    """Read AudioMoth's comment, in ICMT of a list of information."""
    match = _COMMENT.search(content.decode("latin-1"))
    if match is None:
        return _NOTHING
    hour, minute, second, day, month, year, *zone, device = match.groups()
    sign, hours, minutes = zone
    try:
        time = datetime(*map(int, (year, month, day, hour, minute, second)))
    except ValueError:  # 31 June
        return _NOTHING
    offset_s = 3600 * int(hours or 0) + 60 * int(minutes or 0)
    if offset_s > _FURTHEST_S:
        return _NOTHING
    return time, float(-offset_s if sign == "-" else offset_s), device or ""


def _of_guano(content):
    try:
        from guano import GuanoFile
    except ImportError:
        return _NOTHING
    try:
        text = content.decode("utf-8", "replace").rstrip("\0")
        time = GuanoFile.from_string(text).get("Timestamp")
    except Exception:  # of a stranger's text, the library may say anything
        return _NOTHING
    if not isinstance(time, datetime):
        return _NOTHING
    ahead = time.utcoffset()
    offset_s = np.nan if ahead is None else ahead.total_seconds()
    if abs(offset_s) > _FURTHEST_S:
        return _NOTHING
    return time.replace(tzinfo=None), offset_s, ""


_READERS = {b"LIST": _of_comment, b"guan": _of_guano}
