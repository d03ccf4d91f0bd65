"""What a teacher says of segments: its windows, averaged over time."""

import warnings

import numpy as np

from skbird.encoders import Windows
from skbird.nn._batches import SegmentDataset
from skbird.utils._params import as_floats


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
        #: What is taken off all that is said; see `mean`.
        self.centre = np.zeros(self.n_values, np.float32)

    def mean(self):
        """Return the mean of what the teacher says of the rows, each counted once.

        Embeddings that are never negative point nearly the same way, whatever is heard:
        without their mean, what tells sounds apart is left. Of one row it is zero.

        Returns
        -------
        ndarray of shape (n_values,), float32
        """
        total, n = np.zeros(self.n_values), 0
        for place in self._place[self.known]:
            values = self._stretch(place, 0.0, np.inf)
            if np.isfinite(values).all():
                total += values
                n += 1
        if not n:
            warnings.warn(
                "The teacher says nothing of any row: its embeddings are NaN "
                "throughout, or there are none. Nothing is learnt from it; look at "
                "what it gives, or set callbacks__distill__weight=0.",
                stacklevel=3,
            )
        return np.asarray(total / n if n > 1 else 0 * total, np.float32)

    @property
    def content(self):
        """What is taught, as data that tell it from else."""
        said = self._said
        if isinstance(said, Windows):
            said = [list(said.entries), said.n_windows, said.window_s]
        return [said, self._place, self._columns, self.centre]

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
            Without `centre`; NaN where nothing is known.
        """
        values = np.full((len(rows), self.n_values), np.nan, np.float32)
        for value, row, start_s in zip(values, rows, starts_s, strict=True):
            if self.known[row]:
                value[:] = self._stretch(self._place[row], start_s, start_s + length_s)
        return values - self.centre

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


class LessonDataset(SegmentDataset):
    """Spectrograms with what a teacher says of their segments.

    Parameters
    ----------
    spectrograms : Spectrograms
    lessons : list of Lessons
        Its embeddings and, perhaps, its scores.
    sample_weight : ndarray of shape (n_rows,), default=None
    """

    def __init__(self, spectrograms, lessons, sample_weight=None):
        self.lessons = lessons
        super().__init__(spectrograms, None, sample_weight)

    @property
    def learnt(self):
        """What is learnt of the spectrograms, as data that tell it from else."""
        return [*(part.content for part in self.lessons), self.sample_weight]

    def targets_of(self, rows, starts_s):
        """Return embeddings, and scores behind them."""
        length_s = self.spectrograms.format.grid.segment_s
        said = [part.at(rows, starts_s, length_s) for part in self.lessons]
        return np.concatenate(said, axis=1)

    def _are_known(self):
        return self.lessons[0].known
