"""Spectrograms of rows, for what is not behind a front end in a pipeline."""

import numpy as np

from skbird.data import Recordings, Spectrograms, as_recordings
from skbird.preprocessing import BandPass, LogMel, Resampler, Segmenter


def is_made(X):
    """Return whether rows are spectrograms already."""
    return isinstance(X, Spectrograms) or (isinstance(X, np.ndarray) and X.ndim == 3)


def make_spectrograms(X, fit, **options):
    """Make spectrograms of rows, as the recipes do.

    Parameters
    ----------
    X : Recordings, DataFrame with a column ``path``, or paths
        Steps that Recordings went through are left as they are.
    fit : bool
        Whether all filters apply, as in training.
    **options
        Of `LogMel`.

    Returns
    -------
    Spectrograms
    """
    recordings = as_recordings(X)
    if not isinstance(X, Recordings):
        for step in (
            Resampler(32_000),
            BandPass(50.0, 16_000.0),
            Segmenter(5.0, overlap=0.5),
        ):
            recordings = step.transform(recordings)
    logmel = LogMel(**options)
    return logmel.fit_transform(recordings) if fit else logmel.transform(recordings)
