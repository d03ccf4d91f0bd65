"""Times of recordings, deployments, effort, activity and detection histories."""

import numpy as np
import pandas as pd
import pytest
import soundfile

from skbird.audio import AudioReadError
from skbird.survey import (
    activity,
    check_deployments,
    detection_history,
    effort,
    recording_times,
)
from skbird.survey._occasions import Calendar
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
        *("path", "site", "start_time", "duration_s", "time_zone", "note"),
        *("assumed_clock", "header_unread", "device"),
    ]
    assert times["assumed_clock"].tolist() == ["+01:00", ""]


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


def test_sites_of_long_names_are_found_at_once():
    name = "_" * 20_000 + "-x"
    table = named(name, f"{name}__20240501_053000.wav")
    assert recording_times(table, "UTC", site_from="prefix")["site"].eq(name).all()


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


def recorded(start_times, site="marsh", duration_s=600.0, time_zone="UTC", **columns):
    """Return a table of recordings that begin at moments of UTC."""
    start_times = pd.to_datetime(
        pd.Series(start_times).reset_index(drop=True), utc=True, format="ISO8601"
    )
    paths = [f"{site}/{k}.wav" for k in range(len(start_times))]
    return pd.DataFrame({"path": paths, "site": site}).assign(
        start_time=start_times, duration_s=duration_s, time_zone=time_zone, **columns
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


def test_what_headers_tell_is_compared_with_sites():
    serials = ["24F3190361DA5F95", "24F319055FDF2902"]
    given = recorded(
        every(10, periods=6),
        note=["", "x", "x", "", "", ""],
        assumed_clock=["UTC"] * 5 + [""],
        header_unread=[True, True, False, False, False, True],
        device=[serials[0].lower(), "", *serials[1:] * 2, *serials[:1] * 2],
    )
    found = check_deployments(given, deployed(device=serials[0]), max_gap_s=1e6)
    assert found["problem"].tolist() == [
        *("doubtful time", "clock assumed", "wrong recorder")
    ]
    details = " | ".join(found["detail"])
    assert "2 recordings: x" in details
    assert "2 recordings could not be read" in details
    assert f"2 recordings are of the recorder {serials[1]}; the table" in details
    found = check_deployments(given, deployed(device="box 7"), max_gap_s=1e6)
    assert "wrong recorder" not in set(found["problem"])


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


def test_recordings_outside_their_deployment_count_nowhere():
    starts = ["2024-04-30 23:00", "2024-04-30 23:55", "2024-05-01 12:00", "2025-05-01"]
    recordings = recorded(starts, duration_s=600.0)
    sites = deployed()
    message = r"Left out: 2 recordings outside the deployments .*'marsh/0.wav'"
    with pytest.warns(UserWarning, match=message) as caught:
        by_day = effort(recordings, sites=sites)
    assert caught[0].filename == __file__
    assert by_day["n_recordings"].sum() == 2  # one begins before and goes on
    days = pd.date_range("2024-04-30", "2024-05-02")
    assert by_day["date"].tolist() == [*days]
    X = recordings[["path"]].assign(start=0.0, end=600.0)
    with pytest.warns(UserWarning, match=message):
        found = activity(np.ones((4, 1)), X, recordings, species=["wren"], sites=sites)
    assert found["n_calling"].sum() == 2
    whole = activity(np.ones((4, 1)), X, recordings, species=["wren"])
    assert whole["n_calling"].sum() == 4
    problem = [line[:2] for line in problems(recordings, sites, max_gap_s=1e6)]
    assert problem == [
        ("marsh/3.wav", "wrong year"),
        ("marsh/0.wav", "outside"),
        ("marsh/1.wav", "partly outside"),
    ]


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
            lambda r, s: (r, s.assign(end="10/05/2023")),
            r"^end of sites holds '10/05/2023', which is no moment\. Write 2024-05-01, "
            r"or 2024-05-01 17:30\.$",
        ),
        (lambda r, s: (r, s.assign(end="2024-05-02T12:00Z")), "Z', which has a zone"),
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
        (lambda r, s: (r, s.assign(site=None)), "site of sites is missing in row 0"),
        (lambda r, s: (r, s.assign(site=1)), "text .'marsh'. .* others .1., .* dtype="),
        (lambda r, s: (r, s.assign(end="2099-12-31")), "marsh' is 27638 days long"),
        (lambda r, s: (r.assign(duration_s=1e15), s), "at most 31622400 seconds"),
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


