"""No parameter is dead: each of each estimator, callback and loss does something.

An estimator is fitted as it is, which must give the same twice, and with one parameter
changed, which must give something else: in what it returns, in what it has learnt, in
what it prints or in the files that it writes.
"""

import contextlib
import importlib
import inspect
import io
import pkgutil
import tempfile
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import RATE, tone
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from tiny_cnn import TinyCNN
from tiny_encoder import RATE as ENCODER_RATE
from tiny_encoder import TONES, write_encoder

import skbird
from skbird.audio import AudioReadError
from skbird.compose import CallTypeClassifier
from skbird.data import SegmentGrid, SpectrogramFormat, Spectrograms
from skbird.encoders import (
    AttentionProbe,
    EmbeddingEncoder,
    PretrainedScores,
    ProbeClassifier,
    Windows,
    load_encoder,
)
from skbird.ensemble import FoldEnsemble, MultilabelVotingClassifier, SeedEnsemble
from skbird.nn import (
    BackgroundNoise,
    BCEFocalLoss,
    BinaryCrossEntropy,
    CNNClassifier,
    CoarseFirst,
    Curriculum,
    CutMix,
    FocalLoss,
    FrequencyMask,
    FrequencyResponse,
    Gain,
    HardNegativeMining,
    HeadFirst,
    Mixup,
    PseudoLabelMix,
    RandomErasing,
    SEDClassifier,
    SoftmaxCrossEntropy,
    SpectrogramAugmentor,
    TimeMask,
    TimeShift,
    ValidationSplit,
    WarmupCosine,
    WeightAverage,
)
from skbird.nn._heads import CNN, SED
from skbird.postprocessing import (
    ConformalClassifier,
    MultilabelCalibrator,
    PlaceSeasonPrior,
    SoundscapeReweighter,
    SoundscapeReweighterCV,
    ThresholdTuner,
)
from skbird.preprocessing import (
    BandPass,
    LogMel,
    Resampler,
    RMSFilter,
    Segmenter,
    VADFilter,
)
from skbird.semi_supervised import PseudoLabelSelfTraining

#: Parameters that change nothing that can be told from outside, and why that is right.
NO_DIFFERENCE = {
    "n_jobs": "threads or processes: the result must not depend on them",
    "device": "hardware: the same network, elsewhere",
    **dict.fromkeys(
        ["EmbeddingEncoder.verbose", "LogMel.verbose", "PretrainedScores.verbose"],
        "a bar that only a pass of more than a second shows",
    ),
}
_ACTIVE = "no estimator, and has no fit; test_active"
#: Classes whose parameters are not a user's choice, or are tested elsewhere.
NO_CHOICE = {
    "ActiveLearner": _ACTIVE,
    "ClusterQuery": _ACTIVE,
    "DistillationLoss": "test_distillation",
    "EmbeddingDistillation": "test_distillation",
    "CoreSetQuery": _ACTIVE,
    "CosineLoss": "has none; test_distillation",
    "Query": _ACTIVE,
    "RandomQuery": _ACTIVE,
    "RareSpeciesQuery": _ACTIVE,
    "TypiClustQuery": _ACTIVE,
    "UncertaintyQuery": _ACTIVE,
    "CompiledNetwork": "compile_pipeline fills in what the network was; test_compile",
    "CompiledPipeline": "compile_pipeline makes it; test_compile",
    "SegmentAugmentation": "a base class",
    "ThresholdFromReviews": "learns from reviews, not from rows; test_review",
}


