"""One row as the front end sees it: spectrogram, segments, decisions of filters."""

import numpy as np

from skbird.data import as_recordings, row_weights
from skbird.inspection._axes import draw_spectrogram
from skbird.inspection._figures import check_axes
from skbird.inspection._filter_trace import trace
from skbird.inspection._row_views import (
    check_readable,
    row_start,
    split_front_end,
    take_row,
    transform,
    window_front_end,
)
from skbird.utils._sklearn_compat import check_matplotlib_support

# Weights of more segments than this are shown by colour alone.
_N_LABELLED = 40


class SpectrogramDisplay:
    """Draw one row: its spectrogram, its segments, the measurements of the filters.

    Below the spectrogram lie the segments, coloured by the weight with which training
    draws them (the product of the weights that the filters give); then, for each
    filter, its measurements and its limit.

    Parameters
    ----------
    decibel : ndarray of shape (n_mels, n_frames)
    mel_hz : sequence of shape (n_mels,)
        Centres of the mel bands in Hz.
    frame_s : float
        Seconds from one frame to the next.
    start_s : float, default=0.0
        Second of the recording at which the row starts.
    segment_starts : sequence of float, default=(0.0,)
        Starts of the segments, in seconds after the start of the row.
    segment_s : float, default=5.0
        Length of a segment in seconds.
    segment_weights : sequence of float, default=(1.0,)
        Weights of the segments, in [0, 1].
    traces : sequence of FilterTrace, default=()
        One for each filter.
    title : str, default=""

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
    axes_ : ndarray of matplotlib.axes.Axes, shape (2 + n_filters,)
        Spectrogram, segments, filters.

    Examples
    --------
    >>> import matplotlib, numpy as np, soundfile, tempfile
    >>> matplotlib.use("Agg")
    >>> from pathlib import Path
    >>> from sklearn.pipeline import make_pipeline
    >>> from skbird.inspection import SpectrogramDisplay
    >>> from skbird.preprocessing import LogMel, RMSFilter, Segmenter
    >>> path = Path(tempfile.mkdtemp()) / "owl.wav"
    >>> rng = np.random.default_rng(0)
    >>> soundfile.write(path, 0.1 * rng.standard_normal(8 * 16_000), 16_000)
    >>> front_end = make_pipeline(Segmenter(5.0), RMSFilter(), LogMel(32))
    >>> SpectrogramDisplay.from_estimator(front_end, [path]).axes_.shape
    (3,)
    """

    def __init__(
        self,
        decibel,
        mel_hz,
        frame_s,
        start_s=0.0,
        *,
        segment_starts=(0.0,),
        segment_s=5.0,
        segment_weights=(1.0,),
        traces=(),
        title="",
    ):
        self.decibel = decibel
        self.mel_hz = mel_hz
        self.frame_s = frame_s
        self.start_s = start_s
        self.segment_starts = segment_starts
        self.segment_s = segment_s
        self.segment_weights = segment_weights
        self.traces = traces
        self.title = title

    @classmethod
    def from_estimator(cls, estimator, X, *, row=0, axes=None):
        """Draw a row as the front end of a pipeline sees it in training.

        Parameters
        ----------
        estimator : Pipeline, or LogMel
            A pipeline with a `LogMel`. Later steps are not used, and earlier ones need
            no fit, except ``RMSFilter(scope="train")``. Of a model with a pretrained
            one, its windows are drawn, over the spectrogram of ``LogMel()``.
        X : sequence of paths, DataFrame with a column ``path``, or Recordings
        row : int, default=0
            Which row of X to draw.
        axes : sequence of matplotlib.axes.Axes, default=None
            Two, and one more for each filter; by default in a new figure.

        Returns
        -------
        SpectrogramDisplay

        Raises
        ------
        ValueError
            If there is no such row, or it could not be read.
        AudioReadError
            If it could not be read and ``on_error`` of `LogMel` is "raise".
        """
        split = split_front_end(estimator) or window_front_end(estimator)
        if split is None:
            raise TypeError(
                f"estimator ({type(estimator).__name__}) has no LogMel, nor a "
                "pretrained model without gaps between its windows. Pass a Pipeline "
                "with one, or a LogMel."
            )
        steps, logmel = split
        recordings = as_recordings(transform(steps, take_row(as_recordings(X), row)))
        spectrograms = logmel.transform(recordings)
        check_readable(spectrograms)
        clip = recordings[0]
        format = spectrograms.format
        cut = spectrograms.segment_starts, format.grid.segment_s, clip.row
        display = cls(
            spectrograms[0].astype(np.float32),
            format.mel_hz,
            format.frame_s,
            row_start(spectrograms),
            segment_starts=spectrograms.segment_starts,
            segment_s=format.grid.segment_s,
            segment_weights=row_weights(clip.measured, *cut),
            traces=[trace(op, values, *cut) for op, values in clip.measured],
            title=str(spectrograms.paths[0]).rpartition("/")[2],
        )
        return display.plot(axes=axes)

    def plot(self, *, axes=None):
        """Draw what the display holds.

        Parameters
        ----------
        axes : sequence of matplotlib.axes.Axes, default=None
            Two, and one more for each filter; by default in a new figure.

        Returns
        -------
        SpectrogramDisplay
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        check_axes(axes, 2 + len(self.traces))
        if axes is None:
            heights = [3, 1, *[1.2] * len(self.traces)]
            _, axes = plt.subplots(
                len(heights),
                1,
                figsize=(10, 1.3 + 1.2 * sum(heights)),
                height_ratios=heights,
                sharex=True,
                layout="constrained",
            )
        self.axes_ = np.asarray(axes)
        self.figure_ = self.axes_[0].figure
        image = draw_spectrogram(
            self.axes_[0], self.decibel, self.mel_hz, self.frame_s, self.start_s
        )
        self.figure_.colorbar(image, ax=self.axes_[0], label="dB", pad=0.01)
        self.axes_[0].set_title(self.title)
        self._plot_segments(self.axes_[1])
        for axis, one in zip(self.axes_[2:], self.traces, strict=True):
            self._plot_trace(axis, one)
        self.axes_[-1].set_xlabel("time (s)")
        # Short rows are repeated to fill a segment; only what is there is shown.
        n_frames = np.shape(self.decibel)[1]
        self.axes_[0].set_xlim(self.start_s, self.start_s + n_frames * self.frame_s)
        return self

    def _plot_segments(self, axis):
        from matplotlib.cm import ScalarMappable
        from matplotlib.patches import Rectangle

        colours = ScalarMappable(cmap="Blues")
        colours.set_clim(0, 1)
        lanes = stack_lanes(self.segment_starts, self.segment_s)
        n_lanes = 1 + max(lanes, default=0)
        for start, weight, lane in zip(
            self.segment_starts, self.segment_weights, lanes, strict=True
        ):
            corner = self.start_s + start, lane - 0.45
            box = Rectangle(
                corner,
                self.segment_s,
                0.9,
                facecolor=colours.to_rgba(weight),
                edgecolor="0.3",
                # What training never draws shows without colour, too.
                hatch=None if weight > 0 else "///",
            )
            axis.add_patch(box)
            if len(self.segment_starts) <= _N_LABELLED:
                axis.text(
                    corner[0] + self.segment_s / 2,
                    lane,
                    f"{weight:.2f}",
                    ha="center",
                    va="center",
                    clip_on=True,
                    color="white" if weight > 0.6 else "black",
                )
        axis.set(ylim=(n_lanes - 0.5, -0.5), yticks=[], ylabel="segments,\nweight")
        self.figure_.colorbar(colours, ax=axis, pad=0.01, ticks=[0, 1])

    def _plot_trace(self, axis, one):
        times = self.start_s + (np.arange(len(one.values)) + 0.5) / one.values_per_s
        axis.plot(times, one.values, color="0.35", linewidth=0.8)
        if one.levels is not None:
            starts = self.start_s + np.asarray(self.segment_starts)
            axis.hlines(
                one.levels,
                starts,
                starts + self.segment_s,
                color="tab:blue",
                label="segments",
            )
        if one.limit is not None:
            style = {"color": "tab:orange", "linestyle": "--"}
            axis.axhline(one.limit, label=one.limit_name, **style)
        if axis.get_legend_handles_labels()[0]:
            axis.margins(y=0.35)  # room for the legend
            axis.legend(loc="upper right", fontsize="small", ncols=2)
        axis.set_ylabel(one.name)


def stack_lanes(starts, length):
    """Give intervals of one length, in order of time, lanes in which none overlap."""
    lanes, ends = [], []
    for start in starts:
        free = [lane for lane, end in enumerate(ends) if end <= start + 0.01 * length]
        lane = free[0] if free else len(ends)
        ends[lane : lane + 1] = [start + length]
        lanes.append(lane)
    return lanes
