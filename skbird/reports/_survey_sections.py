"""The sections of a page about a survey."""

import numpy as np
import pandas as pd

from skbird.inspection import mark_days, plain_text
from skbird.reports import _plots as plots
from skbird.reports._page_parts import Facts, Plots, Section, Table, Text
from skbird.reports._survey_methods import methods, versions
from skbird.survey import (
    AccumulationDisplay,
    ActivityDisplay,
    SiteActivityDisplay,
    zone_of,
)

_MOST_PANELS = 16
_MOST_ROWS = 200
_HEADS = {
    "start_time": "begins",
    "effort_s": "seconds listened to",
    "calling_s": "seconds with calls",
    "recorded_s": "seconds recorded",
    "usable_s": "seconds usable",
    "n_recordings": "recordings",
    "n_unusable": "unusable",
    "n_rows": "rows",
    "n_calling": "rows with calls",
    "n_correct": "right, on average",
    "n_correct_low": "right, at least",
    "n_correct_high": "right, at most",
    "n_reviewed": "reviewed",
    "n_confirmed": "confirmed",
    "n_reviews": "reviews for the threshold",
    "n_occasions": "occasions",
    "threshold_low": "threshold, at least",
    "threshold_high": "threshold, at most",
    "precision_low": "precision, at least",
    "precision_high": "precision, at most",
    "y": "detected",
}


def survey_sections(survey):
    """Return the sections of the page, those without content left out.

    Parameters
    ----------
    survey : Survey

    Returns
    -------
    list of Section
    """
    made = [
        _overview(survey),
        _effort(survey),
        _species(survey),
        _when(survey),
        _where(survey),
        _results(survey),
        Section(
            "Methods",
            "To be copied into a paper, and to be checked before.",
            [Text(methods(survey)), Table("versions", "Versions", versions())],
        ),
    ]
    return [section for section in made if section is not None]


def _table(survey, name, title, frame, note="", max_rows=_MOST_ROWS):
    """Return a table whose page has heads in words, and moments as clocks show them."""
    shown = frame.head(max_rows)
    if "start_time" in shown.columns:
        zones = _zones(survey)
        local = [
            time.tz_convert(zones.get(site, next(iter(zones.values()))))
            for time, site in zip(shown["start_time"], shown["site"], strict=True)
        ]
        shown = shown.assign(start_time=pd.Series(local, shown.index, dtype=object))
    return Table(name, title, frame, note, max_rows, shown.rename(columns=_HEADS))


def _zones(survey):
    """Return the zone of each site; those that are not in it have the only one."""
    zones = {}
    for table in (survey.recordings, survey.sites):
        if "time_zone" in table.columns:
            for site, name in table.groupby("site")["time_zone"].first().items():
                zones[site] = zone_of(name)
    return zones


def _overview(survey):
    effort = survey.effort
    first, last = survey.days
    detected = survey.species.loc[survey.species["detections"] > 0]
    facts = {
        "sites": int(survey.sites["site"].nunique()),
        "first day": f"{first:%Y-%m-%d}",
        "last day": f"{last:%Y-%m-%d}",
        "recordings": int(effort["n_recordings"].sum()),
        "hours recorded": effort["recorded_s"].sum() / 3600,
        "hours usable": effort["usable_s"].sum() / 3600,
        "hours listened to": survey.listened_s / 3600,
        "species detected": len(detected),
        "detections above threshold that were reviewed": survey.n_reviewed,
        "problems of deployments": len(survey.problems),
    }
    note = "Gaps, clocks that jump, files that overlap, files outside their deployment."
    note += " Times are those of the place."
    table = Table("problems", "Problems of deployments", survey.problems, note)
    note = ""
    if survey.has_own and not len(survey.thresholds):
        note = "No species has a threshold: nothing counts as detected. Review more."
    return Section("Overview", note, [Facts(facts), table])


def _effort(survey):
    effort = survey.effort
    by_site = effort.groupby("site").agg(
        recordings=("n_recordings", "sum"),
        unusable=("n_unusable", "sum"),
        hours_recorded=("recorded_s", lambda s: s.sum() / 3600),
        hours_usable=("usable_s", lambda s: s.sum() / 3600),
        days_with_effort=("usable_s", lambda s: int((s > 0).sum())),
        days=("usable_s", "size"),
    )
    parts = [Table("effort_by_site", "Effort by site", by_site.reset_index())]
    if len(effort):
        parts.insert(0, _effort_plot(effort))
    if survey.reasons:
        reasons = pd.DataFrame(survey.reasons.items(), columns=["reason", "recordings"])
        parts.append(Table("unusable", "Recordings not used", reasons))
    parts.append(_table(survey, "effort", "Effort by site and day", effort))
    note = "Without effort nothing is said: no detection is not absence."
    return Section("Effort", note, parts)


