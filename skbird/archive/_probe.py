"""A model's predictions of a few rows, by which an archive run recognises it."""

from dataclasses import dataclass

import numpy as np

from skbird.archive._faults import reasons_of, rows_to_probe, why_unreadable
from skbird.audio import AudioReadError
from skbird.data import segment_table
from skbird.utils._nested import predict_matrix, species_of
from skbird.utils._text import none_of

_N_ROWS = 3


@dataclass(frozen=True)
class Probe:
    """A model's predictions of the first rows of a recording.

    It shows before hours of work whether the model takes such rows, and tells models
    apart by what counts: pickles of one model differ, say after a prediction.

    Attributes
    ----------
    path : str
        The recording.
    rows : list of int
        Positions within the rows of the recording: some cannot be read at times.
    species : list of str
    proba : ndarray of shape (n_probe_rows, n_species)
    """

    path: str
    rows: list
    species: list
    proba: np.ndarray


def probe_model(model, blocks, segment_s, step_s, plan):
    """Predict the first rows of a file that can be read, or those of before.

    Parameters
    ----------
    model : estimator object
    blocks : Blocks
    segment_s, step_s : float
        See `segment_table`.
    plan : Plan

    Returns
    -------
    Probe

    Raises
    ------
    ValueError
        If no file can be read.
    """
    names = species_of(model)
    numbers, last, before = list(range(len(blocks))), None, ()
    if plan.manifest is not None:
        last, before = plan.manifest["probe_path"], plan.manifest["probe_rows"]
        numbers = plan.files["block"][plan.files["path"] == last].tolist() + numbers
    reason = None
    for block in map(blocks.__getitem__, numbers):
        # That of before comes first; sorted() keeps the order of the others.
        for path in sorted(block.paths, key=lambda path: path != last):
            if block.rows is None:
                rows = segment_table([path], segment_s, step_s, on_error="skip")
                if rows["end"].isna().any():  # it cannot be opened any more
                    reason = why_unreadable(path) or reason
                    continue
            else:
                rows = block.rows[block.rows["path"] == path].reset_index(drop=True)
            for tried in rows_to_probe(rows, _N_ROWS, before if path == last else ()):
                try:
                    some, proba = _predict(model, rows, tried, names)
                except AudioReadError as exc:
                    reason = str(exc)
                    continue
                if len(some):
                    names = range(proba.shape[1]) if names is None else names
                    return Probe(path, some, [str(name) for name in names], proba)
                said = reasons_of(model, rows.iloc[tried])
                reason = next(iter(said.values()), reason)
        reason = reason or (block.errors[0][1] if block.errors else None)
    raise AudioReadError(
        f"{none_of(blocks.n_files.sum(), 'recording')} can be predicted. The first "
        f"reason: {reason or 'the model gives NaN.'}"
    )


def _predict(model, rows, some, names):
    """Return the rows that a model can read, and its predictions of them.

    A model may see all rows at once: each must have been there when numbers are kept.
    """
    n_species = None if names is None else len(names)
    while True:
        chosen = rows.iloc[some].reset_index(drop=True)
        proba = predict_matrix(model, chosen, n_species)
        read = ~np.isnan(proba).all(axis=1)
        if read.all() or not read.any():
            return [
                row for row, is_read in zip(some, read, strict=True) if is_read
            ], proba
        some = np.array(some)[read].tolist()
