"""Displays of a survey, its page, and the page in a real browser."""

import re
import warnings
from types import MappingProxyType

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")
pytest.importorskip("astral")
import matplotlib.pyplot as plt
from test_report_browser import EVIL, browser  # noqa: F401

from skbird.datasets import make_survey
from skbird.reports import describe_survey
from skbird.survey import (
    AccumulationDisplay,
    ActivityDisplay,
    SiteActivityDisplay,
    activity,
    detection_history,
    recording_times,
)

NAMES = [*EVIL[:2], "owl"]


@pytest.fixture(scope="module")
def data():
    made = make_survey(n_sites=3, n_weeks=2, n_species=3, recordings_per_day=12)
    made.proba.columns = NAMES
    # A site's name may come from a stranger's folder.
    made.sites.loc[0, "site"] = EVIL[0].replace("/", "")
    made.times = recording_times(made.recordings, clock="UTC")
    made.times["site"] = made.times["site"].replace("site01", made.sites["site"][0])
    return made


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def found(data, by, **options):
    return activity(data.proba, data.X, data.times, 0.9, by=by, **options)


def test_the_heat_map_has_the_rates_and_the_sun(data):
    by_hour = found(data, "hour", sites=data.sites)
    display = ActivityDisplay.from_activity(by_hour, "owl", sites=data.sites)
    assert display.rates.shape == (14, 24)
    of_owl = by_hour[by_hour["species"] == "owl"].groupby(["date", "hour"])
    sums = of_owl[["n_calling", "effort_s"]].sum()
    rates = 3600 * sums["n_calling"] / sums["effort_s"].where(sums["effort_s"] > 0)
    np.testing.assert_allclose(display.rates.to_numpy().ravel(), rates)
    (image,) = display.ax_.images
    np.testing.assert_allclose(image.get_array().filled(np.nan), display.rates.T)
    lines = {line.get_label(): line for line in display.ax_.lines}
    assert lines["sunrise"].get_ydata().mean() == pytest.approx(7.5, abs=0.3)
    assert lines["sunset"].get_ydata().mean() == pytest.approx(21.3, abs=0.3)
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["sunrise", "sunset", "not listened to"]


def test_of_sunsets_about_midnight_the_mean_is_about_midnight():
    days = pd.date_range("2024-06-01", periods=2)
    sun = pd.DataFrame({"date": days.repeat(2), "sunrise_hour": [2.0, 2.4] * 2})
    sun["sunset_hour"] = [23.8, 0.4, 23.8, 0.4]
    rates = pd.DataFrame(1.0, index=days, columns=range(24))
    lines = ActivityDisplay(rates, sun).plot().ax_.lines
    np.testing.assert_allclose(lines[0].get_ydata(), 2.2)
    np.testing.assert_allclose(lines[1].get_ydata(), 0.1)


def test_the_heat_map_of_hours_from_sunrise_has_no_lines(data):
    by_sun = found(data, "hour_from_sunrise", sites=data.sites)
    display = ActivityDisplay.from_activity(
        by_sun, "owl", site="site02", sites=data.sites
    )
    assert list(display.rates.columns) == [*range(-12, 12)]
    assert display.ax_.get_ylabel() == "hours from sunrise"
    assert not display.ax_.lines


def test_sites_have_panels_of_one_scale(data):
    by_day = found(data, "day", sites=data.sites)
    display = SiteActivityDisplay.from_activity(by_day, EVIL[0])
    assert len(display.axes_) == 3
    assert len({axis.get_ylim() for axis in display.axes_}) == 1
    assert display.axes_[1].get_title() == "site02"
    of_site = by_day[(by_day["species"] == EVIL[0]) & (by_day["site"] == "site02")]
    np.testing.assert_allclose(display.rates["site02"], of_site["rows_per_hour"])
    many = pd.DataFrame(np.zeros((2, 49)), index=by_day["date"].unique()[:2])
    with pytest.raises(ValueError, match="rates has 49 sites; at most 48"):
        SiteActivityDisplay(many).plot()
    with pytest.raises(ValueError, match="axes has 1 axis, but 3 are needed"):
        display.plot(axes=[plt.gca()])


@pytest.mark.parametrize("unit", ["occasion", "site"])
def test_species_accumulate(data, unit):
    history = detection_history(found(data, "day"))
    display = AccumulationDisplay.from_history(history, unit=unit)
    lines = {line.get_label(): line.get_ydata() for line in display.ax_.lines}
    np.testing.assert_allclose(lines["in any order"], display.curve["species"])
    assert display.ax_.get_xlabel() == f"{unit}s listened to"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dodo",), "species='dodo' is not in activity, which has"),
        (("owl", "ridge"), "site='ridge' is not in activity, which has"),
    ],
)
def test_what_is_not_there_cannot_be_drawn(data, arguments, message):
    by_day = found(data, "day")
    species, *site = arguments
    with pytest.raises(ValueError, match=message):
        ActivityDisplay.from_activity(by_day, species, site=(site or [None])[0])
    with pytest.raises(ValueError, match="activity has no column 'hour'"):
        ActivityDisplay.from_activity(by_day, "owl")
    with pytest.raises(TypeError, match="activity must be a DataFrame, got list"):
        SiteActivityDisplay.from_activity([], "owl")


