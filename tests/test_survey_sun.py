"""Sunrise, and hours counted from it."""

import sys
import warnings

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("astral")
from test_survey import deployed, every, recorded, rows_of

from skbird.survey import activity, detection_history, effort, sun_times

MARSH = {"latitude": 37.0, "longitude": -6.4, "time_zone": "Europe/Madrid"}
TROMSO = {"latitude": 69.65, "longitude": 18.96, "time_zone": "Europe/Oslo"}
HOURS = [*range(-12, 12)]


def test_the_sun_rises_when_almanacs_say():
    sites = deployed(start="2024-03-20", end="2024-03-21", **MARSH)
    times = sun_times(sites)
    assert list(times.columns) == [
        *("site", "date", "sunrise", "sunset", "sunrise_hour", "sunset_hour", "note")
    ]
    # Of equinoxes: noon is at 13:33 of the clock there, and days are 12 h 8 min long.
    np.testing.assert_allclose(times["sunrise_hour"], 7.48, atol=0.06)
    np.testing.assert_allclose(times["sunset_hour"], 19.61, atol=0.06)
    assert times["date"].dt.day.tolist() == [20, 21]
    assert times["note"].tolist() == ["", ""]


@pytest.mark.parametrize(
    ("longitude", "zone"),
    [(178.0, "Pacific/Auckland"), (-175.2, "Pacific/Tongatapu"), (-150, "-10:00")],
)
def test_days_are_those_of_the_place_on_both_sides_of_the_date_line(longitude, zone):
    place = {"latitude": -20.0, "longitude": longitude, "time_zone": zone}
    times = sun_times(deployed(end="2024-05-04", **place))
    zone = "Etc/GMT+10" if zone == "-10:00" else zone
    for name, hour in (("sunrise", 6), ("sunset", 18)):
        local = times[name].dt.tz_convert(zone).dt.tz_localize(None)
        assert (local.dt.normalize() == times["date"]).all()
        assert (abs(local.dt.hour - hour) <= 1).all()


def test_polar_days_and_nights_are_said():
    summer = sun_times(deployed(start="2024-05-14", end="2024-07-30", **TROMSO))
    assert summer["note"].isin(["", "polar day"]).all()
    assert summer["note"].iloc[[0, 20, -1]].tolist() == ["", "polar day", ""]
    is_polar = summer["note"] == "polar day"
    assert summer["sunrise"].isna().tolist() == is_polar.tolist()
    assert (is_polar.astype(int).diff().abs() == 1).sum() == 2
    winter = sun_times(deployed(start="2024-12-10", end="2024-12-11", **TROMSO))
    assert winter["note"].tolist() == ["polar night"] * 2
    assert winter["sunset"].isna().all()


def test_hours_are_counted_from_sunrise():
    sites = deployed(end="2024-05-04", **MARSH)
    recordings = recorded(
        every(60, "2024-04-30 22:00", 96), duration_s=3600, time_zone="Europe/Madrid"
    )
    found = effort(recordings, "hour_from_sunrise", sites=sites)
    assert found["recorded_s"].sum() == 96 * 3600
    whole = found[found["date"].isin(pd.to_datetime(["2024-05-02", "2024-05-03"]))]
    assert whole["hour"].tolist() == HOURS * 2
    assert (whole["recorded_s"].between(3500, 3600.1)).all()
    sunrise = sun_times(sites).set_index("date")["sunrise"]
    first = whole[whole["hour"] == 0]
    assert first["start_time"].tolist() == sunrise[first["date"]].tolist()


def test_activity_at_sunrise_is_in_the_hour_of_sunrise_in_all_seasons():
    sites = deployed(start="2024-01-10", end="2024-07-10", **MARSH)
    sunrise = sun_times(sites)["sunrise"].dt.floor("s")
    recordings = recorded(
        sunrise - pd.Timedelta("5s"), duration_s=60.0, time_zone="Europe/Madrid"
    )
    X = rows_of(recordings)
    proba = (X[["start"]] >= 10).to_numpy(float)
    options = {"by": "hour_from_sunrise", "species": ["owl"], "sites": sites}
    found = activity(proba, X, recordings, **options)
    calling = found[found["n_calling"] > 0]
    assert len(calling) == len(sunrise)
    assert set(calling["hour"]) == {0}
    history = detection_history(found)
    assert history["y"].sum() == len(sunrise)


def test_what_is_on_a_polar_day_is_in_no_occasion_and_that_is_said():
    sites = deployed(start="2024-05-10", end="2024-05-24", **TROMSO)
    recordings = recorded(
        every(360, "2024-05-10 00:00", 56), duration_s=600, time_zone="Europe/Oslo"
    )
    with pytest.warns(UserWarning, match="days of site 'marsh' have no sunrise") as w:
        found = effort(recordings, "hour_from_sunrise", sites=sites)
    assert w[0].filename == __file__
    assert "polar day" in str(w[0].message)
    assert found["hour"].between(-12, 11).all()
    assert not found["start_time"].duplicated().any()
    assert 0.3 < found["recorded_s"].sum() / (56 * 600) < 0.7
    X = rows_of(recordings, 60.0)
    proba = np.ones((len(X), 1))
    with pytest.warns(UserWarning, match="no sunrise"):
        calls = activity(
            *(proba, X, recordings),
            by="hour_from_sunrise",
            sites=sites,
            species=["a"],
        )
    assert calls["calling_s"].sum() == pytest.approx(found["usable_s"].sum())


def test_days_with_sunrise_warn_nobody():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sites = deployed(**MARSH)
        recordings = recorded(every(60), time_zone="Europe/Madrid")[:24]
        effort(recordings, "hour_from_sunrise", sites=sites)
        # Midnight is within an hour, at both ends.
        assert len(effort(recorded([]), "hour_from_sunrise", sites=sites)) == 49


@pytest.mark.parametrize(
    ("sites", "message"),
    [
        (None, "sites has no column 'site'; sunrise needs"),
        (deployed(), "sites has no column 'latitude'"),
        (deployed(latitude=np.nan, longitude=1.0), "of site 'marsh' are not known"),
        (deployed("fen", latitude=1.0, longitude=1.0), "sites has no site 'marsh'"),
        (
            pd.concat([deployed(latitude=x, longitude=1.0) for x in (1.0, 2.0)]),
            "'marsh' has several places",
        ),
    ],
)
def test_sites_without_a_place_are_named(sites, message):
    recordings = recorded(["2024-05-01"])
    with pytest.raises(ValueError, match=message):
        effort(recordings, "hour_from_sunrise", sites=sites)


def test_without_astral_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "astral", None)
    place = MARSH | {"latitude": 11.5}  # not asked for before
    with pytest.raises(ImportError, match=r"need astral; install it .*\[survey\]"):
        sun_times(deployed(**place))


@pytest.mark.parametrize(
    ("latitude", "longitude", "zone"),
    [
        (28.6, 77.2, "+05:30"),  # sunrise passes midnight of UTC, where astral has none
        (0.0, 180.0, "UTC"),  # noon passes midnight of the clock
        (40.0, -3.0, "Pacific/Auckland"),
    ],
)
def test_days_with_sunrise_follow_each_other(latitude, longitude, zone):
    table = pd.DataFrame({"site": ["a"], "latitude": latitude, "longitude": longitude})
    table = table.assign(start="2024-04-01", end="2024-06-20", time_zone=zone)
    times = sun_times(table)
    assert set(times["note"]) == {""}
    for name in ("sunrise", "sunset"):
        apart_h = times[name].diff().dropna().dt.total_seconds() / 3600
        assert apart_h.between(23.9, 24.1).all()
