"""Rows that are not there: a competition's test folder is empty until it is scored."""

import copy

import numpy as np
import pandas as pd
import pytest
from conftest import RATE
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skbird.compose import CallTypeClassifier
from skbird.data import (
    Recordings,
    check_rows,
    recording_weights,
    segment_table,
)
from skbird.ensemble import FoldEnsemble, MultilabelVotingClassifier, SeedEnsemble
from skbird.metrics import (
    error_table,
    lrap,
    macro_average_precision,
    macro_roc_auc,
    padded_cmap,
    species_report,
    threshold_curve,
)
from skbird.postprocessing import (
    ConformalClassifier,
    MultilabelCalibrator,
    SoundscapeReweighter,
    SoundscapeReweighterCV,
    ThresholdTuner,
    reweight,
)
from skbird.preprocessing import (
    BandPass,
    LogMel,
    Resampler,
    RMSFilter,
    Segmenter,
    SpectrogramStatistics,
    VADFilter,
)
from skbird.semi_supervised import PseudoLabelSelfTraining

NOTHING = {
    "list": [],
    "array": np.array([]),
    "series": pd.Series([], dtype=object),
    "frame": pd.DataFrame(),
    "table": pd.DataFrame({"path": [], "start": [], "end": [], "collection": []}),
    "columns": pd.DataFrame(columns=["path", "start", "end"]),
    "segments": segment_table([]),
}
nothing = pytest.mark.parametrize("X", NOTHING.values(), ids=NOTHING)


def plain_pipeline():
    return make_pipeline(
        Resampler(RATE),
        Segmenter(1.0),
        RMSFilter(),
        LogMel(16, n_fft=512, verbose=0),
        SpectrogramStatistics(),
        KNeighborsClassifier(1),
    )


META = {
    "reweighter": SoundscapeReweighter,
    "reweighter_cv": SoundscapeReweighterCV,
    "kernel": lambda model: SoundscapeReweighter(model, top_rows=1, kernel=(1, 2, 1)),
    "calibrator": MultilabelCalibrator,
    "isotonic": lambda model: MultilabelCalibrator(model, method="isotonic"),
    "thresholds": ThresholdTuner,
    "conformal": lambda model: ConformalClassifier(model, alpha=0.5),
    "folds": lambda model: FoldEnsemble(model, cv=2),
    "seeds": lambda model: SeedEnsemble(model, n_estimators=2),
    "voting": lambda model: MultilabelVotingClassifier([("a", model), ("b", model)]),
    "ranks": lambda model: MultilabelVotingClassifier(
        [("a", model), ("b", model)], voting="rank"
    ),
    "minimum": lambda model: MultilabelVotingClassifier(
        [("a", model), ("b", model)], voting="min"
    ),
    "call_types": lambda model: CallTypeClassifier(model, min_recordings=1),
    "self_training": lambda model: PseudoLabelSelfTraining(
        model, max_iter=1, soft_threshold=0.5, hard_threshold=0.5
    ),
    "frozen": lambda model: SoundscapeReweighter(FrozenEstimator(model)),
}


@pytest.fixture(scope="module")
def fitted_meta(bird_folder):
    """Return the meta-estimators by name, fitted."""
    rows = segment_table(bird_folder["path"], 2.0, 2.0)
    X = rows.merge(bird_folder, on="path").assign(type="song")
    Y = pd.get_dummies(X.pop("species")).astype(int)
    inner = plain_pipeline().fit(X, Y)
    models = {}
    for name, make in META.items():
        model = make(inner if name == "frozen" else plain_pipeline())
        models[name] = model.fit(X, Y)
    return models


@nothing
def test_a_row_table_may_be_empty(X):
    rows = check_rows(X)
    assert len(rows) == 0
    assert list(rows)[:3] == ["path", "start", "end"]
    assert rows["start"].dtype == rows["end"].dtype == np.float64
    assert Recordings(X).shape == (0,)


def test_no_rows_beside_rows_keep_their_types(write_wav):
    path = write_wav("a.wav", np.zeros(RATE))
    some = segment_table([path])
    assert (segment_table([]).dtypes == some.dtypes).all()
    recordings = Recordings([path])
    assert len(recordings[[]]) == len(recordings[:0]) == 0


