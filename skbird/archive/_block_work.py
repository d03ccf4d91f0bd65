"""Predict a block of an archive and write its part, in whatever process."""

import pickle
import threading
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
from joblib import parallel_config, wrap_non_picklable_objects

from skbird.archive._faults import (
    file_errors,
    find_faults,
    reasons_of,
    stretches_to_try,
    which_readable,
)
from skbird.archive._part_files import (
    part_path,
    read_part_info,
    write_part,
    write_whole,
)
from skbird.audio import AudioReadError, cut_short, read_headers
from skbird.data import segment_table
from skbird.utils._files import read_bytes
from skbird.utils._nested import predict_matrix
from skbird.utils._text import counted

_LOST = "it could not be opened for a moment."


# Without eq it is hashable, which joblib asks of what it sends to a Dask cluster.
@dataclass(frozen=True, eq=False)
class BlockWork:
    """Predicts blocks and writes their parts; pickles, and returns little.

    Attributes
    ----------
    folder : str
        Where the parts go.
    species : list of str
    segment_s, step_s : float
        See `segment_table`.
    min_proba, top_species : float, int or None
        See `write_part`.
    columns : dict
        See `further_columns`.
    """

    folder: str
    species: list
    segment_s: float
    step_s: float
    min_proba: float | None
    top_species: int | None
    columns: dict

    def __call__(self, model, block, dropped=()):
        """Predict a block and write its part.

        Parameters
        ----------
        model : estimator object or SharedModel
        block : Block
        dropped : sequence of str
            Parts of the model that were left out, to be noted in the part.

        Returns
        -------
        number : int
            Number of the block.
        info : PartInfo
        """
        path = part_path(self.folder, block.number)
        # A cluster asks again if a worker died before its answer was fetched.
        info = read_part_info(path)
        if info is not None:
            return block.number, info
        # A step's own threads must not become tasks of the cluster that blocks are.
        with parallel_config(backend="threading"):
            if isinstance(model, SharedModel):
                model = model.load()
            try:
                rows, proba, reasons, faults = self._predict(model, block)
            except Exception as exc:
                raise RuntimeError(
                    f"{type(exc).__name__} in the block of "
                    f"{counted(block.n_files, 'file')} that begins with "
                    f"{block.first_path}: {exc}\nThe parts that are finished are kept: "
                    "mend the cause and call again with the same arguments; the run "
                    "goes on where it stopped."
                ) from exc
            read = ~np.isnan(proba).all(axis=1)
            errors = file_errors(rows, ~read, reasons, faults)
            said = {path for path, _ in errors}
            whole = [path for path in block.paths if path not in said]
            errors += cut_short(whole, read_headers(whole))
        info = write_part(
            path,
            rows[read],
            proba[read],
            self.species,
            errors,
            dropped,
            min_proba=self.min_proba,
            top_species=self.top_species,
            columns=self.columns,
            again=stretches_to_try(faults),
        )
        return block.number, info

    def _predict(self, model, block):
        """Return rows, their probabilities, why files have NaN, and their faults."""
        rows, lost = self._rows(block)
        proba = np.full((len(rows), len(self.species)), np.nan)
        proba[~lost], reasons = self._proba(model, rows[~lost])
        unread = np.isnan(proba).all(axis=1)
        faults = find_faults(rows[unread])
        for path in rows["path"][lost]:
            faults.setdefault(path, (0.0, self.segment_s, _LOST))
        # What can be read now could not be for a moment, or the model does not want it.
        passed = set(rows["path"][unread]) - set(faults)
        if passed:
            is_passed = rows["path"].isin(passed).to_numpy()
            proba[is_passed], more = self._proba(model, rows[is_passed])
            reasons |= more
        return rows, proba, reasons, faults

    def _rows(self, block):
        """Return the rows, and which of them stand for files that cannot be opened."""
        if block.rows is not None:
            return block.rows, np.zeros(len(block.rows), dtype=bool)
        rows = pd.DataFrame(columns=["path", "start", "end"])
        lost = rows["end"].isna()
        for _ in range(2):  # the fault may have passed
            if block.paths:
                rows = segment_table(
                    block.paths, self.segment_s, self.step_s, on_error="skip"
                )
                lost = rows["end"].isna()
            if not lost.any():
                break
        return rows, lost.to_numpy()

    def _proba(self, model, rows):
        return readable_proba(model, rows.reset_index(drop=True), len(self.species))


def readable_proba(model, rows, n_species):
    """Predict all rows that can be read, also if the model raises for the others.

    Parameters
    ----------
    model : estimator object
    rows : DataFrame
        Columns ``path``, ``start``, ``end``.
    n_species : int

    Returns
    -------
    proba : ndarray of shape (n_rows, n_species)
        NaN where there is no prediction.
    reasons : dict
        What the model says of the files that it could not use.
    """
    proba, reasons = np.full((len(rows), n_species), np.nan), {}
    if len(rows) == 0:
        return proba, reasons
    try:
        proba = predict_matrix(model, rows, n_species)
        return proba, reasons_of(model, rows[np.isnan(proba).all(axis=1)])
    except AudioReadError:
        pass
    for path, index in rows.groupby("path", sort=False).indices.items():
        try:
            file_rows = rows.iloc[index].reset_index(drop=True)
            proba[index] = predict_matrix(model, file_rows, n_species)
        except AudioReadError as exc:
            reasons[path] = str(exc)
            # Together, as a model may look at all rows of a file.
            good = index[which_readable(file_rows)]
            proba[good] = _by_halves(model, rows.iloc[good], n_species)
    return proba, reasons


def _by_halves(model, rows, n_species):
    """Predict rows, all at once if the model takes them; those it refuses are NaN."""
    try:
        return predict_matrix(model, rows.reset_index(drop=True), n_species)
    except AudioReadError:
        if len(rows) == 1:
            return np.full((1, n_species), np.nan)
    middle = len(rows) // 2
    halves = rows.iloc[:middle], rows.iloc[middle:]
    return np.concatenate([_by_halves(model, half, n_species) for half in halves])


# Models by thread, each with its digest. Not in a threading.local: what pool threads
# hold is destroyed when the process ends, which OpenVINO does not survive.
_loaded: dict[int, tuple] = {}


@dataclass(frozen=True)
class SharedModel:
    """A model in a file beside the parts, which each worker loads once.

    Sent along with each block, it would pass the scheduler thousands of times; and what
    joblib hands to a Dask cluster as data is lost with the worker that holds it.
    """

    path: str
    digest: str

    @classmethod
    def store(cls, model, folder):
        """Write the model; the caller removes the file in the end."""
        # As joblib does itself: classes of a script or notebook travel along.
        data = pickle.dumps(wrap_non_picklable_objects(model, keep_wrapper=False))
        path = Path(folder) / f".model-{uuid4().hex}.tmp"
        write_whole(path, data)
        return cls(str(path), blake2b(data).hexdigest())

    def load(self):
        """Return the model; each thread of a worker has its own."""
        thread = threading.get_ident()
        digest, model = _loaded.get(thread, (None, None))
        if digest != self.digest:
            data = read_bytes(self.path, max_bytes=None)
            if blake2b(data).hexdigest() != self.digest:
                raise RuntimeError(f"{self.path} is not the file that this run wrote.")
            model = pickle.loads(data)
            _loaded[thread] = self.digest, model
        return model

    def unload(self):
        """Forget what threads of this process have loaded."""
        for thread, (digest, _) in list(_loaded.items()):
            if digest == self.digest:
                _loaded.pop(thread, None)
