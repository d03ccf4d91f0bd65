"""Whole pipelines by name."""

from inspect import signature
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GroupKFold, cross_val_score
from torch.optim import SGD, AdamW

from skbird import recipes
from skbird.cli._app import app
from skbird.cli._read_settings import read_settings
from skbird.cli._settings import DEFAULTS
from skbird.data import encode_labels, recording_weights
from skbird.datasets import load_birdclef, make_birdclef
from skbird.ensemble import MultilabelVotingClassifier
from skbird.metrics import macro_roc_auc_scorer
from skbird.nn import BCEFocalLoss, SoftAUCLoss, SpectrogramAugmentor
from skbird.postprocessing import SoundscapeReweighter
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
    "sedclassifier__optimizer": AdamW,
    "sedclassifier__callbacks__schedule__warmup": 0.1,
    "sedclassifier__callbacks__schedule__cycles": 1,
    "sedclassifier__callbacks__mixup__alpha": 0.4,
    "sedclassifier__callbacks__mixup__p": 1.0,
    "sedclassifier__callbacks__mixup__labels": "mix",
    "sedclassifier__callbacks__cutmix__p": 0.0,
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
def birds(brief_recordings, tmp_path_factory):
    root = tmp_path_factory.mktemp("birds")
    counts = {"n_species": 4, "n_recordings": 16, "n_test": 1, "n_labeled": 0}
    return make_birdclef(
        root / "set", **counts, n_unlabeled=0, soundscape_s=10, n_jobs=1
    )


class Known(ClassifierMixin, BaseEstimator):
    """Predicts what it was given."""

    def __init__(self, proba):
        self.proba = proba

    def fit(self, X, y):
        self.classes_ = [np.arange(2)] * y.shape[1]
        return self

    def predict_proba(self, X):
        return self.proba[: len(X)]


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


def test_secondary_labels_count_half_as_in_the_report():
    for function in (encode_labels, load_birdclef):
        assert signature(function).parameters["secondary_weight"].default == 0.5
    assert DEFAULTS.secondary_weight == 0.5


def test_what_the_report_puts_around_a_pipeline_are_defaults():
    students = PseudoLabelSelfTraining(DummyClassifier())
    assert (students.hard_threshold, students.soft_threshold) == (0.25, 0.05)
    assert MultilabelVotingClassifier([]).voting == "mean"
    proba = np.random.default_rng(0).random((12, 3))
    X = pd.DataFrame({"path": "a.ogg", "start": np.arange(12) * 5.0})
    reweighter = SoundscapeReweighter(Known(proba)).fit(X, proba > 0.5)
    expected = proba * proba.mean(axis=0)
    np.testing.assert_allclose(reweighter.predict_proba(X), expected, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["default", "report", "fast"])
def test_recipes_are_cross_validated(name, birds):
    pipe = getattr(recipes, name)(
        "test_efficientnet", backbone_weights=None, random_state=0
    )
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


@pytest.mark.slow
def test_the_competition_learns_from_soundscapes(birds):
    model = recipes.competition(
        "test_efficientnet", backbone_weights=None, random_state=0
    )
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


def cross_validate(root, out, *arguments):
    tiny = (
        "--backbone test_efficientnet --backbone-weights none --epochs 1 "
        "--batch-size 4 --n-mels 16 --segments-per-row 1 --set logmel__hop_length=2048 "
        "--set logmel__n_fft=4096 --set logmel__verbose=0 "
        "--set sedclassifier__verbose=0"
    ).split()
    command = ["cross-validate", str(root), "--out", str(out), *tiny, *arguments]
    return CliRunner().invoke(app, command, prog_name="skbird")


@pytest.mark.slow
def test_the_command_line_cross_validates_the_report(birds, tmp_path):
    root = Path(birds.X["path"][0]).parents[2]
    out = tmp_path / "folds.csv"
    # Silero hears no voices in synthetic sound, and takes long.
    options = "--recipe report --folds 2 --set vadfilter=passthrough".split()
    result = cross_validate(root, out, *options)
    assert result.exit_code == 0, result.output
    assert "2 folds, 16 rows in all, in " in result.stderr
    assert "Macro ROC-AUC 0." in result.stdout
    assert "over 16 recordings" in result.stdout
    table = pd.read_csv(out)
    assert list(table.columns[:3]) == ["fold", "species", "n_train_positive"]
    assert len(table) == 2 * 4
    assert table["roc_auc"].between(0, 1).any()


