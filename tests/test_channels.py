"""Recordings with several channels: which is heard, and what is said if none is."""

import pickle
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import RATE, tone
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skbird.audio import AudioReadError, read_audio
from skbird.audio._channels import check_channels
from skbird.audio._decode import open_decoder
from skbird.cli._read_settings import read_settings
from skbird.data import Recordings, check_rows
from skbird.preprocessing import LogMel, Resampler, RMSFilter

HOT, COLD = tone(1000, 2), 0.25 * tone(3000, 2)
pytestmark = pytest.mark.filterwarnings("ignore:. rows name 1 recording ")
CANCELS = r"the mean of the channels is some 6 dB or more quieter than the loudest"


@pytest.fixture
def stereo(write_wav):
    return write_wav("stereo.wav", np.column_stack([COLD, HOT]))


def chain(channels, **options):
    steps = Resampler(RATE, channels=channels), LogMel(16, verbose=0, **options)
    return make_pipeline(*steps)


def band(spectrogram):
    """Which mel band is loudest."""
    return int(np.asarray(spectrogram, np.float32).mean(axis=1).argmax())


@pytest.fixture
def bands(write_wav):
    alone = [write_wav(f"{n}.wav", sound) for n, sound in enumerate((COLD, HOT))]
    return [band(found) for found in chain("mean").fit_transform(alone)]


@pytest.mark.parametrize(
    ("channels", "heard"), [(0, 0), (1, 1), ("1", 1), ("loudest", 1), (np.int64(0), 0)]
)
def test_one_channel_is_heard(stereo, channels, heard):
    samples, _ = read_audio(stereo, channels=channels)
    np.testing.assert_allclose(samples, (COLD, HOT)[heard], atol=1e-6)


def test_the_mean_is_the_default(stereo):
    np.testing.assert_allclose(read_audio(stereo)[0], (COLD + HOT) / 2, atol=1e-6)
    assert Resampler().channels == "mean"


@pytest.mark.parametrize("cached", [False, True])
def test_a_pipeline_hears_what_it_says_and_the_column_counts_more(
    stereo, bands, tmp_path, cached
):
    cache_dir = tmp_path / "cache" if cached else None
    rows = pd.DataFrame({"path": stereo, "channels": ["loudest", 0, 1.0, "0", None]})
    pipe = chain(0, cache_dir=cache_dir)
    for _ in range(2):  # the second time from the cache
        found = [band(one) for one in pipe.fit_transform(rows)]
        assert found == [bands[k] for k in (1, 0, 1, 0, 0)]
    pipe.set_params(resampler__channels=1)
    assert band(clone(pipe).fit_transform([stereo])[0]) == bands[1]
    assert band(pickle.loads(pickle.dumps(pipe)).transform([stereo])[0]) == bands[1]


def test_a_row_by_itself_is_read_from_the_same_channel(stereo):
    rows = pd.DataFrame({"path": stereo, "channels": ["0", np.nan]})
    recordings = Resampler(RATE, channels="loudest").transform(rows)
    np.testing.assert_allclose(recordings[0].samples, COLD, atol=1e-5)
    np.testing.assert_allclose(recordings[1].samples, HOT, atol=1e-5)


def test_filters_judge_what_is_heard(write_wav):
    loud = np.concatenate([np.zeros(5 * RATE), tone(1000, 5)])
    path = write_wav("a.wav", np.column_stack([loud, 0.01 * loud[::-1]]))
    for channels, best in ((0, 1), (1, 0)):
        pipe = make_pipeline(Resampler(RATE, channels=channels), RMSFilter(0.5))
        weights = pipe.fit_transform([path])[0].weights
        assert weights[-best] > weights[best - 1]


def test_the_loudest_is_that_of_the_file_whichever_rows_are_asked_for(write_wav):
    first = np.concatenate([tone(1000, 2), np.zeros(4 * RATE)])
    second = np.concatenate([np.zeros(2 * RATE), tone(3000, 4)])
    path = write_wav("a.wav", np.column_stack([first, second]))
    rows = pd.DataFrame({"path": path, "start": [0.0, 2.0, 4.0]})
    rows["end"] = rows["start"] + 2
    whole = chain("loudest").fit_transform(rows)
    assert not np.ptp(whole[0])  # the first channel is not heard
    for order in ([2, 0, 1], [0], [1]):
        some = chain("loudest").fit_transform(rows.iloc[order])
        for row, one in zip(order, some, strict=True):
            np.testing.assert_array_equal(one, whole[row])


@pytest.mark.parametrize("seconds", [3, 90])
def test_an_offset_is_not_loud_and_the_first_of_equals_is_taken(write_wav, seconds):
    sound = 0.01 * tone(1000, seconds)
    columns = np.zeros_like(sound) + 0.4, sound, -sound
    path = write_wav("a.wav", np.column_stack(columns))
    np.testing.assert_allclose(read_audio(path, channels="loudest")[0], sound)


