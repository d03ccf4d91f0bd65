"""The rounds of a self-training, as pictures."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skbird.inspection._figures import COLOURS, check_axes
from skbird.utils._params import check_params
from skbird.utils._sklearn_compat import HasMethods, check_matplotlib_support

# Inside, it would cover bars: species may have as many rows as there are.
_ABOVE = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 4, "frameon": False}


class SelfTrainingDisplay:
    """Draw the rounds of a self-training: how many labels, of which species.

    The upper panel has the numbers of hard and soft pseudo-labels and of rows without
    any, the lower one the number of pseudo-labelled rows of each species. Look for
    species that gain rows while others lose theirs, and for species that no round
    finds.

    Parameters
    ----------
    history : DataFrame
        ``history_`` of a :class:`skbird.semi_supervised.PseudoLabelSelfTraining`.
    coverage : DataFrame of shape (n_rounds, n_species)
        ``coverage_`` of the same.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        Set by `plot`, which `from_estimator` calls.
    axes_ : ndarray of matplotlib.axes.Axes, shape (2,)
        The panels of labels and of species; set by `plot`.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skbird.inspection import SelfTrainingDisplay
    >>> from skbird.semi_supervised import PseudoLabelSelfTraining
    >>> X = np.array([[0.0], [1.0], [5.0], [6.0], [0.5], [5.5]])
    >>> Y = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [-1, -1], [-1, -1]])
    >>> model = PseudoLabelSelfTraining(
    ...     KNeighborsClassifier(2), soft_threshold=0.5, hard_threshold=0.5, verbose=0
    ... ).fit(X, Y)
    >>> display = SelfTrainingDisplay.from_estimator(model)
    >>> display.axes_.shape
    (2,)
    """

    def __init__(self, history, coverage):
        self.history = history
        self.coverage = coverage

    @classmethod
    def from_estimator(cls, estimator, *, axes=None):
        """Draw the rounds of a fitted self-training.

        Parameters
        ----------
        estimator : PseudoLabelSelfTraining
            Fitted.
        axes : sequence of two matplotlib.axes.Axes, default=None
            Where to draw; by default in a new figure.

        Returns
        -------
        SelfTrainingDisplay
        """
        check_params(
            "SelfTrainingDisplay.from_estimator",
            {"estimator": [HasMethods(["fit", "predict_proba"])]},
            estimator=estimator,
        )
        check_is_fitted(estimator)
        if not hasattr(estimator, "coverage_"):
            raise TypeError(
                f"estimator is a {type(estimator).__name__}; pass a fitted "
                "PseudoLabelSelfTraining."
            )
        return cls(estimator.history_, estimator.coverage_).plot(axes=axes)

    def plot(self, *, axes=None):
        """Draw what the display holds.

        Parameters
        ----------
        axes : sequence of two matplotlib.axes.Axes, default=None
            Where to draw; by default in a new figure.

        Returns
        -------
        SelfTrainingDisplay

        Raises
        ------
        ValueError
            If there was no round.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        if len(self.history) == 0:
            raise ValueError(
                "history has no rounds: no row of y was -1, unlabelled, in fit."
            )
        check_axes(axes, 2)
        if axes is None:
            _, axes = plt.subplots(2, 1, figsize=(8, 7), layout="constrained")
        self.axes_ = np.asarray(axes)
        self.figure_ = self.axes_[0].figure
        self._plot_labels(self.axes_[0])
        self._plot_coverage(self.axes_[1])
        return self

    def _plot_labels(self, axis):
        rounds = self.history.index
        hard, soft = self.history["n_hard"], self.history["n_soft"]
        axis.bar(rounds, hard, width=0.5, label="hard labels", color=COLOURS[0])
        axis.bar(rounds, soft, 0.5, bottom=hard, label="soft labels", color=COLOURS[5])
        empty = self.history["n_zero"]
        axis.plot(rounds, empty, "k.--", label="rows without a label")
        axis.set(xticks=rounds, xlabel="round", ylabel="number")
        axis.legend(**_ABOVE)

    def _plot_coverage(self, axis):
        places = np.arange(self.coverage.shape[1])
        width = 0.8 / len(self.coverage)
        for number, (name, counts) in enumerate(self.coverage.iterrows()):
            shift = (number - (len(self.coverage) - 1) / 2) * width
            style = {"color": COLOURS[number % len(COLOURS)], "label": f"round {name}"}
            axis.bar(places + shift, counts, width, **style)
        axis.set_xticks(places, self.coverage.columns, rotation=90, fontsize=8)
        axis.set_ylabel("pseudo-labelled rows")
        axis.legend(**_ABOVE)
