"""Headers that lie: what they promise is not what the file holds."""

import io
import os
import socket
import struct
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
import soundfile
from conftest import HOSTILE, heard, needs_hostile, tone
from scipy.signal import correlate

from skbird.audio import AudioReadError, read_audio, read_header
from skbird.audio import _read_audio as _audio
from skbird.audio._audio_file import AudioFile
from skbird.audio._audio_header import AudioHeader
from skbird.audio._decode import _counting, _mpeg
from skbird.audio._decode._chunks import look_at_chunks
from skbird.audio._decode._flac import look_at_flac
from skbird.audio._decode._sndfile import SndfileDecoder
from skbird.data import segment_table
from skbird.preprocessing import LogMel
from skbird.reports import describe_recordings

RATE = 8000
SECONDS = 12
# libmpg123 and libvorbis give back a few samples more or less than were written.
CODEC_S = 0.1


@pytest.fixture(scope="module")
def sound():
    rng = np.random.default_rng(0)
    level = np.linspace(0.2, 1, SECONDS * RATE)  # no second is like another
    return level * (tone(700, SECONDS, RATE) + 0.05 * rng.standard_normal(len(level)))


@pytest.fixture
def written(sound, tmp_path):
    """Return a function that writes the sound and returns the bytes of the file."""

    def write(format, subtype=None, samples=sound):
        path = tmp_path / f"whole.{format.lower()}"
        soundfile.write(path, samples, RATE, format=format, subtype=subtype)
        return bytearray(path.read_bytes())

    return write


@pytest.fixture
def hear(tmp_path):
    """Return a function that reads bytes: header and whole sound."""
    return lambda content, name="night.wav": heard(tmp_path / name, content)


def patched(content, at, packed):
    content[at : at + len(packed)] = packed
    return content


def with_wav_size(content, size, riff_size=None):
    if riff_size is not None:
        patched(content, 4, struct.pack("<I", riff_size))
    return patched(content, content.index(b"data") + 4, struct.pack("<I", size))


# WAV and its relatives ----------------------------------------------------------------


@pytest.mark.parametrize("riff_size", [0, 0xFFFFFFFF, None])
@pytest.mark.parametrize("size", [0, 1000, 1001, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFDB])
def test_wav_of_a_recorder_that_died_is_read_to_its_end(
    written, hear, sound, size, riff_size
):
    header, samples = hear(with_wav_size(written("WAV"), size, riff_size))
    np.testing.assert_allclose(samples, sound, atol=1e-4)
    assert "header" in header.note
    assert not header.is_cut


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "FLOAT", "IMA_ADPCM", "ULAW"])
def test_wav_sizes_are_mended_in_every_coding(written, hear, subtype):
    whole = written("WAV", subtype)
    expected = hear(bytes(whole), "good.wav")[1]
    np.testing.assert_array_equal(hear(with_wav_size(whole, 0))[1], expected)


def test_wav_of_several_channels_is_mended(written, hear, sound):
    content = written("WAVEX", samples=np.stack([sound, -sound, sound], axis=1))
    header, samples = hear(with_wav_size(content, 999))
    assert header.n_channels == 3
    np.testing.assert_allclose(samples, sound / 3, atol=1e-4)


