"""Faults in reading recordings, which may have passed when they are read again."""

import warnings
from itertools import islice

import numpy as np
from joblib import Parallel, delayed
from sklearn.pipeline import Pipeline

from skbird.audio import AudioReadError, read_audio
from skbird.utils._nested import parts_of

_NAN = "the model gives NaN for them, though they can be read."


def find_faults(rows):
    """Read rows that could not be predicted, file by file, to see what is wrong.

    Parameters
    ----------
    rows : DataFrame
        Columns ``path``, ``start``, ``end``.

    Returns
    -------
    dict of str to (float, float, str)
        For each file of which a row cannot be read: the first of these, and why.
    """
    faults = {}
    for path, start, end in _stretches(rows):
        reason = None if path in faults else why_unreadable(path, start, end)
        if reason is not None:
            faults[path] = start, end, reason
    return faults


def why_unreadable(path, start_s=0.0, end_s=None):
    """Return why a stretch of a recording cannot be read, or None if it can."""
    try:
        read_audio(path, start_s, end_s)
    except AudioReadError as exc:
        return str(exc)
    return None


def reasons_of(model, rows):
    """Return what a model that skips files says of those that it did not predict.

    Reading them may not tell: that they lack a channel, only those know who want it.

    Parameters
    ----------
    model : estimator
        Its front ends, steps that have ``on_error``, are asked.
    rows : DataFrame
        Columns ``path``, ``start``, ``end``: those without a prediction.

    Returns
    -------
    dict of str to str
        For some of the files, why they are left out.
    """
    reasons = {}
    if len(rows) == 0:
        return reasons
    for part in parts_of(model):
        errors = _errors_of(part, rows.reset_index(drop=True))
        if errors is not None:
            # The outer one is asked first, and knows the steps before a front end.
            reasons = dict(zip(errors["path"], errors["error"], strict=True)) | reasons
    return reasons


def _errors_of(part, rows):
    """Return the errors of the front end in a part; None if it has none."""
    steps = [step for _, step in part.steps] if isinstance(part, Pipeline) else [part]
    skipping = [n for n, step in enumerate(steps) if hasattr(step, "on_error")]
    if not skipping:
        return None
    step = steps[skipping[0]]
    with warnings.catch_warnings():  # that rows are left out was said
        warnings.simplefilter("ignore")
        if skipping[0]:
            rows = part[: skipping[0]].transform(rows)
        if hasattr(step, "row_errors"):
            return step.row_errors(rows)
        result = step.transform(rows) if isinstance(part, Pipeline) else None
    return getattr(result, "errors", None)


def which_readable(rows):
    """Tell which rows can be read, as an ndarray of bool, shape (n_rows,).

    Parameters
    ----------
    rows : DataFrame
        Columns ``path``, ``start``, ``end``.
    """
    reasons = (why_unreadable(*stretch) for stretch in _stretches(rows))
    return np.array([reason is None for reason in reasons], dtype=bool)


def rows_to_probe(rows, n_rows, before=()):
    """Yield the first rows of a recording; if asked for more, the first readable ones.

    Parameters
    ----------
    rows : DataFrame
        Columns ``path``, ``start``, ``end``.
    n_rows : int
        How many.
    before : sequence of int, default=()
        Positions of rows that come before all others.

    Yields
    ------
    list of int
        Positions within `rows`.
    """
    before = [row for row in before if row < len(rows)]
    if before:
        yield before
    yield list(range(min(n_rows, len(rows))))
    stretches = enumerate(_stretches(rows))
    readable = (row for row, one in stretches if why_unreadable(*one) is None)
    first = list(islice(readable, n_rows))
    if first:
        yield first


def _stretches(rows):
    return rows[["path", "start", "end"]].itertuples(index=False, name=None)


def file_errors(rows, unread, reasons, faults=None):
    """Say for each file with rows that were not predicted why that is so.

    Parameters
    ----------
    rows : DataFrame
        Columns ``path``, ``start``, ``end``.
    unread : ndarray of bool, shape (n_rows,)
    reasons : dict
        What the model said of some files.
    faults : dict, default=None
        Reasons why rows were not predicted; None means to find them.

    Returns
    -------
    list of (str, str)
    """
    errors = []
    n_rows = rows["path"].value_counts()
    faults = find_faults(rows[unread]) if faults is None else faults
    for path, bad in rows[unread].groupby("path", sort=False):
        fault = faults.get(path)
        reason = fault[-1] if fault else reasons.get(path, _NAN)
        if n_rows[path] > 1:
            is_or_are = "is" if len(bad) == 1 else "are"
            lost = f"{len(bad)} of {n_rows[path]} rows {is_or_are} left out"
            reason = f"{lost}: {reason}"
        errors.append((path, reason))
    return errors


def blocks_to_mend(infos):
    """Return the blocks with stretches that could not be read, and can be now.

    Parameters
    ----------
    infos : dict of int to PartInfo
        What each part says of itself, by block.

    Returns
    -------
    set of int
    """
    tries = [(n, *stretch) for n, info in infos.items() for stretch in info.again]
    reasons = Parallel(-1, prefer="threads")(
        delayed(why_unreadable)(*stretch) for _, *stretch in tries
    )
    pairs = zip(tries, reasons, strict=True)
    return {number for (number, *_), reason in pairs if reason is None}


def stretches_to_try(faults):
    """Return the stretches of `find_faults` as `PartInfo` has them."""
    return [
        (path, start, None if np.isnan(end) else end)
        for path, (start, end, _) in faults.items()
    ]
