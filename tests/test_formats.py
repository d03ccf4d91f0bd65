"""Formats that libsndfile does not read: phones, cameras, the web."""

import contextlib
import re
import sys
from fractions import Fraction
from functools import cache
from io import FileIO

import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import HOSTILE, needs_hostile, tone

from skbird.audio import AudioReadError, list_audio, read_audio, read_header
from skbird.audio._audio_file import AudioFile
from skbird.audio._decode import _ffmpeg
from skbird.audio._decode._gaps import Block, GapFinder
from skbird.data import segment_table
from skbird.datasets import load_recordings
from skbird.preprocessing import LogMel
from skbird.utils._extras import install_hint

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


@pytest.mark.slow
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
    monkeypatch.setattr("skbird.audio._decode._ffmpeg._SEQUENTIAL_S", 0)
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


def test_a_stream_of_variable_bitrate_is_not_called_cut(tmp_path):
    path = tmp_path / "loud.aac"
    loudness = np.abs(np.sin(np.arange(30 * 16_000) / 16_000))
    noise = 0.3 * loudness * np.random.default_rng(1).standard_normal(len(loudness))
    _encode_samples(path, [noise], "aac", "adts", 16_000)
    header = read_header(path)
    assert header.duration_s == pytest.approx(30, abs=0.2)
    assert (header.note, header.is_cut) == ("", False)


@pytest.mark.parametrize("container", ["matroska", "mp4"])
def test_other_streams_than_the_first_are_said_to_be_unheard(tmp_path, container):
    path = tmp_path / f"two.{container}"
    noise = np.random.default_rng(1).standard_normal(16_000)
    _encode_samples(path, [0.1 * noise, 0.2 * noise], "aac", container, 16_000)
    header = read_header(path)
    assert header.note == "Of its 2 audio streams, only the first is heard."
    assert not header.is_cut


def _encode_samples(path, streams, codec, container, rate):
    """Write one stream for each array of samples."""
    with av.open(str(path), "w", format=container) as file:
        coders = [file.add_stream(codec, rate=rate, layout="mono") for _ in streams]
        for coder, samples in zip(coders, streams, strict=True):
            for first in range(0, len(samples), 1024):
                part = samples[None, first : first + 1024].astype("f4")
                frame = av.AudioFrame.from_ndarray(part, "fltp", "mono")
                frame.sample_rate, frame.pts = rate, first
                file.mux(coder.encode(frame))
            file.mux(coder.encode(None))


# Damage ------------------------------------------------------------------------------


def damaged(path, at, n_bytes=40):
    """Overwrite some bytes at a share of the file; return the path of the new one."""
    content = bytearray(path.read_bytes())
    first = round(at * len(content))
    noise = np.random.default_rng(1).integers(0, 256, n_bytes, np.uint8)
    content[first : first + n_bytes] = noise.tobytes()
    bad = path.with_name(f"bad-{at}-{n_bytes}-{path.name}")
    bad.write_bytes(content)
    return bad


@cache
def read_seconds(path, n_seconds):
    """Read each second by itself; None stands for those that cannot be read."""
    found = []
    for second in range(n_seconds):
        try:
            found.append(read_audio(path, second, second + 1)[0])
        except AudioReadError:
            found.append(None)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("at", [0.1, 0.25, 0.8])
@pytest.mark.parametrize("name", ["aac.m4a", "aac.3gp", "alac.m4a", "amr.3gp"])
def test_a_damaged_packet_costs_what_it_holds(encode, name, at):
    whole = encode(*next(format for format in FORMATS if format[0] == name))
    bad = damaged(whole, at)
    assert read_header(bad).n_frames == read_header(whole).n_frames
    expected, found = read_seconds(whole, SECONDS), read_seconds(bad, SECONDS)
    alike = [np.corrcoef(*both)[0, 1] for both in zip(expected, found, strict=True)]
    hit = int(at * SECONDS)
    assert min(alike[: hit - 1] + alike[hit + 2 :], default=1) > 0.99


def test_what_is_damaged_is_said(encode):
    bad = damaged(encode("aac.m4a", "aac", "mp4", 32_000), 0.5)
    header = read_header(bad)
    assert header.is_cut
    assert "0.03 s of it are damaged, first at 7." in header.note
    with pytest.warns(UserWarning, match=r"are damaged, first at 7\.\d\d s"):
        assert len(segment_table([bad])) == 3


