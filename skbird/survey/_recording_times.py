"""When recordings began, by their names and headers, and how long they are."""

import re
from typing import Literal

import numpy as np
import pandas as pd

from skbird.audio import AudioReadError, read_headers
from skbird.data import check_rows
from skbird.survey._header_times import times_of_headers
from skbird.survey._zones import to_utc, zone_of
from skbird.utils._days import times_of_names
from skbird.utils._params import as_floats
from skbird.utils._text import counted
from skbird.utils._typing import Rows

_STAMP = re.compile(r"(?:19|20)\d\d-?\d\d-?\d\d")
_MADE = ["start", "end", "start_time", "note", "assumed_clock", "header_unread"]
_SAME_S = 2.0  # a clock may go on by a second while a file gets its name


def recording_times(
    recordings: Rows,
    time_zone: str | None = None,
    *,
    clock: str | None = None,
    site_from: Literal["folder", "prefix"] = "folder",
    on_error: Literal["raise", "skip"] = "raise",
) -> pd.DataFrame:
    """Tell from names and headers when and where recordings were made.

    Names as recorders write them are read: AudioMoth's ``20240501_053000.WAV`` and, of
    old ones, the hexadecimal ``5E90A4D4.WAV`` (UTC), Song Meter's
    ``SITE_20240501_053000.wav``, BAR-LT's ``20240501T053000+1000_x.wav``, and
    ``2024-05-01_05-30-00.wav``. So are AudioMoth's comments in headers and, if the
    package guano is installed, GUANO metadata, of files of which the header is read:
    they tell the time where the name does not, and the zone of the clock. Where the
    name tells another time, it counts, as who renames files may have corrected a clock,
    in the zone of the header, and ``note`` says so. A zone in the name or the header
    counts more than `clock`.

    Parameters
    ----------
    recordings : sequence of str or path-like, or DataFrame
        The files; or a table with ``path`` and, if wanted, ``site``, ``time_zone``,
        ``duration_s`` (no header is read then) and further columns, which travel along.
    time_zone : str, default=None
        Zone of the place, such as "Europe/Madrid", "UTC" or "+10:00": the days and
        hours of results are in it. None: the column ``time_zone``.
    clock : str, default=None
        Zone that the clocks of the recorders were set to, such as "UTC" for most
        AudioMoths, or "+01:00" for a clock that has no summer time. None: `time_zone`.
    site_from : {"folder", "prefix"}, default="folder"
        What names the site if there is no column ``site``: the folder that a file lies
        in, or what stands before the date in its name.
    on_error : {"raise", "skip"}, default="raise"
        What to do about files that cannot be read: raise an error that names them, or
        give them no duration and say why in ``note``.

    Returns
    -------
    DataFrame
        A line per recording, in their order: ``path``, ``site``, ``start_time`` (UTC;
        NaT: nothing tells it), ``duration_s``, ``time_zone`` and ``note``, which
        says what is doubtful; ``assumed_clock``, the zone that the clock was taken to
        be set to (empty: the name or the header tells it); ``header_unread``, whether
        the file could not be read; ``device``, the serial number of an AudioMoth, by
        the header, unless the table has such a column; then further columns of the
        table. Of a time that occurs twice, as clocks are put back, the first is taken.

    Raises
    ------
    AudioReadError
        If files cannot be read and `on_error` is "raise".
    ValueError
        If a zone is not known, a recording occurs twice, or `site_from` or `on_error`
        is none of the above.

    See Also
    --------
    check_deployments : Compares the times with a table of sites.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.survey import recording_times
    >>> table = pd.DataFrame({"path": ["marsh/20240501_053000.WAV", "marsh/x.wav"]})
    >>> table["duration_s"] = 600.0
    >>> times = recording_times(table, "Europe/Madrid", clock="UTC")
    >>> times[["site", "start_time", "note"]]
        site                start_time                   note
    0  marsh 2024-05-01 05:30:00+00:00
    1  marsh                       NaT  the name has no time
    """
    for name, value, known in (
        ("site_from", site_from, ("folder", "prefix")),
        ("on_error", on_error, ("raise", "skip")),
    ):
        if not isinstance(value, str) or value not in known:
            raise ValueError(f"{name}={value!r} must be {known[0]!r} or {known[1]!r}.")
    given = check_rows(recordings, input_name="recordings")
    given = given.drop(columns=_MADE, errors="ignore")
    _check_once(given["path"])
    zones = _zones(given, time_zone)
    table = pd.DataFrame({"path": given["path"]})
    table["site"] = _sites(given, site_from)
    durations, errors = _durations(given, on_error)
    told, notes = _told(given, durations)
    table["start_time"], doubts, assumed = _start_times(told, zones, clock)
    table["duration_s"], table["time_zone"] = durations, zones
    table["note"] = [
        "; ".join(filter(None, said))
        for said in zip(notes, doubts, errors, strict=True)
    ]
    table["assumed_clock"] = assumed
    table["header_unread"] = np.isnan(durations) & ("duration_s" not in given.columns)
    table["device"] = given.get("device", told["device"])
    others = [name for name in given.columns if name not in table.columns]
    return table.join(given[others])