def test_the_command_line_trains_recipes_by_name(tmp_path):
    flags = {"recipe": "report", "backbone_weights": "none"}
    columns = ["collection", "group"]
    pipe = read_settings(None, flags, []).make_pipeline(9, tmp_path, columns)
    # What flags say of every recipe; half the rate is nothing for a filter to do.
    own = {"bandpass__high_hz", "sedclassifier__callbacks__augment"}
    for name in REPORT.keys() - own:
        assert pipe.get_params()[name] == REPORT[name], name
    without = read_settings(None, flags, []).make_pipeline(9, tmp_path)
    assert without.get_params()["sedclassifier__callbacks__augment__p"] == 0
    assert without["vadfilter"].threshold == 0.5
    flags |= {"n_mels": 32, "lr": 0.5, "backbone": "test_efficientnet"}
    said = ["vadfilter=passthrough", "rmsfilter__quantile=0.5"]
    pipe = read_settings(None, flags, said).make_pipeline(9, tmp_path)
    assert pipe["logmel"].n_mels == 32
    assert (pipe[-1].lr, pipe[-1].backbone) == (0.5, "test_efficientnet")
    assert pipe["vadfilter"] == "passthrough"
    assert pipe["rmsfilter"].quantile == 0.5
    fast = read_settings(None, {"recipe": "fast", "backbone_weights": "none"}, [])
    assert fast.make_pipeline(9, tmp_path)[-1].backbone == "mobilenetv3_small_050"


def test_more_folds_than_groups_are_refused_in_words_of_the_command(birds, tmp_path):
    root = Path(birds.X["path"][0]).parents[2]
    result = cross_validate(root, tmp_path / "folds.csv", "--folds", "100")
    assert result.exit_code == 1
    assert "Error: --folds 100 exceeds the" in result.stderr


def steps_of(tmp_path, recipe, *assignments):
    flags = {"recipe": recipe, "backbone_weights": "none"}
    return read_settings(None, flags, assignments).make_pipeline(9, tmp_path)


def test_filters_that_a_recipe_leaves_out_are_put_in_their_places(tmp_path):
    front, back = ["resampler", "bandpass", "segmenter"], ["logmel", "sedclassifier"]
    both = [*front, "vadfilter", "rmsfilter", *back]
    pipe = steps_of(tmp_path, "default", "vadfilter__threshold=0.3")
    assert list(pipe.named_steps) == both
    assert pipe["vadfilter"].threshold == 0.3
    pipe = steps_of(tmp_path, "fast", "rmsfilter__quantile=0.5", "vadfilter=VADFilter")
    assert list(pipe.named_steps) == both
    assert (pipe["rmsfilter"].quantile, pipe["vadfilter"].threshold) == (0.5, 0.5)
    pipe = steps_of(tmp_path, "fast", "vadfilter={threshold = {CSA = 0.2, XC = 0.8}}")
    assert list(pipe.named_steps) == [*front, "vadfilter", *back]
    assert pipe["vadfilter"].threshold == {"CSA": 0.2, "XC": 0.8}
    pipe = steps_of(tmp_path, "report", "vadfilter=VADFilter", "rmsfilter=passthrough")
    assert list(pipe.named_steps) == both
    assert pipe["vadfilter"].mode == "drop"
    assert pipe["rmsfilter"] == "passthrough"


def test_losses_and_optimizers_go_by_name(tmp_path):
    names = "sedclassifier__criterion=BCEFocalLoss", "sedclassifier__optimizer=SGD"
    params = steps_of(tmp_path, "default", *names).get_params()
    assert params["sedclassifier__criterion"] is BCEFocalLoss
    assert params["sedclassifier__optimizer"] is SGD
    for name in ("Adm", "Optimizer", "3"):
        with pytest.raises(click.UsageError, match=r"no optimizer of torch.optim.*SGD"):
            steps_of(tmp_path, "default", f"sedclassifier__optimizer={name}")


def test_what_the_report_needs_and_there_is_not_is_said():
    settings = read_settings(None, {"recipe": "report"}, [])
    assert settings.assumptions(["collection", "group"]) == []
    speech, masks = settings.assumptions(["path"])
    assert "no column 'collection': speech counts from the same probability" in speech
    assert "no column 'group': the same masks" in masks
    assert DEFAULTS.assumptions(["path"]) == []