@pytest.mark.parametrize("head", ["RIFF", "RF64"])
def test_more_than_4_gb(tmp_path, head):
    path = tmp_path / "long.wav"
    rate, size = 384_000, 2**32 + 2**20
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, 2**64 - 1, 2**64 - 1, 0, 0)
    sizes = sizes if head == "RF64" else b""
    data = struct.pack("<4sI", b"data", 2**32 - 1 if sizes else size % 2**32)
    start = head.encode() + struct.pack("<I4s", 2**32 - 1, b"WAVE") + sizes + fmt + data
    with path.open("wb") as file:  # a sparse file: nothing but its last second is kept
        file.write(start + struct.pack("<h", 1))
        file.seek(len(start) + 2**20)
        file.write(np.full(1000, 8000, "<i2").tobytes())
        file.seek(len(start) + size - 2 * rate)
        file.write(np.full(rate, 16_384, "<i2").tobytes())
    header = read_header(path)
    assert header.n_frames == size // 2
    with AudioFile(path) as audio:
        np.testing.assert_array_equal(audio.read(size // 2 - 5, size // 2), 0.5)


@pytest.mark.parametrize(
    "chunk",
    [
        struct.pack("<4sI", b"LIST", 2000) + b"INFO" + b"\xff\x03" * 998,
        struct.pack("<4sI", b"id3 ", 2001) + b"ID3\xff" * 501,
        struct.pack("<4sI", b"zyxw", 2000) + b"\xff\x03" * 1000,
        b"TAG" + b"\xff\x03" * 2000,
        b"<xml>some text</xml>" * 100,
        bytes(5000),
    ],
    ids=["LIST", "odd id3", "unknown", "tag", "text", "zeros"],
)
@pytest.mark.parametrize("n_frames", [8000, 8001])
def test_what_follows_the_samples_is_not_read_as_sound(
    written, hear, sound, chunk, n_frames
):
    content = written("WAV", "PCM_U8", samples=sound[:n_frames])
    header, samples = hear(content + chunk)
    assert len(samples) == n_frames
    assert header.note == ""


@pytest.mark.slow
def test_space_set_aside_is_looked_at_once_and_here_and_there(
    written, tmp_path, monkeypatch
):
    path, content = tmp_path / "long.wav", written("WAV", "PCM_16")
    with path.open("wb") as file:  # a sparse file
        file.write(content)
        file.truncate(2**33)
    assert read_header(path).note == ""
    monkeypatch.setattr("skbird.audio._decode._chunks._find_bytes", None)
    assert read_header(path).note == ""
    monkeypatch.undo()
    with path.open("r+b") as file:
        file.seek(2**33 - 1)
        file.write(b"1")
    assert read_header(path).note != ""


@pytest.mark.parametrize("format", ["WAV", "RF64", "W64", "AIFF", "CAF", "AU"])
def test_a_file_cut_short_is_listed_as_such(written, hear, sound, format):
    content = written(format, "PCM_16")
    header, samples = hear(content[: len(content) * 2 // 3], f"cut.{format.lower()}")
    np.testing.assert_allclose(samples, sound[: len(samples)], atol=1e-4)
    assert len(samples) > 0.6 * len(sound)
    assert header.is_cut
    assert "Its header says 12.00 s" in header.note


@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_what_a_cut_file_of_packets_holds_is_heard(written, hear, sound, share):
    content = written("CAF", "ALAC_16")
    header, samples = hear(content[: int(len(content) * share)], "cut.caf")
    np.testing.assert_allclose(samples, sound[: len(samples)], atol=1e-4)
    # The last packet, of 4096 samples, may be lost.
    assert len(sound) * (share - 0.1) - 4096 < len(samples) < len(sound)
    assert header.n_frames == len(samples)
    assert "Its header says 12.00 s" in header.note


def _rf64(content, size):
    return patched(content, 28, struct.pack("<Q", size))


def _w64(content, size):
    return patched(content, content.index(b"data") + 16, struct.pack("<Q", size))


def _caf(content, size):
    return patched(content, content.index(b"data") + 4, struct.pack(">Q", size))


def _aiff(content, size):
    return patched(content, content.index(b"SSND") + 4, struct.pack(">I", size % 2**32))


def _au(content, size):
    return patched(content, 8, struct.pack(">I", size % 2**32))


@pytest.mark.parametrize("size", [0, 1000, 2**64 - 1])
@pytest.mark.parametrize(
    ("format", "with_size"),
    [("RF64", _rf64), ("W64", _w64), ("CAF", _caf), ("AIFF", _aiff), ("AU", _au)],
)
def test_sizes_of_other_containers(written, hear, sound, format, with_size, size):
    content = with_size(written(format, "PCM_16"), size)
    _, samples = hear(content, f"night.{format.lower()}")
    np.testing.assert_allclose(samples, sound, atol=1e-4)


@pytest.mark.parametrize("format", ["WAV", "RF64", "W64", "AIFF", "CAF", "AU", "FLAC"])
def test_a_true_header_is_believed(written, hear, format):
    header, _ = hear(written(format, "PCM_16"), f"good.{format.lower()}")
    assert (header.n_frames, header.note) == (SECONDS * RATE, "")


@pytest.mark.parametrize("format", ["WAV", "RF64", "W64", "AIFF", "CAF", "AU"])
@pytest.mark.parametrize("n_frames", [SECONDS * RATE, SECONDS * RATE - 1])
def test_files_written_one_after_another_are_heard(
    written, hear, sound, format, n_frames
):
    first = sound[:n_frames]
    content = written(format, "PCM_16", samples=first) + written(format, "PCM_16")
    header, samples = hear(content, f"cat.{format.lower()}")
    np.testing.assert_allclose(samples, np.append(first, sound), atol=1e-4)
    assert header.note == "Its header says 12.00 s, it holds 24.00 s: all is read."


def test_a_wav_file_behind_tags_of_the_first_is_heard(written, hear, sound):
    tags = struct.pack("<4sI", b"LIST", 2000) + b"INFO" + b"\xff\x03" * 998
    _, samples = hear(written("WAV") + tags + written("WAV"))
    np.testing.assert_allclose(samples, np.append(sound, sound), atol=1e-4)


@pytest.mark.parametrize("between", [b"", struct.pack("<4sI", b"LIST", 4) + b"INFO"])
def test_a_second_chunk_of_samples_is_heard(written, hear, between):
    content = written("WAV")
    samples = content[44:]
    second = between + struct.pack("<4sI", b"data", len(samples)) + samples
    header, _ = hear(content + second)
    assert header.duration_s == pytest.approx(2 * SECONDS)
    assert "all is read" in header.note


def test_a_last_chunk_without_a_name_is_not_heard(written, hear, sound):
    content = written("WAV")
    rest = b"\x7f\x12" * 2000
    size = struct.pack("<I", len(rest))
    header, samples = hear(content + bytes(4) + size + rest)
    np.testing.assert_allclose(samples, sound, atol=1e-4)
    assert header.note == ""
    # Samples that begin with silence are heard: no size lies behind it.
    header, _ = hear(content + bytes(8) + rest)
    assert header.n_frames == len(sound) + 4 + len(rest) // 2


def test_loud_samples_of_8_bits_are_no_text(written, hear):
    samples = np.full(SECONDS * RATE, -0.3) + 0.01 * np.sin(np.arange(SECONDS * RATE))
    content = written("WAV", "PCM_U8", samples=samples)
    header, _ = hear(with_wav_size(content, 3 * RATE))
    assert header.duration_s == pytest.approx(SECONDS)


# Where the last chunk says how long it is: in 8 bytes, in 4.
@pytest.mark.parametrize(
    ("format", "head"),
    [
        ("W64", b"junk" + bytes(12) + b"\x7f" * 8),
        ("CAF", b"free" + b"\x7f" * 8),
        ("RF64", b"JUNK" + b"\x7f" * 4),
        ("WAV", b"JUNK" + b"\x7f" * 4),
        ("AIFF", b"ANNO" + b"\x7f" * 4),
    ],
)
def test_a_last_chunk_beyond_all_files_costs_nothing(
    written, hear, sound, format, head
):
    header, samples = hear(written(format) + head + bytes(100))
    np.testing.assert_allclose(samples, sound, atol=1e-4)
    assert header.note == ""


@pytest.mark.parametrize(
    ("format", "at", "n_bytes"), [("W64", 56, 8), ("CAF", 12, 8), ("RF64", 16, 4)]
)
def test_a_chunk_before_the_samples_beyond_all_files_ends_the_search(
    written, hear, format, at, n_bytes
):
    content = patched(written(format), at, b"\x7f" * n_bytes)
    with pytest.raises(AudioReadError, match=r"night\.wav is not an audio file"):
        hear(content)


def test_what_lies_before_the_samples_is_not_held_in_memory(tmp_path, sound):
    path, n_bytes = tmp_path / "large.wav", 2**28
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, RATE * 2, 2, 16)
    with path.open("wb") as file:  # a sparse file
        file.write(b"RIFF\0\0\0\0WAVE" + fmt + struct.pack("<4sI", b"JUNK", n_bytes))
        file.seek(n_bytes, os.SEEK_CUR)
        file.write(struct.pack("<4sI", b"data", 0))
        file.write((sound * 32_767).astype("<i2").tobytes())
    tracemalloc.start()
    header = read_header(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert header.n_frames == len(sound)
    assert peak < 2**22


class CountedFile(io.FileIO):
    """A file that counts how often it is read."""

    n_reads = 0

    def read(self, *args):
        self.n_reads += 1
        return super().read(*args)


def test_chunks_without_end_cost_nothing(written, tmp_path):
    content = written("WAV")
    many = struct.pack("<4sI", b"junk", 0) * 50_000
    path = tmp_path / "many.audio"
    path.write_bytes(content[:36] + many + content[36:])
    with CountedFile(path) as file:
        assert look_at_chunks(file, 0, path.stat().st_size) is None
        assert file.n_reads < 2000


def test_blocks_without_end_cost_nothing(written, tmp_path):
    content = written("FLAC")
    many = bytes([1, 0, 0, 0]) * 50_000  # blocks of padding that are empty
    path = tmp_path / "many.audio"
    path.write_bytes(content[:42] + many + content[42:])
    with CountedFile(path) as file:
        look_at_flac(file, 0, path.stat().st_size)
        assert file.n_reads < 3000  # the blocks are looked at twice


# FLAC, Ogg, mp3 -----------------------------------------------------------------------


def with_total(content, total):
    fields = int.from_bytes(content[18:26], "big")
    return patched(content, 18, (fields >> 36 << 36 | total).to_bytes(8, "big"))


@pytest.mark.parametrize(
    ("total", "is_cut"),
    [(0, False), (RATE, False), (2 * SECONDS * RATE, True), (2**36 - 1, True)],
)
def test_flac_is_read_to_its_true_end(written, hear, sound, total, is_cut):
    header, samples = hear(with_total(written("FLAC"), total), "night.flac")
    np.testing.assert_allclose(samples, sound, atol=1e-4)
    assert header.is_cut == is_cut
    assert header.note


def test_flac_cut_within_a_frame_keeps_what_is_whole(written, hear, sound):
    content = written("FLAC")
    header, samples = hear(content[: len(content) // 2], "cut.flac")
    np.testing.assert_allclose(samples, sound[: len(samples)], atol=1e-4)
    assert len(samples) > 0.4 * len(sound)
    assert "it holds" in header.note


def test_damage_between_rows_costs_neither(written, tmp_path, sound):
    content = written("FLAC")
    path = tmp_path / "night.flac"
    middle = len(content) // 2
    path.write_bytes(patched(content, middle, bytes(range(256)) * 4))
    with AudioFile(path) as audio:
        audio.read(0, 3 * RATE)
        with pytest.raises(AudioReadError, match="Cannot decode"):
            audio.read(3 * RATE, 9 * RATE)
    lost = [n for n in range(SECONDS) if not _is_readable(path, n)]
    assert lost
    assert lost[-1] - lost[0] <= 1
    with AudioFile(path) as audio:
        for first in (lost[0] - 1, lost[-1] + 1):
            part = sound[first * RATE : (first + 1) * RATE]
            heard = audio.read(first * RATE, (first + 1) * RATE)
            np.testing.assert_allclose(heard, part, atol=1e-4)


def _is_readable(path, second):
    try:
        return len(read_audio(path, second, second + 1)[0]) == RATE
    except AudioReadError:
        return False


def test_stretches_of_a_mended_file_equal_the_whole(written, tmp_path, sound):
    path = tmp_path / "night.flac"
    path.write_bytes(with_total(written("FLAC"), 2**35))
    with AudioFile(path) as audio:
        for first, last in [(9, 10), (1, 3), (2, 4), (11, 12), (0, 1), (11, 99)]:
            part = sound[first * RATE : last * RATE]
            heard = audio.read(first * RATE, last * RATE)
            np.testing.assert_allclose(heard, part, atol=1e-4)


def with_granule(content, granule):
    """Change what the last page counts; its checksum is of no page any more."""
    from skbird.audio._decode._crc import crc

    page = content[content.rindex(b"OggS") :]
    patched(page, 6, struct.pack("<q", granule))
    patched(page, 22, bytes(4))
    patched(page, 22, struct.pack("<I", crc(page, 32, 0x04C11DB7)))
    return content[: -len(page)] + page


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("granule", [1, 10**6, 2**50, -1])
def test_ogg_whose_last_page_lies(written, hear, subtype, granule):
    content = with_granule(written("OGG", subtype), granule)
    header, _ = hear(content, "night.ogg")
    assert header.duration_s == pytest.approx(SECONDS, abs=CODEC_S)
    assert header.note


@pytest.mark.parametrize(("subtype", "rate"), [("VORBIS", RATE), ("OPUS", 48_000)])
def test_notes_give_the_seconds_that_the_last_page_says(written, hear, subtype, rate):
    header, _ = hear(with_granule(written("OGG", subtype), 1000 * rate), "night.ogg")
    assert "Its header says 1000.00 s, it holds 12" in header.note


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_recordings_one_after_another_in_an_ogg_file(written, hear, subtype):
    content = written("OGG", subtype)
    header, once = hear(content, "one.ogg")
    assert header.note == ""
    header, twice = hear(content + content, "two.ogg")
    np.testing.assert_array_equal(twice, np.concatenate([once, once]))


def test_stretches_of_a_chain_equal_the_whole(written, tmp_path, hear):
    content = written("OGG", "VORBIS") * 3
    _, whole = hear(content, "three.ogg")
    with AudioFile(tmp_path / "three.ogg") as audio:
        for first, last in [(30, 31), (11, 13), (5, 6), (20, 25)]:
            part = whole[first * RATE : last * RATE]
            heard = audio.read(first * RATE, last * RATE)
            np.testing.assert_allclose(heard, part, atol=1e-5)


@pytest.fixture
def openings(monkeypatch):
    """List the files and parts that are opened in libsndfile."""
    found = []
    opener = SndfileDecoder._open

    def opened(decoder):
        found.append(decoder.path)
        opener(decoder)

    monkeypatch.setattr(SndfileDecoder, "_open", opened)
    return found


def test_a_chain_is_looked_through_once(written, tmp_path, openings, monkeypatch):
    path = tmp_path / "many.ogg"
    path.write_bytes(written("OGG", "VORBIS") * 5)
    length = read_header(path).n_frames
    openings.clear()
    monkeypatch.setattr("skbird.audio._decode._ogg._find_links", None)
    assert read_header(path).n_frames == length
    assert len(openings) == 1
    monkeypatch.undo()
    path.write_bytes(written("OGG", "VORBIS") * 3)
    assert read_header(path).n_frames == pytest.approx(length * 3 / 5, rel=0.01)


def test_a_decoder_that_cannot_seek_goes_forward_from_where_it_is(
    written, hear, tmp_path, openings
):
    _, whole = hear(with_granule(written("OGG", "OPUS"), 10**6), "night.ogg")
    with AudioFile(tmp_path / "night.ogg") as audio:
        openings.clear()
        for first, n_openings in [(3, 0), (7, 0), (10, 0), (2, 1), (6, 1)]:
            heard = audio.read(first * RATE, (first + 1) * RATE)
            part = whole[first * RATE : (first + 1) * RATE]
            np.testing.assert_array_equal(heard, part)
            assert len(openings) == n_openings


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format", "subtype", "options"),
    [
        ("MP3", None, {"bitrate_mode": "VARIABLE", "compression_level": 0.5}),
        ("MP3", None, {"bitrate_mode": "CONSTANT", "compression_level": 0.99}),
        ("OGG", "OPUS", {}),
        ("OGG", "VORBIS", {}),
        ("FLAC", None, {}),
    ],
)
def test_what_follows_a_seek_is_what_was_decoded_in_order(
    tmp_path, format, subtype, options
):
    noise = np.random.default_rng(1).standard_normal(20 * RATE)
    path = str(tmp_path / "night")
    soundfile.write(path, 0.1 * noise, RATE, subtype, format=format, **options)
    decoder = SndfileDecoder(path)
    whole = decoder.read(30 * RATE)
    for frame in np.random.default_rng(0).integers(0, 19 * RATE, 20):
        alone = SndfileDecoder(path)
        for stretch in (alone, decoder):
            stretch.seek(int(frame))
            part = stretch.read(RATE // 2)
            expected = whole[frame : frame + len(part)]
            np.testing.assert_allclose(part, expected, rtol=0, atol=1e-7)
        alone.close()
    decoder.close()


def test_a_chain_that_changes_its_rate_says_what_is_lost(written, hear, tmp_path):
    path = tmp_path / "other.ogg"
    soundfile.write(path, np.zeros(44_100), 44_100)
    header, _ = hear(written("OGG", "VORBIS") + path.read_bytes(), "two.ogg")
    assert header.is_cut
    assert "another sample rate" in header.note


@pytest.mark.parametrize("format", ["FLAC", "OGG", "WAV", "MP3"])
def test_tags_in_front(written, hear, format):
    tag = b"ID3\x04\0\0" + bytes([0, 0, 7, 104]) + bytes(1000)
    content = written(format)
    name = f"tagged.{format.lower()}"
    expected = hear(bytes(content), name)[1]
    np.testing.assert_array_equal(hear(tag + content, name)[1], expected)


def test_mp3_cut_short_is_found_by_its_size(written, hear):
    content = written("MP3")
    header, _ = hear(content[: len(content) // 2], "cut.mp3")
    assert header.duration_s == pytest.approx(SECONDS / 2, abs=1)
    assert header.is_cut


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_ogg_that_ends_within_a_page_is_cut(written, hear, subtype, share):
    content = written("OGG", subtype)
    header, samples = hear(content[: int(share * len(content))], "cut.ogg")
    assert header.is_cut
    assert header.note == "It ends within a page: it was cut short."
    assert 0 < len(samples) < share * SECONDS * RATE


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_ogg_with_rubbish_behind_its_end_is_not_cut(written, hear, subtype):
    content = written("OGG", subtype)
    header, _ = hear(content + bytes(1000), "whole.ogg")
    assert not header.is_cut


def with_xing_frames(content, factor):
    at = max(content.find(b"Xing"), content.find(b"Info")) + 8
    frames = struct.unpack_from(">I", content, at)[0]
    return patched(content, at, struct.pack(">I", round(frames * factor)))


@pytest.mark.parametrize("factor", [0.3, 0.55, 0.8, 0.95, 1.1, 3, 1e5])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_mp3_whose_xing_header_lies(hear, sound, tmp_path, factor, mode):
    path = tmp_path / "whole.mp3"
    soundfile.write(path, sound, RATE, bitrate_mode=mode, compression_level=0.5)
    content = with_xing_frames(bytearray(path.read_bytes()), factor)
    header, _ = hear(content, "night.mp3")
    assert header.duration_s == pytest.approx(SECONDS, abs=CODEC_S)
    assert header.note


def test_what_ended_the_decoding_is_said(written, tmp_path, monkeypatch):
    path = tmp_path / "night.mp3"
    path.write_bytes(with_xing_frames(written("MP3"), 3))
    found = 9 * RATE, "Cannot decode it: Error in psf_fseek()."
    monkeypatch.setattr("skbird.audio._decode._open.count_frames", lambda *args: found)
    header = read_header(path)
    assert "it holds 9.00 s: Cannot decode it: Error in psf_fseek()." in header.note
    assert header.is_cut


def test_mp3_without_xing(written, hear, sound):
    quiet = np.concatenate([1e-3 * sound, sound, 1e-3 * sound])
    content = written("MP3", samples=quiet)
    second = content.index(bytes(content[:2]), 8)
    header, _ = hear(content[second:], "night.mp3")
    assert header.duration_s == pytest.approx(3 * SECONDS, abs=CODEC_S + 0.1)


# Damage within the sound --------------------------------------------------------------


def with_rubbish(content, n_bytes, replaced):
    at = len(content) // 3
    rubbish = np.random.default_rng(3).bytes(n_bytes)
    return content[:at] + rubbish + content[at + replaced :]


DAMAGE = {
    "zeros": lambda content: patched(content, len(content) // 3, bytes(9000)),
    "bits": lambda content: patched(content, len(content) // 3, bytes(64)),
    "rubbish": lambda content: with_rubbish(content, 5000, 5000),
    "inserted": lambda content: with_rubbish(content, 5000, 0),
    "deleted": lambda content: with_rubbish(content, 0, 8000),
}


@pytest.fixture(scope="module")
def chirp():
    """Sound of which no second is like another."""
    t = np.arange(SECONDS * 2 * 48_000) / 48_000
    noise = np.random.default_rng(0).standard_normal(len(t))
    return 0.3 * np.sin(2 * np.pi * (300 + 100 * t) * t) + 0.05 * noise


@pytest.fixture(scope="module")
def encoded(chirp):
    """Return a function that makes a file of it and returns its bytes."""

    @cache
    def encode(format, subtype=None):
        file = io.BytesIO()
        soundfile.write(file, chirp, 48_000, format=format, subtype=subtype)
        return file.getvalue()

    return encode


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize(
    ("format", "subtype"), [("MP3", None), ("OGG", "VORBIS"), ("OGG", "OPUS")]
)
def test_damage_within_the_sound_costs_no_other_row(
    chirp, encoded, tmp_path, format, subtype, damage
):
    rate, path = 48_000, tmp_path / "night.bin"
    path.write_bytes(damage(bytearray(encoded(format, subtype))))
    assert _n_lost(path, chirp, rate, range(2 * SECONDS)) <= 6
    header = read_header(path)
    is_small = format == "MP3" and damage is DAMAGE["bits"]  # less than CODEC_S
    assert header.duration_s == pytest.approx(2 * SECONDS, abs=CODEC_S)
    assert header.is_cut is not is_small
    assert _n_lost(path, chirp, rate, range(2 * SECONDS - 1, -1, -1)) <= 6


def _n_lost(path, sound, rate, seconds):
    """Assert that seconds are heard at their time; return how many are errors."""
    audio, n_lost = AudioFile(path), 0
    for second in seconds:
        first, stop = second * rate, (second + 1) * rate
        try:
            with warnings.catch_warnings(record=True):
                samples = audio.read(first, stop)
        except AudioReadError:
            audio.__exit__()
            audio, n_lost = AudioFile(path), n_lost + 1
            continue
        assert len(samples) > (1 - CODEC_S) * rate
        assert np.corrcoef(samples, sound[first : first + len(samples)])[0, 1] > 0.7
    audio.__exit__()
    return n_lost


@pytest.mark.slow
@pytest.mark.parametrize("n_losses", [8, 12])
@pytest.mark.parametrize("tag", [b"", b"ID3\x04\0\0\0\0\0\x05-----"], ids=["", "ID3"])
@pytest.mark.parametrize("row_s", [1, 8])
def test_many_small_losses_do_not_move_what_follows(
    chirp, encoded, tmp_path, tag, n_losses, row_s
):
    content = bytearray(encoded("MP3"))
    for k in range(n_losses):  # a frame or two each, which the decoder does not miss
        content = patched(content, len(content) // 8 + 3001 * k, bytes(400))
    path = tmp_path / "night.mp3"
    path.write_bytes(tag + content)
    audio, rate = AudioFile(path), 48_000
    with pytest.warns(UserWarning, match="s of it are damaged, first at"):
        rows = [audio.read(k * rate, (k + row_s) * rate) for k in range(0, 8, row_s)]
    audio.__exit__()
    sound = np.concatenate(rows)
    for k in range(1, 8):  # the damage is in seconds 3 to 6
        near = chirp[(k - 1) * rate : (k + 2) * rate]
        late = (
            np.argmax(correlate(near, sound[k * rate : (k + 1) * rate], "valid")) - rate
        )
        assert abs(late) <= CODEC_S * rate


@pytest.mark.slow
def test_bytes_between_the_frames_of_an_mp3_move_nothing(tmp_path):
    t = np.arange(8 * 16_000) / 16_000
    sound = 0.3 * np.sin(2 * np.pi * (300 + 100 * t) * t)
    file = io.BytesIO()
    options = {"compression_level": 0.5, "bitrate_mode": "CONSTANT"}
    soundfile.write(file, sound, 16_000, format="MP3", **options)
    content = file.getvalue()
    first = _mpeg._find_frame(io.BytesIO(content), 0, 2**12)
    frames = content[first.at + first.length :]  # without a promise
    n = 5 * first.length
    stuffed = b"".join(frames[k : k + n] + bytes(30) for k in range(0, len(frames), n))
    path = tmp_path / "stuffed.mp3"
    path.write_bytes(stuffed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with AudioFile(path) as audio:
            rows = [audio.read(k * 16_000, (k + 1) * 16_000) for k in range(6)]
    near = sound[4 * 16_000 : 7 * 16_000]
    late = np.argmax(correlate(near, rows[5], "valid")) - 16_000
    assert abs(late) <= CODEC_S * 16_000


def test_an_mp3_that_goes_before_it_is_read_is_named(encoded, tmp_path):
    path = tmp_path / "night.mp3"
    path.write_bytes(encoded("MP3"))
    with AudioFile(path) as audio:
        path.unlink()
        with pytest.raises(
            AudioReadError, match=r"night\.mp3 cannot be read: No such file"
        ):
            audio.read(0, 1000)


def test_an_mp3_that_becomes_empty_while_it_is_looked_at(
    encoded, tmp_path, monkeypatch
):
    def walk(file, first, parse):
        path.write_bytes(b"")
        return walk_frames(file, first, parse)

    walk_frames = _mpeg.walk_frames
    path = tmp_path / "night.mp3"
    path.write_bytes(encoded("MP3"))
    monkeypatch.setattr(_mpeg, "walk_frames", walk)
    with (
        AudioFile(path) as audio,
        pytest.raises(AudioReadError, match=r"night\.mp3 cannot be read: it has beco"),
    ):
        audio.read(0, 1000)


@pytest.mark.slow
def test_a_whole_recording_with_damage_is_an_error(encoded, tmp_path):
    path = tmp_path / "night.mp3"
    path.write_bytes(DAMAGE["zeros"](bytearray(encoded("MP3"))))
    front = LogMel(32, on_error="raise", verbose=0)
    with (
        pytest.warns(UserWarning, match="s of it are damaged, first at"),
        pytest.raises(AudioReadError, match="it is damaged there"),
    ):
        front.fit_transform([str(path)])


@pytest.mark.slow
def test_an_mp3_that_is_rubbish_to_its_end_is_cut(encoded, tmp_path):
    path = tmp_path / "night.mp3"
    content = bytearray(encoded("MP3"))
    path.write_bytes(patched(content, len(content) // 2, bytes(len(content) // 2)))
    with pytest.warns(UserWarning, match="Its header says 24"):
        samples, _ = read_audio(path)
    assert len(samples) == pytest.approx(SECONDS * 48_000, rel=0.02)
    assert read_header(path).is_cut


@pytest.fixture
def decodings(monkeypatch):
    """Count how often a file is decoded to find its length."""
    found = []
    monkeypatch.setattr(_counting, "_counted", {})
    count = _counting.count_frames

    def counted(*args):
        found.append(args)
        return count(*args)

    monkeypatch.setattr("skbird.audio._decode._open.count_frames", counted)
    return found


@pytest.mark.parametrize("format", ["MP3", "FLAC", "OGG", "WAV"])
def test_good_files_are_not_decoded_to_find_their_length(
    written, hear, decodings, format
):
    header, _ = hear(written(format), f"good.{format.lower()}")
    assert header.note == ""
    assert not decodings


def test_mp3_of_one_bitrate_is_not_decoded_to_find_its_length(
    written, hear, decodings, tmp_path, sound
):
    path = tmp_path / "constant.mp3"
    soundfile.write(path, sound, RATE, bitrate_mode="CONSTANT", compression_level=0.5)
    content = path.read_bytes()
    second = content.index(content[:2], 8)
    header, _ = hear(content[second:], "night.mp3")
    assert header.duration_s == pytest.approx(SECONDS, abs=0.3)
    assert not decodings


def test_the_length_is_found_once_by_many_threads(written, tmp_path, decodings):
    path = tmp_path / "night.mp3"
    path.write_bytes(with_xing_frames(written("MP3"), 3))
    with ThreadPoolExecutor(8) as pool:
        headers = list(pool.map(read_header, [path] * 16))
    assert len(set(headers)) == 1
    assert len(decodings) == 1
    path.write_bytes(with_xing_frames(written("MP3", samples=np.ones(RATE)), 3))
    assert read_header(path).duration_s == pytest.approx(1, abs=CODEC_S)
    assert len(decodings) == 2


# What cannot be, and what is no file --------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "n_channels", "message"),
    [
        (0, 1, "not an audio file|sample rate"),
        (50, 1, "claims a sample rate of 50 Hz"),
        (2**31 - 1, 1, "claims a sample rate of 2147483647 Hz"),
        (8000, 0, "not an audio file"),
        (8000, 1000, "claims 1000 channels"),
        (8000, 65_535, "not an audio file|claims 65535 channels"),
    ],
)
def test_rates_and_channels_that_cannot_be(
    written, tmp_path, rate, n_channels, message
):
    content = written("WAV")
    fields = struct.pack(
        "<HIIH", n_channels, rate, rate * n_channels * 2 % 2**32, n_channels * 2 % 2**16
    )
    path = tmp_path / "odd.wav"
    path.write_bytes(patched(content, 22, fields))
    with pytest.raises(AudioReadError, match=message):
        read_header(path)


def test_bats_are_recorded_at_500_khz(tmp_path):
    path = tmp_path / "bat.wav"
    soundfile.write(path, np.zeros(5000), 500_000)
    assert read_header(path).sample_rate == 500_000


def test_pipes_and_sockets_are_refused_before_they_are_opened(tmp_path):
    fifo = tmp_path / "fifo.wav"
    os.mkfifo(fifo)
    link = tmp_path / "socket.wav"
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(link))
    for path in (fifo, link, "/dev/zero"):
        with pytest.raises(AudioReadError, match="pipe, device or socket"):
            read_header(path)
    server.close()


@pytest.mark.parametrize("step", ["os.stat", "builtins.open"])
def test_the_reason_of_the_operating_system_is_given(write_wav, monkeypatch, step):
    path = write_wav("a.wav", np.zeros(100))

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(step, refuse)
        with pytest.raises(AudioReadError, match="cannot be read: Permission denied"):
            read_header(path)


@pytest.mark.parametrize("start_s", [-1, np.nan, np.inf, -np.inf])
def test_a_stretch_begins_at_a_number(write_wav, start_s):
    path = write_wav("a.wav", np.zeros(100))
    with pytest.raises(ValueError, match=f"start_s={start_s} must be"):
        read_audio(path, start_s)
    with pytest.raises(ValueError, match="end_s=1 must be above start_s=2"):
        read_audio(path, 2, 1)


# Those who ask for headers ------------------------------------------------------------


@pytest.fixture
def liars(written, tmp_path):
    """Three files that hold 12 s: of unknown length, 24 s by its header, and a WAV."""
    contents = {
        "unknown.flac": with_total(written("FLAC"), 0),
        "double.flac": with_total(written("FLAC"), 2 * SECONDS * RATE),
        "died.wav": with_wav_size(written("WAV"), 0),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return [str(tmp_path / name) for name in contents]


def test_rows_end_where_the_sound_ends(liars):
    with pytest.warns(UserWarning, match="The header is not believed in 3 of 3 files"):
        rows = segment_table(liars)
    assert list(rows["end"]) == [5, 10, 12] * 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step = LogMel(n_mels=8, n_fft=256, hop_length=128)
        assert len(step.fit_transform(rows)) == 9
        assert len(step.fit_transform(liars)) == 3


def test_files_are_said_to_be_what_they_are(monkeypatch):
    notes = {
        "lies.wav": ("Its header says 2.00 s, it holds 1.00 s: all is read.", False),
        "cut.ogg": ("Only its first 1.00 s can be decoded.", True),
        "gaps.mp3": ("1.00 s of it are damaged, first at 0.10 s.", True),
        "two.mkv": ("Of its 2 audio streams, only the first is heard.", False),
        "good.wav": ("", False),
    }

    def header(path):
        return AudioHeader(RATE, RATE, 1, *notes[path])

    monkeypatch.setattr(_audio, "read_header", header)
    with pytest.warns(UserWarning, match="of 5 files") as caught:
        _audio.read_headers(list(notes), n_jobs=1)
    said = [str(warning.message).split("; the first")[0] for warning in caught]
    assert said == [
        "The header is not believed in 1 of 5 files",
        "Some sound is lost in 2 of 5 files",
        "Further sound is not heard in 1 of 5 files",
    ]


def test_describe_lists_what_was_cut(written, tmp_path):
    content = written("WAV")
    (tmp_path / "cut.wav").write_bytes(content[:50_000])
    (tmp_path / "whole.wav").write_bytes(content)
    paths = [tmp_path / "cut.wav", tmp_path / "whole.wav"]
    report = describe_recordings(paths, n_clips=0, verbose=0)
    table = report.tables["recordings"]
    assert "cut short" in table["problems"][0]
    assert "cut short" not in table["problems"][1]
    assert "Its header says 12.00 s" in table["note"][0]


# Files of others ----------------------------------------------------------------------


@needs_hostile
@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("total_samples_0.flac", 1.875),
        ("header_says_double.flac", 22),
        ("vbr_without_xing.mp3", 30),
        ("claims_128_million_s.mp3", 0.43),  # frames behind damage, too
    ],
)
def test_hostile_headers(name, seconds):
    path = HOSTILE / "audio" / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = segment_table([path])
        step = LogMel(n_mels=8, n_fft=512, hop_length=512)
        assert len(step.fit_transform(rows)) == len(rows)
    assert rows["end"].iloc[-1] == pytest.approx(seconds, abs=0.05)


@needs_hostile
def test_a_hostile_rate_is_an_error():
    with pytest.raises(AudioReadError, match="claims a sample rate of 800000000 Hz"):
        read_header(HOSTILE / "audio" / "claims_huge_rate.aiff")
