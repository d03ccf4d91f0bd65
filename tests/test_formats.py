"""Formats that libsndfile does not read: phones, cameras, the web."""

import contextlib
import sys
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import HOSTILE, needs_hostile, tone

from skbird.data import (
    AudioReadError,
    list_audio,
    load_recordings,
    read_audio,
    read_header,
    segment_table,
)
from skbird.data._audio_file import AudioFile

av = pytest.importorskip("av")

SECONDS = 14
# Name, codec, container, sample rate: whatever FFmpeg as PyAV brings it can write.
FORMATS = [
    ("aac.m4a", "aac", "mp4", 32_000),
    ("alac.m4a", "alac", "ipod", 32_000),
    ("opus.m4a", "libopus", "mp4", 48_000),
    ("adts.aac", "aac", "adts", 32_000),
    ("aac.mka", "aac", "matroska", 44_100),
    ("opus.mka", "libopus", "matroska", 48_000),
    ("opus.webm", "libopus", "webm", 48_000),
    ("flac.mka", "flac", "matroska", 32_000),
    ("mp3.mka", "libmp3lame", "matroska", 44_100),
    ("pcm.mov", "pcm_s16le", "mov", 32_000),
    ("aac.3gp", "aac", "3gp", 32_000),
    ("amr.3gp", "libopencore_amrnb", "3gp", 8000),
    ("phone.amr", "libopencore_amrnb", "amr", 8000),
    ("wav.wv", "wavpack", "wv", 32_000),
    ("wav.tta", "tta", "tta", 32_000),
    ("layer2.mp2", "mp2", "mp2", 32_000),
    ("dolby.ac3", "ac3", "ac3", 32_000),
    ("trap.avi", "libmp3lame", "avi", 44_100),
    ("alac.caf", "alac", "caf", 32_000),
    ("g726.wav", "adpcm_g726", "wav", 8000),
]


@pytest.fixture(scope="session")
def encode(tmp_path_factory):
    """Return a function that writes a file in some format, once."""
    folder = tmp_path_factory.mktemp("formats")

    def write(name, codec, container, rate, layout="mono", gains=(1,), **options):
        path = folder / name
        if not path.exists():
            try:
                _encode(path, codec, container, rate, layout, gains, options)
            except (av.FFmpegError, ValueError) as exc:
                path.unlink(missing_ok=True)
                pytest.skip(f"this FFmpeg does not write {codec}: {exc}")
        return path

    return write


def _encode(path, codec, container, rate, layout, gains, options):
    samples = sound(rate)
    # Rectangles, so that a shift of one sample is seen in the best codec.
    block = np.stack([gain * samples for gain in gains]).astype("f4")
    with av.open(str(path), "w", format=container, options=options) as file:
        stream = file.add_stream(codec, rate=rate)
        stream.layout = layout
        resampler = av.AudioResampler(
            stream.format, layout, rate, stream.frame_size or 1024
        )
        frame = av.AudioFrame.from_ndarray(block, "fltp", layout)
        frame.sample_rate, frame.pts = rate, 0
        position = 0
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            part.pts, part.time_base = position, Fraction(1, rate)
            position += part.samples
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))


def sound(rate):
    rng = np.random.default_rng(0)
    level = np.linspace(0.1, 1, SECONDS * rate)
    return level * (tone(700, SECONDS, rate) + 0.05 * rng.standard_normal(len(level)))


