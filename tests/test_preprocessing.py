import threading

import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import RATE, tone
from forks import elsewhere
from sklearn.exceptions import NotFittedError

from skbird.data import SegmentGrid, row_weights, segment_means
from skbird.preprocessing import (
    BandPass,
    Resampler,
    RMSFilter,
    Segmenter,
    VADFilter,
)
from skbird.preprocessing._vad import _silero


def _level_db(samples):
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    return 10 * np.log10(np.mean(middle**2) + 1e-20)


def test_resampler_keeps_a_tone_and_its_length(write_wav):
    path = write_wav("a.wav", tone(1000, 2, 44_100), 44_100)
    clip = Resampler(32_000).transform([path])[0]
    assert clip.sample_rate == 32_000
    assert len(clip.samples) == 64_000
    np.testing.assert_allclose(
        clip.samples[1000:-1000], tone(1000, 2, 32_000)[1000:-1000], atol=1e-3
    )


def test_resampler_removes_what_would_alias(write_wav):
    path = write_wav("a.wav", tone(17_000, 1, 44_100), 44_100)
    clip = Resampler(32_000).transform([path])[0]
    assert _level_db(clip.samples) < -90


@pytest.mark.parametrize("hz", [100, 4000])
def test_bandpass_removes_a_tone_outside_the_band(write_wav, hz):
    path = write_wav("a.wav", tone(hz, 2))
    clip = BandPass(800, 1600, order=6).transform([path])[0]
    assert _level_db(clip.samples) < _level_db(tone(hz, 2)) - 40


@pytest.mark.parametrize("order", [1, 2, 4, 7])
@pytest.mark.parametrize("edges", [(1000, None), (0, 1000), (700, 2500)])
def test_bandpass_has_the_response_of_a_butterworth_filter_of_its_order(
    write_wav, order, edges
):
    impulse = np.zeros(2 * RATE)
    impulse[1000] = 1.0
    clip = BandPass(*edges, order).transform([write_wav("a.wav", impulse)])[0]
    power = np.abs(np.fft.rfft(clip.samples.astype(float))) ** 2
    hz = np.array([200, 500, 700, 1000, 1400, 2500, 4000, 6000])
    # The bilinear transform takes frequencies to tan(pi f / rate).
    low, high = (np.tan(np.pi * (edge or 0) / RATE) for edge in edges)
    at = np.tan(np.pi * hz / RATE)
    if edges[1] is None:
        ratio = low / at
    elif edges[0] == 0:
        ratio = at / high
    else:
        ratio = (at**2 - low * high) / (at * (high - low))
    expected = 1 / (1 + ratio ** (2 * order))
    np.testing.assert_allclose(power[2 * hz], expected, rtol=1e-3, atol=1e-9)


def test_bandpass_is_linear_and_keeps_its_band(write_wav):
    path, louder = write_wav("a.wav", tone(1000, 2)), write_wav("b.wav", tone(1000, 2))
    write_wav("b.wav", 2 * tone(1000, 2))
    quiet, loud = BandPass(500, 2000).transform([path, louder])
    np.testing.assert_allclose(2 * quiet.samples, loud.samples, atol=1e-5)
    assert abs(_level_db(quiet.samples) - _level_db(tone(1000, 2))) < 0.5


def test_bandpass_at_nyquist_has_no_upper_edge(write_wav):
    path = write_wav("a.wav", tone(7000, 1))
    with_edge = BandPass(50, RATE / 2).transform([path])[0]
    without = BandPass(50, None).transform([path])[0]
    np.testing.assert_array_equal(with_edge.samples, without.samples)


def test_bandpass_removes_an_offset_without_a_thump(write_wav):
    clip = BandPass(50).transform([write_wav("a.wav", np.full(RATE, 0.5))])[0]
    assert np.abs(clip.samples).max() < 1e-3


def test_bandpass_rejects_impossible_bands(write_wav):
    path = write_wav("a.wav", tone(100, 1))
    with pytest.raises(ValueError, match="low_hz=900 must be below high_hz=800"):
        BandPass(900, 800).fit([path])
    with pytest.raises(ValueError, match="low_hz=9000 is not below half the sample"):
        BandPass(9000, None).transform([path])[0]


@pytest.mark.parametrize(
    ("duration_s", "overlap", "expected"),
    [
        (0.3, 0.5, [0]),
        (5.0, 0.5, [0]),
        (5.001, 0.5, [0]),
        (6.0, 0.5, [0, 1]),
        (10.0, 0.5, [0, 2.5, 5]),
        (12.0, 0.0, [0, 5, 7]),
    ],
)
def test_segments_reach_the_end_of_the_row(duration_s, overlap, expected):
    starts = SegmentGrid(5.0, overlap).starts(duration_s)
    np.testing.assert_allclose(starts, expected)


