from dataclasses import dataclass, replace
from numbers import Integral

from sklearn.utils._param_validation import Interval

from skbird.preprocessing import _dsp
from skbird.preprocessing._base import ClipTransformer


@dataclass(frozen=True)
class ResampleOp:
    """Bring a clip to a sample rate."""

    sample_rate: int

    def __call__(self, clip):
        samples = _dsp.resample(clip.samples, clip.sample_rate, self.sample_rate)
        return replace(clip, samples=samples, sample_rate=self.sample_rate)


class Resampler(ClipTransformer):
    """Bring all recordings to one sample rate.

    Uses the soxr library at its "HQ" quality: a linear-phase filter that leaves the
    band up to 0.91 of Nyquist as it is.

    Parameters
    ----------
    sample_rate : int in [1000, 1_000_000], default=32000
        In Hz. Sounds above half of it are lost: 32 kHz keeps what is below 16 kHz,
        nearly all birds and frogs; bats need their recorder's own rate.

    See Also
    --------
    BandPass : Removes frequencies below or above those of interest.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from skbird.preprocessing import Resampler
    >>> path = Path(tempfile.mkdtemp()) / "finch.wav"
    >>> soundfile.write(path, np.zeros(44100), 44100)
    >>> Resampler(32_000).transform([path])[0].samples.shape
    (32000,)
    """

    _parameter_constraints: dict = {
        "sample_rate": [Interval(Integral, 1000, 1_000_000, closed="both")]
    }

    def __init__(self, sample_rate=32_000):
        self.sample_rate = sample_rate

    def _make_op(self):
        return ResampleOp(int(self.sample_rate))
