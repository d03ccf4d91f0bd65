"""Times of recordings, deployments, effort, activity and detection histories."""

import numpy as np
import pandas as pd
import pytest
import soundfile

from skbird.audio import AudioReadError
from skbird.survey import check_deployments, recording_times
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


def recorded(start_times, site="marsh", duration_s=600.0, time_zone="UTC"):
    """Return a table of recordings that begin at moments of UTC."""
    start_times = pd.to_datetime(
        pd.Series(start_times).reset_index(drop=True), utc=True, format="ISO8601"
    )
    paths = [f"{site}/{k}.wav" for k in range(len(start_times))]
    return pd.DataFrame({"path": paths, "site": site}).assign(
        start_time=start_times, duration_s=duration_s, time_zone=time_zone
    )


def deployed(site="marsh", start="2024-05-01", end="2024-05-02", **columns):
    return pd.DataFrame({"site": [site], "start": [start], "end": [end], **columns})


def every(minutes, start="2024-05-01", periods=288):
    return pd.Series(pd.date_range(start, periods=periods, freq=f"{minutes}min"))


def problems(recordings, sites, **options):
    found = check_deployments(recordings, sites, **options)
    assert list(found.columns) == ["site", "path", "problem", "seconds", "detail"]
    assert found["detail"].str.len().min() > 10 or found.empty
    return [*zip(found["path"], found["problem"], found["seconds"], strict=True)]


def test_a_deployment_without_a_fault_has_no_problem():
    recordings = recorded(every(10))
    assert problems(recordings, deployed(latitude=37.0, longitude=-6.4)) == []
    assert problems(recordings, deployed(), max_gap_s=0) == []


def test_schedules_of_dusk_and_dawn_are_no_problem():
    starts = [
        every(10, f"2024-05-{day:02} {hour}:{day:02}", 12)  # later by a minute a day
        for day in range(1, 31)
        for hour in (4, 19)
    ]
    assert problems(recorded(pd.concat(starts)), deployed(end="2024-05-30")) == []


def test_a_gap_and_a_late_start_are_found():
    starts = every(10).drop(range(100, 110))
    found = problems(recorded(starts), deployed(start="2024-04-29"))
    assert [line[1:] for line in found] == [("clock jump", 6000.0), ("gap", 172_800.0)]
    (line, *_) = problems(recorded(starts), deployed(), max_gap_s=60)[1:]
    assert line == (None, "gap", 6000.0)


@pytest.mark.parametrize("jump_s", [137, 3600, -300])
def test_a_clock_that_jumps_is_found(jump_s):
    starts = every(10)
    starts[150:] += pd.Timedelta(jump_s, unit="s")
    found = problems(recorded(starts), deployed(end="2024-05-03"), max_gap_s=1e6)
    expected = [("marsh/150.wav", "clock jump", jump_s)]
    if jump_s < 0:
        expected.insert(0, ("marsh/150.wav", "overlap", -jump_s))
    assert found == expected


def test_short_files_within_long_ones_overlap():
    starts = ["2024-05-01 00:00", "2024-05-01 00:10", "2024-05-01 00:30"]
    recordings = recorded(starts, duration_s=[3600.0, 60.0, 60.0])
    assert problems(recordings, deployed())[:2] == [
        ("marsh/1.wav", "overlap", 3000.0),
        ("marsh/2.wav", "overlap", 1800.0),
    ]


def test_recordings_outside_their_deployment_are_found():
    starts = ["2024-04-30 23:00", "2025-05-01 12:00", "1970-01-01", "2024-05-01 12:00"]
    found = problems(recorded(starts), deployed(), max_gap_s=1e6)
    assert [line[:2] for line in found] == [
        ("marsh/1.wav", "wrong year"),
        ("marsh/0.wav", "outside"),
        ("marsh/2.wav", "outside"),
    ]
    over_new_year = deployed(start="2023-12-20", end="2024-01-20")
    found = problems(recorded(["2023-01-05", "2024-01-05"]), over_new_year)
    assert ("marsh/0.wav", "wrong year") in [line[:2] for line in found]


