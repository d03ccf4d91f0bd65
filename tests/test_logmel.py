import errno
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import RATE, tone
from forks import started
from sklearn.pipeline import make_pipeline

import skbird.preprocessing._front_end as front_end
import skbird.preprocessing._pass as audio_pass
import skbird.utils._frame_file as frame_file
from skbird.audio import AudioFile, AudioReadError
from skbird.audio._audio_header import AudioHeader
from skbird.data import Spectrograms, segment_table
from skbird.data._spectrogram_format import normalize_segments
from skbird.preprocessing import (
    BandPass,
    LogMel,
    Resampler,
    RMSFilter,
    Segmenter,
    SpectrogramStatistics,
    VADFilter,
)
from skbird.preprocessing._last_op import LastOp


@pytest.fixture
def noise(write_wav):
    rng = np.random.default_rng(0)
    return write_wav("noise.wav", 0.1 * rng.standard_normal(RATE * 12))


def test_equals_librosa(noise, librosa):
    spectrograms = LogMel(n_mels=40, n_fft=512, hop_length=160).transform([noise])
    samples, _ = librosa.load(noise, sr=None)
    power = librosa.feature.melspectrogram(
        y=samples, sr=RATE, n_fft=512, hop_length=160, n_mels=40, fmin=20
    )
    expected = librosa.power_to_db(power, top_db=None)
    assert spectrograms[0].shape == expected.shape
    np.testing.assert_allclose(spectrograms[0], expected, atol=0.04)  # float16


def test_segments_are_slices_of_the_row(noise):
    spectrograms = make_pipeline(
        Segmenter(4.0, overlap=0.5), LogMel(normalize=None, top_db=None)
    ).fit_transform([noise])
    segments = spectrograms.to_numpy()
    n_frames = spectrograms.format.frames_per_segment
    assert segments.shape == (5, 128, n_frames)
    first = round(2.0 / spectrograms.format.frame_s)
    np.testing.assert_array_equal(
        segments[1], spectrograms[0][:, first : first + n_frames]
    )
    np.testing.assert_array_equal(segments[-1], spectrograms[0][:, -n_frames:])


def test_a_short_row_is_cycled_or_padded(write_wav):
    path = write_wav("short.wav", np.random.default_rng(0).normal(0, 0.1, RATE))
    for pad, expected in [("cycle", 0), ("zero", -100)]:
        steps = make_pipeline(
            Segmenter(3.0, pad=pad), LogMel(normalize=None, top_db=None)
        )
        spectrograms = steps.fit_transform([path])
        n = spectrograms.n_frames[0]
        segment = spectrograms.to_numpy()[0]
        if pad == "cycle":
            # The last frame lies where the sound begins again.
            np.testing.assert_array_equal(
                segment[:, n : 2 * n - 2], segment[:, 1 : n - 1]
            )
        else:
            assert (segment[:, n:] == expected).all()


def test_a_call_comes_again_with_the_period_of_the_recording(write_wav):
    samples = np.zeros(2 * 16_000)
    samples[8000] = 1.0
    steps = make_pipeline(Segmenter(9.0), LogMel(8, 512, 160, normalize=None))
    segment = steps.fit_transform([write_wav("click.wav", samples)]).to_numpy()[0]
    loudest = segment.max(axis=0)
    clicks = np.flatnonzero(loudest == loudest.max())
    assert clicks.tolist() == [50, 250, 450, 650, 850]


@pytest.mark.parametrize("normalize", ["minmax", "standard", None])
def test_normalisation_is_of_each_segment(normalize):
    rng = np.random.default_rng(0)
    batch = rng.normal(-60, 30, (3, 20, 10)).astype(np.float32)
    batch[2] = -100  # silence
    out = normalize_segments(batch, normalize, 80.0)
    assert np.isfinite(out).all()
    if normalize == "minmax":
        np.testing.assert_allclose(out[:2].min(axis=(1, 2)), 0)
        np.testing.assert_allclose(out[:2].max(axis=(1, 2)), 1)
    elif normalize == "standard":
        np.testing.assert_allclose(out[:2].mean(axis=(1, 2)), 0, atol=1e-5)
        np.testing.assert_allclose(out[:2].std(axis=(1, 2)), 1, atol=1e-5)
    else:
        assert (np.ptp(out, axis=(1, 2)) <= 80).all()
    assert np.ptp(out[2]) == 0


