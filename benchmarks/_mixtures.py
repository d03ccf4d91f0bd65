"""Hours of unlabelled sound, mixed out of the little that is here."""

from pathlib import Path

import numpy as np
import soundfile
import soxr
from _common import data_folder
from joblib import Parallel, delayed
from scipy.signal import fftconvolve, firwin2
from tqdm import tqdm

from skbird.audio import read_audio
from skbird.datasets._synthetic_calls import (
    room_response,
    synthesize_call,
    synthesize_noise,
)
from skbird.datasets._synthetic_species import Pattern

RATE = 32_000
CLIP_S = 5.0
CLIPS_PER_FILE = 12
NOISES = "hiss", "traffic", "wind", "rain", "stream", "insects"


def make_mixtures(folder, hours, random_state=0):
    """Write minutes of sound without labels, and return their paths.

    Every 5 s are something else: a clip of ESC-10, a stretch of a Doñana recording, or
    made-up calls in made-up noise; half of them with a second, quieter one. Real sound
    is played up to 1.5 times faster or slower; all has a random equaliser and level.
    What is there already is not made again.

    Parameters
    ----------
    folder : path
    hours : float
    random_state : int, default=0

    Returns
    -------
    list of str
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    n_files = round(hours * 3600 / CLIP_S / CLIPS_PER_FILE)
    paths = [folder / f"{number:05d}.flac" for number in range(n_files)]
    missing = [number for number in range(n_files) if not paths[number].exists()]
    if missing:
        sources = [
            _read_all("esc10", "*.ogg"),
            _read_all("donana_soundscapes", "*.WAV"),
        ]
        Parallel(-1)(
            delayed(_write)(paths[number], sources, [random_state, number])
            for number in tqdm(missing, "mixtures", unit="file")
        )
    return [str(path) for path in paths]


def _read_all(name, pattern):
    return [_read(path) for path in sorted(data_folder(name).rglob(pattern))]


def _read(path):
    samples, rate = read_audio(str(path))
    return soxr.resample(samples, rate, RATE)


def _write(path, sources, seed):
    rng = np.random.default_rng(seed)
    clips = [_mixture(sources, rng) for _ in range(CLIPS_PER_FILE)]
    part = path.with_suffix(".part.flac")  # a kill leaves no half file
    soundfile.write(part, np.clip(np.concatenate(clips), -1, 1), RATE)
    part.rename(path)


def _mixture(sources, rng):
    """Return 5 s of one or two things, equalised."""
    clip = _thing(sources, rng)
    if rng.random() < 0.5:
        clip = clip + _thing(sources, rng) * 10 ** (rng.uniform(-15, 0) / 20)
    edges = np.r_[0, np.sort(rng.uniform(0.02, 0.9, 4)), 1]
    gains = 10 ** (rng.uniform(-12, 6, 6) / 20)
    equalizer = firwin2(257, edges, gains).astype(np.float32)
    clip = fftconvolve(clip, equalizer, mode="same")
    return _unit_rms(clip) * 10 ** (rng.uniform(-35, -14) / 20)


def _thing(sources, rng):
    n = round(CLIP_S * RATE)
    kind = rng.integers(len(sources) + 1)
    if kind == len(sources):
        noise = synthesize_noise(rng.choice(NOISES), n, RATE, rng)
        return _unit_rms(_calls(n, rng)) + noise * 10 ** (rng.uniform(-20, 0) / 20)
    source = sources[kind][rng.integers(len(sources[kind]))]
    speed = 2 ** rng.uniform(-0.6, 0.6)
    needed = int(n * speed) + 2
    if len(source) > needed:
        first = rng.integers(len(source) - needed)
        source = source[first : first + needed]
    source = soxr.resample(source, RATE * speed, RATE)[:n]
    before = rng.integers(n - len(source) + 1)
    return _unit_rms(np.pad(source, (before, n - len(source) - before)))


def _calls(n, rng):
    """Return calls of one or two made-up animals, with their echo."""
    sound = np.zeros(n, np.float32)
    for _ in range(rng.integers(1, 3)):
        call = synthesize_call(_draw_pattern(rng), RATE)
        echo_s, direct_db = rng.uniform(0.1, 0.8), rng.uniform(-3, 12)
        room = room_response(RATE, rng, rt60_s=echo_s, direct_db=direct_db)
        call = fftconvolve(call, room)
        start = rng.integers(n)
        while start < n:
            heard = call[: n - start]
            sound[start : start + len(heard)] += heard * rng.uniform(0.3, 1)
            start += int(len(call) * rng.uniform(1, 4))
    return sound


def _draw_pattern(rng):
    center_hz = np.exp(rng.uniform(np.log(900), np.log(7500)))
    sweeps_hz = center_hz * 2 ** rng.uniform(-0.5, 0.5, (rng.integers(1, 5), 2))
    note_s = float(np.exp(rng.uniform(np.log(0.02), np.log(0.5))))
    period_s = note_s * rng.uniform(1.05, 4)
    return Pattern(
        tuple(map(tuple, sweeps_hz)),
        note_s=note_s,
        period_s=period_s,
        n_notes=max(1, min(int(rng.integers(1, 20)), int(4 / period_s))),
        harmonics=tuple(rng.random(rng.integers(1, 6)) ** 2 + 1e-3),
        buzz_hz=float(rng.uniform(20, 120)) if rng.random() < 1 / 3 else 0.0,
    )


def _unit_rms(samples):
    level = max(np.sqrt(np.mean(samples**2)), 1e-5)
    return np.asarray(samples / level, np.float32)
