"""How the number of species grows with what is listened to."""

from typing import Any, Literal

import pandas as pd

from skbird.inspection import COLOURS, axes_for
from skbird.survey._richness import accumulation


class AccumulationDisplay:
    """Draw the number of species over the number of occasions or sites.

    Parameters
    ----------
    curve : DataFrame
        As `accumulation` makes it.
    unit : {"occasion", "site"}, default="occasion"
        What was counted.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
    ax_ : matplotlib.axes.Axes

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import pandas as pd
    >>> from skbird.survey import AccumulationDisplay
    >>> history = pd.DataFrame({"species": ["owl", "wren"] * 3, "site": "marsh",
    ...     "occasion": [1, 1, 2, 2, 3, 3], "y": [1, 0, 1, 1, 0, 1], "effort_s": 60.0})
    >>> AccumulationDisplay.from_history(history).ax_.get_xlabel()
    'occasions listened to'
    """

    def __init__(
        self, curve: pd.DataFrame, unit: Literal["occasion", "site"] = "occasion"
    ) -> None:
        self.curve = curve
        self.unit = unit

    @classmethod
    def from_history(
        cls,
        history: pd.DataFrame,
        *,
        unit: Literal["occasion", "site"] = "occasion",
        certain: bool = False,
        ax: Any = None,
    ) -> "AccumulationDisplay":
        """Draw the curve of a history.

        Parameters
        ----------
        history : DataFrame
            As `detection_history` makes it, in the long form.
        unit, certain
            As of `accumulation`.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; by default in a new figure.

        Returns
        -------
        AccumulationDisplay
        """
        return cls(accumulation(history, unit=unit, certain=certain), unit).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> "AccumulationDisplay":
        """Draw what the display holds.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; by default in a new figure.

        Returns
        -------
        AccumulationDisplay
        """
        self.ax_ = axes_for(self, ax, (6.0, 3.6))
        self.figure_ = self.ax_.figure
        curve, n = self.curve, self.curve["n"]
        self.ax_.fill_between(
            n,
            curve["species_low"],
            curve["species_high"],
            alpha=0.25,
            color=COLOURS[0],
            linewidth=0,
            label="two standard errors",
        )
        self.ax_.plot(n, curve["species"], color=COLOURS[0], label="in any order")
        order = "in their order" if self.unit == "occasion" else "by name"
        self.ax_.step(n, curve["observed"], where="post", color=COLOURS[4], label=order)
        self.ax_.set(xlabel=f"{self.unit}s listened to", ylabel="species")
        self.ax_.set_ylim(bottom=0)
        for axis in (self.ax_.xaxis, self.ax_.yaxis):
            axis.get_major_locator().set_params(integer=True)
        self.ax_.grid(alpha=0.3)
        self.ax_.legend(fontsize=8, loc="lower right")
        return self
