"""Batches that a thread reads while the device works on those before."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice

import torch

_AHEAD = 2  # batches; more would only take memory


def send(array, device):
    """Copy an array to a device.

    Parameters
    ----------
    array : ndarray
    device : str or torch.device
        On CUDA nothing waits for the copy: it is made from pinned memory, in its turn
        in the current stream.

    Returns
    -------
    tensor
    """
    tensor = torch.from_numpy(array)
    if torch.device(device).type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def read_batches(read, jobs, device):
    """Yield what `read` makes of each job; on CUDA, while the device is at work.

    Parameters
    ----------
    read : callable
        A job -> dict of tensors. It draws no random numbers: it may be far ahead.
    jobs : iterable
    device : str or torch.device
        Where the batches are wanted.

    Yields
    ------
    dict of str to tensor
    """
    if torch.device(device).type != "cuda":
        # A thread would take from the cores that compute, to gain a hundredth.
        yield from map(read, jobs)
        return
    stream = torch.cuda.Stream(device)

    def read_on_stream(job):
        with torch.cuda.stream(stream):
            return read(job), stream.record_event()

    with closing(read_ahead(read_on_stream, jobs)) as batches:
        for batch, copied in batches:
            computing = torch.cuda.current_stream(device)
            computing.wait_event(copied)  # this thread does not wait
            for tensor in batch.values():
                if tensor.is_cuda:
                    tensor.record_stream(computing)
            yield batch


def read_ahead(read, jobs):
    """Yield what `read` makes of each job, in a thread that keeps a few ahead."""
    jobs = iter(jobs)
    pool = ThreadPoolExecutor(1, "skbird-reader")
    try:
        waiting = deque(pool.submit(read, job) for job in islice(jobs, _AHEAD))
        while waiting:
            batch = waiting.popleft().result()
            waiting.extend(pool.submit(read, job) for job in islice(jobs, 1))
            yield batch
    finally:
        pool.shutdown(cancel_futures=True)
