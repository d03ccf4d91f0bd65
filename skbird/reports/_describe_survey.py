"""A page about a survey: effort, what was heard when and where, and methods."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from numbers import Integral

import numpy as np
import pandas as pd

from skbird.reports._report import Report
from skbird.reports._survey_sections import survey_sections
from skbird.survey import (
    activity,
    check_deployments,
    detection_history,
    effort,
    first_detections,
    sun_times,
)
from skbird.utils._params import MOST, NOT_NEGATIVE, check_list, check_params
from skbird.utils._sklearn_compat import check_matplotlib_support

#: Problems of recordings that are in no result.
LEFT_OUT = "no time", "outside", "wrong year"
_OF_THRESHOLDS = [
    *("threshold", "threshold_low", "threshold_high"),
    *("precision", "precision_low", "precision_high", "n_reviews", "reason"),
]


@dataclass(frozen=True)
class Survey:
    """What a page about a survey tells."""

    recordings: pd.DataFrame
    sites: pd.DataFrame
    problems: pd.DataFrame
    effort: pd.DataFrame  # by day
    activity: pd.DataFrame  # by occasion
    history: pd.DataFrame
    firsts: pd.DataFrame
    by_hour: pd.DataFrame  # of the species drawn
    species: pd.DataFrame  # a line each
    thresholds: pd.DataFrame
    without_threshold: list  # of those that the table of thresholds names
    n_others: int  # species of the model that are in no table
    has_own: bool  # each species has a threshold of its own
    drawn: list
    sun: pd.DataFrame | None
    reasons: dict  # recordings that are not usable, by the reason
    by: str | int
    row_s: float
    listened_s: float
    n_reviewed: int
    model: str | None
    license: str | None
    prior: str | None

    @property
    def days(self):
        """The first day with a recording, and the last."""
        dates = self.effort["date"][self.effort["recorded_s"] > 0]
        if not len(dates):
            dates = pd.to_datetime(pd.concat([self.sites["start"], self.sites["end"]]))
        return dates.min(), dates.max()


def describe_survey(
    proba,
    X,
    recordings,
    threshold,
    sites,
    *,
    by="day",
    reviews=None,
    species=None,
    n_drawn=6,
    model=None,
    license=None,
    prior=None,
    title="Survey",
    n_others=0,
):
    """Describe a survey: effort, species, when and where they called, and methods.

    Parameters
    ----------
    proba, X, recordings, threshold, species, reviews
        As of `skbird.survey.activity`. With one threshold for all, only species that
        were detected are in the tables.
    sites : DataFrame
        Deployments, as `skbird.survey.check_deployments` takes them. With ``latitude``
        and ``longitude``, and astral installed, sunrise and sunset are drawn.
    by : {"day", "night", "hour", "hour_from_sunrise"} or int, default="day"
        What an occasion of the detection histories is, as in `skbird.survey.effort`.
    n_drawn : int >= 0, default=6
        How many species have pictures: those with most detections.
    model, license : str, default=None
        What made the predictions, and under which license: for the methods.
    prior : str, default=None
        What a prior of place and season was, if probabilities are those after one: for
        the methods.
    title : str, default="Survey"
        Of the page.
    n_others : int >= 0, default=0
        How many species of the model are not in `proba`, as they have no threshold:
        for the methods.

    Returns
    -------
    report : Report
        Its ``tables`` have the results, whole: "activity", "history", "effort",
        "species", "first_detections", "problems" and others.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If a table is no such table, or a parameter is out of range.

    Warns
    -----
    UserWarning
        If recordings have no ``start_time``, or are outside the deployments of their
        site: they count in no occasion. If no species has a threshold.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skbird.datasets import make_survey
    >>> from skbird.reports import describe_survey
    >>> from skbird.survey import recording_times
    >>> data = make_survey(n_sites=2, n_weeks=1, n_species=2, recordings_per_day=4)
    >>> times = recording_times(data.recordings, clock="UTC")
    >>> report = describe_survey(
    ...     data.proba, data.X, times, 0.9, data.sites, n_drawn=1, license="CC0"
    ... )
    >>> report.tables["effort_by_site"][["site", "days", "days_with_effort"]]
         site  days  days_with_effort
    0  site01     7                 6
    1  site02     7                 6
    >>> page = report.to_html(Path(tempfile.mkdtemp()) / "survey.html")
    """
    check_matplotlib_support("describe_survey")
    check_params(
        "describe_survey",
        {
            "title": [str],
            "model": [str, None],
            "license": [str, None],
            "prior": [str, None],
            "n_others": [NOT_NEGATIVE],
        },
        title=title,
        model=model,
        license=license,
        prior=prior,
        n_others=n_others,
    )
    if (
        isinstance(n_drawn, bool)
        or not isinstance(n_drawn, Integral)
        or not 0 <= n_drawn <= MOST
    ):
        raise ValueError(
            f"n_drawn={n_drawn!r} must be a whole number, at least 0 and at most "
            f"{MOST:,}."
        )
    if species is not None:
        species = list(map(str, check_list(species, "species")))
    problems = check_deployments(recordings, sites)
    by_day = effort(recordings, sites=sites)
    with warnings.catch_warnings():
        # Said once, and by the page itself.
        warnings.filterwarnings("ignore", r"\d+ recordings? ha(s|ve) no start_time")
        warnings.filterwarnings("ignore", "Left out: .* outside the deployments")
        warnings.filterwarnings("ignore", "threshold is missing for")
        found = activity(
            *(proba, X, recordings, threshold),
            by=by,
            sites=sites,
            species=species,
            reviews=reviews,
        )
        names = list(map(str, proba.columns)) if species is None else species
        thresholds, lacking = _thresholds(threshold, names)
        has_own = np.ndim(threshold) > 0 or isinstance(threshold, Mapping)
        if has_own:
            n_others += len(names) - len(thresholds) - len(lacking)
        else:
            found = _detected(found)
            n_others += len(names) - found["species"].nunique()
        history = detection_history(found)
        table = _of_species(found, history, thresholds)
        detected = table[table["detections"] > 0]
        drawn = list(detected.nlargest(n_drawn, "detections")["species"])
        warnings.filterwarnings("ignore", "Left out: .* at or after the end")
        values = pd.DataFrame(np.asarray(proba), columns=names)
        by_hour = activity(
            *(values[drawn], X, recordings, thresholds["threshold"].to_dict()),
            sites=sites,
        )
        listened_s = _listened_s(values, X, recordings, sites)
    if not len(thresholds) and has_own:
        warnings.warn(
            f"No species has a threshold ({len(lacking)} of the table have none): "
            "nothing counts as detected, and only the effort is given. Review more, or "
            "pass one threshold for all.",
            UserWarning,
            stacklevel=2,
        )
    has_place = {"latitude", "longitude"} <= set(sites.columns)
    has_place = has_place and sites[["latitude", "longitude"]].notna().all(axis=None)
    sun = None
    if has_place and find_spec("astral") is not None:
        sun = sun_times(sites, recordings)
    reasons = {}
    if "unusable_because" in recordings.columns:
        left_out = problems.loc[problems["problem"].isin(LEFT_OUT), "path"]
        counts = recordings.loc[~recordings["path"].isin(left_out), "unusable_because"]
        counts = counts.replace("", np.nan).value_counts()
        reasons = {str(name): int(n) for name, n in counts.items()}
    survey = Survey(
        recordings=recordings,
        sites=sites,
        problems=problems,
        effort=by_day,
        activity=found,
        history=history,
        firsts=first_detections(history).dropna(subset="occasion"),
        by_hour=by_hour,
        species=table,
        thresholds=thresholds,
        without_threshold=lacking,
        n_others=n_others,
        has_own=has_own,
        drawn=drawn,
        sun=sun,
        reasons=reasons,
        by=by,
        row_s=float((X["end"] - X["start"]).median()) if "end" in X else np.nan,
        listened_s=listened_s,
        n_reviewed=int(found["n_reviewed"].sum()) if "n_reviewed" in found else 0,
        model=model,
        license=license,
        prior=prior,
    )
    return Report(title, survey_sections(survey))


def _thresholds(threshold, names):
    """Return a line per species with a threshold, and whose line has none."""
    if isinstance(threshold, pd.DataFrame):
        table = threshold
        if "species" in table.columns:
            table = table.set_index("species")
        named = [name for name in names if name in table.index]
        table = table.loc[named, [c for c in _OF_THRESHOLDS if c in table.columns]]
        lacking = table.index[table["threshold"].isna()]
        return table.drop(index=lacking), list(lacking)
    if isinstance(threshold, Mapping | pd.Series):
        threshold = [threshold[name] for name in names]
    values = np.broadcast_to(np.asarray(threshold, dtype=float), len(names))
    index = pd.Index(names, name="species")
    return pd.DataFrame({"threshold": values}, index=index), []


def _detected(found):
    """Return the lines of species that were detected."""
    n_calling = found.groupby("species")["n_calling"].transform("sum")
    return found[n_calling > 0].reset_index(drop=True)


def _listened_s(proba, X, recordings, sites):
    """Return the seconds of rows in which some species, whatever, was listened to."""
    any_species = pd.DataFrame({"any": proba.max(axis=1)})
    found = activity(any_species, X, recordings, by="day", sites=sites)
    return float(found["effort_s"].sum())


def _of_species(found, history, thresholds):
    """Return a line per species: thresholds, and what was detected."""
    sums = found.groupby("species").agg(
        detections=("n_calling", "sum"), effort_s=("effort_s", "sum")
    )
    table = sums[["detections"]].copy()
    effort_s = sums["effort_s"].where(sums["effort_s"] > 0)
    table["rows_per_hour"] = 3600 * sums["detections"] / effort_s
    for name in ("n_correct", "n_correct_low", "n_correct_high"):
        if name in found.columns:
            table[name] = found.groupby("species")[name].sum(min_count=1)
    heard = history[history["y"].notna()]
    at_site = heard.groupby(["species", "site"])["y"].max()
    table["sites"] = at_site.groupby("species").sum()
    table["sites_listened"] = at_site.groupby("species").size()
    if "state" in heard.columns:
        best = heard.groupby(["species", "site"])["state"].max()
        table["sites_certain"] = (best == 2).groupby("species").sum()
        for name in ("n_reviewed", "n_confirmed"):
            table[name] = found.groupby("species")[name].sum()
    counts = ["sites", "sites_listened"]
    table[counts] = table[counts].fillna(0).astype(int)
    table = table.join(thresholds.drop(columns="reason", errors="ignore"), how="left")
    return table.sort_values("detections", ascending=False).reset_index()
