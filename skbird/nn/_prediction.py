"""The pass over segments that predicts."""

import numpy as np
import torch

from skbird.data._joined import join_rows
from skbird.nn._allocator import keep_freed_memory
from skbird.nn._batches import normalize_batch, to_segment_tensor
from skbird.utils._progress import progress_bar


def map_segments(net, X, function, read=None):
    """Apply a function of a net's module to all segments.

    Parameters
    ----------
    net : SegmentNet
        Tells the device, the size of the batches, and whether to show progress.
    X : Spectrograms
    function : callable
        Normalised segments (batch, 1, n_mels, n_frames) -> tensor or tuple of tensors.
    read : callable, optional
        Numbers of segments -> (n, n_frames, n_mels): other sound in their places. By
        default it is ``X.segments``.

    Returns
    -------
    ndarray of shape (n_segments, ...), or tuple of them
    """
    read = X.segments if read is None else read
    keep_freed_memory()
    # With nothing to predict, one blank segment tells the shape of nothing.
    batches = np.arange(0, max(X.n_segments, 1), net.batch_size)
    outputs = []
    with torch.inference_mode():
        for first in progress_bar(
            batches, desc="predict", unit="batch", delay=2, verbose=net.verbose
        ):
            stop = min(first + net.batch_size, X.n_segments)
            segments = to_segment_tensor(
                read(np.arange(first, stop)) if stop else X.blank_segment()
            )
            segments = normalize_batch(
                segments.to(net.device), X.format.normalize, X.format.top_db
            )
            output = function(segments.contiguous(memory_format=torch.channels_last))
            outputs.append(_to_numpy(output))
    if isinstance(outputs[0], tuple):
        joined = [np.concatenate(part) for part in zip(*outputs, strict=True)]
        return tuple(part[: X.n_segments] for part in joined)
    return np.concatenate(outputs)[: X.n_segments]


def map_shifted_segments(net, X, function, shifts_s):
    """Average a function of all segments over the segments and their shifted copies.

    A shifted segment reaches into the rows before and behind, as far as X has them,
    which need not be decoded for that.

    Parameters
    ----------
    net, X, function
        As in :func:`map_segments`; `function` gives one tensor.
    shifts_s : sequence of float
        In seconds.

    Returns
    -------
    ndarray of shape (n_segments, ...)
    """
    total = map_segments(net, X, function)
    if len(shifts_s) == 0:
        return total
    joined, run, offset = join_rows(X)
    rows, frame_s = X.segment_rows, X.format.frame_s
    first = offset[rows] + np.round(X.segment_starts / frame_s).astype(np.int64)
    for shift_s in shifts_s:
        frames = first + round(shift_s / frame_s)

        def read(which, frames=frames):
            return joined.read(run[rows[which]], frames[which])

        total = total + map_segments(net, X, function, read)
    return total / (1 + len(shifts_s))


def _to_numpy(output):
    if isinstance(output, tuple):
        return tuple(_to_numpy(part) for part in output)
    return output.float().cpu().numpy()
