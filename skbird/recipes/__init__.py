"""Whole pipelines by name, from file paths to probabilities.

Each function returns plain estimators: ``get_params`` shows what a recipe sets, and
``set_params`` changes it. Needs the extra ``train``.
"""

from skbird.recipes._recipes import competition, default, fast, report
from skbird.utils._public import set_public_module

__all__ = ["competition", "default", "fast", "report"]
set_public_module(globals())
