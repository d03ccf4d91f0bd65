"""Compare when recordings were made with when recorders were in the field."""

import numpy as np
import pandas as pd

from skbird.survey._tables import (
    ROUNDING_US,
    check_recordings,
    check_sites,
    ends,
    pair_with_deployments,
)
from skbird.survey._zones import microseconds, zone_of
from skbird.utils._params import NOT_NEGATIVE, check_params
from skbird.utils._text import counted

_ROUNDING_S = ROUNDING_US * 1e-6
_REGULAR = 0.5  # share of the starts that follow at one interval, if there is a beat
_RARE = 0.01  # share of the starts up to which another interval is no part of the beat
_SERIAL = r"[0-9A-F]{16}"  # of an AudioMoth
_JUMP_S = 7200.0  # longer pauses are part of a schedule


def check_deployments(
    recordings: pd.DataFrame, sites: pd.DataFrame, *, max_gap_s: float = 86_400.0
) -> pd.DataFrame:
    """List what does not fit between recordings and the table of sites.

    Nothing is corrected: the table says what to look at.

    Parameters
    ----------
    recordings : DataFrame
        As `recording_times` makes it. Without the columns ``note``,
        ``assumed_clock``, ``header_unread`` and ``device`` what they tell is not
        compared.
    sites : DataFrame
        A line per deployment: ``site``, ``start`` and ``end`` in the time of the place
        (a day without an hour counts from its beginning, or to its end), and if wanted
        ``latitude`` and ``longitude`` in degrees, ``time_zone``, by default that of
        the site's recordings, and ``device``, serial numbers of AudioMoths. A site may
        have several lines.
    max_gap_s : float >= 0, default=86400.0
        Longest pause of a deployment, in seconds, that is not listed. For recorders
        that never rest, 60 finds each loss.

    Returns
    -------
    DataFrame
        A line per problem: ``site``, ``path`` (None: of the site), ``problem``,
        ``seconds`` (how much; NaN: nothing to measure) and ``detail``, a sentence. By
        ``problem``:

        - "no time": the name tells none.
        - "unreadable": the duration is not known.
        - "doubtful time": the name and the header differ, or clocks were changed.
        - "clock assumed": the header, which may tell the zone of the clock, could not
          be read.
        - "unknown site": not in `sites`.
        - "wrong recorder": the header names another device than `sites` does.
        - "no recordings": a deployment without any.
        - "wrong year": outside, and in another year it would be within a deployment.
        - "outside": wholly before, after or between the deployments of its site.
          `effort` and `activity` leave such recordings out.
        - "partly outside": begins before a deployment, or goes on after it.
        - "overlap": begins before the one before it has ended.
        - "gap": a pause of more than `max_gap_s`, also after the start and before the
          end of a deployment.
        - "clock jump": where most recordings follow at one interval, this one follows
          at another that occurs hardly ever: the clock was changed, or recordings are
          missing. Pauses of more than two hours are taken for the schedule.

    Raises
    ------
    ValueError
        If a column is missing, or holds what is no date, place or zone.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.survey import check_deployments, recording_times
    >>> names = ["20240501_053000.WAV", "20240501_053500.WAV", "20230502_053000.WAV"]
    >>> table = pd.DataFrame({"path": names, "site": "marsh", "duration_s": 600.0})
    >>> sites = pd.DataFrame({"site": ["marsh"], "start": ["2024-05-01"]})
    >>> sites["end"] = "2024-05-02"
    >>> problems = check_deployments(recording_times(table, "UTC"), sites)
    >>> problems[["path", "problem", "seconds"]]
                      path     problem   seconds
    0  20230502_053000.WAV  wrong year       NaN
    1  20240501_053500.WAV     overlap     300.0
    2                 None         gap  152100.0
    """
    check_params(
        "check_deployments", {"max_gap_s": [NOT_NEGATIVE]}, max_gap_s=max_gap_s
    )
    table = check_recordings(recordings)
    deployments = check_sites(sites, table)
    table["end_time"] = ends(table)
    timed = table[table["start_time"].notna()]
    placed = timed[timed["site"].isin(deployments["site"])]
    inside = pair_with_deployments(placed, deployments)
    inside = inside.join(placed, on="recording")
    told = recordings.reset_index(drop=True)
    found = [
        _lines(table[table["start_time"].isna()], "no time", "the name tells no time"),
        _lines(
            table[~np.isfinite(table["duration_s"])],
            "unreadable",
            "the duration is not known",
        ),
        _lines(
            table[~table["site"].isin(deployments["site"])],
            "unknown site",
            "the site is not in the table of sites",
        ),
        _doubtful(told, timed),
        _assumed(told, timed),
        _other_recorders(told, sites),
        _outside(placed, deployments, inside),
        _neighbours(timed),
        _pauses(inside, deployments, max_gap_s),
    ]
    return pd.concat(found, ignore_index=True)


