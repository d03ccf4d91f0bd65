"""From the samples of a row to the values that a model gives its windows."""

from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from skbird.data import ClipOp
from skbird.encoders._encoder import BATCH
from skbird.encoders._front_ends import resample_as
from skbird.preprocessing import LastOp


@dataclass(frozen=True)
class WindowOp(LastOp):
    """Run a model over the windows of a row.

    Parameters
    ----------
    encoder : Encoder
    output : str
        Role of the model's output.
    step_s : float
        From one window to the next. The last window ends with the row.
    columns : tuple of int or None
        Which values of the output are kept; None: all.
    probabilities : bool
        Whether scores are kept as probabilities.
    step : str
        Name of the step that asks for it, for messages.
    """

    encoder: object = field(repr=False, compare=False)
    output: str
    step_s: float
    columns: tuple | None = field(default=None, repr=False)
    probabilities: bool = False
    step: str = field(default="EmbeddingEncoder", repr=False)
    key: str = field(init=False)  # what the values depend on besides, for the cache

    task_s = 60  # the model takes most of the time: small parts keep all threads busy

    def __post_init__(self):
        spec = self.encoder.spec
        parts = (
            self.encoder.identity,
            spec.key,
            spec.outputs[self.output],
            self.columns,
            self.encoder.runtime,
            spec.input_name,
            spec.input_shape,
            spec.activation if self.probabilities else None,
        )
        digest = blake2b(repr(parts).encode(), digest_size=16).hexdigest()
        object.__setattr__(self, "key", digest)

    @property
    def label(self):
        """What the windows hold, for the progress bar."""
        return "scores" if self.output == "scores" else "embeddings"

    @property
    def skip_remedy(self):
        """What helps against rows that cannot be read."""
        return super().skip_remedy.replace("LogMel", self.step)

    @property
    def disk_remedy(self):
        """What helps against a lack of memory."""
        return super().disk_remedy.replace("LogMel", self.step)

    @property
    def lead_s(self):
        """What a block holds before its own part: where the last window may begin."""
        return int(4 * np.ceil(max(4.0, self.encoder.spec.window_s) / 4))

    @property
    def tail_s(self):
        """What a block holds after its own part: where a window may end."""
        return int(np.ceil(self.encoder.spec.window_s)) + 1

    @property
    def highest_rate(self):
        """The sample rate of the model."""
        return self.encoder.spec.sample_rate

    @property
    def n_values(self):
        """Values of a window."""
        if self.columns is not None:
            return len(self.columns)
        return self.encoder.spec.outputs[self.output].shape[-1]

    def __call__(self, clip, offset_s=0.0, lead_s=0.0, core_s=None):
        """Return the start of each window and its values; see `LastOp`.

        Returns
        -------
        ndarray of shape (n_windows, 1 + n_values), float32
            Starts are in seconds after the start of the row.
        """
        spec = self.encoder.spec
        samples = resample_as(
            clip.samples, clip.sample_rate, spec.sample_rate, spec.resampler
        )
        first_s, end_s = offset_s + lead_s, offset_s + clip.duration_s
        starts = window_starts(end_s, spec.window_s, self.step_s)
        if core_s is None:
            # The last window ends with the row, so it may begin before this block.
            mine = (starts >= first_s - 1e-6) | (_off_grid(starts, self.step_s))
        else:
            inside = (starts >= first_s - 1e-6) & (starts < first_s + core_s - 1e-6)
            mine = inside & ~_off_grid(starts, self.step_s)
        starts = starts[mine]
        values = np.empty((len(starts), self.n_values), np.float32)
        for first in range(0, len(starts), BATCH):  # all would not fit into memory
            part = slice(first, first + BATCH)
            windows = cut_windows(samples, starts[part] - offset_s, spec)
            values[part] = self._values(windows)
        return np.column_stack([starts, values]).astype(np.float32)

    def _values(self, windows):
        values = self.encoder.run(windows, [self.output])[self.output]
        values = values.reshape(len(values), -1, values.shape[-1]).mean(axis=1)
        if self.probabilities:
            values = self.encoder.probabilities(values)
        return values if self.columns is None else values[:, list(self.columns)]

    def bytes_per_s(self, sample_rate):
        """Return how many bytes a second of audio becomes."""
        return 4 * (1 + self.n_values) / self.step_s

    def is_entry(self, array):
        """Return whether an array (1 + n_values, n_windows) can be one that it made."""
        return array.dtype == np.float32 and len(array) == 1 + self.n_values


@dataclass(frozen=True)
class HearOp(ClipOp):
    """Say which channels clips are read from, as a model wants them."""

    channels: str | int
    changes_samples = False  # cached values are found by the channels anyway

    def __call__(self, clip):
        return clip

    def channels_read(self, channels):
        """Return the channels that clips are read from."""
        return self.channels


def window_starts(duration_s, window_s, step_s):
    """Return where the windows of a row start, in seconds.

    Parameters
    ----------
    duration_s : float
        Of the row.
    window_s, step_s : float

    Returns
    -------
    ndarray of shape (n_windows,), float64
        One or more. The last window ends with the row, up to 1 % of a window.
    """
    spare_s = duration_s - window_s
    tolerance_s = 0.01 * window_s
    if spare_s <= tolerance_s:
        return np.zeros(1)
    starts = np.arange(int(np.floor(spare_s / step_s + 1e-9)) + 1) * step_s
    if spare_s - starts[-1] > tolerance_s:
        starts = np.append(starts, spare_s)
    return starts


def cut_windows(samples, starts_s, spec):
    """Cut windows out of samples at the rate of a model.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32
    starts_s : ndarray of shape (n_windows,)
        In seconds.
    spec : EncoderSpec

    Returns
    -------
    ndarray of shape (n_windows, n_window_samples), float32
    """
    n = spec.window_samples
    windows = np.zeros((len(starts_s), n), np.float32)
    for window, start_s in zip(windows, starts_s, strict=True):
        start = max(0, round(start_s * spec.sample_rate))
        # Rounding may leave a few samples less at the end of a row.
        start = min(start, max(0, len(samples) - n)) if len(samples) >= n else 0
        part = samples[start : start + n]
        if spec.pad == "cycle" and 0 < len(part) < n:
            part = np.resize(part, n)
        window[: len(part)] = part
    return windows


def _off_grid(starts, step_s):
    """Return which starts are no multiple of the step: the last one may be none."""
    return np.abs(starts / step_s - np.rint(starts / step_s)) * step_s > 1e-6
