"""The parts together, and inside scikit-learn."""

import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import RATE, livened, tone
from forks import answer_elsewhere
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    LeaveOneGroupOut,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from tiny_cnn import TinyCNN, TinySED

from skbird.audio import AudioReadError
from skbird.data import segment_table
from skbird.metrics import macro_roc_auc_scorer
from skbird.nn import CNNClassifier, SEDClassifier
from skbird.postprocessing import SoundscapeReweighter
from skbird.preprocessing import (
    BandPass,
    LogMel,
    Resampler,
    RMSFilter,
    Segmenter,
    SpectrogramStatistics,
    VADFilter,
)

NET = {
    "backbone_weights": None,
    "max_epochs": 8,
    "lr": 5e-3,
    "batch_size": 8,
    "segments_per_row": 2,
    "random_state": 0,
    "verbose": 0,
}


def make(cache_dir=None, head=None, memory=None):
    net = head or SEDClassifier(module=TinySED, **NET)
    return make_pipeline(
        Resampler(RATE),
        BandPass(200, 7000),
        Segmenter(2.0, overlap=0.5),
        RMSFilter(),
        LogMel(n_mels=32, hop_length=1024, cache_dir=cache_dir, verbose=0),
        net,
        memory=memory,
    )


@pytest.fixture(params=["table", "list"])
def X_and_Y(birds, request):
    X, Y = birds
    return (X if request.param == "table" else list(X["path"])), Y


@pytest.mark.slow
def test_cross_val_score_on_held_out_collections(X_and_Y, birds, tmp_path):
    X, Y = X_and_Y
    scores = cross_val_score(
        make(tmp_path / "cache"),
        X,
        Y,
        groups=birds[0]["collection"],
        cv=LeaveOneGroupOut(),
        scoring=macro_roc_auc_scorer,
        error_score="raise",
    )
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()


def test_cross_val_predict(X_and_Y):
    X, Y = X_and_Y
    pipe = make().set_params(sedclassifier__max_epochs=1)
    proba = cross_val_predict(pipe, X, Y, cv=2, method="predict_proba")
    assert proba.shape == (12, 2)
    assert np.isfinite(proba).all()


@pytest.mark.slow
def test_grid_search_over_preprocessing_and_network(X_and_Y, tmp_path):
    X, Y = X_and_Y
    pipe = make(tmp_path / "cache").set_params(sedclassifier__max_epochs=1)
    grid = {"rmsfilter__quantile": [0.0, 0.5], "sedclassifier__drop_rate": [0.0, 0.5]}
    search = GridSearchCV(
        pipe, grid, cv=2, scoring=macro_roc_auc_scorer, error_score="raise"
    )
    search.fit(X, Y)
    assert len(search.cv_results_["params"]) == 4
    assert search.predict_proba(X).shape == (12, 2)


@pytest.mark.slow
def test_optuna_study(X_and_Y, tmp_path):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    X, Y = X_and_Y

    def objective(trial):
        pipe = make(tmp_path / "cache").set_params(
            bandpass__low_hz=trial.suggest_categorical("low_hz", [100, 300]),
            sedclassifier__lr=trial.suggest_float("lr", 1e-4, 1e-2, log=True),
            sedclassifier__callbacks__mixup__alpha=trial.suggest_float("alpha", 0.1, 1),
            sedclassifier__max_epochs=1,
        )
        scores = cross_val_score(pipe, X, Y, cv=2, scoring=macro_roc_auc_scorer)
        return scores.mean()

    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.optimize(objective, n_trials=5)
    assert len(study.trials) == 5
    assert np.isfinite(study.best_value)


@pytest.mark.slow
def test_clone_and_frozen_estimator(X_and_Y):
    X, Y = X_and_Y
    pipe = make()
    fitted = clone(pipe).fit(X, Y)
    frozen = FrozenEstimator(fitted).fit(X, 1 - Y)
    np.testing.assert_array_equal(frozen.predict_proba(X), fitted.predict_proba(X))
    with_net_frozen = Pipeline(
        [("front", fitted[:-1]), ("net", FrozenEstimator(fitted[-1]))]
    )
    np.testing.assert_array_equal(
        with_net_frozen.fit(X, Y).predict_proba(X), fitted.predict_proba(X)
    )
    assert clone(fitted).get_params()["sedclassifier"].initialized_ is False


@pytest.mark.slow
def test_pipeline_memory(X_and_Y, tmp_path):
    X, Y = X_and_Y
    memory = str(tmp_path / "memory")
    cached = make(memory=memory).fit(X, Y)
    again = make(memory=memory).fit(X, Y)
    plain = make().fit(X, Y)
    for pipe in (cached, again):
        np.testing.assert_allclose(
            pipe.predict_proba(X), plain.predict_proba(X), atol=1e-6
        )


@pytest.mark.slow
def test_predicts_every_row_of_a_soundscape(birds, write_wav):
    X, Y = birds
    path = write_wav("night.wav", np.concatenate([tone(1000, 5), tone(3000, 6)]))
    rows = segment_table([path])
    pipe = make().fit(X, Y)
    assert pipe.predict_proba(rows).shape == (3, 2)
    reweighter = SoundscapeReweighter(FrozenEstimator(pipe)).fit(X, Y)
    proba = pipe.predict_proba(rows)
    np.testing.assert_allclose(
        reweighter.predict_proba(rows), proba * proba.mean(axis=0), rtol=1e-5
    )


