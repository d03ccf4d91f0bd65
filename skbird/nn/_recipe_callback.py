"""Base of the callbacks of the training recipe."""

from skorch.callbacks import Callback

from skbird.utils._sklearn_compat import validate_parameter_constraints


class RecipeCallback(Callback):
    """Base of callbacks of the training: augmentations and schedules of your own.

    A subclass lists what is allowed in `_parameter_constraints`, as estimators of
    scikit-learn do, and calls ``super().on_train_begin`` if it has one of its own: its
    parameters are checked there, before the training begins. What depends on several
    parameters it says in `check_parameters`.

    Examples
    --------
    >>> from numbers import Real
    >>> from skbird.utils._sklearn_compat import Interval
    >>> from skbird.nn import CNNClassifier, RecipeCallback
    >>> class StopBelow(RecipeCallback):
    ...     _parameter_constraints = {"loss": [Interval(Real, 0, None, closed="left")]}
    ...
    ...     def __init__(self, loss=0.01):
    ...         self.loss = loss
    ...
    ...     def on_epoch_end(self, net, **kwargs):
    ...         if net.history[-1, "train_loss"] < self.loss:
    ...             net.stop_training_ = True
    >>> net = CNNClassifier(backbone_weights=None, callbacks=[("stop", StopBelow())])
    >>> net.set_params(callbacks__stop__loss=0.1).get_params()["callbacks__stop__loss"]
    0.1
    """

    _parameter_constraints: dict = {}

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Check the parameters."""
        self.check_parameters()

    def change_inputs(self, inputs, net):
        """Return what the network sees of a training batch, after all augmentations.

        Parameters
        ----------
        inputs : dict
            ``segments``, a tensor of shape (n_segments, 1, n_mels, n_frames), and which
            they are. It must not be changed in place.
        net : CNNClassifier or SEDClassifier

        Returns
        -------
        dict
            The loss, and `add_to_loss`, are given it, too.
        """
        return inputs

    def add_to_loss(self, loss, net, inputs):
        """Return the loss of a training batch, with what a callback adds to it.

        Parameters
        ----------
        loss : tensor, a scalar
        net : CNNClassifier or SEDClassifier
            It has just computed the batch.
        inputs : dict
            The segments, and which they are.

        Returns
        -------
        tensor, a scalar
        """
        return loss

    def learnt_from(self):
        """Return what the training depends on beside the parameters, as plain data.

        Such as a checksum of a file that a parameter names: a killed training goes on
        only from one for which it was the same.

        Returns
        -------
        object
        """
        return None

    def check_parameters(self):
        """Raise a ValueError that names a parameter which is out of range."""
        validate_parameter_constraints(
            self._parameter_constraints,
            {name: getattr(self, name) for name in self._parameter_constraints},
            caller_name=type(self).__name__,
        )
