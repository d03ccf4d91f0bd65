"""The training recipe: which callbacks a network has, in the order they act in."""

from skorch.callbacks import EpochTimer, GradientNormClipping, PassthroughScoring

from skbird.nn._acoustics import BackgroundNoise, FrequencyResponse, Gain, TimeShift
from skbird.nn._augmentor import SpectrogramAugmentor
from skbird.nn._averaging import WeightAverage
from skbird.nn._curriculum import Curriculum, HardNegativeMining
from skbird.nn._masking import FrequencyMask, RandomErasing, TimeMask
from skbird.nn._mixing import CutMix, Mixup
from skbird.nn._progress import EpochProgress
from skbird.nn._pseudo_mix import PseudoLabelMix
from skbird.nn._schedule import WarmupCosine
from skbird.nn._validation import ValidationSplit


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
        ("schedule", WarmupCosine()),
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
        ("clipping", GradientNormClipping(gradient_clip_value=None)),
        ("progress", EpochProgress()),
    ]
