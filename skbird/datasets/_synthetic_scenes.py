"""Synthetic recordings and soundscapes: who calls when, where, through what microphone.

The collections differ as real ones do, so that a model that learns how a source sounds
instead of how a species sounds is found out on the next source.
"""

from dataclasses import dataclass

import numpy as np
from scipy import signal

from skbird.datasets._synthetic_calls import (
    room_response,
    shape_spectrum,
    synthesize_call,
    synthesize_noise,
    synthesize_voice,
)
from skbird.datasets._synthetic_species import SPECIES

SOUNDSCAPE_RATE = 32_000
ROW_S = 5.0
# A species counts as present in a row if it calls there for this long.
_MIN_PRESENCE_S = 0.3
_N_AUTHORS = 6
_SOUNDSCAPE_SNR_DB = (-4, 13)


@dataclass(frozen=True)
class Collection:
    """The sound of the recordings of one source.

    Attributes
    ----------
    name : str
        Also the prefix of its file names.
    share : float
        Share of all recordings.
    sample_rates : tuple of int
        In Hz, equally often.
    snr_db, level_dbfs : (low, high)
        Call over noise while notes sound, and RMS of the whole recording.
    noises : tuple of str
        Kinds of :func:`synthesize_noise`.
    band_hz : (low, high)
        What the microphones pass.
    tilt_db : float
        Their spectral tilt per octave.
    voice_share : float
        Share of recordings that begin with the recordist speaking.
    clip_db : float
        Peaks are cut this far above the RMS.
    """

    name: str
    share: float
    sample_rates: tuple[int, ...]
    snr_db: tuple[float, float]
    level_dbfs: tuple[float, float]
    noises: tuple[str, ...]
    band_hz: tuple[float, float]
    tilt_db: float
    voice_share: float
    clip_db: float


COLLECTIONS = (
    # Good microphones and quiet places.
    Collection(
        name="XC",
        share=0.5,
        sample_rates=(44_100, 32_000),
        snr_db=(-2, 18),
        level_dbfs=(-26, -14),
        noises=("wind", "stream", "hiss"),
        band_hz=(60, 15_000),
        tilt_db=0.0,
        voice_share=0.05,
        clip_db=30.0,
    ),
    # Phones: narrow band, dull, overdriven, near roads.
    Collection(
        name="iNat",
        share=0.3,
        sample_rates=(22_050,),
        snr_db=(-6, 10),
        level_dbfs=(-18, -8),
        noises=("traffic", "hiss", "wind"),
        band_hz=(250, 8_500),
        tilt_db=-3.0,
        voice_share=0.1,
        clip_db=6.0,
    ),
    # A sound archive: the recordist speaks, old bright tapes, distant insects.
    Collection(
        name="CSA",
        share=0.2,
        sample_rates=(32_000,),
        snr_db=(-4, 12),
        level_dbfs=(-34, -22),
        noises=("insects", "hiss", "rain"),
        band_hz=(150, 12_000),
        tilt_db=3.0,
        voice_share=0.85,
        clip_db=30.0,
    ),
)
# Of each site the noise and the reverberation time in seconds.
SITES = {
    "S01": ("stream", 0.4),
    "S02": ("insects", 0.6),
    "S03": ("rain", 0.5),
    "S04": ("wind", 0.3),
}


@dataclass(frozen=True)
class _Individual:
    """One animal: its species and what makes its voice its own."""

    species: int
    kind: str
    pitch: float
    tempo: float

    @classmethod
    def draw(cls, species, rng):
        second = SPECIES[species].call is not None and rng.random() < 0.25
        pitch, tempo = np.exp(rng.normal(0, [0.06, 0.08]))
        return cls(species, "call" if second else "song", float(pitch), float(tempo))

    @property
    def pattern(self):
        return getattr(SPECIES[self.species], self.kind)

    @property
    def band_hz(self):
        low_hz, high_hz = self.pattern.band_hz
        return low_hz * self.pitch, high_hz * self.pitch

    def utter(self, sample_rate):
        return synthesize_call(
            self.pattern, sample_rate, pitch=self.pitch, tempo=self.tempo
        )


