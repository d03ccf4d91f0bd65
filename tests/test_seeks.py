"""A row is the same sound whether it is read alone or with all that precede it."""

import io
import struct
from functools import cache

import numpy as np
import pytest
import soundfile

from skbird.audio._audio_file import AudioFile
from skbird.audio._decode import _counting, _open
from skbird.audio._decode._crc import crc
from skbird.audio._decode._ogg import _read_pages
from skbird.audio._decode._sndfile import SndfileDecoder

SECONDS = 16
ULP = 2.0**-23  # the last bit of samples at full scale


@cache
def sounding():
    """Sound of which no second is like another: 48 kHz."""
    t = np.arange(SECONDS * 48_000) / 48_000
    noise = np.random.default_rng(0).standard_normal(len(t))
    return 0.3 * np.sin(2 * np.pi * (300 + 100 * t) * t) + 0.05 * noise


@cache
def half_silent():
    """The same, half of each second silence."""
    return sounding() * (np.arange(SECONDS * 48_000) % 48_000 < 24_000)


@pytest.fixture
def chirp():
    return half_silent()


@cache
def encoded(kind, sound, step, n_channels):
    """Return a sound as the bytes of a file."""
    samples = sound()[::step]
    if n_channels == 2:
        samples = np.stack([samples, 0.5 * np.roll(samples, 100)], axis=1)
    file = io.BytesIO()
    soundfile.write(file, samples, 48_000 // step, **KINDS[kind])
    return file.getvalue()


@pytest.fixture
def forget(monkeypatch):
    """Forget what is known of files, as a new process does."""

    def renewed():
        monkeypatch.setattr(_open, "_suspects", set())
        monkeypatch.setattr(_counting, "_counted", {})

    return renewed


def assert_rows_are_those_of_the_whole(path, whole, forget, gaps=(), atol=0.0):
    """Compare rows, each read as by a new process, with what was read in order."""
    rate = soundfile.info(str(path)).samplerate
    length = rate // 4
    for start in np.random.default_rng(0).integers(0, len(whole) - length, 12):
        stop = int(start) + length
        if any(start < end and stop > first for first, end in gaps):
            continue
        forget()
        with AudioFile(path) as audio:
            row = audio.read(int(start), stop)
        np.testing.assert_allclose(row, whole[start:stop], rtol=0, atol=atol)


def read_whole(path):
    with AudioFile(path) as audio:
        return audio.read(0, audio.header.n_frames)


CBR = {"format": "MP3", "bitrate_mode": "CONSTANT", "compression_level": 0.99}
KINDS = {
    "VBR": {**CBR, "bitrate_mode": "VARIABLE"},
    "CBR": CBR,
    "CBR without header": {**CBR, "compression_level": 0.5},
    "MP3": {"format": "MP3"},
    "OPUS": {"format": "OGG", "subtype": "OPUS"},
    "VORBIS": {"format": "OGG", "subtype": "VORBIS"},
}


@pytest.mark.slow
@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize(
    ("kind", "step", "atol"),
    [
        ("VBR", 1, 0),
        ("CBR", 1, 0),
        ("VBR", 2, ULP),
        ("CBR", 2, ULP),
        ("VBR", 6, ULP),
        ("OPUS", 1, 1e-4),
        ("OPUS", 3, 1e-4),
        ("VORBIS", 1, 1e-7),
    ],
)
def test_a_row_alone_is_the_row_of_one_pass(
    tmp_path, forget, kind, step, atol, n_channels
):
    path = tmp_path / "night.bin"
    path.write_bytes(encoded(kind, half_silent, step, n_channels))
    whole = read_whole(path)
    assert_rows_are_those_of_the_whole(path, whole, forget, atol=atol)


def test_rows_read_backwards_are_those_of_one_pass(tmp_path):
    path = tmp_path / "night.mp3"
    path.write_bytes(encoded("VBR", half_silent, 1, 1))
    whole = read_whole(path)
    with AudioFile(path) as audio:
        for second in range(SECONDS - 1, -1, -1):
            start = second * 48_000
            row = audio.read(start, start + 24_000)
            expected = whole[start : start + 24_000]
            np.testing.assert_allclose(row, expected, rtol=0, atol=ULP)


@pytest.mark.parametrize("kind", ["VBR", "CBR", "OPUS"])
def test_rows_in_order_are_decoded_once(tmp_path, monkeypatch, kind):
    path = tmp_path / "night.bin"
    path.write_bytes(encoded(kind, half_silent, 1, 1))
    whole = read_whole(path)
    monkeypatch.setattr(SndfileDecoder, "_jump", None)
    monkeypatch.setattr(AudioFile, "_look_closely", None)
    with AudioFile(path) as audio:
        for start in range(0, (SECONDS - 2) * 48_000, 60_000):
            row = audio.read(start, start + 48_000)
            np.testing.assert_array_equal(row, whole[start : start + 48_000])


@pytest.mark.parametrize("kind", ["VBR", "CBR", "CBR without header"])
def test_a_seek_in_a_good_mp3_does_not_decode_all_of_it(
    tmp_path, forget, monkeypatch, kind
):
    path = tmp_path / "night.mp3"
    content = encoded(kind, half_silent, 1, 1)
    if kind == "CBR without header":
        content = content[content.index(content[:2], 8) :]
    path.write_bytes(content)
    forget()
    monkeypatch.setattr(_open, "count_frames", None)
    with AudioFile(path) as audio:
        assert len(audio.read(10 * 48_000, 11 * 48_000)) == 48_000
        assert audio.header.note == ""


# Damage -------------------------------------------------------------------------------


def lose(content, at, n_bytes, filling=b""):
    return content[:at] + filling + content[at + n_bytes :]


DAMAGE = {
    "zeros": lambda content, at: lose(content, at, 9000, bytes(9000)),
    "bits": lambda content, at: lose(content, at, 64, bytes(64)),
    "inserted": lambda content, at: lose(content, at, 0, bytes(5000)),
    "deleted": lambda content, at: lose(content, at, 8000),
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("kind", ["MP3", "OPUS", "VORBIS"])
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_a_row_alone_is_the_row_of_one_pass_around_damage(
    tmp_path, forget, kind, damage
):
    path = tmp_path / "night.bin"
    content = encoded(kind, sounding, 1, 1)
    path.write_bytes(damage(content, len(content) // 3))
    whole, gaps = read_around_gaps(path)
    late = slice(13 * 48_000, 14 * 48_000)
    assert np.corrcoef(whole[late], sounding()[late])[0, 1] > 0.7
    assert_rows_are_those_of_the_whole(path, whole, forget, gaps, atol=1e-7)


def read_around_gaps(path):
    """Return what lies around long gaps, read in order, NaN in them, and the gaps."""
    whole, gaps, start = [], [], 0
    with AudioFile(path) as audio:
        audio._look_closely()
        gaps = getattr(audio._decoder, "_gaps", [])
        for first, end in [*gaps, (audio.header.n_frames, None)]:
            whole.append(audio.read(start, first))
            if end is not None:
                whole.append(np.full(end - first, np.nan, np.float32))
            start = end
    return np.concatenate(whole), gaps


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.parametrize("behind_s", [0.05, 0.2, 0.5, 2])
def test_rows_just_behind_lost_opus_pages_lie_right(chirp, tmp_path, forget, behind_s):
    path = tmp_path / "night.opus"
    content = encoded("OPUS", half_silent, 1, 1)
    path.write_bytes(DAMAGE["deleted"](content, len(content) // 3))
    _, [(_, end)] = read_around_gaps(path)
    start = end + round(behind_s * 48_000)
    forget()
    with AudioFile(path) as audio:
        row = audio.read(start, start + 48_000)
    assert np.corrcoef(row, chirp[start : start + 48_000])[0, 1] > 0.7


# Opus streams that count from elsewhere -----------------------------------------------


def counting_from(content, first):
    """Let the pages of an Opus file count from another number than 0."""
    mended = bytearray(content)
    for page in _read_pages(io.BytesIO(content), 0, len(content), len(content)):
        if page.granule > 0:
            new = bytearray(content[page.start : page.stop])
            new[6:14] = struct.pack("<q", page.granule + first)
            new[22:26] = bytes(4)
            new[22:26] = struct.pack("<I", crc(new, 32, 0x04C11DB7))
            mended[page.start : page.stop] = new
    return bytes(mended)


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("first", [1, 7, 312, 5000, 10**7])
def test_opus_that_was_cut_from_a_longer_stream(tmp_path, forget, first, step):
    path = tmp_path / "night.opus"
    path.write_bytes(counting_from(encoded("OPUS", half_silent, step, 1), first))
    whole = read_whole(path)
    assert len(whole) == pytest.approx(SECONDS * 48_000 // step, rel=1e-3)
    assert_rows_are_those_of_the_whole(path, whole, forget, atol=1e-4)
