"""Sounds that are known exactly, at any sample rate, to try models on."""

from functools import lru_cache

import numpy as np

_RAMP_S = 0.05
_N_PARTIALS = 100
_FAINT = 0.003  # level of the noise behind all sounds


@lru_cache(maxsize=4)
def tones(spec, octave=0, seed=0, rate=None):
    """Return pulsed tones over a faint noise, some octaves up.

    Parameters
    ----------
    spec : EncoderSpec
        Of the model that hears them. All is below 0.33 of its sample rate.
    octave : {0, 1}
    seed : int
        Of the noise and the phases.
    rate : int, default=None
        Sample rate; None: that of `spec`.

    Returns
    -------
    ndarray of shape (4, n_samples), float32
        One window each.
    """
    rate = rate or spec.sample_rate
    t = _times(spec.window_s, rate)
    pulse = _pulsed(t, spec.window_s, 6)
    noise = _noise(spec.window_s, spec.sample_rate, rate, seed)
    return _stack(
        0.4 * pulse * np.sin(2 * np.pi * hz * 2**octave * t + seed) + _FAINT * noise
        for hz in spec.sample_rate * np.array([0.02, 0.04, 0.08, 0.16])
    )


@lru_cache(maxsize=4)
def calls(spec, rate=None):
    """Return sounds that are nothing like each other; see `tones`.

    Returns
    -------
    ndarray of shape (7, n_samples), float32
    """
    rate = rate or spec.sample_rate
    t = _times(spec.window_s, rate)
    low, high = 0.03 * spec.sample_rate, 0.25 * spec.sample_rate
    noise = _noise(spec.window_s, spec.sample_rate, rate, 1)
    pulse = _pulsed(t, spec.window_s, 5)
    trill = _pulsed(t, spec.window_s, 40)
    place = (t * 5 / spec.window_s) % 1  # within a pulse
    per_pulse = spec.window_s / 5
    rise = low * place + (high - low) * place**2 / 2
    fall = high * place - (high - low) * place**2 / 2
    stack = sum(np.sin(2 * np.pi * low * k * t) / k for k in range(1, 8))
    sounds = (
        0.4 * pulse * np.sin(2 * np.pi * rise * per_pulse),
        0.4 * pulse * np.sin(2 * np.pi * fall * per_pulse),
        0.2 * pulse * stack,
        0.4 * trill * np.sin(2 * np.pi * 0.5 * high * t),
        0.4 * trill * noise,
        0.3 * noise,
        0.4 * np.sin(2 * np.pi * 2 * low * t),
    )
    return _stack(sound + _FAINT * noise for sound in sounds)


def extremes(spec):
    """Return windows that overflow and divide by zero where a model can.

    Returns
    -------
    dict of str to ndarray of shape (n_samples,), float32
    """
    n = spec.window_samples
    click = np.zeros(n, np.float32)
    click[n // 2] = 1
    square = np.sign(np.sin(2 * np.pi * 0.02 * np.arange(n) + 0.1))
    noise = np.random.default_rng(0).uniform(-1, 1, n)
    return {
        "silence": np.zeros(n, np.float32),
        "a constant": np.full(n, 0.5, np.float32),
        "a click": click,
        "almost silence": (1e-7 * noise).astype(np.float32),
        "a square wave of full scale": square.astype(np.float32),
        "noise of full scale": noise.astype(np.float32),
    }


def _times(window_s, rate):
    return np.arange(round(window_s * rate)) / rate


def _pulsed(t, window_s, n):
    """Return an envelope of n pulses, with soft ends, in a window."""
    place = (t * n / window_s) % 1 * window_s / n  # seconds
    ramp_s = min(_RAMP_S, window_s / n / 8)
    end_s = 0.6 * window_s / n
    return np.clip(np.minimum(place, end_s - place) / ramp_s, 0, 1)


@lru_cache(maxsize=4)  # it takes longer than a small model that hears it
def _noise(window_s, sample_rate, rate, seed):
    """Return noise made of tones, so that it is the same at all sample rates."""
    t = _times(window_s, rate)
    rng = np.random.default_rng(seed)
    hz = rng.uniform(0.005, 0.3, _N_PARTIALS) * sample_rate
    phases = rng.uniform(0, 2 * np.pi, _N_PARTIALS)
    total = np.zeros_like(t)
    for one_hz, phase in zip(hz, phases, strict=True):
        total += np.sin(2 * np.pi * one_hz * t + phase)
    return total / np.sqrt(_N_PARTIALS)


def _stack(sounds):
    return np.stack([np.clip(sound, -1, 1).astype(np.float32) for sound in sounds])
