"""Look at what was learnt: displays in the manner of scikit-learn's.

Needs matplotlib, which the extra ``train`` brings.
"""

from skbird.inspection._self_training import SelfTrainingDisplay
from skbird.utils._public import set_public_module

__all__ = ["SelfTrainingDisplay"]
set_public_module(globals())
