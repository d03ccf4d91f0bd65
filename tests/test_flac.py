"""FLAC files whose header is not that of all their frames."""

import io
from functools import partial

import numpy as np
import pytest
import soundfile
from conftest import heard, tone

from skbird.audio import AudioReadError, read_audio, read_header
from skbird.data import segment_table

RATE = 8000
SECONDS = 12
BLOCK = 4096  # frames that libFLAC encodes together


@pytest.fixture(scope="module")
def sound():
    rng = np.random.default_rng(0)
    level = np.linspace(0.2, 1, SECONDS * RATE)  # no second is like another
    return level * (tone(700, SECONDS, RATE) + 0.05 * rng.standard_normal(len(level)))


def encoded(samples, total=None):
    """Return the bytes of a FLAC file, with the length that its header is to have."""
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="FLAC")
    content = bytearray(file.getvalue())
    if total is not None:
        fields = int.from_bytes(content[18:26], "big") >> 36 << 36 | total
        content[18:26] = fields.to_bytes(8, "big")
    return content


@pytest.fixture
def hear(tmp_path):
    """Return a function that reads bytes: header and whole sound."""
    return partial(heard, tmp_path / "night.flac")


@pytest.fixture
def undecoded(monkeypatch):
    """Let no file be decoded to find its length."""

    def refuse(*args):
        raise AssertionError("decoded to count")

    monkeypatch.setattr("skbird.audio._decode._open.count_frames", refuse)


@pytest.mark.parametrize("n_blocks", [0, 1, 2, 12, 22])
@pytest.mark.parametrize("end", [b"", b"TAG" + bytes(125), bytes(1000)])
@pytest.mark.usefixtures("undecoded")
def test_a_promise_of_whole_blocks(hear, sound, n_blocks, end):
    header, samples = hear(encoded(sound, n_blocks * BLOCK) + end)
    np.testing.assert_allclose(samples, sound, atol=1e-4)
    assert header.note
    assert not header.is_cut


@pytest.mark.parametrize(
    "tags", [b"TAG" + bytes(125), b"APETAGEX" + bytes(60), b"APETAGEX" + b"TAG" * 40]
)
@pytest.mark.usefixtures("undecoded")
def test_tags_behind_a_file_without_a_length_cost_no_sound(hear, sound, tags):
    _, samples = hear(encoded(sound, 0) + tags)
    np.testing.assert_allclose(samples, sound, atol=1e-4)


@pytest.mark.parametrize("n_bytes", [1, 300, 9000, 50_000])
@pytest.mark.parametrize("total", [0, BLOCK, 2 * SECONDS * RATE])
@pytest.mark.usefixtures("undecoded")
def test_a_file_cut_within_a_frame(hear, sound, n_bytes, total):
    header, samples = hear(encoded(sound, total)[:-n_bytes])
    np.testing.assert_allclose(samples, sound[: len(samples)], atol=1e-4)
    assert len(samples) % BLOCK == 0
    assert header.is_cut == (total > len(samples))


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("n_frames", [20, BLOCK, 2 * BLOCK, 50_001])
def test_a_true_header_is_believed(tmp_path, n_channels, subtype, n_frames):
    samples = np.random.default_rng(0).uniform(-1, 1, (n_frames, n_channels))
    path = tmp_path / "good.flac"
    soundfile.write(path, samples, RATE, subtype=subtype)
    header = read_header(path)
    assert (header.n_frames, header.note) == (n_frames, "")


@pytest.mark.parametrize("n_missing", [0, 5])
def test_damage_in_a_file_without_a_length_costs_what_is_there(tmp_path, n_missing):
    samples = np.random.default_rng(1).uniform(-0.1, 0.1, 20 * RATE)
    heard = []
    for name, total in ("known.flac", len(samples)), ("unknown.flac", 0):
        content = encoded(samples, total)
        noise = np.random.default_rng(0).integers(0, 256, 3000, np.uint8).tobytes()
        at = len(content) // 4
        content[at : at + len(noise)] = noise
        path = tmp_path / name
        path.write_bytes(content[: len(content) - n_missing])
        heard.append([can_be_read(path, start) for start in range(0, 18, 2)])
    assert heard[0] == heard[1]
    assert 6 < sum(heard[0]) < 9


def can_be_read(path, start_s):
    try:
        return len(read_audio(path, start_s, start_s + 2)[0]) == 2 * RATE
    except AudioReadError:
        return False


def test_files_written_one_after_another_are_heard(hear, sound, tmp_path):
    short = sound[: 3 * RATE]
    parts = encoded(sound), encoded(-sound), encoded(short, 0), encoded(-short, BLOCK)
    header, samples = hear(b"".join(parts))
    whole = np.concatenate([sound, -sound, short, -short])
    np.testing.assert_allclose(samples, whole, atol=1e-4)
    assert header.note == "Its header says 12.00 s, it holds 30.00 s: all is read."
    for start in (1, 13, 22, 25, 28):
        part, _ = read_audio(tmp_path / "night.flac", start, start + 1)
        np.testing.assert_array_equal(part, samples[start * RATE : (start + 1) * RATE])


def test_streams_written_one_after_another_are_heard(hear, sound):
    header, samples = hear(encoded(sound, 0) + encoded(-sound, 0))
    assert "it holds 24.00 s: all is read" in header.note
    np.testing.assert_allclose(samples, np.append(sound, -sound), atol=1e-4)


def test_files_of_several_formats_say_what_is_lost(hear, sound):
    header, _ = hear(encoded(sound) + encoded(np.stack([sound, sound], axis=1)))
    assert header.is_cut
    assert "behind 12.00 s cannot be read, or have another" in header.note


def test_a_stretch_cut_from_a_longer_stream_begins_at_0(hear, tmp_path, sound):
    av = pytest.importorskip("av")
    soundfile.write(tmp_path / "long.flac", sound, RATE)
    with av.open(tmp_path / "long.flac") as source:
        with av.open(tmp_path / "late.flac", "w") as target:
            stream = target.add_stream_from_template(source.streams.audio[0])
            for packet in list(source.demux(audio=0))[10:-1]:
                packet.stream = stream
                target.mux(packet)
    header, samples = hear((tmp_path / "late.flac").read_bytes())
    np.testing.assert_allclose(samples, sound[10 * BLOCK :], atol=1e-4)
    assert header.note
    part, _ = read_audio(tmp_path / "night.flac", 2, 3)
    np.testing.assert_array_equal(part, samples[2 * RATE : 3 * RATE])


def test_rows_of_half_a_promise(sound, tmp_path):
    path = tmp_path / "half.flac"
    path.write_bytes(encoded(sound, 12 * BLOCK))
    with pytest.warns(UserWarning, match="Its header says 6.14 s, it holds 12.00 s"):
        rows = segment_table([path])
    assert list(rows["end"]) == [5, 10, 12]
