"""Detect that a training diverges, and go back to its last finite weights."""

import warnings

from sklearn.exceptions import ConvergenceWarning

from skbird.nn._weights import copy_weights, not_finite
from skbird.utils._finite import NotFiniteError

# Scaling starts at 65,536 and is halved with each step whose gradients overflow.
_MIN_SCALE = 1.0


def check_epoch(net):
    """Complain if weights are not finite, or gradients overflow whatever the scale."""
    name = not_finite(net.module_.state_dict())
    if name is not None:
        raise NotFiniteError(f"weights are NaN or infinite (first of all {name})")
    if net.scaler_.is_enabled() and net.scaler_.get_scale() < _MIN_SCALE:
        raise NotFiniteError("gradients overflow in float16, however they are scaled")


class LastSound:
    """Keeps the weights after the last epoch that left them finite.

    Parameters
    ----------
    net : SegmentNet
        Its training is about to begin, or to go on.

    Raises
    ------
    FloatingPointError
        If the weights to begin with are not finite.
    """

    def __init__(self, net):
        self.note(net)
        name = not_finite(self.weights)
        if name is not None:
            raise NotFiniteError(
                f"The training would begin with weights that are NaN or infinite "
                f"({name}). Take another "
                f"backbone_weights={net.backbone_weights!r}, or, where "
                "warm_start=True goes on with a network that diverged, set it to False."
            )

    def note(self, net):
        """Keep a copy of the current weights."""
        self.weights = copy_weights(net.module_)

    def go_back(self, net, n_before, exc):
        """Put the last finite weights back and warn; raise if there is no such epoch.

        Parameters
        ----------
        net : SegmentNet
        n_before : int
            Epochs in the history when fit was called.
        exc : NotFiniteError
            The fault that was found.
        """
        net.module_.load_state_dict(self.weights)
        epoch = len(net.history)
        del net.history[-1]
        diverged = f"The training diverged in epoch {epoch} of {net.max_epochs}: {exc}."
        if epoch - 1 == n_before:
            if n_before == 0:
                # What it began with must not pass for something learnt.
                net.initialized_ = False
                delattr(net, net.learnt_in)
            raise FloatingPointError(f"{diverged} {_remedy(net)}") from exc
        warnings.warn(
            f"{diverged} It ends with what it had learnt until epoch {epoch - 1}. "
            f"{_remedy(net)}",
            ConvergenceWarning,
            stacklevel=5,
        )


def _remedy(net):
    remedies = [f"Lower lr={net.lr:g}"]
    callbacks = dict(net.callbacks_)
    if getattr(callbacks.get("clipping"), "gradient_clip_value", None) is None:
        remedies.append(
            "clip gradients with callbacks__clipping__gradient_clip_value=1.0"
        )
    if net.precision_ != "float32":
        remedies.append(f"set precision='float32' (it was {net.precision_!r})")
    return f"{', '.join(remedies)}, or look for extreme values in X and the weights."
