"""Train on coarser spectrograms before those of the whole resolution."""

from numbers import Real

from torch.nn.functional import avg_pool2d

from skbird.nn._recipe_callback import RecipeCallback
from skbird.utils._sklearn_compat import Interval


class CoarseFirst(RecipeCallback):
    """Train on half as many frames at first, then on all of them.

    A step on half as many frames costs less, and what the network learns from them
    stays useful on all frames. Each two frames become their mean, after all
    augmentations, and an odd last frame is left out; the last steps, on all frames,
    adapt the network, its norms included, to what it will predict.

    `ValidationSplit` judges all epochs on all frames: with ``keep="best"`` it may keep
    one of the first, and `patience` should be longer than the coarse epochs. With
    ``compile=True`` the network is compiled for each length.

    Parameters
    ----------
    coarse_share : float in [0, 1), default=0.5
        Share of all steps that see half as many frames. 0 trains on all frames from the
        beginning.

    See Also
    --------
    HeadFirst : Makes the first steps cheaper, too.
    skbird.preprocessing.LogMel : Its `hop_length` makes fewer frames
        for training and prediction.

    References
    ----------
    Tan and Le, "EfficientNetV2: Smaller Models and Faster Training", ICML 2021, which
    begins with small pictures, too.

    Examples
    --------
    >>> from skbird.nn import CNNClassifier, CoarseFirst
    >>> net = CNNClassifier(callbacks__coarse_first=CoarseFirst(coarse_share=0.4))
    >>> net.get_params()["callbacks__coarse_first__coarse_share"]
    0.4
    """

    _parameter_constraints: dict = {
        "coarse_share": [Interval(Real, 0, 1, closed="left")]
    }

    def __init__(self, coarse_share=0.5):
        self.coarse_share = coarse_share

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Find how many steps are coarse."""
        super().on_train_begin(net, X=X, y=y)
        self.step_ = 0
        self.n_first_ = net.n_first_steps(X, self.coarse_share)

    def change_inputs(self, inputs, net):
        """Return a batch of half as many frames, in the first steps."""
        self.step_ += 1
        if self.step_ > self.n_first_:
            return inputs
        segments = inputs["segments"]
        pair = (1, min(2, segments.shape[-1]))
        return {**inputs, "segments": avg_pool2d(segments, pair)}
