"""Segments in which species are known to call, and where the calls lie in them."""

import numpy as np
import pandas as pd

from skbird.inspection._localization import boxes_to_region
from skbird.utils._text import counted


def find_examples(X, boxes, species, min_overlap_s):
    """Find the segments in which species call.

    Parameters
    ----------
    X : Spectrograms
    boxes : DataFrame
        See :func:`explanation_report`.
    species : sequence of str
        Those that count.
    min_overlap_s : float
        Seconds of calls that a segment must hold, added up over the boxes.

    Returns
    -------
    segment, column : ndarray of shape (n,), int
        Numbers of segments, and of species.

    Raises
    ------
    ValueError
        If there are fewer than 2.
    """
    starts = _segment_seconds(X)
    ends = starts + X.format.grid.segment_s
    paths = X.paths[X.segment_rows]
    numbers = {str(name): number for number, name in enumerate(species)}
    overlap = np.zeros((X.n_segments, len(numbers)))
    of_path = pd.Series(np.arange(X.n_segments)).groupby(paths).indices
    for box in boxes.itertuples():
        if box.path in of_path and box.species in numbers:
            near = of_path[box.path]
            shared = np.minimum(ends[near], box.end) - np.maximum(
                starts[near], box.start
            )
            overlap[near, numbers[box.species]] += np.maximum(shared, 0)
    segment, column = np.nonzero(overlap >= min_overlap_s)
    if len(segment) < 2:
        raise ValueError(
            f"boxes has calls of at least min_overlap_s={min_overlap_s} s in "
            f"{counted(len(segment), 'segment')} of X; 2 are needed. Its paths and "
            "species must be those of X and of the network, such as "
            f"{list(species)[:5]}."
        )
    return segment, column


def example_regions(X, boxes, species, segment, column):
    """Mark the calls of each example on its spectrogram.

    Parameters
    ----------
    X, boxes, species
        See :func:`find_examples`.
    segment, column : ndarray of shape (n,), int
        The examples.

    Returns
    -------
    ndarray of shape (n, n_mels, n_frames), bool
    """
    groups = {
        key: table[["start", "end", "low_hz", "high_hz"]].to_numpy(dtype=float)
        for key, table in boxes.groupby(["path", "species"])
    }
    frames = np.arange(X.format.frames_per_segment) * X.format.frame_s
    starts = _segment_seconds(X)[segment]
    paths = X.paths[X.segment_rows[segment]]
    return np.stack(
        [
            boxes_to_region(
                groups[path, str(species[number])], start + frames, X.format.mel_hz
            )
            for path, start, number in zip(paths, starts, column, strict=True)
        ]
    )


def _segment_seconds(X):
    """Second of the recording at which each segment starts."""
    starts = np.zeros(len(X))
    if "start" in X.rows:
        starts = X.rows["start"].fillna(0.0).to_numpy(dtype=float)
    return starts[X.segment_rows] + X.segment_starts
