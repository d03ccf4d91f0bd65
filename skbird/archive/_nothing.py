"""An archive run without recordings."""

import warnings
from pathlib import Path

import pandas as pd

from skbird.archive._manifest import OtherRunError
from skbird.archive._part_files import MANIFEST, part_paths, remove_run
from skbird.archive._result import ArchiveResult
from skbird.utils._files import make_folder


def predict_nothing(species, rows, out, *, fresh, is_long):
    """Return the result of no rows, and leave `out` without a run.

    Parameters
    ----------
    species : sequence of str or None
        Those of the model, if it names them.
    rows : DataFrame or None
        The row table, if there is one.
    out : path-like
    fresh : bool
        See `predict_archive`.
    is_long : bool
        Whether a row would be a pair of row and species.

    Returns
    -------
    ArchiveResult
    """
    folder = Path(out).expanduser().absolute()
    make_folder(folder)
    if fresh:
        remove_run(folder)
    elif part_paths(folder) or (folder / MANIFEST).exists():
        raise OtherRunError(f"{folder} holds a run, and now there are no recordings.")
    warnings.warn(
        "There are no recordings to predict: the result has no rows. Does the pattern "
        "that lists the files match?",
        stacklevel=3,  # the caller of predict_archive
    )
    columns = ["path", "start", "end"] if rows is None else rows.columns
    values = [] if species is None else map(str, species)
    if is_long:
        values = ["species", "probability"]
    return ArchiveResult(
        folder=folder,
        parts=[],
        n_files=0,
        n_rows=0,
        hours=0.0,
        seconds=0.0,
        times_real_time=0.0,
        errors=pd.DataFrame(columns=["path", "error"]),
        dropped=[],
        columns=[*columns, *values],
    )
