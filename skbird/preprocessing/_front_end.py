"""Compute something of each row: look up what is cached, compute the rest."""

import os
import warnings

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from skbird.audio import (
    AudioReadError,
    missing_channel,
    read_headers,
    row_channels,
    warn_of_cancelled,
)
from skbird.data import WeightOp, file_identity, row_weights
from skbird.preprocessing._cache import ArrayCache, load_stored, stored_length
from skbird.preprocessing._last_op import LastOp
from skbird.preprocessing._pass import (
    MOST_IN_MEMORY,
    TASK_S,
    process_row,
    run_pass,
)
from skbird.utils._text import counted

# A row may end this much after its file, as rounded tables have it.
_END_TOLERANCE_S = 0.5
_MEMORY_WARNING_BYTES = 4e9
# Of what is made of one row: 75 hours of spectrogram. Headers promise centuries.
_MOST_ROW_BYTES = 4 * 2**30
_N_NAMED = 5  # problems that an error message spells out


class FrontEnd:
    """One pass over the rows of a `Recordings`.

    Parameters
    ----------
    recordings : Recordings
        The rows and their ops.
    last : LastOp or None
        What is computed of the samples in the end; None only measures what the filters
        need.
    cache_dir : path or None
        Where to keep results; None keeps them in memory.
    n_jobs, on_error, verbose
        See :class:`skbird.preprocessing.LogMel`.
    """

    def __init__(
        self, recordings, last, cache_dir, *, n_jobs=-1, on_error="raise", verbose=1
    ):
        self.recordings = recordings
        self.rows = recordings.rows
        self.ops = recordings.ops
        self.last = last
        self.cache = None if cache_dir is None else ArrayCache(cache_dir)
        self.n_jobs = n_jobs
        self.on_error = on_error
        self.verbose = verbose
        self.filters = recordings.weight_ops
        self.entries = [None] * len(self.rows)
        self.n_frames = np.zeros(len(self.rows), np.int64)
        self.problems = {}
        self.sample_rate = None
        self.records = self.rows.to_dict("records")
        self.channels = [recordings.channels] * len(self.rows)
        if "channels" in self.rows:
            others = recordings.channels
            self.channels = [row_channels(row, others) for row in self.records]
        self._cancelled = set()  # recordings whose mean lost their sound
        self._headers = {}

    def run_and_weigh(self, starts_of, segment_s):
        """Run, and let the filters weigh segments.

        Parameters
        ----------
        starts_of : callable
            Returns where the segments of a row start in it, in seconds.
        segment_s : float

        Returns
        -------
        weights, predict_weights : list of ndarray
            Of the segments of each row in training and in prediction. The second is
            None if no filter matters then: all are 1.
        """
        nothing = np.empty(0, np.float32)
        weights, predict_weights = [nothing] * len(self.rows), None
        at_predict = [op.use_at_predict for op in self.filters]
        if any(at_predict):
            predict_weights = [nothing] * len(self.rows)

        def weigh(row, series):
            # At once, so that the series of all rows are never in memory together.
            measured = list(zip(self.filters, series, strict=True))
            cut = starts_of(row), segment_s, self.records[row]
            weights[row] = row_weights(measured, *cut)
            if predict_weights is not None:
                kept = [m for m, use in zip(measured, at_predict, strict=True) if use]
                predict_weights[row] = row_weights(kept, *cut)

        self.run(weigh)
        return weights, predict_weights

    def run(self, use):
        """Call ``use(row, series)`` once for each row that can be read, in any order.

        `series` has what each filter measured. Before the call, `entries` and
        `n_frames` of the row are set.
        """
        pending = self._look_up(use)
        self._check_files(pending)
        self._raise_problems()
        done = run_pass(
            self.rows,
            self.channels,
            np.array([row for row in pending if row not in self.problems], int),
            self._work,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
            label=self.last.label if self.last else "levels",
            task_s=self.last.task_s if self.last else TASK_S,
        )
        for row, result in done:
            if isinstance(result, AudioReadError):
                self.problems[row] = str(result)
                self._raise_problems()
            else:
                self.entries[row], self.n_frames[row], series = result
                use(row, series)
        if self._cancelled:
            warn_of_cancelled(self._cancelled, stacklevel=5)

    def _look_up(self, use):
        """Use the rows that the cache has whole; return the others."""
        if self.cache is None:
            return np.arange(len(self.rows))
        self._make_keys()
        pending, damaged = [], []
        if self.last is not None:
            self.n_frames[:] = Parallel(self.n_jobs, prefer="threads", batch_size=64)(
                delayed(stored_length)(path, self.last.is_entry)
                for path in self._last_paths
            )
        for row, (last_path, paths) in enumerate(
            zip(self._last_paths, self._series_paths, strict=True)
        ):
            series = [load_stored(path) for path in paths]
            lacking = [p for p, v in zip(paths, series, strict=True) if v is None]
            if self.last is not None and not self.n_frames[row]:
                lacking.append(last_path)
            elif self.last is not None:
                self.entries[row] = last_path
            if lacking:
                pending.append(row)
                damaged += filter(os.path.lexists, lacking)
            else:
                use(row, series)
        if damaged:
            warnings.warn(
                f"{counted(len(damaged), 'entry', 'entries')} of the cache "
                f"{self.cache.directory} {'is' if len(damaged) == 1 else 'are'} "
                "damaged, or of another version of skbird, and will be made again; the "
                f"first is {damaged[0]}.",
                stacklevel=7,
            )
        return np.array(pending, int)

    def _make_keys(self):
        """Name the cache entries: file, stretch, and all that changes the result."""
        identity = {path: file_identity(path) for path in self.rows["path"].unique()}
        chains, chain = [], []
        for op in self.ops:
            if isinstance(op, WeightOp):
                chains.append((*chain, op.measure_key))
            elif op.changes_samples:
                chain.append(op)
        self._last_paths, self._series_paths = [], []
        for record, channels in zip(self.records, self.channels, strict=True):
            row = (identity[record["path"]], record["start"], record["end"])
            if channels != "mean":
                row = *row, channels
            self._last_paths.append(self.cache.path(*row, *chain, self.last))
            self._series_paths.append([self.cache.path(*row, *c) for c in chains])

    def _work(self, audio, row):
        """Compute what is missing of a row and store it; runs in a thread."""
        series = [None] * len(self.filters)
        if self.cache is not None:
            series = [load_stored(path) for path in self._series_paths[row]]
        wanted = [k for k, values in enumerate(series) if values is None]
        numbers = iter(range(len(self.filters)))
        ops = [
            op
            for op in self.ops
            if not isinstance(op, WeightOp) or next(numbers) in wanted
        ]
        last = self.last if self.entries[row] is None else None
        frames, measured = process_row(audio, self.records[row], ops, last)
        if audio.mixer.cancels:
            self._cancelled.add(audio.path)
        for number, (_, values) in zip(wanted, measured, strict=True):
            series[number] = values
            if self.cache is not None:
                self.cache.store(self._series_paths[row][number], values)
        if frames is None:
            return self.entries[row], self.n_frames[row], series
        entry = frames
        if self.cache is not None:
            entry = self._last_paths[row]
            self.cache.store_frames(entry, frames)
        return entry, len(frames), series

    # Files ----------------------------------------------------------------------

    def _read_headers(self, rows):
        paths = {self.records[row]["path"] for row in rows} - self._headers.keys()
        paths = sorted(paths)
        headers = read_headers(paths, n_jobs=self.n_jobs, verbose=self.verbose)
        self._headers |= dict(zip(paths, headers, strict=True))

    def find_sample_rate(self):
        """Return the rate at the end of the chain, the same for all rows, or None."""
        self.sample_rate = self._find_sample_rate()
        if self.sample_rate is not None:
            self.last.check_rate(self.sample_rate)  # complains early
        return self.sample_rate

    def _find_sample_rate(self):
        rate = self.recordings.sample_rate_after(None)
        if rate is not None:
            return rate
        self._read_headers(range(len(self.rows)))
        rates = {
            header.sample_rate: path
            for path, header in self._headers.items()
            if not isinstance(header, AudioReadError)
        }
        if len(rates) > 1:
            found = ", ".join(f"{rate} Hz ({path})" for rate, path in rates.items())
            raise ValueError(
                f"The recordings have different sample rates: {found}. Put a Resampler "
                f"before {self.last.step}."
            )
        return next(iter(rates), None)

    def _check_files(self, rows):
        """Find what is wrong with the files before any work is done on them."""
        self._read_headers(rows)
        bytes_per_s, n_bytes = 0.0, 0.0
        if self.last is not None:
            bytes_per_s = self.last.bytes_per_s(self.sample_rate)
        for row in rows:
            record = self.records[row]
            header = self._headers[record["path"]]
            problem = _row_problem(header, record, self.channels[row])
            if not problem:
                # In this order, the lesser of the two is the first if the end is NaN.
                row_s = min(header.duration_s, record["end"]) - record["start"]
                problem = _too_long(record, row_s, bytes_per_s, self.last)
            if problem:
                self.problems[int(row)] = problem
            else:
                row_bytes = row_s * bytes_per_s
                n_bytes += row_bytes if row_bytes <= MOST_IN_MEMORY else 0
        if self.cache is None:
            _warn_of_memory(n_bytes, self.last)

    def _raise_problems(self):
        if not self.problems or self.on_error == "skip":
            return
        named = [f"row {r}: {m}" for r, m in sorted(self.problems.items())]
        more = len(named) - _N_NAMED
        raise AudioReadError(
            f"{len(named)} of {counted(len(self.rows), 'row')} cannot be used:\n  "
            + "\n  ".join(named[:_N_NAMED])
            + (f"\n  and {more} more" if more > 0 else "")
            + "\nMend or leave out these rows"
            + (self.last or LastOp).skip_remedy
        )

    def errors(self):
        """Return a table of the rows that could not be read."""
        return pd.DataFrame(
            [(r, self.records[r]["path"], m) for r, m in sorted(self.problems.items())],
            columns=["row", "path", "error"],
        )


