"""Augmentation that imitates other places, recorders and times; it works on raw dB."""

from numbers import Integral, Real

import numpy as np
import torch
from torch.nn import functional as F

from skbird.data import Spectrograms
from skbird.nn._augmentation import (
    DECIBEL,
    SHARE,
    SegmentAugmentation,
    db_to_power,
    power_to_db,
    uniform,
)
from skbird.nn._batches import to_segment_tensor
from skbird.utils._sklearn_compat import Interval, StrOptions

_ANY_DECIBEL = [Interval(Real, -200, 200, closed="both")]


class Gain(SegmentAugmentation):
    """Make some segments of a batch louder or softer.

    Useful with ``LogMel(normalize=None)`` or before `Mixup` with ``equalize=False``:
    normalisation takes the gain out again.

    Parameters
    ----------
    max_db : float in [0, 200], default=6.0
        The gain is uniform between -max_db and max_db.
    p : float in [0, 1], default=0.5
        Share of the segments that are changed.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from skbird.data import Spectrograms
    >>> from skbird.nn import Gain, SEDClassifier
    >>> format = Spectrograms.from_arrays(np.zeros((1, 64, 128))).format
    >>> segments = torch.full((4, 1, 64, 128), -50.0)
    >>> changed = Gain(max_db=6.0, p=1.0).apply(segments, format)
    >>> bool((changed - segments).abs().max() <= 6.0)
    True
    >>> net = SEDClassifier(callbacks__gain__p=0.5)  # in a training
    """

    _parameter_constraints: dict = {"max_db": DECIBEL, "p": SHARE}

    def __init__(self, max_db=6.0, p=0.5):
        self.max_db = max_db
        self.p = p

    def augment(self, segments, format):
        """Change all the segments."""
        return segments + uniform(len(segments), -self.max_db, self.max_db, segments)


class FrequencyResponse(SegmentAugmentation):
    """Filter some segments of a batch at random, as other microphones would.

    The response in dB goes linearly over the mel bands between a few random values.

    Parameters
    ----------
    max_db : float in [0, 200], default=6.0
        The values are uniform between -max_db and max_db.
    n_points : int in [2, 1000], default=4
        Values, evenly spaced from the lowest band to the highest.
    p : float in [0, 1], default=0.5
        Share of the segments that are filtered.

    References
    ----------
    Nam et al., "FilterAugment: An Acoustic Environmental Data Augmentation Method",
    ICASSP 2022, of which this is the linear kind.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from skbird.data import Spectrograms
    >>> from skbird.nn import FrequencyResponse, SEDClassifier
    >>> format = Spectrograms.from_arrays(np.zeros((1, 64, 128))).format
    >>> segments = torch.full((4, 1, 64, 128), -50.0)
    >>> filtered = FrequencyResponse(max_db=6.0, p=1.0).apply(segments, format)
    >>> bool((filtered - segments).abs().max() <= 6.0)
    True
    >>> net = SEDClassifier(callbacks__response__p=0.5)  # in a training
    """

    _parameter_constraints: dict = {
        "max_db": DECIBEL,
        "n_points": [Interval(Integral, 2, 1000, closed="both")],
        "p": SHARE,
    }

    def __init__(self, max_db=6.0, n_points=4, p=0.5):
        self.max_db = max_db
        self.n_points = n_points
        self.p = p

    def augment(self, segments, format):
        """Filter all the segments."""
        n, _, n_mels, _ = segments.shape
        values = self.max_db * (2 * torch.rand(n, 1, self.n_points) - 1)
        response = F.interpolate(values, n_mels, mode="linear", align_corners=True)
        return segments + response[..., None].to(segments, non_blocking=True)


