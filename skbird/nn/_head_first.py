"""Train the head alone before the whole network."""

from numbers import Real

from skbird.nn._compiled import uncompiled
from skbird.nn._recipe_callback import RecipeCallback
from skbird.utils._sklearn_compat import Interval


class HeadFirst(RecipeCallback):
    """Train the head alone at first, then the backbone, too.

    A new head has random weights, and its first gradients pull pretrained features
    away from what they were good for. While the backbone waits, its norms already learn
    the statistics of spectrograms, and a step costs about a third.

    Parameters
    ----------
    head_share : float in [0, 1), default=0.1
        Share of all steps in which the backbone waits. 0 trains all from the beginning.

    See Also
    --------
    WarmupCosine : The rate of all steps, those of the head included.

    References
    ----------
    Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform
    Out-of-Distribution", ICLR 2022.

    Examples
    --------
    >>> from skbird.nn import CNNClassifier, HeadFirst
    >>> net = CNNClassifier(callbacks__head_first=HeadFirst(head_share=0.2))
    >>> net.get_params()["callbacks__head_first__head_share"]
    0.2
    """

    _parameter_constraints: dict = {"head_share": [Interval(Real, 0, 1, closed="left")]}
    transient = ("waiting_",)

    def __init__(self, head_share=0.1):
        self.head_share = head_share

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Find the weights that wait, and how long."""
        super().on_train_begin(net, X=X, y=y)
        self.step_ = 0
        self.n_first_ = net.n_first_steps(X, self.head_share)
        self.waiting_ = []
        if not self.n_first_:
            return
        module = uncompiled(net.module_)
        if not hasattr(module, "backbone"):
            raise ValueError(
                f"module={type(module).__name__} has no backbone that could wait for "
                "the head. Set callbacks__head_first__head_share=0."
            )
        own = module.backbone.parameters()
        self.waiting_ = [parameter for parameter in own if parameter.requires_grad]

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        """Let the backbone wait, or learn."""
        if not training or not self.waiting_:
            return
        learns = self.step_ >= self.n_first_
        if self.waiting_[0].requires_grad != learns:
            self._let_learn(learns)
        self.step_ += 1

    def on_train_end(self, net, **kwargs):
        """Leave the network as it would be without."""
        self._let_learn(True)
        self.waiting_ = []

    def _let_learn(self, learns):
        for parameter in self.waiting_:
            parameter.requires_grad_(learns)
