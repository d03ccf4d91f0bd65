"""The private parts of scikit-learn that skbird uses: one place to mend.

scikit-learn promises nothing about these names from one release to the next.
"""

from sklearn.metrics._scorer import _BaseScorer as BaseScorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils._metadata_requests import _routing_enabled as routing_enabled
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
    validate_params,
)
from sklearn.utils._set_output import _get_output_config as output_config

__all__ = [
    "BaseScorer",
    "BaseSearchCV",
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "check_matplotlib_support",
    "output_config",
    "routing_enabled",
    "set_random_states",
    "validate_parameter_constraints",
    "validate_params",
    "validate_params_of",
]


def set_random_states(estimator, random_state=None):
    """Seed an estimator and all that it holds; this alone needs sklearn.ensemble."""
    from sklearn.ensemble._base import _set_random_states

    _set_random_states(estimator, random_state)


def validate_params_of(estimator):
    """Raise unless each parameter of an estimator is one that its `fit` would take."""
    estimator._validate_params()
