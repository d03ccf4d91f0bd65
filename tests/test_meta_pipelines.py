"""Every meta-estimator around a real pipeline, from files to probabilities."""

import pickle

import numpy as np
import pandas as pd
import pytest
from conftest import RATE
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from tiny_cnn import TinyCNN

from skbird.data import segment_table
from skbird.ensemble import FoldEnsemble, MultilabelVotingClassifier, SeedEnsemble
from skbird.metrics import macro_roc_auc, macro_roc_auc_scorer
from skbird.model_selection import GroupMultilabelKFold
from skbird.nn import CNNClassifier
from skbird.postprocessing import (
    ConformalClassifier,
    MultilabelCalibrator,
    SoundscapeReweighter,
    SoundscapeReweighterCV,
    ThresholdTuner,
)
from skbird.preprocessing import LogMel, Resampler, Segmenter, SpectrogramStatistics
from skbird.semi_supervised import PseudoLabelSelfTraining

FOLDS = GroupMultilabelKFold(2)
METAS = {
    "self-training": lambda pipe: PseudoLabelSelfTraining(
        pipe, hard_threshold=0.05, verbose=0
    ),
    "self-training, mixed": lambda pipe: PseudoLabelSelfTraining(
        pipe, mix=1.0, max_iter=1, verbose=0
    ),
    "voting": lambda pipe: MultilabelVotingClassifier(
        [("pipe", pipe), ("other", clone(pipe))], weights="greedy", cv=2
    ),
    "seeds": lambda pipe: SeedEnsemble(pipe, n_estimators=2, random_state=0),
    "folds": lambda pipe: FoldEnsemble(pipe, cv=FOLDS),
    "reweighter": SoundscapeReweighter,
    "searched reweighter": lambda pipe: SoundscapeReweighterCV(pipe, cv=FOLDS),
    "calibrator": lambda pipe: MultilabelCalibrator(pipe, cv=FOLDS),
    "thresholds": lambda pipe: ThresholdTuner(pipe, cv=FOLDS),
    "conformal": lambda pipe: ConformalClassifier(pipe, cv=FOLDS),
}


@pytest.fixture(scope="module")
def rows(bird_folder):
    """Return (X, Y): every second 1 s; Y has a third species that is never heard."""
    X = segment_table(list(bird_folder["path"]), segment_s=1.0, step_s=2.0)
    species = X["path"].map(bird_folder.set_index("path")["species"])
    Y = pd.get_dummies(species).astype(np.float32).assign(owl=np.float32(0))
    return X, Y


@pytest.fixture(scope="module")
def front_end(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return [
        ("resample", Resampler(RATE)),
        ("segment", Segmenter(1.0)),
        ("logmel", LogMel(n_mels=16, hop_length=1024, cache_dir=cache, verbose=0)),
    ]


@pytest.fixture
def baseline(front_end):
    logistic = OneVsRestClassifier(LogisticRegression())
    return Pipeline(
        [*front_end, ("statistics", SpectrogramStatistics()), ("net", logistic)]
    )


@pytest.fixture
def network(front_end):
    net = CNNClassifier(
        module=TinyCNN,
        backbone_weights=None,
        max_epochs=2,
        random_state=0,
        verbose=0,
    )
    return Pipeline([*front_end, ("net", net)])


def hide(X, Y):
    """Make the rows of every third file unlabelled."""
    hidden = X["path"].isin(X["path"].unique()[::3])
    return Y.mask(hidden, -1.0)


def check_fitted(model, X, Y):
    proba = model.predict_proba(X)
    assert proba.shape == Y.shape
    assert ((proba >= 0) & (proba <= 1)).all()
    assert model.predict(X).shape == Y.shape
    assert list(model.species_) == list(Y.columns)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(loaded.predict_proba(X), proba, atol=1e-6)
    assert not hasattr(clone(model), "classes_")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Label .* is present in all training examples")
@pytest.mark.parametrize("n_species", [1, 2, 3])
@pytest.mark.parametrize("name", sorted(set(METAS) - {"self-training, mixed", "seeds"}))
def test_around_a_baseline(rows, baseline, name, n_species):
    X, Y = rows
    Y = Y.iloc[:, :n_species]
    model = METAS[name](baseline).fit(X, hide(X, Y) if "self" in name else Y)
    check_fitted(model, X, Y)
    assert macro_roc_auc(Y, model.predict_proba(X)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", METAS)
def test_around_a_network(rows, network, name):
    X, Y = rows
    model = METAS[name](network).fit(X, hide(X, Y) if "self" in name else Y)
    check_fitted(model, X, Y)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:No row of y is -1")
@pytest.mark.filterwarnings("ignore:Label .* is present in all training examples")
@pytest.mark.parametrize("name", sorted(set(METAS) - {"self-training, mixed", "seeds"}))
def test_in_a_search_and_a_cross_validation(rows, baseline, name):
    X, Y = rows
    Y = Y.iloc[:, :2]
    model, groups = METAS[name](baseline), X["path"]
    inner = "pipe" if name == "voting" else "estimator"
    search = GridSearchCV(
        model,
        {f"{inner}__net__estimator__C": [0.1, 1.0]},
        cv=FOLDS,
        scoring=macro_roc_auc_scorer,
        error_score="raise",
    ).fit(X, Y, groups=groups)
    assert search.best_score_ == 1
    scores = cross_val_score(model, X, Y, cv=FOLDS, groups=groups, error_score="raise")
    assert scores.tolist() == [1, 1]


@pytest.mark.parametrize(
    "name", sorted(name for name in METAS if name[:4] not in ("seed", "fold", "self"))
)
def test_a_frozen_pipeline_says_which_species_it_has(rows, network, name):
    X, Y = rows
    frozen = FrozenEstimator(network.fit(X, Y))
    for other in (Y.iloc[:, ::-1], Y.iloc[:, :1]):
        with pytest.raises(ValueError, match=r"species|returned shape"):
            METAS[name](frozen).fit(X, other)
