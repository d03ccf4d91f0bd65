"""The changes that the ablation makes, one at a time, and what the report found."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skbird.compose import CallTypeClassifier
from skbird.data import recording_weights
from skbird.nn import (
    BCEFocalLoss,
    CNNClassifier,
    FocalLoss,
    SoftAUCLoss,
    SoftmaxCrossEntropy,
    SpectrogramAugmentor,
)
from skbird.postprocessing import SoundscapeReweighter

ALL = ("synthetic", "xc_california", "esc10")
SYNTHETIC = ("synthetic",)
PRETRAINED = ("xc_california", "esc10")


@dataclass(frozen=True)
class Change:
    """One change of the base pipeline.

    Parameters
    ----------
    params : dict
        For ``set_params`` of the pipeline before it is fitted.
    report : str
        What the report on BirdCLEF 2025 says of it.
    tasks : tuple of str
        The data sets on which it can be tried.
    at_predict : bool
        Whether it changes the fitted base pipeline, which is not fitted again.
    fit_params : callable, optional
        (rows, Y, label_weight) -> what fit gets instead of the label weights.
    wrap : callable, optional
        Turns the pipeline into the estimator that is fitted, or, `at_predict`, the
        fitted pipeline into the one that predicts.
    """

    params: dict = field(default_factory=dict)
    report: str = ""
    tasks: tuple = ALL
    at_predict: bool = False
    fit_params: Callable | None = None
    wrap: Callable | None = None


def _callbacks(**params):
    return {f"net__callbacks__{name}": value for name, value in params.items()}


def _as_cnn(pipeline):
    """Put a CNN of the same parameters in the place of the SED network."""
    params = pipeline[-1].get_params(deep=False)
    for name in ("attention", "step_pooling", "frame_scores", "module"):
        del params[name]
    return clone(pipeline).set_params(net=CNNClassifier(**params))


def _weighted(**options):
    def fit_params(X, Y, label_weight):
        weight = recording_weights(X, Y, **options)
        return {"label_weight": label_weight, "sample_weight": weight}

    return fit_params


def _secondary(weight):
    def fit_params(X, Y, label_weight):
        return {"label_weight": label_weight.where(label_weight != 0.5, weight)}

    return fit_params


def _reweighted(top_rows):
    def wrap(pipeline):
        return SoundscapeReweighter(FrozenEstimator(pipeline), top_rows=top_rows)

    return wrap


CHANGES = {
    # Architecture
    "CNN instead of SED": Change(wrap=_as_cnn, report="SED a little better"),
    "attention over time": Change(
        {"net__attention": "time"}, report="frequency better than time"
    ),
    "maximum over the steps": Change({"net__step_pooling": "max"}, report="used"),
    "mean over the steps": Change({"net__step_pooling": "mean"}),
    "generalised-mean pooling": Change({"net__feature_pooling": "gem"}),
    "stochastic depth 0.1": Change({"net__drop_path_rate": 0.1}),
    "20-s context, frame scores, over time": Change(
        {
            "segment__segment_s": 20.0,
            "net__attention": "time",
            "net__frame_scores": True,
        },
        tasks=SYNTHETIC,
    ),
    # Mixing
    "no mixup": Change(_callbacks(mixup__p=0.0), report="mixup helped most"),
    "mixup of half the segments": Change(_callbacks(mixup__p=0.5)),
    "mixup of powers": Change(_callbacks(mixup__domain="power")),
    "mixup of powers, labels united": Change(
        _callbacks(mixup__domain="power", mixup__labels="union")
    ),
    "CutMix besides": Change(_callbacks(cutmix__p=0.5), report="no benefit"),
    "CutMix instead of mixup": Change(
        _callbacks(cutmix__p=1.0, mixup__p=0.0), report="no benefit"
    ),
    # Masks and the like
    "no masks": Change(_callbacks(time_mask__p=0.0, frequency_mask__p=0.0)),
    "masks by group": Change(
        {
            **_callbacks(time_mask__p=0.0, frequency_mask__p=0.0),
            **_callbacks(augment=SpectrogramAugmentor()),
        },
        report="used",
        tasks=SYNTHETIC,
    ),
    "random erasing besides": Change(_callbacks(erasing__p=0.5), report="used"),
    "time shift, circular": Change(_callbacks(shift__p=1.0)),
    "time shift, crop": Change(
        _callbacks(shift__p=1.0, shift__mode="crop"),
        tasks=("synthetic", "xc_california"),
    ),
    "random frequency response": Change(_callbacks(response__p=0.5)),
    "pink noise": Change(_callbacks(noise__p=0.5)),
    # Loss
    "BCE + focal": Change(
        {"net__criterion": BCEFocalLoss}, report="better than BCE (+0.5 points)"
    ),
    "focal": Change({"net__criterion": FocalLoss}, report="better than BCE"),
    "softmax cross-entropy": Change({"net__criterion": SoftmaxCrossEntropy}),
    "soft AUC loss": Change({"net__criterion": SoftAUCLoss}),
    "label smoothing 0.05": Change({"net__criterion__label_smoothing": 0.05}),
    # Labels and sampling
    "secondary labels in full": Change(fit_params=_secondary(1.0), tasks=SYNTHETIC),
    "secondary labels unknown": Change(fit_params=_secondary(0.0), tasks=SYNTHETIC),
    "sampling by count^-0.5": Change(
        fit_params=_weighted(class_power=-0.5), report="used", tasks=SYNTHETIC
    ),
    "sampling by count^-1": Change(
        fit_params=_weighted(class_power=-1.0), tasks=SYNTHETIC
    ),
    "call types": Change(
        wrap=lambda pipeline: CallTypeClassifier(pipeline, min_recordings=5),
        report="regretted not to have",
        tasks=SYNTHETIC,
    ),
    "call types, siblings absent": Change(
        wrap=lambda pipeline: CallTypeClassifier(
            pipeline, min_recordings=5, siblings="absent"
        ),
        tasks=SYNTHETIC,
    ),
    # Filters
    "no VAD": Change({"vad": "passthrough"}, report="no gain", tasks=SYNTHETIC),
    "no RMS filter": Change({"rms": "passthrough"}, report="used", tasks=SYNTHETIC),
    "neither filter": Change(
        {"vad": "passthrough", "rms": "passthrough"}, tasks=SYNTHETIC
    ),
    "filters drop segments": Change(
        {"vad__mode": "drop", "rms__mode": "drop"}, report="used", tasks=SYNTHETIC
    ),
    # Which rows when
    "curriculum by rating": Change(
        _callbacks(curriculum__start=0.3), report="worse", tasks=SYNTHETIC
    ),
    "curriculum by loss": Change(
        _callbacks(curriculum__start=0.3, curriculum__by="loss"), report="worse"
    ),
    "hard negatives x 3": Change(_callbacks(hard_negatives__boost=3.0), report="worse"),
    # Optimisation
    "average of weights 0.99": Change(_callbacks(average__decay=0.99)),
    "warm restarts (3 cycles)": Change(_callbacks(schedule__cycles=3)),
    "gradients clipped at 1": Change(_callbacks(clipping__gradient_clip_value=1.0)),
    "best epoch of 10 % held out": Change(_callbacks(validation__fraction=0.1)),
    "soup of 3 epochs, 10 % held out": Change(
        _callbacks(validation__fraction=0.1, validation__keep="soup")
    ),
    "backbone at 0.3 of the rate": Change(
        {"net__backbone_lr_factor": 0.3}, tasks=PRETRAINED
    ),
    # Prediction
    "test-time shifts of 1.25 s": Change(
        {"net__tta_shifts_s": (-1.25, 1.25)},
        at_predict=True,
        tasks=("synthetic", "xc_california"),
    ),
    "reweighting by the file's mean": Change(
        wrap=_reweighted(None), report="helped", at_predict=True, tasks=SYNTHETIC
    ),
    "reweighting by the file's highest": Change(
        wrap=_reweighted(1), at_predict=True, tasks=SYNTHETIC
    ),
    "shifts and reweighting": Change(
        {"net__tta_shifts_s": (-1.25, 1.25)},
        wrap=_reweighted(None),
        at_predict=True,
        tasks=SYNTHETIC,
    ),
}
