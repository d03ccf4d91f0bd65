"""Correct predictions: by file, place and season; calibrate, choose thresholds.

Nothing can follow a classifier inside a ``Pipeline``, so these meta-estimators wrap
the whole pipeline: there they still see X and know which rows share a file. They learn
from predictions of held-out rows.
"""

from skbird.postprocessing._calibrator import MultilabelCalibrator
from skbird.postprocessing._conformal import ConformalClassifier
from skbird.postprocessing._place_season_prior import PlaceSeasonPrior
from skbird.postprocessing._post_processor import PostProcessor
from skbird.postprocessing._reweight import reweight
from skbird.postprocessing._reweighter import SoundscapeReweighter
from skbird.postprocessing._reweighter_cv import SoundscapeReweighterCV
from skbird.postprocessing._threshold_tuner import ThresholdTuner
from skbird.utils._public import set_public_module

__all__ = [
    "ConformalClassifier",
    "MultilabelCalibrator",
    "PlaceSeasonPrior",
    "PostProcessor",
    "SoundscapeReweighter",
    "SoundscapeReweighterCV",
    "ThresholdTuner",
    "reweight",
]
set_public_module(globals())
