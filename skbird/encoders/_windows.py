"""The windows of many rows, with what a model says of each."""

import warnings
from itertools import pairwise

import numpy as np
import pandas as pd

from skbird.data import WeightOp, no_errors
from skbird.encoders._spec_checks import check_step
from skbird.encoders._window_op import HearOp, WindowOp
from skbird.preprocessing import FrontEnd
from skbird.utils._array_files import map_array
from skbird.utils._frame_file import FrameFile
from skbird.utils._params import POSITIVE, as_floats, check_list, check_params
from skbird.utils._text import counted

POOLINGS = ("mean", "max", "meanmax")


class Windows:
    """What a pretrained model says of each window of each row.

    A sequence of rows: it has a length and a shape, and is indexed by row number (which
    gives an array of the row's windows), slice, mask or array (which give `Windows`).
    Heads that are trained on windows take it as X.

    Parameters
    ----------
    rows : DataFrame
        The row table.
    entries : sequence of length n_rows
        For each row an array (n_windows, 1 + n_values) of float32, whose first column
        is where the windows start in the row in seconds; the path of an .npy file that
        holds it, transposed; or None if the row could not be read.
    window_weights : list of ndarray, default=None
        For each row the weights of its windows, in [0, 1]; None: 1 throughout.
    n_values : int, default=None
        Values of a window; None: as the first row has.
    n_windows : array of shape (n_rows,), int, default=None
        Windows of each row; None: counted.
    errors : DataFrame, default=None
        Columns ``row``, ``path``, ``error``: the rows that could not be read.
    window_s : float, default=None
        Length of a window in seconds; None: not known.
    origin : dict, default=None
        The model that made them: ``name``, ``version``, ``sha256`` and ``license``;
        None: not known.

    Attributes
    ----------
    n_windows : ndarray of shape (n_rows,), int
        Windows of each row; 0 of those that could not be read.
    index : Index of shape (n_rows,)
        Index of the given table.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.encoders import Windows
    >>> X = Windows.from_arrays([np.ones((3, 8)), np.zeros((5, 8))])
    >>> X
    <Windows: 2 rows, 8 windows of 8 values>
    >>> X[1].shape
    (5, 8)
    >>> X.pool("max").shape
    (2, 8)
    """

    ndim = 1

    def __init__(
        self,
        rows,
        entries,
        window_weights=None,
        n_values=None,
        n_windows=None,
        errors=None,
        window_s=None,
        origin=None,
    ):
        self.rows = rows.reset_index(drop=True)
        self.index = rows.index
        self.entries = np.empty(len(rows), dtype=object)
        self.entries[:] = entries
        self.errors = no_errors() if errors is None else errors
        self.window_s = window_s
        self.origin = origin
        if n_values is None:
            known = (self.table(k) for k, e in enumerate(entries) if e is not None)
            n_values = next((table.shape[1] - 1 for table in known), 0)
        self.n_values = n_values
        if n_windows is None:
            n_windows = [len(self.table(row)) for row in range(len(rows))]
        self.n_windows = np.asarray(n_windows, dtype=np.int64)
        self.window_weights = np.empty(len(rows), dtype=object)
        if window_weights is not None:
            self.window_weights[:] = window_weights

    @classmethod
    def from_arrays(cls, arrays, *, step_s=1.0):
        """Wrap arrays, such as embeddings of your own.

        Parameters
        ----------
        arrays : sequence of array of shape (n_windows, n_values)
            One for each row.
        step_s : float, default=1.0
            From one window to the next in seconds, and how long they are.

        Returns
        -------
        Windows
        """
        check_params("Windows.from_arrays", {"step_s": [POSITIVE]}, step_s=step_s)
        step_s = float(step_s)
        arrays = check_list(arrays, "arrays", "arrays")
        arrays = [as_floats(array, "arrays", np.float32) for array in arrays]
        shapes = {array.shape[1:] for array in arrays}
        if len(shapes) > 1 or any(array.ndim != 2 for array in arrays):
            raise ValueError(
                "arrays must each have the shape (n_windows, n_values), with one "
                "n_values."
            )
        rows = pd.DataFrame({"path": [f"row {row}" for row in range(len(arrays))]})
        entries = [
            np.column_stack([np.arange(len(a)) * step_s, a]).astype(np.float32)
            if len(a)
            else None
            for a in arrays
        ]
        n_values = arrays[0].shape[1] if arrays else 0
        return cls(rows, entries, n_values=n_values, window_s=step_s)

    @property
    def shape(self):
        """Number of rows, as a tuple."""
        return (len(self.rows),)

    def __len__(self):
        return len(self.rows)

    def __repr__(self):
        return (
            f"<Windows: {counted(len(self), 'row')}, "
            f"{counted(int(self.n_windows.sum()), 'window')} of {self.n_values} values>"
        )

    def __getitem__(self, key):
        if isinstance(key, np.ndarray):
            key = key[()]  # an array without axes is a number
        if isinstance(key, int | np.integer):
            return self.table(int(key))[:, 1:]
        if isinstance(key, tuple):  # scikit-learn asks for X[rows, ...]
            key = key[0]
        chosen = np.arange(len(self))[key]
        message = dict(zip(self.errors["row"], self.errors["error"], strict=True))
        errors = [
            (new, self.rows["path"].iloc[old], message[old])
            for new, old in enumerate(chosen)
            if old in message
        ]
        return Windows(
            self.rows.iloc[chosen].set_axis(self.index[chosen]),
            self.entries[chosen],
            self.window_weights[chosen],
            self.n_values,
            self.n_windows[chosen],
            pd.DataFrame(errors, columns=["row", "path", "error"]),
            self.window_s,
            self.origin,
        )

    def table(self, row):
        """Return where the windows of a row start, and their values.

        Parameters
        ----------
        row : int

        Returns
        -------
        ndarray of shape (n_windows, 1 + n_values), float32
            Starts are in seconds after the start of the row.
        """
        entry = self.entries[row]
        if entry is None:
            return np.empty((0, 1 + self.n_values), np.float32)
        if isinstance(entry, FrameFile):
            return entry.map()
        return map_array(entry, marked=False).T if isinstance(entry, str) else entry

    def weights_of(self, row):
        """Return the weights of a row's windows.

        Parameters
        ----------
        row : int

        Returns
        -------
        ndarray of shape (n_windows,), float32
            In [0, 1], at least one of them above 0.
        """
        weights = self.window_weights[row]
        return np.ones(self.n_windows[row], np.float32) if weights is None else weights

    def pool(self, pooling="mean"):
        """Return one vector for each row.

        Parameters
        ----------
        pooling : {"mean", "max", "meanmax"}, default="mean"
            Mean by the weights; maximum over windows that have one; or both.

        Returns
        -------
        ndarray of shape (n_rows, n_values) or (n_rows, 2 * n_values), float32
            NaN in rows that could not be read.
        """
        if pooling not in POOLINGS:
            raise ValueError(
                f"pooling={pooling!r} must be one of {', '.join(POOLINGS)}."
            )
        n_parts = 2 if pooling == "meanmax" else 1
        pooled = np.full((len(self), n_parts * self.n_values), np.nan, np.float32)
        for row in range(len(self)):
            if not self.n_windows[row]:
                continue
            weights = self.weights_of(row)
            used = weights > 0
            values, weights = self.table(row)[used, 1:], weights[used]
            parts = []
            if pooling != "max":
                parts.append(np.average(values, axis=0, weights=weights))
            if pooling != "mean":
                parts.append(values.max(axis=0))
            pooled[row] = np.concatenate(parts)
        self._warn_of_nan(pooled)
        return pooled

    def _warn_of_nan(self, pooled):
        """Say which rows have NaN though they could be read."""
        bad = np.flatnonzero(~np.isfinite(pooled).all(axis=1) & (self.n_windows > 0))
        if len(bad):
            warnings.warn(
                f"The model gives NaN or infinite values for {len(bad)} of "
                f"{counted(len(self), 'row')}, such as "
                f"{self.rows['path'].iloc[bad[0]]}. check_encoder says for which "
                "sounds.",
                stacklevel=5,
            )

    def stacked(self, rows=None):
        """Return the windows of several rows one below the other.

        Parameters
        ----------
        rows : array of int, default=None
            None: all.

        Returns
        -------
        values : ndarray of shape (n_windows, n_values), float32
        bounds : ndarray of shape (n_rows + 1,), int
            Windows ``bounds[k]`` to ``bounds[k + 1]`` are those of the k-th row.
        weights : ndarray of shape (n_windows,), float32
        """
        rows = np.arange(len(self)) if rows is None else np.asarray(rows)
        counts = self.n_windows[rows]
        bounds = np.concatenate([[0], np.cumsum(counts)])
        values = np.empty((bounds[-1], self.n_values), np.float32)
        weights = np.empty(bounds[-1], np.float32)
        for row, (first, stop) in zip(rows, pairwise(bounds), strict=True):
            values[first:stop] = self.table(row)[:, 1:]
            weights[first:stop] = self.weights_of(row)
        return values, bounds, weights


