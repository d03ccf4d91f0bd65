"""Make spectrograms of recordings: lazy audio steps, ended by `LogMel`."""

from skbird.preprocessing._bandpass import BandPass
from skbird.preprocessing._clip_transformer import ClipTransformer
from skbird.preprocessing._logmel import LogMel
from skbird.preprocessing._resampler import Resampler
from skbird.preprocessing._rms import RMSFilter
from skbird.preprocessing._segmenter import Segmenter
from skbird.preprocessing._statistics import SpectrogramStatistics
from skbird.preprocessing._vad import VADFilter
from skbird.utils._public import set_public_module

__all__ = [
    "BandPass",
    "ClipTransformer",
    "LogMel",
    "RMSFilter",
    "Resampler",
    "Segmenter",
    "SpectrogramStatistics",
    "VADFilter",
]
set_public_module(globals())

# For the other rooms; not public.
from skbird.preprocessing._bandpass import BandPassOp
from skbird.preprocessing._dsp import (
    log_mel,
    mean_square,
    mel_filters,
    resample,
    window,
)
from skbird.preprocessing._front_end import FrontEnd
from skbird.preprocessing._last_op import LastOp
from skbird.preprocessing._mel_scale import mel_frequencies
from skbird.preprocessing._resampler import ResampleOp
from skbird.preprocessing._rms import RMSOp
from skbird.preprocessing._vad import VADOp, speech_probability