@pytest.fixture(scope="module")
def report(data):
    thresholds = pd.DataFrame(
        {
            "species": NAMES,
            "threshold": [0.9, 0.8, np.nan],
            "precision": [0.95, 0.9, np.nan],
            "precision_low": [0.9, 0.85, np.nan],
            "precision_high": [1.0, 0.95, np.nan],
            "n_reviews": [100, 120, 3],
            "reason": ["", "", "3 reviews; 20 are needed"],
        }
    )
    reviews = data.X.head(3).assign(species=NAMES[0], judged=[1.0, 0.0, np.nan])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return describe_survey(
            *(data.proba, data.X, data.times, thresholds, data.sites),
            reviews=reviews,
            n_drawn=1,
            model="birds <b>2</b>",
            license="CC BY 4.0",
            title=EVIL[0],
        )


@pytest.mark.slow
def test_the_page_has_what_a_reader_asks(report):
    (methods,) = (s for s in report.sections if s.title == "Methods")
    text = " ".join(methods.parts[0].paragraphs)
    for words in (
        "at 3 sites with 3 recorders, from 2024-04-29 to 2024-05-12",
        "of 7.8 hours",
        "could not be used",
        "in rows of 5 s",
        "Europe/Madrid",
        "birds <b>2</b>; license of the model: CC BY 4.0",
        "0.8 to 0.9",
        "is 0.90 to 0.95 (intervals reach from 0.85 to 1.00), by 220 reviews by ear",
        "Of 3 reviewed species 2 have a threshold; the others are left out: owl.",
        "An occasion is a day",
        "astral 3",
    ):
        assert words in text, words
    assert {"skbird", "astral"} <= set(report.tables["versions"]["package"])


@pytest.mark.slow
def test_the_page_has_the_tables_whole(report, data):
    by_day = report.tables["activity"]
    assert len(by_day) == 3 * 14 * 2
    assert by_day["effort_s"].sum() > 0
    assert set(report.tables["history"]["species"]) == {*NAMES[:2]}
    species = report.tables["species"].set_index("species")
    assert species.loc[NAMES[0], "precision"] == 0.95
    assert species["detections"].is_monotonic_decreasing
    assert report.tables["problems"]["problem"].eq("gap").sum() == 3
    assert set(report.figures) == {
        *("effort_map", "species_by_occasion", "species_by_site"),
        *("when_0", "where_0"),
    }


@pytest.mark.slow
def test_species_may_have_numbers_and_thresholds_be_any_mapping(data):
    proba = data.proba.set_axis(range(3), axis=1)
    thresholds = MappingProxyType(dict.fromkeys("012", 0.9))
    page = describe_survey(proba, data.X, data.times, thresholds, data.sites, n_drawn=1)
    assert sorted(page.tables["species"]["species"]) == ["0", "1", "2"]


def test_a_survey_without_precision_or_places_says_so(data):
    sites = data.sites.drop(columns=["latitude", "longitude", "device"])
    options = {"n_drawn": 0, "by": 7}
    times = data.times.assign(usable=True)
    times.loc[0, "start_time"] = pd.NaT
    with pytest.warns(UserWarning, match="1 recording has no start_time"):
        plain = describe_survey(data.proba, data.X, times, 0.9996, sites, **options)
    (methods,) = (s for s in plain.sections if s.title == "Methods")
    text = " ".join(methods.parts[0].paragraphs)
    assert "calling in a row from its threshold on: 0.9996. " in text
    n_detected = len(plain.tables["species"])
    assert n_detected == plain.tables["activity"]["species"].nunique() < 3
    assert f"{3 - n_detected} other species were not detected" in text
    assert "All could be used" not in text
    assert "1 more does not tell when it began and is in no result." in text
    assert "How precise detections are was not stated" in text
    assert "No detection was confirmed by ear" in text
    assert "a model that was not named" in text
    assert "An occasion is 7 days" in text
    assert "astral" not in text
    assert "recorders" not in text


