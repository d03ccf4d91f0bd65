"""Sound beyond the row: joined rows, frame scores, test-time shifts."""

import numpy as np
import pandas as pd
import pytest
from conftest import RATE, tone
from sklearn.pipeline import make_pipeline
from tiny_cnn import TinyCNN

from skbird.data import SegmentGrid, Spectrograms, segment_table
from skbird.data._frame_scores import pool_moments, score_rows_by_moments
from skbird.data._joined import join_rows, shifted_reads
from skbird.nn import CNNClassifier, SEDClassifier
from skbird.preprocessing import LogMel, Segmenter

TINY = {"backbone_weights": None, "verbose": 0, "random_state": 0, "max_epochs": 1}

FRAMES = np.tile(np.arange(500)[:, None], (1, 4))


def ramp_rows(
    starts, lengths, paths=None, segment_frames=20, overlap=0.5, values=FRAMES
):
    """Rows whose values tell the frame of the recording that they are of."""
    format = Spectrograms.from_arrays(
        np.zeros((1, values.shape[1], segment_frames + 1))
    ).format
    grid = SegmentGrid(segment_frames * format.frame_s, overlap)
    format = type(format)(format.mel_hz, format.frame_s, grid)
    starts = np.array(starts)
    paths = ["a"] * len(starts) if paths is None else paths
    rows = pd.DataFrame({"path": paths, "start": starts * format.frame_s})
    frames = [
        values[start : start + n].astype(np.float16) if n else None
        for start, n in zip(starts, lengths, strict=True)
    ]
    return Spectrograms(rows, frames, lengths, format)


def test_rows_that_follow_each_other_are_joined():
    # Two in order, one unreadable, one after a gap, one of another file, one that
    # overlaps the first.
    X = ramp_rows(
        [0, 20, 40, 100, 0, 10], [21, 21, 0, 21, 21, 21], ["a", "a", "a", "a", "b", "a"]
    )
    joined, run, offset = join_rows(X)
    assert len(joined) == 3
    assert run.tolist() == [0, 0, -1, 1, 2, 0]
    assert offset.tolist() == [0, 20, 0, 0, 0, 10]
    assert joined.n_frames.tolist() == [41, 21, 21]
    stretch = joined.read(np.array([0, 0, 1]), np.array([5, 500, -3]))[:, :, 0]
    np.testing.assert_array_equal(stretch[0], np.arange(5, 26))
    np.testing.assert_array_equal(stretch[1], np.arange(20, 41))
    np.testing.assert_array_equal(stretch[2], np.arange(100, 121))


def test_order_does_not_matter_and_rows_without_start_stay_alone():
    X = ramp_rows([40, 0, 20], [21, 21, 21])
    joined, run, offset = join_rows(X)
    assert run.tolist() == [0, 0, 0]
    assert offset.tolist() == [40, 0, 20]
    np.testing.assert_array_equal(joined.frames(0)[0:61][:, 0], np.arange(61))
    alone = Spectrograms.from_arrays(np.zeros((3, 4, 21)))
    assert join_rows(alone)[1].tolist() == [0, 1, 2]
    nothing = ramp_rows([0, 20], [0, 0])
    assert len(join_rows(nothing)[0]) == 0


def test_joined_sound_is_that_of_the_whole_recording(write_wav):
    rng = np.random.default_rng(0)
    path = write_wav(
        "long.wav",
        tone(900, 20) * np.linspace(0, 1, 20 * RATE)
        + 0.01 * rng.standard_normal(20 * RATE),
    )
    front_end = make_pipeline(Segmenter(20.0), LogMel(32))
    whole = front_end.fit_transform([path])
    parts = front_end.fit_transform(segment_table([path]))
    joined, run, _ = join_rows(parts)
    assert run.tolist() == [0, 0, 0, 0]
    assert joined.n_frames[0] == whole.n_frames[0]
    difference = joined.segments([0])[0].astype(float) - whole.segments([0])[0]
    # Rows lie up to half a frame off the frames of the whole, and their first and last
    # frames see silence beyond them.
    assert np.median(np.abs(difference)) < 3
    assert abs(difference.mean()) < 0.5


