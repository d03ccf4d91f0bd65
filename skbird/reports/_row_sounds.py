"""Level, noise and spectrum of rows that a model gets right or wrong."""

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from skbird.audio import AudioFile, AudioReadError, row_channels, stretch_frames
from skbird.preprocessing import log_mel, mel_filters, mel_frequencies, resample
from skbird.reports._scan import measure
from skbird.utils._progress import progress_bar

RATE = 32_000
_MELS, _LOW_HZ = 64, 50
_LONGEST_S = 30.0


def measure_rows(rows, chosen, *, n_jobs, verbose):
    """Measure the sound of some rows, in threads.

    Parameters
    ----------
    rows : DataFrame
        ``path``, ``start``, ``end`` and, if wanted, ``channels``.
    chosen : ndarray of int
    n_jobs : int
    verbose : int

    Returns
    -------
    measured : DataFrame indexed by row
        See `measure`; rows that cannot be read are left out.
    spectra : ndarray of shape (n_measured, 64)
        Mean level in dB of mel bands from 50 Hz to 16 kHz.
    """
    table = rows.iloc[chosen]
    found = Parallel(n_jobs, prefer="threads", return_as="generator")(
        delayed(_measure_row)(row) for row in table.to_dict("records")
    )
    options = {"desc": "rows", "unit": "row", "delay": 1, "verbose": verbose}
    found = list(progress_bar(found, total=len(chosen), **options))
    good = [number for number, one in enumerate(found) if one is not None]
    measured = pd.DataFrame(
        [found[number][0] for number in good], index=np.asarray(chosen)[good]
    )
    spectra = np.array([found[number][1] for number in good])
    return measured, spectra.reshape(len(good), _MELS)


def _measure_row(row):
    try:
        with AudioFile(row["path"], row_channels(row)) as audio:
            rate = audio.header.sample_rate
            start, stop = stretch_frames(audio.header, row["start"], row["end"])
            samples = audio.read(start, min(stop, start + round(_LONGEST_S * rate)))
    except (AudioReadError, OSError):
        return None
    if len(samples) == 0:
        return None
    found = measure(samples, rate)
    samples = resample(samples - samples.mean(), rate, RATE)
    filters = mel_filters(RATE, 1024, _MELS, _LOW_HZ, RATE / 2, False)
    decibel = log_mel(samples, filters, 1024, 1024, range(len(samples) // 1024 + 1))
    return found, decibel.mean(axis=0)


def mel_khz():
    """Centres of the bands of the spectra, in kHz."""
    return mel_frequencies(_MELS + 2, _LOW_HZ, RATE / 2, htk=False)[1:-1] / 1000


def recall_by_level(measured, truth, score, threshold):
    """Say how many of the species are found in loud and in quiet rows.

    Parameters
    ----------
    measured : DataFrame indexed by row
        With ``contrast_db`` and ``level_dbfs``.
    truth : Truth
    score : ndarray of shape (n_rows, n_species)
    threshold : ndarray

    Returns
    -------
    DataFrame
        A line for each quartile of both: ``measure``, ``from``, ``to``, ``present``,
        ``recall``.
    """
    rows = measured.index.to_numpy()
    present = truth.positive[rows].sum(axis=1)
    found = (truth.positive[rows] & (score[rows] >= threshold)).sum(axis=1)
    lines = []
    for name in ("level_dbfs", "contrast_db"):
        values = measured[name][present > 0]
        if values.nunique() < 4:
            continue
        quartile = pd.qcut(values, 4, labels=False, duplicates="drop")
        for _, part in values.groupby(quartile):
            here = np.isin(rows, part.index)
            n = int(present[here].sum())
            line = (name, part.min(), part.max(), n, found[here].sum() / n)
            lines.append(line)
    return pd.DataFrame(lines, columns=["measure", "from", "to", "present", "recall"])
