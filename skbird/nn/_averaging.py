"""Averages of a network's weights."""

import copy
import reprlib
from numbers import Real

from sklearn.utils.validation import check_is_fitted
from torch.optim.swa_utils import get_ema_multi_avg_fn

from skbird.nn._compiled import uncompiled
from skbird.nn._recipe_callback import RecipeCallback
from skbird.nn._weights import copy_weights, mean_weights, not_finite
from skbird.nn._weights_origin import AXES, join_licenses
from skbird.utils._params import check_list
from skbird.utils._sklearn_compat import Interval


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

    Examples
    --------
    >>> from skbird.nn import SEDClassifier, WeightAverage
    >>> net = SEDClassifier(callbacks__average=WeightAverage(decay=0.99))
    >>> net.get_params()["callbacks__average__decay"]
    0.99
    """

    _parameter_constraints: dict = {"decay": [Interval(Real, 0, 1, closed="left")]}

    def __init__(self, decay=0.99):
        self.decay = decay

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Start the average with the weights as they are."""
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
        # A fixed decay would keep the random weights of the beginning for long.
        decay = min(self.decay, (1 + self.n_steps_) / (10 + self.n_steps_))
        state = net.module_.state_dict()
        floats = [name for name, value in state.items() if value.is_floating_point()]
        # All in one call, which a GPU takes in a few kernels.
        average = get_ema_multi_avg_fn(decay)
        average([self.average_[k] for k in floats], [state[k] for k in floats], None)
        for name in state.keys() - set(floats):
            self.average_[name].copy_(state[name])

    def on_epoch_end(self, net, **kwargs):
        """Put the average into the network."""
        if self.average_ is not None:
            self.raw_ = copy_weights(net.module_)
            net.module_.load_state_dict(self.average_)

    def on_train_end(self, net, **kwargs):
        """Forget both sets of weights: the network has the averaged ones."""
        self.raw_ = self.average_ = None


def soup(nets):
    """Average the weights of fitted networks, in place of their predictions.

    The result predicts as fast as one of them. It is as good as their ensemble, or
    better, if they are from one region of the loss: trained from the *same* pretrained
    weights, with different seeds, folds, rates or augmentation. Networks that started
    from different random weights have nothing in common that could be averaged: compare
    the soup with its parts on held-out recordings.

    Parameters
    ----------
    nets : sequence of CNNClassifier or SEDClassifier
        Fitted, alike in what the network is and sees: class, backbone, heads, species
        and the format of the spectrograms.

    Returns
    -------
    net : CNNClassifier or SEDClassifier
        A copy of the first, with its parameters and history, and the mean weights.
        Statistics of batch normalisation are averaged alike. ``weights_license_`` has
        the licenses of all.

    Raises
    ------
    ValueError
        If there are no networks, or two differ: the message names in what.
    TypeError
        If something is not a network.
    NotFittedError
        If a network was not fitted.

    See Also
    --------
    skbird.ensemble.FoldEnsemble : Keeps the models of a cross-validation:
        ``soup([pipe[-1] for pipe in folds.estimators_])``.
    ValidationSplit : ``keep="soup"`` averages epochs of one training.

    References
    ----------
    Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models
    improves accuracy without increasing inference time", ICML 2022; the uniform soup.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.base import clone
    >>> from skbird.nn import CNNClassifier, soup
    >>> X = np.random.default_rng(0).standard_normal((8, 32, 64))
    >>> Y = np.tile([[1, 0], [0, 1]], (4, 1))
    >>> net = CNNClassifier(
    ...     "lcnet_035", backbone_weights=None, max_epochs=1, random_state=0, verbose=0
    ... )
    >>> nets = [clone(net).set_params(lr=lr).fit(X, Y) for lr in (1e-3, 1e-4)]
    >>> soup(nets).predict_proba(X).shape
    (8, 2)
    """
    nets = check_list(nets, "nets", "fitted networks")
    if not nets:
        raise ValueError("nets is empty: pass at least one fitted network.")
    first, *others = [_traits(net, number) for number, net in enumerate(nets)]
    for number, other in enumerate(others, start=1):
        for name, value in first.items():
            if other.get(name) != value:
                raise ValueError(
                    f"nets[0] and nets[{number}] differ in {name}: "
                    f"{reprlib.repr(value)} and {reprlib.repr(other.get(name))}. Only "
                    "networks of one architecture, for the same species and "
                    "spectrograms, can be averaged; others can vote: skbird.ensemble."
                )
    for number, net in enumerate(nets):
        if not_finite(_state(net)) is not None:
            raise ValueError(
                f"nets[{number}] has weights that are NaN or infinite, as after a "
                "training that diverged. Leave it out, or train it with a lower lr."
            )
    mixed = copy.deepcopy(nets[0])
    states = [
        {name: value.to(mixed.device) for name, value in _state(net).items()}
        for net in nets
    ]
    mixed.module_.load_state_dict(mean_weights(states))
    mixed.weights_license_ = join_licenses(net.weights_license_ for net in nets)
    return mixed


def _state(net):
    """Return the state dict of the module, also of a compiled one."""
    return uncompiled(net.module_).state_dict()


def _traits(net, number):
    """Return what networks must share to be averaged, by name."""
    if not hasattr(net, "_module_params"):
        raise TypeError(
            f"nets[{number}] is a {type(net).__name__}, not a network of skbird. Of a "
            "pipeline pass the last step, pipeline[-1]."
        )
    check_is_fitted(net, ["species_", "module_"])
    # What only steers the training may differ.
    free = ("backbone_weights", "drop_rate", "drop_path_rate")
    heads = {
        name: getattr(net, name) for name in net._module_params if name not in free
    }
    sees = {name: getattr(net.format_, name) for name in AXES}
    shapes = {f"the shape of {k}": tuple(v.shape) for k, v in _state(net).items()}
    return {
        "class": type(net),
        "module": net.module,
        **heads,
        "species": list(net.species_),
        **sees,
        **shapes,
    }
