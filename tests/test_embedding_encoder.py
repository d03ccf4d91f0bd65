"""Rows in, features out: EmbeddingEncoder, its windows, cache and pooling."""

import os

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from toy_encoder import N_BANDS, NAMES, RATE, SCALE, Counting, placed, quiet, toy

from skbird.audio import AudioReadError
from skbird.encoders import EncoderOutput, Windows
from skbird.preprocessing import Resampler, RMSFilter, Segmenter


@pytest.fixture
def ramp(write_wav):
    """Write a recording whose samples say where they are."""

    def write(seconds, name="ramp.wav", rate=RATE):
        return write_wav(name, np.arange(round(seconds * rate)) * SCALE, rate)

    return write


@pytest.fixture
def noise(write_wav):
    rng = np.random.default_rng(0)

    def write(name, seconds=2.5, level=0.1, rate=RATE):
        return write_wav(name, level * rng.standard_normal(int(seconds * rate)), rate)

    return write


# Pooling and weights --------------------------------------------------------------


def test_poolings(ramp):
    path = ramp(3)
    starts = np.arange(3) * RATE
    for pooling, expected in (
        ("mean", [starts.mean()]),
        ("max", [starts.max()]),
        ("meanmax", [starts.mean(), starts.max()]),
    ):
        features = quiet(placed(), pooling=pooling).fit_transform([path])
        np.testing.assert_allclose(features[0, ::2] / SCALE, expected)
        windows = quiet(placed(), output="windows").fit_transform([path])
        np.testing.assert_array_equal(windows.pool(pooling), features)
    with pytest.raises(ValueError, match="pooling='sum' must be one of"):
        windows.pool("sum")


def test_filters_weigh_windows_in_training_alone(write_wav):
    rng = np.random.default_rng(0)
    sound = rng.standard_normal(4 * RATE) * np.repeat([0.2, 0.001, 0.2, 0.001], RATE)
    path = write_wav("a.wav", sound, RATE)
    levels = {"embedding": EncoderOutput(0, [1])}
    encoder = toy(
        lambda w: {"embedding": w.std(axis=1, keepdims=True)},
        outputs=levels,
        class_names=(),
    )
    front = make_pipeline(RMSFilter(quantile=0.5, scope="row"), quiet(encoder))
    train = front.fit_transform([path])
    plain = front.transform([path])
    assert train[0, 0] == pytest.approx(0.2, rel=0.05)
    assert plain[0, 0] == pytest.approx(0.1, rel=0.05)
    front[-1].set_params(output="windows")
    weights = front.fit_transform([path]).weights_of(0)
    np.testing.assert_allclose(weights, [1, 0.01, 1, 0.01], atol=0.005)
    np.testing.assert_array_equal(front.transform([path]).weights_of(0), 1)


def test_weights_do_not_enter_the_cache(write_wav, tmp_path):
    path = write_wav("a.wav", np.random.default_rng(0).normal(0, 0.1, 3 * RATE), RATE)
    counting = Counting()
    model = quiet(toy(counting), cache_dir=tmp_path / "cache")
    plain = model.fit_transform([path])
    assert counting.n == 3
    filtered = make_pipeline(RMSFilter(quantile=0.5, scope="row"), model)
    assert not np.allclose(filtered.fit_transform([path]), plain)
    assert counting.n == 3


# Cache ----------------------------------------------------------------------------


def test_what_is_cached_decodes_nothing_and_runs_no_model(noise, tmp_path):
    paths = [noise(f"{k}.wav") for k in range(3)]
    counting = Counting()
    options = {"cache_dir": tmp_path / "cache"}
    first = quiet(toy(counting), **options).fit_transform(paths)
    assert counting.n == 9
    for path in paths:  # what cannot be decoded any more, with the same identity
        status = os.stat(path)
        with open(path, "r+b") as file:
            file.write(bytes(status.st_size))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = quiet(toy(counting), **options)
    np.testing.assert_array_equal(again.fit_transform(paths), first)
    np.testing.assert_array_equal(
        clone(again).fit(paths).transform(paths[1:]), first[1:]
    )
    for pooling in ("max", "meanmax"):
        quiet(toy(counting), pooling=pooling, **options).fit_transform(paths)
    quiet(toy(counting), output="windows", **options).fit_transform(paths)
    assert counting.n == 9


@pytest.mark.parametrize(
    "change", [{"level": "peak"}, {"resampler": "polyphase"}, {"pad": "cycle"}]
)
def test_another_spec_is_computed_anew(noise, tmp_path, change):
    path, counting = noise("a.wav"), Counting()
    options = {"cache_dir": tmp_path / "cache"}
    quiet(toy(counting), **options).fit_transform([path])
    quiet(toy(counting, **change), **options).fit_transform([path])
    assert counting.n == 6
    quiet(toy(counting), step_s=0.5, **options).fit_transform([path])
    assert counting.n == 10
    quiet(toy(counting), output="scores", **options).fit_transform([path])
    assert counting.n == 13


