"""What headers of recorders tell of times, and what they must not do."""

import os
import struct

import numpy as np
import pandas as pd
import pytest
import soundfile

from skbird.audio import AudioReadError
from skbird.survey import recording_times

COMMENT = (
    "Recorded at {} {} by AudioMoth 24F319055FDF2902 at gain setting 2 while battery "
    "state was 4.1V"
)
GUANO = "GUANO|Version: 1.0\nTimestamp: {}\nMake: Wildlife Acoustics, Inc.\n"


def write(path, *chunks, form=b"RIFF", behind=False):
    """Write a second of silence, with further chunks before or behind it."""
    soundfile.write(path, np.zeros(8000), 8000, format="WAV")
    content = path.read_bytes()
    added = b"".join(
        name + struct.pack("<I", len(text)) + text + b"\0" * (len(text) % 2)
        for name, text in chunks
    )
    place = len(content) if behind else 36
    content = content[:place] + added + content[place:]
    size = struct.pack("<I", len(content) - 8)
    path.write_bytes(form + size + content[8:])
    return path


def comment(time, zone="(UTC)"):
    text = COMMENT.format(time, zone).encode().ljust(256, b"\0")
    return b"LIST", b"INFOICMT" + struct.pack("<I", len(text)) + text


def times(path, zone="Europe/Madrid", **options):
    return recording_times([path], zone, **options).iloc[0]


@pytest.mark.parametrize(
    ("zone", "hour", "minute"),
    [
        *(("(UTC)", 19, 17), ("(UTC+1)", 18, 17), ("(UTC-3)", 22, 17)),
        *(("(UTC+5:30)", 13, 47), ("(UTC-03:30)", 22, 47)),
    ],
)
def test_comments_of_audiomoths_tell_time_and_zone(tmp_path, zone, hour, minute):
    path = write(tmp_path / "x.WAV", comment("19:17:30 24/02/2018", zone))
    line = times(path, clock="Asia/Tokyo")
    assert line["start_time"] == pd.Timestamp(2018, 2, 24, hour, minute, 30, tz="UTC")
    assert line["note"] == ""


def test_the_zone_of_a_header_is_that_of_the_name(tmp_path):
    path = tmp_path / "20180224_191730.WAV"
    assert times(write(path))["start_time"].hour == 18
    write(path, comment("19:17:31 24/02/2018", "(UTC-2)"))
    line = times(path)
    assert line["start_time"] == pd.Timestamp("2018-02-24 21:17:30", tz="UTC")
    assert line["note"] == ""


def test_a_name_that_tells_another_time_counts(tmp_path):
    path = write(tmp_path / "20180225_191730.WAV", comment("19:17:30 24/02/2018"))
    line = times(path)
    assert line["start_time"] == pd.Timestamp("2018-02-25 19:17:30", tz="UTC")
    assert line["note"] == "the header tells another time: 2018-02-24 19:17:30"
    assert line["device"] == "24F319055FDF2902"
    assert line["assumed_clock"] == ""


def test_moments_of_two_zones_are_compared(tmp_path):
    path = tmp_path / "5E90A4D4.WAV"  # 16:54:44 UTC
    write(path, comment("17:54:44 10/04/2020", "(UTC+1)"))
    assert times(path)["note"] == ""
    write(path, comment("17:54:44 10/04/2020", "(UTC)"))
    assert "another time" in times(path)["note"]


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize(
    ("text", "hour"), [("2024-05-01T05:30:00+02:00", 3), ("2024-05-01T05:30:00", 5)]
)
def test_guano_tells_time_and_zone(tmp_path, text, hour, behind):
    pytest.importorskip("guano")
    chunk = b"guan", GUANO.format(text).encode()
    path = write(tmp_path / "bat.wav", chunk, behind=behind)
    line = times(path, clock="UTC")
    assert line["start_time"] == pd.Timestamp(2024, 5, 1, hour, 30, tz="UTC")


@pytest.mark.parametrize(
    "chunks",
    [
        [comment("19:17:30 31/02/2018")],
        [comment("19:17:30 24/02/2018", "(UTC+77)")],
        [comment("19:17:30 24/02/9999")],
        [(b"guan", GUANO.format("0001-05-01T05:30:00+14:00").encode())],
        [(b"guan", GUANO.format("2024-05-01T05:30:00+23:59").encode())],
        [(b"LIST", b"\xff" * 1000)],
        [(b"guan", b"\xff\0:" * 1000)],
        [(b"guan", b"GUANO|Version: 1.0\nTimestamp: soon")],
        [(b"LIST", b" " * 100_000 + comment("19:17:30 24/02/2018")[1])],
        [*[(b"junk", b"")] * 100, comment("19:17:30 24/02/2018")],
    ],
)
def test_what_headers_claim_is_bounded(tmp_path, chunks):
    path = write(tmp_path / "x.wav", *chunks)
    line = times(path, on_error="skip")
    assert pd.isna(line["start_time"])
    assert "the name has no time" in line["note"]


def test_lengths_beyond_the_file_cost_nothing(tmp_path):
    path = write(tmp_path / "x.wav", behind=True)
    path.write_bytes(path.read_bytes() + b"guan" + struct.pack("<I", 2**32 - 1) + b"a")
    assert pd.isna(times(path)["start_time"])


def test_files_that_cannot_be_read_are_named_as_before(tmp_path):
    path = tmp_path / "x.wav"
    path.write_text("no sound")
    with pytest.raises(AudioReadError, match="1 of 1 file cannot be read"):
        times(path)
    assert "the name has no time; " in times(path, on_error="skip")["note"]


def test_without_guano_its_chunk_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "guano", None)
    chunk = b"guan", GUANO.format("2024-05-01T05:30:00Z").encode()
    path = write(tmp_path / "bat.wav", chunk, comment("05:31:00 01/05/2024"))
    assert times(path)["start_time"].minute == 31


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="of POSIX systems")
def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "20240501_053000.wav")
    line = times(tmp_path / "20240501_053000.wav", on_error="skip")
    assert line["start_time"].day == 1
    assert np.isnan(line["duration_s"])