def test_what_is_outside_the_deployments_is_in_no_figure(data):
    sites = data.sites.assign(start="2024-05-06")
    thresholds = pd.DataFrame({"species": NAMES[:2], "threshold": 0.9})
    thresholds["precision"] = [0.9, np.nan]
    times = data.times.assign(unusable_because="")
    times.loc[0, ["usable", "unusable_because"]] = False, "silent"  # it is outside
    with pytest.warns(UserWarning, match="Left out: .* outside the deployments") as got:
        page = describe_survey(
            data.proba, data.X, times, thresholds, sites, n_drawn=0, by=7
        )
    assert len([one for one in got if "outside" in str(one.message)]) == 1
    days = page.tables["effort"]
    assert days["date"].min() == pd.Timestamp("2024-05-06")
    (methods,) = (s for s in page.sections if s.title == "Methods")
    text = " ".join(methods.parts[0].paragraphs)
    n, hours = days["n_recordings"].sum(), days["recorded_s"].sum() / 3600
    assert f"{n} recordings of {hours:.1f} hours" in text
    assert f"{len(times) - n} more, outside the deployments, were left out." in text
    analysed = float(re.search(r"([\d.]+) hours were analysed", text)[1])
    assert 0 < analysed <= hours
    assert "silent" not in text
    assert "nan" not in text
    species = page.tables["species"].set_index("species")
    assert "n_correct" not in species


@pytest.mark.slow
def test_the_page_has_times_of_the_place_and_words(report, tmp_path):
    page = report.to_html(tmp_path / "page.html").read_text()
    for text in ("2024-04-29 00:00 CEST", "right, at least", "seconds listened to"):
        assert text in page, text
    assert "UTC<" not in page
    assert "n_calling" in report.tables["activity"].columns
    assert str(report.tables["activity"]["start_time"].dt.tz) == "UTC"
    axis = report.figures["effort_map"].axes[0]
    assert axis.get_xlabel() == "29 Apr 2024 to 12 May 2024"


def test_short_surveys_have_days_and_not_hours():
    days = pd.date_range("2024-06-01", periods=2)
    axis = ActivityDisplay(pd.DataFrame(1.0, index=days, columns=range(24))).plot().ax_
    axis.figure.canvas.draw()
    labels = [label.get_text() for label in axis.get_xticklabels()]
    assert labels == ["01 Jun", "02 Jun", "03 Jun"]
    assert axis.get_xlabel() == "01 Jun 2024 to 02 Jun 2024"


@pytest.mark.slow
def test_a_survey_in_which_nothing_was_heard_has_a_page(data, tmp_path):
    nothing = describe_survey(
        *(data.proba.iloc[:0], data.X.iloc[:0], data.times, 0.9, data.sites)
    )
    page = nothing.to_html(tmp_path / "page.html")
    assert "Methods" in page.read_text()


@pytest.mark.slow
def test_without_any_threshold_the_effort_is_given(data, tmp_path):
    lacking = pd.DataFrame({"species": NAMES[:2], "threshold": np.nan, "n_reviews": 3})
    with pytest.warns(UserWarning, match="No species has a threshold .2 of the table"):
        found = describe_survey(data.proba, data.X, data.times, lacking, data.sites)
    page = found.to_html(tmp_path / "page.html").read_text()
    assert "nothing counts as detected" in page
    assert "Of 2 reviewed species 0 have a threshold" in page
    assert "1 more of the model were not reviewed" in page
    (facts,) = (s.parts[0].facts for s in found.sections if s.title == "Overview")
    usable_s = data.times.loc[data.times["usable"], "duration_s"].sum()
    assert 0 < 3600 * facts["hours listened to"] <= usable_s
    assert {"species", "detections"} <= set(found.tables["species"].columns)
    assert "occasion" in found.tables["first_detections"].columns


@pytest.mark.parametrize("n_drawn", [-1, 1.5, True])
def test_numbers_of_pictures_are_checked(data, n_drawn):
    arguments = data.proba, data.X, data.times, 0.9, data.sites
    with pytest.raises(ValueError, match=r"n_drawn=.* must be a whole number"):
        describe_survey(*arguments, n_drawn=n_drawn)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (360, "dark")])
def test_the_page_in_a_browser(browser, report, tmp_path, width, scheme):  # noqa: F811
    path = report.to_html(tmp_path / "survey.html")
    context = browser.new_context(
        offline=True,
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
    )
    page = context.new_page()
    trouble = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto(path.as_uri())
    assert page.title() == EVIL[0]
    assert page.locator("img[src=x], [onerror], [onfocus], b").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == width
    sizes = page.locator("img.plot").evaluate_all(
        "all => all.map((image) => image.naturalWidth)"
    )
    assert len(sizes) == 5
    assert min(sizes) > 100
    search = page.locator("[data-list]:has(h3:text-is('All species')) input")
    search.fill("onfocus")
    assert page.evaluate("window.hacked") is None
    assert trouble == []
    context.close()