def test_moments_of_overlapping_segments_are_averaged():
    """Each step says the frame it is at, so that averages say where they are of."""
    X = ramp_rows([0, 20, 40, 60], [21] * 4, segment_frames=40)
    joined, run, offset = join_rows(X)
    assert joined.n_segments == 3  # of 40 frames, every 20
    width = joined.format.frames_per_segment / 10
    first = joined.segment_starts / joined.format.frame_s
    centers = first[:, None] + (np.arange(10) + 0.5) * width
    # The segments disagree by -3, 0, 3 and agree where they overlap on the average.
    logits = (centers + np.array([[-3], [0], [3]]))[:, None, :]
    rows = (joined, run, offset, X.n_frames)
    least = pool_moments(logits, *rows, "mean")[:, 0]
    # Middles of the rows, shifted by the mean of those that see them.
    expected = np.array([10 - 3, 30 - 1.5, 50 + 1.5, 70 + 3])
    np.testing.assert_allclose(least, expected, atol=width)
    most = pool_moments(logits, *rows, "max")[:, 0]
    assert (np.diff(most) > 0).all()
    assert (most - least > 5).all()
    unreadable = pool_moments(
        logits, joined, np.array([0, -1]), offset[:2], X.n_frames[:2], "max"
    )
    assert np.isnan(unreadable[1]).all()
    assert np.isfinite(unreadable[0]).all()


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_moments_of_a_row_are_those_of_its_frames_in_its_recording(pooling):
    # Two recordings in any order, an unreadable row, rows of a single frame.
    starts = [20, 0, 40, 0, 20, 5, 60]
    lengths = [21, 21, 21, 21, 0, 1, 1]
    X = ramp_rows(starts, lengths, list("abaaaab"), segment_frames=20)
    joined, run, offset = join_rows(X)
    assert run.tolist() == [0, 1, 0, 0, -1, 0, 2]
    n_steps = joined.format.frames_per_segment  # a step for each frame
    first = np.round(joined.segment_starts / joined.format.frame_s)
    moments = first[:, None] + np.arange(n_steps) + 1000 * joined.segment_rows[:, None]
    pooled = pool_moments(moments[:, None], joined, run, offset, X.n_frames, pooling)
    expected = []
    for start, n_frames, number in zip(offset, lengths, run, strict=True):
        of_row = 1000 * number + start + np.arange(max(n_frames - 1, 1))
        pool = {"mean": np.mean, "max": np.max}[pooling]
        expected.append(pool(of_row) if number >= 0 else np.nan)
    np.testing.assert_allclose(pooled[:, 0], expected)


def test_a_row_at_the_very_end_has_the_last_moment():
    # Of two steps of ten frames, the second ends at frame 20; the row is of that frame.
    X = ramp_rows([0, 20], [21, 1], segment_frames=20)
    joined, run, offset = join_rows(X)
    logits = np.array([[[1.0, 2.0]]] * joined.n_segments)
    pooled = pool_moments(logits, joined, run, offset, X.n_frames, "max")
    assert pooled[:, 0].tolist() == [2, 2]


@pytest.mark.parametrize("runs_at_a_time", [1, 2])
def test_recordings_are_scored_alike_however_many_at_a_time(
    monkeypatch, runs_at_a_time
):
    X = ramp_rows([0, 300, 100, 20, 200], [21, 21, 21, 21, 0], list("acbab"))

    def score():
        # A step for each frame, with a logit that is the number of the frame.
        return score_rows_by_moments(
            X,
            lambda part: part.segments(np.arange(part.n_segments))[:, None, :, 0],
            1,
            "max",
        )[:, 0].tolist()

    at_once = score()
    np.testing.assert_allclose(at_once, [19, 319, 119, 39, np.nan], atol=1)
    monkeypatch.setattr("skbird.data._frame_scores._RUNS_AT_A_TIME", runs_at_a_time)
    np.testing.assert_array_equal(score(), at_once)


