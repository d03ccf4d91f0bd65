"""Change what a classifier learns to predict.

Like ``TransformedTargetRegressor`` in ``sklearn.compose``, these meta-estimators
transform the targets, fit a whole pipeline on them, and transform its predictions back.
"""

from skbird.compose._call_types import CallTypeClassifier
from skbird.utils._public import set_public_module

__all__ = ["CallTypeClassifier"]
set_public_module(globals())

# For the other rooms; not public.
from skbird.compose._type_targets import has_own_tags, parse_tags
