"""The tables of recordings and of sites, in the form that this room uses."""

import warnings

import numpy as np
import pandas as pd

from skbird.survey._zones import microseconds, to_utc, zone_of
from skbird.utils._columns import check_table
from skbird.utils._params import as_floats
from skbird.utils._text import counted

_NEEDED = "path", "site", "start_time", "duration_s", "time_zone"
_DAY = pd.Timedelta("1D")
ROUNDING_US = 1_500_000  # names tell whole seconds
_LONGEST_S = 31_622_400.0  # a year
_LONGEST_DEPLOYMENT_D = 7_305


def check_recordings(recordings):
    """Return a table of recordings with moments as moments, or say what is wrong.

    Parameters
    ----------
    recordings : DataFrame
        As `recording_times` makes it; perhaps read from a file since.

    Returns
    -------
    DataFrame
        ``path``, ``site``, ``start_time`` (UTC), ``duration_s``, ``time_zone`` and
        ``usable``, which is False where the duration is not known; indexed 0 to n - 1.
    """
    remedy = "skbird.survey.recording_times makes such a table"
    check_table(recordings, "recordings", _NEEDED, remedy, ["usable"])
    table = recordings.reset_index(drop=True)
    table = table[[*_NEEDED, *(["usable"] if "usable" in table.columns else [])]]
    start = _moments(table["start_time"], "start_time of recordings", utc=True)
    duration_s = as_floats(table["duration_s"], "duration_s of recordings", np.float64)
    duration_s = np.where(np.isinf(duration_s), np.nan, duration_s)
    if (duration_s < 0).any():
        row = (duration_s < 0).argmax()
        raise ValueError(
            f"duration_s={duration_s[row]:g} of {table['path'][row]!r} must be 0 "
            "seconds or more; NaN where it is not known. Correct recordings."
        )
    if (duration_s > _LONGEST_S).any():
        row = (duration_s > _LONGEST_S).argmax()
        raise ValueError(
            f"duration_s={duration_s[row]:g} of {table['path'][row]!r} must be at most "
            f"{_LONGEST_S:.0f} seconds, a year; NaN where it is not known. Correct "
            "recordings."
        )
    usable = ~np.isnan(duration_s)
    if "usable" in table.columns:
        usable &= _truths(table["usable"])
    table = table.assign(start_time=start, duration_s=duration_s, usable=usable)
    for name in ("site", "time_zone"):
        if table[name].isna().any():
            row = table[name].isna().to_numpy().argmax()
            raise ValueError(
                f"{name} of recordings is missing in row {row} ({table['path'][row]}). "
                "Give each recording one."
            )
    for zone in table["time_zone"].unique():
        zone_of(zone)
    zones = table.groupby("site")["time_zone"].nunique()
    if (zones > 1).any():
        site = zones.index[zones > 1][0]
        raise ValueError(
            f"time_zone of recordings has {zones[site]} zones for site {site!r}, whose "
            "days would not be one. Give each site one zone."
        )
    return table


