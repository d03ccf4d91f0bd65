"""Networks as scikit-learn classifiers. Needs the extra ``train`` (torch)."""

from importlib.util import find_spec

from skbird.utils._extras import install_hint

for _package in ("torch", "timm", "skorch"):
    if find_spec(_package) is None:
        raise ImportError(
            f"skbird.nn needs {_package}; install it with: {install_hint('train')}"
        )

from skbird.nn._acoustics import BackgroundNoise, FrequencyResponse, Gain, TimeShift
from skbird.nn._augmentation import SegmentAugmentation
from skbird.nn._augmentor import SpectrogramAugmentor
from skbird.nn._averaging import WeightAverage, soup
from skbird.nn._cnn import CNNClassifier
from skbird.nn._coarse_first import CoarseFirst
from skbird.nn._curriculum import Curriculum, HardNegativeMining
from skbird.nn._distillation import EmbeddingDistillation
from skbird.nn._distillation_loss import DistillationLoss
from skbird.nn._head_first import HeadFirst
from skbird.nn._losses import (
    BCEFocalLoss,
    BinaryCrossEntropy,
    CosineLoss,
    FocalLoss,
    SoftAUCLoss,
    SoftmaxCrossEntropy,
)
from skbird.nn._masking import FrequencyMask, RandomErasing, TimeMask
from skbird.nn._mixing import CutMix, Mixup
from skbird.nn._progress import EpochProgress
from skbird.nn._pseudo_mix import PseudoLabelMix
from skbird.nn._recipe_callback import RecipeCallback
from skbird.nn._schedule import WarmupCosine
from skbird.nn._sed import Activations, SEDClassifier
from skbird.nn._validation_split import ValidationSplit
from skbird.utils._public import set_public_module

__all__ = [
    "Activations",
    "BCEFocalLoss",
    "BackgroundNoise",
    "BinaryCrossEntropy",
    "CNNClassifier",
    "CoarseFirst",
    "CosineLoss",
    "Curriculum",
    "CutMix",
    "DistillationLoss",
    "EmbeddingDistillation",
    "EpochProgress",
    "FocalLoss",
    "FrequencyMask",
    "FrequencyResponse",
    "Gain",
    "HardNegativeMining",
    "HeadFirst",
    "Mixup",
    "PseudoLabelMix",
    "RandomErasing",
    "RecipeCallback",
    "SEDClassifier",
    "SegmentAugmentation",
    "SoftAUCLoss",
    "SoftmaxCrossEntropy",
    "SpectrogramAugmentor",
    "TimeMask",
    "TimeShift",
    "ValidationSplit",
    "WarmupCosine",
    "WeightAverage",
    "soup",
]
set_public_module(globals())

# For the other rooms; not public.
from skbird.nn._allocator import keep_freed_memory
from skbird.nn._batches import normalize_batch, to_segment_tensor
from skbird.nn._compiled import uncompiled
from skbird.nn._prediction import map_segments, spectrograms_for
from skbird.nn._segment_net import SegmentNet
