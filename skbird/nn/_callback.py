"""What all callbacks of the training recipe share."""

from sklearn.utils._param_validation import validate_parameter_constraints
from skorch.callbacks import Callback


class RecipeCallback(Callback):
    """Base: a callback whose parameters are checked before the training begins.

    A subclass lists what is allowed in `_parameter_constraints`, as estimators of
    scikit-learn do, and calls ``super().on_train_begin`` if it has one of its own. What
    depends on several parameters it says in `check_parameters`.
    """

    _parameter_constraints: dict = {}

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Check the parameters."""
        self.check_parameters()

    def check_parameters(self):
        """Raise a ValueError that names a parameter which is out of range."""
        validate_parameter_constraints(
            self._parameter_constraints,
            {name: getattr(self, name) for name in self._parameter_constraints},
            caller_name=type(self).__name__,
        )