@pytest.mark.slow
def test_a_pickled_pipeline_predicts_the_same_in_a_fresh_process(birds, monkeypatch):
    X, Y = birds
    net = SEDClassifier("test_efficientnet", **{**NET, "max_epochs": 1})
    pipe = livened(make(head=net).fit(X, Y))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    proba = answer_elsewhere(pipe, "predict_proba", [*X["path"]])
    np.testing.assert_allclose(proba, pipe.predict_proba(X), atol=1e-6)
    tensors = pipe[-1].module_.state_dict().values()
    n_bytes = sum(t.numel() * t.element_size() for t in tensors)
    assert len(pickle.dumps(pipe)) < 1.2 * n_bytes


@pytest.mark.slow
def test_unreadable_rows_cost_no_other_row(birds, tmp_path):
    X, Y = birds
    bad = tmp_path / "text.ogg"
    bad.write_text("no audio")
    broken = X.copy()
    broken.loc[5, "path"] = str(bad)
    with pytest.raises(AudioReadError, match=r"row 5: .*text\.ogg"):
        make().fit(broken, Y)
    pipe = make().set_params(logmel__on_error="skip")
    with pytest.warns(UserWarning, match="1 of 12 rows"):
        fitted = clone(pipe).fit(broken, Y)
    with pytest.warns(UserWarning, match="1 of 12 rows"):
        proba = fitted.predict_proba(broken)
    assert np.isnan(proba[5]).all()
    good = np.delete(np.arange(12), 5)
    expected = clone(pipe).fit(X.iloc[good], Y.iloc[good])
    np.testing.assert_allclose(
        proba[good], expected.predict_proba(X.iloc[good]), atol=1e-6
    )
    with pytest.warns(UserWarning, match="`errors` of the Spectrograms lists them"):
        spectrograms = fitted[:-1].transform(broken)
    assert list(spectrograms.errors["row"]) == [5]


def test_scikit_learn_classifiers_can_follow(X_and_Y):
    X, Y = X_and_Y
    pipe = make_pipeline(
        LogMel(n_mels=32, normalize=None),
        SpectrogramStatistics(),
        StandardScaler(),
        OneVsRestClassifier(LogisticRegression()),
    )
    assert pipe.fit(X, Y).predict_proba(X).shape == (12, 2)


def test_weights_pass_through_the_pipeline(birds):
    X, Y = birds
    pipe = make().set_params(sedclassifier__max_epochs=1)
    weight = np.r_[np.ones(6), np.zeros(6)]
    only_first = pipe.fit(X, Y, sedclassifier__sample_weight=weight)
    assert len(only_first[-1].history) == 1
    with pytest.raises(ValueError, match="sample_weight has 3 rows"):
        pipe.fit(X, Y, sedclassifier__sample_weight=np.ones(3))


@pytest.mark.slow
@pytest.mark.parametrize("n_species", [1, 2, 3])
def test_any_number_of_species(birds, n_species):
    X, Y = birds
    Y = pd.concat([Y] * 2, axis=1).to_numpy()[:, :n_species]
    head = CNNClassifier(
        module=TinyCNN,
        backbone_weights=None,
        max_epochs=1,
        random_state=0,
        verbose=0,
    )
    pipe = make(head=head)
    scores = cross_val_score(
        pipe, X, Y, cv=2, scoring=macro_roc_auc_scorer, error_score="raise"
    )
    assert np.isfinite(scores).all()


DATA = Path(os.environ.get("SKBIRD_DATA", "../shared/data")) / "odd_formats"


@pytest.mark.slow
@pytest.mark.skipif(
    not (DATA / "metadata.csv").is_file(),
    reason="SKBIRD_DATA names no folder with odd_formats/",
)
def test_odd_formats_predict_or_are_named(birds):
    table = pd.read_csv(DATA / "metadata.csv")
    paths = [str(DATA / path) for path in table["path"]]
    pipe = make_pipeline(
        Resampler(32_000),
        BandPass(),
        VADFilter(),
        RMSFilter(),
        LogMel(n_mels=32, on_error="skip", verbose=0),
        CNNClassifier(
            "test_efficientnet", backbone_weights=None, max_epochs=1, verbose=0
        ),
    ).fit(*birds)
    with pytest.warns(UserWarning, match="1 of 13 rows"):
        proba = pipe.predict_proba(paths)
    with pytest.warns(UserWarning, match="1 of 13 rows"):
        failed = pipe[:-1].transform(paths).errors
    assert [Path(p).name for p in failed["path"]] == ["empty_2c.wav"]
    assert np.isfinite(np.delete(proba, failed["row"], axis=0)).all()
    for row, path in enumerate(paths):
        if row not in set(failed["row"]):
            np.testing.assert_allclose(
                pipe.predict_proba([path])[0], proba[row], atol=1e-5
            )