@pytest.mark.parametrize(
    ("format", "at", "n_bytes"),
    [
        (("opus.webm", "libopus", "webm", 48_000), 0.25, 40),  # loses its cluster
        (("aac.m4a", "aac", "mp4", 32_000), 0.25, 15_000),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else str(value),
)
def test_rows_over_a_long_gap_are_errors_and_those_behind_lie_right(
    encode, format, at, n_bytes
):
    whole = encode(*format)
    bad = damaged(whole, at, n_bytes)
    expected, found = read_seconds(whole, SECONDS), read_seconds(bad, SECONDS)
    lost = [second for second, sound in enumerate(found) if sound is None]
    assert lost
    assert lost == list(range(lost[0], lost[-1] + 1))
    for second in {*range(lost[0]), *range(lost[-1] + 2, SECONDS - 1)}:
        # AAC makes noise of its own, which goes on with other random numbers.
        assert np.corrcoef(found[second], expected[second])[0, 1] > 0.99
    with pytest.raises(AudioReadError, match=r"Cannot decode .* s: it is damaged ther"):
        read_audio(bad)


def test_a_damaged_beginning_costs_what_it_holds(encode):
    whole = encode("flac.mka", "flac", "matroska", 32_000)
    bad = damaged(whole, 3000 / whole.stat().st_size, 300)
    assert "damaged, first at 0.00 s" in read_header(bad).note
    expected, found = read_seconds(whole, SECONDS), read_seconds(bad, SECONDS)
    for second in range(1, SECONDS):
        np.testing.assert_allclose(found[second], expected[second], atol=1e-5)


def test_rows_of_a_damaged_recording_are_predicted(encode):
    bad = damaged(encode("aac.m4a", "aac", "mp4", 32_000), 0.25, 15_000)
    with pytest.warns(UserWarning, match="are damaged"):
        rows = segment_table([bad], 2, 2)
    step = LogMel(n_mels=8, on_error="skip", verbose=0)
    # FFmpeg 9 ends with the last sample, older ones with its packet, in an 8th row.
    with pytest.warns(UserWarning, match="of [78] rows"):
        found = step.fit_transform(rows)
    assert 1 <= len(found.errors) <= 3
    assert (np.delete(found.n_frames, found.errors["row"]) > 0).all()


def test_a_disk_that_fails_is_no_damage(encode, monkeypatch, tmp_path):
    path = tmp_path / "phone.m4a"
    path.write_bytes(encode("aac.m4a", "aac", "mp4", 32_000).read_bytes())
    half = path.stat().st_size // 2

    class Failing(FileIO):
        def read(self, size=-1):
            if self.tell() > half:
                raise OSError(5, "Input/output error")
            return super().read(size)

    with monkeypatch.context() as patch:
        patch.setattr(_ffmpeg, "open", lambda path, _: Failing(path), raising=False)
        with pytest.raises(AudioReadError, match="Input/output error"):
            read_header(path)
    assert read_header(path).note == ""


def block(stamp, first, *, n_bad=0, n_frames=1000):
    samples = np.zeros((n_frames, 1), np.float32)
    return Block(samples, stamp, first, first + 100, n_bad)


@pytest.mark.parametrize(
    ("after", "missing"),
    [
        (block(1000, 100), 0),
        (block(2000, 200, n_bad=1), 1000),
        (block(1998, 200, n_bad=1), 1000),  # times are rounded
        (block(5000, 500), 4000),  # whole packets are lost
        (block(5000, 110), 0),  # a pause
        (block(10**9, 200, n_bad=1), 1000),  # the time is damaged
        (block(500, 200, n_bad=1), 0),
        (block(None, 300, n_bad=2), 2000),
    ],
)
def test_gaps_are_told_by_times_as_far_as_bytes_allow(after, missing):
    finder = GapFinder(1.0, 0)
    assert finder.missing(block(0, 0), 0) == 0
    assert finder.missing(after, 1000) == missing


# Listing -----------------------------------------------------------------------------


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
    hint = re.escape(install_hint("formats"))
    with pytest.raises(AudioReadError, match=rf"aac\.m4a is of a format .*{hint}"):
        read_header(path)
    renamed = tmp_path / "renamed.wav"
    renamed.write_bytes(path.read_bytes())
    with pytest.raises(AudioReadError, match=hint):
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
    assert install_hint("formats") in result.stderr


# Files of others ----------------------------------------------------------------------


@needs_hostile
def test_a_phone_recording():
    rows = segment_table([HOSTILE / "audio" / "phone.m4a"])
    pd.testing.assert_series_equal(
        rows["end"], pd.Series([5.0, 10.0, 12.0], name="end")
    )