def _check_once(paths):
    twice = paths[paths.duplicated()]
    if len(twice):
        raise ValueError(
            f"recordings names {twice.iloc[0]!r} more than once "
            f"({counted(len(twice), 'such row')}). Pass each recording once: "
            "recordings.drop_duplicates('path'), or list(dict.fromkeys(recordings))."
        )


def _zones(table, time_zone):
    """Return the name of the zone of each recording."""
    if time_zone is None:
        if "time_zone" not in table.columns:
            raise ValueError(
                "time_zone=None needs a column 'time_zone' of recordings. Pass the "
                "zone of the place, such as time_zone='Europe/Madrid'."
            )
        zones = table["time_zone"]
    else:
        zones = pd.Series([time_zone] * len(table), dtype=object)
    for zone in [time_zone] if time_zone is not None else zones.unique():
        zone_of(zone)
    return zones


def _sites(table, site_from):
    if "site" in table.columns:
        return table["site"]
    parts = [re.split(r"[/\\]", path) for path in table["path"]]
    if site_from == "folder":
        sites = [folders[-1] if folders else "" for *folders, _ in parts]
    else:
        sites = [_prefix(name) for *_, name in parts]
    return pd.Series(sites, dtype=object)


def _prefix(name):
    """Return what stands before the date in a name; all of it if there is no date."""
    stamp = _STAMP.search(name)
    return name if stamp is None else name[: stamp.start()].rstrip("_-")


def _told(table, durations):
    """Return what names and headers tell of times, and what is to be said about it."""
    told = times_of_names(table["path"]).assign(device="")
    notes = np.where(told["time"].isna(), "the name has no time", "").astype(object)
    if "duration_s" in table.columns:
        return told, notes
    # What could not be opened may be no file at all, and never be read to an end.
    heard = times_of_headers(table["path"].where(~np.isnan(durations), ""))
    # Of two clocks that say how far they are ahead, the moments are compared.
    ahead_s = (told["offset_s"] - heard["offset_s"]).fillna(0.0)
    apart_s = (told["time"] - heard["time"]).dt.total_seconds() - ahead_s
    only_heard = told["time"].isna() & heard["time"].notna()
    agree = (apart_s.abs() <= _SAME_S) | only_heard
    told["time"] = told["time"].where(~only_heard, heard["time"])
    told["offset_s"] = told["offset_s"].fillna(heard["offset_s"])
    notes[only_heard] = ""
    for row in np.flatnonzero(heard["time"].notna() & ~agree):
        notes[row] = f"the header tells another time: {heard['time'][row]}"
    return told.assign(device=heard["device"]), notes


def _start_times(told, zones, clock):
    """Return when recordings begin, in UTC, doubts about it, and zones assumed."""
    notes, assumed = np.full((2, len(told)), "", dtype=object)
    ahead = pd.to_timedelta(told["offset_s"].fillna(0.0), unit="s")
    starts = (told["time"] - ahead).dt.tz_localize("UTC").astype("datetime64[us, UTC]")
    without_zone = told["offset_s"].isna() & told["time"].notna()
    if clock is not None:
        clock_zone = zone_of(clock, "clock")
        clocks = {clock: without_zone.to_numpy()}
    else:
        clocks = {
            name: (without_zone & (zones == name)).to_numpy() for name in zones.unique()
        }
    for name, rows in clocks.items():
        zone = clock_zone if clock is not None else zone_of(name)
        utc, is_twice, is_skipped = to_utc(told.loc[rows, "time"], zone)
        starts[rows] = utc
        place = np.flatnonzero(rows)
        assumed[place] = name
        notes[place[is_twice]] = "the clock was put back: the time occurs twice"
        notes[place[is_skipped]] = "the clock was put forward: there is no such time"
    return starts, notes, assumed


def _durations(table, on_error):
    """Return seconds of recordings, and what is wrong with files or their headers."""
    if "duration_s" in table.columns:
        durations = as_floats(table["duration_s"], "duration_s", np.float64)
        if (durations < 0).any():
            row = (durations < 0).argmax()
            raise ValueError(
                f"duration_s={durations[row]:g} of {table['path'][row]!r} must be 0 "
                "seconds or more; NaN where it is not known. Correct that row."
            )
        return durations, [""] * len(table)
    headers = read_headers(list(table["path"]))
    problems = [str(found) for found in headers if isinstance(found, AudioReadError)]
    if problems and on_error == "raise":
        raise AudioReadError(
            f"{len(problems)} of {counted(len(headers), 'file')} cannot be read:\n  "
            + "\n  ".join(problems[:5])
            + "\nMend or leave them out, or pass on_error='skip'."
        )
    durations = [getattr(found, "duration_s", np.nan) for found in headers]
    return np.array(durations, dtype=float), [
        getattr(found, "note", str(found)) for found in headers
    ]
