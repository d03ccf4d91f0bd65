"""Scores of species against the number of their recordings."""

from skbird.inspection._figures import COLOURS, axes_for, name_points
from skbird.metrics import species_report
from skbird.utils._params import check_params

_N_NAMED = 6


class SupportDisplay:
    """Draw a metric of each species against the number of its positives.

    Species at the lower right have enough recordings and are still recognised badly:
    check their labels and call types. The lowest are named.

    Parameters
    ----------
    report : DataFrame
        The table of :func:`skbird.metrics.species_report`.
    metric : str, default="roc_auc"
        The column of `report` to draw.
    support : Series, default=None
        Positives of each species, such as those in training; by default
        ``n_positive`` of the report.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
    ax_ : matplotlib.axes.Axes

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skbird.inspection import SupportDisplay
    >>> y_true = [[1, 0], [0, 1], [1, 1]]
    >>> proba = [[0.9, 0.6], [0.5, 0.3], [0.7, 0.8]]
    >>> SupportDisplay.from_predictions(y_true, proba).ax_.get_xlabel()
    'positives'
    """

    def __init__(self, report, metric="roc_auc", support=None):
        self.report = report
        self.metric = metric
        self.support = support

    @classmethod
    def from_predictions(
        cls,
        y_true,
        proba,
        *,
        metric="roc_auc",
        support=None,
        threshold=0.5,
        nan_rows="raise",
        ax=None,
    ):
        """Draw the species of predictions.

        Parameters
        ----------
        y_true, proba : array-like or DataFrame of shape (n_rows, n_species)
            Truth and probabilities.
        metric : str, default="roc_auc"
            A column of :func:`skbird.metrics.species_report`.
        support : Series indexed by species, default=None
            Positives in training; by default those of `y_true`.
        threshold : float or array-like of shape (n_species,), default=0.5
            For metrics that need one.
        nan_rows : {"raise", "omit"}, default="raise"
            What to do with rows of `proba` that are NaN throughout.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; by default in a new figure.

        Returns
        -------
        SupportDisplay
        """
        check_params(
            "SupportDisplay.from_predictions",
            {"metric": [str]},
            metric=metric,
        )
        if support is not None and not hasattr(support, "reindex"):
            raise TypeError(
                f"support={support!r:.100} must be a Series indexed by species, or "
                "None."
            )
        report = species_report(y_true, proba, threshold=threshold, nan_rows=nan_rows)
        return cls(report, metric, support).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw what the display holds.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; by default in a new figure.

        Returns
        -------
        SupportDisplay

        Raises
        ------
        ValueError
            If the report has no such column.
        """
        if self.metric not in self.report:
            raise ValueError(
                f"metric={self.metric!r} is no column of the report; it has "
                f"{list(self.report.columns)}."
            )
        self.ax_ = axes_for(self, ax)
        self.figure_ = self.ax_.figure
        values = self.report[self.metric].dropna()
        support = self.report["n_positive"]
        if self.support is not None:
            support = self.support.reindex(self.report.index).fillna(0)
        support = support.loc[values.index]
        self.ax_.scatter(support, values, s=22, color=COLOURS[0], alpha=0.6)
        if self.metric == "roc_auc":
            self.ax_.axhline(0.5, linestyle=":", color="0.4")
        if (support > 0).all():
            self.ax_.set_xscale("log")
            self.ax_.xaxis.get_major_locator().set_params(subs=(1, 2, 5))
            self.ax_.set_xlim(min(support, default=1) / 2, max(support, default=1) * 2)
        else:
            self.ax_.set_xscale("symlog", linthresh=1)
            self.ax_.set_xlim(-0.2, 2 * max(1, *support))
        self.ax_.xaxis.set_major_formatter("{x:g}")
        self.ax_.xaxis.set_minor_formatter("")
        self.ax_.margins(y=0.15)
        lowest = values.sort_values().index[:_N_NAMED]
        name_points(self.ax_, support[lowest].tolist(), values[lowest].tolist(), lowest)
        where = "" if self.support is None else " in training"
        self.ax_.set(xlabel=f"positives{where}", ylabel=_name(self.metric))
        return self


def _name(metric):
    return metric.replace("roc_auc", "ROC-AUC").replace("_", " ")
