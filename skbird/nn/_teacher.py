"""What a teacher says of segments: its windows, averaged over time."""

import warnings

import numpy as np
from sklearn.base import clone

from skbird.data import as_recordings
from skbird.encoders import (
    EmbeddingEncoder,
    Windows,
    compute_windows,
    load_encoder,
)
from skbird.utils._params import as_floats
from skbird.utils._text import counted

# A class that never gets so probable in the rows has nothing to teach.
_HEARD_FROM = 0.1


class Lessons:
    """What a teacher says of rows, for any stretch of them.

    Parameters
    ----------
    said : Windows or ndarray of shape (n_rows, n_values)
        Of windows; or of whole rows, NaN where nothing is known.
    rows : ndarray of shape (n_heard,), int, default=None
        Which rows `said` is about; None: all.
    n_rows : int, default=None
        Number of all rows.
    columns : ndarray of int, default=None
        Which values are taught; None: all.
    """

    def __init__(self, said, rows=None, n_rows=None, columns=None):
        self._said = said
        self._columns = columns
        n_rows = len(said) if n_rows is None else n_rows
        self._place = np.full(n_rows, -1)
        rows = np.arange(n_rows) if rows is None else rows
        self._place[rows] = np.arange(len(rows))
        if isinstance(said, Windows):
            if said.window_s is None:
                raise ValueError(
                    "The windows of the teacher do not tell how long they are, so that "
                    "they cannot be laid beside segments: make them with window_s=."
                )
            heard = said.n_windows > 0
            n_values = said.n_values
        else:
            heard = np.isfinite(said).all(axis=1)
            n_values = said.shape[1]
        #: Of a stretch.
        self.n_values = n_values if columns is None else len(columns)
        #: Rows of which something is known.
        self.known = (self._place >= 0) & heard[self._place]

    @property
    def content(self):
        """What is taught, as data that tell it from else."""
        said = self._said
        if isinstance(said, Windows):
            said = [list(said.entries), said.n_windows, said.window_s]
        return [said, self._place, self._columns]

    def at(self, rows, starts_s, length_s):
        """Return what the teacher says of stretches of rows.

        It is the mean of the windows that overlap a stretch, by how long they do.

        Parameters
        ----------
        rows : ndarray of shape (n,), int
        starts_s : ndarray of shape (n,)
            In seconds after the start of the row.
        length_s : float

        Returns
        -------
        ndarray of shape (n, n_values), float32
            NaN where nothing is known.
        """
        values = np.full((len(rows), self.n_values), np.nan, np.float32)
        for value, row, start_s in zip(values, rows, starts_s, strict=True):
            if self.known[row]:
                value[:] = self._stretch(self._place[row], start_s, start_s + length_s)
        return values

    def _stretch(self, place, start_s, end_s):
        if not isinstance(self._said, Windows):
            return self._said[place]
        table = self._said.table(place)
        begin_s = table[:, 0]
        end_s = np.minimum(begin_s + self._said.window_s, end_s)
        overlap_s = end_s - np.maximum(begin_s, start_s)
        used = np.flatnonzero(overlap_s > 0)
        values = table[used, 1:]
        if self._columns is not None:
            values = values[:, self._columns]
        finite = np.isfinite(values).all(axis=1)
        if not finite.any():
            return np.nan
        return np.average(values[finite], axis=0, weights=overlap_s[used][finite])


def given_lessons(values, n_rows, name="y"):
    """Return lessons of embeddings that somebody has computed.

    Parameters
    ----------
    values : Windows, or array of shape (n_rows, n_values)
    n_rows : int
    name : str
        What errors call them.

    Returns
    -------
    Lessons
    """
    if not isinstance(values, Windows):
        values = as_floats(values, name, np.float32)
        if values.ndim != 2 or not values.shape[1]:
            raise ValueError(
                f"{name} has shape {values.shape}; embeddings of the teacher are "
                "(n_rows, n_values), or Windows."
            )
    if len(values) != n_rows:
        raise ValueError(f"{name} has {len(values)} rows, but X has {n_rows}.")
    return Lessons(values)


