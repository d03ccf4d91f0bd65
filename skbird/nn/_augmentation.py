"""Base of the augmentations of single segments, and their helpers."""

from numbers import Real

import torch

from skbird.nn._recipe_callback import RecipeCallback
from skbird.utils._sklearn_compat import Interval

SHARE = [Interval(Real, 0, 1, closed="both")]
DECIBEL = [Interval(Real, 0, 200, closed="both")]  # float32 holds their powers


class SegmentAugmentation(RecipeCallback):
    """Base: change each segment of a training batch with a probability.

    A subclass has the parameter `p` and the method `augment`. Labels stay as they are.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from skbird.data import Spectrograms
    >>> from skbird.nn import SegmentAugmentation
    >>> class Polarity(SegmentAugmentation):
    ...     def __init__(self, p=0.5):
    ...         self.p = p
    ...
    ...     def augment(self, segments, format):
    ...         return -segments
    >>> format = Spectrograms.from_arrays(np.zeros((1, 64, 128))).format
    >>> segments = torch.full((4, 1, 64, 128), -50.0)
    >>> bool((Polarity(p=1.0).apply(segments, format) == 50.0).all())
    True
    """

    _parameter_constraints: dict = {"p": SHARE}

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        """Change the batch in place."""
        if training:
            inputs = batch[0]
            inputs["segments"] = self.apply(inputs["segments"], net.format_)

    def apply(self, segments, format):
        """Augment a share `p` of the segments, each drawn by itself.

        Parameters
        ----------
        segments : tensor of shape (batch, 1, n_mels, n_frames)
            In dB; behind mixup or CutMix of log-mels, normalised.
        format : SpectrogramFormat
            Axes of the segments.

        Returns
        -------
        tensor of the same shape
            Another one: the given one is not changed.
        """
        chosen = torch.nonzero(torch.rand(len(segments)) < self.p)[:, 0]
        if len(chosen) == 0:
            return segments
        chosen = chosen.to(segments.device, non_blocking=True)
        augmented = segments.clone()
        augmented[chosen] = self.augment(segments[chosen], format)
        return augmented

    def augment(self, segments, format):
        """Return segments of the same shape, all changed."""
        raise NotImplementedError(f"{type(self).__name__} must define augment.")


def uniform(n, low, high, like):
    """Draw n numbers from [low, high): a tensor (n, 1, 1, 1) like another one.

    Drawn on the CPU, so that all devices see the same; no GPU is waited for.
    """
    drawn = low + (high - low) * torch.rand(n, 1, 1, 1)
    return drawn.to(like, non_blocking=True)


def db_to_power(db):
    """Turn dB into power."""
    return torch.pow(10.0, db / 10)


def power_to_db(power):
    """Turn power into dB; nothing falls below -100 dB."""
    return 10 * torch.log10(power.clamp(min=1e-10))


def draw_stripes(size, share, axis):
    """Place one stripe in each segment, anywhere along an axis.

    Parameters
    ----------
    size : int
        Length of the axis.
    share : tensor of shape (n, 1, 1, 1), in [0, 1]
        Width of the stripes, as a share of `size`; one step at least where it is not 0.
    axis : {2, 3}
        Frequency or time.

    Returns
    -------
    bool tensor of shape (n, 1, size, 1) or (n, 1, 1, size)
    """
    width = (share * size).round().clamp(min=1) * (share > 0)
    # All places at which a stripe lies within the segment are as likely.
    first = (uniform(len(share), 0, 1, share) * (size - width + 1)).floor()
    shape = [1, 1, 1, 1]
    shape[axis] = size
    step = torch.arange(size, device=share.device).view(shape)
    return (step >= first) & (step < first + width)