def test_a_changed_recording_is_computed_anew(noise, tmp_path):
    counting = Counting()
    model = quiet(toy(counting), cache_dir=tmp_path / "cache")
    first = model.fit_transform([noise("a.wav")])
    assert not np.allclose(model.fit_transform([noise("a.wav", 3.5)]), first)
    assert counting.n == 7


# Rows -----------------------------------------------------------------------------


def test_unreadable_rows_are_named_or_left_out(noise, tmp_path):
    good, bad = noise("a.wav"), tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF")
    with pytest.raises(AudioReadError, match=r"1 of 2 rows.*\n.*bad\.wav"):
        quiet(toy()).fit_transform([good, bad])
    model = quiet(toy(), on_error="skip")
    with pytest.warns(UserWarning, match="1 of 2 rows cannot be used"):
        features = model.fit_transform([bad, good])
    assert np.isnan(features[0]).all()
    assert np.isfinite(features[1]).all()
    windows = model.set_params(output="windows")
    with pytest.warns(UserWarning, match="1 of 2 rows"):
        windows = model.fit_transform([bad, good])
    assert windows.n_windows.tolist() == [0, 3]
    assert windows.errors["path"].tolist() == [str(bad)]


def test_errors_of_a_model_are_not_taken_for_those_of_a_file(noise):
    def breaks(windows):
        raise RuntimeError("no such device")

    with pytest.raises(RuntimeError, match="no such device"):
        quiet(toy(breaks), on_error="skip").fit_transform([noise("a.wav")])


def test_nan_of_a_model_is_said(noise, write_wav):
    def divides(windows):
        level = np.abs(windows).max(axis=1, keepdims=True)
        with np.errstate(invalid="ignore"):
            return {"embedding": windows[:, :N_BANDS] / level}

    silent = write_wav("silent.wav", np.zeros(RATE), RATE)
    with pytest.warns(
        UserWarning, match=r"NaN or .* 1 of 2 rows, such as .*silent\.wav"
    ):
        features = quiet(toy(divides)).fit_transform([noise("a.wav"), silent])
    assert np.isfinite(features[0]).all()


def test_rows_come_as_they_are_given(noise):
    paths = [noise(f"{k}.wav", 1 + k, 0.1 * (k + 1)) for k in range(4)]
    model = quiet(toy(), n_jobs=2)
    features = model.fit_transform(paths)
    assert features.shape == (4, N_BANDS)
    assert features.dtype == np.float32
    order = [2, 0, 3, 1, 2]
    again = model.transform([paths[k] for k in order])
    np.testing.assert_array_equal(again, features[order])


def test_features_are_named(noise):
    path = noise("a.wav")
    model = quiet(toy(), pooling="meanmax").set_output(transform="pandas")
    table = pd.DataFrame({"path": [path]}, index=["first"])
    features = model.fit_transform(table)
    assert features.index.tolist() == ["first"]
    assert features.columns[0] == "mean_embedding0"
    assert features.columns[-1] == f"max_embedding{N_BANDS - 1}"
    scores = quiet(toy(), output="scores", pooling="max").fit([path])
    assert scores.get_feature_names_out().tolist() == [f"max_{name}" for name in NAMES]


def test_windows_stay_windows_whatever_output_is_set(noise):
    path = noise("a.wav")
    step = quiet(toy(), output="windows")
    for model in (step.set_output(transform="pandas"), make_pipeline(step)):
        windows = model.set_output(transform="pandas").fit_transform([path])
        assert isinstance(windows, Windows)
    with config_context(transform_output="pandas"):
        assert isinstance(step.transform([path]), Windows)
    assert not hasattr(step, "get_feature_names_out")


def test_parameters_are_checked_early(noise):
    path = noise("a.wav")
    for change, message in (
        ({"output": "logits"}, "output"),
        ({"output": "frames"}, "is none of toy"),
        ({"pooling": "sum"}, "pooling"),
        ({"step_s": 0}, "step_s"),
        ({"on_error": "ignore"}, "on_error"),
    ):
        with pytest.raises(ValueError, match=message):
            quiet(toy(), **change).fit([path])
    with pytest.raises(ValueError, match="is none of toy"):
        quiet(toy(), output="frames").transform([path])
    with pytest.raises(ValueError, match="X has no rows"):
        quiet(toy()).fit_transform([])


def test_steps_that_are_far_too_short_are_refused(noise):
    step = quiet(toy(), step_s=1e-9)
    for method in (step.fit, step.transform):
        with pytest.raises(ValueError, match=r"step_s=1e-09 must be 0\.001 or more"):
            method([noise("a.wav")])


def test_resamplers_that_take_what_the_model_hears_are_said(noise):
    path = noise("a.wav", rate=16_000)
    with pytest.warns(
        UserWarning, match="A Resampler brings the recordings to 4000 Hz"
    ):
        make_pipeline(Resampler(4000), quiet(toy())).fit([path])
    pipe = make_pipeline(Resampler(16_000), Segmenter(1.0), quiet(toy()))
    assert pipe.fit_transform([path]).shape == (1, N_BANDS)
