"""Augmentation that mixes two segments, and their labels, into one."""

from numbers import Real

import torch

from skbird.nn._augmentation import SHARE, db_to_power, draw_stripes, power_to_db
from skbird.nn._batches import normalize_batch
from skbird.nn._recipe_callback import RecipeCallback
from skbird.utils._sklearn_compat import Interval, StrOptions

# Beyond, shares drawn in float32 are not finite, or all the same.
_ALPHA = [Interval(Real, 1e-3, 1000, closed="both")]


class _Mixing(RecipeCallback):
    """Base: mix a share `p` of the segments of a batch with another segment each.

    A segment's own share is at least one half, so that other callbacks know which row
    it is of.
    """

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        """Mix the batch in place."""
        if not training or self.p == 0:
            return
        inputs, target = batch
        weight = inputs.get("label_weight")
        segments = self._prepare(inputs["segments"], net.format_)
        partners = self._partners(net, segments, target, weight)
        share = self._draw_share(len(target))
        share[torch.rand(len(target)) >= self.p] = 1.0
        share = share.to(target, non_blocking=True)[:, None, None, None]
        inputs["segments"], share = self._mix_segments(segments, partners[0], share)
        batch[1], weight = self._mix_labels(
            target, partners[1], weight, partners[2], share[:, 0, 0]
        )
        if weight is not None:
            inputs["label_weight"] = weight

    def _partners(self, net, segments, target, weight):
        """Return segments, targets and label weights to mix in: others of the batch."""
        other = _draw_others(len(target)).to(target.device, non_blocking=True)
        return segments[other], target[other], None if weight is None else weight[other]

    def _draw_share(self, n):
        drawn = torch.distributions.Beta(self.alpha, self.alpha).sample((n,))
        return torch.maximum(drawn, 1 - drawn)

    def _prepare(self, segments, format):
        return normalize_batch(segments, format.normalize, format.top_db)

    def _mix_labels(self, target, other, weight, other_weight, share):
        if weight is not None:
            weight = _interpolate(weight, other_weight, share)
        return _interpolate(target, other, share), weight


class Mixup(_Mixing):
    """Add another segment of the batch to each segment, and their labels alike.

    With a share l from Beta(alpha, alpha), drawn for each segment, mixing

    - in "log-mel" gives ``l a + (1 - l) b`` of the normalised spectrograms,
    - in "power" gives ``10 log10(l^2 A + (1 - l)^2 B)`` of their powers: the expected
      spectrogram of the mixed waveforms ``l a + (1 - l) b``.

    Parameters
    ----------
    alpha : float in [0.001, 1000], default=0.4
        The smaller, the more mixtures consist of nearly one segment.
    p : float in [0, 1], default=1.0
        Share of the segments that are mixed.
    domain : {"log-mel", "power"}, default="log-mel"
        The quantity that is added up.
    equalize : bool, default=True
        In "power", whether to bring the other segment's loudest point to the level of
        the segment's own first.
    labels : {"mix", "union"}, default="mix"
        Mix targets by the same share, or give a mixture the higher of its two targets.
        A label unknown in either stays unknown, but in a union with a certain one.

    Notes
    -----
    In "power", 95 % of the points within 40 dB of the loudest lie within 6 dB of the
    spectrogram of the mixed waveforms, and the mean difference is below 0.5 dB: the
    interference between the two sounds is left out. Tested with noise, the worst case.

    References
    ----------
    Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.

    Examples
    --------
    >>> from skbird.nn import Mixup, SEDClassifier
    >>> net = SEDClassifier(callbacks__mixup=Mixup(alpha=0.4, domain="power"))
    >>> net.get_params()["callbacks__mixup__domain"]
    'power'
    """

    _parameter_constraints: dict = {
        "alpha": _ALPHA,
        "p": SHARE,
        "domain": [StrOptions({"log-mel", "power"})],
        "equalize": ["boolean"],
        "labels": [StrOptions({"mix", "union"})],
    }

    def __init__(self, alpha=0.4, p=1.0, domain="log-mel", equalize=True, labels="mix"):
        self.alpha = alpha
        self.p = p
        self.domain = domain
        self.equalize = equalize
        self.labels = labels

    def _prepare(self, segments, format):
        if self.domain == "power":
            return segments
        return super()._prepare(segments, format)

    def _mix_segments(self, segments, other, share):
        if self.domain == "log-mel":
            return _interpolate(segments, other, share), share
        # Each segment keeps its own level: that is what it will be predicted at.
        level = other_level = 0.0
        if self.equalize:
            level = segments.amax((2, 3), keepdim=True)
            other_level = other.amax((2, 3), keepdim=True)
        power = share.square() * db_to_power(segments - level)
        power = power + (1 - share).square() * db_to_power(other - other_level)
        return power_to_db(power) + level, share

    def _mix_labels(self, target, other, weight, other_weight, share):
        if self.labels == "mix":
            return super()._mix_labels(target, other, weight, other_weight, share)
        alone = share == 1
        united = torch.maximum(target, other)
        # maximum() keeps what is unknown, but nothing is above a certain presence.
        united = torch.where((target == 1) | (other == 1), 1.0, united)
        if weight is not None:
            # The weight of a label is that of the side whose target it took.
            own = (target >= other) | other.isnan()
            higher = torch.where(own, weight, other_weight)
            weight = torch.where(alone, weight, higher)
        return torch.where(alone, target, united), weight