def test_segments_are_five_seconds_and_overlap_by_half_unless_told():
    np.testing.assert_array_equal(SegmentGrid().starts(10.0), [0, 2.5, 5])


@pytest.mark.parametrize(
    ("rest_s", "n_segments"), [(0.0, 1), (0.0199, 1), (0.0201, 2), (2.0, 2), (2.03, 3)]
)
def test_a_rest_of_one_percent_is_no_segment(rest_s, n_segments):
    starts = SegmentGrid(2.0, 0.0).starts(2.0 + rest_s)
    assert len(starts) == n_segments
    if n_segments > 1:
        assert starts[-1] == pytest.approx(rest_s)


@pytest.mark.parametrize(
    ("starts", "segment_s", "expected"),
    [
        ([0.0, 1.0], 1.0, [1.5, 3.5]),
        ([0.5], 1.0, [2.5]),
        ([0.3], 1.0, [2.5]),  # the nearest values
        ([0.0], 99.0, [2.5]),  # as far as there is something
        ([0.0, 1.5], 0.1, [1, 4]),  # one value at least
        ([2.0, 9.0], 1.0, [4, 4]),  # the last, if all are earlier
    ],
)
def test_means_of_segments(starts, segment_s, expected):
    values = np.array([1, 2, 3, 4], np.float32)  # two a second
    means = segment_means(values, 2.0, np.array(starts), segment_s)
    np.testing.assert_array_equal(means, expected)


def test_means_of_segments_late_in_a_long_row_are_exact():
    values = np.full(3_000_000, 0.1, np.float32)
    mean = segment_means(values, 1.0, np.array([2_999_990.0]), 10.0)
    np.testing.assert_allclose(mean, values[0], rtol=1e-9)


class _Verdict:
    """A filter that has judged already."""

    def __init__(self, weight, quality):
        self.verdict = np.array(weight, np.float32), np.array(quality)

    def judge(self, values, starts, segment_s, row):
        return self.verdict


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], [1, 1, 1]),
        ([_Verdict([0.5, 1, 0], [1, 1, 1])], [0.5, 1, 0]),
        ([_Verdict([0.5, 1, 0], [1] * 3), _Verdict([1, 0, 1], [1] * 3)], [0.5, 0, 0]),
        # Nothing is left: the segment of the highest product of qualities is.
        ([_Verdict([1, 0, 0], [9, 1, 2]), _Verdict([0, 1, 0], [0, 1, 2])], [0, 0, 1]),
        ([_Verdict([0, 0, 0], [3, 3, 1])], [1, 0, 0]),
    ],
)  # fmt: skip
def test_weights_are_products_and_leave_the_best_segment(verdicts, expected):
    measured = [(verdict, None) for verdict in verdicts]
    weights = row_weights(measured, np.arange(3.0), 1.0, {})
    np.testing.assert_array_equal(weights, expected)
    assert weights.dtype == np.float32


def test_where_the_segmenter_stands_does_not_matter(write_wav):
    path = write_wav("a.wav", np.concatenate([tone(500, 3), np.zeros(RATE * 4)]))
    first = RMSFilter().transform(Segmenter(2.0, 0.0).transform([path]))[0]
    last = Segmenter(2.0, 0.0).transform(RMSFilter().transform([path]))[0]
    np.testing.assert_array_equal(first.weights, last.weights)
    np.testing.assert_array_equal(first.starts, last.starts)


def _steps(levels, seconds=5):
    return np.concatenate([tone(500, seconds, level=level) for level in levels])


def test_rms_drop_and_weight_follow_the_level(write_wav):
    path = write_wav("a.wav", _steps([0.1, 0.4, 0.2]))
    grid = Segmenter(5.0, overlap=0.0).transform([path])
    dropped = RMSFilter(quantile=0.4, mode="drop").transform(grid)[0].weights
    np.testing.assert_array_equal(dropped, [0, 1, 1])
    weighted = RMSFilter().transform(grid)[0].weights
    np.testing.assert_allclose(weighted, [0.25, 1, 0.5], rtol=1e-3)
    relative = RMSFilter(quantile=0.5).transform(grid)[0].weights  # to the median, 0.2
    np.testing.assert_allclose(relative, [0.5, 1, 1], rtol=1e-3)
    np.testing.assert_array_equal(RMSFilter(0.0).transform(grid)[0].weights, [1, 1, 1])


def test_rms_over_the_training_set_learns_a_limit(write_wav):
    loud = write_wav("loud.wav", _steps([0.4, 0.3]))
    quiet = write_wav("quiet.wav", _steps([0.002, 0.001, 0.2]))
    step = RMSFilter(quantile=0.5, scope="train", mode="drop")
    with pytest.raises(NotFittedError, match="learns its limit in fit"):
        step.transform([loud])
    grid = Segmenter(5.0, overlap=0.0).transform([loud, quiet, "/missing.wav"])
    fitted = step.fit(grid)
    assert fitted.limit_ == pytest.approx(0.2 / np.sqrt(2), rel=1e-2)
    np.testing.assert_array_equal(fitted.transform(grid)[0].weights, [1, 1])
    np.testing.assert_array_equal(fitted.transform(grid)[1].weights, [0, 0, 1])


