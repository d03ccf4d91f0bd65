import os
import warnings
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator

from skbird.data import (
    SpectrogramFormat,
    Spectrograms,
    WeightOp,
    as_recordings,
    check_some_rows,
)
from skbird.preprocessing import _dsp
from skbird.preprocessing._clip_transformer import NoMatrixMixin
from skbird.preprocessing._front_end import FrontEnd
from skbird.preprocessing._last_op import LastOp
from skbird.preprocessing._mel_scale import mel_frequencies
from skbird.utils._rows import check_y_length
from skbird.utils._sklearn_compat import Interval, StrOptions
from skbird.utils._text import counted

_ANY_RATE = 32_000  # in Hz, where no row can be read


@dataclass(frozen=True)
class MelOp(LastOp):
    """Turn the samples of a clip into frames of a log-mel spectrogram."""

    n_mels: int
    n_fft: int
    hop_length: int
    low_hz: float
    high_hz: float | None
    htk: bool

    def __call__(self, clip, offset_s=0.0, lead_s=0.0, core_s=None):
        """Return frames (n_frames, n_mels), float16, in dB; see `LastOp`."""
        filters = self.filters(clip.sample_rate)
        per_s = clip.sample_rate / self.hop_length
        offset = round(offset_s * clip.sample_rate)
        first = int(np.ceil(round((offset_s + lead_s) * per_s, 6)))
        if core_s is None:
            stop = 1 + (offset + len(clip.samples)) // self.hop_length
        else:
            stop = int(np.ceil(round((offset_s + lead_s + core_s) * per_s, 6)))
        frames = _dsp.log_mel(
            clip.samples,
            filters,
            self.n_fft,
            self.hop_length,
            range(first, stop),
            offset,
        )
        return frames.astype(np.float16)

    def centres_hz(self, sample_rate):
        """Return the centres of the mel bands in Hz, as a tuple."""
        edges = mel_frequencies(
            self.n_mels + 2, self.low_hz, self._upper(sample_rate), self.htk
        )
        return tuple(edges[1:-1].tolist())

    def check_rate(self, sample_rate):
        """Complain if the filters reach past half the rate."""
        self.filters(sample_rate)

    def bytes_per_s(self, sample_rate):
        """Return how many bytes a second of audio becomes."""
        values_per_s = sample_rate / self.hop_length * self.n_mels
        return values_per_s * np.dtype(np.float16).itemsize

    def is_entry(self, array):
        """Return whether an array (n_mels, n_frames) can be one that it made."""
        return array.dtype == np.float16 and len(array) == self.n_mels

    def _upper(self, sample_rate):
        return sample_rate / 2 if self.high_hz is None else self.high_hz

    def filters(self, sample_rate):
        """Return the mel filters; complain if they reach past half the rate."""
        upper = self._upper(sample_rate)
        if upper > sample_rate / 2 or self.low_hz >= upper:
            raise ValueError(
                f"low_hz={self.low_hz:g}, high_hz={upper:g} must lie in ascending "
                f"order between 0 and half the sample rate ({sample_rate / 2:g} Hz). "
                "Lower them, or put a Resampler with a higher sample_rate before "
                "LogMel."
            )
        return _dsp.mel_filters(
            sample_rate, self.n_fft, self.n_mels, self.low_hz, upper, self.htk
        )


