"""Whole pipelines by name, from file paths to probabilities.

Each function returns plain estimators: ``get_params`` shows what a recipe sets, and
``set_params`` changes it. Networks need the extra ``train``, `few_labels` the extra
``encoders``.
"""

import lazy_loader

# Lazily: who has no torch can still use few_labels.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "_few_labels": ["few_labels"],
        "_recipes": ["competition", "default", "fast", "report"],
    },
)