def test_effort_is_cut_at_the_ends_of_occasions():
    recordings = recorded(["2024-05-01 23:30", "2024-05-02 11:30"], duration_s=3600.0)
    days = effort(recordings)
    assert list(days.columns) == [
        *("site", "date", "start_time", "recorded_s", "usable_s"),
        *("n_recordings", "n_unusable"),
    ]
    assert days["recorded_s"].tolist() == [1800, 5400]
    assert days["n_recordings"].tolist() == [1, 1]
    nights = effort(recordings, "night")
    assert nights["date"].dt.day.tolist() == [1, 2]
    assert nights["recorded_s"].tolist() == [5400, 1800]
    hours = effort(recordings, "hour")
    assert hours["hour"].tolist() == [23, 0, 11, 12]
    assert hours["date"].dt.day.tolist() == [1, 2, 2, 2]
    assert hours["recorded_s"].tolist() == [1800] * 4
    (line,) = effort(recordings, 7).itertuples()
    assert line.date == pd.Timestamp("2024-05-01")
    assert (line.recorded_s, line.n_recordings) == (7200, 2)


def test_several_days_are_counted_from_the_first_of_all_sites():
    first = recorded(["2024-05-01"], "marsh")
    second = recorded(["2024-05-05", "2024-05-09"], "ridge")
    weeks = effort(pd.concat([first, second]), 7)
    assert weeks["date"].dt.day.tolist() == [1, 1, 8]


@pytest.mark.parametrize(
    ("zone", "start", "n_hours"),
    [
        ("Europe/Madrid", "2024-10-26 22:00", 25),
        ("Europe/Madrid", "2024-03-30 23:00", 23),
        ("America/Santiago", "2024-09-08 04:00", 23),  # midnight is skipped
        ("America/Sao_Paulo", "2018-02-17 02:00", 25),  # 23 h occurs twice
        ("Asia/Kathmandu", "2024-04-30 18:15", 24),
        ("+10:00", "2024-04-30 14:00", 24),
    ],
)
def test_days_are_as_long_as_they_are_at_the_place(zone, start, n_hours):
    recordings = recorded(every(60, start, n_hours), duration_s=3600, time_zone=zone)
    (day,) = effort(recordings, "day").itertuples()
    assert day.recorded_s == 3600 * n_hours
    assert day.start_time == pd.Timestamp(start, tz="UTC")
    hours = effort(recordings, "hour")
    assert hours["recorded_s"].tolist() == [3600] * n_hours
    assert hours["hour"].is_monotonic_increasing
    assert hours["date"].nunique() == 1
    if (zone, n_hours) == ("Europe/Madrid", 25):
        assert hours["hour"].tolist()[:5] == [0, 1, 2, 2, 3]


@pytest.mark.parametrize("by", ["hour", "day", "night", 1, 3])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Madrid", "Australia/Lord_Howe"])
def test_no_second_is_lost(by, zone):
    rng = np.random.default_rng(0)
    starts = pd.Timestamp("2024-03-01") + pd.to_timedelta(
        rng.uniform(0, 300, 200), unit="D"
    )
    recordings = recorded(starts, duration_s=rng.uniform(0, 1e5, 200), time_zone=zone)
    found = effort(recordings, by)
    assert found["recorded_s"].sum() == pytest.approx(recordings["duration_s"].sum())
    assert found["n_recordings"].sum() == 200
    assert not found["start_time"].duplicated().any()


def test_hours_are_those_of_clocks_that_change_by_half_an_hour():
    # At 2 o'clock, which is 15 h of UTC, clocks are put back, or half an hour later on.
    starts = [*every(60, "2024-04-06 14:00", 4), *every(60, "2024-10-05 14:30", 4)]
    zone = "Australia/Lord_Howe"
    found = effort(recorded(starts, duration_s=10.0, time_zone=zone), "hour")
    assert found["hour"].tolist() == [1, 2, 3, 1, 2, 3, 4]
    assert found["start_time"].dt.minute.tolist() == [0, 30, 30, 30, 30, 0, 0]


@pytest.mark.parametrize("by", ["hour", "day", "night", 2])
def test_a_day_that_a_place_skipped_takes_nothing_away(by):
    starts = ["2011-12-30 19:00", "2012-01-02"]
    found = effort(recorded(starts, time_zone="Pacific/Apia"), by)
    assert found["recorded_s"].min() > 0
    assert found["recorded_s"].sum() == 1200


