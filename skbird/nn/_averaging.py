"""Averages of a network's weights."""

from numbers import Real

import torch
from sklearn.utils._param_validation import Interval

from skbird.nn._callback import RecipeCallback


class WeightAverage(RecipeCallback):
    """Keep an exponential moving average of the weights, and predict with it.

    After step t the average moves by ``1 - d`` towards the weights, with
    ``d = min(decay, (1 + t) / (10 + t))``, so that it soon forgets the beginning.
    Statistics of batch normalisation are averaged alike. Between epochs, and so in
    validation, and after the training the network has the averaged weights.

    Parameters
    ----------
    decay : float in [0, 1), default=0.99
        0 keeps no average. It spans about 1 / (1 - decay) steps.

    References
    ----------
    Polyak & Juditsky, "Acceleration of stochastic approximation by averaging", 1992.
    The warm-up is that of TensorFlow's ExponentialMovingAverage.
    """

    _parameter_constraints: dict = {"decay": [Interval(Real, 0, 1, closed="left")]}

    def __init__(self, decay=0.99):
        self.decay = decay

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Start an average."""
        super().on_train_begin(net, X=X, y=y)
        self.raw_ = None
        self.average_ = copy_weights(net.module_) if self.decay else None
        self.n_steps_ = 0

    def on_epoch_begin(self, net, **kwargs):
        """Go on with the weights as the optimizer left them."""
        if self.raw_ is not None:
            net.module_.load_state_dict(self.raw_)
            self.raw_ = None

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        """Move the average."""
        if not training or self.average_ is None:
            return
        self.n_steps_ += 1
        decay = min(self.decay, (1 + self.n_steps_) / (10 + self.n_steps_))
        for name, value in net.module_.state_dict().items():
            if value.is_floating_point():
                self.average_[name].lerp_(value, 1 - decay)
            else:
                self.average_[name].copy_(value)

    def on_epoch_end(self, net, **kwargs):
        """Put the average into the network."""
        if self.average_ is not None:
            self.raw_ = copy_weights(net.module_)
            net.module_.load_state_dict(self.average_)

    def on_train_end(self, net, **kwargs):
        """Forget all but what the network has now."""
        self.raw_ = self.average_ = None


def copy_weights(module):
    """Return a copy of the state dict of a module."""
    return {name: value.clone() for name, value in module.state_dict().items()}


def mean_weights(states):
    """Average several state dicts of one network; counters are of the first."""
    return {
        name: torch.stack([state[name] for state in states]).mean(dim=0)
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }
