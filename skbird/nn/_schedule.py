"""The schedule of the learning rate."""

import math
from numbers import Real

from skbird.nn._recipe_callback import RecipeCallback
from skbird.utils._params import AT_LEAST_ONE
from skbird.utils._sklearn_compat import Interval


class WarmupCosine(RecipeCallback):
    """Raise the learning rate linearly, then lower it along a half cosine, or several.

    With the rate lr that the optimizer was given (of each parameter group), the rate
    of step t = 1, 2, ... of n is ``lr * t / (w + 1)`` during the warm-up of w steps, so
    that the next one is the first to have all of lr. From then on it is
    ``lr * (f + (1 - f) * (1 + cos(pi * u)) / 2)`` with ``u = (t - 1 - w) / (n - w)``,
    which goes from 0 to nearly 1; with `cycles` above 1, so many times.

    Parameters
    ----------
    warmup : float in [0, 1), default=0.1
        Share of all steps.
    final : float in [0, 1], default=0.01
        Share f of the learning rate that the cosine falls to.
    cycles : int >= 1, default=1
        Above 1 the rate jumps back to its highest value: warm restarts.

    References
    ----------
    Loshchilov & Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts",
    ICLR 2017, eq. 5: the cosine. Goyal et al., "Accurate, Large Minibatch SGD", 2017:
    the warm-up by equal steps.

    Examples
    --------
    >>> from skbird.nn import SEDClassifier, WarmupCosine
    >>> net = SEDClassifier(lr=1e-3, callbacks__schedule=WarmupCosine(warmup=0.2))
    >>> net.get_params()["callbacks__schedule__cycles"]
    1
    """

    _parameter_constraints: dict = {
        "warmup": [Interval(Real, 0, 1, closed="left")],
        "final": [Interval(Real, 0, 1, closed="both")],
        "cycles": [AT_LEAST_ONE],
    }

    def __init__(self, warmup=0.1, final=0.01, cycles=1):
        self.warmup = warmup
        self.final = final
        self.cycles = cycles

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Start counting the steps of the training."""
        super().on_train_begin(net, X=X, y=y)
        self.step_ = 0
        self.n_steps_ = net.max_epochs * net.steps_per_epoch(X)

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        """Set the rate of this step."""
        if not training:
            return
        factor = self.factor(self.step_, self.n_steps_)
        for group in net.optimizer_.param_groups:
            # Each group has a rate of its own, such as a lower one for the backbone.
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
        self.step_ += 1

    def factor(self, step, n_steps):
        """Return the share of the learning rate at a step, counted from 0.

        Parameters
        ----------
        step, n_steps : int
            Number of the step, and how many there are.

        Returns
        -------
        float in [0, 1]
        """
        n_warmup = self.warmup * n_steps
        if step < n_warmup:
            return (step + 1) / (n_warmup + 1)
        progress = min((step - n_warmup) / max(n_steps - n_warmup, 1), 1.0)
        if progress < 1:  # the last step ends a cycle, and begins none
            progress = progress * self.cycles % 1
        cosine = (1 + math.cos(math.pi * progress)) / 2
        return self.final + (1 - self.final) * cosine
