"""How much each species called, where and when, by the time that was listened to."""

import warnings
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skbird.annotations import as_species_table, check_stretches
from skbird.survey._effort import occasion_effort
from skbird.survey._occasions import make_calendar
from skbird.survey._reviewed import find_reviewed
from skbird.survey._tables import are_in_time, check_recordings, check_sites
from skbird.survey._thresholds import read_thresholds
from skbird.survey._zones import microseconds
from skbird.utils._names import plain_path
from skbird.utils._rows import check_same_order
from skbird.utils._text import counted
from skbird.utils._typing import Names

_ENDS = "", "_low", "_high"  # of an interval


def activity(
    proba: ArrayLike,
    X: pd.DataFrame,
    recordings: pd.DataFrame,
    threshold: ArrayLike | Mapping[str, float] | pd.DataFrame = 0.5,
    *,
    by: Literal["hour", "day", "night", "hour_from_sunrise"] | int = "hour",
    sites: pd.DataFrame | None = None,
    species: Names | None = None,
    reviews: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Say how much each species called, per site and occasion, by the effort behind it.

    Only what was listened to is effort: rows with a probability, of recordings that
    are usable. Where there is none, rates are NaN, never 0.

    Parameters
    ----------
    proba : array-like or DataFrame of shape (n_rows, n_species)
        Probabilities, as ``predict_proba`` gives them. NaN (rows that could not be
        read) is neither a detection nor effort, for that species.
    X : DataFrame
        What was predicted, in the order of `proba`: ``path``, ``start`` and ``end`` in
        seconds, as `skbird.data.segment_table` makes it. A row without an end goes on
        to that of its recording. Of rows that overlap, each moment counts once, for
        the row that began last of those that hold it.
    recordings : DataFrame
        As `recording_times` makes it, perhaps with ``usable``: all files of `X`, and
        those that were not predicted.
    threshold : float, array-like of shape (n_species,), dict or DataFrame, default=0.5
        Probability from which a species counts as calling: one for all, one per
        species in their order, or by name. A DataFrame is ``report_`` of
        `skbird.review.ThresholdFromReviews`, or has columns ``species`` and
        ``threshold``: species whose threshold is NaN, or that have no line, are left
        out.
    by : {"hour", "day", "night", "hour_from_sunrise"} or int, default="hour"
        What an occasion is, as in `effort`.
    sites : DataFrame, default=None
        Deployments, as in `effort`: occasions without recordings are listed, too, and
        recordings outside are left out.
    species : sequence of str, default=None
        Names of the columns of `proba`, such as ``model.species_``. Needed unless
        `proba` is a DataFrame.
    reviews : DataFrame, default=None
        What was heard in some rows: ``path``, ``start``, ``species`` and ``judged`` (1
        right, 0 wrong, NaN uncertain), as `skbird.review.choose_for_review` makes it.
        Who judged a row in two ways has not judged it.

    Returns
    -------
    DataFrame
        A line per site, occasion and species: ``site``, ``date``, ``hour`` (of hours)
        and ``start_time`` of the occasion, as in `effort`; ``species``; ``effort_s``,
        the seconds listened to; ``calling_s``, those of rows in which the species
        calls; ``n_rows`` and ``n_calling``, rows that begin in the occasion;
        ``minutes_per_hour``, calling minutes per hour of effort; and
        ``rows_per_hour``, calling rows per hour of effort. If `threshold` has
        ``precision`` and its interval: ``n_correct``, ``n_correct_low`` and
        ``n_correct_high``, how many of ``n_calling`` are right by it. With `reviews`:
        ``n_reviewed`` and ``n_confirmed``, calling rows that were judged, and those
        that are right; ``n_correct`` then counts these as they were judged, and what
        the precision leaves is spread evenly over the others.

    Raises
    ------
    ValueError
        If shapes do not fit, rows are of no recording or occur twice, a threshold is
        missing (of a table: all), or a table is not as it must be.

    Warns
    -----
    UserWarning
        If recordings have no ``start_time``, are outside the deployments of their site,
        or are of days without a sunrise: they and their rows are in no occasion. If
        rows begin after the end of their recording, where nothing was listened to. If
        species have no threshold in a table.

    See Also
    --------
    detection_history : Whether each species was detected, for models of occupancy.
    call_density : How many rows have calls in truth, from reviews.

    Notes
    -----
    Rates are of detections: wrong ones count, and calls below the threshold do not.
    ``n_correct`` takes the wrong ones out on average over the survey, whose precision
    it is, not at one site: where a species is absent, all its detections are wrong.
    Models of occupancy with false positives tell sites apart; `detection_history` gives
    their input. `call_density` also counts what is below the threshold.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.survey import activity, recording_times
    >>> path = "marsh/20240501_053000.WAV"
    >>> times = pd.DataFrame({"path": [path], "duration_s": 15.0})
    >>> X = pd.DataFrame({"path": path, "start": [0.0, 5.0, 10.0]})
    >>> X["end"] = X["start"] + 5.0
    >>> found = activity([[0.9], [0.2], [float("nan")]], X,
    ...     recording_times(times, "UTC"), species=["amerob"])
    >>> found[["date", "hour", "species", "effort_s", "calling_s", "minutes_per_hour"]]
            date  hour species  effort_s  calling_s  minutes_per_hour
    0 2024-05-01     5  amerob      10.0        5.0              30.0
    """
    table = as_species_table(proba, species)
    known = list(table.columns)
    found_thresholds = read_thresholds(threshold, known, stacklevel=2)
    table = table[found_thresholds.species]
    rows = check_stretches(X, len(table))
    check_same_order(X, proba, ("X", "proba"))
    recordings = check_recordings(recordings)
    deployments = None if sites is None else check_sites(sites, recordings)
    recording = _recording_of(rows["path"], recordings)
    _check_rows_once(rows, recording)
    in_time = _begin_in_time(rows, recordings, recording, stacklevel=2)
    counts = are_in_time(recordings, deployments, stacklevel=2)
    timed = recordings[counts].reset_index(drop=True)
    calendar = make_calendar(by, timed, sites, deployments, stacklevel=2)
    cells = occasion_effort(timed, deployments, calendar)
    counts = counts & recordings["usable"].to_numpy()
    in_time = in_time & counts[recording]
    pieces = _pieces(rows, in_time, recordings, recording, calendar)
    keys = ["site", "time_zone", "occasion_us"]
    both = pd.concat([cells[keys], pieces[keys]], ignore_index=True)
    number = both.groupby(keys).ngroup().to_numpy()
    found = both.assign(number=number).drop_duplicates("number").sort_values("number")
    found = found.reset_index(drop=True)
    cell = number[len(cells) :]
    values, thresholds = table.to_numpy(), found_thresholds.threshold
    figures = _figures(values, thresholds, pieces, cell, len(found))
    if reviews is not None:
        judged = find_reviewed(reviews, rows, found_thresholds.species, known)
        of_detection = values >= thresholds
        figures |= _count_reviewed(judged, of_detection, pieces, cell, len(found))
    labels = calendar.label(found["occasion_us"].to_numpy(), found)
    places = pd.concat([found[["site"]], labels], axis=1)
    n_species = len(table.columns)
    result = places.loc[places.index.repeat(n_species)].reset_index(drop=True)
    result["species"] = np.tile(table.columns.to_numpy(object), len(places))
    for name, values in figures.items():
        result[name] = values.ravel()
    if found_thresholds.precision is not None:
        for end, share in zip(_ENDS, found_thresholds.precision, strict=True):
            result[f"n_correct{end}"] = _count_correct(figures, share).ravel()
    effort_s = result["effort_s"].where(result["effort_s"] > 0)
    result["minutes_per_hour"] = 60 * result["calling_s"] / effort_s
    result["rows_per_hour"] = 3600 * result["n_calling"] / effort_s
    return result


def _recording_of(paths, recordings):
    """Return the number of the recording that each row is of."""
    numbers, names = pd.factorize(paths)
    known = pd.Index([plain_path(str(path)) for path in recordings["path"]])
    if not known.is_unique:
        raise ValueError(
            f"recordings names {known[known.duplicated()][0]!r} more than once. Pass "
            "each recording once: recordings.drop_duplicates('path')."
        )
    place = known.get_indexer([plain_path(name) for name in names])
    lacking = np.flatnonzero(place < 0)
    if len(lacking):
        raise ValueError(
            f"X has rows of {counted(len(lacking), 'file')} not in recordings, such as "
            f"{names[lacking[0]]!r}. Pass all files to recording_times, their paths "
            "written alike in both."
        )
    return place[numbers]


def _check_rows_once(rows, recording):
    ends = {"recording": recording, "start": rows["start"], "end": rows["end"]}
    is_again = pd.DataFrame(ends).duplicated().to_numpy()
    if is_again.any():
        row = rows.iloc[is_again.argmax()]
        raise ValueError(
            f"X has the row of {row['path']!r} from {row['start']:g} s on more than "
            f"once ({counted(is_again.sum(), 'such row')}), whose calls would count "
            "twice. Keep one of each: X.duplicated() finds them."
        )


def _begin_in_time(rows, recordings, recording, stacklevel):
    """Say of rows whether they begin before the end of their recording."""
    is_late = rows["start"].to_numpy() >= recordings["duration_s"].to_numpy()[recording]
    if is_late.any():
        row = rows.iloc[is_late.argmax()]
        warnings.warn(
            f"Left out: {counted(is_late.sum(), 'row that begins', 'rows that begin')} "
            f"at or after the end of a recording, such as {row['path']!r} from "
            f"{row['start']:g} s on. Correct duration_s of recordings, or X.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )
    return ~is_late


def _pieces(rows, counts, recordings, recording, calendar):
    """Cut rows that count at the ends of occasions, of recordings that have a time.

    Returns
    -------
    DataFrame
        ``row``, ``site``, ``time_zone``, ``occasion_us``, ``seconds``, ``is_first``.
    """
    row = np.flatnonzero(counts)
    of = recording[row]
    start_s = rows["start"].to_numpy()[row]
    duration_s = recordings["duration_s"].to_numpy()[of]
    end_s = np.fmin(rows["end"].to_numpy()[row], duration_s)
    stretch = _stretches(of, start_s, end_s)
    row, of = row[stretch["row"]], of[stretch["row"]]
    begin_us = np.zeros(len(recordings), dtype=np.int64)
    begin_us[of] = microseconds(recordings["start_time"].iloc[of])
    start_us, end_us = (
        begin_us[of] + np.rint(seconds * 1e6).astype(np.int64)
        for seconds in (stretch["start"].to_numpy(), stretch["end"].to_numpy())
    )
    places = recordings[["site", "time_zone"]].iloc[of].reset_index(drop=True)
    pieces = calendar.cut(start_us, end_us, places)
    places = places.iloc[pieces["stretch"]]
    pieces[["site", "time_zone"]] = places.to_numpy(object)
    pieces["is_first"] &= stretch["begins"].to_numpy()[pieces["stretch"]]
    return pieces.assign(row=row[pieces["stretch"]])


def _stretches(recording, start, end):
    """Give each moment to the row that began last of those that hold it.

    Returns
    -------
    DataFrame
        ``row``, ``start``, ``end`` and ``begins``: False of what a row goes on for
        after another within it.
    """
    order = np.lexsort((-end, start, recording))
    table = pd.DataFrame({"row": order, "start": start[order], "end": end[order]})
    recording = recording[order]
    by_recording = table.groupby(recording)
    following = by_recording["start"].shift(-1, fill_value=np.inf).to_numpy()
    latest = by_recording["end"].cummax().to_numpy()
    goes_on = (latest > table["end"]) & (following > table["end"])
    parts = [table.assign(end=np.minimum(table["end"], following), begins=True)]
    values, lines = table.to_numpy(), []
    for number in np.unique(recording[goes_on]):
        own = slice(*np.searchsorted(recording, [number, number + 1]))
        lines += _resumed(*values[own].T, following[own])
    if lines:
        parts.append(pd.DataFrame(lines, columns=table.columns).assign(begins=False))
    return pd.concat(parts, ignore_index=True).astype({"row": np.int64})


def _resumed(rows, start, end, following):
    """List what rows go on for, after others within them, in the order of starts."""
    found, waiting = [], []
    for k in range(len(rows)):
        moment = end[k]
        while waiting and moment < following[k]:
            if end[waiting[-1]] <= moment:
                waiting.pop()
                continue
            until = min(end[waiting[-1]], following[k])
            found.append((rows[waiting[-1]], moment, until))
            moment = until
        waiting.append(k)
    return found


def _figures(proba, thresholds, pieces, cell, n_cells):
    """Add up the rows of each cell and species.

    Returns
    -------
    dict of str to ndarray of shape (n_cells, n_species)
    """
    row, seconds, first = (
        pieces[name].to_numpy() for name in ("row", "seconds", "is_first")
    )
    shape = n_cells, proba.shape[1]
    figures = {
        "effort_s": np.empty(shape),
        "calling_s": np.empty(shape),
        "n_rows": np.empty(shape, dtype=np.int64),
        "n_calling": np.empty(shape, dtype=np.int64),
    }
    for j, threshold in enumerate(thresholds):
        column = proba[row, j]
        for counts, total_s, number in (
            (~np.isnan(column), "effort_s", "n_rows"),
            (column >= threshold, "calling_s", "n_calling"),
        ):
            chosen = cell[counts]
            figures[total_s][:, j] = np.bincount(chosen, seconds[counts], n_cells)
            begun = chosen[first[counts]]
            figures[number][:, j] = np.bincount(begun, minlength=n_cells)
    return figures


def _count_correct(figures, precision):
    """Estimate how many detections of each cell and species are right.

    Reviews are seldom drawn as detections are: those of high probability more often.
    What was not heard is then right less often than the precision of all says, and is
    given what remains of it.
    """
    n_calling = figures["n_calling"]
    n_reviewed = figures.get("n_reviewed", np.zeros_like(n_calling))
    n_confirmed = figures.get("n_confirmed", np.zeros_like(n_calling))
    n_unheard = n_calling - n_reviewed
    remaining = precision * n_calling.sum(axis=0) - n_confirmed.sum(axis=0)
    share = np.divide(
        *(remaining, n_unheard.sum(axis=0)),
        out=np.zeros(len(remaining)),
        where=n_unheard.sum(axis=0) > 0,
    )
    return n_confirmed + n_unheard * np.clip(share, 0.0, 1.0)


def _count_reviewed(judged, of_detection, pieces, cell, n_cells):
    """Count the reviews of detections in each cell, where their row begins."""
    row, column, correct = (judged[name].to_numpy() for name in judged)
    first = pieces["is_first"].to_numpy()
    cell_of_row = np.full(len(of_detection), -1)
    cell_of_row[pieces["row"].to_numpy()[first]] = cell[first]
    where = cell_of_row[row]
    counts = (where >= 0) & of_detection[row, column]
    figures = {}
    for name, chosen in (
        ("n_reviewed", counts),
        ("n_confirmed", counts & (correct == 1)),
    ):
        figures[name] = np.zeros((n_cells, of_detection.shape[1]), dtype=np.int64)
        np.add.at(figures[name], (where[chosen], column[chosen]), 1)
    return figures
