"""Correct predictions by what is known about the rows around them.

Nothing can follow a classifier inside a ``Pipeline``, so these meta-estimators wrap
the whole pipeline: there they still see X and know which rows share a file.
"""

from skbird.postprocessing._reweight import reweight
from skbird.postprocessing._reweighter import SoundscapeReweighter
from skbird.utils._public import set_public_module

__all__ = ["SoundscapeReweighter", "reweight"]
set_public_module(globals())
