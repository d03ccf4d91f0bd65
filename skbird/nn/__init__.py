"""Networks as scikit-learn classifiers. Needs the extra ``train`` (torch)."""

from importlib.util import find_spec

for _package in ("torch", "timm", "skorch"):
    if find_spec(_package) is None:
        raise ImportError(
            f"skbird.nn needs {_package}; install it with: pip install 'skbird[train]'"
        )

from skbird.nn._augmentation import Mixup, TimeFrequencyMask
from skbird.nn._cnn import CNNClassifier
from skbird.nn._losses import (
    BCEFocalLoss,
    BinaryCrossEntropy,
    FocalLoss,
    SoftAUCLoss,
    SoftmaxCrossEntropy,
)
from skbird.nn._progress import EpochProgress
from skbird.nn._schedule import WarmupCosine
from skbird.nn._sed import Activations, SEDClassifier
from skbird.utils._public import set_public_module

__all__ = [
    "Activations",
    "BCEFocalLoss",
    "BinaryCrossEntropy",
    "CNNClassifier",
    "EpochProgress",
    "FocalLoss",
    "Mixup",
    "SEDClassifier",
    "SoftAUCLoss",
    "SoftmaxCrossEntropy",
    "TimeFrequencyMask",
    "WarmupCosine",
]
set_public_module(globals())
