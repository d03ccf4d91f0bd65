"""Signal processing on plain arrays: the only place where samples are computed with."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy.fft
import scipy.signal
import soxr

from skbird.data import FLOOR_DB
from skbird.preprocessing._mel_scale import mel_frequencies

# Values worked on at a time: few enough to stay in a processor's second-level cache.
_BLOCK = 2**17
# So many mel filters at a time are multiplied with the bins that they look at: nearly
# all of the whole matrix is 0.
_MELS_PER_BAND = 16


def resample(samples, sample_rate, new_rate):
    """Resample with soxr's HQ filter (aliases at least 100 dB down).

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32
    sample_rate, new_rate : int
        In Hz.

    Returns
    -------
    ndarray of shape (about n_samples * new_rate / sample_rate,), float32
    """
    if sample_rate == new_rate:
        return samples
    resampled = soxr.resample(samples, sample_rate, new_rate, quality="HQ")
    # A few samples can vanish at a lower rate, but a clip is never empty.
    return resampled if len(resampled) else samples[:1]


@lru_cache(maxsize=32)
def band_sections(low_hz, high_hz, order, sample_rate):
    """Design a Butterworth band-pass as second-order sections.

    `low_hz` 0 means no lower edge, `high_hz` None no upper one.

    Returns
    -------
    sections : ndarray of shape (n_sections, 6), float64
    steady : ndarray of shape (n_sections, 2), float64
        The state of the filter after a long time at level 1.

    None if nothing is to be filtered.
    """
    if low_hz > 0 and high_hz is not None:
        edges, kind = (low_hz, high_hz), "bandpass"
    elif low_hz > 0:
        edges, kind = low_hz, "highpass"
    elif high_hz is not None:
        edges, kind = high_hz, "lowpass"
    else:
        return None
    sections = scipy.signal.butter(order, edges, kind, fs=sample_rate, output="sos")
    return sections, scipy.signal.sosfilt_zi(sections)


def sos_filter(samples, sections, steady):
    """Filter forward in time, as a causal filter does.

    float64 inside: at 50 Hz of 48 kHz the poles lie too near the unit circle for
    float32. The filter starts as if the first sample had always been there, so that an
    offset in a recorder's signal makes no thump. See :func:`band_sections`.
    """
    filtered = np.empty(len(samples), np.float32)
    state = steady * np.float64(samples[0])
    for start in range(0, len(samples), _BLOCK):
        block = slice(start, start + _BLOCK)
        exact = samples[block].astype(np.float64)
        filtered[block], state = scipy.signal.sosfilt(sections, exact, zi=state)
    return filtered


def mean_square(samples, sample_rate, values_per_s):
    """Mean power of the samples on a time grid.

    Returns
    -------
    ndarray of shape (n_values,), float32
        At least one value; the last may cover less time.
    """
    n_values = max(1, int(np.ceil(len(samples) * values_per_s / sample_rate - 1e-6)))
    edges = np.round(np.arange(n_values) * sample_rate / values_per_s).astype(int)
    edges = np.minimum(edges, len(samples) - 1)
    counts = np.diff(edges, append=len(samples))
    power = np.add.reduceat(np.square(samples), edges)
    return (power / np.maximum(counts, 1)).astype(np.float32)


class MelBand(NamedTuple):
    """Neighbouring mel filters: they look at few of the bins."""

    mels: slice
    bins: slice
    weights: np.ndarray  # (n_bins, n_mels), float32


@lru_cache(maxsize=32)
def mel_filters(sample_rate, n_fft, n_mels, fmin, fmax, htk):
    """Triangular mel filters of unit area, as a tuple of `MelBand`.

    The same numbers as those of ``librosa.filters.mel``, which makes the whole matrix:
    gigabytes for 4096 filters of 65,536 samples.
    """
    fmax = sample_rate / 2 if fmax is None else fmax
    bins_hz = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    edges_hz = mel_frequencies(n_mels + 2, fmin, fmax, htk)
    bands = []
    for first in range(0, n_mels, _MELS_PER_BAND):
        mels = slice(first, min(first + _MELS_PER_BAND, n_mels))
        near, end = np.searchsorted(bins_hz, edges_hz[[first, mels.stop + 1]])
        weights = _triangles(edges_hz[first : mels.stop + 2], bins_hz[near:end])
        used = near + np.flatnonzero(weights.any(axis=0))
        if len(used):
            bins = slice(used[0], used[-1] + 1)
            weights = weights[:, bins.start - near : bins.stop - near]
        else:
            # Narrow low bands may hold no bin: they are constant and do no harm.
            bins, weights = slice(0, 1), np.zeros((len(weights), 1), np.float32)
        bands.append(MelBand(mels, bins, np.ascontiguousarray(weights.T)))
    return tuple(bands)


def _triangles(edges_hz, bins_hz):
    """Return filters between neighbouring edges, (n_edges - 2, n_bins), float32."""
    widths = np.diff(edges_hz)[:, None]
    ramps = np.subtract.outer(edges_hz, bins_hz)
    rising, falling = -ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]
    filters = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    filters *= (2 / (edges_hz[2:] - edges_hz[:-2]))[:, None]
    return filters


@lru_cache(maxsize=8)
def window(n_fft):
    """Hann window of `n_fft` samples, float32."""
    return scipy.signal.get_window("hann", n_fft).astype(np.float32)


def log_mel(samples, filters, n_fft, hop_length, frames, offset=0):
    """Log-mel power spectrum of some frames of a signal.

    Frame k is centred on sample ``k * hop_length`` of the signal; what lies outside
    `samples` counts as silence. 0 dB is the power that a full-scale sine has in one
    bin, up to the normalisation of the filters.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32
        The signal, or the part of it that starts at sample `offset`.
    filters : tuple of MelBand
        See :func:`mel_filters`.
    n_fft, hop_length : int
        In samples.
    frames : range
        Numbers of the frames wanted.
    offset : int, default=0
        Position of ``samples[0]`` in the signal.

    Returns
    -------
    ndarray of shape (n_frames, n_mels), float32
        In dB, not below `FLOOR_DB`. The same numbers as
        ``librosa.power_to_db(librosa.feature.melspectrogram(...), top_db=None)``.
    """
    first = frames.start * hop_length - n_fft // 2 - offset
    last = (frames.stop - 1) * hop_length + n_fft - n_fft // 2 - offset
    padded = np.pad(
        samples[max(first, 0) : max(last, 0)],
        (max(-first, 0), max(last - len(samples), 0)),
    )
    views = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]
    hann = window(n_fft)
    mel = np.empty((len(frames), filters[-1].mels.stop), np.float32)
    step = max(1, _BLOCK // n_fft)
    for start in range(0, len(frames), step):
        block = slice(start, min(start + step, len(frames)))
        spectrum = scipy.fft.rfft(views[block] * hann, axis=1)
        power = np.square(spectrum.real)
        power += np.square(spectrum.imag)
        for mels, bins, weights in filters:
            np.matmul(power[:, bins], weights, out=mel[block, mels])
        np.maximum(mel[block], 10 ** (FLOOR_DB / 10), out=mel[block])
        np.log10(mel[block], out=mel[block])
    mel *= 10
    return mel
