"""Recognise species in wildlife recordings with scikit-learn pipelines.

The rooms, each a subpackage: :mod:`skbird.data`, :mod:`skbird.preprocessing`,
:mod:`skbird.nn`, :mod:`skbird.metrics`, :mod:`skbird.postprocessing` and
:mod:`skbird.annotations`. Importing ``skbird`` loads none of them and needs no torch.
"""

__version__ = "0.1.0.dev0"
__all__ = ["__version__"]
