"""Confusions between species, as a picture."""

import numpy as np

from skbird.inspection._figures import axes_for, plain_text
from skbird.metrics import co_activation
from skbird.utils._params import AT_LEAST_ONE, check_params

_N_WITH_NUMBERS = 12


class CoActivationDisplay:
    """Draw how often one species sets off the prediction of another.

    A confusion matrix for rows with several labels: see
    :func:`skbird.metrics.co_activation`. The diagonal is the recall. A column that is
    bright throughout has many false alarms; a single bright cell is a confusion.

    Parameters
    ----------
    rates : DataFrame of shape (n_species, n_species)
        True species in the index, predicted ones in the columns, in [0, 1].
    max_species : int, default=30
        If there are more, those that are confused most are drawn.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
    ax_ : matplotlib.axes.Axes
    shown_ : DataFrame
        The rates that are drawn.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skbird.inspection import CoActivationDisplay
    >>> y_true = [[1, 0], [0, 1], [1, 0]]
    >>> proba = [[0.9, 0.6], [0.5, 0.7], [0.7, 0.1]]
    >>> CoActivationDisplay.from_predictions(y_true, proba).shown_
    predicted    0    1
    true
    0          1.0  0.5
    1          1.0  1.0
    """

    def __init__(self, rates, max_species=30):
        self.rates = rates
        self.max_species = max_species

    @classmethod
    def from_predictions(
        cls,
        y_true,
        proba,
        *,
        threshold=0.5,
        max_species=30,
        nan_rows="raise",
        ax=None,
    ):
        """Draw the confusions of predictions.

        Parameters
        ----------
        y_true, proba : array-like or DataFrame of shape (n_rows, n_species)
            Truth and probabilities.
        threshold : float, array-like of shape (n_species,) or None, default=0.5
            Score from which a species counts as predicted; None takes mean scores,
            which must then be in [0, 1].
        max_species : int, default=30
            If there are more, those that are confused most are drawn.
        nan_rows : {"raise", "omit"}, default="raise"
            What to do with rows of `proba` that are NaN throughout.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; by default in a new figure.

        Returns
        -------
        CoActivationDisplay
        """
        check_params(
            "CoActivationDisplay.from_predictions",
            {"max_species": [AT_LEAST_ONE]},
            max_species=max_species,
        )
        rates = co_activation(y_true, proba, threshold, nan_rows=nan_rows)
        return cls(rates, max_species).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw what the display holds.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; by default in a new figure.

        Returns
        -------
        CoActivationDisplay
        """
        self.shown_ = self._choose()
        n = len(self.shown_)
        side = 3.0 + 0.22 * max(n, 8)
        self.ax_ = axes_for(self, ax, figsize=(side + 0.8, side))
        self.figure_ = self.ax_.figure
        values = self.shown_.to_numpy()
        options = {"cmap": "viridis", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
        image = self.ax_.imshow(values, **options)
        self.figure_.colorbar(image, ax=self.ax_, label="share of the rows", shrink=0.8)
        names = [plain_text(name) for name in self.shown_.columns]
        size = 9 if n <= _N_WITH_NUMBERS else 7
        self.ax_.set_xticks(range(n), names, rotation=90, fontsize=size)
        self.ax_.set_yticks(range(n), names, fontsize=size)
        self.ax_.set(
            xlabel="predicted, and not there", ylabel="there, without the other"
        )
        if n <= _N_WITH_NUMBERS:
            for (row, column), value in np.ndenumerate(values):
                if np.isfinite(value):
                    colour = "black" if value > 0.6 else "white"
                    style = {"ha": "center", "va": "center", "fontsize": 8}
                    self.ax_.text(column, row, f"{value:.2f}", color=colour, **style)
        return self

    def _choose(self):
        values = self.rates.to_numpy(copy=True)
        if len(values) <= self.max_species:
            return self.rates
        np.fill_diagonal(values, 0)
        values = np.nan_to_num(values)
        worst = np.maximum(values.max(axis=0), values.max(axis=1))
        chosen = np.sort(np.argsort(-worst, kind="stable")[: self.max_species])
        return self.rates.iloc[chosen, chosen]
