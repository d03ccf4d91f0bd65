"""When a species called: a heat map of day and hour."""

from typing import Any

import numpy as np
import pandas as pd

from skbird.inspection import axes_for, mark_days, plain_text
from skbird.survey._rates import check_rates, sum_rates
from skbird.survey._sun import sun_times

_DAY = pd.Timedelta("1D")


class ActivityDisplay:
    """Draw how much a species called, by day and hour, with sunrise and sunset.

    Hours that were not listened to are grey.

    Parameters
    ----------
    rates : DataFrame of shape (n_days, n_hours)
        Rows with calls per hour; NaN where nothing was listened to. Days are the index,
        hours the columns.
    sun : DataFrame, default=None
        ``date``, ``sunrise_hour`` and ``sunset_hour``, as `sun_times` returns them; of
        several sites, the mean is drawn.
    species : str, default=""
        The title.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
    ax_ : matplotlib.axes.Axes

    See Also
    --------
    SiteActivityDisplay : Days and sites.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skbird.datasets import make_survey
    >>> from skbird.survey import ActivityDisplay, activity, recording_times
    >>> data = make_survey(n_sites=2, n_weeks=1, n_species=2)
    >>> found = activity(data.proba, data.X, recording_times(data.recordings))
    >>> display = ActivityDisplay.from_activity(found, "upwwhi1", sites=data.sites)
    >>> display.ax_.get_ylabel()
    'hour of the day'
    """

    def __init__(
        self, rates: pd.DataFrame, sun: pd.DataFrame | None = None, species: str = ""
    ) -> None:
        self.rates = rates
        self.sun = sun
        self.species = species

    @classmethod
    def from_activity(
        cls,
        activity: pd.DataFrame,
        species: str,
        *,
        site: str | None = None,
        sites: pd.DataFrame | None = None,
        ax: Any = None,
    ) -> "ActivityDisplay":
        """Draw the activity of a species.

        Parameters
        ----------
        activity : DataFrame
            As `activity` makes it, by hour, or by hour from sunrise.
        species : str
            Which species.
        site : str, default=None
            Which site; by default all, their detections and their effort added.
        sites : DataFrame, default=None
            Deployments with latitude, longitude and ``time_zone``, as `sun_times` takes
            them: sunrise and sunset are drawn. None: they are not.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; by default in a new figure.

        Returns
        -------
        ActivityDisplay

        Raises
        ------
        ValueError
            If `activity` is not by hour, or has no such species or site.
        """
        of_species = check_rates(activity, species, site)
        if "hour" not in of_species:
            raise ValueError(
                "activity has no column 'hour'. Pass what activity returns with "
                "by='hour' or by='hour_from_sunrise'."
            )
        rates = sum_rates(of_species, ["date", "hour"])["rows_per_hour"].unstack()
        hours = range(-12, 12) if rates.columns.min() < 0 else range(24)
        days = pd.date_range(rates.index.min(), rates.index.max())
        rates = rates.reindex(index=days, columns=hours)
        sun = None
        if sites is not None and hours[0] == 0:
            chosen = sites if site is None else sites[sites["site"] == site]
            sun = sun_times(chosen)
        return cls(rates, sun, species).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> "ActivityDisplay":
        """Draw what the display holds.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; by default in a new figure.

        Returns
        -------
        ActivityDisplay
        """
        self.ax_ = axes_for(self, ax, (7.0, 3.6))
        self.figure_ = self.ax_.figure
        import matplotlib.dates as dates
        from matplotlib.patches import Patch

        days, hours = self.rates.index, [int(hour) for hour in self.rates.columns]
        left, right = dates.date2num([days[0], days[-1] + _DAY])
        image = self.ax_.imshow(
            self.rates.to_numpy(dtype=float).T,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            extent=(left, right, hours[0], hours[-1] + 1),
            cmap="YlGnBu",
            vmin=0,
        )
        self.figure_.colorbar(image, ax=self.ax_, label="rows with calls per hour")
        self.ax_.set_facecolor("0.8")
        handles = []
        if self.sun is not None:
            handles = self._draw_sun(dates)
        if self.rates.isna().to_numpy().any():
            handles.append(Patch(color="0.8", label="not listened to"))
        if handles:
            self.ax_.legend(
                handles=handles,
                fontsize=8,
                ncols=3,
                frameon=False,
                loc="lower right",
                bbox_to_anchor=(1.0, 0.99),
                borderaxespad=0.2,
            )
        mark_days(self.ax_, days)
        from_sunrise = hours[0] < 0
        self.ax_.set(
            xlim=(left, right),
            ylim=(hours[0], hours[-1] + 1),
            yticks=range(-12, 13, 4) if from_sunrise else range(0, 25, 4),
            ylabel="hours from sunrise" if from_sunrise else "hour of the day",
        )
        self.ax_.set_title(plain_text(self.species), loc="left", fontsize=11)
        return self

    def _draw_sun(self, dates):
        hours = self.sun[["sunrise_hour", "sunset_hour"]].astype(float)
        # Of a clock, on which 23.9 and 0.1 are near each other.
        turns = np.exp(2j * np.pi * hours / 24).groupby(self.sun["date"]).mean()
        turns = turns.reindex(self.rates.index)
        mean = (np.angle(turns) * 24 / (2 * np.pi)) % 24
        mean = pd.DataFrame(mean, index=turns.index, columns=turns.columns)
        noons = dates.date2num(mean.index + _DAY / 2)
        lines = []
        for name, style in (("sunrise", "-"), ("sunset", "--")):
            hour = mean[f"{name}_hour"].to_numpy(dtype=float)
            # Where it goes over midnight, the line breaks off.
            jumps = np.abs(np.diff(hour, prepend=hour[:1])) > 12
            drawn = np.where(jumps, np.nan, hour)
            lines += self.ax_.plot(noons, drawn, style, color="white", linewidth=2.5)
            lines[-1].set(color="#D55E00", linewidth=1.6, label=name)
        return lines
