"""Precision, recall and F score over the threshold, as a picture."""

from collections.abc import Hashable

from skbird.inspection._figures import COLOURS, axes_for, plain_text
from skbird.metrics import threshold_curve


class ThresholdCurveDisplay:
    """Draw precision, recall and F score as the threshold moves.

    The F score is the harmonic mean of precision and recall, weighted by beta.

    Parameters
    ----------
    curve : DataFrame
        The table of :func:`skbird.metrics.threshold_curve`, for one species or with
        ``average="macro"``.
    name : str, default="mean over species"
        What the curve is of, for the title.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
    ax_ : matplotlib.axes.Axes
    best_threshold_ : float
        Threshold at which the F score is highest; NaN if there is none.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skbird.inspection import ThresholdCurveDisplay
    >>> y_true = [[1, 0], [0, 1], [1, 1]]
    >>> proba = [[0.9, 0.6], [0.5, 0.3], [0.7, 0.8]]
    >>> display = ThresholdCurveDisplay.from_predictions(y_true, proba)
    >>> display.best_threshold_
    0.61
    """

    def __init__(self, curve, name="mean over species"):
        self.curve = curve
        self.name = name

    @classmethod
    def from_predictions(
        cls, y_true, proba, *, species=None, beta=1.0, nan_rows="raise", ax=None
    ):
        """Draw the curve of one species, or the mean over all.

        Parameters
        ----------
        y_true : array-like or DataFrame of shape (n_rows, n_species)
            Truth in [0, 1], NaN where unknown.
        proba : array-like or DataFrame of shape (n_rows, n_species)
            Probabilities.
        species : str or int, default=None
            A column of `y_true`, or its number if it is an array. None: the mean over
            the species that have positives.
        beta : float > 0, default=1.0
            How many times as much recall counts as precision.
        nan_rows : {"raise", "omit"}, default="raise"
            What to do with rows of `proba` that are NaN throughout.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; by default in a new figure.

        Returns
        -------
        ThresholdCurveDisplay

        Raises
        ------
        ValueError
            If there is no such species, or y_true and proba do not fit.
        """
        if not isinstance(species, Hashable):
            raise TypeError(
                f"species={species!r:.100} must be one column of y_true, or None."
            )
        average = "macro" if species is None else None
        options = {"beta": beta, "average": average, "nan_rows": nan_rows}
        curve = threshold_curve(y_true, proba, **options)
        if species is None:
            return cls(curve).plot(ax=ax)
        if species not in set(curve["species"]):
            raise ValueError(
                f"species={species!r} is not among the {curve['species'].nunique()} of "
                f"y_true, such as {list(curve['species'].unique()[:5])}."
            )
        curve = curve[curve["species"] == species].reset_index(drop=True)
        return cls(curve, str(species)).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw what the display holds.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; by default in a new figure.

        Returns
        -------
        ThresholdCurveDisplay
        """
        self.ax_ = axes_for(self, ax)
        self.figure_ = self.ax_.figure
        thresholds = self.curve["threshold"]
        styles = {"precision": "--", "recall": "-.", "f_beta": "-"}
        labels = {"f_beta": "F score"}
        for (name, style), colour in zip(styles.items(), COLOURS, strict=False):
            label = labels.get(name, name)
            values = self.curve[name]
            self.ax_.plot(thresholds, values, style, color=colour, label=label)
        score = self.curve["f_beta"]
        self.best_threshold_ = float("nan")
        if score.notna().any():
            best = score.idxmax()
            self.best_threshold_ = float(thresholds[best])
            place = f"at threshold {thresholds[best]:.2f}"
            label = f"highest F score: {score[best]:.3f} {place}"
            self.ax_.plot(thresholds[best], score[best], "ko", label=label)
        self.ax_.set(xlabel="threshold", ylim=(-0.02, 1.08), ylabel="score")
        self.ax_.set_title(plain_text(self.name))
        self.ax_.legend(fontsize=9)
        return self