def call_in_noise(write_wav, name, call_s, seconds=20.0):
    rng = np.random.default_rng(len(name))
    samples = 0.01 * rng.standard_normal(round(seconds * RATE))
    call = tone(2000, 2.0)
    first = round(call_s * RATE)
    samples[first : first + len(call)] += call
    return write_wav(name, samples)


@pytest.fixture(scope="module")
def long_context(tmp_path_factory):
    """A net trained on 20-s segments of which half hold a call, and its front end."""
    import soundfile

    folder = tmp_path_factory.mktemp("context")

    def write(name, samples, rate=RATE):
        soundfile.write(folder / name, samples, rate, subtype="FLOAT")
        return str(folder / name)

    rng = np.random.default_rng(0)
    paths = [call_in_noise(write, f"c{n}.wav", rng.uniform(0, 18)) for n in range(24)]
    for n in range(24):
        noise = 0.01 * rng.standard_normal(20 * RATE)
        paths.append(write(f"n{n}.wav", noise))
    Y = np.repeat([[1.0], [0.0]], 24, axis=0)
    # Normalised by segment, noise around a call would differ from noise alone.
    log_mel = LogMel(32, hop_length=1024, normalize=None, top_db=None)
    front_end = make_pipeline(Segmenter(20.0, 0.5), log_mel)
    net = SEDClassifier(
        "test_efficientnet",
        "time",
        frame_scores=True,
        **{**TINY, "max_epochs": 25},
        lr=5e-3,
        batch_size=8,
        callbacks__mixup=None,
        callbacks__erasing=None,
        # With masks, whether so short a training succeeds depends on the processor.
        callbacks__time_mask=None,
        callbacks__frequency_mask=None,
    )
    net.fit(front_end.fit_transform(paths), Y)
    return net, front_end, write


@pytest.mark.slow
def test_rows_are_scored_within_their_context(long_context):
    net, front_end, write = long_context
    path = call_in_noise(write, "test.wav", 11.5, seconds=30.0)
    rows = segment_table([path])
    X = front_end.transform(rows)
    proba = net.predict_proba(X)[:, 0]
    # The call is in row 2, 10 to 15 s; a step sees some seconds to either side.
    assert abs(proba.argmax() - 2) <= 1
    # How sure of noise so short a training makes it depends on the processor.
    assert proba[2] > proba[[0, 5]].max() + 0.3
    # The order of the rows does not matter, their neighbours do.
    shuffled = net.predict_proba(X[[4, 2, 0, 5, 1, 3]])[:, 0]
    np.testing.assert_allclose(shuffled, proba[[4, 2, 0, 5, 1, 3]], rtol=1e-5)
    assert not np.allclose(net.predict_proba(X[[0]])[0], proba[0], rtol=1e-3)
    each_alone = net.set_params(frame_scores=False).predict_proba(X)[:, 0]
    net.set_params(frame_scores=True)
    assert not np.allclose(each_alone, proba, rtol=1e-3)


def test_recordings_are_scored_a_few_at_a_time(long_context, monkeypatch):
    net, front_end, write = long_context
    paths = [call_in_noise(write, f"many{n}.wav", 3.0 * n) for n in range(5)]
    X = front_end.transform(segment_table(paths))
    at_once = net.predict_proba(X)
    monkeypatch.setattr("skbird.data._frame_scores._RUNS_AT_A_TIME", 2)
    np.testing.assert_allclose(net.predict_proba(X), at_once, rtol=1e-4)


def test_unreadable_rows_stay_nan_in_context(long_context):
    net, front_end, write = long_context
    path = call_in_noise(write, "gap.wav", 3.0)
    X = front_end.transform(segment_table([path]))
    X = Spectrograms(X.rows, [*X.entries[:3], None], [*X.n_frames[:3], 0], X.format)
    proba = net.predict_proba(X)
    assert np.isnan(proba[3]).all()
    assert np.isfinite(proba[:3]).all()
    nothing = Spectrograms(X.rows, [None] * 4, [0] * 4, X.format)
    assert np.isnan(net.predict_proba(nothing)).all()


