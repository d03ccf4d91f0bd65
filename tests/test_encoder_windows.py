"""Where the windows of rows are: of short and long ones, at any rate and channel."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from toy_encoder import ENDS, RATE, SCALE, ends, placed, quiet, toy

from skbird.audio import AudioReadError
from skbird.encoders import EncoderOutput, Windows
from skbird.encoders._window_op import window_starts


@pytest.fixture
def ramp(write_wav):
    """Write a recording whose samples say where they are."""

    def write(seconds, name="ramp.wav", rate=RATE):
        return write_wav(name, np.arange(round(seconds * rate)) * SCALE, rate)

    return write


@pytest.mark.parametrize(
    ("duration_s", "window_s", "step_s", "starts"),
    [
        (3, 3, 3, [0]),
        (1, 3, 3, [0]),
        (0, 3, 3, [0]),
        (3.02, 3, 3, [0]),
        (3.04, 3, 3, [0, 0.04]),
        (6, 3, 3, [0, 3]),
        (7, 3, 3, [0, 3, 4]),
        (7, 3, 2, [0, 2, 4]),
        (5, 3, 5, [0, 2]),
        (4.4, 1, 0.7, [0, 0.7, 1.4, 2.1, 2.8, 3.4]),
    ],
)
def test_the_last_window_ends_with_the_row(duration_s, window_s, step_s, starts):
    found = window_starts(duration_s, window_s, step_s)
    np.testing.assert_allclose(found, starts, atol=1e-9)


@pytest.mark.parametrize("seconds", [119.9, 120, 121, 122.7, 180.3, 241.25])
@pytest.mark.parametrize(("window_s", "step_s"), [(1.0, 1.0), (3.0, 2.7), (5.0, 7.0)])
def test_long_rows_have_the_windows_of_short_ones(ramp, seconds, window_s, step_s):
    encoder = placed(window_s=window_s)
    model = quiet(encoder, output="windows", step_s=step_s)
    windows = model.fit_transform([ramp(seconds)])
    first = np.rint(window_starts(seconds, window_s, step_s) * RATE)
    expected = np.column_stack([first, first + window_s * RATE - 1])
    np.testing.assert_allclose(windows[0] / SCALE, expected, atol=1.01)
    np.testing.assert_allclose(windows.table(0)[:, 0], first / RATE, atol=1e-3)
    assert len(windows[0]) == len(first)


def test_long_rows_take_the_memory_of_a_few_windows(ramp):
    most = []

    def notes(windows):
        most.append(len(windows))
        return ends(windows)

    encoder = toy(notes, outputs=ENDS, class_names=(), window_s=5.0)
    windows = quiet(encoder, output="windows", step_s=0.1).fit_transform([ramp(60)])
    assert windows.n_windows.tolist() == [551]
    assert max(most) <= 16


def test_models_of_high_rates_have_shorter_blocks(ramp, monkeypatch):
    monkeypatch.setattr("skbird.preprocessing._pass._MOST_SAMPLES", 8 * RATE)
    model = quiet(placed(), output="windows", step_s=0.7)
    found = model.fit_transform([ramp(60)])
    first = np.rint(window_starts(60, 1.0, 0.7) * RATE)
    np.testing.assert_allclose(found[0][:, 0] / SCALE, first, atol=1.01)


def test_long_rows_at_another_rate_have_the_same_windows(write_wav):
    rng = np.random.default_rng(0)
    t = np.arange(int(130.5 * 12_000)) / 12_000
    sound = 0.3 * np.sin(2 * np.pi * (300 + 10 * t) * t) + 0.01 * rng.normal(
        size=len(t)
    )
    path = write_wav("a.wav", sound, 12_000)
    model = quiet(toy(), output="windows", step_s=0.9)
    whole = model.fit_transform([path])
    late = pd.DataFrame({"path": [path], "start": [117.0], "end": [127.8]})
    alone = model.fit_transform(late)
    np.testing.assert_allclose(whole[0][130:140], alone[0][:10], atol=2e-3)


def test_rows_are_stretches_of_files(ramp):
    path = ramp(20)
    rows = pd.DataFrame({"path": path, "start": [0, 5.5, 17], "end": [2, 7.5, 99]})
    with pytest.raises(AudioReadError, match="reaches past the end"):
        quiet(placed()).fit_transform(rows)
    rows.loc[2, "end"] = 20
    windows = quiet(placed(), output="windows").fit_transform(rows)
    assert windows.n_windows.tolist() == [2, 2, 3]
    starts = np.concatenate([windows[row][:, 0] for row in range(3)]) / SCALE / RATE
    np.testing.assert_allclose(starts, [0, 1, 5.5, 6.5, 17, 18, 19])


@pytest.mark.parametrize("pad", ["zero", "cycle"])
def test_short_rows_fill_a_window(write_wav, pad):
    path = write_wav("a.wav", np.full(RATE // 4, 0.5), RATE)
    outputs = {"embedding": EncoderOutput(0, [RATE])}

    def whole(windows):
        return {"embedding": windows}

    encoder = toy(whole, outputs=outputs, class_names=(), pad=pad)
    features = quiet(encoder).fit_transform([path])
    expected = np.full(RATE, 0.5)
    if pad == "zero":
        expected[RATE // 4 :] = 0
    np.testing.assert_allclose(features[0], expected)


def test_other_rates_sound_the_same(write_wav):
    sounds = {
        rate: 0.3 * np.sin(2 * np.pi * 700 * np.arange(2 * rate) / rate)
        for rate in (8000, 11_025, 44_100)
    }
    paths = [write_wav(f"{rate}.wav", s, rate) for rate, s in sounds.items()]
    for resampler in ("soxr_hq", "polyphase"):
        features = quiet(toy(resampler=resampler)).fit_transform(paths)
        np.testing.assert_allclose(features[1:], features[[0, 0]], atol=0.02)


@pytest.mark.parametrize(
    ("channels", "value"), [("mean", 0.2), (0, 0.1), (1, 0.3), ("loudest", 0.3)]
)
def test_models_hear_the_channel_of_their_spec(tmp_path, channels, value):
    path = tmp_path / "a.wav"
    samples = np.tile([[0.1, 0.3], [-0.1, -0.3]], (RATE // 2, 1))
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    features = quiet(placed(channels=channels)).fit_transform([path])
    np.testing.assert_allclose(features[0, 0], value, atol=1e-6)
    rows = pd.DataFrame({"path": [path], "channels": [0]})
    np.testing.assert_allclose(
        quiet(placed(channels=channels)).fit_transform(rows)[0, 0], 0.1, atol=1e-6
    )


def test_outputs_over_time_are_averaged_in_a_window(ramp):
    outputs = {"spatial": EncoderOutput(0, [2, 2, 3])}
    values = np.arange(12).reshape(2, 2, 3)
    encoder = toy(
        lambda w: {"spatial": np.repeat(values[None], len(w), 0)},
        outputs=outputs,
        class_names=(),
    )
    features = quiet(encoder, output="spatial").fit_transform([ramp(3)])
    np.testing.assert_allclose(features, [[4.5, 5.5, 6.5]])


# The container --------------------------------------------------------------------


def test_windows_are_a_sequence_of_rows():
    arrays = [np.full((n, 3), n) for n in (2, 1, 4)]
    windows = Windows.from_arrays([*arrays, np.empty((0, 3))])
    assert len(windows) == 4
    assert windows.shape == (4,)
    chosen = windows[np.array([2, 0])]
    assert chosen.n_windows.tolist() == [4, 2]
    np.testing.assert_array_equal(chosen[0], arrays[2])
    assert windows[windows.n_windows > 1].n_windows.tolist() == [2, 4]
    assert windows[1:3].index.tolist() == [1, 2]
    assert windows.table(2)[:, 0].tolist() == [0, 1, 2, 3]
    values, bounds, weights = windows.stacked()
    assert values.shape == (7, 3)
    assert bounds.tolist() == [0, 2, 3, 7, 7]
    assert (weights == 1).all()
    assert np.isnan(windows.pool()[3]).all()
    with pytest.raises(ValueError, match="one n_values"):
        Windows.from_arrays([np.ones((2, 3)), np.ones((2, 4))])


def test_arrays_without_axes_are_numbers_of_rows():
    windows = Windows.from_arrays([np.ones((3, 2)), np.zeros((1, 2))])
    assert windows[np.array(0)].shape == (3, 2)
