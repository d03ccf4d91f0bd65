from dataclasses import dataclass

import numpy as np
import torch

from skbird.data import POOLINGS, score_rows_by_moments
from skbird.nn._heads import SED
from skbird.nn._segment_net import SegmentNet
from skbird.utils._sklearn_compat import StrOptions


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

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.nn import SEDClassifier
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.standard_normal((8, 32, 64)), np.tile([[1, 0], [0, 1]], (4, 1))
    >>> net = SEDClassifier(
    ...     "lcnet_035",
    ...     attention="time",
    ...     backbone_weights=None,
    ...     max_epochs=1,
    ...     verbose=0,
    ... )
    >>> activations = net.fit(X, Y).activations(X)[0]
    >>> activations.probability.shape, activations.attention.shape
    ((1, 2, 2), (1, 2))
    """

    probability: np.ndarray
    attention: np.ndarray
    centers: np.ndarray


class SEDClassifier(SegmentNet):
    """Recognise species, and say when or at what frequency they call.

    A sound-event-detection head on any convolutional network of timm. Its feature map
    (batch, channels, frequency, time) is pooled over one axis; along the other one a
    softmax attention weighs the steps, a 1x1 convolution maps each to the species, and
    pooling over the steps gives the logits of the segment.

    Parameters
    ----------
    backbone : str, default="efficientnet_b0"
        A model of timm.
    attention : {"time", "frequency"}, default="frequency"
        The axis that is kept: "time" says when, "frequency" roughly at what frequency
        (see :func:`skbird.inspection.explanation_report`).
    step_pooling : {"lse", "mean", "max"}, default="lse"
        How the logits of the steps become the segment's: the logarithm of the mean of
        the exponentials, the mean, or the maximum. The report on BirdCLEF 2025 has the
        maximum, which learns from one step of each segment only: see
        ``docs/results/ablation.md``.
    frame_scores : bool, default=False
        With attention over time, predict a row from what the network says of the
        moments inside it, averaged over overlapping segments. Rows of a recording that
        follow each other are joined for that: behind ``Segmenter(20.0)`` rows of 5 s
        are scored within 20 s of context, if X has the rows around them. Moments are
        pooled as `step_pooling` says, and all count: filters are not asked.
    backbone_weights : {"pretrained", None} or path, default="pretrained"
        What the backbone starts from: ImageNet weights, which need a network the first
        time; random weights; or a file (safetensors or a torch state dict).
    drop_rate : float in [0, 1), default=0.2
        Dropout before the last layer.
    drop_path_rate : float in [0, 1), default=0.0
        Stochastic depth of the backbone.
    feature_pooling : {"mean", "gem"}, default="mean"
        How the feature map is pooled over the other axis: by the mean, or by the
        generalised mean with a learnt exponent.
    pooling : {"max", "mean", "lse"}, default="max"
        How the logits of a row's segments become the row's. "lse" is the logarithm of
        the mean of the exponentials, between the other two.
    tta_shifts_s : sequence of at most 20 floats in [-600, 600], default=()
        Test-time augmentation: logits are averaged with those of segments shifted by
        each of these, in seconds, such as ``(-1.25, 1.25)``. Shifted segments reach
        into neighbouring rows of the recording, as far as X has them.
    threshold : float in [0, 1] or array of shape (n_species,), default=0.5
        Probability from which `predict` counts a species as present.
    segments_per_row : int in [1, 10000], default=1
        Segments drawn of each row in each epoch.
    max_epochs : int >= 1, default=20
        Times that all rows are drawn.
    lr : float > 0, default=1e-3
        Highest learning rate.
    batch_size : int >= 1, default=32
        Segments per step.
    weight_decay : float >= 0, default=0.01
        Of AdamW; norms and biases are spared.
    backbone_lr_factor : float >= 0, default=1.0
        Learning rate of the backbone, as a share of `lr`.
    precision : {"auto", "float32", "bfloat16", "float16"}, default="auto"
        Number format of the training; predictions are in float32. "auto" is bfloat16,
        else float16, on CUDA; on a CPU it tries whether bfloat16 is clearly faster,
        unless the training is short. `precision_` says which it became.
    checkpoint_dir : str or path, default=None
        Folder in which the training is saved after each epoch: called again after a
        kill, fit goes on from there, with the same result. Finished trainings are kept
        too and not repeated, so that a cross-validation goes on with the fold at which
        it was killed. Needs `random_state` to be an int. What is damaged or of another
        training there is left aside, with a warning. Callbacks of one's own go on if
        what they keep (attributes that end with ``_``) is plain data.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, draws, augmentation and dropout. The same int gives the same
        model on the same CPU, if `precision` is not "auto" or the training is short:
        two formats that are about as fast may change places.
    device : str, default="auto"
        As torch names it; "auto" is CUDA where there is one, else the CPU.
    verbose : int, default=1
        0 shows no progress.
    module : class, default=SED
        The network: called with the parameters of the backbone and ``n_species``.
    **kwargs
        Further parameters of :class:`skorch.NeuralNet`, such as ``compile=True``
        (torch.compile), ``criterion=FocalLoss``, or ``callbacks__cutmix__p=0.5``:
        ``get_params()`` lists all that the recipe has.

    Attributes
    ----------
    classes_ : ndarray of shape (n_species, 2)
        The two values of each label, [0, 1].
    species_ : ndarray of shape (n_species,), object
        Names, from the columns of Y.
    module_ : torch.nn.Module
        The network.
    precision_ : str
        Number format of the training.
    history_ : DataFrame indexed by epoch
        Loss, seconds and size of each epoch, and what callbacks record.

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
    ...     "lcnet_035", attention="time", backbone_weights=None, max_epochs=1,
    ...     verbose=0
    ... )
    >>> net.fit(X, Y).activations(X)[0].probability.shape
    (1, 2, 2)
    """

    _module_params = (*SegmentNet._module_params, "attention", "step_pooling")

    _parameter_constraints: dict = {
        **SegmentNet._parameter_constraints,
        "attention": [StrOptions({"time", "frequency"})],
        "step_pooling": [StrOptions(set(POOLINGS))],
        "frame_scores": ["boolean"],
    }

    def __init__(
        self,
        backbone="efficientnet_b0",
        attention="frequency",
        *,
        step_pooling="lse",
        frame_scores=False,
        backbone_weights="pretrained",
        drop_rate=0.2,
        drop_path_rate=0.0,
        feature_pooling="mean",
        pooling="max",
        tta_shifts_s=(),
        threshold=0.5,
        segments_per_row=1,
        max_epochs=20,
        lr=1e-3,
        batch_size=32,
        weight_decay=0.01,
        backbone_lr_factor=1.0,
        precision="auto",
        checkpoint_dir=None,
        random_state=None,
        device="auto",
        verbose=1,
        module=SED,
        **kwargs,
    ):
        self.attention = attention
        self.step_pooling = step_pooling
        self.frame_scores = frame_scores
        super().__init__(
            module,
            backbone,
            backbone_weights=backbone_weights,
            drop_rate=drop_rate,
            drop_path_rate=drop_path_rate,
            feature_pooling=feature_pooling,
            pooling=pooling,
            tta_shifts_s=tta_shifts_s,
            threshold=threshold,
            segments_per_row=segments_per_row,
            weight_decay=weight_decay,
            backbone_lr_factor=backbone_lr_factor,
            precision=precision,
            checkpoint_dir=checkpoint_dir,
            random_state=random_state,
            max_epochs=max_epochs,
            lr=lr,
            batch_size=batch_size,
            device=device,
            verbose=verbose,
            **kwargs,
        )

    def _check_parameters(self):
        super()._check_parameters()
        self._check_frame_scores()

    def _check_frame_scores(self):
        if self.frame_scores and self.attention != "time":
            raise ValueError(
                f"frame_scores=True needs attention='time', got {self.attention!r}: "
                "bands of frequency do not say when."
            )
        if self.frame_scores and len(self.tta_shifts_s):
            raise ValueError(
                "frame_scores=True averages overlapping segments already; leave "
                f"tta_shifts_s={self.tta_shifts_s!r} empty and raise the Segmenter's "
                "overlap instead."
            )

    def _row_logits(self, X):
        self._check_frame_scores()  # set_params may have come after fit
        if not self.frame_scores:
            return super()._row_logits(X)
        return score_rows_by_moments(
            X,
            lambda part: self._map_segments(part, self.module_.step_maps)[0],
            len(self.species_),
            self.step_pooling,
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
        logits, attention = self._map_segments(X, self.module_.step_maps)
        probability = torch.sigmoid(torch.from_numpy(logits)).numpy()
        n_steps = attention.shape[1]
        centers = self._step_centers(X, n_steps)
        # What is before the first row is nothing, and left out: there may be no row.
        bounds = np.searchsorted(X.segment_rows, np.arange(len(X)))
        by_row = [
            np.split(values, bounds)[1:]
            for values in (probability.transpose(0, 2, 1), attention * n_steps, centers)
        ]
        return [Activations(*parts) for parts in zip(*by_row, strict=True)]

    def _step_centers(self, X, n_steps):
        share = (np.arange(n_steps) + 0.5) / n_steps
        if self.attention == "time":
            seconds = share * X.format.grid.segment_s
            return X.segment_starts[:, None] + seconds
        bands = np.arange(X.format.n_mels)
        hz = np.interp(share * X.format.n_mels - 0.5, bands, X.format.mel_hz)
        return np.tile(hz, (X.n_segments, 1))
