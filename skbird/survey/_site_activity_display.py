"""What was heard at each site: a panel each, without a map."""

from typing import Any

import numpy as np
import pandas as pd

from skbird.inspection import COLOURS, check_axes, plain_text
from skbird.survey._rates import check_rates, sum_rates
from skbird.utils._sklearn_compat import check_matplotlib_support

_MOST_SITES = 48


class SiteActivityDisplay:
    """Draw how much a species called at each site, day by day, in panels.

    Panels share their axes, and are in the order of the names. Days that were not
    listened to are grey.

    Parameters
    ----------
    rates : DataFrame of shape (n_days, n_sites)
        Rows with calls per hour; NaN where nothing was listened to. Days are the index.
    species : str, default=""
        The title.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
    axes_ : list of matplotlib.axes.Axes

    See Also
    --------
    ActivityDisplay : Days and hours.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skbird.datasets import make_survey
    >>> from skbird.survey import SiteActivityDisplay, activity, recording_times
    >>> data = make_survey(n_sites=2, n_weeks=1, n_species=2)
    >>> found = activity(data.proba, data.X, recording_times(data.recordings), by="day")
    >>> display = SiteActivityDisplay.from_activity(found, "upwwhi1")
    >>> [axis.get_title() for axis in display.axes_]
    ['site01', 'site02']
    """

    def __init__(self, rates: pd.DataFrame, species: str = "") -> None:
        self.rates = rates
        self.species = species

    @classmethod
    def from_activity(
        cls, activity: pd.DataFrame, species: str, *, axes: Any = None
    ) -> "SiteActivityDisplay":
        """Draw the activity of a species.

        Parameters
        ----------
        activity : DataFrame
            As `activity` makes it, by hour, day or night.
        species : str
            Which species.
        axes : sequence of matplotlib.axes.Axes, default=None
            Where to draw, one per site; by default in a new figure.

        Returns
        -------
        SiteActivityDisplay

        Raises
        ------
        ValueError
            If `activity` has no such species, or more sites than can be drawn, 48.
        """
        of_species = check_rates(activity, species)
        rates = sum_rates(of_species, ["date", "site"])["rows_per_hour"].unstack()
        days = pd.date_range(rates.index.min(), rates.index.max())
        return cls(rates.reindex(days), species).plot(axes=axes)

    def plot(self, *, axes: Any = None) -> "SiteActivityDisplay":
        """Draw what the display holds.

        Parameters
        ----------
        axes : sequence of matplotlib.axes.Axes, default=None
            Where to draw, one per site; by default in a new figure.

        Returns
        -------
        SiteActivityDisplay
        """
        check_matplotlib_support("SiteActivityDisplay.plot")
        names = list(self.rates.columns)
        if len(names) > _MOST_SITES:
            raise ValueError(
                f"rates has {len(names)} sites; at most {_MOST_SITES} can be drawn. "
                "Choose some: activity[activity['site'].isin([...])]."
            )
        check_axes(axes, len(names))
        self.axes_ = list(_panels(len(names)) if axes is None else axes)
        self.figure_ = self.axes_[0].figure
        import matplotlib.dates as dates

        days = pd.date_range(self.rates.index[0], periods=len(self.rates) + 1)
        edges = dates.date2num(days)
        highest = np.nanmax(self.rates.to_numpy(dtype=float), initial=0.0) or 1.0
        for axis, name in zip(self.axes_, names, strict=True):
            rate = self.rates[name].to_numpy(dtype=float)
            absent = np.isnan(rate) * 1.05 * highest
            axis.stairs(absent, edges, fill=True, color="0.8")
            axis.stairs(np.nan_to_num(rate), edges, fill=True, color=COLOURS[0])
            locator = dates.AutoDateLocator(minticks=2, maxticks=4)
            axis.xaxis.set_major_locator(locator)
            formatter = dates.ConciseDateFormatter(locator, show_offset=False)
            axis.xaxis.set_major_formatter(formatter)
            axis.set_title(plain_text(name), fontsize=9)
            axis.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.05 * highest))
            axis.tick_params(labelsize=7)
        self.figure_.suptitle(plain_text(self.species), fontsize=11)
        first, last = self.rates.index[[0, -1]]
        self.figure_.supxlabel(f"{first:%d %b %Y} to {last:%d %b %Y}", fontsize=9)
        self.figure_.supylabel("rows with calls per hour", fontsize=9)
        return self


def _panels(n_sites):
    """Return axes for so many sites, four in a row, in a new figure of pyplot."""
    import matplotlib.pyplot as plt

    n_rows = -(-n_sites // 4)
    figure = plt.figure(figsize=(7.0, 0.9 + 1.3 * n_rows), layout="constrained")
    shape = n_rows, min(n_sites, 4)
    axes = figure.subplots(*shape, sharex=True, sharey=True, squeeze=False).ravel()
    for axis in axes[n_sites:]:
        axis.set_visible(False)
    return axes[:n_sites]
