"""A synthetic data set of the BirdCLEF 2025 shape, for the quickstart and the tests."""

import json
import tempfile
from numbers import Integral, Real
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import soundfile

from skbird.datasets._birdclef import load_birdclef
from skbird.datasets._synthetic_scenes import (
    COLLECTIONS,
    ROW_S,
    SITES,
    SOUNDSCAPE_RATE,
    draw_author,
    synthesize_recording,
    synthesize_soundscape,
)
from skbird.datasets._synthetic_species import SPECIES
from skbird.utils._files import read_bytes
from skbird.utils._json import parse_json
from skbird.utils._params import N_JOBS, as_floats, check_params, check_path

_MOST_FILES = 1_000_000
_LONGEST_S = 3600
_MANIFEST = "skbird_synthetic.json"
# Raise it when the same parameters give other samples: old sets are then noticed.
_VERSION = 1
_LATER = {"rarest_share": 0.15, "background": [0.6, 0.3, 0.1]}
# Second entry of every seed: random streams that never meet.
_RECORDING, _AUTHOR, _SOUNDSCAPE, _PLAN, _CAST = range(5)


def make_birdclef(
    root,
    *,
    n_species=12,
    n_recordings=300,
    n_test=10,
    n_labeled=4,
    n_unlabeled=8,
    soundscape_s=60.0,
    rarest_share=0.15,
    background=(0.6, 0.3, 0.1),
    random_state=0,
    n_jobs=-1,
):
    """Make a synthetic data set of the BirdCLEF 2025 shape, and load it.

    Species of four groups call in recordings of three collections and in soundscapes of
    four sites. It is made so that better methods score better:

    - Species of a group share a frequency band and differ in time structure only: an
      upward or downward sweep, the order of two notes, the rate of pulses.
    - Individuals differ in pitch and tempo, and some species have two call types.
    - Recordings per species form a long tail; each collection has every species that
      has at least three recordings.
    - XC is clean; iNat is narrow, overdriven and near roads; in CSA a voice announces
      the species. Each has its level, noise, equalisation and sample rates, and each of
      its authors a microphone.
    - Other species are heard in the background; most are listed as secondary labels.
    - Soundscapes have another noise, echo, distance, and a few species each that call
      in several rows.

    Parameters
    ----------
    root : str or path-like
        Folder to write to, new or empty. If it already holds the same set, that is
        loaded; if it holds anything else, an error is raised and nothing is changed.
    n_species : int in [2, 200], default=12
        Number of species: 12 are 6 birds and 2 of each other group.
    n_recordings : int >= n_species, default=300
        Focal recordings of 4 to 25 s.
    n_test, n_labeled, n_unlabeled : int, default=10, 4, 8
        Test soundscapes (at least 1), and training soundscapes with and without truth.
    soundscape_s : float >= 5, default=60.0
        Length of a soundscape in seconds.
    rarest_share : float in (0, 1], default=0.15
        Recordings of the rarest species over those of the commonest.
    background : sequence of float, default=(0.6, 0.3, 0.1)
        Probabilities that 0, 1, 2, ... other species are heard in a recording.
    random_state : int >= 0, default=0
        The same number gives the same samples, whatever `n_jobs` is.
    n_jobs : int, default=-1
        Threads, as in joblib; -1 uses all cores.

    Returns
    -------
    data : sklearn.utils.Bunch
        See :func:`load_birdclef`; ``soundscapes_Y`` and ``test_Y`` hold the truth of
        rows, ``calls`` the extents of the calls in these soundscapes.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    FileExistsError
        If `root` holds something else.

    Notes
    -----
    Macro ROC-AUC on three default sets (seeds 0, 2, 3), as ``benchmarks/synthetic.py``
    prints it:

    - A trivial baseline, statistics of the mel bands and logistic regression: 0.719 on
      held-out collections, 0.766 on the test soundscapes.
    - A small network, trained from scratch, once without each collection and once on
      all: 0.950 and 0.957; 0.965 when multiplied by the mean of the soundscape.

    Examples
    --------
    >>> import tempfile
    >>> from skbird.datasets import make_birdclef
    >>> with tempfile.TemporaryDirectory() as root:
    ...     data = make_birdclef(root, n_species=2, n_recordings=4, n_test=1,
    ...                          n_labeled=0, n_unlabeled=0, soundscape_s=10)
    >>> data.species
    ['910001', 'upwwhi1']
    >>> data.species_table["group"].tolist()
    ['Amphibia', 'Aves']
    >>> data.test_Y.shape
    (2, 2)
    """
    manifest = _check_parameters(
        n_species=n_species,
        n_recordings=n_recordings,
        n_test=n_test,
        n_labeled=n_labeled,
        n_unlabeled=n_unlabeled,
        soundscape_s=soundscape_s,
        rarest_share=rarest_share,
        background=background,
        random_state=random_state,
    )
    root = Path(check_path(root, "root"))
    check_params("make_birdclef", {"n_jobs": N_JOBS}, n_jobs=n_jobs)
    if not _is_made(root, manifest):
        root.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and renamed when complete: a killed run leaves no half a set.
        with tempfile.TemporaryDirectory(
            prefix=f".{root.name}-", dir=root.parent
        ) as scratch:
            made = Path(scratch) / "set"
            _write_set(made, manifest, n_jobs)
            if root.is_dir():
                root.rmdir()
            made.rename(root)
    return load_birdclef(root)