def _effort_plot(effort):
    from matplotlib import dates

    hours = effort.pivot_table(
        index="site", columns="date", values="usable_s", aggfunc="sum"
    )
    days = pd.date_range(hours.columns.min(), hours.columns.max())
    hours = hours.reindex(columns=days) / 3600
    axis = plots.new_axes(8.0, 1.4 + 0.18 * min(len(hours), 60))
    left, right = dates.date2num([days[0], days[-1] + pd.Timedelta("1D")])
    image = axis.imshow(
        np.ma.masked_equal(hours.fillna(0).to_numpy(), 0),
        aspect="auto",
        interpolation="nearest",
        extent=(left, right, len(hours) - 0.5, -0.5),
        cmap="YlGnBu",
        vmin=0,
    )
    axis.set_facecolor("0.8")
    axis.figure.colorbar(
        image, ax=axis, label="usable hours", aspect=10 + len(hours), pad=0.02
    )
    mark_days(axis, days)
    step = -(-len(hours) // 60)
    axis.set_yticks(
        range(0, len(hours), step), [plain_text(n) for n in hours.index[::step]]
    )
    axis.tick_params(axis="y", labelsize=8)
    n_days = int((hours > 0).to_numpy().sum())
    alt = (
        f"Heat map of usable hours at {len(hours)} sites on {len(days)} days; "
        f"{n_days} of {hours.size} have some."
    )
    return plots.finish(
        axis, "effort_map", "Usable hours per site and day; grey: none.", alt
    )


def _species(survey):
    drawn = []
    for unit, caption in (
        ("occasion", "Species by the number of occasions, all sites together."),
        ("site", "Species by the number of sites."),
    ):
        axis = plots.new_axes(6.0, 3.4)
        curve = AccumulationDisplay.from_history(
            survey.history, unit=unit, ax=axis
        ).curve
        if not len(curve):
            continue
        alt = (
            f"Curve from {curve['species'].iloc[0]:.1f} species in one {unit} to "
            f"{curve['species'].iloc[-1]:.0f} in {len(curve)}."
        )
        drawn.append(plots.finish(axis, f"species_by_{unit}", caption, alt))
    note = (
        "Detections may be wrong: species with few of them, at many sites, and none "
        "confirmed, are to be listened to first."
    )
    if not survey.has_own:
        note += f" {survey.n_others} other species were not detected."
    parts = [
        _table(survey, "species", "All species", survey.species, max_rows=1000),
        *([Plots(drawn)] if drawn else []),
        _table(
            survey, "first_detections", "First detections", survey.firsts, max_rows=1000
        ),
    ]
    return Section("Species", note, parts)


def _when(survey):
    drawn = []
    for name in survey.drawn:
        axis = plots.new_axes(7.0, 3.4)
        display = ActivityDisplay.from_activity(survey.by_hour, name, ax=axis)
        if survey.sun is not None:
            axis.figure.clear()
            display.sun = survey.sun
            display.plot(ax=axis.figure.subplots())
        mean = display.rates.mean()
        alt = f"Heat map of {name} by day and hour."
        if mean.notna().any():
            alt += f" Most calls per hour at {mean.idxmax()} h: {mean.max():.3g}."
        caption = "Rows with calls per hour, all sites together."
        drawn.append(plots.finish(display.ax_, f"when_{len(drawn)}", caption, alt))
    if not drawn:
        return None
    note = f"{_chosen(survey)} Hours are of the clock at the place."
    return Section("When", note, [Plots(drawn)])


def _where(survey):
    if not survey.drawn:
        return None
    part = survey.activity[survey.activity["species"].isin(survey.drawn)]
    most = part.groupby("site")["n_calling"].sum().nlargest(_MOST_PANELS)
    n_sites = survey.activity["site"].nunique()
    part = part[part["site"].isin(most.index)]
    drawn = []
    for name in survey.drawn:
        axes = _panels(len(most))
        display = SiteActivityDisplay.from_activity(part, name, axes=axes)
        rates = display.rates.mean()
        alt = f"Bars of {name} by day, a panel for each of {len(most)} sites."
        if rates.notna().any():
            alt += f" Most calls per hour at {rates.idxmax()}: {rates.max():.3g}."
        caption = "Rows with calls per hour, by site; grey: nothing was listened to."
        drawn.append(plots.finish(axes[0], f"where_{len(drawn)}", caption, alt))
    note = _chosen(survey)
    if len(most) < n_sites:
        note += f" The {len(most)} sites with most detections of them, of {n_sites}."
    return Section("Where", note, [Plots(drawn)])


def _panels(n_sites):
    """Return axes for so many sites, four in a row."""
    n_rows = -(-n_sites // 4)
    height = 1.1 + 1.2 * n_rows
    shape = {"nrows": n_rows, "ncols": min(n_sites, 4), "squeeze": False}
    # To place dozens of axes takes matplotlib seconds, and where they go is known.
    axes = plots.new_axes(7.0, height, None, sharex=True, sharey=True, **shape).ravel()
    axes[0].figure.subplots_adjust(
        left=0.1,
        right=0.99,
        top=1 - 0.55 / height,
        bottom=0.6 / height,
        wspace=0.08,
        hspace=0.35,
    )
    for axis in axes[n_sites:]:
        axis.set_visible(False)
    return axes[:n_sites]


def _chosen(survey):
    n_detected = int((survey.species["detections"] > 0).sum())
    if len(survey.drawn) == n_detected:
        return "All species that were detected."
    return f"The {len(survey.drawn)} species with most detections, of {n_detected}."


def _results(survey):
    note = "Effort and detections by site and occasion, as models of occupancy need it."
    return Section(
        "Results",
        note,
        [
            _table(survey, "activity", "Activity", survey.activity),
            _table(survey, "history", "Detection histories", survey.history),
        ],
    )