class LogMel(NoMatrixMixin, BaseEstimator):
    """Compute the log-mel spectrogram of each row: here the lazy part ends.

    Each file is read once, whatever the number of its rows, in threads. The transform
    is computed once over the whole stretch of a row; segments are slices of it. With a
    `cache_dir` rows that were computed before, in any fold, trial or session, are not
    computed again, memory stays bounded, and a killed pass loses only the rows that
    were being computed. An entry depends on the file (path, size, time of change), the
    stretch, the steps before and the parameters up to `mel_scale`. Changing segments,
    filter thresholds or normalisation needs no new computation.

    `fit_transform` applies all filters. `transform`, which prediction calls, leaves out
    those with ``use_at_predict=False``: every segment has weight 1. (The same holds for
    training behind a frozen front end, as that only transforms.)

    Parameters
    ----------
    n_mels : int in [1, 4096], default=128
        Number of mel bands.
    n_fft : int in [16, 65536], default=1024
        Length of the Hann window and the Fourier transform, in samples.
    hop_length : int in [1, 65536], default=512
        Samples from one frame to the next.
    low_hz : float >= 0, default=20.0
        Lower edge of the lowest band in Hz.
    high_hz : float > 0 or None, default=None
        Upper edge of the highest band in Hz; None means half the sample rate.
    mel_scale : {"slaney", "htk"}, default="slaney"
        Formula of the scale. Bands have unit area with both.
    normalize : {"minmax", "standard", None}, default="minmax"
        How each segment is normalised: to [0, 1], to mean 0 and standard deviation 1,
        or left in dB.
    top_db : float > 0 or None, default=80.0
        Range below the loudest point of a segment that is kept.
    cache_dir : str, path or None, default=None
        Folder that keeps the spectrograms (float16: about 1 MB per minute of audio with
        the defaults). None keeps them in memory, and rows above 64 MiB (70 minutes) in
        the system's folder for temporary files. Entries are checked by their content;
        damaged ones are made again, with a warning.
    n_jobs : int in [-1000, 1000] or None, default=-1
        Threads; -1 means all processors.
    on_error : {"raise", "skip"}, default="raise"
        What to do about a row that cannot be read: raise an error that names it (before
        any work, if its header shows it); or leave it out of training, predict NaN for
        it, and list it in ``Spectrograms.errors`` and in a warning.
    verbose : int, default=1
        0 shows no progress bar; 1 shows one if the work takes longer than a second.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from skbird.preprocessing import LogMel
    >>> path = Path(tempfile.mkdtemp()) / "toad.wav"
    >>> rng = np.random.default_rng(0)
    >>> soundfile.write(path, 0.1 * rng.standard_normal(32_000 * 5), 32_000)
    >>> spectrograms = LogMel(n_mels=64).fit_transform([path])
    >>> spectrograms
    <Spectrograms: 1 row, 1 segment of (64 mels, 313 frames)>
    >>> spectrograms.to_numpy().shape
    (1, 64, 313)
    """

    _parameter_constraints: dict = {
        "n_mels": [Interval(Integral, 1, 4096, closed="both")],
        "n_fft": [Interval(Integral, 16, 65_536, closed="both")],
        "hop_length": [Interval(Integral, 1, 65_536, closed="both")],
        "low_hz": [Interval(Real, 0, None, closed="left")],
        "high_hz": [Interval(Real, 0, None, closed="neither"), None],
        "mel_scale": [StrOptions({"slaney", "htk"})],
        "normalize": [StrOptions({"minmax", "standard"}), None],
        "top_db": [Interval(Real, 0, None, closed="neither"), None],
        "cache_dir": [str, os.PathLike, None],
        "n_jobs": [Interval(Integral, -1000, 1000, closed="both"), None],
        "on_error": [StrOptions({"raise", "skip"})],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_mels=128,
        n_fft=1024,
        hop_length=512,
        *,
        low_hz=20.0,
        high_hz=None,
        mel_scale="slaney",
        normalize="minmax",
        top_db=80.0,
        cache_dir=None,
        n_jobs=-1,
        on_error="raise",
        verbose=1,
    ):
        self.n_mels = n_mels
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.low_hz = low_hz
        self.high_hz = high_hz
        self.mel_scale = mel_scale
        self.normalize = normalize
        self.top_db = top_db
        self.cache_dir = cache_dir
        self.n_jobs = n_jobs
        self.on_error = on_error
        self.verbose = verbose

    def fit(self, X, y=None):
        """Check the parameters and the rows.

        Parameters
        ----------
        X : sequence of paths, DataFrame with a column ``path``, or Recordings
            The rows.
        y : array-like of n_rows rows, default=None
            Only their number is checked.

        Returns
        -------
        self
        """
        self._validate_params()
        self.make_op()
        recordings = as_recordings(X)
        check_some_rows(recordings)
        check_y_length(y, len(recordings))
        return self

    def fit_transform(self, X, y=None):
        """Compute spectrograms and the weights that all filters give, for training.

        Parameters
        ----------
        X : sequence of paths, DataFrame with a column ``path``, or Recordings
            The rows.
        y : array-like of n_rows rows, default=None
            Only their number is checked.

        Returns
        -------
        Spectrograms
            As many rows as X, in the same order.

        Raises
        ------
        AudioReadError
            If rows cannot be read and `on_error` is "raise".
        """
        return self.fit(X, y)._compute(as_recordings(X))

    def transform(self, X):
        """Compute spectrograms for prediction.

        Parameters
        ----------
        X : sequence of paths, DataFrame with a column ``path``, or Recordings
            The rows.

        Returns
        -------
        Spectrograms
            As many rows as X, in the same order; filters with
            ``use_at_predict=False`` are left out.

        Raises
        ------
        AudioReadError
            If rows cannot be read and `on_error` is "raise".
        """
        self._validate_params()
        recordings = as_recordings(X)
        ops = [
            op
            for op in recordings.ops
            if not isinstance(op, WeightOp) or op.use_at_predict
        ]
        return self._compute(recordings.with_ops(ops))

    def _compute(self, recordings):
        front_end = FrontEnd(
            recordings,
            self.make_op(),
            self.cache_dir,
            n_jobs=self.n_jobs,
            on_error=self.on_error,
            verbose=self.verbose,
        )
        spectrograms = self._spectrograms(front_end)
        spectrograms.index = recordings.index
        errors = spectrograms.errors
        if len(errors):
            first = errors.iloc[0]
            warnings.warn(
                f"{len(errors)} of {counted(len(spectrograms), 'row')} cannot be used "
                "and will be left out; `errors` of the Spectrograms lists them. The "
                f"first is row {first['row']}: {first['error']}",
                stacklevel=3,
            )
        return spectrograms

    def _spectrograms(self, front_end):
        op, grid = front_end.last, front_end.recordings.grid
        sample_rate = front_end.find_sample_rate()
        if sample_rate is None:  # nothing can be read, and any format would do
            sample_rate = max(_ANY_RATE, round(2 * (op.high_hz or 0)))
            front_end.sample_rate = sample_rate
        format = SpectrogramFormat(
            op.centres_hz(sample_rate),
            op.hop_length / sample_rate,
            grid,
            self.normalize,
            self.top_db,
        )

        def starts_of(row):
            return format.segment_frames(front_end.n_frames[row]) * format.frame_s

        weights = front_end.run_and_weigh(starts_of, grid.segment_s)
        return Spectrograms(
            front_end.rows,
            front_end.entries,
            front_end.n_frames,
            format,
            *weights,
            front_end.errors(),
        )

    def make_op(self):
        """Return the op that turns a clip into a spectrogram."""
        if self.high_hz is not None and self.low_hz >= self.high_hz:
            raise ValueError(
                f"low_hz={self.low_hz:g} must be below high_hz={self.high_hz:g}."
            )
        return MelOp(
            int(self.n_mels),
            int(self.n_fft),
            int(self.hop_length),
            float(self.low_hz),
            None if self.high_hz is None else float(self.high_hz),
            self.mel_scale == "htk",
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.requires_fit = False
        return tags
