from dataclasses import dataclass

import numpy as np
import torch
from sklearn.utils._param_validation import StrOptions

from skbird.nn._base import SegmentNet
from skbird.nn._heads import SED


@dataclass(frozen=True)
class Activations:
    """What a SED network says of each step of a row's segments.

    Parameters
    ----------
    probability : ndarray of shape (n_segments, n_steps, n_species), float32
        Of each species, at each moment or in each band.
    attention : ndarray of shape (n_segments, n_steps), float32
        How much each step counted; 1 on average.
    centers : ndarray of shape (n_segments, n_steps)
        Centre of each step: seconds after the start of the row (attention over time),
        or Hz (over frequency).
    """

    probability: np.ndarray
    attention: np.ndarray
    centers: np.ndarray


class SEDClassifier(SegmentNet):
    """Recognise species, and say when or at what frequency they call.

    A sound-event-detection head on any convolutional network of timm. Its feature map
    (batch, channels, frequency, time) is averaged over one axis; along the other one a
    softmax attention weighs the steps, a 1x1 convolution maps each to the species, and
    adaptive max pooling takes the highest.

    Parameters
    ----------
    backbone : str, default="efficientnet_b0"
        A model of timm.
    attention : {"time", "frequency"}, default="frequency"
        The axis that is kept: "time" says when, "frequency" at what frequency.
    weights : {"pretrained", None} or path, default="pretrained"
        What the backbone starts from: ImageNet weights, which need a network the first
        time; random weights; or a file (safetensors or a torch state dict).
    drop_rate : float in [0, 1), default=0.2
        Dropout before the last layer.
    drop_path_rate : float in [0, 1), default=0.0
        Stochastic depth of the backbone.
    pooling : {"max", "mean", "lse"}, default="max"
        How the logits of a row's segments become the row's. "lse" is the logarithm of
        the mean of the exponentials, between the other two.
    segments_per_row : int >= 1, default=1
        Segments drawn of each row in each epoch.
    max_epochs : int >= 1, default=20
        Times that all rows are drawn.
    lr : float > 0, default=1e-3
        Highest learning rate.
    batch_size : int >= 1, default=32
        Segments per step.
    weight_decay : float >= 0, default=0.01
        Of AdamW.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, draws, augmentation and dropout. The same int gives the same
        model on the same machine.
    device : str, default="auto"
        As torch names it; "auto" is CUDA where there is one, else the CPU.
    verbose : int, default=1
        0 shows no progress.
    **kwargs
        Further parameters of :class:`skorch.NeuralNet`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_species, 2)
        The two values of each label, [0, 1].
    species_ : ndarray of shape (n_species,), object
        Names, from the columns of Y.
    module_ : torch.nn.Module
        The network.
    history : skorch.history.History
        Loss, time and size of each epoch.

    See Also
    --------
    CNNClassifier : Global average pooling instead of attention.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.nn import SEDClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((8, 32, 64))
    >>> Y = np.tile([[1, 0], [0, 1]], (4, 1))
    >>> net = SEDClassifier(
    ...     "lcnet_035", attention="time", weights=None, max_epochs=1, verbose=0
    ... )
    >>> net.fit(X, Y).activations(X)[0].probability.shape
    (1, 2, 2)
    """

    _module_params = (*SegmentNet._module_params, "attention")

    _parameter_constraints: dict = {
        **SegmentNet._parameter_constraints,
        "attention": [StrOptions({"time", "frequency"})],
    }

    def __init__(
        self,
        backbone="efficientnet_b0",
        attention="frequency",
        *,
        weights="pretrained",
        drop_rate=0.2,
        drop_path_rate=0.0,
        pooling="max",
        segments_per_row=1,
        max_epochs=20,
        lr=1e-3,
        batch_size=32,
        weight_decay=0.01,
        random_state=None,
        device="auto",
        verbose=1,
        module=SED,
        **kwargs,
    ):
        self.attention = attention
        super().__init__(
            module,
            backbone,
            weights=weights,
            drop_rate=drop_rate,
            drop_path_rate=drop_path_rate,
            pooling=pooling,
            segments_per_row=segments_per_row,
            weight_decay=weight_decay,
            random_state=random_state,
            max_epochs=max_epochs,
            lr=lr,
            batch_size=batch_size,
            device=device,
            verbose=verbose,
            **kwargs,
        )

    def activations(self, X):
        """Return what the network says of each step along its attention axis.

        Parameters
        ----------
        X : Spectrograms or array of shape (n_rows, n_mels, n_frames)

        Returns
        -------
        list of n_rows Activations
            Those of rows that could not be read have no segments.
        """
        X = self._check_predict(X)
        logits, attention = self._over_segments(X, self.module_.step_maps)
        probability = torch.sigmoid(torch.from_numpy(logits)).numpy()
        n_steps = attention.shape[1]
        centers = self._step_centers(X, n_steps)
        bounds = np.searchsorted(X.segment_rows, np.arange(1, len(X)))
        return [
            Activations(*parts)
            for parts in zip(
                np.split(probability.transpose(0, 2, 1), bounds),
                np.split(attention * n_steps, bounds),
                np.split(centers, bounds),
                strict=True,
            )
        ]

    def _step_centers(self, X, n_steps):
        share = (np.arange(n_steps) + 0.5) / n_steps
        if self.attention == "time":
            seconds = share * X.format.grid.segment_s
            return X.segment_starts[:, None] + seconds
        bands = np.arange(X.format.n_mels)
        hz = np.interp(share * X.format.n_mels - 0.5, bands, X.format.mel_hz)
        return np.tile(hz, (X.n_segments, 1))
