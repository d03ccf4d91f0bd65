"""A row is the same sound whether it is read alone or with all that precede it."""

import io
import struct

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


@pytest.fixture(scope="module")
def chirp():
    """Sound of which no second is like another, half of it silence: 48 kHz."""
    t = np.arange(SECONDS * 48_000) / 48_000
    noise = np.random.default_rng(0).standard_normal(len(t))
    sound = 0.3 * np.sin(2 * np.pi * (300 + 100 * t) * t) + 0.05 * noise
    return sound * (t % 1 < 0.5)


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


VBR = {"format": "MP3", "bitrate_mode": "VARIABLE", "compression_level": 0.99}
CBR = {"format": "MP3", "bitrate_mode": "CONSTANT", "compression_level": 0.99}
OPUS = {"format": "OGG", "subtype": "OPUS"}
VORBIS = {"format": "OGG", "subtype": "VORBIS"}


@pytest.mark.slow
@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize(
    ("options", "step", "atol"),
    [
        (VBR, 1, 0),
        (CBR, 1, 0),
        (VBR, 2, ULP),
        (CBR, 2, ULP),
        (VBR, 6, ULP),
        (OPUS, 1, 1e-4),
        (OPUS, 3, 1e-4),
        (VORBIS, 1, 1e-7),
    ],
)
def test_a_row_alone_is_the_row_of_one_pass(
    chirp, tmp_path, forget, options, step, atol, n_channels
):
    sound = chirp[::step]
    if n_channels == 2:
        sound = np.stack([sound, 0.5 * np.roll(sound, 100)], axis=1)
    path = tmp_path / "night.bin"
    soundfile.write(path, sound, 48_000 // step, **options)
    whole = read_whole(path)
    assert_rows_are_those_of_the_whole(path, whole, forget, atol=atol)


def test_rows_read_backwards_are_those_of_one_pass(chirp, tmp_path):
    path = tmp_path / "night.mp3"
    soundfile.write(path, chirp, 48_000, **VBR)
    whole = read_whole(path)
    with AudioFile(path) as audio:
        for second in range(SECONDS - 1, -1, -1):
            start = second * 48_000
            row = audio.read(start, start + 24_000)
            expected = whole[start : start + 24_000]
            np.testing.assert_allclose(row, expected, rtol=0, atol=ULP)


@pytest.mark.parametrize("options", [VBR, CBR, OPUS], ids=["VBR", "CBR", "OPUS"])
def test_rows_in_order_are_decoded_once(chirp, tmp_path, monkeypatch, options):
    path = tmp_path / "night.bin"
    soundfile.write(path, chirp, 48_000, **options)
    whole = read_whole(path)
    monkeypatch.setattr(SndfileDecoder, "_jump", None)
    monkeypatch.setattr(AudioFile, "_look_closely", None)
    with AudioFile(path) as audio:
        for start in range(0, (SECONDS - 2) * 48_000, 60_000):
            row = audio.read(start, start + 48_000)
            np.testing.assert_array_equal(row, whole[start : start + 48_000])


@pytest.mark.parametrize(
    ("options", "has_header"),
    [(VBR, True), (CBR, True), ({**CBR, "compression_level": 0.5}, False)],
)
def test_a_seek_in_a_good_mp3_does_not_decode_all_of_it(
    chirp, tmp_path, forget, monkeypatch, options, has_header
):
    path = tmp_path / "night.mp3"
    soundfile.write(path, chirp, 48_000, **options)
    content = path.read_bytes()
    if not has_header:
        path.write_bytes(content[content.index(content[:2], 8) :])
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
@pytest.mark.parametrize(
    "options",
    [{"format": "MP3"}, OPUS, VORBIS],
    ids=["MP3", "OPUS", "VORBIS"],
)
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_a_row_alone_is_the_row_of_one_pass_around_damage(
    tmp_path, forget, options, damage
):
    t = np.arange(SECONDS * 48_000) / 48_000
    noise = np.random.default_rng(0).standard_normal(len(t))
    sound = 0.3 * np.sin(2 * np.pi * (300 + 100 * t) * t) + 0.05 * noise
    path = tmp_path / "night.bin"
    soundfile.write(path, sound, 48_000, **options)
    content = path.read_bytes()
    path.write_bytes(damage(content, len(content) // 3))
    whole, gaps = read_around_gaps(path)
    late = slice(13 * 48_000, 14 * 48_000)
    assert np.corrcoef(whole[late], sound[late])[0, 1] > 0.7
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
    soundfile.write(path, chirp, 48_000, **OPUS)
    content = path.read_bytes()
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
def test_opus_that_was_cut_from_a_longer_stream(chirp, tmp_path, forget, first, step):
    path = tmp_path / "night.opus"
    soundfile.write(path, chirp[::step], 48_000 // step, **OPUS)
    path.write_bytes(counting_from(path.read_bytes(), first))
    whole = read_whole(path)
    assert len(whole) == pytest.approx(len(chirp) // step, rel=1e-3)
    assert_rows_are_those_of_the_whole(path, whole, forget, atol=1e-4)