def check_sites(sites, recordings):
    """Return a table of deployments with moments in UTC, or say what is wrong.

    Parameters
    ----------
    sites : DataFrame
        As the user gives it.
    recordings : DataFrame
        As `check_recordings` returns it: tells the zones of sites if `sites` does not.

    Returns
    -------
    DataFrame
        ``site``, ``start_time`` and ``end_time`` (UTC) and ``time_zone``.
    """
    remedy = "name each deployment's site, its first and its last day"
    check_table(sites, "sites", ("site", "start", "end"), remedy)
    table = sites.reset_index(drop=True)
    _check_names(table["site"], recordings["site"])
    for name, limit in (("latitude", 90), ("longitude", 180)):
        if name in table.columns:
            values = as_floats(table[name], f"{name} of sites", np.float64)
            if (np.abs(values) > limit).any():
                row = (np.abs(values) > limit).argmax()
                raise ValueError(
                    f"{name}={values[row]:g} of site {table['site'][row]!r} must be "
                    f"from -{limit} to {limit} degrees. Correct the table; are "
                    "latitude and longitude swapped?"
                )
    zones = _site_zones(table, recordings)
    start, end = (
        _moments(table[name], f"{name} of sites", utc=False)
        for name in ("start", "end")
    )
    if start.isna().any() or end.isna().any():
        row = (start.isna() | end.isna()).to_numpy().argmax()
        raise ValueError(
            f"start and end of site {table['site'][row]!r} must both be dates: they "
            f"are {table['start'][row]!r} and {table['end'][row]!r}. Write them as "
            "2024-05-01 or 2024-05-01 17:30."
        )
    end = end.where(end != end.dt.normalize(), end + _DAY)  # a day counts to its end
    if (end <= start).any():
        row = (end <= start).to_numpy().argmax()
        raise ValueError(
            f"end={table['end'][row]} of site {table['site'][row]!r} must be after "
            f"start={table['start'][row]}. Swap or correct them."
        )
    days = (end - start) // _DAY
    if (days > _LONGEST_DEPLOYMENT_D).any():
        row = days.argmax()
        raise ValueError(
            f"The deployment of site {table['site'][row]!r} is {days[row]} days long, "
            f"from {table['start'][row]} to {table['end'][row]}; at most "
            f"{_LONGEST_DEPLOYMENT_D} are possible. Correct the years; of one that "
            "goes on, write the last day that was recorded."
        )
    checked = pd.DataFrame({"site": table["site"], "time_zone": zones})
    for name, times in (("start_time", start), ("end_time", end)):
        parts = [
            to_utc(times[zones == zone], zone_of(zone))[0] for zone in zones.unique()
        ]
        checked[name] = pd.concat(parts) if parts else times.dt.tz_localize("UTC")
    return checked


def no_recordings():
    """Return a table without recordings, for what sites tell by themselves."""
    table = pd.DataFrame(columns=list(_NEEDED))
    moments = pd.to_datetime(table["start_time"], utc=True)
    return check_recordings(table.assign(start_time=moments))


