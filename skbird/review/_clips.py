"""Clips to hear and to see: sound as WAV, its spectrogram as PNG."""

import io
import struct
import zlib
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import numpy as np
import scipy.fft
import soundfile

from skbird.audio import AudioFile, no_samples, stretch_frames
from skbird.preprocessing import resample

_LONGEST_S = 60.0  # of a detection; of longer ones this much is heard
_LOWEST_RATE, _HIGHEST_RATE = 8000, 48_000  # that every browser plays
_PEAK = 0.7  # clips are played equally loud, whatever the recorder's gain
_N_FFT, _WIDTH, _HEIGHT = 1024, 1200, 360
_FEWEST_BANDS = 40  # between 0 Hz and the top of a picture
_RANGE_DB = 60
_KEPT = 24
# Of matplotlib's "magma", from which 256 colours are made.
_MAGMA = """000004 07051b 140e36 251255 3b0f70 51127c 641a80 782281 8c2981 a1307e b73779
cb3e71 de4968 ed5a5f f7705c fc8961 fe9f6d feb77e fecf92 fde7a9 fcfdbf"""


@dataclass(frozen=True)
class Clip:
    """A stretch of a recording, to be heard and seen.

    Attributes
    ----------
    start_s, end_s : float
        Where it lies in the recording.
    top_hz : float
        The highest frequency of the picture, which begins at 0.
    is_cut : bool
        Whether the detection goes on after the end.
    sound, picture : bytes
        WAV and PNG.
    """

    start_s: float
    end_s: float
    top_hz: float
    is_cut: bool
    sound: bytes
    picture: bytes


def make_clip(path, start_s, end_s, around_s, top_hz=None):
    """Cut a clip out of a recording.

    Parameters
    ----------
    path : str
    start_s, end_s : float
        The detection; None as its end is that of the recording.
    around_s : float
        How much is heard before it and after it.
    top_hz : float, default=None
        The highest frequency of the picture. By default half the sample rate, which it
        does not exceed.

    Returns
    -------
    Clip

    Raises
    ------
    AudioReadError
        If it cannot be read.
    """
    with AudioFile(path) as audio:
        rate = audio.header.sample_rate
        _, last = stretch_frames(audio.header, start_s, end_s)
        longest = round((start_s + _LONGEST_S) * rate)
        is_cut, last = last > longest, min(last, longest)
        first = max(round((start_s - around_s) * rate), 0)
        samples = audio.read(first, last + round(around_s * rate))
    if len(samples) == 0:
        raise no_samples(path, start_s)
    samples = samples - samples.mean()
    top_hz = rate / 2 if top_hz is None else min(top_hz, rate / 2)
    return Clip(
        start_s=first / rate,
        end_s=(first + len(samples)) / rate,
        top_hz=top_hz,
        is_cut=is_cut,
        sound=_as_wav(samples, rate),
        picture=_as_picture(samples, rate, top_hz),
    )


class ClipMaker:
    """Make clips in a thread, and keep the last ones.

    Attributes
    ----------
    wait_for, begin : callable
        Both take what `make_clip` takes. The one returns the clip, the other has it
        made, so that it is there when it is wanted.
    """

    def __init__(self):
        self._threads = ThreadPoolExecutor(2, "skbird-clips")
        self._clips, self._lock = OrderedDict(), Lock()

    def begin(self, *clip):
        """Have a clip made."""
        with self._lock:
            made = self._clips.get(clip)
            if made is None or _has_failed(made):
                self._clips[clip] = self._threads.submit(make_clip, *clip)
            future = self._clips[clip]
            self._clips.move_to_end(clip)
            # What is not made yet may be waited for.
            made = [clip for clip, future in self._clips.items() if future.done()]
            for old in made[: max(len(self._clips) - _KEPT, 0)]:
                del self._clips[old]
            return future

    def wait_for(self, *clip):
        """Return a clip."""
        return self.begin(*clip).result()

    def close(self):
        """Make no more clips."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _has_failed(made):
    return made.done() and (made.cancelled() or made.exception() is not None)


def _as_wav(samples, rate):
    played = min(max(rate, _LOWEST_RATE), _HIGHEST_RATE)
    if played != rate:
        samples, rate = resample(samples, rate, played), played
    samples = samples * np.float32(_PEAK / max(np.abs(samples).max(), 1e-6))
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _as_picture(samples, rate, top_hz):
    """Draw the power of each frequency, 0 Hz below, in colours of equal steps in dB."""
    n_fft = _N_FFT
    while top_hz / rate * n_fft < _FEWEST_BANDS:  # what bats are recorded with
        n_fft *= 2
    samples = np.pad(samples, n_fft // 2)
    n_columns = min(_WIDTH, max(len(samples) - n_fft, 1))
    # A column shows the loudest of its frames. They overlap by half at least, as a
    # window is 0 at its ends.
    n_each = -(-2 * len(samples) // (n_columns * n_fft))
    begins = np.linspace(0, len(samples) - n_fft, n_columns * n_each).astype(np.int64)
    frames = np.lib.stride_tricks.sliding_window_view(samples, n_fft)[begins]
    window = np.hanning(n_fft).astype(np.float32)
    bands = (np.linspace(top_hz, 0, _HEIGHT) / rate * n_fft).round().astype(np.int64)
    spectrum = scipy.fft.rfft(frames * window, axis=1)[:, : bands[0] + 1]
    power = spectrum.real**2 + spectrum.imag**2
    power = power.reshape(n_columns, n_each, -1).max(axis=1)
    decibel = 10 * np.log10(power.T + 1e-12)
    # From the noise floor up; a band of 60 dB shows faint calls behind loud ones.
    low = max(np.median(decibel), decibel.max() - _RANGE_DB)
    level = np.clip((decibel - low) / max(decibel.max() - low, 1e-3), 0, 1)
    return _as_png((level[bands] * 255).astype(np.uint8))


def _as_png(pixels):
    """Return pixels, numbers of colours, as PNG with a palette.

    Parameters
    ----------
    pixels : ndarray of shape (height, width), uint8
    """
    height, width = pixels.shape
    lines = np.zeros((height, width + 1), np.uint8)  # each begins with its filter: none
    lines[:, 1:] = pixels
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = {
        b"IHDR": header,
        b"PLTE": _palette(),
        b"IDAT": zlib.compress(lines.tobytes(), 1),
        b"IEND": b"",
    }
    chunks = (
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@lru_cache(maxsize=1)
def _palette():
    known = np.array([list(bytes.fromhex(colour)) for colour in _MAGMA.split()])
    place = np.linspace(0, len(known) - 1, 256)
    colours = [np.interp(place, range(len(known)), tone) for tone in known.T]
    return np.column_stack(colours).round().astype(np.uint8).tobytes()
