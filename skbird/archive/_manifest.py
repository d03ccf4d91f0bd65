"""The manifest of an archive run, so that only the same run is resumed."""

import json
import os
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logit

from skbird.archive._blocks import (
    add_durations,
    compare_files,
    without_passed_faults,
)
from skbird.archive._columns import import_pyarrow, printable_paths
from skbird.archive._faults import blocks_to_mend, why_unreadable
from skbird.archive._part_files import (
    FILES,
    MANIFEST,
    part_path,
    part_paths,
    read_infos,
    write_whole,
)
from skbird.archive._sealed import DamagedFileError, seal, unseal
from skbird.utils._files import read_bytes
from skbird.utils._json import parse_json
from skbird.utils._nested import parts_of
from skbird.utils._text import counted

# Other hardware or precision moves logits by less, another training by more.
_SAME_LOGIT = 0.1

# What makes other probabilities of a prior of place and season.
_OF_PLACES = "prior", "latitude", "longitude", "date", "strength_", "min_prior"

_REMEDY = "Pass another out, or fresh=True, which deletes that run."


class OtherRunError(ValueError):
    """The folder holds another archive run, or the remains of one.

    Examples
    --------
    >>> from skbird.archive import OtherRunError
    >>> raise OtherRunError("The folder is of another model.")
    Traceback (most recent call last):
    skbird.archive.OtherRunError: The folder is of another model. ...
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason} {_REMEDY}")
        self.reason = reason


@dataclass(frozen=True)
class Plan:
    """The plan of an archive run.

    Attributes
    ----------
    files : DataFrame
        ``path``, ``size``, ``mtime_ns``, ``duration_s``, ``error``, and ``block``: -1
        for files that have none yet, which come last.
    manifest : dict or None
        None if the run is new.
    again : tuple of int
        Blocks to be predicted again: files have changed or are gone, or what could not
        be read can be now.
    infos : dict of int to PartInfo
        The parts that stay, by block.
    is_stored : bool
        Whether the stored table of files is the same.
    """

    files: pd.DataFrame
    manifest: dict | None = None
    again: tuple = ()
    infos: dict = field(default_factory=dict)
    is_stored: bool = False


def places_of(model):
    """Return the settings of priors of place and season that stand around a model.

    The first rows of an archive, by which models are told apart, may be the same at two
    places, and others not.

    Parameters
    ----------
    model : fitted estimator

    Returns
    -------
    dict
        As JSON has it; empty if there are no priors.
    """
    places = []
    for part in parts_of(model):
        if hasattr(part, "latitude") and hasattr(part, "longitude"):
            where = {name: getattr(part, name) for name in _OF_PLACES}
            if not isinstance(where["prior"], str):
                where["prior"] = type(where["prior"]).__name__
            places.append(where)
    return {"place": places} if places else {}


def places_of_run(folder):
    """Return the settings of priors with which a stored run was made.

    Parameters
    ----------
    folder : Path
        Of an archive run.

    Returns
    -------
    list of dict, or None
        As `places_of` has them under "place"; empty if there were none. None if the
        folder does not tell.
    """
    try:
        settings = _read_manifest(folder / MANIFEST)["settings"]
        places = settings.get("place", [])
        kinds = {"prior": str, "strength_": float | int, "date": str | None}
        kinds |= dict.fromkeys(("latitude", "longitude"), str | float | int)
        for place in places:
            if not all(isinstance(place[name], kinds[name]) for name in kinds):
                return None
    except (OtherRunError, LookupError, TypeError, AttributeError):
        return None
    return list(places)


def make_plan(folder, files, settings, *, fresh=False, verbose=1):
    """Read what a folder holds of a run, and say what is to be done.

    Parameters
    ----------
    folder : Path
        Folder of the archive run; it exists.
    files : DataFrame
        ``path``, ``size``, ``mtime_ns`` and ``error``. Those that a stored run does
        not have yet come after its own.
    settings : dict
        What else defines the run, as JSON has it.
    fresh : bool
        Whether to plan as if the folder were empty.
    verbose : int

    Returns
    -------
    Plan

    Raises
    ------
    ValueError
        If the folder holds another run, or a damaged one.
    """
    manifest = None if fresh else _read_manifest(folder / MANIFEST)
    if manifest is None:
        if part_paths(folder) and not fresh:
            raise OtherRunError(
                f"{folder} holds parts, but no {MANIFEST} that says of what."
            )
        return Plan(add_durations(files, verbose=verbose).assign(block=-1))
    stored = _read_files(folder / FILES)
    old = manifest["settings"]
    differences = [
        f"{name} was {old.get(name)!r} and is {value!r}"
        for name, value in (dict.fromkeys(old) | settings).items()
        if old.get(name) != value
    ]
    missing, changed = compare_files(stored, files)
    _refuse(folder, differences + _obstacles(manifest, stored, missing, changed))
    same = stored[~missing & ~changed]
    kept = without_passed_faults(same, files, verbose=verbose)
    new = files[~files["path"].isin(kept["path"])]
    if verbose and len(new):
        _say_new(len(stored), len(new), changed.sum(), len(same) - len(kept))
    # Also what has changed gets other blocks: it may be longer than it was.
    new = add_durations(new, verbose=verbose).assign(block=-1)[stored.columns]
    infos = read_infos(folder, stored["block"].unique().tolist())
    again = {*stored["block"][missing | changed].tolist(), *blocks_to_mend(infos)}
    again |= infos.keys() - set(kept["block"])  # nothing is left of them
    return Plan(
        files=pd.concat([kept, new] if len(new) else [kept], ignore_index=True),
        manifest=manifest,
        again=tuple(again),
        infos={number: info for number, info in infos.items() if number not in again},
        is_stored=len(new) == 0 and kept.equals(stored),
    )


def _say_new(n_stored, n_new, n_changed, n_opened):
    more = [
        counted(n_changed, "has changed", "have changed") if n_changed else "",
        f"{n_opened} could not be opened before" if n_opened else "",
    ]
    more = " and ".join(filter(None, more))
    print(
        f"{counted(n_new - n_changed - n_opened, 'recording is', 'recordings are')} "
        f"new; the run had {n_stored}" + (f", of which {more}." if more else ".")
    )


def _obstacles(manifest, stored, missing, changed):
    """Say which changes of files keep a run from going on, as a list of str."""
    missing = missing & (stored["error"] == "").to_numpy()
    obstacles = []
    if missing.any():
        first = stored["path"][missing].iloc[0]
        obstacles = [
            f"{counted(missing.sum(), 'recording is', 'recordings are')} missing, "
            f"first {first} ({_why_missing(first)}; once they are back, the run goes "
            "on)"
        ]
    kinds = {}
    relative = not stored["path"].map(os.path.isabs).all()
    if relative and manifest["cwd"] != _cwd():
        # The same names, seen from another folder, may be other recordings.
        kinds[f"others, seen from {_cwd()} instead of {manifest['cwd']}"] = changed
    else:
        probed = (stored["path"] == manifest["probe_path"]).to_numpy()
        kinds["changed by which models are told apart"] = changed & probed
    return obstacles + [
        f"{counted(kind.sum(), 'recording is', 'recordings are')} {how}, first "
        f"{stored['path'][kind].iloc[0]}"
        for how, kind in kinds.items()
        if kind.any()
    ]


def _why_missing(path):
    try:
        os.stat(path)
    except OSError as exc:
        return exc.strerror
    return "not among those that were passed"


def store_plan(folder, plan, settings, probe):
    """Write what defines the run, and delete the parts of files that have changed.

    Parameters
    ----------
    folder : Path
    plan : Plan
        Each file has a block.
    settings : dict
    probe : Probe
    """
    for number in plan.again:
        part_path(folder, number).unlink(missing_ok=True)
    # A run of which only the files are stored begins anew.
    if not plan.is_stored:
        _store_files(folder, plan.files)
    if plan.manifest is None:
        _store_manifest(folder, settings, probe)


def _store_files(folder, files):
    table = import_pyarrow().Table.from_pandas(files, preserve_index=False)
    write_whole(folder / FILES, seal(table))


def _store_manifest(folder, settings, probe):
    proba = [[None if np.isnan(p) else float(p) for p in row] for row in probe.proba]
    manifest = {
        "settings": settings,
        "species": probe.species,
        "probe": proba,
        "probe_rows": probe.rows,
        "probe_path": probe.path,
        "cwd": _cwd(),
    }
    manifest["checksum"] = _checksum(manifest)
    text = json.dumps(manifest, indent=1)
    write_whole(folder / MANIFEST, text.encode())


def _read_manifest(path):
    """Return the manifest, or None if there is none."""
    try:
        manifest = parse_json(read_bytes(path))
        checksum = manifest.pop("checksum", None)
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError, TypeError) as exc:
        raise _damaged(path, exc) from exc
    if checksum != _checksum(manifest):
        raise _damaged(
            path, "its content does not match its checksum, or is of another version"
        )
    # Earlier versions took the first rows, whatever they could read.
    manifest.setdefault("probe_rows", list(range(len(manifest["probe"]))))
    return manifest


def _checksum(manifest):
    text = json.dumps(manifest, sort_keys=True)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _read_files(path):
    try:
        files = unseal(path).read().to_pandas()
    except (FileNotFoundError, DamagedFileError) as exc:
        raise _damaged(path, exc) from exc
    lacking = sorted({"path", "size", "mtime_ns", "block"} - set(files.columns))
    if lacking:  # another file of the run, under this name
        raise _damaged(path, f"it has no columns {lacking}")
    return files


def _damaged(path, exc):
    reason = str(exc).strip()
    return OtherRunError(f"{path} is damaged or missing ({reason}).")


def check_model(folder, plan, probe):
    """Refuse to go on with another model than the one that began.

    Parameters
    ----------
    folder : Path
    plan : Plan
        Plan of a run that goes on.
    probe : Probe
        Predictions of the first rows by the model as it is now.

    Raises
    ------
    ValueError
        If species or predictions are others.
    """
    species, manifest = probe.species, plan.manifest
    if manifest["species"] != species:
        _refuse(folder, [_species_difference(manifest["species"], species)])
    if manifest["probe_path"] != probe.path:
        reason = why_unreadable(manifest["probe_path"]) or "but others can"
        _refuse(
            folder,
            [f"the model cannot read {manifest['probe_path']}, as it did ({reason})"],
        )
    old = np.array(manifest["probe"], dtype=np.float64).reshape(-1, len(species))
    _, before, now = np.intersect1d(
        manifest["probe_rows"], probe.rows, assume_unique=True, return_indices=True
    )
    is_same = len(now) > 0 and np.allclose(
        _logits(old[before]),
        _logits(probe.proba[now]),
        rtol=0,
        atol=_SAME_LOGIT,
        equal_nan=True,
    )
    if not is_same and manifest["probe_rows"] != probe.rows:
        # Also the others may differ: models can see all rows of a recording at once.
        _refuse(
            folder, [f"the model cannot read the rows of {probe.path} that it could"]
        )
    if not is_same:
        _refuse(folder, ["the model gives the first rows other probabilities"])


def _cwd():
    """Return the folder from which relative paths are seen, as Parquet can hold it."""
    return printable_paths([os.getcwd()])[0][0]


def _species_difference(old, new):
    place = next(
        (n for n, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]),
        min(len(old), len(new)),
    )
    return (
        f"species were {len(old)} and are {len(new)}, the first difference being at "
        f"{place}: {old[place : place + 1]} and {new[place : place + 1]}"
    )


def _logits(proba):
    return logit(np.clip(proba.astype(np.float64), 1e-7, 1 - 1e-7))


def _refuse(folder, differences):
    if differences:
        raise OtherRunError(
            f"{Path(folder)} holds another run: {'; '.join(differences)}."
        )
