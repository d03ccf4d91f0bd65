"""Rows that follow each other in one recording, as one long row."""

import numpy as np

from skbird.data._spectrogram_format import FLOOR_DB
from skbird.data._spectrograms import Spectrograms


class _JoinedFrames:
    """Frames of several rows at their places, put together when they are sliced."""

    def __init__(self, spectrograms, rows, offsets):
        self.spectrograms = spectrograms
        self.rows = rows
        self.offsets = offsets  # ascending
        self.longest = spectrograms.n_frames[rows].max()

    def __getitem__(self, key):
        first, stop = key.start, key.stop
        # Rows may leave a frame between them that none has.
        part = np.full(
            (stop - first, self.spectrograms.format.n_mels), FLOOR_DB, np.float16
        )
        n_filled = 0
        near = slice(*np.searchsorted(self.offsets, [first - self.longest, stop]))
        for row, offset in zip(self.rows[near], self.offsets[near], strict=True):
            n_frames = self.spectrograms.n_frames[row]
            begin, end = max(offset, first), min(offset + n_frames, stop)
            if begin < end:
                frames = self.spectrograms.frames(row)[begin - offset : end - offset]
                part[begin - first : end - first] = frames
                n_filled = max(n_filled, end - first)
        return part[:n_filled]


def join_rows(spectrograms):
    """Join the rows that follow each other, or overlap, in one recording.

    Nothing is copied: frames are put together when segments are read.

    Parameters
    ----------
    spectrograms : Spectrograms
        Rows without a column ``start`` are not joined.

    Returns
    -------
    joined : Spectrograms
        One row for each run of rows.
    run : ndarray of shape (n_rows,), int
        Number of the row of `joined` that holds each row; -1 if it could not be read.
    offset : ndarray of shape (n_rows,), int
        The frame of `joined` at which each row starts.
    """
    rows, frame_s = spectrograms.rows, spectrograms.format.frame_s
    starts = np.full(len(rows), np.nan)
    if "start" in rows:
        starts = rows["start"].to_numpy(dtype=float)
    run = np.full(len(rows), -1)
    offset = np.zeros(len(rows), np.int64)
    runs, path, origin, end = [], None, np.nan, np.nan
    for row in np.lexsort((starts, rows["path"].to_numpy(dtype=str))):
        n_frames, start = spectrograms.n_frames[row], starts[row]
        if n_frames == 0:
            continue
        # Comparisons with NaN, an unknown start, are false.
        if not (rows["path"].iloc[row] == path and start <= end + 1.5 * frame_s):
            runs.append([])
            path, origin, end = rows["path"].iloc[row], start, start
        runs[-1].append(row)
        run[row] = len(runs) - 1
        if start > origin:
            offset[row] = round((start - origin) / frame_s)
        end = max(end, start + (n_frames - 1) * frame_s)
    joined = Spectrograms(
        rows.iloc[[members[0] for members in runs]],
        [_JoinedFrames(spectrograms, m, offset[m]) for m in runs],
        [(offset[m] + spectrograms.n_frames[m]).max() for m in runs],
        spectrograms.format,
    )
    return joined, run, offset


def shifted_reads(X, shifts_s):
    """List functions that read sound at some seconds from where segments are.

    A shifted segment reaches into the rows before and behind, as far as X has them,
    which need not be decoded for that.

    Parameters
    ----------
    X : Spectrograms
    shifts_s : sequence of float

    Returns
    -------
    list of callable
        For each shift, numbers of segments -> (n, n_frames, n_mels), float16.
    """
    if len(shifts_s) == 0:
        return []
    joined, run, offset = join_rows(X)
    rows, frame_s = X.segment_rows, X.format.frame_s
    first = offset[rows] + np.round(X.segment_starts / frame_s).astype(np.int64)

    def make_read(frames):
        return lambda which: joined.read(run[rows[which]], frames[which])

    return [make_read(first + round(shift_s / frame_s)) for shift_s in shifts_s]