def test_a_clock_that_was_not_set_needs_no_occasions_until_now(monkeypatch):
    asked = []
    edges = Calendar.edges

    def watch(self, *arguments):
        asked.append(len(edges(self, *arguments)))
        return edges(self, *arguments)

    monkeypatch.setattr(Calendar, "edges", watch)
    found = effort(recorded(["1970-01-01", "2099-12-31", "2024-05-01"]), "hour")
    assert found["recorded_s"].tolist() == [600] * 3
    assert found["date"].dt.year.tolist() == [1970, 2024, 2099]
    assert max(asked) < 200


def test_what_is_not_usable_is_counted():
    recordings = recorded(every(60, periods=3), usable=[True, False, True])
    recordings["duration_s"] = [600.0, 600.0, np.nan]
    (day,) = effort(recordings).itertuples()
    assert (day.recorded_s, day.usable_s) == (1200, 600)
    assert (day.n_recordings, day.n_unusable) == (3, 2)


def test_sites_without_recordings_have_no_effort():
    sites = pd.concat([deployed(), deployed("fen", end="2024-05-03")])
    found = effort(recorded(["2024-05-02"]), sites=sites)
    assert found["site"].tolist() == ["fen"] * 3 + ["marsh"] * 2
    assert found["recorded_s"].tolist() == [0, 0, 0, 0, 600]
    with pytest.raises(ValueError, match="recordings tell none of site 'fen'"):
        effort(
            pd.concat([recorded([]), recorded(["2024-05-02"]), recorded_in_lima()]),
            sites=sites,
        )


def recorded_in_lima():
    return recorded(["2024-05-02"], "lima", time_zone="America/Lima")


def test_recordings_without_a_time_are_said():
    with pytest.warns(UserWarning, match=r"1 recording has no start_time .*0.wav") as w:
        found = effort(recorded([None, "2024-05-01"]))
    assert w[0].filename == __file__
    assert found["n_recordings"].tolist() == [1]


@pytest.mark.parametrize("by", ["week", 0, 1.5, True, None])
def test_occasions_that_are_none_are_refused(by):
    with pytest.raises(ValueError, match=r"by=.* must be 'hour', .*, .* or a"):
        effort(recorded(["2024-05-01"]), by)


def test_no_recordings_are_no_effort():
    assert len(effort(recorded([]))) == 0
    assert effort(recorded([]), sites=deployed(time_zone="UTC"))["date"].nunique() == 2


def rows_of(recordings, row_s=5.0):
    """Return the rows of recordings, one after another."""
    n_rows = np.ceil(recordings["duration_s"] / row_s).astype(int)
    path = recordings["path"].repeat(n_rows).reset_index(drop=True)
    start = row_s * path.groupby(path).cumcount()
    return pd.DataFrame({"path": path, "start": start, "end": start + row_s})


def test_activity_is_calling_time_by_effort():
    recordings = recorded(["2024-05-01 05:59:50", "2024-05-02 05:00"], duration_s=20.0)
    X = rows_of(recordings)
    proba = pd.DataFrame({"owl": [0.9, 0.1, 0.9, 0.9] + [0.1] * 4, "wren": 0.3})
    found = activity(proba, X, recordings, {"wren": 0.3, "owl": 0.9})
    assert list(found.columns) == [
        *("site", "date", "hour", "start_time", "species", "effort_s", "calling_s"),
        *("n_rows", "n_calling", "minutes_per_hour", "rows_per_hour"),
    ]
    owl = found[found["species"] == "owl"]
    assert owl["hour"].tolist() == [5, 6, 5]
    assert owl["effort_s"].tolist() == [10, 10, 20]
    assert owl["calling_s"].tolist() == [5, 10, 0]
    assert owl["minutes_per_hour"].tolist() == [30, 60, 0]
    assert owl["rows_per_hour"].tolist() == [360, 720, 0]
    wren = found[found["species"] == "wren"]
    assert wren["minutes_per_hour"].tolist() == [60] * 3


def test_a_row_over_midnight_counts_for_both_days_and_begins_in_one():
    recordings = recorded(["2024-05-01 23:59:57"], duration_s=5.0)
    found = activity(
        [[1.0]], rows_of(recordings), recordings, by="day", species=["owl"]
    )
    assert found["effort_s"].tolist() == [3, 2]
    assert found["calling_s"].tolist() == [3, 2]
    assert found["n_calling"].tolist() == [1, 0]
    assert found["minutes_per_hour"].tolist() == [60, 60]