class Table(ClassifierMixin, BaseEstimator):
    """A classifier of the columns a, b and c that draws and can go on."""

    def __init__(self, C=1.0, random_state=0, warm_start=False):
        self.C = C
        self.random_state = random_state
        self.warm_start = warm_start

    def fit(self, X, y):
        numbers = X[["a", "b", "c"]].to_numpy()
        draws = np.random.default_rng(self.random_state).random(len(X))
        self.n_fits_ = 1 + (getattr(self, "n_fits_", 0) if self.warm_start else 0)
        columns = np.column_stack([numbers + 0.1 * draws[:, None], np.ones(len(X))])
        penalty = np.eye(4) / (self.C * self.n_fits_)
        logits = 4 * np.nan_to_num(y, nan=1) - 2
        self.coef_ = np.linalg.solve(columns.T @ columns + penalty, columns.T @ logits)
        self.classes_ = np.tile([0, 1], (np.shape(y)[1], 1))
        return self

    def predict_proba(self, X):
        return expit(X[["a", "b", "c"]].to_numpy() @ self.coef_[:3] + self.coef_[3])

    def predict(self, X):
        return (self.predict_proba(X) >= 0.5).astype(int)


def table_rows():
    rng = np.random.default_rng(0)
    lives_here = np.repeat(rng.random((30, 3)) < [0.5, 0.5, 0.2], 3, axis=0)
    Y = (lives_here & (rng.random((90, 3)) < 0.7)).astype(int)
    X = pd.DataFrame(Y + rng.normal(0, 1, Y.shape), columns=list("abc"))
    X["path"] = [f"{number // 3}.wav" for number in range(90)]
    X["start"] = 5.0 * (np.arange(90) % 3)
    X["type"] = np.where(np.arange(90) % 2, "song", "call")
    X["age"] = np.where(np.arange(90) % 5, "adult", "juvenile")
    return X, pd.DataFrame(Y, columns=["wren", "dove", "owl"])


def prior_table(priors):
    """Return priors of two species."""
    return pd.DataFrame({"species": ["wren", "dove"], "prior": priors})


def see_model(model, folder):
    """Fit a model around a classifier of tables."""
    X, Y = table_rows()
    if isinstance(model, PseudoLabelSelfTraining):
        Y[30:] = -1
    if isinstance(model, CallTypeClassifier):
        Y = Y.iloc[:, :2]
        X, Y = X[(Y.sum(axis=1) == 1)], Y[(Y.sum(axis=1) == 1)]
    model.fit(X, Y)
    learnt = [getattr(model, name, None) for name in ("n_iter_", "thresholds_")]
    return model.predict_proba(X), model.predict(X), learnt


def see_front_end(step, folder):
    """Make spectrograms of loud and quiet sound, of a short stereo file and of none."""
    import soundfile

    rng = np.random.default_rng(0)
    paths = [folder / f"{name}.wav" for name in ("long", "short", "missing")]
    if not paths[0].exists():
        level = np.repeat([0.1, 0.02, 0.3, 0.05, 0.2], RATE)
        loud = level * rng.standard_normal(5 * RATE) + 0.2
        soundfile.write(paths[0], loud, RATE, subtype="FLOAT")
        both = np.column_stack([tone(1000, 0.7), tone(2000, 0.7)])
        soundfile.write(paths[1], both, RATE, subtype="FLOAT")
    rest = [Segmenter(1.0), LogMel(16, on_error="skip", n_jobs=1)]
    kept = [s for s in rest if type(s) is not type(step)]
    steps = sorted([step, *kept], key=lambda s: isinstance(s, LogMel))
    rows = pd.DataFrame({"path": [str(path) for path in paths], "collection": "XC"})
    pipe = make_pipeline(*steps)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "1 of 3 rows cannot be used")
        train = pipe.fit_transform(rows)
        predict = pipe.transform(rows)
    return train.to_numpy(), train.segment_weights, predict.segment_predict_weights


def encoder_rows(folder):
    """Return rows of tones, a loud and a quiet half in each, and one without a file."""
    import soundfile

    paths = [folder / f"{name}.wav" for name in ("low", "high", "both", "missing")]
    rng = np.random.default_rng(0)
    for path, tones in zip(paths, ([0], [1], [0, 1]), strict=False):
        sound = sum(tone(TONES[k], 3.3, ENCODER_RATE, 0.04) for k in tones)
        sound *= np.linspace(0.2, 1, len(sound))
        soundfile.write(path, sound + rng.normal(0, 0.01, len(sound)), ENCODER_RATE)
    Y = pd.DataFrame([[1, 0], [0, 1], [1, 1], [0, 0]], columns=["Bufo bufo", "wren"])
    return pd.DataFrame({"path": [str(path) for path in paths]}), Y