class CutMix(_Mixing):
    """Replace a stretch, or a rectangle, of each segment by that of another one.

    Labels are mixed by the share of the area; the larger part is the segment's own.
    Works on normalised spectrograms.

    Parameters
    ----------
    alpha : float in [0.001, 1000], default=1.0
        The share is drawn from Beta(alpha, alpha).
    p : float in [0, 1], default=0.5
        Share of the segments that are changed.
    shape : {"stretch", "rectangle"}, default="stretch"
        A stretch of time, all frequencies of it; or as in images.

    References
    ----------
    Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with
    Localizable Features", ICCV 2019.

    Examples
    --------
    >>> from skbird.nn import CutMix, SEDClassifier
    >>> net = SEDClassifier(callbacks__cutmix=CutMix(p=0.5, shape="rectangle"))
    >>> net.get_params()["callbacks__cutmix__shape"]
    'rectangle'
    """

    _parameter_constraints: dict = {
        "alpha": _ALPHA,
        "p": SHARE,
        "shape": [StrOptions({"stretch", "rectangle"})],
    }

    def __init__(self, alpha=1.0, p=0.5, shape="stretch"):
        self.alpha = alpha
        self.p = p
        self.shape = shape

    def _mix_segments(self, segments, other, share):
        cut = 1 - share  # of the area, by a rectangle with sides of its square root
        if self.shape == "stretch":
            replaced = draw_stripes(segments.shape[3], cut, 3)
            replaced = replaced.expand(-1, 1, segments.shape[2], -1)
        else:
            side = cut.sqrt()
            replaced = draw_stripes(segments.shape[2], side, 2)
            replaced = replaced & draw_stripes(segments.shape[3], side, 3)
        # Labels go by what was kept: stripes are of whole frames and bands.
        kept = 1 - replaced.float().mean((2, 3), keepdim=True)
        return torch.where(replaced, other, segments), kept


def _draw_others(n):
    """Draw a partner for each of n segments; only a single one is its own."""
    # A random ring: each segment gets the one before it, so that each is used once.
    order = torch.randperm(n)
    others = torch.empty_like(order)
    others[order] = order.roll(1)
    return others


def _interpolate(values, other, share):
    mixed = share * values + (1 - share) * other
    # 1 * a + 0 * b is not a where b is unknown.
    return torch.where(share == 1, values, mixed)
