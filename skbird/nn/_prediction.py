"""Apply a fitted network to the segments of spectrograms."""

import numpy as np
import torch

from skbird.data import as_spectrograms, with_same_axes
from skbird.nn._allocator import keep_freed_memory
from skbird.nn._batches import normalize_batch, to_segment_tensor
from skbird.utils._finite import check_answers
from skbird.utils._progress import progress_bar


def spectrograms_for(net, X):
    """Return input as spectrograms, if a fitted network can take their axes.

    Parameters
    ----------
    net : SegmentNet
    X : Spectrograms or array of shape (n_rows, n_mels, n_frames)

    Returns
    -------
    Spectrograms

    Raises
    ------
    NotFittedError
        If the network was not fitted.
    ValueError
        If the spectrograms have another format than those that it was fitted on.
    """
    net.check_is_fitted(["species_"])
    return with_same_axes(as_spectrograms(X), net.format_)


def map_segments(net, X, function, read=None):
    """Apply a function of a network's module to all segments, in evaluation mode.

    Parameters
    ----------
    net : SegmentNet
        Fitted. It tells the device, the size of the batches, and whether to show
        progress.
    X : Spectrograms
    function : callable
        Normalised segments (batch, 1, n_mels, n_frames) -> tensor or tuple of tensors.
    read : callable, default=None
        Numbers of segments -> (n, n_frames, n_mels): other sound in their places. By
        default it is ``X.segments``.

    Returns
    -------
    ndarray of shape (n_segments, ...), or tuple of them
        All finite.

    Raises
    ------
    FloatingPointError
        If a number is not.
    """
    read = X.segments if read is None else read
    net.module_.eval()
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
        return tuple(_join(part, X) for part in zip(*outputs, strict=True))
    return _join(outputs, X)


def _join(outputs, X):
    joined = np.concatenate(outputs)[: X.n_segments]
    check_answers(joined, X)
    return joined


def _to_numpy(output):
    if isinstance(output, tuple):
        return tuple(_to_numpy(part) for part in output)
    return output.float().cpu().numpy()
