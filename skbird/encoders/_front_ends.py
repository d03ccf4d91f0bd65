"""What pretrained models want done to a window, outside of their graphs."""

from functools import cache

import librosa
import numpy as np
import scipy.fft
import scipy.signal

from skbird.preprocessing import resample


def resample_as(samples, sample_rate, new_rate, resampler):
    """Resample as the spec of a model says.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32
    sample_rate, new_rate : int
        In Hz.
    resampler : {"soxr_hq", "polyphase"}

    Returns
    -------
    ndarray of shape (about n_samples * new_rate / sample_rate,), float32
    """
    if resampler == "soxr_hq" or sample_rate == new_rate:
        return resample(samples, sample_rate, new_rate)
    divisor = np.gcd(sample_rate, new_rate)
    up, down = new_rate // divisor, sample_rate // divisor
    return scipy.signal.resample_poly(samples, up, down).astype(np.float32)


def level_windows(windows, level, peak):
    """Level windows as the spec of a model says.

    Parameters
    ----------
    windows : ndarray of shape (n, n_samples), float32
    level : {"none", "peak", "mean_peak"}
    peak : float
        What the highest absolute value becomes. Silence stays silence.

    Returns
    -------
    ndarray of shape (n, n_samples), float32
    """
    if level == "none":
        return windows
    if level == "mean_peak":
        windows = windows - windows.mean(axis=1, keepdims=True)
    highest = np.abs(windows).max(axis=1, keepdims=True)
    scale = np.divide(peak, highest, out=np.zeros_like(highest), where=highest > 0)
    return windows * scale


@cache
def _yamnet_filters():
    return librosa.filters.mel(
        sr=16_000, n_fft=512, n_mels=64, fmin=125.0, fmax=7500.0, htk=True, norm=None
    ).T.astype(np.float32)


@cache
def _yamnet_window():
    hann = scipy.signal.get_window("hann", 400).astype(np.float32)
    return np.pad(hann, 56)  # in the middle of 512 samples


def yamnet_patches(windows):
    """Return log-mel patches as YAMNet takes them.

    96 frames of 25 ms every 10 ms; 64 mel bands of magnitudes from 125 to 7500 Hz;
    the logarithm of these plus 0.001.

    Parameters
    ----------
    windows : ndarray of shape (n, 15712), float32
        At 16 kHz.

    Returns
    -------
    ndarray of shape (n, 1, 96, 64), float32
    """
    frames = np.lib.stride_tricks.sliding_window_view(windows, 512, axis=1)[:, ::160]
    spectrum = np.abs(scipy.fft.rfft(frames * _yamnet_window(), axis=2))
    return np.log(spectrum @ _yamnet_filters() + 0.001)[:, None].astype(np.float32)


FRONT_ENDS = {"samples": None, "yamnet": yamnet_patches}