def hear(teacher, table, heard, *, scores=False, cache_dir=None, verbose=1):
    """Let a teacher hear rows, as they were recorded.

    Parameters
    ----------
    teacher : str, path, Encoder, or transformer
        See :class:`EmbeddingDistillation`.
    table : DataFrame
        The row table.
    heard : ndarray of int
        Numbers of the rows that it hears.
    scores : bool, default=False
        Its scores, as probabilities, in place of its embeddings.
    cache_dir : str or path, default=None
    verbose : int, default=1

    Returns
    -------
    Lessons
    """
    rows = table.iloc[heard].reset_index(drop=True)
    if isinstance(teacher, EmbeddingEncoder) or not hasattr(teacher, "transform"):
        said = _windows(teacher, rows, scores, cache_dir, verbose)
    else:
        said = teacher.transform(rows)
        if not isinstance(said, Windows):
            said = as_floats(said, "what the teacher gives", np.float32)
        if len(said) != len(rows) or (isinstance(said, np.ndarray) and said.ndim != 2):
            raise ValueError(
                f"teacher={teacher!r:.100} gives {np.shape(said)} for {len(rows)} rows "
                "where (n_rows, n_values), or Windows, are needed."
            )
    columns = _heard_classes(said) if scores else None
    lessons = Lessons(said, heard, len(table), columns)
    _say_what_is_missing(lessons, table, heard, said)
    return lessons


def spec_of(teacher):
    """Return the spec of the encoder that a teacher is; None if it is none."""
    if isinstance(teacher, EmbeddingEncoder):
        teacher = teacher.encoder
    elif hasattr(teacher, "transform"):
        return None
    return load_encoder(teacher).spec


def teacher_name(teacher):
    """Return what a teacher is, as plain data."""
    if isinstance(teacher, EmbeddingEncoder):
        teacher = teacher.encoder
    elif hasattr(teacher, "transform"):
        return {"name": type(teacher).__name__}
    encoder = load_encoder(teacher)
    spec = encoder.spec
    is_file = encoder.file_name is not None
    sha256 = encoder.identity if is_file else spec.sha256
    return {"name": spec.name, "version": spec.version, "sha256": sha256}


def check_teacher(teacher, scores):
    """Raise an error now if a teacher is not here or has no such outputs."""
    if isinstance(teacher, EmbeddingEncoder):
        teacher = teacher.encoder
    elif hasattr(teacher, "transform"):
        if scores:
            raise ValueError(
                f"score_weight needs a teacher that has scores: a name, a path or an "
                f"Encoder, not {teacher!r:.100}. Set it to 0."
            )
        return
    encoder = load_encoder(teacher)
    for role in ("embedding", "scores") if scores else ("embedding",):
        encoder.check_output(role)


def _windows(teacher, rows, scores, cache_dir, verbose):
    if not isinstance(teacher, EmbeddingEncoder):
        teacher = EmbeddingEncoder(teacher, verbose=verbose)
    teacher = clone(teacher)
    return compute_windows(
        as_recordings(rows),
        load_encoder(teacher.encoder),
        "scores" if scores else "embedding",
        step_s=teacher.step_s,
        probabilities=scores,
        step="the teacher",
        at_predict=True,
        cache_dir=teacher.cache_dir or cache_dir,
        n_jobs=teacher.n_jobs,
        on_error="skip",
        verbose=teacher.verbose,
    )


def _heard_classes(windows):
    highest = np.zeros(windows.n_values)
    for row in range(len(windows)):
        if windows.n_windows[row]:
            highest = np.fmax(highest, windows.table(row)[:, 1:].max(axis=0))
    return np.flatnonzero(highest >= _HEARD_FROM)


def _say_what_is_missing(lessons, table, heard, said):
    missing = heard[~lessons.known[heard]]
    if len(missing):
        errors = getattr(said, "errors", ())
        reason = f": {errors['error'].iloc[0]}" if len(errors) else ""
        warnings.warn(
            f"The teacher says nothing of {len(missing)} of "
            f"{counted(len(heard), 'row')}, of which nothing is learnt. The first is "
            f"row {missing[0]}, {table['path'].iloc[missing[0]]}{reason}",
            stacklevel=4,
        )
