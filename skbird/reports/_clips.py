"""Cut clips out of recordings: sound that every browser plays, and a spectrogram."""

import io
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import soundfile
from joblib import Parallel, delayed

from skbird.audio import AudioFile, AudioReadError, no_samples, stretch_frames
from skbird.preprocessing import log_mel, mean_square, mel_filters, resample
from skbird.reports._page_parts import Content, SoundClip
from skbird.utils._progress import progress_bar

RATE = 32_000
_SEARCHED_S = 60.0  # of a long row, for its loudest stretch
_N_FFT, _HOP, _N_MELS, _LOW_HZ = 1024, 400, 128, 50
_RANGE_DB = 60
_PEAK = 0.7  # clips are played equally loud, whatever the recorder's gain

# The first that the installed libsndfile writes. MP3 is what every browser plays;
# before libsndfile 1.1 there is none.
_CODECS = (
    ("MP3", "MPEG_LAYER_III", "audio/mpeg"),
    ("OGG", "OPUS", "audio/ogg"),
    ("OGG", "VORBIS", "audio/ogg"),
    ("WAV", "PCM_16", "audio/wav"),
)


@dataclass(frozen=True)
class Cut:
    """A stretch of a recording that is to become a clip."""

    path: str
    start_s: float = 0.0
    end_s: float | None = None
    about: dict = field(default_factory=dict)  # fields of `SoundClip`
    explain: object = None  # makes the second picture
    channels: str | int = "mean"


def make_clips(cuts, clip_s, *, n_jobs=-1, verbose=0):
    """Read, cut and encode clips, in threads.

    A recording that cannot be read becomes a clip without sound that says why.

    Parameters
    ----------
    cuts : list of Cut
    clip_s : float
        Longest clip in seconds; of longer rows the loudest stretch is taken.
    n_jobs : int
    verbose : int

    Returns
    -------
    list of SoundClip
        In the order of `cuts`.
    """
    clips = Parallel(n_jobs, prefer="threads", return_as="generator")(
        delayed(_make_clip)(number, cut, clip_s) for number, cut in enumerate(cuts)
    )
    options = {"desc": "clips", "unit": "clip", "delay": 1, "verbose": verbose}
    clips = list(progress_bar(clips, total=len(cuts), **options))
    # Not in the threads: what explains is the caller's, often matplotlib and a network.
    return [
        clip if cut.explain is None or not clip.audio else _explained(clip, cut)
        for clip, cut in zip(clips, cuts, strict=True)
    ]


def _make_clip(number, cut, clip_s):
    name = str(cut.path).replace("\\", "/").rpartition("/")[2]
    try:
        samples, start_s, end_s = read_loudest(cut, clip_s)
    except AudioReadError as exc:
        return SoundClip(number, where=name, error=str(exc), **cut.about)
    return SoundClip(
        number,
        where=f"{name}, {start_s:.1f} to {end_s:.1f} s",
        start_s=start_s,
        end_s=end_s,
        top_hz=RATE / 2,
        audio=encode_audio(samples),
        image=spectrogram_image(samples),
        **cut.about,
    )


def read_loudest(cut, clip_s):
    """Read the loudest stretch of a row, at 32 kHz and a fixed peak.

    Parameters
    ----------
    cut : Cut
    clip_s : float

    Returns
    -------
    samples : ndarray of float32
    start_s, end_s : float
        Where it lies in the recording.
    """
    with AudioFile(cut.path, cut.channels) as audio:
        start, stop = stretch_frames(audio.header, cut.start_s, cut.end_s)
        rate = audio.header.sample_rate
        samples = audio.read(start, min(stop, start + round(_SEARCHED_S * rate)))
    if len(samples) == 0:
        raise no_samples(cut.path, cut.start_s)
    length = round(clip_s * rate)
    first = _loudest(samples, rate, length) if len(samples) > length else 0
    samples = samples[first : first + length]
    start_s = (start + first) / rate
    end_s = start_s + len(samples) / rate
    samples = resample(samples - samples.mean(), rate, RATE)
    peak = np.abs(samples).max()
    return samples * np.float32(_PEAK / max(peak, 1e-6)), start_s, end_s