def test_a_row_keeps_its_best_segment(write_wav):
    quiet = write_wav("quiet.wav", _steps([0.001, 0.002]))
    loud = write_wav("loud.wav", _steps([0.5] * 4))
    grid = Segmenter(5.0, overlap=0.0).transform([quiet, loud])
    step = RMSFilter(quantile=0.5, scope="train", mode="drop").fit(grid)
    np.testing.assert_array_equal(step.transform(grid)[0].weights, [0, 1])


def _voice(seconds, rate=RATE):
    """Something that Silero takes for speech: buzzing vowels in syllables."""
    import scipy.signal

    time = np.arange(round(seconds * rate)) / rate
    pitch = 120 + 15 * np.sin(2 * np.pi * 0.7 * time)
    source = scipy.signal.sawtooth(2 * np.pi * np.cumsum(pitch) / rate)
    voiced = np.zeros_like(source)
    formants = [(700, 1200, 2500), (300, 2200, 2900), (400, 800, 2600)]
    syllable = (time / 0.25).astype(int) % len(formants)
    for number, peaks in enumerate(formants):
        for hz in peaks:
            b, a = scipy.signal.iirpeak(hz, 8, fs=rate)
            voiced += scipy.signal.lfilter(b, a, source) * (syllable == number)
    return 0.3 * voiced * np.abs(np.sin(np.pi * time / 0.25)) / np.abs(voiced).max()


@pytest.fixture
def announced(write_wav):
    """Five seconds of voice, then ten of a whistle."""
    pytest.importorskip("silero_vad")
    return write_wav("voice.wav", np.concatenate([_voice(5), tone(4000, 10)]))


def test_vad_finds_the_voice(announced):
    grid = Segmenter(5.0, overlap=0.0).transform([announced])
    dropped = VADFilter(threshold=0.5, mode="drop").transform(grid)[0].weights
    np.testing.assert_array_equal(dropped, [0, 1, 1])
    weighted = VADFilter().transform(grid)[0].weights
    assert weighted[0] < 0.7 < 0.95 < weighted[1]


def test_vad_threshold_by_collection(announced):
    X = pd.DataFrame({"path": [announced] * 3, "collection": ["CSA", "XC", "?"]})
    step = VADFilter(threshold={"CSA": 0.3, "XC": 1.0}, mode="drop").fit(X)
    weights = [clip.weights for clip in step.transform(Segmenter().transform(X))]
    assert weights[0][0] == 0
    assert weights[1][0] == 1
    assert weights[2][0] == 0  # the default entry


def load_and_filter(path):
    """Load the VAD in many threads, then filter by it."""
    import torch

    torch.set_num_threads(2)
    together, models = threading.Barrier(8), []

    def ask():
        together.wait()
        models.append(_silero())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    loaded = torch.get_num_threads(), len(set(map(id, models)))
    _ = VADFilter().transform([path])[0].weights
    return loaded, torch.get_num_threads()


@pytest.fixture(scope="module")
def said_of_vad(tmp_path_factory):
    """What a process says that loads the VAD in many threads, then filters by it."""
    pytest.importorskip("silero_vad")
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    soundfile.write(path, _voice(1), RATE)
    return elsewhere(load_and_filter, str(path))


@pytest.mark.slow
def test_vad_loads_once_when_many_threads_ask(said_of_vad):
    assert said_of_vad[0] == (2, 1)


@pytest.mark.slow
def test_vad_leaves_the_threads_of_torch_alone(said_of_vad):
    assert said_of_vad[1] == 2


def test_vad_checks_thresholds(announced):
    with pytest.raises(ValueError, match="no column 'collection'"):
        VADFilter(threshold={"CSA": 0.3}).fit([announced])
    X = pd.DataFrame({"path": [announced], "collection": ["CSA"]})
    with pytest.warns(UserWarning, match="names none of the collections"):
        VADFilter(threshold={"csa": 0.3}).fit(X)
    with pytest.raises(ValueError, match=r"threshold\['CSA'\]=2 must be a number"):
        VADFilter(threshold={"CSA": 2}).fit(X)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Resampler(10), "'sample_rate' parameter"),
        (BandPass(-1), "'low_hz' parameter"),
        (Segmenter(overlap=1.0), "'overlap' parameter"),
        (RMSFilter(mode="mute"), "'mode' parameter"),
        (VADFilter(max_speech=2), "'max_speech' parameter"),
    ],
)
def test_parameters_are_checked_in_fit_and_transform(step, message):
    with pytest.raises(ValueError, match=message):
        step.fit(["a.wav"])
    with pytest.raises(ValueError, match=message):
        step.transform(["a.wav"])