def straight(path):
    """Decode all of a file, in the plainest way."""
    with av.open(str(path)) as file:
        resampler = av.AudioResampler("fltp")
        frames = [f for part in file.decode(audio=0) for f in resampler.resample(part)]
        return np.concatenate([f.to_ndarray() for f in frames], axis=1).mean(axis=0)


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format[0])
def test_a_format_is_read_sample_by_sample(encode, format):
    path, rate = encode(*format), format[-1]
    header = read_header(path)
    assert header.sample_rate == rate
    assert header.note == ""
    assert header.duration_s == pytest.approx(SECONDS, abs=0.05)
    whole, _ = read_audio(path)
    assert len(whole) == header.n_frames
    np.testing.assert_allclose(whole, straight(path), atol=1e-4)
    with AudioFile(path) as audio:  # forwards, overlapping, backwards, past the end
        for first, last in [(9, 10), (9.5, 11), (1, 2), (12, 13), (8, 9), (13, 99)]:
            frames = slice(round(first * rate), round(last * rate))
            heard = audio.read(frames.start, frames.stop)
            np.testing.assert_allclose(heard, whole[frames], atol=1e-6)


@pytest.mark.parametrize("codec", ["aac", "ac3"])
def test_far_stretches_lie_where_they_should(encode, monkeypatch, codec):
    # Decoders that make noise of their own make other noise behind a seek.
    monkeypatch.setattr("skbird.data._decode._ffmpeg._SEQUENTIAL_S", 0)
    path = encode(f"far.{codec}.mka", codec, "matroska", 48_000)
    whole, rate = read_audio(path)
    part = read_audio(path, 9.3, 11)[0]
    expected = whole[round(9.3 * rate) : 11 * rate]
    assert np.corrcoef(part, expected)[0, 1] > 0.99
    assert (
        np.corrcoef(part[1:], expected[:-1])[0, 1] < np.corrcoef(part, expected)[0, 1]
    )


def test_channels_are_mixed_as_elsewhere(encode):
    stereo = encode("stereo.caf", "alac", "caf", 32_000, "stereo", (1, 0))
    mono, rate = read_audio(stereo)
    assert read_header(stereo).n_channels == 2
    np.testing.assert_allclose(mono, sound(rate) / 2, atol=1e-4)


@pytest.mark.parametrize("name", ["phone.wav", "phone.ogg", "phone.mp3", "phone"])
def test_a_wrong_suffix_is_read_by_its_content(encode, tmp_path, name):
    path = encode("aac.m4a", "aac", "mp4", 32_000)
    (tmp_path / name).write_bytes(path.read_bytes())
    assert read_header(tmp_path / name) == read_header(path)
    soundfile.write(tmp_path / "a.ogg", np.zeros(8000), 8000)
    (tmp_path / "a.ogg").rename(tmp_path / "a.m4a")
    assert read_header(tmp_path / "a.m4a").n_frames == 8000


def test_a_file_cut_short_is_read_as_far_as_it_goes(encode, tmp_path):
    path = encode("start.m4a", "aac", "mp4", 32_000, movflags="faststart")
    cut = tmp_path / "cut.m4a"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    header = read_header(cut)
    assert header.is_cut
    assert f"Its header says {SECONDS}" in header.note
    whole, _ = read_audio(path)
    part, _ = read_audio(cut)
    assert 0.3 < len(part) / len(whole) < 0.7
    np.testing.assert_array_equal(part, whole[: len(part)])


def test_all_suffixes_are_listed(tmp_path):
    suffixes = ".m4a .aac .wma .wv .webm .3gp .MP4 .mp2 .amr .mka .opus .wav".split()
    for suffix in suffixes:
        (tmp_path / f"a{suffix}").touch()
    (tmp_path / "a.txt").touch()
    assert len(list_audio(tmp_path)) == len(suffixes)


def test_a_species_recorded_by_phone_is_there(encode, tmp_path):
    path = encode("aac.m4a", "aac", "mp4", 32_000)
    for species in ("dove", "wren"):
        (tmp_path / species).mkdir()
        (tmp_path / species / "a.m4a").write_bytes(path.read_bytes())
    assert list(load_recordings(tmp_path).Y.columns) == ["dove", "wren"]


# Hostile files ------------------------------------------------------------------------

PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:30\n#EXTINF:14.0,\n{}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile {}\n",
    "dash": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
        '<Period><AdaptationSet mimeType="audio/mp4"><Representation id="0" '
        'bandwidth="1"><BaseURL>{}</BaseURL></Representation></AdaptationSet></Period>'
        "</MPD>"
    ),
    "asx": '<asx version="3.0"><entry><ref href="{}"/></entry></asx>',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns={}\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=audio 5004 RTP/AVP 97\n",
}


@pytest.mark.parametrize("suffix", [".m4a", ".mp3", ".wav"])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_files_that_name_others_are_refused(encode, tmp_path, kind, suffix):
    secret = tmp_path / "secret.aac"
    secret.write_bytes(encode("adts.aac", "aac", "adts", 32_000).read_bytes())
    for target in (secret.name, str(secret), f"file://{secret}"):
        path = tmp_path / f"list{suffix}"
        path.write_text(PLAYLISTS[kind].format(target))
        with pytest.raises(AudioReadError, match="not an audio file"):
            read_header(path)


def test_a_film_without_sound_says_so(tmp_path):
    path = tmp_path / "trap.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        for _ in range(3):
            picture = np.zeros((64, 64, 3), np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        file.mux(stream.encode(None))
    with pytest.raises(AudioReadError, match=r"has no sound: it holds 1 video stream"):
        read_header(path)


@pytest.mark.parametrize("name", ["a.m4a", "a.webm", "a.wma", "a.wv", "a.amr", "a.aac"])
def test_damaged_files_are_errors(encode, tmp_path, name):
    content = bytearray(encode("aac.m4a", "aac", "mp4", 32_000).read_bytes())
    rng = np.random.default_rng(0)
    for _ in range(20):
        for at in rng.integers(0, len(content), 200):
            content[at] = rng.integers(256)
        path = tmp_path / name
        path.write_bytes(content)
        with contextlib.suppress(AudioReadError):  # nothing else
            samples, _ = read_audio(path)
            assert len(samples) < 2 * SECONDS * 32_000


# Without PyAV -------------------------------------------------------------------------


@pytest.fixture
def without_av(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)


@pytest.mark.usefixtures("without_av")
def test_without_the_extra_files_are_listed_with_the_remedy(encode, tmp_path):
    path = encode("aac.m4a", "aac", "mp4", 32_000)
    with pytest.raises(AudioReadError, match=r"aac\.m4a is of a format .*\[formats\]'"):
        read_header(path)
    renamed = tmp_path / "renamed.wav"
    renamed.write_bytes(path.read_bytes())
    with pytest.raises(AudioReadError, match=r"pip install 'skbird\[formats\]'"):
        read_header(renamed)
    rows = segment_table([path], on_error="skip")
    assert rows["end"].isna().all()
    text = tmp_path / "text.wav"
    text.write_text("not audio")
    with pytest.raises(AudioReadError, match="not an audio file that libsndfile"):
        read_header(text)


@pytest.mark.usefixtures("without_av")
def test_describe_exits_with_3_if_the_extra_is_missing(encode, tmp_path, birds):
    runner = pytest.importorskip("click.testing").CliRunner()
    from skbird.cli._app import app

    path = encode("aac.m4a", "aac", "mp4", 32_000)
    (tmp_path / "phone.m4a").write_bytes(path.read_bytes())
    soundfile.write(tmp_path / "good.wav", tone(700, 3), 16_000)
    result = runner.invoke(app, ["describe", "--no-labels", str(tmp_path)])
    assert result.exit_code == 3, result.output
    assert "phone.m4a" in result.stderr
    assert "pip install 'skbird[formats]'" in result.stderr


# Files of others ----------------------------------------------------------------------


@needs_hostile
def test_a_phone_recording():
    rows = segment_table([HOSTILE / "audio" / "phone.m4a"])
    pd.testing.assert_series_equal(
        rows["end"], pd.Series([5.0, 10.0, 12.0], name="end")
    )
