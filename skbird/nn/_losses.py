"""Loss functions that know unknown labels, weighted labels and soft targets.

Those of labels are called with logits, targets (n_rows, n_species) in [0, 1] and, if
there are any, label weights of the same shape. NaN in the targets is unknown and left
out. Everything is computed in float32, whatever the precision of the network.
"""

import math
from numbers import Real

import torch
from torch import nn
from torch.nn import functional as F


def _check_factor(name, value):
    if not (isinstance(value, Real) and 0 <= value < math.inf):
        raise ValueError(
            f"{name}={value!r} must not be negative or infinite: a number in [0, inf)."
        )


class _MultiLabelLoss(nn.Module):
    """Base of the losses: masks unknown labels and smooths the targets."""

    def __init__(self, label_smoothing=0.0):
        super().__init__()
        if not (isinstance(label_smoothing, Real) and 0 <= label_smoothing < 1):
            raise ValueError(f"label_smoothing={label_smoothing} must be in [0, 1).")
        self.label_smoothing = label_smoothing

    def forward(self, logits, target, label_weight=None):
        """Compute the loss.

        Parameters
        ----------
        logits, target : tensor of shape (batch, n_species)
            What the network says, and what is true (NaN: unknown).
        label_weight : tensor of shape (batch, n_species), default=None
            Factor of each label's loss.

        Returns
        -------
        tensor, a scalar
        """
        known = ~torch.isnan(target)
        target = torch.nan_to_num(target).float()
        target = target * (1 - self.label_smoothing) + self.label_smoothing / 2
        weight = known.float()
        if label_weight is not None:
            weight = weight * label_weight.float()
        return self._loss(logits.float(), target, weight, known)

    def _loss(self, logits, target, weight, known):
        """Return the loss; `weight` is 0 where a label is unknown."""
        terms = self._terms(logits, target)
        # Over the number of labels, not the sum of weights: a batch of doubtful labels
        # must not count as much as one of certain labels.
        return (weight * terms).sum() / known.sum().clamp(min=1)

    def _terms(self, logits, target):
        """Return the loss of each label, (batch, n_species)."""
        raise NotImplementedError(f"{type(self).__name__} must define _terms or _loss.")


class BinaryCrossEntropy(_MultiLabelLoss):
    """Binary cross-entropy of logits, averaged over the labels that are known.

    ``loss = sum(w * (softplus(z) - y * z)) / n_known`` with logits z, targets y and
    label weights w.

    Parameters
    ----------
    label_smoothing : float in [0, 1), default=0.0
        Share s by which targets move to one half: ``y (1 - s) + s / 2``.

    Examples
    --------
    >>> import torch
    >>> from skbird.nn import BinaryCrossEntropy
    >>> target = torch.tensor([[1.0, torch.nan]])
    >>> round(BinaryCrossEntropy()(torch.zeros(1, 2), target).item(), 4)
    0.6931
    """

    def _terms(self, logits, target):
        return F.binary_cross_entropy_with_logits(logits, target, reduction="none")


class FocalLoss(_MultiLabelLoss):
    """Binary cross-entropy that counts well-predicted labels less.

    ``a |y - p| ** gamma * bce(p, y)`` with ``a = alpha y + (1 - alpha) (1 - y)``, or 1
    if alpha is None. For y of 0 and 1 this is the focal loss of Lin et al.; the form
    ``|y - p|`` for soft targets is that of Li et al.

    Parameters
    ----------
    gamma : float >= 0, default=2.0
        0 gives binary cross-entropy.
    alpha : float in [0, 1] or None, default=None
        Weight of positives against negatives.
    label_smoothing : float in [0, 1), default=0.0
        See :class:`BinaryCrossEntropy`.

    References
    ----------
    Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, eq. 5.
    Li et al., "Generalized Focal Loss", NeurIPS 2020, eq. 5.

    Examples
    --------
    >>> import torch
    >>> from skbird.nn import FocalLoss
    >>> round(FocalLoss(gamma=2.0)(torch.zeros(1, 1), torch.ones(1, 1)).item(), 4)
    0.1733
    """

    def __init__(self, gamma=2.0, alpha=None, label_smoothing=0.0):
        super().__init__(label_smoothing)
        _check_factor("gamma", gamma)
        if alpha is not None and not (isinstance(alpha, Real) and 0 <= alpha <= 1):
            raise ValueError(f"alpha={alpha} must be in [0, 1] or None.")
        self.gamma = gamma
        self.alpha = alpha

    def _terms(self, logits, target):
        bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        error = (target - torch.sigmoid(logits)).abs()
        # A base of exactly 0 would give gamma < 1 an infinite gradient.
        terms = error.clamp(min=1e-6) ** self.gamma * bce
        if self.alpha is not None:
            terms = terms * (self.alpha * target + (1 - self.alpha) * (1 - target))
        return terms


class BCEFocalLoss(_MultiLabelLoss):
    """Linear combination of binary cross-entropy and focal loss.

    ``bce_weight * BinaryCrossEntropy + focal_weight * FocalLoss``: the loss of the
    report on BirdCLEF 2025 that skbird started from.

    Parameters
    ----------
    bce_weight, focal_weight : float >= 0, default=1.0
        Factors of the two, of which one may be 0.
    gamma, alpha, label_smoothing
        See :class:`FocalLoss`.

    Examples
    --------
    >>> import torch
    >>> from skbird.nn import BCEFocalLoss
    >>> round(BCEFocalLoss()(torch.zeros(1, 1), torch.ones(1, 1)).item(), 4)
    0.8664
    """

    def __init__(
        self,
        bce_weight=1.0,
        focal_weight=1.0,
        gamma=2.0,
        alpha=None,
        label_smoothing=0.0,
    ):
        super().__init__(label_smoothing)
        _check_factor("bce_weight", bce_weight)
        _check_factor("focal_weight", focal_weight)
        if bce_weight == focal_weight == 0:
            raise ValueError("bce_weight and focal_weight must not both be 0.")
        self.bce_weight = bce_weight
        self.focal_weight = focal_weight
        self.bce = BinaryCrossEntropy()
        self.focal = FocalLoss(gamma, alpha)

    def _terms(self, logits, target):
        bce = self.bce._terms(logits, target)
        return self.bce_weight * bce + self.focal_weight * self.focal._terms(
            logits, target
        )


