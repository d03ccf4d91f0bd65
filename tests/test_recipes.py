"""Whole pipelines by name."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_val_score

from skbird import recipes
from skbird.cli._settings import read_settings
from skbird.data import recording_weights
from skbird.datasets import make_birdclef
from skbird.metrics import macro_roc_auc_scorer
from skbird.nn import BCEFocalLoss, SoftAUCLoss, SpectrogramAugmentor
from skbird.semi_supervised import PseudoLabelSelfTraining

# What the report on BirdCLEF 2025 says, and the parameter that says it.
REPORT = {
    "resampler__sample_rate": 32_000,
    "bandpass__low_hz": 50.0,
    "bandpass__high_hz": 16_000.0,
    "segmenter__segment_s": 5.0,
    "segmenter__overlap": 0.5,
    "segmenter__pad": "cycle",
    "vadfilter__threshold": {"CSA": 0.3, "XC": 0.7, "default": 0.5},
    "vadfilter__mode": "drop",
    "vadfilter__use_at_predict": False,
    "rmsfilter__quantile": 0.25,
    "rmsfilter__mode": "drop",
    "rmsfilter__scope": "row",
    "logmel__n_mels": 128,
    "logmel__n_fft": 1024,
    "logmel__hop_length": 512,
    "logmel__normalize": "minmax",
    "sedclassifier__backbone": "efficientnet_b0",
    "sedclassifier__attention": "frequency",
    "sedclassifier__step_pooling": "max",
    "sedclassifier__criterion": BCEFocalLoss,
    "sedclassifier__criterion__gamma": 2.0,
    "sedclassifier__callbacks__mixup__alpha": 0.4,
    "sedclassifier__callbacks__shift__p": 0.0,
    "sedclassifier__callbacks__time_mask__p": 0.0,
    "sedclassifier__callbacks__frequency_mask__p": 0.0,
    "sedclassifier__callbacks__erasing__p": 0.0,
    "sedclassifier__callbacks__augment__species_groups": "group",
    "sedclassifier__callbacks__augment__by_group": None,
    "sedclassifier__callbacks__augment__p": 1.0,
    "sedclassifier__precision": "auto",
}
SMALL = {"max_epochs": 1, "verbose": 0, "batch_size": 4}


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    root = tmp_path_factory.mktemp("birds")
    counts = {"n_species": 4, "n_recordings": 16, "n_test": 1, "n_labeled": 0}
    return make_birdclef(
        root / "set", **counts, n_unlabeled=0, soundscape_s=10, n_jobs=1
    )


@pytest.mark.parametrize("name", REPORT)
def test_the_report_is_followed(name):
    assert recipes.report(backbone_weights=None).get_params()[name] == REPORT[name]


def test_masks_follow_the_groups_of_the_report():
    augment = recipes.report(backbone_weights=None).get_params()[
        "sedclassifier__callbacks__augment"
    ]
    assert isinstance(augment, SpectrogramAugmentor)
    groups = recipes.report(backbone_weights=None, species_groups={"frog": "Amphibia"})
    name = "sedclassifier__callbacks__augment__species_groups"
    assert groups.get_params()[name] == {"frog": "Amphibia"}
    alike = recipes.report(backbone_weights=None, species_groups=None).get_params()
    assert alike["sedclassifier__callbacks__augment__p"] == 0
    assert alike["sedclassifier__callbacks__time_mask__p"] == 0.5


@pytest.mark.parametrize("name", ["default", "report", "fast"])
def test_recipes_are_cross_validated(name, birds):
    pipe = getattr(recipes, name)("lcnet_035", backbone_weights=None, random_state=0)
    net = list(pipe.named_steps)[-1]
    pipe.set_params(
        logmel__n_mels=16,
        logmel__hop_length=2048,
        logmel__n_fft=4096,
        logmel__verbose=False,
        **{f"{net}__{key}": value for key, value in SMALL.items()},
    )
    if name == "report":  # Silero hears no voices in synthetic sound, and takes long
        pipe.set_params(vadfilter="passthrough")
    params = {f"{net}__label_weight": birds.label_weight}
    if name == "report":
        weights = recording_weights(birds.X, birds.Y)
        params[f"{net}__sample_weight"] = weights
    scores = cross_val_score(
        clone(pipe),
        birds.X,
        birds.Y,
        groups=birds.X["author"],
        cv=GroupKFold(2),
        scoring=macro_roc_auc_scorer,
        params=params,
        error_score="raise",
    )
    assert scores.shape == (2,)
    assert ((scores >= 0) & (scores <= 1)).all()


def test_the_competition_learns_from_soundscapes(birds):
    model = recipes.competition("lcnet_035", backbone_weights=None, random_state=0)
    students = model.estimator
    assert isinstance(students, PseudoLabelSelfTraining)
    pipe = students.estimator
    assert pipe[-1].get_params()["criterion"] is SoftAUCLoss
    assert pipe[-1].frame_scores
    pipe.set_params(
        logmel__n_mels=16,
        logmel__hop_length=2048,
        logmel__n_fft=4096,
        logmel__verbose=False,
        **{f"sedclassifier__{key}": value for key, value in SMALL.items()},
    )
    model.set_params(estimator__verbose=0, estimator__max_iter=1)
    rows = birds.test.iloc[:2]
    Y = birds.Y.iloc[:8]
    unlabelled = np.full((2, Y.shape[1]), -1.0)
    X = birds.X.iloc[:8]
    both = pd.concat([X, rows], ignore_index=True)
    both_Y = pd.concat([Y, pd.DataFrame(unlabelled, columns=Y.columns)])
    proba = model.fit(both, both_Y.reset_index(drop=True)).predict_proba(rows)
    assert proba.shape == (2, 4)
    assert np.isfinite(proba).all()


def test_the_command_line_trains_recipes_by_name(tmp_path):
    flags = {"recipe": "report", "backbone_weights": "none"}
    pipe = read_settings(None, flags, []).make_pipeline(9, tmp_path, ["group"])
    # What flags say of every recipe; half the rate is nothing for a filter to do.
    own = {"bandpass__high_hz", "sedclassifier__callbacks__augment"}
    for name in REPORT.keys() - own:
        assert pipe.get_params()[name] == REPORT[name], name
    without = read_settings(None, flags, []).make_pipeline(9, tmp_path)
    assert without.get_params()["sedclassifier__callbacks__augment__p"] == 0
    flags |= {"n_mels": 32, "lr": 0.5, "backbone": "lcnet_035"}
    said = ["vadfilter=passthrough", "rmsfilter__quantile=0.5"]
    pipe = read_settings(None, flags, said).make_pipeline(9, tmp_path)
    assert pipe["logmel"].n_mels == 32
    assert (pipe[-1].lr, pipe[-1].backbone) == (0.5, "lcnet_035")
    assert pipe["vadfilter"] == "passthrough"
    assert pipe["rmsfilter"].quantile == 0.5
    fast = read_settings(None, {"recipe": "fast", "backbone_weights": "none"}, [])
    assert fast.make_pipeline(9, tmp_path)[-1].backbone == "mobilenetv3_small_050"
