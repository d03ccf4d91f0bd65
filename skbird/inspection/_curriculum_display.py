"""The rows that a curriculum admitted to training, and the losses."""

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from skbird.inspection._figures import COLOURS, plain_text
from skbird.utils._sklearn_compat import check_matplotlib_support

_N_SPECIES = 15


class CurriculumDisplay:
    """Draw a training with a curriculum or hard negatives, epoch by epoch.

    Three panels: the number of rows admitted to training, the losses, and the species
    that the network most often heard wrongly. Panels without data are left out.

    Parameters
    ----------
    history : DataFrame indexed by epoch
        ``curriculum_rows``, ``train_loss``, ``valid_loss``, ``hard_negatives`` (dicts
        of species to numbers of rows), where they are there.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
    axes_ : ndarray of matplotlib.axes.Axes, shape (n_parts,)

    See Also
    --------
    skbird.nn.Curriculum, skbird.nn.HardNegativeMining : They write the history.

    Examples
    --------
    >>> import matplotlib, pandas as pd
    >>> matplotlib.use("Agg")
    >>> from skbird.inspection import CurriculumDisplay
    >>> history = pd.DataFrame(
    ...     {"curriculum_rows": [30, 65, 100], "train_loss": [0.7, 0.5, 0.4]},
    ...     index=[1, 2, 3],
    ... )
    >>> CurriculumDisplay(history).plot().axes_.shape
    (2,)
    """

    def __init__(self, history):
        self.history = history

    @classmethod
    def from_estimator(cls, estimator, *, axes=None):
        """Draw the history of a fitted network.

        Parameters
        ----------
        estimator : CNNClassifier, SEDClassifier, or Pipeline that ends with one
        axes : sequence of matplotlib.axes.Axes, default=None
            One for each part; by default in a new figure.

        Returns
        -------
        CurriculumDisplay
        """
        from skbird.inspection._row_views import split_network

        net = split_network(estimator)[1]
        check_is_fitted(net)
        return cls(net.history_).plot(axes=axes)

    def plot(self, *, axes=None):
        """Draw what the display holds.

        Parameters
        ----------
        axes : sequence of matplotlib.axes.Axes, default=None
            One for each part; by default in a new figure.

        Returns
        -------
        CurriculumDisplay

        Raises
        ------
        ValueError
            If the history has none of the parts.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        parts = self._parts()
        if not parts:
            raise ValueError(
                "history has no curriculum_rows, losses or hard_negatives; its columns "
                f"are {list(self.history.columns)}."
            )
        if axes is None:
            size = {"figsize": (7, 2.6 * len(parts)), "layout": "constrained"}
            axes = plt.subplots(len(parts), 1, squeeze=False, **size)[1][:, 0]
        self.axes_ = np.asarray(axes)
        self.figure_ = self.axes_[0].figure
        for axis, draw in zip(self.axes_, parts, strict=True):
            draw(axis)
            axis.xaxis.get_major_locator().set_params(integer=True)
        self.axes_[-1].set_xlabel("epoch")
        return self

    def _parts(self):
        columns = {
            self._plot_rows: ("curriculum_rows",),
            self._plot_losses: ("train_loss", "valid_loss"),
            self._plot_negatives: ("hard_negatives",),
        }
        known = {name for name in self.history if self.history[name].notna().any()}
        return [part for part, names in columns.items() if known & set(names)]

    def _plot_rows(self, axis):
        rows = self.history["curriculum_rows"]
        axis.step(rows.index, rows, where="mid", color=COLOURS[0])
        axis.set(ylabel="rows admitted", ylim=(0, None))

    def _plot_losses(self, axis):
        styles = {"train_loss": "o-", "valid_loss": "s--"}
        for (name, style), colour in zip(styles.items(), COLOURS, strict=False):
            if name in self.history:
                loss = self.history[name]
                axis.plot(loss.index, loss, style, color=colour, label=name[:5])
        axis.set_ylabel("loss")
        axis.legend(fontsize=9)

    def _plot_negatives(self, axis):
        from matplotlib.colors import PowerNorm

        counts = self.history["hard_negatives"].dropna()
        table = pd.DataFrame(counts.to_list(), index=counts.index).fillna(0).T
        most = table.sum(axis=1).nlargest(_N_SPECIES).index
        epochs = table.columns
        image = axis.imshow(
            table.loc[most].to_numpy(dtype=float),
            aspect="auto",
            cmap="viridis",
            # The first epoch, in which all is wrong, would darken all others.
            norm=PowerNorm(0.5, vmin=0),
            extent=(epochs[0] - 0.5, epochs[-1] + 0.5, len(most) - 0.5, -0.5),
            interpolation="nearest",
        )
        names = [plain_text(name) for name in most]
        axis.set_yticks(range(len(most)), names, fontsize=8)
        axis.figure.colorbar(image, ax=axis, label="rows wrongly heard")
