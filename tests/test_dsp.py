"""The maths on samples, on signals small enough to work out by hand."""

import tracemalloc
import warnings

import numpy as np
import pytest
from conftest import tone

from skbird.data._spectrogram_format import FLOOR_DB
from skbird.preprocessing._dsp import (
    band_sections,
    log_mel,
    mean_square,
    mel_filters,
    resample,
    sos_filter,
)


@pytest.mark.parametrize(
    ("samples", "sample_rate", "values_per_s", "expected"),
    [
        ([1, 1, 2, 2, 3, 3], 4, 2, [1, 4, 9]),
        ([1, 1, 2, 2, 3], 4, 2, [1, 4, 9]),  # the last covers less time
        ([2], 4, 2, [4]),
        ([1, 2, 3], 3, 1, [14 / 3]),
        ([1, 1, 3], 3, 2, [1, 9]),  # cut at the nearest samples
        ([1, 3], 2, 4, [1, 1, 9, 9]),  # more values than samples
    ],
)
def test_mean_square_of_a_time_grid(samples, sample_rate, values_per_s, expected):
    power = mean_square(np.array(samples, np.float32), sample_rate, values_per_s)
    np.testing.assert_allclose(power, expected, rtol=1e-6)
    assert power.dtype == np.float32


def test_the_same_rate_gives_the_same_samples_and_no_clip_is_empty():
    samples = np.array([0.5, 0.25], np.float32)
    assert resample(samples, 8000, 8000) is samples
    np.testing.assert_array_equal(resample(samples, 48_000, 100), [0.5])


@pytest.mark.parametrize("low_hz", [0, 0.5, 50])
@pytest.mark.parametrize("high_hz", [None, 2000])
def test_an_offset_passes_or_vanishes_from_the_first_sample_on(low_hz, high_hz):
    if low_hz == 0 and high_hz is None:
        assert band_sections(low_hz, high_hz, 4, 16_000) is None
        return
    sections, steady = band_sections(low_hz, high_hz, 4, 16_000)
    assert len(sections) == (4 if low_hz and high_hz else 2)
    filtered = sos_filter(np.full(50, 0.5), sections, steady)
    np.testing.assert_allclose(filtered, 0.0 if low_hz else 0.5, atol=1e-6)


def test_blocks_of_a_long_signal_are_filtered_as_one(monkeypatch):
    sections = band_sections(500, 2000, 4, 16_000)
    samples = tone(1000, 0.05).astype(np.float32)
    at_once = sos_filter(samples, *sections)
    monkeypatch.setattr("skbird.preprocessing._dsp._BLOCK", 7)
    np.testing.assert_allclose(sos_filter(samples, *sections), at_once, atol=1e-7)


def test_frames_are_the_same_wherever_the_signal_is_cut(monkeypatch):
    filters = mel_filters(16_000, 256, 20, 50, 8000, False)
    samples = np.random.default_rng(0).normal(size=2000).astype(np.float32)
    whole = log_mel(samples, filters, 256, 100, range(0, 21))
    assert whole.shape == (21, 20)
    part = log_mel(samples[400:1500], filters, 256, 100, range(6, 13), offset=400)
    np.testing.assert_allclose(part, whole[6:13], atol=1e-4)
    monkeypatch.setattr("skbird.preprocessing._dsp._BLOCK", 600)
    again = log_mel(samples, filters, 256, 100, range(0, 21))
    np.testing.assert_allclose(again, whole, atol=1e-4)
    silence = log_mel(np.zeros(10, np.float32), filters, 256, 100, range(0, 3))
    np.testing.assert_allclose(silence, FLOOR_DB, atol=1e-4)


@pytest.mark.filterwarnings("error")  # bands without a bin are no news
@pytest.mark.parametrize("htk", [False, True])
@pytest.mark.parametrize(("n_fft", "n_mels", "fmax"), [(512, 40, 7000), (64, 60, 1000)])
def test_mel_bands_are_the_whole_matrix_of_librosa(librosa, n_fft, n_mels, fmax, htk):
    bands = mel_filters(16_000, n_fft, n_mels, 50, fmax, htk)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = librosa.filters.mel(
            sr=16_000, n_fft=n_fft, n_mels=n_mels, fmin=50, fmax=fmax, htk=htk
        )
    whole = np.zeros_like(expected)
    for mels, bins, weights in bands:
        whole[mels, bins] = weights.T
    np.testing.assert_array_equal(whole, expected)


def test_many_mel_filters_take_little_memory():
    tracemalloc.start()
    try:
        bands = mel_filters(32_000, 65_536, 4096, 0, None, False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert bands[-1].mels.stop == 4096
    assert peak < 32 * 2**20  # the whole matrix has 512 MiB


def test_frames_are_those_of_librosa(librosa):
    samples = np.random.default_rng(0).normal(size=2000).astype(np.float32)
    filters = mel_filters(16_000, 256, 40, 50, 8000, False)
    power = librosa.feature.melspectrogram(
        y=samples, sr=16_000, n_fft=256, hop_length=100, pad_mode="constant",
        n_mels=40, fmin=50, fmax=8000,
    )  # fmt: skip
    expected = librosa.power_to_db(power, amin=10 ** (FLOOR_DB / 10), top_db=None).T
    frames = log_mel(samples, filters, 256, 100, range(0, 21))
    np.testing.assert_allclose(frames, expected, atol=1e-3)


def test_a_filter_starts_as_if_the_first_sample_had_always_been_there():
    sections = band_sections(0, 2000, 4, 16_000)
    samples = np.append(0.5, np.zeros(20))
    long_before = np.append(np.full(500, 0.5), samples)
    expected = sos_filter(long_before, *sections)[500:]
    np.testing.assert_allclose(sos_filter(samples, *sections), expected, atol=1e-6)
