"""Base classes for multi-label classifiers and for meta-estimators around them."""

from skbird.base._multilabel import MultilabelMetaMixin, MultilabelMixin
from skbird.utils._public import set_public_module

__all__ = ["MultilabelMetaMixin", "MultilabelMixin"]
set_public_module(globals())
