"""The networks as torch modules: a timm backbone with a head for species."""

import math

import torch
from torch import nn

from skbird.nn._backbone import make_backbone


class GeneralizedMean(nn.Module):
    """Pool over axes by ``mean(max(x, eps) ** p) ** (1 / p)``, where p is learnt.

    p = 1 is the mean of what is positive, a high p nearly the maximum.

    Parameters
    ----------
    p : float, default=3.0
        Where p starts.

    References
    ----------
    Radenović et al., "Fine-tuning CNN Image Retrieval with No Human Annotation", TPAMI
    2018.
    """

    def __init__(self, p=3.0):
        super().__init__()
        self.p = nn.Parameter(torch.tensor([p]))

    def forward(self, x, dim):
        """Pool over the axes `dim`."""
        # Powers of small numbers leave the range of half precision.
        powers = x.float().clamp(min=1e-6).pow(self.p)
        return powers.mean(dim=dim).pow(1 / self.p).to(x.dtype)


class Mean(nn.Module):
    """Pool over axes by the mean."""

    def forward(self, x, dim):
        """Pool over the axes `dim`."""
        return x.mean(dim=dim)


_POOLINGS = {"mean": Mean, "gem": GeneralizedMean}


class CNN(nn.Module):
    """Convolutional network: backbone, pooling, dropout and a linear layer.

    Parameters
    ----------
    backbone : str
        A model of timm.
    n_species : int
        Number of outputs.
    backbone_weights, drop_rate, drop_path_rate, feature_pooling
        See :class:`skbird.nn.CNNClassifier`.
    """

    def __init__(
        self,
        backbone,
        n_species,
        backbone_weights=None,
        drop_rate=0.2,
        drop_path_rate=0.0,
        feature_pooling="mean",
    ):
        super().__init__()
        self.backbone = make_backbone(backbone, backbone_weights, drop_path_rate)
        self.feature_pooling = _POOLINGS[feature_pooling]()
        self.dropout = nn.Dropout(drop_rate)
        self.classifier = nn.Linear(self.backbone.num_features, n_species)

    def features(self, x):
        """Map (batch, 1, n_mels, n_frames) to (batch, channels, frequency, time)."""
        return self.backbone.forward_features(x)

    def embed(self, x):
        """Map (batch, 1, n_mels, n_frames) to embeddings (batch, channels)."""
        return self.feature_pooling(self.features(x), dim=(2, 3))

    def forward(self, x):
        """Map (batch, 1, n_mels, n_frames) to logits (batch, n_species)."""
        return self.classifier(self.dropout(self.embed(x)))


class SED(CNN):
    """Backbone with a sound-event-detection head: attention along one axis.

    The feature map is pooled over the other axis; a softmax attention weighs its
    steps (bands of frequency, or moments); a 1x1 convolution maps each step to the
    species; pooling over the steps gives the logits of the segment.

    Parameters
    ----------
    attention : {"time", "frequency"}
        The axis that is kept.
    step_pooling : {"lse", "mean", "max"}
        See :class:`skbird.nn.SEDClassifier`.
    """

    _pooled_axis = {"time": 2, "frequency": 3}  # of (batch, channels, freq, time)

    def __init__(
        self,
        backbone,
        n_species,
        attention="time",
        step_pooling="lse",
        backbone_weights=None,
        drop_rate=0.2,
        drop_path_rate=0.0,
        feature_pooling="mean",
    ):
        super().__init__(
            backbone,
            n_species,
            backbone_weights,
            drop_rate,
            drop_path_rate,
            feature_pooling,
        )
        self.attention_axis = attention
        channels = self.backbone.num_features
        self.attention = nn.Conv1d(channels, 1, kernel_size=1)
        self.classifier = nn.Conv1d(channels, n_species, kernel_size=1)
        self.step_pooling = step_pooling

    def step_maps(self, x):
        """Compute the logits and the attention of each step along the kept axis.

        Parameters
        ----------
        x : tensor of shape (batch, 1, n_mels, n_frames)
            Normalised segments.

        Returns
        -------
        step_logits : tensor of shape (batch, n_species, n_steps)
        attention : tensor of shape (batch, n_steps)
            Sums to 1 over the steps.
        """
        pooled_axis = self._pooled_axis[self.attention_axis]
        steps = self.feature_pooling(self.features(x), dim=pooled_axis)
        attention = torch.softmax(self.attention(steps), dim=2)
        # Times the number of steps, so that even attention leaves the features as
        # they are, however long the segment.
        attended = steps * (attention * steps.shape[2])
        return self.classifier(self.dropout(attended)), attention[:, 0]

    def forward(self, x):
        """Map (batch, 1, n_mels, n_frames) to logits (batch, n_species)."""
        step_logits, _ = self.step_maps(x)
        if self.step_pooling == "max":
            return step_logits.amax(dim=2)
        if self.step_pooling == "mean":
            return step_logits.mean(dim=2)
        # Less log(n), the mean of the exponentials: longer segments, which have more
        # steps, do not score higher for that.
        return torch.logsumexp(step_logits, dim=2) - math.log(step_logits.shape[2])
