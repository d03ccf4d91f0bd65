"""Reliability curves: predicted probability against how often species are present."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.calibration import calibration_curve

from skbird.inspection._figures import COLOURS, axes_for, plain_text
from skbird.utils._params import WHOLE, check_list, check_params
from skbird.utils._sklearn_compat import Interval, StrOptions
from skbird.utils._truth import validate_scores

_POOLED = "all species"


class ReliabilityDisplay:
    """Draw how often species are present against their predicted probability.

    Predictions are put into bins by their probability; a calibrated model lies on the
    diagonal, an overconfident one below it. All species together are drawn in black,
    each by itself as a thin line, or in colour if it is named.

    Parameters
    ----------
    curves : DataFrame
        One line per bin: ``species`` ("all species" for the curve of all of them
        together), ``mean_predicted``, ``share_present``.
    species : sequence of str, default=()
        Species to be drawn in colour, seven at most.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
    ax_ : matplotlib.axes.Axes

    See Also
    --------
    skbird.postprocessing.MultilabelCalibrator : Makes probabilities calibrated.
    sklearn.calibration.CalibrationDisplay : The same for one target.

    Examples
    --------
    >>> import matplotlib, numpy as np
    >>> matplotlib.use("Agg")
    >>> from skbird.inspection import ReliabilityDisplay
    >>> rng = np.random.default_rng(0)
    >>> proba = rng.random((5000, 3))
    >>> y_true = rng.random((5000, 3)) < proba
    >>> display = ReliabilityDisplay.from_predictions(y_true, proba, n_bins=5)
    >>> display.curves[display.curves["species"] == "all species"].round(1)
           species  mean_predicted  share_present
    0  all species             0.1            0.1
    1  all species             0.3            0.3
    2  all species             0.5            0.5
    3  all species             0.7            0.7
    4  all species             0.9            0.9
    """

    def __init__(self, curves, species=()):
        self.curves = curves
        self.species = species

    @classmethod
    def from_predictions(
        cls,
        y_true,
        proba,
        *,
        species=(),
        n_bins=10,
        strategy="quantile",
        min_positives=10,
        nan_rows="raise",
        ax=None,
    ):
        """Draw the curves of predictions.

        Parameters
        ----------
        y_true : array-like or DataFrame of shape (n_rows, n_species)
            Truth in [0, 1], NaN where unknown. From 0.5 on it counts as presence.
        proba : array-like or DataFrame of shape (n_rows, n_species)
            Probabilities in [0, 1].
        species : sequence of str, default=()
            Columns of `y_true` to be drawn in colour, seven at most.
        n_bins : int >= 1, default=10
        strategy : {"quantile", "uniform"}, default="quantile"
            Bins of equally many predictions, or of equal width: as in
            :func:`sklearn.calibration.calibration_curve`.
        min_positives : int, default=10
            Species with fewer positives have no curve of their own.
        nan_rows : {"raise", "omit"}, default="raise"
            What to do with rows of `proba` that are NaN throughout.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; by default in a new figure.

        Returns
        -------
        ReliabilityDisplay

        Raises
        ------
        ValueError
            If nothing is known, a named species is not there or has too few positives,
            or probabilities are out of range.
        """
        check_params(
            "ReliabilityDisplay.from_predictions",
            {
                "n_bins": [Interval(Integral, 1, 1_000_000, closed="both")],
                "strategy": [StrOptions({"quantile", "uniform"})],
                "min_positives": [WHOLE],
            },
            n_bins=n_bins,
            strategy=strategy,
            min_positives=min_positives,
        )
        species = check_list(species, "species")
        truth, score = validate_scores(y_true, proba, nan_rows=nan_rows)
        if not truth.known.any():
            raise ValueError("y_true has no known entry: there is nothing to compare.")
        bins = {"n_bins": n_bins, "strategy": strategy}
        known = truth.known
        curves = [_curve(_POOLED, truth.positive[known], score[known], bins)]
        drawn = []
        for column, name in enumerate(truth.species):
            if truth.positive[:, column].sum() >= min_positives:
                rows = known[:, column]
                values = truth.positive[rows, column], score[rows, column]
                curves.append(_curve(name, *values, bins))
                drawn.append(name)
        missing = [name for name in species if name not in drawn]
        if missing or len(species) > len(COLOURS):
            raise ValueError(
                f"species={list(species)} must be at most {len(COLOURS)} columns of "
                f"y_true with min_positives={min_positives} positives; "
                f"{missing} are not."
            )
        return cls(pd.concat(curves, ignore_index=True), species).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw what the display holds.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; by default in a new figure.

        Returns
        -------
        ReliabilityDisplay
        """
        self.ax_ = axes_for(self, ax, figsize=(5.5, 5.0))
        self.figure_ = self.ax_.figure
        self.ax_.plot([0, 1], [0, 1], ":", color="0.4", label="calibrated")
        colours = dict(zip(self.species, COLOURS, strict=False))
        others = "one species each"
        for name, curve in self.curves.groupby("species", sort=False):
            style = {"color": "0.75", "linewidth": 0.7, "zorder": 1, "label": others}
            if name == _POOLED:
                style = {"color": "black", "marker": "o", "zorder": 3, "label": name}
            elif name in colours:
                style = {"color": colours[name], "marker": ".", "zorder": 2}
                style["label"] = plain_text(name)
            else:
                others = "_"  # one entry in the legend for all
            self.ax_.plot(curve["mean_predicted"], curve["share_present"], **style)
        self.ax_.set(
            xlabel="mean predicted probability",
            ylabel="share of rows with the species",
            xlim=(-0.02, 1.02),
            ylim=(-0.02, 1.02),
        )
        self.ax_.legend(fontsize=9)
        return self


def _curve(name, positive, score, bins):
    present, predicted = calibration_curve(positive.astype(np.int8), score, **bins)
    curve = {"mean_predicted": predicted, "share_present": present}
    return pd.DataFrame({"species": name, **curve})
