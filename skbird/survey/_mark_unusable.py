"""Which recordings nothing can be heard in."""

from numbers import Real

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from skbird.audio import AudioFile, AudioReadError
from skbird.survey._tables import check_recordings
from skbird.utils._params import N_JOBS, SHARE, check_params
from skbird.utils._progress import progress_bar
from skbird.utils._sklearn_compat import Interval

_MOST_S = 60.0  # of a recording is decoded
_PIECE_S = 5.0
_LEVEL_S = 0.05
_QUIETEST_DBFS = -120.0
_FULL_SCALE = 0.99


def mark_unusable(
    recordings: pd.DataFrame,
    *,
    silent_dbfs: float = -85.0,
    clipped_share: float = 0.01,
    noise_dbfs: float = -20.0,
    n_jobs: int | None = -1,
    verbose: int = 1,
) -> pd.DataFrame:
    """Find recordings that are silent, clipped, too noisy or broken.

    Nothing that calls is found in them, and `effort` and `activity` leave them out and
    count them. A minute of each is decoded: all, or pieces of 5 s from beginning to
    end.

    Parameters
    ----------
    recordings : DataFrame
        As `recording_times` makes it. What is not ``usable`` stays so.
    silent_dbfs : float, default=-85.0
        Root mean square, in dB of full scale and without a constant offset, below which
        a recording is silent, as of a microphone that came off. The noise of recorders
        of 16 bits is about -80.
    clipped_share : float in (0, 1], default=0.01
        From which part of the samples on, at 99 % of full scale or beyond, a recording
        is clipped.
    noise_dbfs : float, default=-20.0
        Level of the quietest tenth, in stretches of 50 ms, above which it is too noisy,
        as in heavy rain or wind.
    n_jobs : int, default=-1
        Threads, as in joblib.
    verbose : int, default=1
        0 shows no progress.

    Returns
    -------
    DataFrame
        The same table with ``usable`` and ``unusable_because``: "silent", "clipped",
        "noisy", "broken", "said so" (by ``usable``), or empty.

    Raises
    ------
    ValueError
        If `recordings` is no such table or a parameter is out of range.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from skbird.survey import mark_unusable, recording_times
    >>> folder = Path(tempfile.mkdtemp())
    >>> noise = 0.01 * np.random.default_rng(0).standard_normal(8000)
    >>> for hour, gain in (("05", 1.0), ("06", 0.0)):
    ...     soundfile.write(folder / f"20240501_{hour}0000.wav", gain * noise, 8000)
    >>> times = recording_times(sorted(folder.iterdir()), "UTC")
    >>> marked = mark_unusable(times, verbose=0)
    >>> marked[["usable", "unusable_because"]].to_numpy().tolist()
    [[True, ''], [False, 'silent']]
    """
    check_params(
        "mark_unusable",
        {
            "silent_dbfs": [Interval(Real, None, 0, closed="right")],
            "clipped_share": [SHARE],
            "noise_dbfs": [Interval(Real, None, 0, closed="right")],
            "n_jobs": N_JOBS,
            "verbose": ["verbose"],
        },
        silent_dbfs=silent_dbfs,
        clipped_share=clipped_share,
        noise_dbfs=noise_dbfs,
        n_jobs=n_jobs,
        verbose=verbose,
    )
    checked = check_recordings(recordings)
    known = checked["usable"].to_numpy()
    paths = checked["path"][known]
    measured = Parallel(n_jobs, prefer="threads", return_as="generator")(
        delayed(_measure)(path) for path in paths
    )
    options = {"desc": "recordings", "unit": "file", "delay": 1, "verbose": verbose}
    measured = list(progress_bar(measured, total=len(paths), **options))
    reasons = np.where(checked["duration_s"].isna(), "broken", "said so").astype(object)
    for place, found in zip(np.flatnonzero(known), measured, strict=True):
        if found is None:
            reasons[place] = "broken"
            continue
        level, noise, clipped = found
        verdicts = {
            "silent": level < silent_dbfs,
            "clipped": clipped >= clipped_share,
            "noisy": noise > noise_dbfs,
        }
        reasons[place] = next((name for name, is_so in verdicts.items() if is_so), "")
    return recordings.assign(usable=reasons == "", unusable_because=reasons)


def _measure(path):
    """Return level and noise in dBFS and the part clipped; None if it is broken."""
    try:
        with AudioFile(path) as audio:
            rate, n_frames = audio.header.sample_rate, audio.header.n_frames
            pieces = [audio.read(*ends) for ends in _ends(n_frames, rate)]
    except (AudioReadError, OSError):
        return None
    samples = np.concatenate(pieces)
    if not len(samples):
        return None
    clipped = float((np.abs(samples) >= _FULL_SCALE).mean())
    samples = samples - samples.mean()
    size = max(round(_LEVEL_S * rate), 1)
    whole = samples[: len(samples) // size * size] if len(samples) >= size else samples
    powers = np.square(whole).reshape(-1, min(size, len(whole))).mean(axis=1)
    noise = np.quantile(powers, 0.1)
    return _dbfs(np.square(samples).mean()), _dbfs(noise), clipped


def _ends(n_frames, rate):
    """Return the first frame of pieces, and the one behind their last."""
    piece = round(_PIECE_S * rate)
    n_pieces = round(_MOST_S / _PIECE_S)
    if n_frames <= n_pieces * piece:
        return [(0, n_frames)]
    starts = np.linspace(0, n_frames - piece, n_pieces).astype(int)
    return [(start, start + piece) for start in starts.tolist()]


def _dbfs(power):
    return 10 * np.log10(max(float(power), 10 ** (_QUIETEST_DBFS / 10)))