class SoftmaxCrossEntropy(_MultiLabelLoss):
    """Cross-entropy of a softmax over the species, with targets that sum to 1.

    ``-sum_j t_j log softmax(z)_j`` with ``t = w y / sum(w y)``, averaged over the
    segments that have a label. Species unknown in a segment take no part in its
    softmax. Although trained this way, the sigmoid of the logits is what prediction
    gives: winners of BirdCLEF 2024 and 2025 did so.

    Parameters
    ----------
    label_smoothing : float in [0, 1), default=0.0
        Share of the target that is spread over all known species.

    Examples
    --------
    >>> import torch
    >>> from skbird.nn import SoftmaxCrossEntropy
    >>> loss = SoftmaxCrossEntropy()(torch.zeros(1, 4), torch.tensor([[1.0, 1, 0, 0]]))
    >>> round(loss.item(), 4)
    1.3863
    """

    def forward(self, logits, target, label_weight=None):
        """Compute the loss.

        Parameters
        ----------
        logits, target : tensor of shape (batch, n_species)
            What the network says, and what is true (NaN: unknown).
        label_weight : tensor of shape (batch, n_species), default=None
            Factor of each label.

        Returns
        -------
        tensor, a scalar
        """
        known = ~torch.isnan(target)
        share = torch.nan_to_num(target).float()
        if label_weight is not None:
            share = share * label_weight.float()
        total = share.sum(dim=1, keepdim=True)
        share = share / total.clamp(min=1e-6)
        # Smoothing spreads a part of the target over the species that take part.
        even = known / known.sum(dim=1, keepdim=True).clamp(min=1)
        share = share * (1 - self.label_smoothing) + even * self.label_smoothing
        logits = logits.float().masked_fill(~known, torch.finfo(torch.float32).min)
        terms = -(share * F.log_softmax(logits, dim=1)).sum(dim=1)
        labelled = (total[:, 0] > 0).float()
        return (labelled * terms).sum() / labelled.sum().clamp(min=1)


class SoftAUCLoss(_MultiLabelLoss):
    """Smooth surrogate of 1 - ROC-AUC, species by species within the batch.

    For each species, the weighted mean of ``softplus(z_n - z_p)`` over all pairs of a
    segment p with a target above one half and a segment n with one below. A pair counts
    by the product of ``w |2 y - 1|`` of its two; species without a pair are left out.
    Only ranks matter to it: the probabilities are not calibrated, and smoothing labels
    would change nothing.

    References
    ----------
    Yan et al., "Optimizing Classifier Performance via an Approximation to the
    Wilcoxon-Mann-Whitney Statistic", ICML 2003; with soft targets as in the fourth
    place of BirdCLEF 2025 (Kaggle).

    Examples
    --------
    >>> import torch
    >>> from skbird.nn import SoftAUCLoss
    >>> target = torch.tensor([[1.0], [0.0]])
    >>> round(SoftAUCLoss()(torch.tensor([[20.0], [-20.0]]), target).item(), 4)
    0.0
    """

    def __init__(self):
        super().__init__()

    def _loss(self, logits, target, weight, known):
        # A target of one half is neither: it makes no pairs. 0 and 1 make full ones.
        certainty = weight * (2 * target - 1)
        positive, negative = certainty.clamp(min=0), (-certainty).clamp(min=0)
        difference = logits[None, :, :] - logits[:, None, :]  # [p, n] = z_n - z_p
        pairs = positive[:, None, :] * negative[None, :, :]
        total = pairs.sum(dim=(0, 1))
        auc = (pairs * F.softplus(difference)).sum(dim=(0, 1)) / total.clamp(min=1e-6)
        present = (total > 0).float()
        return (present * auc).sum() / present.sum().clamp(min=1)


class CosineLoss(nn.Module):
    """One minus the cosine of two vectors, averaged over the rows that have one.

    For networks that learn the embeddings of another model: only their direction
    counts. Rows whose target holds NaN, or is zero throughout, are left out.

    See Also
    --------
    EmbeddingDistillation : Learns with it.

    Examples
    --------
    >>> import torch
    >>> from skbird.nn import CosineLoss
    >>> target = torch.tensor([[2.0, 0.0], [torch.nan, 1.0]])
    >>> round(CosineLoss()(torch.tensor([[1.0, 1.0], [1.0, 0.0]]), target).item(), 4)
    0.2929
    """

    def forward(self, embedding, target):
        """Compute the loss.

        Parameters
        ----------
        embedding, target : tensor of shape (batch, n_values)
            What the network says, and what it should.

        Returns
        -------
        tensor, a scalar
        """
        known = torch.isfinite(target).all(dim=1) & (target != 0).any(dim=1)
        target = torch.where(known[:, None], target, 0.0).float()
        away = 1 - F.cosine_similarity(embedding.float(), target, dim=1)
        return (known * away).sum() / known.sum().clamp(min=1)
