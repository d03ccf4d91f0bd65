from dataclasses import dataclass, replace
from numbers import Real

from skbird.data import ClipOp, SegmentGrid
from skbird.preprocessing._clip_transformer import ClipTransformer
from skbird.utils._sklearn_compat import Interval, StrOptions


@dataclass(frozen=True)
class SegmentOp(ClipOp):
    """Say how a clip is cut."""

    grid: SegmentGrid

    changes_samples = False

    def __call__(self, clip):
        return replace(clip, grid=self.grid)

    def grid_after(self, grid):
        """Return the grid that clips are given."""
        return self.grid


class Segmenter(ClipTransformer):
    """Cut each row into segments of one length: what a network sees.

    The audio is not copied: segments are slices of the row's spectrogram, so overlap
    costs nothing. The last segment ends where the row ends (a remainder below 1 % of a
    segment is dropped). This step may stand anywhere before LogMel; without it the
    defaults below hold. Prediction uses the same segments: rows as long as a segment,
    such as those of :func:`skbird.data.segment_table`, have one.

    Parameters
    ----------
    segment_s : float in [0.1, 600], default=5.0
        Length of a segment in seconds.
    overlap : float in [0, 0.95], default=0.5
        Share of a segment that it has in common with the next one.
    pad : {"cycle", "zero"}, default="cycle"
        How a row shorter than a segment fills it: repeated, or followed by silence.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from skbird.preprocessing import Segmenter
    >>> path = Path(tempfile.mkdtemp()) / "cricket.wav"
    >>> soundfile.write(path, np.zeros(11 * 8000), 8000)
    >>> Segmenter(5.0, overlap=0.5).transform([path])[0].starts
    array([0. , 2.5, 5. , 6. ])
    """

    _parameter_constraints: dict = {
        "segment_s": [Interval(Real, 0.1, 600, closed="both")],
        "overlap": [Interval(Real, 0, 0.95, closed="both")],
        "pad": [StrOptions({"cycle", "zero"})],
    }

    def __init__(self, segment_s=5.0, overlap=0.5, pad="cycle"):
        self.segment_s = segment_s
        self.overlap = overlap
        self.pad = pad

    def make_op(self):
        """Return the op that cuts a clip into segments."""
        return SegmentOp(
            SegmentGrid(float(self.segment_s), float(self.overlap), self.pad)
        )