@nothing
@pytest.mark.parametrize(
    "step", [Resampler(), BandPass(), Segmenter(), RMSFilter(), VADFilter()], ids=repr
)
def test_audio_steps_transform_nothing_and_fit_on_something(X, step):
    assert len(step.transform(X)) == 0
    with pytest.raises(ValueError, match="X has no rows: there is nothing to"):
        step.fit(X)


@nothing
@pytest.mark.parametrize("options", [{}, {"high_hz": 48_000.0}, {"low_hz": 17_000.0}])
def test_spectrograms_of_nothing(X, options, tmp_path):
    for logmel in (LogMel(16, **options), LogMel(16, cache_dir=tmp_path, **options)):
        spectrograms = logmel.transform(X)
        assert len(spectrograms) == spectrograms.n_segments == 0
        assert spectrograms.to_numpy().shape[:2] == (0, 16)
        assert SpectrogramStatistics().transform(spectrograms).shape == (0, 48)
        with pytest.raises(ValueError, match="X has no rows"):
            logmel.fit_transform(X)
        with pytest.raises(ValueError, match="X has no rows"):
            SpectrogramStatistics().fit(spectrograms)


@pytest.mark.slow
@nothing
@pytest.mark.parametrize("name", META)
def test_meta_estimators_predict_nothing(fitted_meta, name, X):
    model = fitted_meta[name]
    assert model.predict_proba(X).shape == (0, 2)
    assert np.issubdtype(model.predict_proba(X).dtype, np.floating)
    if name != "ranks":  # of them, predict wants a threshold
        labels = model.predict(X)
        assert labels.shape == (0, 2)
        assert np.issubdtype(labels.dtype, np.integer)
    if name == "conformal":
        assert model.predict_set(X).shape == (0, 2)
    if name == "call_types":
        assert model.predict_call_type_proba(X).shape == (0, 2)


@pytest.mark.parametrize("name", META)
def test_meta_estimators_are_not_fitted_on_nothing(fitted_meta, name):
    X = pd.DataFrame({"path": [], "start": [], "end": [], "type": []})
    with pytest.raises(ValueError, match="X has no rows"):
        META[name](plain_pipeline()).fit(X, np.empty((0, 2)))


def test_arrays_of_nothing(bird_folder):
    assert reweight(np.empty((0, 3)), []).shape == (0, 3)
    assert reweight(np.empty((0, 3)), [], kernel=(1, 2, 1)).shape == (0, 3)


@pytest.mark.parametrize(
    "metric",
    [
        macro_roc_auc,
        macro_average_precision,
        species_report,
        padded_cmap,
        lrap,
        error_table,
        threshold_curve,
    ],
)
def test_metrics_of_nothing_say_so(metric):
    with pytest.raises(ValueError, match="no rows"):
        metric(np.empty((0, 2)), np.empty((0, 2)))


def test_weights_of_nothing_say_so():
    with pytest.raises(ValueError, match="no row or no species"):
        recording_weights(pd.DataFrame({"path": []}), np.empty((0, 2)))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, "1", None])
@pytest.mark.parametrize("name", ["class_power", "rating_power"])
def test_powers_of_weights_are_finite(name, value):
    table = pd.DataFrame({"path": ["a", "b"], "rating": [4.0, 5.0]})
    with pytest.raises(ValueError, match=f"{name}=.* must be a finite number"):
        recording_weights(table, np.eye(2), **{name: value})


def test_weights_beyond_numbers_are_refused():
    table, Y = pd.DataFrame({"path": list("abc")}), np.array([[1], [1], [1]])
    with pytest.raises(ValueError, match=r"class_power=1000 and .* nearer to 0"):
        recording_weights(table, Y, class_power=1000)
    with pytest.raises(ValueError, match=r"All recordings have weight 0.* nearer to 0"):
        recording_weights(table, Y, class_power=-1000)
    with pytest.raises(ValueError, match="must be a finite number >= 0"):
        recording_weights(table.assign(collection="XC"), Y, collection={"XC": np.inf})


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 0, -1, "5", None])
@pytest.mark.parametrize("name", ["segment_s", "step_s"])
def test_rows_have_a_length_and_a_step(write_wav, name, value):
    path = write_wav("a.wav", np.zeros(RATE))
    with pytest.raises(ValueError, match=f"{name}=.* must be above 0 seconds"):
        segment_table([path], **{name: value})