def _loudest(samples, rate, length):
    """First frame of the loudest stretch, to a tenth of a second."""
    power = mean_square(samples, rate, 10)
    n_values = max(int(length / rate * 10), 1)
    total = np.convolve(power, np.ones(n_values), "valid")
    return min(round(int(total.argmax()) * rate / 10), len(samples) - length)


def encode_audio(samples):
    """Return samples at 32 kHz as a small file that browsers play.

    Parameters
    ----------
    samples : ndarray of float32, at 32 kHz

    Returns
    -------
    Content
    """
    format, subtype, mime = _codec()
    rate = RATE
    options = {}
    if subtype == "MPEG_LAYER_III" and _takes_quality():
        options = {"compression_level": 0.7, "bitrate_mode": "VARIABLE"}  # 40 kbit/s
    if subtype == "OPUS":
        rate = 24_000  # of the rates that Opus knows
        samples = resample(samples, RATE, rate)
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=format, subtype=subtype, **options)
    return Content(buffer.getvalue(), mime)


@lru_cache(maxsize=1)
def _codec():
    for codec in _CODECS:
        if soundfile.check_format(*codec[:2]):
            return codec
    raise AssertionError("libsndfile writes WAV")


def _takes_quality():
    return "compression_level" in soundfile.write.__code__.co_varnames


def spectrogram_image(samples):
    """Draw the log-mel spectrogram of a clip as a small picture, low bands below.

    Parameters
    ----------
    samples : ndarray of float32, at 32 kHz

    Returns
    -------
    Content
        128 pixels high, 80 per second wide, of any length at least 1.
    """
    filters = mel_filters(RATE, _N_FFT, _N_MELS, _LOW_HZ, RATE / 2, False)
    frames = range(1 + len(samples) // _HOP)
    decibel = log_mel(samples, filters, _N_FFT, _HOP, frames).T[::-1]
    # From the noise floor up; a band of 60 dB shows faint calls behind loud ones.
    low = max(np.quantile(decibel, 0.1), decibel.max() - _RANGE_DB)
    level = np.clip((decibel - low) / max(decibel.max() - low, 1e-3), 0, 1)
    return encode_image(_colours()[(level * 255).astype(np.uint8)])


@lru_cache(maxsize=1)
def _colours():
    import matplotlib

    return (matplotlib.colormaps["magma"](np.arange(256))[:, :3] * 255).astype(np.uint8)


def encode_image(pixels):
    """Return pixels (height, width, 3 or 4), uint8, as a small picture."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="WEBP", quality=60)
    return Content(buffer.getvalue(), "image/webp")


def _explained(clip, cut):
    return replace(clip, extra=as_content(cut.explain()))


def as_content(picture):
    """Return what a caller drew as a picture.

    Parameters
    ----------
    picture : matplotlib Figure, ndarray of shape (height, width[, 3 or 4]), or None
        Arrays of uint8, or of floats in [0, 1].

    Returns
    -------
    Content or None
    """
    if picture is None:
        return None
    if hasattr(picture, "savefig"):
        buffer = io.BytesIO()
        picture.savefig(buffer, format="png", dpi=80)
        if hasattr(picture.canvas, "manager") and picture.canvas.manager is not None:
            import matplotlib.pyplot as plt

            plt.close(picture)  # pyplot would keep hundreds of them
        return Content(buffer.getvalue(), "image/png")
    pixels = np.asarray(picture)
    is_image = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if not is_image or pixels.dtype.kind not in "uif" or pixels.size == 0:
        raise TypeError(
            f"explain returned {type(picture).__name__} of shape {pixels.shape}; a "
            "Figure of matplotlib is needed, an array (height, width, 3), or None."
        )
    if pixels.dtype.kind == "f":
        pixels = np.clip(np.nan_to_num(pixels), 0, 1) * 255
    pixels = pixels.astype(np.uint8)
    return encode_image(_colours()[pixels] if pixels.ndim == 2 else pixels)