def _lines(rows, problem, details, seconds=np.nan):
    return pd.DataFrame(
        {
            "site": rows["site"].to_numpy(object),
            "path": rows["path"].to_numpy(object) if "path" in rows.columns else None,
            "problem": np.full(len(rows), problem, dtype=object),
            "seconds": np.full(len(rows), seconds, dtype=float),
            "detail": np.full(len(rows), details, dtype=object),
        }
    )


def _per_site(rows, problem, keys, say):
    """Return a line for each value of keys at a site, with the path if there is one."""
    lines, details = [], []
    for (site, *values), paths in rows.groupby(["site", *keys], sort=False)["path"]:
        lines.append((site, paths.iloc[0] if len(paths) == 1 else None))
        details.append(say(len(paths), *values))
    return _lines(pd.DataFrame(lines, columns=["site", "path"]), problem, details)


def _is_said(column):
    """Return where a column has text; read from a file, none is NaN."""
    return column.notna() & column.ne("")


def _doubtful(told, timed):
    if "note" not in told.columns:
        return _lines(timed[:0], "doubtful time", "")
    rows = told.loc[timed.index]
    rows = rows[np.isfinite(timed["duration_s"]) & _is_said(rows["note"])]

    def say(n, note):
        return note if n == 1 else f"{counted(n, 'recording')}: {note}"

    return _per_site(rows, "doubtful time", ["note"], say)


def _assumed(told, timed):
    if not {"assumed_clock", "header_unread"} <= set(told.columns):
        return _lines(timed[:0], "clock assumed", "")
    rows = told.loc[timed.index]
    is_assumed = _is_said(rows["assumed_clock"])
    is_assumed &= rows["header_unread"].astype(bool) & np.isfinite(timed["duration_s"])

    def say(n, clock):
        return (
            f"{counted(n, 'recording')} could not be read, whose headers may tell the "
            f"zone of the clock: it is taken to be {clock}"
        )

    return _per_site(rows[is_assumed], "clock assumed", ["assumed_clock"], say)


def _other_recorders(told, sites):
    """Compare the serial numbers of headers with those of sites."""
    if "device" not in told.columns or "device" not in sites.columns:
        return _lines(told[:0], "wrong recorder", "")
    theirs = sites["device"].astype("string").str.strip().str.upper()
    is_serial = theirs.str.fullmatch(_SERIAL).fillna(False).astype(bool)
    known = {
        site: ", ".join(sorted(set(names)))
        for site, names in theirs[is_serial].groupby(sites["site"])
    }
    device = told["device"].astype("string").str.strip().str.upper().fillna("")
    rows = told.assign(
        device=device, expected=[known.get(site, "") for site in told["site"]]
    )
    other = [
        bool(name) and bool(names) and name not in names
        for name, names in zip(device, rows["expected"], strict=True)
    ]

    def say(n, name, names):
        return (
            f"{counted(n, 'recording is', 'recordings are')} of the recorder {name}; "
            f"the table of sites has {names}"
        )

    return _per_site(rows[other], "wrong recorder", ["device", "expected"], say)


def _outside(placed, deployments, inside):
    """Return what is not, or not wholly, in the deployments of its site."""
    begun = _local(placed["start_time"], placed["time_zone"])
    details = ("it begins at " + begun + ", outside the deployment").astype(object)
    is_outside = ~placed.index.isin(inside["recording"])
    begins_in, ends_in = (
        placed.index.isin(_of_moments(inside, deployments, name))
        for name in ("start_time", "end_time")
    )
    is_partly = ~is_outside & ~(begins_in & ends_in)
    in_another = is_outside & placed.index.isin(
        _in_another_year(placed[is_outside], deployments)
    )
    is_outside &= ~in_another
    found = [
        _lines(
            placed[in_another],
            "wrong year",
            details[in_another] + ": in another year it would be within",
        ),
        _lines(placed[is_outside], "outside", details[is_outside]),
        _lines(
            placed[is_partly],
            "partly outside",
            "the deployment begins or ends within it",
        ),
    ]
    return pd.concat(found, ignore_index=True)