def draw_author(source, seed, rng):
    """Draw one of a collection's recordists, each with microphone habits.

    Parameters
    ----------
    source : int
        Index in :data:`COLLECTIONS`.
    seed : sequence of int
        Seed of the habits, the same for all recordings of a data set.
    rng : numpy.random.Generator
        Draws who it is.

    Returns
    -------
    name : str
        Name of the recordist.
    microphone : dict
        Arguments of :func:`shape_spectrum`.
    """
    collection, number = COLLECTIONS[source], int(rng.integers(_N_AUTHORS))
    habits = np.random.default_rng([*seed, source, number])
    low_hz, high_hz = collection.band_hz
    return f"{collection.name} recordist {number + 1}", {
        "low_hz": low_hz * habits.uniform(0.7, 1.5),
        "high_hz": high_hz * habits.uniform(0.85, 1.1),
        "tilt_db": collection.tilt_db + habits.normal(0, 1),
    }


def synthesize_recording(species, source, n_species, microphone, rng, background):
    """Synthesise a focal recording.

    Parameters
    ----------
    species, source : int
        Indices in :data:`SPECIES` and :data:`COLLECTIONS`.
    n_species : int
        Species of the data set, among which others may be heard behind.
    microphone : dict
        Arguments of :func:`shape_spectrum`.
    rng : numpy.random.Generator
        Draws everything else.
    background : sequence of float
        Probabilities that 0, 1, 2, ... other species are heard.

    Returns
    -------
    audio : np.ndarray of shape (n_samples,), float32
        In [-1, 1], 4 to 25 s long.
    sample_rate : int
        In Hz.
    facts : dict
        ``type`` (call type), ``heard`` (indices of the secondary species that the
        recordist lists, most of them) and ``rating`` in 1 to 5, 0 without one.
    """
    collection = COLLECTIONS[source]
    sample_rate = int(rng.choice(collection.sample_rates))
    snr_db = rng.uniform(*collection.snr_db)
    voice_s = rng.uniform(1.5, 3) if rng.random() < collection.voice_share else 0.0
    n = int((4 + min(rng.exponential(4.5), 18) + voice_s) * sample_rate)

    audio = synthesize_noise(rng.choice(collection.noises), n, sample_rate, rng)
    singer = _Individual.draw(species, rng)
    audio += _sing(singer, n, sample_rate, rng, voice_s) * _gain(snr_db)
    behind = _draw_secondary(species, n_species, background, rng)
    for other in behind:
        behind_db = min(snr_db, 4) - rng.uniform(2, 9)
        background = _Individual.draw(other, rng)
        audio += _sing(background, n, sample_rate, rng, voice_s) * _gain(behind_db)
    if voice_s:
        spoken = synthesize_voice(voice_s - 0.3, sample_rate, rng)
        audio[: len(spoken)] += spoken * _gain(rng.uniform(6, 12))
    audio = shape_spectrum(audio, sample_rate, **microphone)
    facts = {
        "type": singer.kind,
        "heard": [int(other) for other in behind if rng.random() < 0.85],
        "rating": _rating(collection, snr_db),
    }
    return _record(audio, collection, rng), sample_rate, facts


def _draw_secondary(species, n_species, background, rng):
    others = np.delete(np.arange(n_species), species)
    n_others = rng.choice(len(background), p=background)
    n_others = min(int(n_others), len(others))
    return rng.choice(others, size=n_others, replace=False)


def _sing(individual, n, sample_rate, rng, start_s):
    """Place calls with pauses between them from start_s to the end, at least one."""
    call = individual.utter(sample_rate)
    track = np.zeros(n, dtype=np.float32)
    onset = int((start_s + rng.uniform(0, 1.5)) * sample_rate)
    onset = min(onset, max(n - len(call), 0))
    while onset < n:
        end = min(onset + len(call), n)
        track[onset:end] += call[: end - onset]
        onset = end + int((0.3 + rng.exponential(0.8)) * sample_rate)
    return track


