"""Species over time, under the spectrogram, and the truth beside it."""

import numpy as np

from skbird.data import Spectrograms, check_rows, check_some_rows, join_rows
from skbird.inspection._axes import draw_spectrogram
from skbird.inspection._figures import check_axes
from skbird.inspection._row_views import split_front_end, transform
from skbird.preprocessing import LogMel
from skbird.utils._nested import predict_matrix, species_of
from skbird.utils._params import AT_LEAST_ONE, as_floats, check_list, check_params
from skbird.utils._sklearn_compat import check_matplotlib_support
from skbird.utils._text import counted
from skbird.utils._truth import PRESENT_FROM


class PredictionDisplay:
    """Draw the predictions for a recording, row by row, and the truth.

    Below the spectrogram are the probabilities of the likeliest species and, if it is
    known, the truth of these species. Grey means unknown: rows that could not be read,
    labels that are NaN.

    Parameters
    ----------
    starts, ends : array of shape (n_rows,)
        Start and end of the rows, in seconds of the recording.
    proba : ndarray of shape (n_rows, n_species)
        Probabilities in [0, 1], or NaN.
    truth : ndarray of shape (n_rows, n_species) or None
        Labels in [0, 1], or NaN.
    species : sequence of str, shape (n_species,)
    spectrograms : sequence of (float, ndarray), default=()
        Stretches of the recording: where each starts, in seconds, and its spectrogram
        (n_mels, n_frames).
    mel_hz : sequence of shape (n_mels,), default=()
        Centres of the mel bands in Hz.
    frame_s : float, default=0.016
        Seconds from one frame to the next.
    top_species : int, default=5
        How many species to show: those with the highest probability in any row. Others
        that are present in truth come below them, so that what was missed is seen.
    title : str, default=""

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
    axes_ : ndarray of matplotlib.axes.Axes
        Spectrogram, predictions and, if it is known, truth.
    shown_ : ndarray of int
        Columns of the species that are shown, from top to bottom.

    Examples
    --------
    >>> import matplotlib, numpy as np, soundfile, tempfile
    >>> matplotlib.use("Agg")
    >>> from pathlib import Path
    >>> from skbird.data import segment_table
    >>> from skbird.inspection import PredictionDisplay
    >>> path = Path(tempfile.mkdtemp()) / "night.wav"
    >>> rng = np.random.default_rng(0)
    >>> soundfile.write(path, 0.1 * rng.standard_normal(10 * 16_000), 16_000)
    >>> X = segment_table([path])
    >>> proba = [[0.1, 0.7, 0.2], [0.9, 0.3, 0.1]]
    >>> display = PredictionDisplay.from_predictions(
    ...     X, proba, species=["owl", "frog", "bat"], top_species=2
    ... )
    >>> [text.get_text() for text in display.axes_[1].get_yticklabels()]
    ['owl', 'frog']
    """

    def __init__(
        self,
        starts,
        ends,
        proba,
        truth,
        species,
        *,
        spectrograms=(),
        mel_hz=(),
        frame_s=0.016,
        top_species=5,
        title="",
    ):
        self.starts = starts
        self.ends = ends
        self.proba = proba
        self.truth = truth
        self.species = species
        self.spectrograms = spectrograms
        self.mel_hz = mel_hz
        self.frame_s = frame_s
        self.top_species = top_species
        self.title = title

    @classmethod
    def from_estimator(
        cls, estimator, X, Y=None, *, species=None, top_species=5, axes=None
    ):
        """Draw the predictions of a fitted model for the rows of one recording.

        Parameters
        ----------
        estimator : multi-label classifier
            Fitted. If it is a pipeline with a `LogMel`, the spectrograms of that are
            drawn, otherwise those of ``LogMel()``.
        X : DataFrame
            Rows of one recording: ``path``, ``start``, ``end``, as
            :func:`skbird.data.segment_table` makes it.
        Y : array-like or DataFrame of shape (n_rows, n_species), default=None
            The truth; NaN is unknown.
        species : sequence of str, default=None
            Names of the columns; by default those that the estimator or Y tells.
        top_species : int, default=5
            How many species to show.
        axes : sequence of matplotlib.axes.Axes, default=None
            Two, or three with `Y`; by default in a new figure.

        Returns
        -------
        PredictionDisplay
        """
        X = _check_one_recording(X, top_species)
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(
                f"estimator={estimator!r:.100} must be a fitted classifier with "
                "predict_proba."
            )
        if species is None:
            species = species_of(estimator)
        else:
            species = check_list(species, "species")
        n_species = None if species is None else len(species)
        proba = predict_matrix(estimator, X, n_species)
        split = split_front_end(estimator)
        spectrograms = None if split is None else transform([*split[0], split[1]], X)
        return cls.from_predictions(
            X,
            proba,
            Y,
            species=species,
            top_species=top_species,
            spectrograms=spectrograms,
            axes=axes,
        )

    @classmethod
    def from_predictions(
        cls,
        X,
        proba,
        Y=None,
        *,
        species=None,
        top_species=5,
        spectrograms=None,
        axes=None,
    ):
        """Draw given probabilities of the rows of one recording.

        Parameters
        ----------
        X : DataFrame
            Rows of one recording: ``path``, ``start``, ``end``.
        proba : array-like or DataFrame of shape (n_rows, n_species)
            NaN throughout for rows that could not be read.
        Y : array-like or DataFrame of shape (n_rows, n_species), default=None
            The truth; NaN is unknown.
        species : sequence of str, default=None
            Names of the columns; by default those of `proba` or `Y`, else numbers.
        top_species : int, default=5
            How many species to show.
        spectrograms : Spectrograms, default=None
            Spectrograms of the rows; by default ``LogMel().transform(X)``.
        axes : sequence of matplotlib.axes.Axes, default=None
            Two, or three with `Y`; by default in a new figure.

        Returns
        -------
        PredictionDisplay

        Raises
        ------
        ValueError
            If shapes do not fit, or rows are of several recordings.
        """
        X = _check_one_recording(X, top_species)
        names = None if species is None else check_list(species, "species")
        for table in (proba, Y):
            if names is None:
                names = getattr(table, "columns", None)
        proba = _check_matrix(proba, "proba", len(X), names)
        if names is None:
            names = [str(number) for number in range(proba.shape[1])]
        truth = None if Y is None else _check_matrix(Y, "Y", len(X), names)
        if spectrograms is None:
            logmel = LogMel(on_error="skip", verbose=0)
            spectrograms = logmel.fit(X).transform(X)
        elif not isinstance(spectrograms, Spectrograms):
            raise TypeError(
                f"spectrograms is of type {type(spectrograms).__name__}; Spectrograms, "
                "as LogMel gives them, are needed."
            )
        pieces, format = _pieces(spectrograms)
        display = cls(
            X["start"].to_numpy(),
            _ends(X, spectrograms),
            proba,
            truth,
            [str(name) for name in names],
            spectrograms=pieces,
            mel_hz=format.mel_hz,
            frame_s=format.frame_s,
            top_species=top_species,
            title=X["path"].iloc[0].rpartition("/")[2],
        )
        return display.plot(axes=axes)

    def plot(self, *, axes=None):
        """Draw what the display holds.

        Parameters
        ----------
        axes : sequence of matplotlib.axes.Axes, default=None
            Two, or three if there is a truth; by default in a new figure.

        Returns
        -------
        PredictionDisplay
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        self.shown_ = choose_species(self.proba, self.truth, self.top_species)
        matrices = {"predicted": self.proba, "truth": self.truth}
        matrices = {k: v for k, v in matrices.items() if v is not None}
        check_axes(axes, 2 if self.truth is None else 3)
        if axes is None:
            heights = [3, *[0.6 + 0.25 * len(self.shown_)] * len(matrices)]
            _, axes = plt.subplots(
                len(heights),
                1,
                figsize=(10, 1.2 + sum(heights)),
                height_ratios=heights,
                sharex=True,
                layout="constrained",
            )
        self.axes_ = np.asarray(axes)
        self.figure_ = self.axes_[0].figure
        self._plot_spectrogram(self.axes_[0])
        for axis, (title, matrix) in zip(self.axes_[1:], matrices.items(), strict=True):
            image = self._plot_matrix(axis, matrix, title)
        self.figure_.colorbar(
            image, ax=list(self.axes_[1:]), label="probability", pad=0.01
        )
        self.axes_[-1].set_xlabel("time (s)")
        self.axes_[0].set_xlim(np.nanmin(self.starts), np.nanmax(self.ends))
        return self

    def _plot_spectrogram(self, axis):
        axis.set_title(self.title)
        images = [
            draw_spectrogram(axis, decibel, self.mel_hz, self.frame_s, start)
            for start, decibel in self.spectrograms
        ]
        # One scale for all: pieces with their own would look as if levels jumped.
        limits = [image.get_clim() for image in images]
        for image in images:
            image.set_clim(min(low for low, _ in limits), max(h for _, h in limits))

    def _plot_matrix(self, axis, matrix, title):
        edges = np.arange(len(self.shown_) + 1) - 0.5
        axis.set_facecolor("0.8")
        for start, end, values in zip(
            self.starts, self.ends, matrix[:, self.shown_], strict=True
        ):
            mesh = axis.pcolormesh(
                [start, end],
                edges,
                values[:, None],
                cmap="Blues",
                vmin=0,
                vmax=1,
            )
        names = [self.species[column] for column in self.shown_]
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.5, -0.5)
        axis.set_title(title, loc="left", fontsize="medium")
        return mesh


def choose_species(proba, truth, top_species):
    """Choose the species worth showing.

    Parameters
    ----------
    proba : ndarray of shape (n_rows, n_species)
    truth : ndarray of shape (n_rows, n_species) or None
    top_species : int

    Returns
    -------
    ndarray of int
        The `top_species` with the highest probability in any row, falling; then others
        that the truth has in any row.
    """
    highest = np.where(np.isnan(proba), -1, proba).max(axis=0)
    order = np.argsort(-highest, kind="stable")
    if truth is None:
        return order[:top_species]
    present = (np.where(np.isnan(truth), 0, truth) >= PRESENT_FROM).any(axis=0)
    rest = order[top_species:]
    return np.r_[order[:top_species], rest[present[rest]]]


def _check_one_recording(X, top_species):
    check_params(
        "PredictionDisplay", {"top_species": [AT_LEAST_ONE]}, top_species=top_species
    )
    X = check_rows(X, input_name="X")
    check_some_rows(X)
    paths = X["path"].unique()
    if len(paths) > 1:
        raise ValueError(
            f"X has rows of {counted(len(paths), 'recording')}, the first "
            f"{paths[:2].tolist()}. Choose those of one: X[X['path'] == path]."
        )
    return X


def _check_matrix(values, name, n_rows, species):
    matrix = as_floats(values, name, np.float64)
    if matrix.ndim != 2:
        raise ValueError(
            f"{name} has shape {matrix.shape}, but (n_rows, n_species) is needed."
        )
    n_species = matrix.shape[1] if species is None else len(species)
    if matrix.shape != (n_rows, n_species):
        raise ValueError(
            f"{name} has shape {matrix.shape}, but there are {counted(n_rows, 'row')} "
            f"and {n_species} species: one number for each is needed."
        )
    return matrix


def _pieces(spectrograms):
    """Return the stretches that rows cover, joined where they meet, and the format."""
    joined, _, _ = join_rows(spectrograms)
    starts = joined.rows["start"].to_numpy(dtype=float)
    pieces = [
        (start, joined.frames(number)[0:n_frames].T.astype(np.float32))
        for number, (start, n_frames) in enumerate(
            zip(starts, joined.n_frames, strict=True)
        )
    ]
    return pieces, spectrograms.format


def _ends(X, spectrograms):
    """Return the ends of the rows; those to the end of the file end with its sound."""
    ends = X["end"].to_numpy(dtype=float)
    seconds = np.maximum(spectrograms.n_frames - 1, 1) * spectrograms.format.frame_s
    return np.where(np.isnan(ends), X["start"].to_numpy() + seconds, ends)
