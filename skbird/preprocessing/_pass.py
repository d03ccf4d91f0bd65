"""One pass over the files of many rows: each file decoded once, in threads.

Memory is bounded by the blocks in which long rows are worked on, whatever the length
of the files. A row that fails costs no other row.
"""

from functools import cache

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import ThreadpoolController

from skbird.audio import AudioFile, AudioReadError, no_samples, stretch_frames
from skbird.data import Clip
from skbird.preprocessing._last_op import LastOp
from skbird.utils._frame_file import FrameFile
from skbird.utils._progress import progress_bar

# Rows longer than this are worked on in blocks of this length. Whole seconds, so that
# blocks begin at whole samples at every sample rate.
_BLOCK_S = 120
# Samples of a block at most, at the highest rate that it has on its way: 120 s of a
# recorder for bats. A resampler can make a hundred times as many of a small file.
_MOST_SAMPLES = 120 * 192_000
# The detectors' time grids (32 ms, 10 ms) divide it. It divides the length of every
# block, and what a block sees before its beginning, for filters to settle.
_LEAD_S = 4
# Audio that one task decodes at most: short enough for a smooth progress bar and for
# spreading one day-long file over the threads, long enough to make its seek cheap.
TASK_S = 600
# Frames that a row keeps in memory, in bytes: some 70 minutes. Those of longer rows go
# to disk, so that a command takes the same memory for files of any length.
MOST_IN_MEMORY = 64 * 2**20


def run_pass(
    rows, channels, chosen, work, *, n_jobs=1, verbose=0, label="audio", task_s=TASK_S
):
    """Do some work on each of the chosen rows, file by file.

    Parameters
    ----------
    rows : DataFrame
        The row table.
    channels : sequence of length n_rows
        Which channels each row is read from.
    chosen : array of int
        The rows to work on.
    work : callable
        Called as ``work(audio, row)`` with an open `AudioFile` and the row's number.
    n_jobs : int
        Threads; -1 for all processors.
    verbose : int
        Whether to show a progress bar, if it takes longer than a second.
    label : str
        What the bar says.
    task_s : float
        Audio in seconds that one thread works on at a time.

    Yields
    ------
    row : int
        Number of a row, in no particular order.
    result : object
        What `work` returned, or the `AudioReadError` that it or the file raised.
    """
    tasks = list(_tasks(rows, np.asarray(chosen), channels, task_s))
    if not tasks:
        return
    done = Parallel(n_jobs, prefer="threads", return_as="generator_unordered")(
        delayed(_run_task)(path, channels[numbers[0]], numbers, work)
        for path, numbers in tasks
    )
    bar = progress_bar(
        total=len(chosen), desc=label, unit="row", delay=1, verbose=verbose
    )
    # Threads of BLAS inside threads of ours wait for each other most of the time.
    with _blas().limit(limits=1), bar:
        for results in done:
            bar.update(len(results))
            yield from results


@cache
def _blas():
    """Return the libraries of BLAS: finding them anew takes milliseconds each time."""
    return ThreadpoolController().select(user_api="blas")


def _tasks(rows, chosen, channels, task_s):
    """Group rows of a file and channel by time, at most `task_s` of audio together."""
    start = rows["start"].to_numpy()[chosen]
    length = (rows["end"] - rows["start"]).to_numpy()[chosen]
    path = rows["path"].to_numpy()[chosen]
    heard = np.array(
        [f"{one}\0{channels[row]}" for row, one in zip(chosen, path, strict=True)],
        dtype=object,
    )
    files = np.unique(heard, return_inverse=True)[1] if len(path) else path
    task, seconds, last_file = [], 0.0, None
    for k in np.lexsort((start, files)):
        if task and (files[k] != last_file or not seconds <= task_s):
            yield path[task[0]], chosen[task]
            task, seconds = [], 0.0
        task.append(k)
        seconds += np.inf if np.isnan(length[k]) else length[k]
        last_file = files[k]
    if task:
        yield path[task[0]], chosen[task]


def _run_task(path, channels, numbers, work):
    """Work on rows of one file; a row that fails costs no other."""
    results = []
    while len(results) < len(numbers):
        try:
            with AudioFile(path, channels) as audio:
                for row in numbers[len(results) :]:
                    results.append((int(row), work(audio, int(row))))
        except AudioReadError as exc:
            # After an error the decoder is good for nothing: the next row opens anew.
            results.append((int(numbers[len(results)]), exc))
    return results


def process_row(audio, row, ops, last_op=None):
    """Take one row through its ops and, if wanted, to what comes of it in the end.

    Parameters
    ----------
    audio : AudioFile
        The open recording.
    row : Mapping
        The row of the table.
    ops : sequence of ops
        The chain.
    last_op : LastOp or None
        Turns samples into frames.

    Returns
    -------
    frames : ndarray of shape (n_frames, n_values), FrameFile or None
        A `FrameFile` for long rows.
    measured : list of (WeightOp, ndarray)
        The series that the filters measured, over the whole row.
    """
    start, stop = stretch_frames(audio.header, row["start"], row["end"])
    rate = audio.header.sample_rate
    frames, series, clip = None, [], None
    ending = last_op or LastOp
    around = ending.lead_s, ending.tail_s
    seconds = _seconds(rate, ops, ending.highest_rate)
    for first, last, reach in _blocks(start, stop, rate, seconds, around):
        samples = audio.read(*reach)
        if len(samples) <= first - reach[0]:
            break  # the file ends before its header says
        is_end = last == stop or len(samples) < reach[1] - reach[0]
        clip = Clip(samples, rate, row)
        for op in ops:
            clip = op(clip)
        lead_s = (first - reach[0]) / rate
        core_s = None if is_end else (last - first) / rate
        series.append(
            [_cut(v, op.values_per_s, lead_s, core_s) for op, v in clip.measured]
        )
        if last_op is not None:
            block = last_op(clip, (reach[0] - start) / rate, lead_s, core_s)
            if frames is None:
                n_bytes = block.nbytes * (stop - start) / (last - first)
                frames = [] if n_bytes <= MOST_IN_MEMORY else FrameFile()
            frames.append(block)
        if is_end:
            break
    if clip is None:
        raise no_samples(audio.path, row["start"])
    measured = [
        (op, np.concatenate(parts))
        for (op, _), parts in zip(clip.measured, zip(*series, strict=True), strict=True)
    ]
    if isinstance(frames, list):
        frames = np.concatenate(frames) if len(frames) > 1 else frames[0]
    return frames, measured


def _seconds(rate, ops, highest):
    """Return the length of blocks, in whole leads: shorter where rates are high."""
    highest = max(highest, rate)
    for op in ops:
        rate = op.sample_rate_after(rate)
        highest = max(highest, rate)
    whole = int(_MOST_SAMPLES / highest) // _LEAD_S * _LEAD_S
    return min(_BLOCK_S, max(whole, _LEAD_S))


def _blocks(start, stop, rate, seconds, around):
    """Yield the first and last frame of each block, and what is read around it."""
    lead_s, tail_s = around
    if stop - start <= (seconds + _LEAD_S) * rate:
        yield start, stop, (start, stop)
        return
    for first in range(start, stop, seconds * rate):
        last = min(first + seconds * rate, stop)
        reach = max(start, first - lead_s * rate), min(stop, last + tail_s * rate)
        yield first, last, reach


def _cut(values, values_per_s, lead_s, core_s):
    first = round(lead_s * values_per_s)
    stop = None if core_s is None else first + round(core_s * values_per_s)
    return values[first:stop]
