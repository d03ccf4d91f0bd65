"""Augmentation that hides a part of a segment."""

from numbers import Integral

import torch
from sklearn.utils._param_validation import Interval
from torchaudio.functional import mask_along_axis_iid

from skbird.nn._augmentation import SHARE, SegmentAugmentation, draw_stripes, uniform

_FREQUENCY, _TIME = 2, 3  # axes of a batch


class _Mask(SegmentAugmentation):
    _parameter_constraints: dict = {
        "max_share": SHARE,
        "p": SHARE,
        "n_masks": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, max_share, p, n_masks):
        self.max_share = max_share
        self.p = p
        self.n_masks = n_masks

    def _mask(self, segments, axis):
        # Masked points take the lowest value of their segment, whatever its scale.
        lowest = segments.amin((_FREQUENCY, _TIME), keepdim=True)
        width = int(self.max_share * segments.shape[axis])
        masked = segments - lowest
        for _ in range(self.n_masks):
            masked = mask_along_axis_iid(masked, width, 0.0, axis)
        return masked + lowest


class TimeMask(_Mask):
    """Silence a stretch of time in some segments of a batch.

    Parameters
    ----------
    max_share : float in [0, 1], default=0.2
        Longest masked stretch, as a share of the segment; the length is uniform.
    p : float in [0, 1], default=0.5
        Share of the segments that are masked.
    n_masks : int >= 1, default=1
        Stretches per segment.

    References
    ----------
    Park et al., "SpecAugment", Interspeech 2019.
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
        Widest masked band, as a share of the mel bands; the width is uniform.
    p : float in [0, 1], default=0.5
        Share of the segments that are masked.
    n_masks : int >= 1, default=1
        Bands per segment.

    References
    ----------
    Park et al., "SpecAugment", Interspeech 2019.
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
        of that. Height and width are shares of the segment's own, their ratio
        log-uniform in [0.3, 3.3].
    p : float in [0, 1], default=0.5
        Share of the segments that are erased in.

    References
    ----------
    Zhong et al., "Random Erasing Data Augmentation", AAAI 2020.
    """

    _parameter_constraints: dict = {"max_area": SHARE, "p": SHARE}
    _ratio = 3.3

    def __init__(self, max_area=0.2, p=0.5):
        self.max_area = max_area
        self.p = p

    def augment(self, segments, format):
        """Erase in all the segments."""
        n, _, n_mels, n_frames = segments.shape
        area = uniform(n, self.max_area / 10, self.max_area, segments)
        ratio = self._ratio ** uniform(n, -1, 1, segments)
        inside = draw_stripes(n_mels, (area * ratio).sqrt().clamp(max=1), _FREQUENCY)
        inside = inside & draw_stripes(
            n_frames, (area / ratio).sqrt().clamp(max=1), _TIME
        )
        lowest = segments.amin((_FREQUENCY, _TIME), keepdim=True)
        return torch.where(inside, lowest, segments)