def test_a_site_may_be_used_twice():
    sites = pd.concat([deployed(), deployed(start="2024-07-01", end="2024-07-02")])
    recordings = recorded(["2024-05-01 12:00", "2024-06-01 12:00", "2024-07-01 12:00"])
    found = problems(recordings, sites, max_gap_s=1e6)
    assert [line[:2] for line in found] == [("marsh/1.wav", "outside")]
    found = problems(recordings, deployed(), max_gap_s=1e6)
    assert [line[0] for line in found] == ["marsh/1.wav", "marsh/2.wav"]


def test_days_of_a_deployment_are_those_of_the_place():
    starts = ["2024-04-30 23:30", "2024-05-02 21:40", "2024-05-02 22:30"]
    sites = deployed(time_zone="Europe/Madrid")
    recordings = recorded(starts, time_zone="Europe/Madrid")
    for table in (sites, sites.drop(columns="time_zone")):
        found = problems(recordings, table, max_gap_s=1e6)
        assert [line[:2] for line in found] == [("marsh/2.wav", "outside")]


def test_nothing_is_lost_of_what_has_no_time_length_or_site():
    recordings = recorded([None, "2024-05-01", "2024-05-01 12:00"])
    recordings["duration_s"] = [600.0, np.nan, 600.0]
    recordings.loc[2, "site"] = "ridge"
    sites = pd.concat([deployed(), deployed("fen")])
    found = problems(recordings, sites, max_gap_s=1e6)
    assert found == [
        ("marsh/0.wav", "no time", pytest.approx(np.nan, nan_ok=True)),
        ("marsh/1.wav", "unreadable", pytest.approx(np.nan, nan_ok=True)),
        ("marsh/2.wav", "unknown site", pytest.approx(np.nan, nan_ok=True)),
        (None, "no recordings", 172_800.0),
    ]


def test_tables_come_back_from_files(tmp_path):
    recordings = recorded(["2024-05-01", "2024-05-01 12:00"]).assign(usable=True)
    recordings.to_csv(tmp_path / "recordings.csv", index=False)
    again = pd.read_csv(tmp_path / "recordings.csv")
    assert problems(again, deployed()) == problems(recordings, deployed())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r, s: (r.drop(columns="site"), s), "recordings has no column 'site'"),
        (lambda r, s: (r, s.drop(columns="end")), "sites has no column 'end'"),
        (
            lambda r, s: (r, s.assign(latitude=95)),
            "latitude=95 of site 'marsh' must be",
        ),
        (lambda r, s: (r, s.assign(end="2024-04-01")), "end=2024-04-01 .* be after"),
        (lambda r, s: (r, s.assign(end=None)), "site 'marsh' must both be dates"),
        (
            lambda r, s: (r, s.assign(end="soon")),
            "end of sites holds what is no moment",
        ),
        (
            lambda r, s: (r, s.assign(time_zone="Spain")),
            "time_zone of sites='Spain' is",
        ),
        (lambda r, s: (r, s.assign(time_zone="Asia/Tokyo")), "'UTC' in recordings"),
        (lambda r, s: (r.assign(usable="perhaps"), s), "usable .* holds 'perhaps'"),
        (
            lambda r, s: (r.assign(time_zone=["UTC", "Asia/Tokyo"]), s),
            "2 zones for site",
        ),
        (
            lambda r, s: (r.assign(site=None), s),
            "site of recordings is missing in row 0",
        ),
        (lambda r, s: (r.assign(start_time="?"), s), "start_time of recordings holds"),
    ],
)
def test_mistakes_in_tables_are_named(change, message):
    tables = change(recorded(["2024-05-01", "2024-05-02"]), deployed())
    with pytest.raises(ValueError, match=message):
        check_deployments(*tables)


def test_other_things_than_tables_are_refused():
    with pytest.raises(TypeError, match="recordings must be a DataFrame, got list"):
        check_deployments([], deployed())
    with pytest.raises(ValueError, match="max_gap_s"):
        check_deployments(recorded(["2024-05-01"]), deployed(), max_gap_s=-1)
