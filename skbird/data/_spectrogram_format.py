"""The format that all rows of spectrograms share, and the normalisation of segments."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from skbird.data._segments import SegmentGrid
from skbird.utils._params import POSITIVE, as_floats, check_params
from skbird.utils._sklearn_compat import StrOptions

#: Level of digital silence in the spectrograms, in dB.
FLOOR_DB = -100.0

Normalization = Literal["minmax", "standard"] | None

FORMAT_CONSTRAINTS = {
    "frame_s": [POSITIVE],
    "grid": [SegmentGrid],
    "normalize": [StrOptions({"minmax", "standard"}), None],
    "top_db": [POSITIVE, None],
}


@dataclass(frozen=True)
class SpectrogramFormat:
    """The format that all rows of a `Spectrograms` share.

    Parameters
    ----------
    mel_hz : tuple of float
        Centre of each mel band in Hz, ascending.
    frame_s : float
        Seconds from one frame to the next.
    grid : SegmentGrid, default=SegmentGrid()
        How rows are cut into segments.
    normalize : {"minmax", "standard", None}, default="minmax"
        How each segment is normalised when it is read.
    top_db : float or None, default=80.0
        Range below the loudest point of a segment that is kept.

    Examples
    --------
    >>> from skbird.data import SpectrogramFormat
    >>> format = SpectrogramFormat(mel_hz=(500.0, 1000.0, 2000.0), frame_s=0.016)
    >>> format.n_mels, format.frames_per_segment
    (3, 313)
    """

    mel_hz: tuple[float, ...]
    frame_s: float
    grid: SegmentGrid = SegmentGrid()
    normalize: Normalization = "minmax"
    top_db: float | None = 80.0

    def __post_init__(self):
        check_params("SpectrogramFormat", FORMAT_CONSTRAINTS, **vars(self))
        if as_floats(self.mel_hz, "mel_hz").ndim != 1:
            raise ValueError(f"mel_hz={self.mel_hz!r:.100} must be a tuple of numbers.")

    @property
    def n_mels(self) -> int:
        """Number of mel bands."""
        return len(self.mel_hz)

    @property
    def frames_per_segment(self) -> int:
        """Number of frames of a segment; its first and last lie on its edges."""
        # The small amount keeps 5 s / 16 ms = 312.5 from depending on rounding.
        return 1 + int(self.grid.segment_s / self.frame_s + 1e-6)

    def segment_frames(self, n_frames: int) -> np.ndarray:
        """Return the first frame of each segment of a row of `n_frames` frames.

        Parameters
        ----------
        n_frames : int >= 1
            Length of the row.

        Returns
        -------
        ndarray of int, shape (n_segments,)
        """
        starts = self.grid.starts((n_frames - 1) * self.frame_s)
        first = np.round(starts / self.frame_s).astype(np.int64)
        return np.minimum(first, max(n_frames - self.frames_per_segment, 0))


def normalize_segments(batch, normalize, top_db):
    """Bring each segment of a batch to a common range.

    Parameters
    ----------
    batch : ndarray of shape (n, n_frames, n_mels), float32
        In dB.
    normalize : {"minmax", "standard", None}
        To [0, 1]; to mean 0 and standard deviation 1; not at all.
    top_db : float or None
        First, raise what lies more than this below the segment's loudest point.

    Returns
    -------
    ndarray of the same shape, float32
        A silent segment becomes 0 throughout.
    """
    if top_db is not None:
        batch = np.maximum(batch, batch.max(axis=(1, 2), keepdims=True) - top_db)
    if normalize == "minmax":
        low = batch.min(axis=(1, 2), keepdims=True)
        extent = batch.max(axis=(1, 2), keepdims=True) - low
        return (batch - low) / np.maximum(extent, 1e-3)
    if normalize == "standard":
        mean = batch.mean(axis=(1, 2), keepdims=True)
        deviation = batch.std(axis=(1, 2), keepdims=True)
        return (batch - mean) / np.maximum(deviation, 1e-3)
    return batch