def see_encoder(step, folder):
    """Compute what a pretrained model says of rows."""
    X, Y = encoder_rows(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if hasattr(step, "predict"):
            step.fit(X, Y)
            return step.predict_proba(X), step.predict(X)
        found = step.fit_transform(X)
    if isinstance(found, Windows):
        return [found.table(row) for row in range(len(found))]
    return found, " ".join(step.get_feature_names_out())


def other_encoder(folder):
    return str(write_encoder(folder, "others", tones=(700.0, 1200.0, 3000.0)))


def window_rows():
    rng = np.random.default_rng(0)
    Y = (rng.random((40, 3)) < [0.5, 0.3, 0.15]).astype(float)
    arrays = [rng.normal(0, 1, (6, 8)) for _ in Y]
    for array, labels in zip(arrays, Y, strict=True):
        array[0, :3] += 3 * labels
    return Windows.from_arrays(arrays), Y


def see_probe(probe, folder):
    """Fit a probe on windows."""
    X, Y = window_rows()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few steps are said
        probe.fit(X, Y)
    return probe.predict_proba(X), probe.predict(X)


def spectrogram_rows():
    rng = np.random.default_rng(0)
    n = 12
    grid = SegmentGrid(63 * 0.016, 0.5)
    format = SpectrogramFormat(tuple(range(100, 3300, 100)), 0.016, grid, None, None)
    table = pd.DataFrame({"path": [f"{row}.wav" for row in range(n)]})
    table["author"] = [f"person {row // 2}" for row in range(n)]
    table["group"] = np.where(np.arange(n) % 2, "Amphibia", "Insecta")
    table["rating"], table["age"] = rng.random(n), rng.random(n)
    table["pseudo"], table["other"] = np.arange(n) < 4, np.arange(n) >= 8
    frames = rng.normal(-50, 10, (n, 96, 32)).astype(np.float16)
    Y = pd.DataFrame(np.tile([[1, 0, 0.5], [0, 1, 0.0]], (n // 2, 1)), columns=[*"abc"])
    return Spectrograms(table, list(frames), [96] * n, format), Y


def see_net(net, folder):
    """Fit a network."""
    X, Y = spectrogram_rows()
    net.fit(X, Y)
    lengths = [len(epoch["batches"]) for epoch in net.history]
    return net.predict_proba(X), net.predict(X), lengths


def see_callback(callback, folder):
    """Fit a network with one callback more."""
    net = CNNClassifier(module=TinyCNN, **NET, callbacks=[("it", callback)])
    return see_net(net.set_params(max_epochs=3, lr=0.01), folder)


def see_loss(loss, folder):
    """Compute a loss of known, unknown and weighted labels."""
    rng = torch.Generator().manual_seed(0)
    logits, weight = torch.randn(8, 3, generator=rng), torch.rand(8, 3, generator=rng)
    target = torch.rand(8, 3, generator=rng).masked_fill(weight > 0.8, torch.nan)
    return loss(logits, target, weight).item()


class Doubled(CNN):
    def forward(self, x):
        return 2 * super().forward(x)


class DoubledSED(SED):
    def forward(self, x):
        return 2 * super().forward(x)


def saved_weights(folder):
    import timm

    path = folder / "weights.pt"
    torch.manual_seed(7)
    model = timm.create_model(SMALL, in_chans=1, num_classes=0)
    torch.save(model.state_dict(), path)
    return path


SMALL = "test_efficientnet"
NET = {
    "backbone_weights": None,
    "max_epochs": 1,
    "batch_size": 4,
    "random_state": 0,
    "verbose": 0,
    "device": "cpu",
}
NET_CHANGES = {
    "backbone": "lcnet_035",
    "backbone_weights": saved_weights,
    "drop_rate": 0.8,
    "feature_pooling": "gem",
    "pooling": "mean",
    "tta_shifts_s": (0.1,),
    "threshold": 0.4,
    "segments_per_row": 2,
    "max_epochs": 2,
    "lr": 0.1,
    "batch_size": 6,
    "weight_decay": 10.0,
    "backbone_lr_factor": 0.0,
    "precision": "bfloat16",
    "checkpoint_dir": lambda folder: folder / "checkpoints",
    "random_state": 1,
    "verbose": 1,
}
MIX = {"domain": "log-mel", "equalize": False, "p": 0.5}
FILES = GroupKFold(3, shuffle=True, random_state=1)


def folds():
    groups = table_rows()[0]["path"]
    return list(FILES.split(groups, groups=groups))


_FOLDER = tempfile.TemporaryDirectory()
TOADS = str(write_encoder(Path(_FOLDER.name)))
load_encoder(TOADS)  # says the license, once

#: (how to look, the estimator, what to change one by one). A function is called with an
#: empty folder. Where one parameter only counts with another, as its docstring says,
#: the estimator has that.
CASES = [
    (see_front_end, Resampler(), {"sample_rate": 8000, "channels": 1}),
    (see_front_end, BandPass(500, 4000), {"low_hz": 0, "high_hz": None, "order": 2}),
    (
        see_front_end,
        Segmenter(1.0),
        {"segment_s": 2.0, "overlap": 0.0, "pad": "zero"},
    ),
    (
        see_front_end,
        RMSFilter(),
        {"quantile": 0.1, "scope": "train", "mode": "drop", "use_at_predict": True},
    ),
    (
        see_front_end,
        RMSFilter(scope="train", random_state=1),
        {
            "quantile": 0.9,
            "max_rows": 1,
            "cache_dir": lambda folder: folder / "cache",
        },
    ),
    (
        see_front_end,
        RMSFilter(scope="train", max_rows=1, random_state=1),
        {"random_state": 3},
    ),
    (
        see_front_end,
        VADFilter(0.3, mode="drop"),
        {
            "threshold": {"XC": 0.6},
            "max_speech": 0.9,
            "mode": "weight",
            "use_at_predict": True,
        },
    ),
    (
        see_front_end,
        LogMel(16, on_error="skip", n_jobs=1),
        {
            "n_mels": 8,
            "n_fft": 512,
            "hop_length": 256,
            "low_hz": 500.0,
            "high_hz": 4000.0,
            "mel_scale": "htk",
            "normalize": None,
            "top_db": 20.0,
            "cache_dir": lambda folder: folder / "cache",
            "on_error": "raise",
        },
    ),
    (
        see_encoder,
        EmbeddingEncoder(TOADS, on_error="skip", verbose=0),
        {
            "encoder": other_encoder,
            "output": "windows",
            "pooling": "max",
            "step_s": 0.5,
            "cache_dir": lambda folder: folder / "cache",
            "on_error": "raise",
        },
    ),
    (
        see_encoder,
        PretrainedScores(TOADS, on_error="skip", verbose=0),
        {
            "encoder": other_encoder,
            "names": {"wren": "Rana arvalis"},
            "unmatched": "nan",
            "pooling": "mean",
            "step_s": 0.35,
            "cache_dir": lambda folder: folder / "cache",
            "on_error": "raise",
            "threshold": 0.95,
        },
    ),
    (
        see_probe,
        ProbeClassifier(),
        {"C": 10.0, "class_weight": "balanced", "max_iter": 2, "threshold": 0.7},
    ),
    (
        see_probe,
        AttentionProbe(),
        {
            "C": 10.0,
            "pooling": "attention",
            "sharpness": 3.0,
            "class_weight": "balanced",
            "max_iter": 2,
            "threshold": 0.7,
        },
    ),
    (see_net, CNNClassifier(SMALL, **NET), {**NET_CHANGES, "module": Doubled}),
    (
        see_net,
        SEDClassifier(SMALL, "time", **NET),
        {
            **NET_CHANGES,
            "module": DoubledSED,
            "attention": "frequency",
            "step_pooling": "max",
            "frame_scores": True,
        },
    ),
    # Paths are dropped where there are residual connections.
    (see_net, CNNClassifier("test_resnet", **NET), {"drop_path_rate": 0.5}),
    (see_net, SEDClassifier("test_resnet", **NET), {"drop_path_rate": 0.5}),
    (see_callback, BackgroundNoise(), {"p": 0.1, "min_snr_db": -9, "max_snr_db": 4}),
    (
        see_callback,
        BackgroundNoise(),
        {"background": lambda folder: spectrogram_rows()[0]},
    ),
    (
        see_callback,
        Curriculum(),
        {"start": 0.6, "full": 1.0, "pacing_power": 3.0, "by": "age", "easy": "low"},
    ),
    (see_callback, CutMix(), {"alpha": 0.2, "p": 1.0, "shape": "rectangle"}),
    (see_callback, FrequencyMask(), {"max_share": 0.8, "p": 1.0, "n_masks": 3}),
    (see_callback, FrequencyResponse(), {"max_db": 1.0, "n_points": 9, "p": 1.0}),
    (see_callback, Gain(), {"max_db": 1.0, "p": 1.0}),
    (see_callback, HardNegativeMining(), {"boost": 9.0, "threshold": 0.9}),
    (see_callback, Mixup(), {"alpha": 5.0, "p": 0.2, "domain": "power"}),
    (see_callback, Mixup(domain="power"), {"equalize": False, "labels": "union"}),
    (see_callback, PseudoLabelMix(), {**MIX, "labeled_share": 0.8, "labels": "mix"}),
    (see_callback, PseudoLabelMix(), {"column": "other"}),
    (see_callback, RandomErasing(), {"max_area": 0.9, "p": 1.0}),
    (
        see_callback,
        SpectrogramAugmentor(),
        {
            "by_group": {None: [Gain()]},
            "species_groups": dict.fromkeys("abc", "x"),
            "p": 0.1,
        },
    ),
    (see_callback, TimeMask(), {"max_share": 0.8, "p": 1.0, "n_masks": 3}),
    (see_callback, TimeShift(0.2), {"max_s": 0.05, "mode": "crop", "p": 0.2}),
    (
        see_callback,
        ValidationSplit(0.5, keep="soup"),
        {"fraction": 0.7, "groups": "author", "keep": "last", "n_soup": 1},
    ),
    (see_callback, ValidationSplit(0.5), {"patience": 1}),
    (see_callback, CoarseFirst(0.0), {"coarse_share": 0.5}),
    (see_callback, HeadFirst(), {"head_share": 0.5}),
    (see_callback, WarmupCosine(), {"warmup": 0.5, "final": 0.9, "cycles": 2}),
    (see_callback, WeightAverage(0.5), {"decay": 0.0}),
    (see_loss, BinaryCrossEntropy(), {"label_smoothing": 0.1}),
    (see_loss, SoftmaxCrossEntropy(), {"label_smoothing": 0.1}),
    (see_loss, FocalLoss(), {"gamma": 1.0, "alpha": 0.3, "label_smoothing": 0.1}),
    (
        see_loss,
        BCEFocalLoss(),
        {
            "bce_weight": 0.5,
            "focal_weight": 0.5,
            "gamma": 1.0,
            "alpha": 0.3,
            "label_smoothing": 0.1,
        },
    ),
    (
        see_model,
        CallTypeClassifier(Table(), min_recordings=2, siblings="absent"),
        {
            "estimator": Table(0.01),
            "column": "age",
            "min_recordings": 500,
            "siblings": "unknown",
            "combine": "noisy_or",
            "threshold": 0.8,
            "ignore": ("song", "call"),
        },
    ),
    (
        see_model,
        FoldEnsemble(Table()),
        {"estimator": Table(0.01), "cv": 2, "threshold": 0.8},
    ),
    (
        see_model,
        SeedEnsemble(Table(), random_state=0),
        {
            "estimator": Table(0.01),
            "n_estimators": 2,
            "random_state": 1,
            "threshold": 0.8,
        },
    ),
    (
        see_model,
        MultilabelVotingClassifier([("a", Table()), ("b", Table(0.01))], weights="fit"),
        {
            "estimators": [("a", Table())],
            "weights": [1, 3],
            "voting": "geometric",
            "per_species": True,
            "threshold": 0.8,
            "cv": folds(),
        },
    ),
    (
        see_model,
        ConformalClassifier(Table()),
        {"estimator": Table(0.01), "alpha": 0.3, "threshold": 0.8, "cv": folds()},
    ),
    (
        see_model,
        MultilabelCalibrator(Table()),
        {
            "estimator": Table(0.01),
            "method": "isotonic",
            "shrinkage": 50.0,
            "threshold": 0.8,
            "cv": folds(),
        },
    ),
    (
        see_model,
        PlaceSeasonPrior(Table(), prior_table([0.2, 1e-3])),
        {
            "estimator": Table(0.01),
            "prior": prior_table([0.3, 1e-3]),
            "strength": 2.0,
            "reference": "fit",
            "min_prior": 0.1,
            "names": {"owl": "wren"},
            "threshold": 0.8,
        },
    ),
    (
        see_model,
        PlaceSeasonPrior(Table(), "learned", by=["type"]),
        {"by": ["age"], "shrinkage": 0.0},
    ),
    (
        see_model,
        SoundscapeReweighter(Table()),
        {
            "estimator": Table(0.01),
            "top_rows": 1,
            "level_power": 0.5,
            "level_share": 0.2,
            "kernel": (1, 2, 1),
        },
    ),
    (
        see_model,
        SoundscapeReweighterCV(Table()),
        {"estimator": Table(0.01), "param_grid": {"level_power": [3.0]}},
    ),
    (
        see_model,
        SoundscapeReweighterCV(Table(), per_species=True),
        {"per_species": False, "shrinkage": 0.0},
    ),
    (
        see_model,
        ThresholdTuner(Table()),
        {
            "estimator": Table(0.01),
            "objective": "prevalence",
            "beta": 3.0,
            "min_positives": 50,
            "cv": folds(),
        },
    ),
    (
        see_model,
        ThresholdTuner(Table(), objective="precision"),
        {"min_precision": 0.5},
    ),
    (
        see_model,
        PseudoLabelSelfTraining(
            Table(), soft_threshold=0.5, hard_threshold=0.5, max_iter=3, verbose=0
        ),
        {
            "estimator": Table(0.01),
            "proba_power": 2.0,
            "max_iter": 1,
            "tol": 0.5,
            "max_per_species": 2,
            "max_mass": 0.3,
            "student_params": {"C": 0.01},
            "teacher": Table(0.001).fit(*table_rows()),
            "cv": 3,
            "warm_start": True,
            "verbose": 1,
        },
    ),
]
#: Seen by tests of their own, since they need a network in a pipeline.
ELSEWHERE = {
    "PretrainedScores.species": "test_species_of_scores_count_where_there_is_no_y",
    "PseudoLabelSelfTraining.mix": "test_pseudo_mix",
    "PseudoLabelSelfTraining.soft_threshold": "test_self_training",
    "PseudoLabelSelfTraining.hard_threshold": "test_self_training",
    "PlaceSeasonPrior.latitude": "test_place_season",
    "PlaceSeasonPrior.longitude": "test_place_season",
    "PlaceSeasonPrior.date": "test_place_season",
    "PlaceSeasonPrior.scoring": "test_place_season",
    "PlaceSeasonPrior.cv": "test_place_season",
    "SoundscapeReweighterCV.scoring": "test_reweighter",
    "SoundscapeReweighterCV.cv": "test_reweighter",
}


def public_classes():
    """Return what has parameters: estimators, callbacks and losses."""
    found = {}
    for module in pkgutil.iter_modules(skbird.__path__):
        room = importlib.import_module(f"skbird.{module.name}")
        for name in getattr(room, "__all__", ()):
            value = getattr(room, name)
            kinds = BaseEstimator, Callback, torch.nn.Module
            if inspect.isclass(value) and issubclass(value, kinds):
                found[name] = value
    return found


def see(look, estimator, folder):
    """Return all that can be told of an estimator from outside, as one hash."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            seen = look(estimator, folder)
        except AudioReadError as exc:  # what on_error="raise" means
            seen = type(exc).__name__
    written = sorted(path.suffix for path in Path(folder).rglob("*") if path.is_file())
    return joblib.hash((seen, bool(printed.getvalue()), written))


def rebuilt(estimator, /, **changes):
    if isinstance(estimator, BaseEstimator):
        return clone(estimator).set_params(**changes)
    names = vars(estimator).keys() & inspect.signature(type(estimator)).parameters
    params = {name: getattr(estimator, name) for name in names}
    return type(estimator)(**params | changes)


def test_each_parameter_is_looked_at_or_excepted():
    changed = set(ELSEWHERE)
    for _, estimator, changes in CASES:
        changed |= {f"{type(estimator).__name__}.{name}" for name in changes}
    public = {
        f"{name}.{parameter}"
        for name, value in public_classes().items()
        if name not in NO_CHOICE
        for parameter in inspect.signature(value).parameters
        if parameter != "kwargs"
    }
    excepted = {p for p in public if {p, p.partition(".")[2]} & set(NO_DIFFERENCE)}
    assert public - excepted == changed


@pytest.fixture(autouse=True)
def speech_that_comes_and_goes(monkeypatch):
    monkeypatch.setattr(
        "skbird.preprocessing._vad.speech_probability",
        lambda samples, rate: np.linspace(0, 1, int(len(samples) / rate * 31.25) + 1),
    )


@pytest.fixture(scope="module")
def as_it_is(tmp_path_factory):
    """Return a function that tells what a case is without a change; looked at once."""
    seen = {}

    def look_once(number):
        if number not in seen:
            look, estimator, _ = CASES[number]
            folder = tmp_path_factory.mktemp("as_it_is")
            seen[number] = see(look, rebuilt(estimator), folder)
        return seen[number]

    return look_once


def name_of(number):
    return f"{type(CASES[number][1]).__name__}{number}"


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(CASES)), ids=name_of)
def test_each_case_repeats(number, as_it_is, tmp_path):
    look, estimator, _ = CASES[number]
    assert see(look, rebuilt(estimator), tmp_path) == as_it_is(number)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "name"),
    [
        pytest.param(number, name, id=f"{name_of(number)}-{name}")
        for number, (_, _, changes) in enumerate(CASES)
        for name in changes
    ],
)
def test_each_parameter_does_something(
    number, name, as_it_is, tmp_path, tmp_path_factory
):
    look, estimator, changes = CASES[number]
    value = changes[name]
    if inspect.isfunction(value):
        # Files that are only read are none that the estimator writes.
        given = name in ("backbone_weights", "background")
        value = value(tmp_path_factory.mktemp("given") if given else tmp_path)
    changed = rebuilt(estimator, **{name: value})
    assert see(look, changed, tmp_path) != as_it_is(number)


def test_species_of_scores_count_where_there_is_no_y():
    one = PretrainedScores(TOADS, species=["Rana arvalis"], verbose=0).fit()
    assert one.species_.tolist() == ["Rana arvalis"]
    assert len(PretrainedScores(TOADS, verbose=0).fit().species_) == 3
