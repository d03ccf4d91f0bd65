"""Displays of the data, of predictions and errors, and of what networks look at.

Displays follow scikit-learn's: ``from_estimator``, ``from_predictions``, ``plot``. They
need matplotlib, which the extra ``train`` brings; Grad-CAM needs captum, which the
extra ``explain`` brings.
"""

from skbird.inspection._attention import AttentionDisplay
from skbird.inspection._attention_boxes import attention_boxes
from skbird.inspection._co_activation_display import CoActivationDisplay
from skbird.inspection._curriculum_display import CurriculumDisplay
from skbird.inspection._embedding_map_display import EmbeddingMapDisplay
from skbird.inspection._explanation_report import explanation_report
from skbird.inspection._grad_cam_display import GradCAMDisplay
from skbird.inspection._localization import energy_inside, pointing_game
from skbird.inspection._prediction import PredictionDisplay
from skbird.inspection._reliability_display import ReliabilityDisplay
from skbird.inspection._self_training import SelfTrainingDisplay
from skbird.inspection._spectrogram import SpectrogramDisplay
from skbird.inspection._support_display import SupportDisplay
from skbird.inspection._threshold_curve_display import ThresholdCurveDisplay
from skbird.utils._public import set_public_module

__all__ = [
    "AttentionDisplay",
    "CoActivationDisplay",
    "CurriculumDisplay",
    "EmbeddingMapDisplay",
    "GradCAMDisplay",
    "PredictionDisplay",
    "ReliabilityDisplay",
    "SelfTrainingDisplay",
    "SpectrogramDisplay",
    "SupportDisplay",
    "ThresholdCurveDisplay",
    "attention_boxes",
    "energy_inside",
    "explanation_report",
    "pointing_game",
]
set_public_module(globals())

# For the other rooms; not public.
from skbird.inspection._figures import (
    COLOURS,
    axes_for,
    check_axes,
    clean_text,
    mark_days,
    name_points,
    plain_text,
)
