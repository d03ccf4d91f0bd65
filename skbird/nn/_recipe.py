"""The training recipe: which callbacks a network has, in the order they act in."""

from numbers import Real

import numpy as np
from skorch.callbacks import EpochTimer, GradientNormClipping, PassthroughScoring

from skbird.nn._acoustics import BackgroundNoise, FrequencyResponse, Gain, TimeShift
from skbird.nn._augmentor import SpectrogramAugmentor
from skbird.nn._averaging import WeightAverage
from skbird.nn._coarse_first import CoarseFirst
from skbird.nn._curriculum import Curriculum, HardNegativeMining
from skbird.nn._distillation_loss import DistillationLoss
from skbird.nn._head_first import HeadFirst
from skbird.nn._masking import FrequencyMask, RandomErasing, TimeMask
from skbird.nn._mixing import CutMix, Mixup
from skbird.nn._progress import EpochProgress
from skbird.nn._pseudo_mix import PseudoLabelMix
from skbird.nn._recipe_callback import RecipeCallback
from skbird.nn._schedule import WarmupCosine
from skbird.nn._validation_split import ValidationSplit
from skbird.utils._sklearn_compat import Interval, Options


class NormClipping(RecipeCallback, GradientNormClipping):
    """Gradient clipping of skorch, with checked parameters.

    A negative value would turn the training round.

    Parameters
    ----------
    gradient_clip_value : float > 0 or None, default=None
    gradient_clip_norm_type : float > 0 or "inf", default=2
    """

    _parameter_constraints: dict = {
        "gradient_clip_value": [Interval(Real, 0, np.inf, closed="neither"), None],
        "gradient_clip_norm_type": [
            Interval(Real, 0, None, closed="neither"),
            Options(str, {"inf"}),
        ],
    }


def default_callbacks():
    """Return the callbacks of a network: a list of (name, callback).

    All ingredients are there, so that ``set_params`` reaches them; many are switched
    off. What takes rows out of the training comes before the schedule, which counts the
    batches left; validation comes after the average, which it judges; what works on
    raw dB comes before mixup.
    """
    return [
        ("epoch_timer", EpochTimer()),
        ("train_loss", PassthroughScoring("train_loss", on_train=True)),
        ("average", WeightAverage(decay=0.0)),
        ("pseudo_mix", PseudoLabelMix(p=0.0)),
        ("validation", ValidationSplit(fraction=0.0)),
        ("distill", DistillationLoss(weight=0.0)),
        ("schedule", WarmupCosine()),
        ("head_first", HeadFirst(head_share=0.0)),
        ("coarse_first", CoarseFirst(coarse_share=0.0)),
        ("curriculum", Curriculum(start=1.0)),
        ("hard_negatives", HardNegativeMining(boost=1.0)),
        ("shift", TimeShift()),
        ("gain", Gain(p=0.0)),
        ("response", FrequencyResponse(p=0.0)),
        ("noise", BackgroundNoise(p=0.0)),
        ("augment", SpectrogramAugmentor(p=0.0)),
        ("mixup", Mixup()),
        ("cutmix", CutMix(p=0.0)),
        ("time_mask", TimeMask()),
        ("frequency_mask", FrequencyMask()),
        ("erasing", RandomErasing()),
        ("clipping", NormClipping()),
        ("progress", EpochProgress()),
    ]


# What has no use for labels.
_WITHOUT_LABELS = (
    "epoch_timer",
    "train_loss",
    "average",
    "schedule",
    "head_first",
    "coarse_first",
    "shift",
    "gain",
    "response",
    "noise",
    "mixup",
    "cutmix",
    "time_mask",
    "frequency_mask",
    "erasing",
    "clipping",
    "progress",
)


def distillation_callbacks():
    """Return the callbacks of a network that learns embeddings in place of labels.

    The embedding of a mixture is not the mixture of embeddings: nothing is mixed unless
    it is asked for.
    """
    off = {"mixup": Mixup(p=0.0)}
    return [
        (name, off.get(name, callback))
        for name, callback in default_callbacks()
        if name in _WITHOUT_LABELS
    ]
