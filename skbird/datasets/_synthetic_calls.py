"""Synthetic wildlife: calls, voices, noises and rooms as pure functions of a seed."""

import numpy as np
from scipy import fft, signal

# First three formants in Hz of the vowels in "beat", "bet", "bott", "bought", "boot".
_VOWELS_HZ = np.array(
    [
        [270, 2290, 3010],
        [530, 1840, 2480],
        [730, 1090, 2440],
        [570, 840, 2410],
        [300, 870, 2240],
    ]
)
_FORMANT_WIDTHS_HZ = (80, 110, 160)


def synthesize_call(pattern, sample_rate, *, pitch=1.0, tempo=1.0):
    """Synthesise one call.

    Parameters
    ----------
    pattern : Pattern
        What to utter.
    sample_rate : int > 0
        In Hz. Harmonics above half of it are left out.
    pitch, tempo : float > 0, default=1.0
        Factors of all frequencies and of the speed: the individual's voice.

    Returns
    -------
    np.ndarray of shape (n_samples,), float32
        RMS 1 over the time in which notes sound.

    Examples
    --------
    >>> from skbird.datasets._synthetic_species import Pattern
    >>> whistle = Pattern(((2000, 3000),), note_s=0.1, period_s=0.2, n_notes=3)
    >>> synthesize_call(whistle, 16_000).shape
    (8000,)
    """
    n_note = max(int(pattern.note_s / tempo * sample_rate), 2)
    notes = [
        _note(sweep, pattern, n_note, sample_rate, pitch)
        for sweep in pattern.sweeps_hz[: pattern.n_notes]
    ]
    onsets = np.arange(pattern.n_notes) * pattern.period_s / tempo * sample_rate
    call = np.zeros(int(onsets[-1]) + n_note, dtype=np.float32)
    for number, onset in enumerate(onsets.astype(int)):
        call[onset : onset + n_note] += notes[number % len(notes)]
    return call


def _note(sweep_hz, pattern, n, sample_rate, pitch):
    hz = np.linspace(*sweep_hz, n) * pitch
    phase = 2 * np.pi * np.cumsum(hz) / sample_rate
    note = np.zeros(n)
    for number, amplitude in enumerate(pattern.harmonics, start=1):
        if number * hz.max() < 0.48 * sample_rate:
            note += amplitude * np.sin(number * phase)
    if pattern.buzz_hz:
        note *= 1 - np.cos(2 * np.pi * pattern.buzz_hz * np.arange(n) / sample_rate)
    note *= signal.windows.tukey(n, 0.4)
    return (note / max(_rms(note), 1e-9)).astype(np.float32)


def synthesize_voice(duration_s, sample_rate, rng):
    """Synthesise something like speech: pulses through formants, in syllables.

    Parameters
    ----------
    duration_s : float > 0
        In seconds.
    sample_rate : int > 0
        In Hz.
    rng : numpy.random.Generator
        Draws the speaker and the syllables.

    Returns
    -------
    np.ndarray of shape (n_samples,), float32
        RMS 1.
    """
    n = int(duration_s * sample_rate)
    voice = np.zeros(n)
    f0_hz, tract = rng.uniform(100, 200), rng.uniform(0.92, 1.15)
    position = 0
    while position < n:
        syllable = _syllable(f0_hz, tract, sample_rate, rng)[: n - position]
        voice[position : position + len(syllable)] += syllable
        pause_s = rng.uniform(0.2, 0.4) if rng.random() < 0.15 else 0.02
        position += len(syllable) + int(pause_s * sample_rate)
    return _unit_rms(voice)


def _syllable(f0_hz, tract, sample_rate, rng):
    """Make a syllable: at times a consonant's hiss, then a vowel gliding to another."""
    n = int(rng.uniform(0.12, 0.26) * sample_rate)
    contour = f0_hz * np.linspace(*rng.uniform(0.85, 1.2, 2), n)
    phase = np.cumsum(contour) / sample_rate
    source = np.diff(np.floor(phase), prepend=0.0) + 0.02 * rng.standard_normal(n)
    source = signal.lfilter([1], [1, -0.95], source)
    first, last = _VOWELS_HZ[rng.integers(len(_VOWELS_HZ), size=2)] * tract
    glide = np.linspace(0, 1, n)
    vowel = (1 - glide) * _formants(source, first, sample_rate)
    vowel += glide * _formants(source, last, sample_rate)
    vowel *= np.sin(np.pi * np.linspace(0, 1, n)) ** 0.5
    vowel /= max(_rms(vowel), 1e-9)
    if rng.random() < 0.5:
        return vowel
    hiss = rng.standard_normal(int(rng.uniform(0.04, 0.1) * sample_rate))
    hiss = shape_spectrum(hiss, sample_rate, low_hz=rng.uniform(1500, 4000))
    return np.concatenate([0.3 * _unit_rms(hiss), vowel])


def _formants(source, formants_hz, sample_rate):
    for hz, width_hz in zip(formants_hz, _FORMANT_WIDTHS_HZ, strict=True):
        radius = np.exp(-np.pi * width_hz / sample_rate)
        poles = [1, -2 * radius * np.cos(2 * np.pi * hz / sample_rate), radius**2]
        source = signal.lfilter([sum(poles)], poles, source)
    return source


