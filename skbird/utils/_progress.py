"""The one progress bar that all long work shows."""

import sys

from tqdm import tqdm


def progress_bar(iterable=None, *, verbose, **options):
    """Make a tqdm bar on standard error.

    In a log file, where each update is a line of its own, it reports twice a minute.

    Parameters
    ----------
    iterable : iterable, default=None
        What to iterate over; without it the caller moves the bar on.
    verbose : int
        Whether to show anything.
    **options
        Options of tqdm: total, desc, unit, delay (seconds before it appears).

    Returns
    -------
    tqdm
    """
    interval_s = 0.1 if sys.stderr.isatty() else 30
    return tqdm(iterable, mininterval=interval_s, disable=not verbose, **options)
