"""Augmentation that silences a part of each segment."""

from numbers import Integral

import torch

from skbird.nn._augmentation import SHARE, SegmentAugmentation, draw_stripes, uniform
from skbird.utils._sklearn_compat import Interval

_FREQUENCY, _TIME = 2, 3  # axes of a batch


def silence(segments, hidden):
    """Set the marked points to the lowest value of their segment."""
    lowest = segments.amin((_FREQUENCY, _TIME), keepdim=True)
    return torch.where(hidden, lowest, segments)


class _Mask(SegmentAugmentation):
    _parameter_constraints: dict = {
        "max_share": SHARE,
        "p": SHARE,
        "n_masks": [Interval(Integral, 1, 100, closed="both")],
    }

    def __init__(self, max_share, p, n_masks):
        self.max_share = max_share
        self.p = p
        self.n_masks = n_masks

    def _mask(self, segments, axis):
        size = segments.shape[axis]
        longest = max(int(self.max_share * size + 1e-6), 1) if self.max_share else 0
        hidden = torch.zeros_like(segments, dtype=torch.bool)
        for _ in range(self.n_masks):
            length = uniform(len(segments), 0, longest, segments).floor() + 1
            hidden |= draw_stripes(size, length.clamp(max=longest) / size, axis)
        return silence(segments, hidden)


class TimeMask(_Mask):
    """Silence a stretch of time in some segments of a batch.

    Parameters
    ----------
    max_share : float in [0, 1], default=0.2
        Longest masked stretch, as a share of the segment. All lengths from one frame to
        this are as likely; 0 masks nothing.
    p : float in [0, 1], default=0.5
        Share of the segments that are masked.
    n_masks : int in [1, 100], default=1
        Stretches per segment.

    References
    ----------
    Park et al., "SpecAugment", Interspeech 2019.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from skbird.data import Spectrograms
    >>> from skbird.nn import SEDClassifier, TimeMask
    >>> format = Spectrograms.from_arrays(np.zeros((1, 64, 128))).format
    >>> segments = torch.randn(4, 1, 64, 128)
    >>> masked = TimeMask(max_share=0.25, p=1.0).apply(segments, format)
    >>> frames = (masked != segments).any(dim=2).sum(dim=(1, 2))
    >>> bool(((frames >= 1) & (frames <= 32)).all())
    True
    >>> net = SEDClassifier(callbacks__time_mask__p=0.5)  # in a training
    """

    def __init__(self, max_share=0.2, p=0.5, n_masks=1):
        super().__init__(max_share, p, n_masks)

    def augment(self, segments, format):
        """Mask all the segments."""
        return self._mask(segments, _TIME)


class FrequencyMask(_Mask):
    """Silence a band of frequencies in some segments of a batch.

    Parameters
    ----------
    max_share : float in [0, 1], default=0.15
        Widest masked stretch, as a share of the mel bands. All widths from one band to
        this are as likely; 0 masks nothing.
    p : float in [0, 1], default=0.5
        Share of the segments that are masked.
    n_masks : int in [1, 100], default=1
        Bands per segment.

    References
    ----------
    Park et al., "SpecAugment", Interspeech 2019.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from skbird.data import Spectrograms
    >>> from skbird.nn import FrequencyMask, SEDClassifier
    >>> format = Spectrograms.from_arrays(np.zeros((1, 64, 128))).format
    >>> segments = torch.randn(4, 1, 64, 128)
    >>> masked = FrequencyMask(max_share=0.25, p=1.0).apply(segments, format)
    >>> bands = (masked != segments).any(dim=3).sum(dim=(1, 2))
    >>> bool(((bands >= 1) & (bands <= 16)).all())
    True
    >>> net = SEDClassifier(callbacks__frequency_mask__p=0.5)  # in a training
    """

    def __init__(self, max_share=0.15, p=0.5, n_masks=1):
        super().__init__(max_share, p, n_masks)

    def augment(self, segments, format):
        """Mask all the segments."""
        return self._mask(segments, _FREQUENCY)


class RandomErasing(SegmentAugmentation):
    """Silence a rectangle of time and frequency in some segments of a batch.

    Parameters
    ----------
    max_area : float in [0, 1], default=0.2
        Largest rectangle, as a share of the segment; its area is uniform from a tenth
        of that, and one point at least; 0 erases nothing. Height and width are shares
        of the segment's own, their ratio log-uniform in [0.3, 3.3], as far as neither
        is longer than the segment's.
    p : float in [0, 1], default=0.5
        Share of the segments that are erased in.

    References
    ----------
    Zhong et al., "Random Erasing Data Augmentation", AAAI 2020.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from skbird.data import Spectrograms
    >>> from skbird.nn import RandomErasing, SEDClassifier
    >>> format = Spectrograms.from_arrays(np.zeros((1, 64, 128))).format
    >>> segments = torch.randn(4, 1, 64, 128)
    >>> erased = RandomErasing(max_area=0.2, p=1.0).apply(segments, format)
    >>> shares = (erased != segments).float().mean(dim=(1, 2, 3))
    >>> bool(((shares > 0.01) & (shares < 0.21)).all())
    True
    >>> net = SEDClassifier(callbacks__erasing__p=0.5)  # in a training
    """

    _parameter_constraints: dict = {"max_area": SHARE, "p": SHARE}
    _ratio = 3.3

    def __init__(self, max_area=0.2, p=0.5):
        self.max_area = max_area
        self.p = p

    def augment(self, segments, format):
        """Erase in all the segments."""
        if self.max_area == 0:
            return segments
        n, _, n_mels, n_frames = segments.shape
        area = uniform(n, self.max_area / 10, self.max_area, segments)
        # No side is longer than the segment's.
        ratio = (self._ratio ** uniform(n, -1, 1, segments)).clamp(area, 1 / area)
        height = ((area * ratio).sqrt() * n_mels).round().clamp(min=1) / n_mels
        width = (area / height * n_frames).floor().clamp(1, n_frames) / n_frames
        inside = draw_stripes(n_mels, height, _FREQUENCY)
        inside = inside & draw_stripes(n_frames, width, _TIME)
        return silence(segments, inside)