def _check_parameters(**parameters):
    limits = {
        "n_species": (2, len(SPECIES)),
        "n_recordings": (parameters["n_species"], _MOST_FILES),
        "n_test": (1, _MOST_FILES),
        "n_labeled": (0, _MOST_FILES),
        "n_unlabeled": (0, _MOST_FILES),
        "random_state": (0, 2**32 - 1),
    }
    for name, (low, high) in limits.items():
        value = parameters[name]
        if not isinstance(value, Integral) or not low <= value <= high:
            raise ValueError(
                f"{name}={value!r} must be a whole number from {low} to {high}."
            )
        parameters[name] = int(value)
    soundscape_s = parameters["soundscape_s"]
    if not isinstance(soundscape_s, Real) or not ROW_S <= soundscape_s <= _LONGEST_S:
        raise ValueError(
            f"soundscape_s={soundscape_s!r} must be at least {ROW_S} s, one row, and "
            f"at most {_LONGEST_S} s, an hour."
        )
    parameters |= {"soundscape_s": float(soundscape_s)}
    parameters |= _check_shares(parameters["rarest_share"], parameters["background"])
    # Sets that are on disk since before there were these two stay the same.
    later = {k: v for k, v in _LATER.items() if parameters[k] == v}
    return {
        "version": _VERSION,
        **{k: v for k, v in parameters.items() if k not in later},
    }


def _check_shares(rarest_share, background):
    if not isinstance(rarest_share, Real) or not 0 < rarest_share <= 1:
        raise ValueError(
            f"rarest_share={rarest_share!r:.100} must be above 0, at most 1."
        )
    try:
        given = as_floats(background, "background", np.float64)
    except (TypeError, ValueError):
        given = np.empty(0)
    if given.ndim != 1 or not (given >= 0).all() or not np.isclose(given.sum(), 1):
        raise ValueError(
            f"background={background!r:.100} must be probabilities that sum to 1: of "
            "no other species, of one, and so on."
        )
    return {"rarest_share": float(rarest_share), "background": given.tolist()}