def test_long_rows_in_blocks_equal_whole_ones(write_wav, monkeypatch):
    rng = np.random.default_rng(0)
    rate = 22_050
    samples = (
        0.1
        * rng.standard_normal(rate * 33 + 123)
        * np.repeat(rng.uniform(0.1, 1, 34), rate)[: rate * 33 + 123]
    )
    path = write_wav("long.wav", samples, rate)
    steps = make_pipeline(Resampler(16_000), BandPass(), RMSFilter(), LogMel(n_mels=32))
    whole = steps.fit_transform([path])
    monkeypatch.setattr(audio_pass, "_BLOCK_S", 8)
    blocks = steps.fit_transform([path])
    assert blocks[0].shape == whole[0].shape
    np.testing.assert_allclose(
        blocks[0].astype(float), whole[0].astype(float), atol=0.1
    )
    np.testing.assert_array_equal(blocks.segment_weights, whole.segment_weights)


@pytest.mark.parametrize("rate", [16_000, 64_000])
def test_blocks_are_short_where_rates_are_high(write_wav, monkeypatch, rate):
    own = 22_050
    noise = 0.1 * np.random.default_rng(0).standard_normal(own * 33 + 123)
    noise *= np.repeat([0.1, 1, 0.3, 0.5], own * 9)[: len(noise)]
    # In the end, the rate is low: the highest on the way counts.
    steps = make_pipeline(
        Resampler(rate), RMSFilter(), Resampler(8000), LogMel(n_mels=32)
    )
    path = write_wav("long.wav", noise, own)
    whole = steps.fit_transform([path])
    monkeypatch.setattr(audio_pass, "_MOST_SAMPLES", 8 * 64_000)
    reaches, read = [], AudioFile.read

    def count(audio, first, stop):
        reaches.append((stop - first) / own)
        return read(audio, first, stop)

    monkeypatch.setattr(AudioFile, "read", count)
    blocks = steps.fit_transform([path])
    assert max(reaches) <= max(8, 8 * 64_000 / max(rate, own)) + 5
    np.testing.assert_allclose(
        blocks[0].astype(float), whole[0].astype(float), atol=0.1
    )
    np.testing.assert_array_equal(blocks.segment_weights, whole.segment_weights)


def test_a_long_row_takes_the_memory_of_a_block(long_rows):
    rate, block = 10, np.ones((2**13, 64), np.float16)

    class Ones(LastOp):
        def __call__(self, *_):
            return block.copy()

    row = {"path": "days.wav", "start": 0.0, "end": 8.0 * audio_pass._BLOCK_S}
    audio = SimpleNamespace(
        header=AudioHeader(rate, round(row["end"] * rate), 1),
        read=lambda first, stop: np.zeros(stop - first, np.float32),
    )
    tracemalloc.start()
    try:
        frames, _ = audio_pass.process_row(audio, row, [], Ones())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(frames) == 8 * len(block)
    assert (frames.map() == 1).all()
    assert peak < 2.2 * block.nbytes  # the one before is still there


def frame_files(folder):
    return [path for path in folder.glob("skbird-frames-*/*") if path.name != "held"]