@pytest.mark.parametrize("step_s", [1e-9, 1e-300, 5e-324])
def test_more_rows_than_memory_holds_are_counted_not_made(write_wav, step_s):
    path = write_wav("a.wav", np.zeros(RATE))
    with pytest.raises(ValueError, match=r"would make \S+ rows, .* at most 50,000,000"):
        segment_table([path], step_s=step_s)


@pytest.fixture(scope="module")
def networks(bird_folder):
    """Return pipelines that end in networks, by name; no Resampler tells the rate."""
    pytest.importorskip("torch")
    from tiny_cnn import TinyCNN, TinySED

    from skbird.nn import CNNClassifier, SEDClassifier

    options = {
        "backbone_weights": None,
        "max_epochs": 1,
        "random_state": 0,
        "verbose": 0,
    }
    heads = {
        "cnn": CNNClassifier(module=TinyCNN, **options),
        "sed": SEDClassifier(module=TinySED, tta_shifts_s=[0.5], **options),
        "moments": SEDClassifier(
            module=TinySED, attention="time", frame_scores=True, **options
        ),
    }
    X = bird_folder.drop(columns="species")
    Y = pd.get_dummies(bird_folder["species"]).astype(np.float32)
    models = {}
    for name, head in heads.items():
        front_end = Segmenter(1.0), LogMel(32, n_fft=512, verbose=0)
        models[name] = make_pipeline(*front_end, head).fit(X, Y)
    return models


@pytest.mark.slow
@nothing
@pytest.mark.parametrize("name", ["cnn", "sed", "moments"])
def test_networks_predict_nothing(networks, name, X):
    pipe = networks[name]
    assert pipe.predict_proba(X).shape == (0, 2)
    assert pipe.predict(X).shape == (0, 2)
    assert pipe[-1].embed(pipe[:-1].transform(X)).shape[0] == 0
    with pytest.raises(ValueError, match="X has no rows"):
        pipe.fit(X, np.empty((0, 2)))
    with pytest.raises(ValueError, match="X has no rows"):
        pipe[-1].fit(pipe[:-1].transform(X), np.empty((0, 2)))
    with pytest.raises(ValueError, match="no rows"):
        pipe.score(X, np.empty((0, 2)))


def test_activations_of_nothing(networks):
    pipe = networks["sed"]
    spectrograms = pipe[:-1].transform([])
    assert pipe[-1].activations(spectrograms) == []


def test_rows_that_cannot_be_read_need_no_rate(networks, tmp_path):
    (tmp_path / "broken.wav").write_text("no sound")
    pipe = clone_with(networks["sed"], logmel__on_error="skip")
    with pytest.warns(UserWarning, match="1 of 1 row cannot be used"):
        assert np.isnan(pipe.predict_proba([tmp_path / "broken.wav"])).all()


def clone_with(pipe, **params):
    return copy.deepcopy(pipe).set_params(**params)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "backend"),
    [("cnn", "torch"), ("sed", "openvino"), ("moments", "onnxruntime")],
)
def test_compiled_pipelines_predict_nothing(networks, name, backend):
    if backend != "torch":
        pytest.importorskip(backend)
        pytest.importorskip("onnxscript")
    from skbird.inference import compile_pipeline

    compiled = compile_pipeline(networks[name], backend=backend)
    for X in NOTHING.values():
        assert compiled.predict_proba(X).shape == (0, 2)
        assert compiled.predict(X).shape == (0, 2)
        assert list(compiled.errors_) == ["row", "path", "error"]
    spectrograms = networks[name][:-1].transform([])
    assert compiled.network.predict_proba(spectrograms).shape == (0, 2)


@nothing
def test_reports_on_nothing_say_so(X):
    pytest.importorskip("matplotlib")
    from skbird.reports import describe_recordings

    with pytest.raises(ValueError, match="X has no rows"):
        describe_recordings(X)