def shape_spectrum(audio, sample_rate, *, low_hz=0.0, high_hz=np.inf, tilt_db=0.0):
    """Filter audio with smooth band edges and a spectral tilt, without delay.

    Parameters
    ----------
    audio : np.ndarray of shape (n_samples,)
        The samples.
    sample_rate : int > 0
        In Hz.
    low_hz, high_hz : float
        Edges (-3 dB); beyond them the gain falls by 24 dB per octave.
    tilt_db : float, default=0.0
        Gain in dB per octave, 0 dB at 1 kHz, level below 50 Hz.

    Returns
    -------
    np.ndarray of shape (n_samples,), float32
    """
    # Padding to a fast length also keeps the end from wrapping to the beginning.
    n_fft = fft.next_fast_len(len(audio) + sample_rate // 50, real=True)
    hz = np.maximum(fft.rfftfreq(n_fft, 1 / sample_rate), 1e-3).astype(np.float32)
    gain = np.maximum(hz / 1000, 0.05) ** np.float32(tilt_db / 6.02)
    if low_hz > 0:
        gain /= np.sqrt(1 + np.minimum(low_hz / hz, 1e4) ** 8)
    if np.isfinite(high_hz):
        gain /= np.sqrt(1 + (hz / np.float32(high_hz)) ** 8)
    spectrum = fft.rfft(np.asarray(audio, dtype=np.float32), n_fft)
    return fft.irfft(spectrum * gain, n_fft)[: len(audio)].astype(np.float32)


def synthesize_noise(kind, n_samples, sample_rate, rng):
    """Synthesise the sound of a place.

    Parameters
    ----------
    kind : {"hiss", "traffic", "wind", "rain", "stream", "insects"}
        ``hiss`` is flat, ``traffic`` falls by 6 dB per octave, ``wind`` comes in gusts
        below 500 Hz, ``rain`` is hiss with drops, ``stream`` fills the middle,
        ``insects`` is a chorus around 5.5 kHz over a quiet floor.
    n_samples : int > 0
        Length.
    sample_rate : int > 0
        In Hz.
    rng : numpy.random.Generator
        Draws the noise.

    Returns
    -------
    np.ndarray of shape (n_samples,), float32
        RMS 1.

    Raises
    ------
    ValueError
        If `kind` is none of those.
    """
    if kind not in _NOISES:
        raise ValueError(f"kind={kind!r} must be one of {sorted(_NOISES)}.")
    white = rng.standard_normal(n_samples, dtype=np.float32)
    return _unit_rms(_NOISES[kind](white, sample_rate, rng))


def _hiss(white, sample_rate, rng):
    return shape_spectrum(white, sample_rate, low_hz=80, tilt_db=-1)


def _traffic(white, sample_rate, rng):
    return shape_spectrum(white, sample_rate, low_hz=40, tilt_db=-6)


def _wind(white, sample_rate, rng):
    gusts = 0.2 + _slow_curve(len(white), sample_rate, rng) ** 2
    low = shape_spectrum(white, sample_rate, low_hz=30, high_hz=500, tilt_db=-4)
    return low * gusts / _rms(low) + 0.1 * white


def _rain(white, sample_rate, rng):
    floor = shape_spectrum(white, sample_rate, low_hz=300, tilt_db=-2)
    drops = np.zeros(len(white), dtype=np.float32)
    n_drops = int(40 * len(white) / sample_rate)
    drops[rng.integers(len(white), size=n_drops)] = rng.exponential(1, n_drops)
    drops = shape_spectrum(drops, sample_rate, low_hz=600, high_hz=7000)
    return _unit_rms(floor) + 0.8 * _unit_rms(drops)


def _stream(white, sample_rate, rng):
    body = shape_spectrum(white, sample_rate, low_hz=400, high_hz=3500, tilt_db=-2)
    return _unit_rms(body) + 0.05 * white


def _insects(white, sample_rate, rng):
    center_hz = rng.uniform(5000, 6000)
    chorus = shape_spectrum(
        white, sample_rate, low_hz=0.93 * center_hz, high_hz=1.07 * center_hz
    )
    swell = 0.6 + 0.4 * _slow_curve(len(white), sample_rate, rng)
    floor = shape_spectrum(white, sample_rate, low_hz=80, tilt_db=-4)
    return _unit_rms(chorus) * swell + 0.7 * _unit_rms(floor)


_NOISES = {
    "hiss": _hiss,
    "traffic": _traffic,
    "wind": _wind,
    "rain": _rain,
    "stream": _stream,
    "insects": _insects,
}


def _slow_curve(n, sample_rate, rng):
    """Random curve in [0, 1] that turns about once a second."""
    knots = rng.random(int(n / sample_rate) + 3)
    positions = np.arange(n, dtype=np.float32) / sample_rate
    return np.interp(positions, np.arange(len(knots)), knots).astype(np.float32)


def room_response(sample_rate, rng, *, rt60_s, direct_db):
    """Impulse response of a forest or a valley: the direct sound, then decaying noise.

    Parameters
    ----------
    sample_rate : int > 0
        In Hz.
    rng : numpy.random.Generator
        Draws the tail.
    rt60_s : float > 0
        Seconds in which the tail falls by 60 dB.
    direct_db : float
        Energy of the direct sound over that of the tail, in dB; the farther the
        source, the lower.

    Returns
    -------
    np.ndarray of shape (int(rt60_s * sample_rate) + 1,), float32
        Energy 1.
    """
    n = int(rt60_s * sample_rate)
    tail = rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    tail = shape_spectrum(tail, sample_rate, tilt_db=-3).astype(float)
    tail *= 10 ** (-direct_db / 20) / np.linalg.norm(tail)
    response = np.concatenate([[1.0], tail])
    return (response / np.linalg.norm(response)).astype(np.float32)


def _rms(audio):
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))


def _unit_rms(audio):
    return (audio / max(_rms(audio), 1e-9)).astype(np.float32)
