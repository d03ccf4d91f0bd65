"""Check the X of a network."""

import copy

import numpy as np
import pandas as pd

from skbird.data import Spectrograms


def as_spectrograms(X):
    """Convert a 3-D array to `Spectrograms`."""
    if isinstance(X, Spectrograms):
        return X
    if isinstance(X, np.ndarray) and X.ndim == 3:
        return Spectrograms.from_arrays(X)
    kind = "an array of shape " + str(X.shape) if hasattr(X, "shape") else type(X)
    if isinstance(X, pd.DataFrame):
        kind = "a DataFrame"
    raise TypeError(
        f"X is {kind}; a network needs Spectrograms or an array (n_rows, n_mels, "
        "n_frames). Put a LogMel before it: make_pipeline(LogMel(), ...)."
    )


def with_same_axes(X, seen):
    """Return spectrograms that a network can predict; complain if their axes differ.

    Parameters
    ----------
    X : Spectrograms
        If none of their rows could be read, their axes say nothing: they get those of
        `seen`.
    seen : SpectrogramFormat
        Format of the spectrograms that the network was trained on.

    Returns
    -------
    Spectrograms
    """
    if X.n_segments == 0:
        X = copy.copy(X)
        X.format = seen
        return X
    check_same_axes(X.format, seen)
    return X


def check_same_axes(given, seen):
    """Refuse spectrograms whose axes differ from those that a network was fitted on.

    Parameters
    ----------
    given, seen : SpectrogramFormat
        Format of these spectrograms, and of those trained on.
    """
    same_bands = seen.n_mels == given.n_mels and np.allclose(seen.mel_hz, given.mel_hz)
    if not same_bands or not np.isclose(seen.frame_s, given.frame_s):
        raise ValueError(
            f"X has {_describe_axes(given)}, but the network was trained on "
            f"{_describe_axes(seen)}. Use the same LogMel for both, and a Resampler "
            "before it."
        )


def _describe_axes(format):
    low, high = format.mel_hz[0], format.mel_hz[-1]
    frame_ms = 1000 * format.frame_s
    return (
        f"{format.n_mels} mel bands at {low:.0f} to {high:.0f} Hz and frames of "
        f"{frame_ms:.3g} ms"
    )