@pytest.mark.parametrize("other", [-1.0, 0.0], ids=["antiphase", "dead"])
def test_a_mean_that_cancels_is_said_once_for_all_files(write_wav, other):
    paths = [
        write_wav(f"{n}.wav", np.column_stack([HOT, other * HOT])) for n in range(2)
    ]
    rows = pd.DataFrame({"path": [*paths, *paths], "start": [0.0, 0.0, 1.0, 1.0]})
    with pytest.warns(UserWarning, match=f"In 2 recordings {CANCELS}") as warned:
        chain("mean").fit_transform(rows)
    assert len(warned) == 1
    with pytest.warns(UserWarning, match=f"In 1 recording {CANCELS}"):
        read_audio(paths[0])


@pytest.mark.parametrize("n_channels", [1, 2, 4, 8])
@pytest.mark.parametrize("kind", ["same", "independent", "silent"])
@pytest.mark.filterwarnings("error")
def test_a_mean_that_keeps_the_sound_is_not_talked_about(write_wav, n_channels, kind):
    rng = np.random.default_rng(0)
    level = {"same": 0, "independent": 0.1, "silent": 1e-7}[kind]
    sound = level * rng.standard_normal((len(HOT), n_channels))
    sound += HOT[:, None] * (kind == "same")
    chain("mean").fit_transform([write_wav("a.wav", sound)])
    chain("loudest").fit_transform([write_wav("b.wav", sound)])


@pytest.mark.parametrize("second_db", [-3, -8, -15])
@pytest.mark.filterwarnings("error")
def test_ordinary_stereo_is_not_talked_about(write_wav, second_db):
    rng = np.random.default_rng(0)
    sound = 0.1 * rng.standard_normal((10 * RATE, 2)) * (1, 10 ** (second_db / 20))
    read_audio(write_wav("a.wav", sound))


@pytest.mark.parametrize(
    "gains",
    [(1, -1), (1, -0.5), (1, 0), (1, 0.03), (1, -0.03), (0, 1, 0, 0), (1, -1, 1, -1)],
)
def test_sound_that_the_mean_loses_is_said(write_wav, gains):
    path = write_wav("a.wav", HOT[:, None] * gains)
    with pytest.warns(UserWarning, match=CANCELS):
        read_audio(path)


def test_a_file_that_goes_while_it_is_opened_is_an_error(write_wav, monkeypatch):
    path = write_wav("gone.wav", np.column_stack([COLD, HOT]))
    decoders = []

    def open_and_remove(path):
        decoders.append(open_decoder(path))
        Path(path).unlink()
        return decoders[0]

    monkeypatch.setattr("skbird.audio._audio_file.open_decoder", open_and_remove)
    with pytest.raises(AudioReadError, match=r"gone.wav cannot be read: No such file"):
        read_audio(path, channels="loudest")
    with pytest.raises(soundfile.SoundFileRuntimeError, match="closed file"):
        decoders[0].read(1)


def test_a_channel_that_a_file_lacks_names_both(stereo, write_wav):
    mono = write_wav("mono.wav", HOT)
    with pytest.raises(AudioReadError, match=r"stereo.wav has 2 channels, .*nels=2"):
        read_audio(stereo, channels=2)
    with pytest.raises(AudioReadError, match=r"row 1: .*mono.wav has 1 channel, .*=1"):
        chain(1).fit_transform([stereo, mono])
    with pytest.warns(UserWarning, match="1 of 2 rows"):
        found = chain(1, on_error="skip").fit_transform([stereo, mono])
    assert found.errors["row"].tolist() == [1]
    assert found.n_frames[0] > 0


def test_one_channel_is_the_loudest_and_the_first_of_one(write_wav):
    path = write_wav("a.wav", HOT)
    for channels in ("loudest", 0, "mean"):
        np.testing.assert_allclose(read_audio(path, channels=channels)[0], HOT, 1e-6)


@pytest.mark.parametrize("value", ["", "left", -1, 1.5, True, None, np.inf, "1.5"])
def test_what_means_no_channel_is_refused(value, stereo):
    with pytest.raises(ValueError, match=r"channels=.* must be 'mean', 'loudest' or"):
        check_channels(value)
    if value not in ("", None):
        with pytest.raises(ValueError, match="Row 1 of X: channels="):
            check_rows(pd.DataFrame({"path": stereo, "channels": ["mean", value]}))
        rows = pd.DataFrame({"path": [stereo], "channels": [value]})
        with pytest.raises(ValueError, match="Row 0 of rows: channels="):
            Recordings(rows)
    with pytest.raises((ValueError, TypeError), match="channels"):
        Resampler(channels=value).fit([stereo])


def test_rows_keep_the_column_as_text_that_parquet_holds(stereo):
    rows = pd.DataFrame({"path": stereo, "channels": [1, "loudest", None]})
    kept = Recordings(rows).rows["channels"]
    assert kept.tolist()[:2] == ["1", "loudest"]
    assert kept.isna().tolist() == [False, False, True]
    pd.testing.assert_series_equal(check_rows(Recordings(rows).rows)["channels"], kept)


def test_train_has_a_setting(tmp_path):
    config = tmp_path / "a.toml"
    for text, channels in (('"loudest"', "loudest"), ("1", 1), ('"1"', 1)):
        config.write_text(f"channels = {text}")
        settings = read_settings(config, {}, [])
        assert check_channels(settings.channels) == channels
    config.write_text('channels = "left"')
    with pytest.raises(click.UsageError, match="must be 'mean', 'loudest' or"):
        read_settings(config, {}, [])