def _warn_of_memory(n_bytes, last):
    if n_bytes > _MEMORY_WARNING_BYTES:
        warnings.warn(
            f"The {last.label} will take {n_bytes / 1e9:.0f} GB of memory. "
            f"{last.disk_remedy}",
            stacklevel=6,
        )


def _too_long(record, row_s, bytes_per_s, last):
    """Say that what is made of a row would be too large, or return None."""
    n_bytes = row_s * bytes_per_s
    if n_bytes <= _MOST_ROW_BYTES:
        return None
    return (
        f"{record['path']}: the {row_s / 3600:.1f} hours of one row are "
        f"{n_bytes / 2**30:.1f} GiB of {last.label}, and at most "
        f"{_MOST_ROW_BYTES / 2**30:g} GiB are made of one: some "
        f"{_MOST_ROW_BYTES / bytes_per_s / 3600:.1f} hours. Cut it into rows of a few "
        "seconds; skbird.data.segment_table does."
    )


def _row_problem(header, record, channels):
    """Say what is wrong with a row, judging by its file's header; None if nothing."""
    if isinstance(header, AudioReadError):
        return str(header)
    lacks = missing_channel(record["path"], channels, header.n_channels)
    if lacks is not None:
        return lacks
    duration_s = header.duration_s
    if record["start"] >= duration_s or record["end"] > duration_s + _END_TOLERANCE_S:
        return (
            f"start={record['start']:g}, end={record['end']:g} reaches past the end of "
            f"{record['path']} ({duration_s:.2f} s). {header.note}".rstrip()
        )
    return None