def _record(audio, collection, rng):
    audio = _at_level(audio, rng.uniform(*collection.level_dbfs))
    ceiling = min(0.99, np.sqrt(np.mean(audio**2)) * _gain(collection.clip_db))
    return np.clip(audio, -ceiling, ceiling)


def _rating(collection, snr_db):
    # As in BirdCLEF 2025, only xeno-canto rates its recordings; 0 is "no rating".
    if collection.name != "XC":
        return 0.0
    low, high = collection.snr_db
    return round(2 * (1 + 4 * (snr_db - low) / (high - low))) / 2


def synthesize_soundscape(cast, site, duration_s, rng):
    """Synthesise a field recording in which several species come and go.

    Parameters
    ----------
    cast : sequence of int
        Indices in :data:`SPECIES` of who is there.
    site : str
        Key of :data:`SITES`.
    duration_s : float > 0
        In seconds.
    rng : numpy.random.Generator
        Draws everything else.

    Returns
    -------
    audio : np.ndarray of shape (n_samples,), float32
        In [-1, 1], at :data:`SOUNDSCAPE_RATE`.
    present : np.ndarray of shape (n_rows, len(cast)), bool
        Who calls in which 5 s.
    calls : list of (species, start_s, end_s, low_hz, high_hz)
        The extent of each call, without its echo.
    """
    noise, rt60_s = SITES[site]
    n = int(duration_s * SOUNDSCAPE_RATE)
    audio = synthesize_noise(noise, n, SOUNDSCAPE_RATE, rng)
    starts_s = np.arange(0, duration_s, ROW_S)
    present = np.zeros((len(starts_s), len(cast)), dtype=bool)
    calls = []
    for column, species in enumerate(cast):
        animal = _Individual.draw(species, rng)
        call, call_s = _distant_call(animal, rt60_s, rng)
        for onset in _bouts(n, call_s, rng):
            audio[onset : onset + len(call)] += call[: n - onset]
            first_s = onset / SOUNDSCAPE_RATE
            overlap_s = np.minimum(starts_s + ROW_S, first_s + call_s)
            overlap_s -= np.maximum(starts_s, first_s)
            present[:, column] |= overlap_s >= _MIN_PRESENCE_S
            end_s = min(first_s + call_s, duration_s)
            calls.append((species, first_s, end_s, *animal.band_hz))
    audio = np.clip(_at_level(audio, rng.uniform(-30, -24)), -0.99, 0.99)
    return audio, present, calls


def _distant_call(animal, rt60_s, rng):
    """Return a call as it arrives, and its length in seconds without the echo."""
    dry = animal.utter(SOUNDSCAPE_RATE)
    snr_db = rng.uniform(*_SOUNDSCAPE_SNR_DB)
    # A faint animal is a distant one: more echo, less treble.
    nearness = np.interp(snr_db, _SOUNDSCAPE_SNR_DB, (0, 1))
    room = room_response(SOUNDSCAPE_RATE, rng, rt60_s=rt60_s, direct_db=12 * nearness)
    call = signal.oaconvolve(dry, room)
    call = shape_spectrum(call, SOUNDSCAPE_RATE, tilt_db=-2 + 2 * nearness)
    return call * _gain(snr_db), len(dry) / SOUNDSCAPE_RATE


def _bouts(n, call_s, rng):
    """Draw onsets of one animal's calls, a few bouts of a few calls."""
    for _ in range(int(rng.integers(2, 5))):
        onset = int(rng.uniform(0, 0.97) * n)
        for _ in range(int(rng.integers(1, 4))):
            if onset < n:
                yield onset
            onset += int((call_s + 0.4 + rng.exponential(1)) * SOUNDSCAPE_RATE)


def _at_level(audio, dbfs):
    return audio * np.float32(_gain(dbfs) / np.sqrt(np.mean(audio**2)))


def _gain(db):
    return float(10 ** (db / 20))
