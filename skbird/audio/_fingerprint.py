"""Recognise the same sound when it is cut, filtered, resampled or compressed anew."""

import numpy as np
import soxr
from scipy import fft, ndimage

FINGERPRINT_S = 60.0  # seconds of a file that are looked at
_RATE = 16_000
_N_FFT = 1024
_HOP = 200
# Frames of 12.5 ms; smoothing over them makes a copy that starts between two of them
# look alike, and a word in four says nearly all.
_SMOOTHING = 12
_LAG = 16
_STRIDE = 4
_WORDS_PER_S = _RATE / (_HOP * _STRIDE)
_N_BITS = 24
_EDGES_HZ = np.geomspace(300, 7000, _N_BITS + 2)
_FLOOR = 1e-10  # of the loudest band: digital silence has no bits

_MIN_SHARED_WORDS = 2
_MAX_NEIGHBOURS = 32
_MIN_OVERLAP_S = 3.0
_MAX_BIT_ERROR = 0.2


def fingerprint(samples, sample_rate):
    """Describe sound by the signs of its level differences over time and frequency.

    Bit m of a word is whether the level in band m rises, against that of band m + 1,
    within 0.2 s. Gain and equalisation do not change it, compression little.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32
        Mono.
    sample_rate : int
        In Hz.

    Returns
    -------
    words : ndarray of shape (n_words,), uint32
        20 per second, of 24 bits; 0 for digital silence. Empty below 0.3 s.

    References
    ----------
    Haitsma, Kalker (2002), "A highly robust audio fingerprinting system", ISMIR. Here
    in decibels, so that equalisation cancels out, and with other bands.
    """
    samples = soxr.resample(samples, sample_rate, _RATE)
    if len(samples) < _N_FFT + _LAG * _HOP:
        return np.empty(0, dtype=np.uint32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _N_FFT)[::_HOP]
    power = np.abs(fft.rfft(frames * _WINDOW, axis=1)) ** 2 @ _BANDS
    power = ndimage.gaussian_filter1d(power, _SMOOTHING, axis=0)[::_STRIDE]
    level = np.log(power + _FLOOR * power.max() + np.finfo(power.dtype).tiny)
    slope = np.diff(level, axis=1)
    rise = slope[_LAG // _STRIDE :] - slope[: -_LAG // _STRIDE]
    return (rise > 0) @ (1 << np.arange(_N_BITS, dtype=np.uint32))


def _rectangular_bands():
    """Weights (n_frequencies, n_bands) that add up the power between two edges."""
    edges = _EDGES_HZ * _N_FFT / _RATE
    bins = np.arange(_N_FFT // 2 + 1)[:, None]
    # A bin counts by the part of it that lies between the edges.
    inside = np.minimum(bins + 0.5, edges[1:]) - np.maximum(bins - 0.5, edges[:-1])
    return np.clip(inside, 0, 1).astype(np.float32)


_WINDOW = np.hanning(_N_FFT).astype(np.float32)
_BANDS = _rectangular_bands()


def find_near_duplicates(fingerprints):
    """Find the pairs of fingerprints that share a stretch of sound.

    Two of them are compared if `_MIN_SHARED_WORDS` words are equal at the same offset,
    which equal words, sorted, tell without looking at all pairs. They are near
    duplicates if they overlap by 3 s at least, silence not counted, and differ there in
    20 % of the bits at most; unrelated sound differs in 50 %.

    Parameters
    ----------
    fingerprints : list of ndarray of uint32
        See `fingerprint`.

    Returns
    -------
    pairs : ndarray of int, shape (n_pairs, 2)
        Numbers of fingerprints, the smaller first.
    """
    candidates = _candidates(fingerprints)
    same = [
        _is_same(fingerprints[first], fingerprints[second], offset)
        for first, second, offset in candidates
    ]
    return candidates[np.array(same, dtype=bool), :2]


def _candidates(fingerprints):
    """Pairs and their likeliest offset in words, (n_pairs, 3)."""
    lengths = [len(words) for words in fingerprints]
    longest = max(lengths, default=0)
    words = np.concatenate([*fingerprints, np.empty(0, np.uint32)])
    owner = np.repeat(np.arange(len(lengths)), lengths)
    place = np.concatenate([np.arange(n) for n in [*lengths, 0]])
    order = np.argsort(words, kind="stable")
    order = order[words[order] > 0]
    words, owner, place = words[order], owner[order], place[order]
    n_offsets = 2 * longest + 1
    keys = [np.empty(0, dtype=np.int64)]
    left = np.arange(len(words))
    # A word that is everywhere meets only its next neighbours: time stays bounded, and
    # copies still meet one by one.
    for step in range(1, _MAX_NEIGHBOURS + 1):
        left = left[left + step < len(words)]
        left = left[words[left] == words[left + step]]
        others = left[owner[left] != owner[left + step]]
        pair = owner[others] * len(lengths) + owner[others + step]
        offset = place[others + step] - place[others] + longest
        keys.append(pair * n_offsets + offset)
    keys, counts = np.unique(np.concatenate(keys), return_counts=True)
    enough = counts >= _MIN_SHARED_WORDS
    keys, counts = keys[enough], counts[enough]
    pair, offset = np.divmod(keys, max(n_offsets, 1))
    best = np.lexsort((-counts, pair))
    pair, first = np.unique(pair[best], return_index=True)
    offset = offset[best][first] - longest
    return np.column_stack([*np.divmod(pair, max(len(lengths), 1)), offset])


def _is_same(first, second, offset):
    first, second = first[max(-offset, 0) :], second[max(offset, 0) :]
    n_words = min(len(first), len(second))
    first, second = first[:n_words], second[:n_words]
    heard = (first > 0) & (second > 0)
    if heard.sum() < _MIN_OVERLAP_S * _WORDS_PER_S:
        return False
    differing = np.unpackbits((first[heard] ^ second[heard]).view(np.uint8)).sum()
    return differing <= _MAX_BIT_ERROR * _N_BITS * heard.sum()