@pytest.fixture
def long_rows(monkeypatch, tmp_path):
    """Rows beyond a second count as long; returns where their frames go."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(audio_pass, "MOST_IN_MEMORY", 2000)
    return tmp_path / "temporary"


@pytest.mark.parametrize("cached", [False, True])
def test_long_rows_are_on_disk_and_the_same(
    noise, tmp_path, monkeypatch, long_rows, cached
):
    monkeypatch.setattr(audio_pass, "_BLOCK_S", 8)
    monkeypatch.setattr(audio_pass, "MOST_IN_MEMORY", 10**9)
    expected = LogMel(n_mels=16).fit_transform([noise, noise])
    monkeypatch.setattr(audio_pass, "MOST_IN_MEMORY", 2000)
    mel = LogMel(n_mels=16, cache_dir=tmp_path / "cache" if cached else None)
    for _ in range(2):  # the second comes from the cache
        found = mel.fit_transform([noise, noise])
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())
        assert len(frame_files(long_rows)) == (0 if cached else 2)
    part = pickle.loads(pickle.dumps(found[1:]))
    del found
    np.testing.assert_array_equal(part.to_numpy(), expected[1:].to_numpy())
    assert not frame_files(long_rows)


def test_frames_of_killed_processes_go_and_those_of_living_ones_stay(long_rows, noise):
    code = (
        "import sys, numpy as np; from skbird.utils._frame_file import FrameFile\n"
        "frames = FrameFile(); frames.append(np.zeros((2, 3), np.float16))\n"
        "print('there', flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command, env = [sys.executable, "-c", code], os.environ | {"TMPDIR": str(long_rows)}
    dead, living = (subprocess.Popen(command, env=env, **pipes) for _ in range(2))
    assert [dead.stdout.readline(), living.stdout.readline()] == [b"there\n"] * 2
    left = set(long_rows.iterdir())
    dead.kill()
    dead.communicate()
    found = LogMel(n_mels=16).fit_transform([noise])
    kept = left & set(long_rows.iterdir())
    assert len(left) == 2
    assert len(kept) == 1
    assert len(list(kept.pop().iterdir())) == 2  # the lock, and the frames
    living.communicate()  # ends
    assert left.isdisjoint(long_rows.iterdir())
    assert len(found.to_numpy())


def test_a_full_disk_of_a_long_row_names_the_remedy(noise, long_rows, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(frame_file, "open", full, raising=False)
    with pytest.raises(OSError, match=r"No space is left.*skbird-frames.* cache_dir"):
        LogMel(n_mels=16, n_jobs=1).fit_transform([noise])


def test_a_row_whose_spectrogram_is_too_large_is_refused(noise, monkeypatch):
    monkeypatch.setattr(front_end, "_MOST_ROW_BYTES", 10_000)
    rows = pd.DataFrame({"path": [noise] * 2, "start": 0.0, "end": [0.1, np.nan]})
    with pytest.raises(AudioReadError, match=r"row 1: .* GiB of spectrogram.*Cut it"):
        LogMel(n_mels=16).fit_transform(rows)
    with pytest.warns(UserWarning, match="1 of 2 rows cannot be used"):
        spectrograms = LogMel(n_mels=16, on_error="skip").fit_transform(rows)
    assert list(spectrograms.n_frames > 0) == [True, False]


def test_rows_of_a_soundscape_equal_rows_read_alone(noise):
    table = segment_table([noise], step_s=2.5)
    together = LogMel().transform(table)
    for row in range(len(table)):
        alone = LogMel().transform(table.iloc[[row]])
        np.testing.assert_array_equal(together[row], alone[0])


def test_row_order_and_subsets_change_nothing(birds):
    X, _ = birds
    steps = make_pipeline(RMSFilter(), LogMel(n_mels=16))
    order = np.random.default_rng(0).permutation(len(X))
    whole, shuffled = steps.fit_transform(X), steps.fit_transform(X.iloc[order])
    np.testing.assert_array_equal(whole[order].to_numpy(), shuffled.to_numpy())
    np.testing.assert_array_equal(
        whole[order].segment_weights, shuffled.segment_weights
    )


def test_filters_mark_training_and_leave_prediction_alone(write_wav):
    levels = np.repeat([0.01, 0.5, 0.5], RATE * 5)
    path = write_wav("a.wav", levels * tone(700, 15, level=1))
    for use_at_predict in (False, True):
        steps = make_pipeline(
            Segmenter(5.0, 0.0),
            RMSFilter(mode="drop", use_at_predict=use_at_predict),
            LogMel(n_mels=16),
        )
        trained, predicted = steps.fit_transform([path]), steps.transform([path])
        assert list(trained.segment_weights) == [0, 1, 1]
        at_predict = [0, 1, 1] if use_at_predict else [1, 1, 1]
        assert list(predicted.segment_predict_weights) == at_predict
        assert list(trained.segment_predict_weights) == at_predict


class Counter:
    """Counts the rows that the pass computes."""

    def __init__(self, monkeypatch):
        self.rows = 0
        original = front_end.process_row

        def counted(*args, **kwargs):
            self.rows += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(front_end, "process_row", counted)

    def take(self):
        rows, self.rows = self.rows, 0
        return rows


def test_cache_computes_each_row_once(birds, tmp_path, monkeypatch):
    X, _ = birds
    counter = Counter(monkeypatch)

    def run(rows=X, segmenter=None, filters=(), **options):
        mel = LogMel(n_mels=16, cache_dir=tmp_path / "cache", **options)
        steps = make_pipeline(segmenter or Segmenter(), *filters, mel)
        return steps.fit_transform(rows)

    fresh = make_pipeline(LogMel(n_mels=16)).fit_transform(X)
    counter.take()
    np.testing.assert_array_equal(run().to_numpy(), fresh.to_numpy())
    assert counter.take() == 12
    np.testing.assert_array_equal(run().to_numpy(), fresh.to_numpy())
    # Neither subsets, nor segments, nor normalisation need the audio again.
    run(X.iloc[::2])
    run(segmenter=Segmenter(1.0, overlap=0.0))
    run(normalize="standard", top_db=40.0)
    assert counter.take() == 0
    run(filters=[RMSFilter()])
    assert counter.take() == 12
    run(filters=[RMSFilter(quantile=0.5, mode="weight")])
    assert counter.take() == 0
    run(low_hz=100.0)
    run(filters=[BandPass(300, 2000)])
    assert counter.take() == 24


def test_the_same_filter_twice_measures_twice(write_wav, tmp_path):
    low, high = tone(300, 5, level=0.5), tone(4000, 5, level=0.1)
    path = write_wav("a.wav", np.concatenate([low, high]))
    quiet = RMSFilter(mode="weight")
    grid = Segmenter(5.0, overlap=0.0)
    mel = LogMel(16, cache_dir=tmp_path / "cache")
    twice = make_pipeline(grid, quiet, BandPass(2000, None), RMSFilter(mode="weight"))
    expected = twice.fit_transform([path])[0].weights
    spectrograms = mel.fit_transform(twice.fit_transform([path]))
    np.testing.assert_allclose(spectrograms.segment_weights, expected, atol=0.01)
    once = make_pipeline(grid, quiet)
    expected = once.fit_transform([path])[0].weights
    spectrograms = mel.fit_transform(once.fit_transform([path]))
    np.testing.assert_allclose(spectrograms.segment_weights, expected, atol=0.01)


def test_levels_of_the_training_set_are_cached_too(birds, tmp_path, monkeypatch):
    X, _ = birds
    counter = Counter(monkeypatch)
    cache = tmp_path / "cache"

    def run():
        quiet = RMSFilter(scope="train", cache_dir=cache)
        return make_pipeline(quiet, LogMel(16, cache_dir=cache)).fit_transform(X)

    first = run()
    assert counter.take() == 24  # levels, then spectrograms
    np.testing.assert_array_equal(run().segment_weights, first.segment_weights)
    assert counter.take() == 0


def test_a_deleted_cache_is_explained(birds, tmp_path):
    spectrograms = LogMel(16, cache_dir=tmp_path / "c").fit_transform(birds[0])
    shutil.rmtree(tmp_path / "c")
    with pytest.raises(FileNotFoundError, match="Do not delete the cache_dir"):
        spectrograms.to_numpy()


def test_cache_notices_a_changed_file(write_wav, tmp_path, monkeypatch):
    counter = Counter(monkeypatch)
    step = LogMel(n_mels=16, cache_dir=tmp_path / "cache")
    path = write_wav("a.wav", tone(500, 1))
    step.transform([path])
    write_wav("a.wav", tone(500, 2))
    assert step.transform([path]).n_frames[0] == 1 + 2 * RATE // 512
    assert counter.take() == 2


# With 64 bands a frame is as long as the header of the file.
@pytest.mark.parametrize("n_mels", [16, 64])
def test_damaged_cache_entries_are_computed_again(birds, tmp_path, n_mels):
    X, _ = birds
    steps = make_pipeline(RMSFilter(), LogMel(n_mels, cache_dir=tmp_path / "c"))
    before = steps.fit_transform(X)
    for number, path in enumerate(sorted((tmp_path / "c").rglob("*.npy"))):
        content = path.read_bytes()
        path.write_bytes(content[: [0, 50, 1024][number % 3]])
    after = steps.fit_transform(X)
    np.testing.assert_array_equal(before.to_numpy(), after.to_numpy())
    np.testing.assert_array_equal(before.segment_weights, after.segment_weights)


def transform_slowly(paths, cache):
    original = front_end.process_row

    def slow(*args):
        time.sleep(0.2)
        return original(*args)

    front_end.process_row = slow
    LogMel(n_mels=16, cache_dir=cache, n_jobs=1).transform(paths)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_pass_is_completed_by_the_next(birds, tmp_path, monkeypatch):
    X, _ = birds
    cache = tmp_path / "cache"
    process = started(transform_slowly, list(X["path"]), cache)
    while len(list(cache.rglob("*.npy"))) < 4 and process.exitcode is None:
        time.sleep(0.02)
    process.kill()
    process.join()
    n_kept = len(list(cache.rglob("*.npy")))
    assert 4 <= n_kept < 12
    counter = Counter(monkeypatch)
    resumed = LogMel(n_mels=16, cache_dir=cache).transform(X)
    assert counter.take() == 12 - n_kept
    fresh = LogMel(n_mels=16).transform(X)
    np.testing.assert_array_equal(resumed.to_numpy(), fresh.to_numpy())


@pytest.fixture
def mixed_files(birds, tmp_path, write_wav):
    """Good rows and, between them, everything that can be wrong with a file."""
    good = list(birds[0]["path"][:4])
    text = tmp_path / "text.ogg"
    text.write_text("not audio")
    import soundfile

    flac = tmp_path / "whole.flac"
    rng = np.random.default_rng(0)
    soundfile.write(flac, 0.1 * rng.standard_normal(RATE * 5), RATE)
    content = bytearray(flac.read_bytes())
    content[60_000:61_000] = bytes(1000)
    damaged = tmp_path / "damaged.flac"
    damaged.write_bytes(content)
    bad = [
        str(tmp_path / "missing.wav"),
        str(tmp_path),
        str(text),
        write_wav("empty.wav", np.zeros(0)),
        write_wav("nan.wav", np.full(RATE, np.nan)),
        str(damaged),
    ]
    return [good[0], *bad[:3], good[1], good[2], *bad[3:], good[3]], [0, 4, 5, 9]


def test_skip_keeps_all_good_rows_and_lists_the_others(mixed_files):
    paths, good = mixed_files
    step = LogMel(n_mels=16, on_error="skip")
    with pytest.warns(UserWarning, match="6 of 10 rows cannot be used"):
        spectrograms = step.transform(paths)
    assert len(spectrograms) == 10
    errors = spectrograms.errors
    assert sorted(errors["row"]) == [1, 2, 3, 6, 7, 8]
    assert list(errors["path"]) == [paths[row] for row in errors["row"]]
    assert [name for name in vars(step) if name.endswith("_")] == []
    alone = LogMel(n_mels=16).transform([paths[row] for row in good])
    np.testing.assert_array_equal(spectrograms[good].to_numpy(), alone.to_numpy())
    assert list(spectrograms[[3, 4, 6]].errors["row"]) == [0, 2]


def test_raise_names_all_bad_files_before_any_work(mixed_files, monkeypatch):
    counter = Counter(monkeypatch)
    with pytest.raises(AudioReadError, match="4 of 10 rows") as error:
        LogMel(n_mels=16).transform(mixed_files[0])
    assert counter.take() == 0
    for part in ("missing.wav", "is a directory", "text.ogg", "on_error='skip'"):
        assert part in str(error.value)


def test_an_error_met_while_decoding_is_raised(mixed_files):
    paths = mixed_files[0]
    with pytest.raises(AudioReadError, match=r"row 1: .*damaged\.flac"):
        LogMel(n_mels=16).transform([paths[0], paths[8]])


def test_an_error_in_a_file_costs_only_its_row(tmp_path):
    import soundfile

    rng = np.random.default_rng(0)
    path = tmp_path / "hole.flac"
    soundfile.write(path, 0.1 * rng.standard_normal(RATE * 60), RATE)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    path.write_bytes(content)
    table = segment_table([path])
    with pytest.warns(UserWarning, match="rows cannot be used"):
        together = LogMel(16, on_error="skip").transform(table)
    bad = set(together.errors["row"])
    assert 1 <= len(bad) <= 2
    alone = LogMel(16).transform(table.iloc[[11]])
    np.testing.assert_array_equal(together[11], alone[0])


def test_a_sample_or_two_are_enough(write_wav):
    paths = [write_wav(f"{n}.wav", np.full(n, 0.1), 48_000) for n in (1, 2, 5)]
    steps = make_pipeline(Resampler(8000), BandPass(), RMSFilter(), LogMel(16))
    assert np.isfinite(steps.fit_transform(paths).to_numpy()).all()


def test_a_stretch_past_the_end_is_named(birds):
    X = birds[0].iloc[:2].assign(start=[0.0, 2.0], end=[3.0, 90.0])
    with pytest.raises(AudioReadError, match=r"row 1: .* reaches past the end"):
        LogMel().transform(X)


def test_different_sample_rates_need_a_resampler(write_wav):
    paths = [write_wav("a.wav", tone(500, 1)), write_wav("b.wav", tone(500, 1), 8000)]
    with pytest.raises(ValueError, match=r"different sample rates.*Put a Resampler"):
        LogMel().transform(paths)
    assert len(make_pipeline(Resampler(), LogMel()).transform(paths)) == 2


def test_mel_edges_are_checked(noise):
    with pytest.raises(ValueError, match="low_hz=900 must be below high_hz=800"):
        LogMel(low_hz=900, high_hz=800).fit([noise])
    with pytest.raises(ValueError, match="half the sample rate"):
        LogMel(high_hz=9000).transform([noise])


def test_memory_warning_names_the_remedy(noise, monkeypatch):
    monkeypatch.setattr(front_end, "_MEMORY_WARNING_BYTES", 1000)
    with pytest.warns(UserWarning, match="cache_dir"):
        LogMel().transform([noise])


def test_statistics_follow_the_weights(write_wav):
    path = write_wav("a.wav", np.concatenate([np.zeros(RATE * 5), tone(700, 5)]))
    loud = write_wav("b.wav", tone(700, 5))
    options = {"n_mels": 16, "normalize": None, "top_db": None}
    steps = make_pipeline(
        Segmenter(5.0, 0.0), RMSFilter(0.9), LogMel(**options), SpectrogramStatistics()
    )
    features = steps.fit_transform([path, loud])
    assert features.shape == (2, 48)
    np.testing.assert_allclose(features[0, :16], features[1, :16], atol=1.0)


def test_statistics_need_spectrograms():
    with pytest.raises(TypeError, match="Put a LogMel before it"):
        SpectrogramStatistics().fit(np.zeros((3, 4)))


def test_arrays_of_ones_own_become_spectrograms():
    arrays = np.random.default_rng(0).standard_normal((3, 8, 20))
    spectrograms = Spectrograms.from_arrays(arrays)
    np.testing.assert_allclose(spectrograms.to_numpy(), arrays, atol=2e-3)
    with pytest.raises(ValueError, match=r"\(n_rows, n_mels, n_frames\) is"):
        Spectrograms.from_arrays(arrays[0])
    with pytest.raises(ValueError, match="float16 cannot keep"):
        Spectrograms.from_arrays(1e5 + arrays)


def test_vad_is_not_run_for_prediction(noise, monkeypatch):
    import skbird.preprocessing._vad as vad

    def refuse(*args):
        raise AssertionError("the detector was run")

    monkeypatch.setattr(vad, "speech_probability", refuse)
    steps = make_pipeline(VADFilter(), LogMel(n_mels=16))
    assert len(steps.transform(pd.DataFrame({"path": [noise]}))) == 1
    with pytest.raises(AssertionError, match="the detector was run"):
        steps.fit_transform([noise])
