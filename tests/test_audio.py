import numpy as np
import pytest
import soundfile

from skbird.audio import AudioReadError, read_audio, read_header
from skbird.audio._audio_file import AudioFile
from skbird.data import Recordings


def test_reads_mono_mix_of_a_stretch(tmp_path):
    left, right = np.linspace(0, 0.5, 8000), np.linspace(0.5, 0, 8000)
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([left, right], axis=1), 8000, subtype="FLOAT")
    samples, rate = read_audio(path, 0.25, 0.5)
    assert rate == 8000
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, np.full(2000, 0.25), atol=1e-6)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_stretches_of_one_open_file_equal_separate_reads(tmp_path, suffix):
    rng = np.random.default_rng(0)
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, 0.1 * rng.standard_normal(8000 * 20), 8000)
    whole, _ = soundfile.read(path, dtype="float32")
    with AudioFile(path) as audio:
        # In order, overlapping, after a short gap, after a long one, and back.
        for first, last in [(0, 3), (1, 4), (5, 6), (15, 17), (2, 3)]:
            part = audio.read(first * 8000, last * 8000)
            np.testing.assert_allclose(part, whole[first * 8000 : last * 8000])


def _write(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda d: d / "missing.ogg", "does not exist"),
        (lambda d: d / ("x" * 300 + ".wav"), "does not exist"),
        (lambda d: d / "nul\0.wav", "does not exist"),
        (lambda d: _write(d / "a.raw", b"12345678"), "samples without a header"),
        (lambda d: d, "is a directory"),
        (lambda d: _write(d / "text.ogg", b"this is not audio"), "not an audio file"),
        (lambda d: _write(d / "empty.wav", b""), "is empty: 0 bytes"),
    ],
)
def test_what_is_not_audio_is_named(tmp_path, make, message):
    path = make(tmp_path)
    with pytest.raises(AudioReadError, match=message) as error:
        read_header(path)
    assert str(path) in str(error.value)


def test_a_relative_path_says_from_where(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AudioReadError, match=r"a\.ogg does not exist \(seen from /"):
        read_header("a.ogg")


def test_zero_frames_and_nan_are_errors(write_wav):
    with pytest.raises(AudioReadError, match="zero frames"):
        read_header(write_wav("empty.wav", np.zeros(0)))
    with pytest.raises(AudioReadError, match="3 samples that are NaN"):
        read_audio(write_wav("nan.wav", [0.0, np.nan, np.inf, 1e20]))


def test_a_stretch_behind_the_end_is_an_error(write_wav):
    with pytest.raises(AudioReadError, match="no samples after 3 s"):
        read_audio(write_wav("short.wav", np.zeros(16_000)), 3, 5)


def test_recordings_are_a_sequence_of_rows(birds):
    X, _ = birds
    recordings = Recordings(X)
    assert recordings.shape == (12,)
    assert len(recordings) == 12
    assert list(recordings[[3, 1]].paths) == list(X["path"].iloc[[3, 1]])
    assert len(recordings[2:5]) == 3
    assert len(recordings[np.arange(12) % 2 == 0]) == 6
    assert recordings[-1].row["collection"] == "iNat"
    assert len(list(recordings)) == 12


def test_recordings_hash_by_content(birds, write_wav):
    import joblib

    path = write_wav("a.wav", np.zeros(100))
    before = joblib.hash(Recordings([path]))
    assert joblib.hash(Recordings([path])) == before
    write_wav("a.wav", np.zeros(200))
    assert joblib.hash(Recordings([path])) != before
