"""Soundscapes made of real sound: xeno-canto birds put into Doñana recordings."""

import numpy as np
import pandas as pd
import soundfile
import soxr
from _common import data_folder, read_metadata
from sklearn.utils import Bunch

from skbird.audio import read_audio
from skbird.data import encode_labels, segment_table

RATE = 32_000
SOUNDSCAPE_S = 60.0
_MIN_HEARD_S = 1.0


def make_target_site(folder, seed, n_soundscapes, n_test):
    """Write soundscapes and return them with focal recordings of the same species.

    Recordists are dealt out to three parts: the focal recordings, the birds of the
    soundscapes, those of the test soundscapes. The two kinds of soundscapes have
    different Doñana recordings as background. Birds call at random times and levels,
    up to four a soundscape.

    Returns
    -------
    data : Bunch
        DataFrames ``X``, ``Y`` (focal recordings), ``soundscapes``, ``soundscapes_Y``,
        ``test``, ``test_Y`` (rows of 5 s).
    """
    rng = np.random.default_rng(seed)
    birds = read_metadata("xc_california")
    part = _deal_out(birds, rng)
    labels, _ = encode_labels(birds[["primary_label"]])
    places = sorted(data_folder("donana_soundscapes").rglob("*.[wW][aA][vV]"))
    places = rng.permutation(places)
    tables, truths = [], []
    for number, n_files, background in (
        (1, n_soundscapes, places[: len(places) // 2]),
        (2, n_test, places[len(places) // 2 :]),
    ):
        of_part = np.flatnonzero(part == number)
        paths, heard = [], []
        for n in range(n_files):
            path = folder / f"part{number}_{n:03d}.wav"
            calls = _write_soundscape(path, birds.iloc[of_part], background, rng)
            paths.append(str(path))
            heard.extend((str(path), *call) for call in calls)
        rows = segment_table(paths)
        tables.append(rows)
        truths.append(_truth(rows, heard, labels.columns))
    focal = part == 0
    return Bunch(
        X=birds[focal].reset_index(drop=True),
        Y=labels[focal].reset_index(drop=True),
        soundscapes=tables[0],
        soundscapes_Y=truths[0],
        test=tables[1],
        test_Y=truths[1],
    )


def _deal_out(birds, rng):
    """Give each recordist a part, so that parts have many species and equal sizes."""
    part = np.full(len(birds), -1)
    species = birds["primary_label"].to_numpy()
    authors = rng.permutation(birds["author"].unique())
    size = birds["author"].value_counts()
    for author in sorted(authors, key=lambda name: -size[name]):
        rows = (birds["author"] == author).to_numpy()
        new = [
            len(set(species[rows]) - set(species[part == number]))
            - (part == number).sum() / 10
            for number in range(3)
        ]
        part[rows] = int(np.argmax(new))
    return part


def _write_soundscape(path, birds, background, rng):
    """Write one and return its calls: (species, start, end) in seconds."""
    samples, rate = read_audio(str(rng.choice(background)))
    assert rate == RATE
    n = round(SOUNDSCAPE_S * RATE)
    # Begins anywhere and goes round, so that no two have the same background.
    samples = np.resize(np.roll(samples, -rng.integers(len(samples))), n)
    level = np.sqrt(np.mean(samples**2))
    calls = []
    for row in rng.choice(len(birds), rng.integers(1, 5), replace=False):
        bird = birds.iloc[row]
        call, rate = read_audio(bird["path"])
        call = soxr.resample(call, rate, RATE)
        first = rng.integers(n - len(call))
        gain = level / np.sqrt(np.mean(call**2)) * 10 ** (rng.uniform(-6, 9) / 20)
        samples[first : first + len(call)] += gain * call
        end = (first + len(call)) / RATE
        calls.append((bird["primary_label"], first / RATE, end))
    soundfile.write(path, samples / max(1.0, np.abs(samples).max()), RATE)
    return calls


def _truth(rows, heard, species):
    truth = pd.DataFrame(0.0, rows.index, species)
    for path, name, start, end in heard:
        overlap = np.minimum(rows["end"], end) - np.maximum(rows["start"], start)
        truth.loc[(rows["path"] == path) & (overlap >= _MIN_HEARD_S), name] = 1.0
    return truth
