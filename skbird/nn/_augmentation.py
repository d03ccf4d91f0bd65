"""Augmentation of training batches: callbacks that change a batch before it is used."""

import torch
from skorch.callbacks import Callback

from skbird.nn._batches import normalize_batch


class Mixup(Callback):
    """Mix each segment of a batch with another one, and their labels alike.

    ``x = l a + (1 - l) b`` of the normalised spectrograms, and the same of the targets
    and label weights, with l drawn from Beta(alpha, alpha) for each segment. A label
    unknown in either stays unknown.

    Parameters
    ----------
    alpha : float > 0, default=0.4
        The smaller, the more mixtures consist of nearly one segment.
    p : float in [0, 1], default=1.0
        Share of the batches that are mixed.

    References
    ----------
    Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
    """

    def __init__(self, alpha=0.4, p=1.0):
        self.alpha = alpha
        self.p = p

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        """Mix the batch in place."""
        if not training or torch.rand(()) >= self.p:
            return
        inputs, target = batch
        n = len(target)
        other = torch.randperm(n)
        beta = torch.distributions.Beta(self.alpha, self.alpha)
        share = beta.sample((n, 1)).to(target)
        segments = normalize_batch(
            inputs["segments"], net.format_.normalize, net.format_.top_db
        )
        inputs["segments"] = _mix(segments, other, share[:, :, None, None])
        if "label_weight" in inputs:
            inputs["label_weight"] = _mix(inputs["label_weight"], other, share)
        batch[1] = _mix(target, other, share)


def _mix(values, other, share):
    return share * values + (1 - share) * values[other]


class TimeFrequencyMask(Callback):
    """Mask a band of frequencies and a stretch of time in each segment.

    Masked points take the lowest value of the segment: they sound like silence.

    Parameters
    ----------
    max_time : float in [0, 1], default=0.2
        Longest masked stretch, as a share of the segment; the length is uniform.
    max_frequency : float in [0, 1], default=0.15
        Widest masked band, as a share of the mel bands.
    p : float in [0, 1], default=0.5
        Share of the segments that get each of the masks.

    References
    ----------
    Park et al., "SpecAugment", Interspeech 2019.
    """

    def __init__(self, max_time=0.2, max_frequency=0.15, p=0.5):
        self.max_time = max_time
        self.max_frequency = max_frequency
        self.p = p

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        """Mask the batch in place."""
        if not training:
            return
        segments = batch[0]["segments"]
        n, _, n_mels, n_frames = segments.shape
        bands = self._stripes(n, n_mels, self.max_frequency, segments.device)
        times = self._stripes(n, n_frames, self.max_time, segments.device)
        masked = bands[:, None, :, None] | times[:, None, None, :]
        lowest = segments.amin((2, 3), keepdim=True)
        batch[0]["segments"] = torch.where(masked, lowest, segments)

    def _stripes(self, n, size, max_share, device):
        """Draw one stripe for each of n segments: (n, size) bool."""
        width = torch.rand(n, 1) * max_share * size
        first = torch.rand(n, 1) * (size - width)
        step = torch.arange(size)
        stripe = (step >= first) & (step < first + width)
        return (stripe & (torch.rand(n, 1) < self.p)).to(device)