class BackgroundNoise(SegmentAugmentation):
    """Add pink noise, or sounds of one's own, to some segments of a batch.

    Powers are added, as those of independent sounds do.

    Parameters
    ----------
    background : Spectrograms, default=None
        What to add: what the front end of the same pipeline makes of recordings without
        calls, ``pipe[:-1].transform(noise_files)``. Pink noise by default, whose power
        per Hz falls with 1 / frequency. Give the front end a ``cache_dir``: otherwise
        a pickle of the network holds the noise.
    min_snr_db, max_snr_db : float in [-200, 200], default=3.0, 30.0
        Power of the segment over that of the noise, both averaged over time and bands;
        uniform in between.
    p : float in [0, 1], default=0.5
        Share of the segments that noise is added to.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from skbird.data import Spectrograms
    >>> from skbird.nn import BackgroundNoise, SEDClassifier
    >>> format = Spectrograms.from_arrays(np.zeros((1, 64, 128))).format
    >>> segments = torch.full((4, 1, 64, 128), -50.0)
    >>> noisy = BackgroundNoise(min_snr_db=0.0, max_snr_db=10.0, p=1.0).apply(
    ...     segments, format
    ... )
    >>> bool(noisy.mean() > segments.mean())
    True
    >>> net = SEDClassifier(callbacks__noise__p=0.5)  # in a training
    """

    _parameter_constraints: dict = {
        "background": [Spectrograms, None],
        "min_snr_db": _ANY_DECIBEL,
        "max_snr_db": _ANY_DECIBEL,
        "p": SHARE,
    }

    def __init__(self, background=None, min_snr_db=3.0, max_snr_db=30.0, p=0.5):
        self.background = background
        self.min_snr_db = min_snr_db
        self.max_snr_db = max_snr_db
        self.p = p

    def check_parameters(self):
        """Check also that the two ratios are in order."""
        super().check_parameters()
        if self.min_snr_db > self.max_snr_db:
            raise ValueError(
                f"min_snr_db={self.min_snr_db:g} must not be above "
                f"max_snr_db={self.max_snr_db:g}."
            )

    def augment(self, segments, format):
        """Add noise to all the segments."""
        noise = self._noise(segments, format)
        power = db_to_power(segments)
        snr = uniform(len(segments), self.min_snr_db, self.max_snr_db, segments)
        # Powers of the whole segment are compared: a short call, loud for a moment,
        # stands out of noise that would hide a song of the same mean power.
        wanted = power.mean((2, 3), keepdim=True) / db_to_power(snr)
        noise = noise * (wanted / noise.mean((2, 3), keepdim=True).clamp(min=1e-10))
        return power_to_db(power + noise)

    def _noise(self, segments, format):
        """Return the power of noise, of the shape of `segments`."""
        if self.background is None:
            hz = torch.tensor(format.mel_hz).clamp(min=1.0)
            # A band of a short-time spectrum of noise is about exponential. So many
            # numbers are drawn where they are needed: others on a GPU than on the CPU.
            speckle = torch.empty(segments.shape, device=segments.device)
            speckle.exponential_()
            return speckle / hz[:, None].to(segments, non_blocking=True)
        _check_background(self.background, format)
        drawn = torch.randint(self.background.n_segments, (len(segments),)).numpy()
        noise = self.background.segments(drawn)
        return db_to_power(to_segment_tensor(noise, segments.device))


def _check_background(background, format):
    given = background.format
    same = np.array_equal(given.mel_hz, format.mel_hz)
    if not same or given.frames_per_segment != format.frames_per_segment:
        raise ValueError(
            f"background has segments of {given.n_mels} mel bands and "
            f"{given.frames_per_segment} frames, the training data of {format.n_mels} "
            f"and {format.frames_per_segment}, or other bands. Use the same front end "
            "for both."
        )
    if background.n_segments == 0:
        raise ValueError("background has no segments: none of its files can be read.")


class TimeShift(SegmentAugmentation):
    """Move some segments of a batch in time.

    Parameters
    ----------
    max_s : float in [0, 600], default=2.5
        Longest shift, in seconds. All shifts of one frame to this, forward or back, are
        as likely; 0 moves nothing.
    mode : {"circular", "crop"}, default="circular"
        "circular" lets what leaves a segment at one end enter at the other. "crop"
        takes the segment from elsewhere in its row, as far as the row reaches:
        spectrograms are kept of whole rows, so that it costs nothing. It may reach
        into sound that a filter gave no weight.
    p : float in [0, 1], default=1.0
        Share of the segments that are moved.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from skbird.data import Spectrograms
    >>> from skbird.nn import SEDClassifier, TimeShift
    >>> format = Spectrograms.from_arrays(np.zeros((1, 64, 128))).format
    >>> segments = torch.randn(4, 1, 64, 128)
    >>> shifted = TimeShift(max_s=1.0).apply(segments, format)
    >>> bool((shifted.sort(dim=3).values == segments.sort(dim=3).values).all())
    True
    >>> net = SEDClassifier(callbacks__shift__max_s=1.0)  # in a training
    """

    _parameter_constraints: dict = {
        "max_s": [Interval(Real, 0, 600, closed="both")],
        "mode": [StrOptions({"circular", "crop"})],
        "p": SHARE,
    }

    def __init__(self, max_s=2.5, mode="circular", p=1.0):
        self.max_s = max_s
        self.mode = mode
        self.p = p

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Let the batches be read with a shift, if that is wanted."""
        super().on_train_begin(net, X=X, y=y)
        if self.mode == "crop" and self.p > 0:
            X.draw_shifts = self._draw_frames

    def _draw_frames(self, rng, n, frame_s):
        frames = self._max_frames(frame_s) * rng.uniform(-1, 1, n)
        moved = rng.uniform(size=n) < self.p
        return np.where(moved, _away_from_zero(frames), 0).astype(np.int64)

    def _max_frames(self, frame_s):
        return max(int(self.max_s / frame_s + 1e-6), 1) if self.max_s else 0

    def apply(self, segments, format):
        """Move the segments, unless they were read with a shift already."""
        if self.mode == "crop":
            return segments
        return super().apply(segments, format)

    def augment(self, segments, format):
        """Roll all the segments."""
        n, _, _, n_frames = segments.shape
        longest = self._max_frames(format.frame_s)
        shift = _away_from_zero(uniform(n, -longest, longest, segments))
        frame = torch.arange(n_frames, device=segments.device)
        source = (frame - shift.long()) % n_frames
        return segments.gather(3, source.expand_as(segments))


def _away_from_zero(frames):
    """Round shifts to whole frames, away from 0: each frame is as likely, 0 never."""
    module = torch if isinstance(frames, torch.Tensor) else np
    return module.sign(frames) * module.ceil(abs(frames))
