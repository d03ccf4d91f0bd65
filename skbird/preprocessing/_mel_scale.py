"""The two usual scales of pitch, after Slaney and after HTK."""

import numpy as np

# Slaney's scale: linear up to 1 kHz, logarithmic beyond.
_HZ_PER_MEL = 200 / 3
_LOG_FROM_MEL = 1000 / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27


def mel_frequencies(n, fmin, fmax, htk):
    """Return frequencies in Hz at equal distances on the mel scale.

    The same numbers as those of ``librosa.mel_frequencies``, which imports numba for
    half a second.
    """
    to_mel, to_hz = (_htk_mel, _htk_hz) if htk else (_slaney_mel, _slaney_hz)
    return to_hz(np.linspace(to_mel(float(fmin)), to_mel(float(fmax)), n))


def _htk_mel(hz):
    return 2595 * np.log10(1 + hz / 700)


def _htk_hz(mel):
    return 700 * (10 ** (mel / 2595) - 1)


def _slaney_mel(hz):
    if hz < 1000:
        return hz / _HZ_PER_MEL
    return _LOG_FROM_MEL + np.log(hz / 1000) / _LOG_STEP


def _slaney_hz(mel):
    beyond = 1000 * np.exp(_LOG_STEP * (mel - _LOG_FROM_MEL))
    return np.where(mel < _LOG_FROM_MEL, _HZ_PER_MEL * mel, beyond)
