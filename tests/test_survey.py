"""Times of recordings, deployments, effort, activity and detection histories."""

import numpy as np
import pandas as pd
import pytest
import soundfile

from skbird.audio import AudioReadError
from skbird.survey import recording_times
from skbird.utils._days import moments_of_names, times_of_names


@pytest.mark.parametrize(
    ("name", "time", "offset_s"),
    [
        ("20240501_053000.WAV", "2024-05-01T05:30:00", np.nan),
        ("20240501_053000T.WAV", "2024-05-01T05:30:00", np.nan),
        ("a/20230101_000000/SM4_0+1_20240501_053000.wav", "2024-05-01T05:30", np.nan),
        ("2MA01234_20240501_053001_000.wav", "2024-05-01T05:30:01", np.nan),
        ("20240501T053000+1000_REC.wav", "2024-05-01T05:30:00", 36_000),
        ("S20240501T053000.123456-0330_x.wav", "2024-05-01T05:30:00", -12_600),
        ("20240501T053000Z.wav", "2024-05-01T05:30:00", 0),
        ("20240501_053000Zoo.wav", "2024-05-01T05:30:00", np.nan),
        ("20240501_053000-0100.wav", "2024-05-01T05:30:00", np.nan),  # a number
        ("2024-05-01_05-30-00.wav", "2024-05-01T05:30:00", np.nan),
        ("owl-90-2024-05-01-birdnet-05:30:00.mp3", None, np.nan),
        ("20240501_20240502_053000.wav", "2024-05-02T05:30:00", np.nan),
        ("5E90A4D4.WAV", "2020-04-10T16:54:44", 0),
        ("5e90a4d4.wav", None, np.nan),
        ("5E90A4D4.ogg", None, np.nan),
        ("12345678.wav", None, np.nan),  # 1979
        ("20240631_053000.wav", None, np.nan),
        ("20240501_253000.wav", None, np.nan),
        ("20240501.wav", None, np.nan),
        ("XC120240501.wav", None, np.nan),
        (None, None, np.nan),
    ],
)
def test_names_tell_when_a_recording_began(name, time, offset_s):
    told = times_of_names([name]).iloc[0]
    assert told["time"] == pd.Timestamp(time) or (time is None and pd.isna(told.time))
    np.testing.assert_equal(told["offset_s"], offset_s)


def test_days_and_hours_of_names_are_as_they_were():
    names = ["2024-05-01 dawn.wav", "A_20240501_053000.wav", "2024-05-01_05-30-00.wav"]
    assert moments_of_names(names)["day"].tolist() == [1, 1, 1]
    np.testing.assert_equal(moments_of_names(names)["hour"].tolist(), [np.nan, 5, 5])


def named(*paths, duration_s=600.0, **columns):
    return pd.DataFrame({"path": paths, "duration_s": duration_s, **columns})


def test_clocks_are_in_the_zone_of_the_place_or_another():
    table = named("a/20240701_120000.WAV", "a/20240701T120000+1000.wav")
    for clock, hour in ((None, 10), ("UTC", 12), ("+01:00", 11)):
        times = recording_times(table, "Europe/Madrid", clock=clock)
        assert times["start_time"].dt.hour.tolist() == [hour, 2]
        assert times["time_zone"].tolist() == ["Europe/Madrid"] * 2
    assert list(times.columns) == [
        *("path", "site", "start_time", "duration_s", "time_zone", "note")
    ]


def test_each_site_has_its_zone():
    table = named("a/20240101_000000.wav", "b/20240101_000000.wav", device=["x", "y"])
    table["time_zone"] = ["Europe/Madrid", "America/Lima"]
    times = recording_times(table)
    assert times["start_time"].astype(str).tolist() == [
        "2023-12-31 23:00:00+00:00",
        "2024-01-01 05:00:00+00:00",
    ]
    assert times["device"].tolist() == ["x", "y"]


def test_hours_that_occur_twice_or_never_are_said():
    table = named("20241027_023000.WAV", "20240331_023000.WAV", "20241027_033000.WAV")
    times = recording_times(table, "Europe/Madrid")
    assert times["start_time"].dt.strftime("%H:%M").tolist() == [
        *("00:30", "01:30", "02:30")
    ]
    assert times["note"].str[:21].tolist() == [
        *("the clock was put bac", "the clock was put for", "")
    ]


def test_sites_are_folders_or_prefixes():
    table = named(r"C:\owl\MARSH-1_20240501_053000.wav", "20240501_053000.WAV")
    assert recording_times(table, "UTC")["site"].tolist() == ["owl", ""]
    prefixes = recording_times(table, "UTC", site_from="prefix")
    assert prefixes["site"].tolist() == ["MARSH-1", ""]


def test_durations_are_read_from_headers(tmp_path):
    path = tmp_path / "20240501_053000.wav"
    soundfile.write(path, np.zeros(16_000), 8000)
    paths = [path, tmp_path / "20240501_054000.wav"]
    times = recording_times(paths, "UTC", on_error="skip")
    np.testing.assert_equal(times["duration_s"].tolist(), [2.0, np.nan])
    assert "does not exist" in times["note"][1]
    with pytest.raises(AudioReadError, match=r"(?s)1 of 2 files .* on_error='skip'"):
        recording_times(paths, "UTC")


def test_no_recordings_have_no_times():
    times = recording_times([], "UTC")
    assert len(times) == 0
    assert str(times["start_time"].dtype) == "datetime64[us, UTC]"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time_zone": "Madrid"}, "time_zone='Madrid' is no time zone. .* '.10:00'"),
        ({"time_zone": "Europe"}, "time_zone='Europe' is no time zone"),
        ({"time_zone": None}, "time_zone=None needs a column 'time_zone'"),
        ({"clock": 1}, "clock=1 is no time zone"),
        ({"site_from": "name"}, "site_from='name' must be 'folder' or 'prefix'"),
        ({"on_error": "drop"}, "on_error='drop' must be 'raise' or 'skip'"),
        (
            {"recordings": ["a.wav", "a.wav"]},
            "'a.wav' more than once .*drop_dup",
        ),
        (
            {"recordings": named("a.wav", duration_s=-1)},
            "duration_s=-1 of 'a.wav'",
        ),
    ],
)
def test_mistakes_about_times_are_named(options, message):
    arguments = {"recordings": named("a.wav"), "time_zone": "UTC"} | options
    with pytest.raises(ValueError, match=message):
        recording_times(**arguments)
