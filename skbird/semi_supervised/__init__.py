"""Learn from recordings without labels, such as soundscapes of the survey sites.

Rows of Y that are -1 throughout are unlabelled. What learns from them wraps a whole
pipeline and knows only the scikit-learn contract.
"""

from skbird.semi_supervised._pseudo_labels import make_pseudo_labels
from skbird.semi_supervised._self_training import PseudoLabelSelfTraining
from skbird.utils._public import set_public_module

__all__ = ["PseudoLabelSelfTraining", "make_pseudo_labels"]
set_public_module(globals())