def test_without_effort_there_is_no_rate():
    recordings = recorded(every(1440, periods=4), duration_s=[5.0, 5.0, 5.0, np.nan])
    recordings["usable"] = [True, True, False, True]
    X = rows_of(recordings.iloc[:3])
    proba = [[0.1, np.nan], [np.nan, np.nan], [0.9, 0.9]]
    sites = pd.concat([deployed(end="2024-05-05"), deployed("fen", end="2024-05-01")])
    found = activity(
        proba, X, recordings, by="day", sites=sites, species=["owl", "wren"]
    )
    assert found["site"].tolist() == ["fen"] * 2 + ["marsh"] * 10
    owl, wren = (
        found.loc[found["species"] == name, "minutes_per_hour"].tolist()
        for name in ("owl", "wren")
    )
    np.testing.assert_equal(owl, [np.nan, 0] + [np.nan] * 4)
    np.testing.assert_equal(wren, [np.nan] * 6)
    assert found["effort_s"].sum() == 5


def test_an_hour_that_occurs_twice_is_two():
    recordings = recorded(
        every(60, "2024-10-26 22:00", 25), duration_s=5.0, time_zone="Europe/Madrid"
    )
    proba = np.eye(25)[:, 2:4]  # the first 2 o'clock, and the second
    found = activity(proba, rows_of(recordings), recordings, species=["a", "b"])
    at_two = found[found["hour"] == 2]
    assert at_two["n_calling"].tolist() == [1, 0, 0, 1]
    assert at_two["start_time"].dt.hour.tolist() == [0, 0, 1, 1]


def test_of_rows_that_overlap_each_moment_counts_once():
    recordings = recorded(["2024-05-01"], duration_s=20.0)
    start = np.arange(0.0, 20.0, 2.5)
    X = pd.DataFrame({"path": "marsh/0.wav", "start": start, "end": start + 5})
    for order in (slice(None), slice(None, None, -1)):
        X = X.iloc[order].reset_index(drop=True)
        proba = (X[["start"]] < 10).to_numpy(float)
        (line,) = activity(proba, X, recordings, species=["owl"]).itertuples()
        assert (line.effort_s, line.calling_s) == (20, 10)
        assert (line.n_rows, line.n_calling) == (8, 4)


@pytest.mark.parametrize(
    ("rows", "calling", "effort_s", "calling_s"),
    [
        ([(0, 10), (3, 5)], [1, 0], 10, 8),  # one within another, which goes on
        ([(0, 10), (3, 5)], [0, 1], 10, 2),
        ([(0, 10), (2, 8), (3, 5), (7, 9)], [1, 0, 1, 0], 10, 5),
        ([(0, 9), (0, 4), (6, 7), (12, 15)], [1, 0, 0, 1], 12, 7),
        ([(0, 30), (3, 5)], [1, 0], 20, 18),  # no further than the recording
    ],
)
def test_a_row_goes_on_after_one_within_it(rows, calling, effort_s, calling_s):
    recordings = recorded(["2024-05-01", "2024-05-01 01:00"], duration_s=20.0)
    X = pd.DataFrame(rows, columns=["start", "end"], dtype=float)
    X = X.assign(path="marsh/0.wav")[::-1].reset_index(drop=True)
    proba = np.array(calling, dtype=float)[::-1, None]
    (line,) = activity(proba, X, recordings, by="day", species=["owl"]).itertuples()
    assert (line.effort_s, line.calling_s) == (effort_s, calling_s)
    assert (line.n_rows, line.n_calling) == (len(rows), sum(calling))


def test_rows_behind_the_end_of_their_recording_count_nowhere():
    recordings = recorded(["2024-05-01"], duration_s=7.0)
    X = pd.DataFrame({"path": "marsh/0.wav", "start": [0.0, 5.0, 10.0]})
    X["end"] = X["start"] + 5
    with pytest.warns(
        UserWarning, match=r"1 row that begins at or after the end .*'marsh/"
    ):
        found = activity(np.ones((3, 1)), X, recordings, species=["owl"])
    (line,) = found.itertuples()
    assert (line.effort_s, line.n_rows, line.n_calling) == (7, 2, 2)


