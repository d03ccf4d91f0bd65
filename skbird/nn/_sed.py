from dataclasses import dataclass

import numpy as np
import torch

from skbird.data import POOLINGS, score_rows_by_moments
from skbird.nn._cnn import CNNClassifier
from skbird.nn._heads import SED
from skbird.nn._prediction import map_segments, spectrograms_for
from skbird.nn._segment_net import SegmentNet
from skbird.nn._shared_parameters import with_parameters_of
from skbird.utils._sklearn_compat import StrOptions


@dataclass(frozen=True)
class Activations:
    """Probabilities and attention of a SED network, step by step within segments.

    Parameters
    ----------
    probability : ndarray of shape (n_segments, n_steps, n_species), float32
        Probability of each species, at each moment or in each band.
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


# It adds what is not said here of parameters and attributes.
@with_parameters_of(CNNClassifier)
class SEDClassifier(SegmentNet):
    """Recognise species, and say when or at what frequency they call.

    A sound-event-detection head on any convolutional network of timm. Its feature map
    (batch, channels, frequency, time) is pooled over one axis; along the other one a
    softmax attention weighs the steps, a 1x1 convolution maps each to the species, and
    pooling over the steps gives the logits of the segment. Methods are those of
    `CNNClassifier`, and `activations`.

    Parameters
    ----------
    attention : {"time", "frequency"}, default="frequency"
        The axis that is kept: "time" says when, "frequency" roughly at what frequency
        (see :func:`skbird.inspection.explanation_report`).
    step_pooling : {"lse", "mean", "max"}, default="lse"
        How the logits of the steps become the segment's: the logarithm of the mean of
        the exponentials, the mean, or the maximum. The report on BirdCLEF 2025 has the
        maximum, which learns from one step of each segment only: see
        ``docs/results/ablation.md``.
    frame_scores : bool, default=False
        With attention over time, predict a row from the scores of the moments inside
        it, averaged over overlapping segments. Rows of a recording that follow each
        other are joined for that: behind ``Segmenter(20.0)`` rows of 5 s are scored
        within 20 s of context, if X has the rows around them. Moments are pooled as
        `step_pooling` says, and all count: filters are not asked.
    feature_pooling : {"mean", "gem"}, default="mean"
        How the feature map is pooled over the other axis: by the mean, or by the
        generalised mean with a learnt exponent.
    module : class, default=SED
        The network: called with the parameters of the backbone and ``n_species``.

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
        module=SED,
        **kwargs,
    ):
        self.attention = attention
        self.step_pooling = step_pooling
        self.frame_scores = frame_scores
        super().__init__(backbone, module=module, **kwargs)

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
            lambda part: map_segments(self, part, self.module_.step_maps)[0],
            len(self.species_),
            self.step_pooling,
        )

    def activations(self, X):
        """Return probabilities and attention of each step along the attention axis.

        Parameters
        ----------
        X : Spectrograms or array of shape (n_rows, n_mels, n_frames)

        Returns
        -------
        list of n_rows Activations
            Those of rows that could not be read have no segments.
        """
        X = spectrograms_for(self, X)
        logits, attention = map_segments(self, X, self.module_.step_maps)
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