def _is_made(root, manifest):
    """Return whether root holds this very set; an error if it holds anything else."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    found = "no manifest of make_birdclef"
    if (root / _MANIFEST).is_file():
        try:
            found = parse_json(read_bytes(root / _MANIFEST))
        except ValueError as exc:
            found = f"a damaged {_MANIFEST} ({exc})"
    if found == manifest:
        return True
    raise FileExistsError(
        f"root={str(root)!r} exists and is not the set asked for; nothing was changed. "
        f"Found: {found}. Asked for: {manifest}. Choose another root or delete it."
    )


def _write_set(root, manifest, n_jobs):
    seed, n_species = manifest["random_state"], manifest["n_species"]
    for species in SPECIES[:n_species]:
        (root / "train_audio" / species.label).mkdir(parents=True)
    for folder in ("train_soundscapes", "test_soundscapes"):
        (root / folder).mkdir()
    settings = _LATER | manifest
    recordings = _plan_recordings(
        n_species, manifest["n_recordings"], seed, settings["rarest_share"]
    )
    soundscapes = _plan_soundscapes(n_species, manifest, seed)
    # Threads: the work is in numpy, scipy and libsndfile, which let go of the lock.
    rows = joblib.Parallel(n_jobs=n_jobs, prefer="threads")(
        joblib.delayed(_write_recording)(
            root, seed, n_species, settings["background"], number, *plan
        )
        for number, plan in enumerate(recordings)
    )
    written = joblib.Parallel(n_jobs=n_jobs, prefer="threads")(
        joblib.delayed(_write_soundscape)(
            root, seed, manifest["soundscape_s"], number, *plan
        )
        for number, plan in enumerate(soundscapes)
    )
    truths, calls = zip(*written, strict=True)
    pd.DataFrame(rows).sort_values("filename").to_csv(root / "train.csv", index=False)
    _write_taxonomy(root, SPECIES[:n_species])
    for kind in ("test", "labeled"):
        _write_truth(
            root,
            kind,
            [t for t, plan in zip(truths, soundscapes, strict=True) if plan[0] == kind],
            sorted(species.label for species in SPECIES[:n_species]),
        )
    _write_calls(root, calls, soundscapes)
    (root / _MANIFEST).write_text(json.dumps(manifest, indent=1))


def _plan_recordings(n_species, n_recordings, seed, rarest_share=0.15):
    """Species and collection of each recording: a long tail, all sources."""
    shares = rarest_share ** np.linspace(0, 1, n_species)
    counts = 1 + np.floor(shares / shares.sum() * (n_recordings - n_species))
    counts[0] += n_recordings - counts.sum()
    rng = np.random.default_rng([seed, _PLAN])
    n_sources = len(COLLECTIONS)
    plan = []
    for species, count in enumerate(counts.astype(int)):
        sources = rng.choice(n_sources, size=count, p=[c.share for c in COLLECTIONS])
        # The first ones go round the collections, so that a rare species is in each.
        n_round = min(count, 2 * n_sources)
        sources[:n_round] = np.arange(n_round) % n_sources
        plan += [(species, int(source)) for source in sources]
    return plan


def _plan_soundscapes(n_species, manifest, seed):
    """Kind, name, site and cast of each; every species equally often in each kind."""
    plan = []
    for stream, kind in enumerate(("test", "labeled", "unlabeled")):
        rng = np.random.default_rng([seed, _CAST, stream])
        n_files = manifest[f"n_{kind}"]
        n_rounds = 5 * n_files // n_species + 1
        waiting = np.concatenate([rng.permutation(n_species) for _ in range(n_rounds)])
        for _ in range(n_files):
            site = sorted(SITES)[rng.integers(len(SITES))]
            size = rng.integers(3, 6)
            cast, waiting = sorted(set(waiting[:size].tolist())), waiting[size:]
            time = pd.Timestamp("2024-05-01 05:30") + len(plan) * pd.Timedelta("7h")
            plan.append((kind, f"{site}_{time:%Y%m%d_%H%M%S}", site, cast))
    return plan


def _write_recording(root, seed, n_species, background, number, species, source):
    """Write a focal recording; returns its row of train.csv."""
    rng = np.random.default_rng([seed, _RECORDING, number])
    author, microphone = draw_author(source, [seed, _AUTHOR], rng)
    audio, sample_rate, facts = synthesize_recording(
        species, source, n_species, microphone, rng, background
    )
    name, animal = f"{COLLECTIONS[source].name}{100_000 + number}", SPECIES[species]
    filename = f"{animal.label}/{name}.ogg"
    _write_ogg(root / "train_audio" / filename, audio, sample_rate)
    return {
        "primary_label": animal.label,
        "secondary_labels": str([SPECIES[i].label for i in facts["heard"]] or [""]),
        "type": str([facts["type"]]),
        "filename": filename,
        "collection": COLLECTIONS[source].name,
        "rating": facts["rating"],
        "url": f"https://example.org/{name}",
        "latitude": round(rng.uniform(5.5, 7.5), 4),
        "longitude": round(rng.uniform(-75.5, -73.5), 4),
        "scientific_name": animal.scientific_name,
        "common_name": animal.common_name,
        "author": author,
        "license": "cc0 1.0",
    }


def _write_soundscape(root, seed, duration_s, number, kind, name, site, cast):
    """Write a soundscape; returns the truth of its rows, and its calls."""
    rng = np.random.default_rng([seed, _SOUNDSCAPE, number])
    audio, present, calls = synthesize_soundscape(cast, site, duration_s, rng)
    folder = "test_soundscapes" if kind == "test" else "train_soundscapes"
    filename = f"{folder}/{name}.ogg"
    _write_ogg(root / filename, audio, SOUNDSCAPE_RATE)
    ends = (ROW_S * np.arange(1, len(present) + 1)).astype(int)
    truth = pd.DataFrame(
        present.astype(int),
        index=[f"{name}_{end}" for end in ends],  # as in a submission
        columns=[SPECIES[species].label for species in cast],
    )
    calls = pd.DataFrame(
        [(filename, SPECIES[species].label, *extent) for species, *extent in calls],
        columns=["filename", "species", "start", "end", "low_hz", "high_hz"],
    )
    return truth, calls.sort_values("start").round(3)


def _write_ogg(path, audio, sample_rate):
    with soundfile.SoundFile(
        path, "w", sample_rate, channels=1, format="OGG", subtype="VORBIS"
    ) as file:
        # One long write can crash libsndfile's Vorbis encoder.
        for start in range(0, len(audio), sample_rate // 2):
            file.write(audio[start : start + sample_rate // 2])


def _write_taxonomy(root, species):
    table = pd.DataFrame(
        {
            "primary_label": [s.label for s in species],
            "inat_taxon_id": [
                s.label if s.label.isdigit() else str(900_000 + number)
                for number, s in enumerate(species)
            ],
            "scientific_name": [s.scientific_name for s in species],
            "common_name": [s.common_name for s in species],
            "class_name": [s.group for s in species],
        }
    )
    table.sort_values("primary_label").to_csv(root / "taxonomy.csv", index=False)


def _write_calls(root, calls, soundscapes):
    """Write where calls are in time and frequency, but for unlabelled soundscapes."""
    known = [c for c, p in zip(calls, soundscapes, strict=True) if p[0] != "unlabeled"]
    pd.concat(known).to_csv(root / "soundscape_calls.csv", index=False)


def _write_truth(root, kind, truths, columns):
    if not truths:
        return
    table = pd.concat(truths).reindex(columns=columns).fillna(0).astype(int)
    if kind == "labeled":
        table.to_csv(root / "train_soundscape_truth.csv", index_label="row_id")
        return
    table.to_csv(root / "soundscape_truth.csv", index_label="row_id")
    uniform = pd.DataFrame(1 / len(columns), index=table.index, columns=columns)
    uniform.to_csv(root / "sample_submission.csv", index_label="row_id")