def test_rows_without_an_end_are_whole_recordings():
    recordings = recorded(["2024-05-01"])
    recordings.loc[0, "path"] = "marsh\\0.wav"
    X = pd.DataFrame({"path": ["marsh/0.wav"]})
    (line,) = activity([[1]], X, recordings, species=["owl"]).itertuples()
    assert line.effort_s == 600


def test_activity_is_what_a_loop_over_rows_would_count():
    rng = np.random.default_rng(0)
    parts = [
        recorded(every(7, "2024-10-26 12:00", 200), site, time_zone="Europe/Madrid")
        for site in ("fen", "marsh")
    ]
    recordings = pd.concat(parts).sample(frac=1, random_state=0)
    X = rows_of(recordings, 60.0)
    proba = pd.DataFrame(rng.uniform(size=(len(X), 3)), columns=["a", "b", "c"])
    proba[rng.uniform(size=proba.shape) < 0.1] = np.nan
    found = activity(proba, X, recordings, [0.5, 0.7, 0.9])
    # One minute each, so that none is cut.
    starts = recordings.set_index("path")["start_time"]
    begun = starts[X["path"]].reset_index(drop=True)
    begun = (begun + pd.to_timedelta(X["start"], unit="s")).dt.floor("h")
    cells = [X["path"].str.split("/").str[0], begun]
    for name, threshold in zip("abc", (0.5, 0.7, 0.9), strict=True):
        calls = (proba[name] >= threshold).groupby(cells).sum()
        n_known = proba[name].notna().groupby(cells).sum()
        of_species = found[found["species"] == name].set_index(["site", "start_time"])
        assert (of_species["n_calling"].to_numpy() == calls.to_numpy()).all()
        assert (of_species["n_rows"].to_numpy() == n_known.to_numpy()).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": [0.5, 0.5]}, r"threshold has shape \(2,\); pass one number"),
        ({"threshold": {"wren": 0.5}}, "threshold has none for 'owl' .1 of 1 species"),
        ({"proba": [[0.5], [0.5]]}, "proba has 2 rows and X has 1; pass the very"),
        ({"species": None}, "species is needed to name the columns of proba"),
        (
            {"X": pd.DataFrame({"path": ["b.wav"]})},
            "1 file not in recordings, .*'b.wav'",
        ),
        ({"recordings": pd.concat([recorded(["2024-05-01"])] * 2)}, "more than once"),
        ({"by": "month"}, "by='month' must be"),
        (
            {
                "X": pd.DataFrame({"path": ["marsh/0.wav", "marsh\\0.wav"]}),
                "proba": [[0.5], [0.5]],
            },
            "X has the row of .*0.wav' from 0 s on more than once .* Keep one",
        ),
    ],
)
def test_mistakes_about_activity_are_named(options, message):
    recordings = recorded(["2024-05-01"])
    arguments = {"proba": [[0.5]], "X": recordings[["path"]], "recordings": recordings}
    arguments |= {"species": ["owl"], **options}
    with pytest.raises(ValueError, match=message):
        activity(**arguments)
    with pytest.raises(TypeError, match=r"X must be a DataFrame .*segment_table"):
        activity([[0.5]], ["marsh/0.wav"], recordings, species=["owl"])


def test_rows_of_recordings_without_a_time_are_in_no_occasion():
    recordings = recorded([None, "2024-05-01"], duration_s=5.0)
    with pytest.warns(UserWarning, match="counts in no occasion"):
        found = activity(
            np.ones((2, 1)), rows_of(recordings), recordings, species=["a"]
        )
    assert found["n_rows"].tolist() == [1]


def test_no_rows_are_no_activity():
    recordings = recorded([])
    X = pd.DataFrame({"path": []})
    assert len(activity(np.empty((0, 1)), X, recordings, species=["owl"])) == 0
    found = activity([], X, recorded(["2024-05-01"]), species=["owl"])
    assert found["effort_s"].tolist() == [0]
    assert found["minutes_per_hour"].isna().all()


def two_sites(by="day", **options):
    """Return the activity of two species: 3 days at a marsh, 1 at a fen."""
    recordings = pd.concat(
        [recorded(every(1440, periods=3)), recorded(["2024-05-02 12:00"], "fen")]
    ).assign(duration_s=10.0)
    proba = np.zeros((8, 2))
    proba[[0, 1, 7], 0] = 0.9  # at the marsh twice on the first day, once at the fen
    proba[4:6] = np.nan  # the third day of the marsh was not read
    return activity(
        *(proba, rows_of(recordings), recordings),
        by=by,
        species=["wren", "owl"],
        **options,
    )