def compute_windows(
    recordings,
    encoder,
    output,
    *,
    step_s=None,
    columns=None,
    probabilities=False,
    step="EmbeddingEncoder",
    at_predict=False,
    cache_dir=None,
    n_jobs=-1,
    on_error="raise",
    verbose=1,
):
    """Run a model over the windows of rows, each decoded once.

    Parameters
    ----------
    recordings : Recordings
    encoder : Encoder
    output : str
        Role of the model's output.
    step_s : float, default=None
        None: as the model's spec says.
    columns : tuple of int, default=None
        Which values are kept; None: all.
    probabilities : bool, default=False
        Whether scores are kept as probabilities.
    step : str
        What errors call the step.
    at_predict : bool, default=False
        Whether filters with ``use_at_predict=False`` are left out.
    cache_dir, n_jobs, on_error, verbose
        See :class:`EmbeddingEncoder`.

    Returns
    -------
    Windows
    """
    if at_predict:
        recordings = recordings.with_ops(
            op
            for op in recordings.ops
            if not isinstance(op, WeightOp) or op.use_at_predict
        )
    spec = encoder.spec
    if recordings.channels == "mean" != spec.channels:
        recordings = recordings.then(HearOp(spec.channels))
    step_s = float(step_s or spec.step_s or spec.window_s)
    check_step(step_s, spec.window_s)
    op = WindowOp(encoder, output, step_s, columns, probabilities, step)
    front_end = FrontEnd(
        recordings, op, cache_dir, n_jobs=n_jobs, on_error=on_error, verbose=verbose
    )

    weights = None
    if recordings.weight_ops:

        def starts_of(row):
            one = slice(row, row + 1)
            entry, n = front_end.entries[one], front_end.n_frames[one]
            rows = front_end.rows[one]
            return Windows(rows, entry, None, op.n_values, n).table(0)[:, 0]

        weights, _ = front_end.run_and_weigh(starts_of, spec.window_s)
    else:
        front_end.run(lambda row, series: None)
    return Windows(
        front_end.rows.set_axis(recordings.index),
        front_end.entries,
        weights,
        op.n_values,
        front_end.n_frames,
        front_end.errors(),
        spec.window_s,
        encoder.origin,
    )
