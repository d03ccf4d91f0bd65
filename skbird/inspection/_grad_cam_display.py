"""Grad-CAM pictures: where the layers of a network find evidence for a species."""

import numpy as np

from skbird.inspection._axes import draw_spectrogram, spectrogram_extent
from skbird.inspection._figures import check_axes
from skbird.inspection._grad_cam import block_names, grad_cam, resize
from skbird.inspection._row_views import choose_segment
from skbird.utils._sklearn_compat import check_matplotlib_support

_N_COLUMNS = 4


class GradCAMDisplay:
    """Draw where the layers of a network find evidence for a species.

    First the spectrogram of a segment; then for each layer the same spectrogram in
    grey, and over it the layer's Grad-CAM, relative to its highest value.

    Pictures can mislead: :func:`explanation_report` measures how often such maps lie on
    the calls, and how often they would by chance.

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
    maps : dict of str to ndarray of shape (n_mels, n_frames)
        The map of each layer, >= 0. A map of zeros means that no channel of the layer
        speaks for the species.
    title : str, default=""

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
    axes_ : ndarray of matplotlib.axes.Axes, shape (1 + n_layers,)

    References
    ----------
    Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via
    Gradient-based Localization", ICCV 2017. Figure 5 of the report on BirdCLEF 2025
    that skbird grew out of.

    Examples
    --------
    >>> import matplotlib, numpy as np
    >>> matplotlib.use("Agg")
    >>> from skbird.inspection import GradCAMDisplay
    >>> from skbird.nn import CNNClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((8, 32, 64))
    >>> Y = np.tile([[1, 0], [0, 1]], (4, 1))
    >>> net = CNNClassifier("lcnet_035", backbone_weights=None, max_epochs=1, verbose=0)
    >>> display = GradCAMDisplay.from_estimator(net.fit(X, Y), X, blocks="all")
    >>> list(display.maps)[-1], display.axes_.shape
    ('blocks.5', (7,))
    """

    def __init__(self, decibel, mel_hz, frame_s, start_s, maps, *, title=""):
        self.decibel = decibel
        self.mel_hz = mel_hz
        self.frame_s = frame_s
        self.start_s = start_s
        self.maps = maps
        self.title = title

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        row=0,
        species=None,
        segment=None,
        layer=None,
        blocks=None,
        axes=None,
    ):
        """Draw where a fitted network finds evidence in one segment of a row.

        Parameters
        ----------
        estimator : CNNClassifier, SEDClassifier, or Pipeline that ends with one
            Fitted. It stays as it is.
        X : what the estimator predicts
            The rows, such as paths, a row table, or Spectrograms.
        row : int, default=0
            Which row of X.
        species : str or int, default=None
            Name or column; by default the likeliest of the row.
        segment : int, default=None
            Which segment of the row; by default the one in which the species is
            likeliest.
        layer : str, default=None
            A layer whose output is (batch, channels, frequency, time), as
            ``module_.backbone.named_modules()`` names it; by default the last block.
        blocks : "all" or sequence of int, default=None
            Instead of a layer: all blocks of the backbone, or the numbers of some,
            from 0.
        axes : sequence of matplotlib.axes.Axes, default=None
            One, and one more for each layer; by default in a new figure.

        Returns
        -------
        GradCAMDisplay

        Raises
        ------
        ImportError
            If captum is not installed.
        TypeError
            If there is no network of skbird.
        ValueError
            If row, segment, species, layer or blocks are not there, both of the last
            two are given, or the row could not be read.
        """
        net, chosen = choose_segment(estimator, X, row, species, segment)
        layers = _choose_layers(net, layer, blocks)
        X = chosen.spectrograms
        maps = {
            name: resize(
                grad_cam(net, X, [chosen.number], [chosen.column], name),
                chosen.decibel.shape,
            )[0]
            for name in layers
        }
        display = cls(
            chosen.decibel,
            X.format.mel_hz,
            X.format.frame_s,
            chosen.start_s,
            maps,
            title=chosen.title,
        )
        return display.plot(axes=axes)

    def plot(self, *, axes=None):
        """Draw what the display holds.

        Parameters
        ----------
        axes : sequence of matplotlib.axes.Axes, default=None
            One, and one more for each layer; by default in a new figure.

        Returns
        -------
        GradCAMDisplay
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        check_axes(axes, 1 + len(self.maps))
        own_figure = axes is None
        self.axes_ = np.asarray(self._make_axes() if own_figure else axes)
        self.figure_ = self.axes_[0].figure
        view = self.decibel, self.mel_hz, self.frame_s, self.start_s
        draw_spectrogram(self.axes_[0], *view)
        self.axes_[0].set_title("spectrogram", loc="left", fontsize="medium")
        for axis, (name, cam) in zip(self.axes_[1:], self.maps.items(), strict=True):
            draw_spectrogram(axis, *view, cmap="gray")
            share = cam / max(cam.max(), np.finfo(np.float32).tiny)
            image = axis.imshow(
                share,
                alpha=0.75 * share,
                extent=spectrogram_extent(share.shape, self.frame_s, self.start_s),
                origin="lower",
                aspect="auto",
                interpolation="bilinear",
                cmap="inferno",
                vmin=0,
                vmax=1,
            )
            empty = "" if cam.any() else " (no evidence)"
            axis.set_title(name + empty, loc="left", fontsize="medium")
        for axis in self.axes_:
            axis.set_xlabel("time (s)")
        if own_figure:
            self._finish(image)
        return self

    def _make_axes(self):
        import matplotlib.pyplot as plt

        n_panels = 1 + len(self.maps)
        n_columns = min(n_panels, _N_COLUMNS)
        n_rows = -(-n_panels // n_columns)
        _, axes = plt.subplots(
            n_rows,
            n_columns,
            figsize=(3.2 * n_columns + 0.8, 2.5 * n_rows + 0.4),
            sharex=True,
            sharey=True,
            squeeze=False,
            layout="constrained",
        )
        for axis in axes.flat[n_panels:]:
            axis.remove()
        return axes.flat[:n_panels]

    def _finish(self, image):
        for axis in self.axes_:
            axis.label_outer()
        for axis in self.axes_[-_N_COLUMNS:]:  # nothing below, if not in the last row
            axis.tick_params(labelbottom=True)
            axis.set_xlabel("time (s)")
        self.figure_.suptitle(self.title)
        self.figure_.colorbar(
            image,
            ax=list(self.axes_),
            label="Grad-CAM, highest = 1",
            pad=0.01,
            aspect=30,
        )


def _choose_layers(net, layer, blocks):
    names = block_names(net)
    if layer is not None and blocks is not None:
        raise ValueError(
            f"layer={layer!r} and blocks={blocks!r} exclude each other: give one."
        )
    if blocks is None:
        return [names[-1] if layer is None else layer]
    if isinstance(blocks, str) and blocks == "all":
        return names
    numbers = [] if isinstance(blocks, str) else list(blocks)
    if not numbers or not set(numbers) <= set(range(len(names))):
        raise ValueError(
            f"blocks={blocks!r} must be 'all' or numbers from 0 to {len(names) - 1}: "
            f"the network has the blocks {names}."
        )
    return [names[number] for number in numbers]