def test_histories_tell_not_detected_from_not_listened():
    history = detection_history(two_sites())
    assert list(history.columns) == [
        *("species", "site", "occasion", "y", "effort_s", "n_calling"),
        *("date", "start_time"),
    ]
    assert history["species"].tolist() == ["owl"] * 4 + ["wren"] * 4
    assert history["site"].tolist() == ["fen", "marsh", "marsh", "marsh"] * 2
    assert history["occasion"].tolist() == [2, 1, 2, 3] * 2
    np.testing.assert_equal(
        history["y"].tolist(), [0, 0, 0, np.nan, *(1, 1, 0, np.nan)]
    )
    wide = detection_history(two_sites(), form="wide")
    assert list(wide.columns) == [
        *("species", "site", "y.1", "y.2", "y.3"),
        *("effort_s.1", "effort_s.2", "effort_s.3"),
    ]
    nan = np.nan
    np.testing.assert_equal(
        wide.iloc[:, 2:].to_numpy(),
        [
            [nan, 0, nan, 0, 10, 0],
            [0, 0, nan, 10, 10, 0],
            [nan, 1, nan, 0, 10, 0],
            [1, 0, nan, 10, 10, 0],
        ],
    )


def test_histories_ask_for_rows_and_effort():
    wide = detection_history(two_sites(), min_rows=2, form="wide")
    assert wide[["species", "site"]].iloc[2:].to_numpy().tolist() == [
        ["wren", "fen"],
        ["wren", "marsh"],
    ]
    assert wide.loc[2, "y.2"] == 0
    assert wide.loc[3, "y.1"] == 1
    assert detection_history(two_sites(), min_effort_s=10)["y"].notna().sum() == 6
    assert detection_history(two_sites(), min_effort_s=11)["y"].isna().all()


def test_deployments_without_recordings_are_in_histories():
    sites = pd.concat([deployed(site) for site in ("fen", "marsh", "ridge")])
    wide = detection_history(two_sites(sites=sites), form="wide")
    ridge = wide[wide["site"] == "ridge"]
    assert ridge.filter(like="y.").isna().to_numpy().all()
    assert (ridge.filter(like="effort_s.") == 0).to_numpy().all()


def test_occasions_are_matched_by_the_time_of_each_place():
    recordings = pd.concat(
        [
            recorded(["2024-05-01 23:00"], "madrid", time_zone="Europe/Madrid"),
            recorded(["2024-05-02 12:00"], "lima", time_zone="America/Lima"),
        ]
    ).assign(duration_s=5.0)
    found = activity(
        np.ones((2, 1)), rows_of(recordings), recordings, by="day", species=["owl"]
    )
    assert detection_history(found)["occasion"].tolist() == [1, 1]


def test_an_hour_that_occurs_twice_is_two_occasions():
    recordings = recorded(
        every(60, "2024-10-26 22:00", 5), duration_s=5.0, time_zone="Europe/Madrid"
    )
    found = activity(np.ones((5, 1)), rows_of(recordings), recordings, species=["owl"])
    history = detection_history(found.iloc[::-1])
    assert history["occasion"].tolist() == [1, 2, 3, 4, 5]
    assert history["start_time"].is_monotonic_increasing
    assert history["hour"].tolist() == [0, 1, 2, 2, 3]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda a: a.drop(columns="effort_s"), {}, "activity has no column 'effort_s'"),
        (lambda a: a.assign(n_calling="many"), {}, "n_calling of activity must hold"),
        (lambda a: pd.concat([a, a]), {}, "more than one line of species 'wren' at"),
        (lambda a: a, {"min_rows": 0}, "min_rows"),
        (lambda a: a, {"min_effort_s": -1}, "min_effort_s"),
        (lambda a: a, {"form": "tall"}, "form"),
    ],
)
def test_mistakes_about_histories_are_named(change, options, message):
    with pytest.raises(ValueError, match=message):
        detection_history(change(two_sites()), **options)


def test_no_activity_is_no_history():
    nothing = two_sites().iloc[:0]
    assert len(detection_history(nothing)) == 0
    assert len(detection_history(nothing, form="wide")) == 0
    with pytest.raises(TypeError, match="activity must be a DataFrame, got list"):
        detection_history([])
