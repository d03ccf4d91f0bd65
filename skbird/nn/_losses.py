"""Loss functions that know unknown labels and weighted ones."""

import torch
from torch import nn
from torch.nn import functional as F


class BinaryCrossEntropy(nn.Module):
    """Binary cross-entropy of logits, over the labels that are known.

    ``loss = sum(w * (softplus(z) - y * z)) / n_known`` with logits z, targets y in
    [0, 1] and label weights w; a target of NaN is unknown and left out.

    Examples
    --------
    >>> import torch
    >>> from skbird.nn import BinaryCrossEntropy
    >>> target = torch.tensor([[1.0, torch.nan]])
    >>> round(BinaryCrossEntropy()(torch.zeros(1, 2), target).item(), 4)
    0.6931
    """

    def forward(self, logits, target, label_weight=None):
        """Compute the loss.

        Parameters
        ----------
        logits, target : tensor of shape (batch, n_species)
            What the network says, and what is true.
        label_weight : tensor of shape (batch, n_species), optional
            Factor of each label's loss.

        Returns
        -------
        tensor, a scalar
        """
        known = ~torch.isnan(target)
        loss = F.binary_cross_entropy_with_logits(
            logits, torch.nan_to_num(target), reduction="none"
        )
        weight = known if label_weight is None else known * label_weight
        return (loss * weight).sum() / known.sum().clamp(min=1)
