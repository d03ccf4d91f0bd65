"""A synthetic deployment of recorders, whose truth is known."""

import struct
import tempfile
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.utils import Bunch

from skbird.datasets._synthetic_calls import synthesize_call
from skbird.datasets._synthetic_species import SPECIES
from skbird.utils._params import as_floats, check_path
from skbird.utils._text import counted

_ROW_S = 5.0
_ZONE = "Europe/Madrid"
_FIRST_DAY = pd.Timestamp("2024-04-29")
_PLACE = 37.05, -6.45  # latitude and longitude of the middle, in degrees
_RATE = 16_000  # of the sound, in Hz
_MOST_ROWS = 5_000_000
_MOST_SOUND_S = 3 * 3600.0
_SPREAD = 1.5  # of the logit score
_MIDDLE = -1.0  # logit score half-way between right and wrong detections
_SING = 0.5  # chance that a row has a call, in a recording in which a species sings
# Second entry of every seed: random streams that never meet.
_PLAN, _CALLS, _SCORES, _SOUND = range(4)


def make_survey(
    root=None,
    *,
    n_sites=8,
    n_weeks=4,
    n_species=6,
    recordings_per_day=24,
    recording_s=60.0,
    occupancy=(0.4, 0.9),
    rows_per_hour=(5.0, 60.0),
    separation=5.0,
    gap_share=0.1,
    unusable_share=0.02,
    random_state=0,
):
    """Make a synthetic survey: recorders at sites, what called there, and scores.

    Recorders near Doñana make a recording every so often, named as AudioMoths do, with
    their clocks in UTC. Each has a gap of some days, and some recordings are not
    usable. A species that occupies a site sings in some of its recordings, most often
    at an hour of its own, and then calls in half of their rows. Scores stand for those
    of a model: P(correct | score) is exactly logistic on the logit score.

    Parameters
    ----------
    root : str or path-like, default=None
        New or empty folder, to write the recordings to as sound, with the headers of
        AudioMoths, and ``sites.csv``. None: nothing is written, and the paths lead
        nowhere.
    n_sites, n_weeks : int in [1, 1000], default=8, 4
        Number of recorders, and of weeks.
    n_species : int in [1, 200], default=6
        Number of species.
    recordings_per_day : int in [1, 144], default=24
        Evenly spread over the day.
    recording_s : float in [5, 600], default=60.0
        Length of a recording in seconds; rows are 5 s.
    occupancy : pair of float in [0, 1], default=(0.4, 0.9)
        Probability that a species occupies a site: of the first species and of the
        last, the others evenly between. Each has one site or more.
    rows_per_hour : pair of float in [0.001, 120], default=(5.0, 60.0)
        Rows with a call per hour of recordings, on average over the day, at a site that
        is occupied: of the last species and of the first, the others between.
    separation : float > 0, default=5.0
        Logit score of right detections less that of wrong ones, on average; the
        standard deviation of both is 1.5. With ``numpy.inf`` scores are perfect: 0.95
        where a species calls, else 0.05.
    gap_share : float in [0, 1), default=0.1
        Part of the days that each recorder misses.
    unusable_share : float in [0, 1], default=0.02
        Part of the recordings that are not usable; as sound they are silent.
    random_state : int >= 0, default=0
        The same number gives the same survey.

    Returns
    -------
    data : sklearn.utils.Bunch
        - ``X``: the rows: ``path``, ``start`` and ``end``
        - ``proba``: DataFrame of shape (n_rows, n_species), the scores
        - ``present``: DataFrame of shape (n_rows, n_species), bool: who calls in which
          row, in truth
        - ``recordings``: ``path``, ``duration_s``, ``time_zone`` and ``usable``, for
          `skbird.survey.recording_times` with ``clock="UTC"``
        - ``sites``: ``site``, ``latitude``, ``longitude``, ``start``, ``end`` (days),
          ``device`` and ``time_zone``
        - ``occupied``: DataFrame of shape (n_sites, n_species), bool
        - ``species``: the names
        - ``species_table``: a line per species, which is the index: ``occupancy``,
          ``rows_per_hour``, ``peak_hour`` (of the day at the place), and
          ``intercept`` and ``slope`` of P(correct | score) among all rows
        - ``DESCR``: a description

    Raises
    ------
    ValueError
        If a parameter is out of range, or so much sound is not to be written.
    FileExistsError
        If `root` holds something.

    See Also
    --------
    skbird.survey : What is made of it.
    make_birdclef : Recordings to train on.

    Examples
    --------
    >>> from skbird.datasets import make_survey
    >>> data = make_survey(n_sites=3, n_weeks=1, n_species=2)
    >>> data.proba.shape, data.sites["site"].tolist()
    ((5184, 2), ['site01', 'site02', 'site03'])
    >>> bool((data.proba.to_numpy()[data.present] > 0.5).mean() > 0.7)
    True
    """
    _check_numbers(
        n_sites=(n_sites, 1, 1000),
        n_weeks=(n_weeks, 1, 1000),
        n_species=(n_species, 1, len(SPECIES)),
        recordings_per_day=(recordings_per_day, 1, 144),
        random_state=(random_state, 0, 2**32 - 1),
    )
    _check_amounts(
        recording_s=(recording_s, _ROW_S, 600),
        gap_share=(gap_share, 0, 1 - 1e-9),
        unusable_share=(unusable_share, 0, 1),
        separation=(separation, 1e-9, np.inf),
    )
    psi = _between(_check_pair(occupancy, "occupancy", 0, 1), n_species)
    rates = _check_pair(rows_per_hour, "rows_per_hour", 1e-3, 120)
    rates = np.exp(_between(np.log(rates[::-1]), n_species))
    n_rows = n_sites * 7 * n_weeks * recordings_per_day * (recording_s // _ROW_S)
    if n_rows > _MOST_ROWS:
        raise ValueError(
            f"The survey would have {n_rows:,.0f} rows, more than {_MOST_ROWS:,}. "
            "Lower n_sites, n_weeks or recordings_per_day."
        )
    rng = np.random.default_rng([random_state, _PLAN])
    sites = _make_sites(n_sites, n_weeks, rng)
    occupied = rng.random((n_sites, n_species)) < psi
    occupied[rng.integers(n_sites, size=n_species), np.arange(n_species)] = True
    recordings, local_hour, site = _make_recordings(
        sites, n_weeks, recordings_per_day, gap_share, unusable_share, rng
    )
    recordings["duration_s"] = float(recording_s)
    peak_hour = rng.permutation(np.linspace(5, 23, n_species).round(1))
    rng = np.random.default_rng([random_state, _CALLS])
    n_rows = int(recording_s // _ROW_S)
    sings = rng.random((len(recordings), n_species)) < (
        occupied[site] * _chance_to_sing(local_hour, peak_hour, rates)
    )
    calls = rng.random((len(recordings), n_rows, n_species)) < _SING
    present = (calls & sings[:, None, :]).reshape(-1, n_species)
    rng = np.random.default_rng([random_state, _SCORES])
    proba, curve = _make_scores(present, float(separation), rng)
    names = [species.label for species in SPECIES[:n_species]]
    start = np.tile(_ROW_S * np.arange(n_rows), len(recordings))
    if root is not None:
        sound = _Sound(random_state, present.reshape(-1, n_rows, n_species))
        recordings = _write(root, recordings, sites, site, sound)
    X = pd.DataFrame({"path": recordings["path"].repeat(n_rows), "start": start})
    species_table = pd.DataFrame(
        {
            "occupancy": psi,
            "rows_per_hour": rates,
            "peak_hour": peak_hour,
            "intercept": curve[0],
            "slope": curve[1],
        },
        index=pd.Index(names, name="species"),
    )
    return Bunch(
        X=X.assign(end=X["start"] + _ROW_S).reset_index(drop=True),
        proba=pd.DataFrame(proba, columns=names),
        present=pd.DataFrame(present, columns=names),
        recordings=recordings,
        sites=sites,
        occupied=pd.DataFrame(occupied, index=sites["site"], columns=names),
        species=names,
        species_table=species_table,
        DESCR=f"A synthetic survey: {counted(len(recordings), 'recording')} of "
        f"{recording_s:g} s, {counted(n_sites, 'site')}, {counted(n_weeks, 'week')}, "
        f"{n_species} species.",
    )


def _check_numbers(**limits):
    for name, (value, low, high) in limits.items():
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise ValueError(f"{name}={value!r} must be a whole number, such as {low}.")
        if not low <= value <= high:
            raise ValueError(f"{name}={value!r} must be from {low} to {high}.")


def _check_amounts(**limits):
    for name, (value, low, high) in limits.items():
        if not isinstance(value, Real) or not low <= value <= high:
            raise ValueError(f"{name}={value!r} must be from {low:g} to {high:g}.")


def _check_pair(pair, name, low, high):
    try:
        values = as_floats(pair, name, np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (2,) or not ((values >= low) & (values <= high)).all():
        raise ValueError(
            f"{name}={pair!r:.100} must be two numbers from {low:g} to {high:g}."
        )
    return values


def _between(ends, n):
    return np.linspace(*ends, n)


def _make_sites(n_sites, n_weeks, rng):
    digits = max(2, len(str(n_sites)))
    places = rng.uniform(-0.1, 0.1, (2, n_sites)).round(4)
    return pd.DataFrame(
        {
            "site": [f"site{number:0{digits}}" for number in range(1, n_sites + 1)],
            "latitude": _PLACE[0] + places[0],
            "longitude": _PLACE[1] + places[1],
            "start": f"{_FIRST_DAY:%Y-%m-%d}",
            "end": f"{_FIRST_DAY + pd.Timedelta(7 * n_weeks - 1, unit='D'):%Y-%m-%d}",
            "device": [f"24F31903{n:08X}" for n in rng.integers(2**32, size=n_sites)],
            "time_zone": _ZONE,
        }
    )


def _make_recordings(sites, n_weeks, per_day, gap_share, unusable_share, rng):
    """Return the recordings, the hour of the place at which each begins, its site."""
    n_days = 7 * n_weeks
    first = _FIRST_DAY.tz_localize(_ZONE).tz_convert("UTC")
    step = pd.Timedelta(24 * 3600 // per_day, unit="s")
    nth = np.arange(n_days * per_day)
    times = first + pd.to_timedelta(nth // per_day, unit="D") + nth % per_day * step
    names = times.strftime("%Y%m%d_%H%M%S.WAV").to_numpy()
    local = times.tz_convert(_ZONE)
    hours = (local.hour + local.minute / 60).to_numpy()
    parts = []
    gap = round(gap_share * n_days)
    for number, site in enumerate(sites["site"]):
        begin = rng.integers(n_days - gap + 1)
        day = nth // per_day
        kept = np.flatnonzero((day < begin) | (day >= begin + gap))
        paths = [f"{site}/{names[k]}" for k in kept]
        parts.append(pd.DataFrame({"path": paths, "hour": hours[kept], "site": number}))
    table = pd.concat(parts, ignore_index=True)
    usable = rng.random(len(table)) >= unusable_share
    recordings = table[["path"]].assign(duration_s=0.0, time_zone=_ZONE, usable=usable)
    return recordings, table["hour"].to_numpy(), table["site"].to_numpy()


def _chance_to_sing(hour, peak_hour, rates):
    """Return the chance that each species sings in each recording, where it is."""

    def shape(hour):
        away = np.abs(hour[:, None] - peak_hour)
        away = np.minimum(away, 24 - away)
        return 0.05 + np.exp(-np.square(away / 3) / 2)

    mean = shape(np.arange(0, 24, 0.25)).mean(axis=0)
    return np.minimum(rates / (3600 / _ROW_S * _SING) * shape(hour) / mean, 1)


def _make_scores(present, separation, rng):
    """Return scores, and intercept and slope of P(correct | score) of each species."""
    if np.isinf(separation):
        nothing = np.full((2, present.shape[1]), np.nan)
        return np.where(present, 0.95, 0.05), nothing
    noise = _SPREAD * rng.standard_normal(present.shape)
    score = _MIDDLE + separation * (present - 0.5) + noise
    slope = np.full(present.shape[1], separation / _SPREAD**2)
    with np.errstate(divide="ignore"):  # a species that never calls is never right
        intercept = logit(present.mean(axis=0)) - slope * _MIDDLE
    return expit(score), (intercept, slope)


class _Sound:
    """The sound of recordings: noise, and a call in each row that has one."""

    def __init__(self, seed, present):
        self._seed = seed
        self._present = present
        songs = [SPECIES[number].song for number in range(present.shape[2])]
        longest = int(_ROW_S * _RATE)
        self._calls = [synthesize_call(song, _RATE)[:longest] for song in songs]

    def samples(self, number, duration_s, usable):
        """Return int16 samples of a recording; 0 if it is not usable."""
        rng = np.random.default_rng([self._seed, _SOUND, number])
        audio = 0.003 * rng.standard_normal(round(duration_s * _RATE))
        for row, species in zip(*np.nonzero(self._present[number]), strict=True):
            call = self._calls[species]
            latest = int(_ROW_S * _RATE) - len(call)
            start = int(row * _ROW_S * _RATE) + int(rng.integers(latest + 1))
            audio[start : start + len(call)] += 0.05 * call
        return (32_767 * np.clip(audio, -1, 1) * usable).astype("<i2")


def _write(root, recordings, sites, site, sound):
    """Write the recordings and sites.csv; return the table with their paths."""
    root = Path(check_path(root, "root"))
    seconds = recordings["duration_s"].sum()
    if seconds > _MOST_SOUND_S:
        raise ValueError(
            f"The recordings would be {seconds / 3600:.1f} hours of sound, more than "
            f"{_MOST_SOUND_S / 3600:g}. Lower n_sites, n_weeks, recordings_per_day or "
            "recording_s; or pass root=None, for tables alone."
        )
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise FileExistsError(
            f"root={str(root)!r} exists and is not empty; nothing was changed. Choose "
            "another folder, or delete it."
        )
    root.parent.mkdir(parents=True, exist_ok=True)
    # Written beside and renamed when complete: a killed run leaves no half a set.
    with tempfile.TemporaryDirectory(
        prefix=f".{root.name}-", dir=root.parent
    ) as scratch:
        made = Path(scratch) / "survey"
        for name in sites["site"]:
            (made / "recordings" / name).mkdir(parents=True)
        lines = recordings.itertuples(index=False)
        for number, (line, place) in enumerate(zip(lines, site, strict=True)):
            samples = sound.samples(number, line.duration_s, line.usable)
            header = _audiomoth_header(line.path, sites["device"][place], samples)
            path = made / "recordings" / line.path
            path.write_bytes(header + samples.tobytes())
        sites.to_csv(made / "sites.csv", index=False)
        if root.is_dir():
            root.rmdir()
        made.rename(root)
    paths = [str(root / "recordings" / path) for path in recordings["path"]]
    return recordings.assign(path=paths)


def _audiomoth_header(path, device, samples):
    """Return the bytes before the samples, as firmware 1.8 writes them."""
    time = pd.to_datetime(path[-19:-4], format="%Y%m%d_%H%M%S")
    comment = (
        f"Recorded at {time:%H:%M:%S %d/%m/%Y} (UTC) by AudioMoth {device} at medium "
        "gain while battery was 4.2V and temperature was 18.0C."
    )
    texts = (b"ICMT", comment, 384), (b"IART", f"AudioMoth {device}", 32)
    info = b"INFO"
    for name, text, size in texts:
        info += name + struct.pack("<I", size) + text.encode().ljust(size, b"\0")
    format_ = struct.pack("<HHIIHH", 1, 1, _RATE, 2 * _RATE, 2, 16)
    chunks = b"fmt " + struct.pack("<I", len(format_)) + format_
    chunks += b"LIST" + struct.pack("<I", len(info)) + info
    chunks += b"data" + struct.pack("<I", samples.nbytes)
    size = 4 + len(chunks) + samples.nbytes
    return b"RIFF" + struct.pack("<I", size) + b"WAVE" + chunks
