"""Apply a fitted network to the segments of spectrograms."""

from contextlib import closing

import numpy as np
import torch

from skbird.data import as_spectrograms, with_same_axes
from skbird.nn._allocator import keep_freed_memory
from skbird.nn._batches import normalize_batch, to_segment_tensor
from skbird.nn._reader import read_batches
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
    net.check_is_fitted([net.learnt_in])
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
    batches = range(0, max(X.n_segments, 1), net.batch_size)

    def read_batch(first):
        stop = min(first + net.batch_size, X.n_segments)
        segments = read(np.arange(first, stop)) if stop else X.blank_segment()
        return {"segments": to_segment_tensor(segments, net.device)}

    answers = _Answers()
    with (
        torch.inference_mode(),
        closing(read_batches(read_batch, batches, net.device)) as inputs,
    ):
        for batch in progress_bar(
            inputs,
            total=len(batches),
            desc="predict",
            unit="batch",
            delay=2,
            verbose=net.verbose,
        ):
            segments = normalize_batch(
                batch["segments"], X.format.normalize, X.format.top_db
            )
            answers.add(
                function(segments.contiguous(memory_format=torch.channels_last))
            )
    outputs = answers.read()
    if isinstance(outputs[0], tuple):
        return tuple(_join(part, X) for part in zip(*outputs, strict=True))
    return _join(outputs, X)


def _join(outputs, X):
    joined = np.concatenate(outputs)[: X.n_segments]
    check_answers(joined, X)
    return joined


class _Answers:
    """Brings to the host what a network answers, while a GPU computes what follows."""

    def __init__(self):
        self._arrays = []
        self._coming = None

    def add(self, output):
        """Take the answer to a batch: a tensor or a tuple of them."""
        is_tuple = isinstance(output, tuple)
        parts = [part.float() for part in (output if is_tuple else (output,))]
        copied = None
        device = parts[0].device
        if device.type == "cuda":
            parts = [part.to("cpu", non_blocking=True) for part in parts]
            copied = torch.cuda.current_stream(device).record_event()
        self._settle()
        self._coming = parts, copied, is_tuple

    def _settle(self):
        if self._coming is None:
            return
        parts, copied, is_tuple = self._coming
        arrays = [part.cpu().numpy() for part in parts]
        if copied is not None:
            copied.synchronize()
            # Tensors that come from a GPU lie in pinned memory, which is scarce.
            arrays = [array.copy() for array in arrays]
        self._arrays.append(tuple(arrays) if is_tuple else arrays[0])
        self._coming = None

    def read(self):
        """Return what was answered to each batch: an array or a tuple of them."""
        self._settle()
        return self._arrays