def _of_moments(inside, deployments, name):
    """Return the recordings of which a moment is in one of their deployments."""
    of_site = deployments.loc[inside["deployment"]]
    moment, first, last = (
        microseconds(times)
        for times in (inside[name], of_site["start_time"], of_site["end_time"])
    )
    is_in = (moment >= first - ROUNDING_US) & (moment <= last + ROUNDING_US)
    return inside["recording"][is_in]


def _in_another_year(placed, deployments):
    """Return the recordings that would be in a deployment in another year."""
    pairs = placed.reset_index(names="recording").merge(
        deployments, on="site", suffixes=("", "_of_site")
    )
    first, last = pairs["start_time_of_site"], pairs["end_time_of_site"]
    years = first.dt.year - pairs["start_time"].dt.year
    is_another = pd.Series(False, index=pairs.index)
    for more in (0, 1):  # a deployment may go on over New Year
        for n in sorted(set(years + more) - {0}):
            rows = years + more == n
            moved = pairs["start_time"] + pd.DateOffset(years=int(n))
            is_another |= rows & (moved >= first) & (moved <= last)
    return pairs["recording"][is_another]


def _neighbours(timed):
    """Compare each recording with the one before it at its site."""
    ordered = timed.sort_values(["site", "start_time"], kind="stable")
    by_site = ordered.groupby("site")
    follows_s = by_site["start_time"].diff().dt.total_seconds()
    # A short recording may lie within a longer one.
    latest_end = by_site["end_time"].cummax().groupby(ordered["site"]).shift()
    overlap_s = (latest_end - ordered["start_time"]).dt.total_seconds()
    overlaps = overlap_s > _ROUNDING_S
    details = "it begins before the one before it has ended"
    found = [_lines(ordered[overlaps], "overlap", details, overlap_s[overlaps])]
    whole_s = follows_s.round()
    counts = whole_s.groupby([ordered["site"], whole_s]).transform("size")
    n_at_site = by_site["path"].transform("size") - 1
    most = counts.groupby(ordered["site"]).transform("max")
    usual_s = whole_s.where(counts == most).groupby(ordered["site"]).transform("min")
    off_s = follows_s - usual_s
    jumps = (most > 2) & (most >= _REGULAR * n_at_site)
    jumps &= counts <= np.maximum(1, _RARE * n_at_site)
    jumps &= (off_s.abs() > _ROUNDING_S) & (off_s <= _JUMP_S)
    details = [
        f"it begins {follows:.0f} s after the one before it, where {usual:.0f} s is "
        "usual: the clock was changed, or recordings are missing"
        for follows, usual in zip(follows_s[jumps], usual_s[jumps], strict=True)
    ]
    found.append(_lines(ordered[jumps], "clock jump", details, off_s[jumps]))
    return pd.concat(found, ignore_index=True)


def _pauses(inside, deployments, max_gap_s):
    """Find long pauses of deployments, and deployments without recordings."""
    silent = deployments[~deployments.index.isin(inside["deployment"])]
    length_s = (silent["end_time"] - silent["start_time"]).dt.total_seconds()
    details = "the deployment has no recordings"
    found = [_lines(silent, "no recordings", details, length_s)]
    used = deployments[deployments.index.isin(inside["deployment"])]
    # The start and the end of a deployment are moments between which pauses lie, too.
    moments = pd.concat(
        [
            inside[["deployment", "site", "time_zone", "start_time", "end_time"]],
            used.assign(deployment=used.index, end_time=used["start_time"]),
            used.assign(deployment=used.index, start_time=used["end_time"]),
        ],
        ignore_index=True,
    ).sort_values(["deployment", "start_time", "end_time"], kind="stable")
    by_deployment = moments.groupby("deployment")
    latest_end = by_deployment["end_time"].cummax()
    latest_end = latest_end.groupby(moments["deployment"]).shift()
    gap_s = (moments["start_time"] - latest_end).dt.total_seconds()
    gaps = gap_s > max_gap_s
    zones = moments["time_zone"][gaps]
    first = _local(latest_end[gaps], zones)
    last = _local(moments["start_time"][gaps], zones)
    details = ("there is nothing from " + first + " to " + last).astype(object)
    found.append(_lines(moments[gaps], "gap", details, gap_s[gaps]))
    return pd.concat(found, ignore_index=True)


def _local(times, zones):
    """Return moments as texts, in the time of the place."""
    texts = [
        f"{time.tz_convert(zone_of(zone)):%Y-%m-%d %H:%M:%S}"
        for time, zone in zip(times, zones, strict=True)
    ]
    return pd.Series(texts, index=times.index, dtype=object)
