"""The attention of a sound-event-detection (SED) network over a segment."""

import numpy as np

from skbird.inspection._axes import draw_spectrogram, spectrogram_extent
from skbird.inspection._figures import check_axes
from skbird.inspection._grad_cam import evaluating
from skbird.inspection._row_views import choose_segment
from skbird.utils._sklearn_compat import check_matplotlib_support


class AttentionDisplay:
    """Draw when, or at what frequency, a SED network looks at a segment.

    Three panels: the spectrogram; the same spectrogram under the attention, the
    brighter the more a step counts; and, as curves, the attention and the probability
    of the species in each step.

    The attention is the same for all species; the probability is that of one.

    Parameters
    ----------
    decibel : ndarray of shape (n_mels, n_frames)
        Spectrogram of a segment in dB.
    mel_hz : sequence of shape (n_mels,)
        Centres of the mel bands in Hz.
    frame_s : float
        Seconds from one frame to the next.
    start_s : float
        Second of the recording at which the segment starts.
    attention : ndarray of shape (n_steps,)
        Attention of each step, 1 on average.
    probability : ndarray of shape (n_steps,)
        Probability of the species in each step, in [0, 1].
    kept_axis : {"time", "frequency"}
        The axis that the steps divide.
    species : str
    title : str, default=""

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
    axes_ : ndarray of matplotlib.axes.Axes, shape (3,)
        Spectrogram, attention over it, curves.

    References
    ----------
    Figure 4 of the report on BirdCLEF 2025 that skbird grew out of.

    Examples
    --------
    >>> import matplotlib, numpy as np
    >>> matplotlib.use("Agg")
    >>> from skbird.inspection import AttentionDisplay
    >>> from skbird.nn import SEDClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((8, 32, 64))
    >>> Y = np.tile([[1, 0], [0, 1]], (4, 1))
    >>> net = SEDClassifier(
    ...     "lcnet_035", attention="time", backbone_weights=None, max_epochs=1,
    ...     verbose=0
    ... ).fit(X, Y)
    >>> AttentionDisplay.from_estimator(net, X, row=3).attention.shape
    (2,)
    """

    def __init__(
        self,
        decibel,
        mel_hz,
        frame_s,
        start_s,
        attention,
        probability,
        kept_axis,
        species,
        *,
        title="",
    ):
        self.decibel = decibel
        self.mel_hz = mel_hz
        self.frame_s = frame_s
        self.start_s = start_s
        self.attention = attention
        self.probability = probability
        self.kept_axis = kept_axis
        self.species = species
        self.title = title

    @classmethod
    def from_estimator(
        cls, estimator, X, *, row=0, species=None, segment=None, axes=None
    ):
        """Draw what a fitted network attends to in one segment of a row.

        Parameters
        ----------
        estimator : SEDClassifier, or Pipeline that ends with one
            Fitted.
        X : what the estimator predicts
            The rows, such as paths, a row table, or Spectrograms.
        row : int, default=0
            Which row of X.
        species : str or int, default=None
            Name or column; by default the likeliest of the row.
        segment : int, default=None
            Which segment of the row; by default the one in which the species is
            likeliest.
        axes : sequence of three matplotlib.axes.Axes, default=None
            Where to draw; by default in a new figure.

        Returns
        -------
        AttentionDisplay

        Raises
        ------
        TypeError
            If there is no `SEDClassifier`.
        ValueError
            If row, segment or species are not there, or the row could not be read.
        """
        net, chosen = choose_segment(estimator, X, row, species, segment)
        if not hasattr(net, "activations"):
            raise TypeError(
                f"{type(net).__name__} has no attention. Use a SEDClassifier, or "
                "GradCAMDisplay, which works for all networks."
            )
        with evaluating(net.module_):
            activations = net.activations(chosen.spectrograms)[0]
        format = chosen.spectrograms.format
        display = cls(
            chosen.decibel,
            format.mel_hz,
            format.frame_s,
            chosen.start_s,
            activations.attention[chosen.number],
            activations.probability[chosen.number, :, chosen.column],
            net.attention,
            chosen.species,
            title=chosen.title,
        )
        return display.plot(axes=axes)

    def plot(self, *, axes=None):
        """Draw what the display holds.

        Parameters
        ----------
        axes : sequence of three matplotlib.axes.Axes, default=None
            Where to draw; by default in a new figure.

        Returns
        -------
        AttentionDisplay
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")

        check_axes(axes, 3)
        self.axes_ = np.asarray(self._make_axes() if axes is None else axes)
        self.figure_ = self.axes_[0].figure
        over_time = self.kept_axis == "time"
        view = self.decibel, self.mel_hz, self.frame_s, self.start_s
        draw_spectrogram(self.axes_[0], *view)
        draw_spectrogram(self.axes_[1], *view)
        self._plot_shade(self.axes_[1])
        self._plot_curves(self.axes_[2])
        self.axes_[0].set_title("spectrogram", loc="left", fontsize="medium")
        title = f"under attention over {self.kept_axis}"
        self.axes_[1].set_title(title, loc="left", fontsize="medium")
        for axis in self.axes_[2:] if over_time else self.axes_[:2]:
            axis.set_xlabel("time (s)")
        if axes is None:
            self.axes_[int(not over_time)].label_outer()
            self.figure_.suptitle(self.title)
        return self

    def _make_axes(self):
        import matplotlib.pyplot as plt

        if self.kept_axis == "time":
            options = {"figsize": (8, 7), "height_ratios": [2, 2, 1], "sharex": True}
            return plt.subplots(3, 1, layout="constrained", **options)[1]
        options = {"figsize": (11, 4), "width_ratios": [2, 2, 1], "sharey": True}
        return plt.subplots(1, 3, layout="constrained", **options)[1]

    def _plot_shade(self, axis):
        # Black, and the less of it the more a step counts.
        shade = np.zeros((1, len(self.attention), 4))
        shade[..., 3] = 0.85 * (1 - self.attention / self.attention.max())
        axis.imshow(
            shade if self.kept_axis == "time" else shade.transpose(1, 0, 2),
            extent=self._extent,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
        )

    def _plot_curves(self, axis):
        left, right, bottom, top = self._extent
        # Attention as a share of its highest value: both curves go from 0 to 1.
        curves = {
            "attention, highest = 1": (self.attention / self.attention.max(), "k"),
            f"P({self.species})": (self.probability, "tab:orange"),
        }
        over_time = self.kept_axis == "time"
        first, last = (left, right) if over_time else (bottom, top)
        edges = np.linspace(first, last, len(self.attention) + 1)
        orientation = "vertical" if over_time else "horizontal"
        for label, (values, colour) in curves.items():
            axis.stairs(
                values,
                edges,
                baseline=None,
                orientation=orientation,
                color=colour,
                label=label,
                linewidth=2,
            )
        limits = {"xlim" if over_time else "ylim": (first, last)}
        axis.set(**limits, **{"ylim" if over_time else "xlim": (-0.05, 1.05)})
        axis.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=2 if over_time else 1,
            frameon=False,
            borderaxespad=0,
        )

    @property
    def _extent(self):
        return spectrogram_extent(self.decibel.shape, self.frame_s, self.start_s)
