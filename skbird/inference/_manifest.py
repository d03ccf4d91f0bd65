"""What defines an archive run, so that only the same run is resumed."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logit
from sklearn.pipeline import Pipeline

from skbird.data import AudioReadError, segment_table
from skbird.inference._block_work import row_proba
from skbird.inference._blocks import add_durations, changed_files
from skbird.inference._parts import (
    DAMAGE,
    FILES,
    MANIFEST,
    import_pyarrow,
    part_paths,
    write_whole,
)

_PROBE_ROWS = 3
# Other hardware or precision moves logits by less, another training by more.
_SAME_LOGIT = 0.1

_REMEDY = "Pass another out, or fresh=True, which deletes that run."


class OtherRunError(ValueError):
    """The folder holds another archive run, or what is left of one."""

    def __init__(self, reason):
        super().__init__(f"{reason} {_REMEDY}")
        self.reason = reason


def load_or_plan(folder, files, settings, *, fresh=False, verbose=True):
    """Return the table of files with durations: the stored one, or a new one.

    Parameters
    ----------
    folder : Path
        That of the archive run; it exists.
    files : DataFrame
        ``path``, ``size``, ``mtime_ns`` and ``error``. Those that a stored run does
        not have yet come after its own.
    settings : dict
        What else defines the run, as JSON has it.
    fresh : bool
        Whether to plan as if the folder were empty.
    verbose : bool

    Returns
    -------
    files : DataFrame
        With ``duration_s``, and ``batch``: 0 for the files that the run began with, 1
        for those that came next, and so on.
    n_new : int
        How many of them the stored table lacks.
    manifest : dict or None
        None if the run is new.

    Raises
    ------
    ValueError
        If the folder holds another run, or a damaged one.
    """
    if fresh or not (folder / MANIFEST).exists():
        if part_paths(folder) and not fresh:
            raise OtherRunError(
                f"{folder} holds parts, but no {MANIFEST} that says of what."
            )
        files = add_durations(files, verbose=verbose).assign(batch=0)
        return files, len(files), None
    manifest, stored = _read_manifest(folder / MANIFEST), _read_files(folder / FILES)
    old = manifest["settings"]
    differences = [
        f"{name} was {old.get(name)!r} and is {value!r}"
        for name, value in settings.items()
        if old.get(name) != value
    ]
    _refuse(folder, differences + changed_files(stored, files))
    new = files[~files["path"].isin(stored["path"])]
    if len(new):
        if verbose:
            print(f"{len(new)} recordings are new; the run had {len(stored)}.")
        new = add_durations(new, verbose=verbose)
        new = new.assign(batch=stored["batch"].max() + 1)
        stored = pd.concat([stored, new[stored.columns]], ignore_index=True)
    return stored, len(new), manifest


def store_files(folder, files):
    """Write the table of files, before any of their parts."""
    buffer = io.BytesIO()
    import_pyarrow()
    files.to_parquet(buffer, index=False)
    write_whole(folder / FILES, buffer.getbuffer())


def store_manifest(folder, settings, species, probe):
    """Write what defines the run, once the table of files is there."""
    probe = [[None if np.isnan(p) else float(p) for p in row] for row in probe]
    manifest = {"settings": settings, "species": species, "probe": probe}
    text = json.dumps(manifest, indent=1)
    write_whole(folder / MANIFEST, text.encode())


def _read_manifest(path):
    try:
        manifest = json.loads(path.read_bytes())
        return {key: manifest[key] for key in ("settings", "species", "probe")}
    except DAMAGE as exc:
        raise _damaged(path, exc) from exc


def _read_files(path):
    import_pyarrow()
    columns = ["path", "size", "mtime_ns", "duration_s", "error", "batch"]
    try:
        return pd.read_parquet(path, columns=columns)
    except DAMAGE as exc:
        raise _damaged(path, exc) from exc


def _damaged(path, exc):
    reason = str(exc).strip()
    return OtherRunError(f"{path} is damaged or missing ({reason}).")


def check_model(folder, manifest, species, probe):
    """Refuse to go on with another model than the one that began.

    Parameters
    ----------
    folder : Path
    manifest : dict
    species : list of str
    probe : ndarray of shape (n_probe_rows, n_species)
        What the model predicts now for the first rows.

    Raises
    ------
    ValueError
        If species or predictions are others.
    """
    if manifest["species"] != species:
        _refuse(folder, [_species_difference(manifest["species"], species)])
    old = np.array(manifest["probe"], dtype=np.float64).reshape(-1, len(species))
    if old.shape != probe.shape or not np.allclose(
        _logits(old), _logits(probe), rtol=0, atol=_SAME_LOGIT, equal_nan=True
    ):
        _refuse(
            folder,
            ["the model gives the first rows other probabilities"],
        )


def probe_model(model, blocks, segment_s, step_s):
    """Predict the first rows of the first file that can be read.

    It shows before hours of work whether the model takes such rows, and tells models
    apart by what counts: pickles of one model differ, say after a prediction.

    Parameters
    ----------
    model : estimator object
    blocks : Blocks
    segment_s, step_s : float
        See `segment_table`.

    Returns
    -------
    species : list of str
    proba : ndarray of shape (n_probe_rows, n_species)

    Raises
    ------
    ValueError
        If no file can be read, or names of species are not unique.
    """
    names = species_names(model)
    reason = None
    for block in map(blocks.__getitem__, range(len(blocks))):
        for path in block.paths:
            if block.rows is None:
                rows = segment_table([path], segment_s, step_s, on_error="skip")
            else:
                rows = block.rows[block.rows["path"] == path].reset_index(drop=True)
            try:
                proba = row_proba(
                    model, rows[:_PROBE_ROWS], None if names is None else len(names)
                )
            except AudioReadError as exc:
                reason = str(exc)
                continue
            if not np.isnan(proba).all():
                names = range(proba.shape[1]) if names is None else names
                return _unique([str(name) for name in names]), proba
        reason = reason or (block.errors[0][1] if block.errors else None)
    raise AudioReadError(
        f"None of the {blocks.n_files.sum()} recordings can be predicted. The reason "
        f"for one of them: {reason or 'the model gives NaN.'}"
    )


def species_names(model):
    """Return the names of the species that a model knows, or None."""
    while isinstance(model, Pipeline) and not hasattr(model, "species_"):
        model = model[-1]
    return getattr(model, "species_", None)


def _unique(species):
    taken = pd.Series(["path", "start", "end", *species])
    twice = taken[taken.duplicated()]
    if len(twice):
        raise ValueError(
            f"The model's species_ hold {twice.iloc[0]!r} twice, or as the name of "
            "another column. Each species needs a name of its own."
        )
    return species


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