def are_in_time(recordings, deployments, stacklevel):
    """Say which recordings can be in an occasion, and warn of the others.

    Parameters
    ----------
    recordings : DataFrame
        As `check_recordings` returns it.
    deployments : DataFrame or None
        As `check_sites` returns it: what lies outside them was not made in the field.
    stacklevel : int
        Of the warnings.

    Returns
    -------
    ndarray of bool, shape (n_recordings,)
        False for those without a time, and for those outside all deployments of their
        site, if it has some.
    """
    is_timed = recordings["start_time"].notna().to_numpy()
    if not is_timed.all():
        n_timeless = (~is_timed).sum()
        warnings.warn(
            f"{counted(n_timeless, 'recording has', 'recordings have')} no "
            "start_time and counts in no occasion, such as "
            f"{recordings['path'][is_timed.argmin()]!r}. Rename the files, or fill in "
            "start_time.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )
    if deployments is None:
        return is_timed
    is_outside = is_timed & recordings["site"].isin(deployments["site"]).to_numpy()
    is_outside[pair_with_deployments(recordings, deployments)["recording"]] = False
    if is_outside.any():
        path = recordings["path"][is_outside.argmax()]
        warnings.warn(
            f"Left out: {counted(is_outside.sum(), 'recording')} outside the "
            f"deployments of their sites, such as {path!r}. If they were made there, "
            "correct start and end of sites, or the times. They are among the problems "
            "of check_deployments.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )
    return is_timed & ~is_outside


def pair_with_deployments(recordings, deployments):
    """Pair recordings with the deployments of their site that hold some of them.

    Parameters
    ----------
    recordings : DataFrame
        As `check_recordings` returns it.
    deployments : DataFrame
        As `check_sites` returns it.

    Returns
    -------
    DataFrame
        ``recording`` and ``deployment``, the labels of their lines.
    """
    timed = recordings[recordings["start_time"].notna()]
    start, end = (microseconds(times) for times in (timed["start_time"], ends(timed)))
    of_site = timed.groupby("site").indices
    found = [pd.DataFrame({"recording": timed.index[:0], "deployment": []})]
    first_us, last_us = (
        microseconds(deployments[f"{name}_time"]) for name in ("start", "end")
    )
    # One after the other: pairs of all with all would not fit into memory.
    places = zip(deployments.index, deployments["site"], first_us, last_us, strict=True)
    for deployment, site, first, last in places:
        own = of_site.get(site, np.empty(0, np.int64))
        is_in = (end[own] > first) & (start[own] < last)
        # Of a recording without a length, and of what names tell in whole seconds.
        is_in |= (start[own] >= first - ROUNDING_US) & (end[own] <= last + ROUNDING_US)
        pairs = pd.DataFrame({"recording": timed.index[own[is_in]]})
        found.append(pairs.assign(deployment=deployment))
    return pd.concat([part for part in found if len(part)] or found[:1])


def ends(recordings):
    """Return when recordings end; those of unknown length when they begin."""
    length = pd.to_timedelta(recordings["duration_s"].fillna(0.0), unit="s")
    starts = recordings["start_time"]
    # In the unit of the starts: pandas 2 joins moments of two units to objects.
    return (starts + length).astype(starts.dtype)


def _check_names(sites, recorded):
    """Refuse names of sites that are missing, or that can never be those recorded."""
    if sites.isna().any():
        row = sites.isna().to_numpy().argmax()
        raise ValueError(f"site of sites is missing in row {row}. Name each site.")
    names = pd.unique(pd.concat([sites, recorded]).astype(object))
    other = next((name for name in names if not isinstance(name, str)), None)
    text = next((name for name in names if isinstance(name, str)), None)
    if other is not None and text is not None:
        raise ValueError(
            f"site is text ({text!r}) in some lines of sites and recordings and not in "
            f"others ({other!r}), which are never equal. Make all of them text; read "
            "files by pandas.read_csv(path, dtype={'site': str})."
        )


def _moments(values, what, *, utc):
    """Return moments in UTC, or without zone, of dates however they are written."""
    try:
        if values.dtype.kind in "biuf" and values.notna().any():
            raise ValueError(f"{values.dropna().iloc[0]!r} is a number")
        moments = pd.to_datetime(values, utc=utc, format="ISO8601")
    except (ValueError, TypeError, AttributeError) as exc:
        told = pd.to_datetime(values.astype(str), errors="coerce", format="ISO8601")
        wrong = values[told.isna() & values.notna()]
        wrong = values if wrong.empty else wrong
        raise ValueError(
            f"{what} holds {wrong.iloc[0]!r}, which is no moment. Write 2024-05-01, or "
            "2024-05-01 17:30."
        ) from exc
    if not utc and moments.dt.tz is not None:
        raise ValueError(
            f"{what} holds {values.iloc[0]!r}, which has a zone, as time_zone tells. "
            "Write 2024-05-01 17:30, in the time of the place."
        )
    return moments.astype("datetime64[us, UTC]" if utc else "datetime64[us]")


def _truths(values):
    """Return a column of True and False, perhaps read from a file, as an array."""
    known = {"true": True, "1": True, "1.0": True}
    known |= {"false": False, "0": False, "0.0": False}
    truths = values.astype(str).str.lower().map(known)
    if truths.isna().any():
        raise ValueError(
            f"usable of recordings holds {values[truths.isna()].iloc[0]!r}, which is "
            "neither True nor False. Say of each recording which it is."
        )
    return truths.to_numpy(dtype=bool)


def _site_zones(sites, recordings):
    if "time_zone" in sites.columns:
        zones = sites["time_zone"]
        for zone in zones.unique():
            zone_of(zone, "time_zone of sites")
        theirs = recordings.drop_duplicates("site").set_index("site")["time_zone"]
        theirs = sites["site"].map(theirs)
        differs = theirs.notna() & (theirs != zones)
        if differs.any():
            row = differs.to_numpy().argmax()
            raise ValueError(
                f"time_zone of sites is {zones[row]!r} for site "
                f"{sites['site'][row]!r}, but {theirs[row]!r} in recordings. "
                "Pass one to recording_times, and the recorders' zone as its clock."
            )
        return zones
    zones = recordings.drop_duplicates("site").set_index("site")["time_zone"]
    only = zones.unique()
    found = sites["site"].map(zones).astype(object)
    if len(only) == 1:
        found = found.fillna(only[0])
    if found.isna().any():
        site = sites["site"][found.isna().to_numpy().argmax()]
        raise ValueError(
            f"sites has no column 'time_zone', and recordings tell none of site "
            f"{site!r}. Add the column."
        )
    return found
