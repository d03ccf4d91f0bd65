from dataclasses import dataclass, replace
from numbers import Integral, Real

from skbird.data import ClipOp
from skbird.preprocessing import _dsp
from skbird.preprocessing._clip_transformer import ClipTransformer
from skbird.utils._sklearn_compat import Interval


@dataclass(frozen=True)
class BandPassOp(ClipOp):
    """Filter a clip with a Butterworth band-pass."""

    low_hz: float
    high_hz: float | None
    order: int

    def __call__(self, clip):
        nyquist = clip.sample_rate / 2
        if self.low_hz >= nyquist:
            raise ValueError(
                f"low_hz={self.low_hz:g} is not below half the sample rate "
                f"({nyquist:g} Hz for {clip.row.get('path', 'this clip')}). Lower "
                "low_hz, or put a Resampler with a higher sample_rate before BandPass."
            )
        design = self.design(clip.sample_rate)
        if design is None:
            return clip
        return replace(clip, samples=_dsp.sos_filter(clip.samples, *design))

    def design(self, sample_rate):
        """Return the filter at a sample rate, or None; see `_dsp.band_sections`."""
        # Nothing lives above Nyquist: there an upper edge has nothing to do.
        edge = self.high_hz
        if edge is not None and edge >= sample_rate / 2:
            edge = None
        return _dsp.band_sections(self.low_hz, edge, self.order, sample_rate)


class BandPass(ClipTransformer):
    """Keep only the band in which the target species call.

    A causal Butterworth filter (second-order sections), 3 dB down at its edges.

    Parameters
    ----------
    low_hz : float >= 0, default=50.0
        Lower edge in Hz; 0 means none. Removes wind and handling noise.
    high_hz : float > 0 or None, default=16000.0
        Upper edge in Hz; None means none. At or above half the sample rate of a
        recording there is nothing to remove, and only the lower edge acts.
    order : int in [1, 12], default=4
        Order of the filter: each edge falls by 6 dB per octave and order.

    Raises
    ------
    ValueError
        If `low_hz` is not below `high_hz`, or (when a clip is filtered) not below half
        the sample rate.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from skbird.preprocessing import BandPass
    >>> path = Path(tempfile.mkdtemp()) / "hum.wav"
    >>> hum = 0.5 * np.sin(2 * np.pi * 50 * np.arange(32_000) / 32_000)
    >>> soundfile.write(path, hum, 32_000)
    >>> clip = BandPass(low_hz=500).transform([path])[0]
    >>> bool(np.abs(clip.samples[16_000:]).max() < 0.001)
    True
    """

    _parameter_constraints: dict = {
        "low_hz": [Interval(Real, 0, None, closed="left")],
        "high_hz": [Interval(Real, 0, None, closed="neither"), None],
        "order": [Interval(Integral, 1, 12, closed="both")],
    }

    def __init__(self, low_hz=50.0, high_hz=16_000.0, order=4):
        self.low_hz = low_hz
        self.high_hz = high_hz
        self.order = order

    def make_op(self):
        """Return the op that filters a clip."""
        if self.high_hz is not None and self.low_hz >= self.high_hz:
            raise ValueError(
                f"low_hz={self.low_hz:g} must be below high_hz={self.high_hz:g}."
            )
        high_hz = None if self.high_hz is None else float(self.high_hz)
        return BandPassOp(float(self.low_hz), high_hz, int(self.order))
