from dataclasses import dataclass, field, replace
from numbers import Integral

from skbird.audio import WORDS, check_channels
from skbird.data import ClipOp
from skbird.preprocessing import _dsp
from skbird.preprocessing._clip_transformer import ClipTransformer
from skbird.utils._sklearn_compat import Interval, StrOptions


@dataclass(frozen=True)
class ResampleOp(ClipOp):
    """Bring a clip to a sample rate; say which channels it is read from."""

    sample_rate: int
    # Not in the repr, by which cache entries are found: they name it with the row.
    channels: str | int = field(default="mean", repr=False)

    def __call__(self, clip):
        samples = _dsp.resample(clip.samples, clip.sample_rate, self.sample_rate)
        return replace(clip, samples=samples, sample_rate=self.sample_rate)

    def sample_rate_after(self, sample_rate):
        """Return the rate that clips are brought to."""
        return self.sample_rate

    def channels_read(self, channels):
        """Return the channels that clips are read from."""
        return self.channels


class Resampler(ClipTransformer):
    """Bring all recordings to one sample rate and one channel.

    Uses the soxr library at its "HQ" quality: a linear-phase filter that leaves the
    band up to 0.91 of Nyquist as it is.

    Parameters
    ----------
    sample_rate : int in [1000, 1_000_000], default=32000
        In Hz. Sounds above half of it are lost: 32 kHz keeps what is below 16 kHz,
        nearly all birds and frogs; bats need their recorder's own rate.
    channels : {"mean", "loudest"} or int >= 0, default="mean"
        Channel to use of recordings with several. The mean favours sounds that reach
        all channels, but channels of opposite sign cancel to silence, and a dead
        channel halves the level: LogMel warns of both. "loudest" is the channel with
        the most power, the same for all rows of a file (judged by 60 seconds of a
        longer file, spread evenly; the first of equals). A number selects a channel,
        from 0; files that lack it are errors. A column ``channels`` of the row table
        counts more, in rows where it is filled in.

    Notes
    -----
    Pipelines without a Resampler use the mean, or what the column says. If a pipeline
    has several, `channels` of the last one counts.

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
        "sample_rate": [Interval(Integral, 1000, 1_000_000, closed="both")],
        "channels": [
            StrOptions(set(WORDS)),
            Interval(Integral, 0, 255, closed="both"),
        ],
    }

    def __init__(self, sample_rate=32_000, *, channels="mean"):
        self.sample_rate = sample_rate
        self.channels = channels

    def make_op(self):
        """Return the op that resamples a clip."""
        return ResampleOp(int(self.sample_rate), check_channels(self.channels))
