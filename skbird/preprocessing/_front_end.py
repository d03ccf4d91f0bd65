"""From recordings to spectrograms: look up what is known, compute the rest."""

import warnings

import numpy as np
import pandas as pd

from skbird.data import AudioReadError, SpectrogramFormat, Spectrograms, read_header
from skbird.data import row_weights as combine_row_weights
from skbird.data._recordings import file_identity
from skbird.preprocessing._cache import ArrayCache, load_stored, stored_frames
from skbird.preprocessing._pass import (
    chain_grid,
    chain_rate,
    process_row,
    run_pass,
)

# A row may end this much after its file, as rounded tables have it.
_END_TOLERANCE_S = 0.5
_MEMORY_WARNING_BYTES = 4e9
_N_NAMED = 5  # problems that an error message spells out


class FrontEnd:
    """Computes the spectrograms of the rows of one `Recordings`.

    Parameters
    ----------
    recordings : Recordings
        The rows and their ops.
    mel : MelOp
        Turns samples into frames.
    cache_dir : path or None
        Where to keep results; None keeps them in memory.
    """

    def __init__(self, recordings, mel, cache_dir=None):
        self.rows = recordings.rows
        self.ops = recordings.ops
        self.mel = mel
        self.filters = [op for op in self.ops if hasattr(op, "measure")]
        self.cache = None if cache_dir is None else ArrayCache(cache_dir)
        n_rows = len(self.rows)
        self.entries = [None] * n_rows
        self.n_frames = np.zeros(n_rows, np.int64)
        self.measured = [[None] * len(self.filters) for _ in range(n_rows)]
        self.problems = {}
        self._records = self.rows.to_dict("records")

    def run(self, *, n_jobs, on_error, verbose, normalize, top_db):
        """Return the `Spectrograms`; the parameters are those of `LogMel`."""
        if self.cache is not None:
            self._make_keys()
            self._look_up()
        pending = np.flatnonzero([self._is_pending(r) for r in range(len(self.rows))])
        sample_rate = self._check_files(pending)
        self._handle_problems(on_error)
        pending = np.array([r for r in pending if r not in self.problems], int)
        done = run_pass(
            self.rows,
            pending,
            self._work,
            n_jobs=n_jobs,
            verbose=verbose,
            label="spectrograms",
        )
        for row, result in done:
            if isinstance(result, AudioReadError):
                self.problems[row] = str(result)
                if on_error == "raise":
                    self._handle_problems(on_error)
            else:
                self._keep(row, *result)
        return self._assemble(sample_rate, normalize, top_db)

    def _make_keys(self):
        """Name the cache entries: file, stretch, and all that changes the result."""
        identity = {path: file_identity(path) for path in self.rows["path"].unique()}
        chains, chain = [], []
        for op in self.ops:
            if hasattr(op, "measure"):
                chains.append((*chain, op.measure_key))
            elif getattr(op, "changes_samples", True):
                chain.append(op)
        self._mel_paths, self._filter_paths = [], []
        for record in self._records:
            row = (identity[record["path"]], record["start"], record["end"])
            self._mel_paths.append(self.cache.path(*row, *chain, self.mel))
            self._filter_paths.append([self.cache.path(*row, *c) for c in chains])

    def _look_up(self):
        for row, path in enumerate(self._mel_paths):
            self.n_frames[row] = stored_frames(path, self.mel.n_mels)
            if self.n_frames[row]:
                self.entries[row] = path
            self.measured[row] = [load_stored(p) for p in self._filter_paths[row]]

    def _is_pending(self, row):
        return self.entries[row] is None or any(v is None for v in self.measured[row])

    def _check_files(self, pending):
        """Find what is wrong with the files before any work is done on them.

        Returns
        -------
        sample_rate : int
            The one at the end of the chain, for all rows.
        """
        chain_sets_rate = chain_rate(self.ops, None) is not None
        to_read = pending if chain_sets_rate else np.arange(len(self.rows))
        headers, rates, seconds = {}, {}, 0.0
        for row in to_read:
            record = self._records[row]
            path = record["path"]
            if path not in headers:
                try:
                    headers[path] = read_header(path)
                except AudioReadError as exc:
                    headers[path] = exc
            problem = _row_problem(headers[path], record)
            if problem:
                self.problems[int(row)] = problem
                continue
            rates.setdefault(chain_rate(self.ops, headers[path].sample_rate), path)
            seconds += np.nanmin([record["end"], headers[path].duration_s])
            seconds -= record["start"]
        if len(rates) > 1:
            found = ", ".join(f"{rate} Hz ({path})" for rate, path in rates.items())
            raise ValueError(
                f"The recordings have different sample rates: {found}. Put a Resampler "
                "before LogMel."
            )
        sample_rate = chain_rate(self.ops, next(iter(rates), 1))
        self._warn_of_memory(seconds * sample_rate / self.mel.hop_length)
        return sample_rate

    def _warn_of_memory(self, n_frames):
        n_bytes = n_frames * self.mel.n_mels * 2
        if self.cache is None and n_bytes > _MEMORY_WARNING_BYTES:
            warnings.warn(
                f"The spectrograms will take {n_bytes / 1e9:.0f} GB of memory. Give "
                "LogMel a cache_dir to keep them on disk instead.",
                stacklevel=5,
            )

    def _handle_problems(self, on_error):
        if not self.problems or on_error == "skip":
            return
        named = [f"row {r}: {m}" for r, m in sorted(self.problems.items())]
        more = len(named) - _N_NAMED
        raise AudioReadError(
            f"{len(named)} of {len(self.rows)} rows cannot be used:\n  "
            + "\n  ".join(named[:_N_NAMED])
            + (f"\n  and {more} more" if more > 0 else "")
            + "\nMend or leave out these rows, or pass on_error='skip' to LogMel: they "
            "are then not trained on, and their predictions are NaN."
        )

    def _work(self, audio, row):
        """Compute what is missing of a row and store it; runs in a thread."""
        wanted = [
            op
            for op, value in zip(self.filters, self.measured[row], strict=True)
            if value is None
        ]
        ops = [op for op in self.ops if not hasattr(op, "measure") or op in wanted]
        mel = self.mel if self.entries[row] is None else None
        frames, measured = process_row(audio, self._records[row], ops, mel)
        values = dict(measured)
        if self.cache is not None:
            for op, path in zip(self.filters, self._filter_paths[row], strict=True):
                if op in values:
                    self.cache.store(path, values[op])
            if frames is not None:
                # Transposed, the array has the documented shape (n_mels, n_frames),
                # yet on disk a segment is one contiguous stretch.
                self.cache.store(self._mel_paths[row], frames.T)
        if self.cache is not None and frames is not None:
            return self._mel_paths[row], len(frames), values
        return frames, 0 if frames is None else len(frames), values

    def _keep(self, row, entry, n_frames, values):
        if entry is not None:
            self.entries[row], self.n_frames[row] = entry, n_frames
        self.measured[row] = [
            values.get(op, known)
            for op, known in zip(self.filters, self.measured[row], strict=True)
        ]

    def _assemble(self, sample_rate, normalize, top_db):
        format = SpectrogramFormat(
            self.mel.centres_hz(sample_rate),
            self.mel.hop_length / sample_rate,
            chain_grid(self.ops),
            normalize,
            top_db,
        )
        for row in self.problems:
            self.entries[row], self.n_frames[row] = None, 0
        at_predict = [op.use_at_predict for op in self.filters]
        weights = [self._weights(r, format) for r in range(len(self.rows))]
        predict_weights = None
        if any(at_predict):
            predict_weights = [
                self._weights(r, format, at_predict) for r in range(len(self.rows))
            ]
        errors = pd.DataFrame(
            [
                (r, self._records[r]["path"], m)
                for r, m in sorted(self.problems.items())
            ],
            columns=["row", "path", "error"],
        )
        return Spectrograms(
            self.rows,
            self.entries,
            self.n_frames,
            format,
            weights if self.filters else None,
            predict_weights,
            errors,
        )

    def _weights(self, row, format, chosen=None):
        if self.n_frames[row] == 0:
            return np.empty(0, np.float32)
        pairs = zip(self.filters, self.measured[row], strict=True)
        if chosen is not None:
            pairs = [pair for pair, use in zip(pairs, chosen, strict=True) if use]
        starts = format.segment_frames(self.n_frames[row]) * format.frame_s
        return combine_row_weights(
            list(pairs), starts, format.grid.segment_s, self._records[row]
        )


def _row_problem(header, record):
    """Say what is wrong with a row, judging by its file's header; None if nothing."""
    if isinstance(header, AudioReadError):
        return str(header)
    duration_s = header.duration_s
    if record["start"] >= duration_s or record["end"] > duration_s + _END_TOLERANCE_S:
        return (
            f"start={record['start']:g}, end={record['end']:g} reaches past the end of "
            f"{record['path']} ({duration_s:.2f} s)."
        )
    return None
