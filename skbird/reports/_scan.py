"""One pass over recordings: the header of each, and the sound of some."""

import os
from functools import partial

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from skbird.audio import FINGERPRINT_S, AudioFile, AudioReadError, fingerprint
from skbird.preprocessing import mean_square
from skbird.utils._progress import progress_bar

MEASURES = ("level_dbfs", "noise_dbfs", "contrast_db", "peak_dbfs", "clipped", "speech")
_DECODED_S = FINGERPRINT_S  # of the beginning of a recording
_CLIPPED_FROM = 0.99
_SILENCE_DBFS = -120.0
_LEVELS_PER_S = 20


def scan(paths, channels, decoded, *, speech, near_duplicates, n_jobs, verbose):
    """Look at each file once, in threads.

    Parameters
    ----------
    paths : sequence of str
        Distinct.
    channels : sequence of str or int
        Which channels of each are heard, as `row_channels` returns them.
    decoded : ndarray of bool, shape (n_files,)
        Which ones to decode; of the others the header is read.
    speech : bool
        Whether to look for human speech.
    near_duplicates : bool
        Whether to make fingerprints of those decoded.
    n_jobs : int
    verbose : int

    Returns
    -------
    found : DataFrame of n_files rows
        ``size_mb``, ``sample_rate``, ``n_channels``, ``duration_s``, the `MEASURES`
        and ``quiet_mean`` (NaN where not decoded), ``is_cut`` and ``note`` of the
        header, ``error`` (empty if there is none).
    fingerprints : list of ndarray
        Empty where there is none.
    """
    look = partial(_look, speech=speech, near_duplicates=near_duplicates)
    results = Parallel(n_jobs, prefer="threads", return_as="generator")(
        delayed(look)(*file) for file in zip(paths, channels, decoded, strict=True)
    )
    options = {"desc": "recordings", "unit": "file", "delay": 1, "verbose": verbose}
    results = list(progress_bar(results, total=len(paths), **options))
    columns = ["size_mb", "sample_rate", "n_channels", "duration_s", *MEASURES]
    columns += ["quiet_mean", "is_cut", "note", "error"]
    found = pd.DataFrame([found for found, _ in results], columns=columns)
    return found, [words for _, words in results]


def _look(path, channels, decode, *, speech, near_duplicates):
    """Find what one file holds; an error is a finding like others."""
    found, words = {"error": ""}, np.empty(0, np.uint32)
    try:
        with AudioFile(path, channels) as audio:
            found["size_mb"] = os.path.getsize(path) / 1e6
            header = audio.header
            found["sample_rate"] = header.sample_rate
            found["n_channels"] = header.n_channels
            found["duration_s"] = header.duration_s
            found["note"] = header.note
            found["is_cut"] = header.is_cut
            if not decode:
                return found, words
            rate = header.sample_rate
            samples = audio.read(0, min(round(_DECODED_S * rate), header.n_frames))
            found["quiet_mean"] = audio.mixer.cancels
        if len(samples) == 0:
            raise AudioReadError(f"{path} holds no samples, whatever its header says.")
        found |= measure(samples, rate)
        if speech:
            from skbird.preprocessing import speech_probability

            found["speech"] = float((speech_probability(samples, rate) >= 0.5).mean())
        if near_duplicates:
            words = fingerprint(samples, rate)
    except (AudioReadError, OSError) as exc:
        found["error"] = str(exc)
    return found, words


def measure(samples, sample_rate):
    """Measure level, noise and clipping of a recording.

    Parameters
    ----------
    samples : ndarray of float32
        Mono; full scale is 1.
    sample_rate : int
        In Hz.

    Returns
    -------
    dict of str to float
        ``level_dbfs``: root mean square, ``noise_dbfs``: the level that 10 % of the
        stretches of 50 ms are below, ``contrast_db``: how far above it the loudest 1 %
        are, ``peak_dbfs``, ``clipped``: share of the samples at 99 % of full scale or
        above. The offset of the recorder does not count.
    """
    clipped = float((np.abs(samples) >= _CLIPPED_FROM).mean())
    samples = samples - samples.mean()
    levels = _decibel(np.sqrt(mean_square(samples, sample_rate, _LEVELS_PER_S)))
    noise, loud = np.quantile(levels, [0.1, 0.99])
    return {
        "level_dbfs": _decibel(np.sqrt(np.mean(np.square(samples)))),
        "noise_dbfs": noise,
        "contrast_db": loud - noise,
        "peak_dbfs": _decibel(np.abs(samples).max()),
        "clipped": clipped,
    }


def _decibel(amplitude):
    return 20 * np.log10(np.maximum(amplitude, 10 ** (_SILENCE_DBFS / 20)))


def choose_decoded(groups, max_decoded, rng):
    """Choose files at random, as many of each group as of the others if there are.

    Parameters
    ----------
    groups : Series of n_files
    max_decoded : int or None
        None: all.
    rng : numpy.random.RandomState

    Returns
    -------
    ndarray of bool, shape (n_files,)
    """
    if max_decoded is None or max_decoded >= len(groups):
        return np.ones(len(groups), bool)
    order = rng.permutation(len(groups))
    turn = groups.iloc[order].groupby(groups.iloc[order], dropna=False).cumcount()
    chosen = order[np.argsort(turn.to_numpy(), kind="stable")[:max_decoded]]
    decoded = np.zeros(len(groups), bool)
    decoded[chosen] = True
    return decoded
