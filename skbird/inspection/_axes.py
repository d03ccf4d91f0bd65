"""Spectrograms on axes of matplotlib: seconds, and kHz on the mel scale."""

import numpy as np

# Octaves: evenly spaced where the mel scale is logarithmic.
_TICKS_HZ = 125 * 2.0 ** np.arange(10)
_RANGE_DB = 80.0


def to_bands(hz, mel_hz):
    """Return where frequencies lie among mel bands, counted from the lowest centre."""
    return np.interp(hz, mel_hz, np.arange(len(mel_hz)))


def band_edges(mel_hz):
    """Return the n_mels + 1 frequencies half-way between the centres of mel bands."""
    mel_hz = np.asarray(mel_hz, dtype=float)
    if len(mel_hz) == 1:
        return np.array([0.0, np.inf])
    inner = (mel_hz[1:] + mel_hz[:-1]) / 2
    return np.r_[2 * mel_hz[0] - inner[0], inner, 2 * mel_hz[-1] - inner[-1]]


def draw_spectrogram(axis, decibel, mel_hz, frame_s, start_s=0.0, *, cmap="magma"):
    """Draw a spectrogram.

    The ordinate counts mel bands, so that each is as high as the others; its ticks are
    at round kHz.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
    decibel : ndarray of shape (n_mels, n_frames)
    mel_hz : sequence of shape (n_mels,)
        Centres of the bands in Hz.
    frame_s, start_s : float
        Seconds from frame to frame, and of the first one.
    cmap : str

    Returns
    -------
    matplotlib.image.AxesImage
    """
    decibel = np.asarray(decibel, dtype=np.float32)
    # Bands above what the recording had before resampling are no noise, but empty.
    heard = decibel[decibel >= decibel.max() - _RANGE_DB]
    image = axis.imshow(
        decibel,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=spectrogram_extent(decibel.shape, frame_s, start_s),
        cmap=cmap,
        # What is quieter than most of the noise tells nothing.
        vmin=np.quantile(heard, 0.05),
    )
    label_frequencies(axis, mel_hz)
    return image


def spectrogram_extent(shape, frame_s, start_s=0.0):
    """Return (left, right, bottom, top) in seconds and bands of an image."""
    n_mels, n_frames = shape
    left = start_s - frame_s / 2
    return left, left + n_frames * frame_s, -0.5, n_mels - 0.5


def label_frequencies(axis, mel_hz):
    """Put ticks at round kHz on an ordinate that counts mel bands."""
    n_mels = len(mel_hz)
    axis.set_ylim(-0.5, n_mels - 0.5)
    if np.array_equal(mel_hz, np.arange(n_mels)):  # features of one's own
        axis.set_ylabel("band")
        return
    ticks_hz = _TICKS_HZ[(_TICKS_HZ >= mel_hz[0]) & (_TICKS_HZ <= mel_hz[-1])]
    ticks = to_bands(ticks_hz, mel_hz)
    wide = np.flatnonzero(np.diff(ticks, append=np.inf) > n_mels / 14)
    labels = [f"{hz / 1000:g}" for hz in ticks_hz[wide]]
    axis.set_yticks(ticks[wide], labels)
    axis.set_ylabel("frequency (kHz)")