def test_frame_scores_need_time(birds):
    X, Y = birds
    X = LogMel(16).fit_transform(X)
    with pytest.raises(ValueError, match="needs attention='time', got 'frequency'"):
        SEDClassifier("test_efficientnet", frame_scores=True, **TINY).fit(X, Y)
    net = SEDClassifier(
        "test_efficientnet", "time", frame_scores=True, tta_shifts_s=(1.0,), **TINY
    )
    with pytest.raises(ValueError, match="averages overlapping segments already"):
        net.fit(X, Y)


def noise_rows(*starts, n_frames=21):
    noise = np.random.default_rng(0).normal(size=(500, 64)) * 30
    return ramp_rows(starts, [n_frames] * len(starts), overlap=0.0, values=noise)


@pytest.fixture
def noise_net():
    X, Y = noise_rows(0, 20, 40), np.array([[1.0], [0.0], [1.0]])
    return CNNClassifier(module=TinyCNN, lr=0.01, **{**TINY, "max_epochs": 60}).fit(
        X, Y
    )


def logits(net, X):
    proba = net.predict_proba(X).astype(float)
    return np.log(proba / (1 - proba))


@pytest.mark.slow
def test_shifts_average_shifted_segments(noise_net):
    X = noise_rows(0, 20, 40)
    plain = logits(noise_net, X)
    # What the shifted rows are: by 5 frames, as far as the recording reaches.
    later, earlier = noise_rows(5, 25, 40), noise_rows(0, 15, 35)
    expected = (plain + logits(noise_net, later) + logits(noise_net, earlier)) / 3
    shift_s = 5 * X.format.frame_s
    noise_net.set_params(tta_shifts_s=(shift_s, -shift_s))
    np.testing.assert_allclose(logits(noise_net, X), expected, atol=1e-3)
    assert not np.allclose(expected, plain, atol=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("sign", "starts"), [(1, (5, 25, 40)), (-1, (0, 15, 35))])
def test_a_positive_shift_reads_later_sound(noise_net, sign, starts):
    X = noise_rows(0, 20, 40)
    shift_s = sign * 5 * X.format.frame_s
    (read,) = shifted_reads(X, [shift_s])
    there = noise_rows(*starts).segments(np.arange(3))
    np.testing.assert_array_equal(read(np.arange(3)), there)
    expected = (logits(noise_net, X) + logits(noise_net, noise_rows(*starts))) / 2
    noise_net.set_params(tta_shifts_s=(shift_s,))
    np.testing.assert_allclose(logits(noise_net, X), expected, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_each_segment_is_shifted_from_its_own_place(noise_net, pooling):
    X = noise_rows(0, 45, 300, n_frames=46)
    starts = np.array([0, 20, 25, 45, 65, 70, 300, 320, 325])
    assert X.segment_rows.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    # The first two rows are joined, the third is not: none goes beyond what is there.
    first, last = np.repeat([0, 300], [6, 3]), np.repeat([70, 325], [6, 3])
    places = [starts, np.minimum(starts + 5, last), np.maximum(starts - 5, first)]
    each = [logits(noise_net, noise_rows(*place)) for place in places]
    pool = {"max": np.max, "mean": np.mean}[pooling]
    expected = pool(np.mean(each, axis=0).reshape(3, 3), axis=1)
    shift_s = 5 * X.format.frame_s
    noise_net.set_params(tta_shifts_s=(shift_s, -shift_s), pooling=pooling)
    np.testing.assert_allclose(logits(noise_net, X)[:, 0], expected, atol=1e-3)


def test_shifts_keep_nan_rows_and_order():
    X = ramp_rows([0, 20, 40, 60], [21, 0, 21, 21])
    Y = np.array([[1.0], [0.0], [1.0], [0.0]])
    net = CNNClassifier("test_efficientnet", tta_shifts_s=[0.05], **TINY).fit(X, Y)
    proba = net.predict_proba(X)[:, 0]
    assert np.isnan(proba).tolist() == [False, True, False, False]
    again = net.predict_proba(X[[3, 0, 2]])[:, 0]
    np.testing.assert_allclose(again, proba[[3, 0, 2]], rtol=1e-5)
