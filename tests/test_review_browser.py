"""The page of a review session in a real browser: Chromium, driven by playwright."""
# ruff: noqa: F811 - pytest takes fixtures that are imported

import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import soundfile

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
from test_report_browser import browser  # noqa: F401

from skbird.review import ReviewSession, read_reviews
from skbird.review._serve import PageServer

pytestmark = pytest.mark.slow
RATE = 16_000
EVIL = "<img src=x onerror='window.hacked=1'>"
SKBIRD = "from skbird.cli import main; main()"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("<i>sounds")
    times = np.arange(30 * RATE) / RATE
    for site in ("creek", "hill"):
        (folder / site).mkdir()
        tone = np.sin(2 * np.pi * 2000 * times) * (times % 5 > 3)
        name = folder / site / f"{EVIL.replace('/', '')}_20240501_053000.wav"
        soundfile.write(name, 0.2 * tone, RATE)
    return folder


@pytest.fixture(scope="module")
def table(folder):
    """5,000 detections."""
    paths = sorted(str(path) for path in folder.rglob("*.wav"))
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"path": paths * 2500, "start": np.arange(5000) % 2500 / 100})
    return table.assign(
        end=table["start"] + 5,
        species=rng.choice([EVIL, "owl", "wren"], 5000),
        probability=rng.random(5000).round(4),
        low_hz=1000,
        high_hz=3000,
    )


@contextmanager
def opened(browser, address, **options):
    """Open the page; what the browser complains about fails the test."""
    context = browser.new_context(**options)
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.trouble = []
    page.on("console", lambda message: page.trouble.append(message.text))
    page.on("pageerror", lambda error: page.trouble.append(str(error)))
    page.goto(address)
    until(page, "document.querySelector('#picture').naturalWidth > 50")
    yield page
    assert page.trouble == []
    assert page.evaluate("window.hacked") is None
    context.close()


def until(page, script, argument=None):
    # playwright's own wait would need eval, which the page forbids.
    end = time.monotonic() + 10
    while not page.evaluate(script, argument):
        assert time.monotonic() < end, script
        time.sleep(0.01)


@contextmanager
def served(table, folder, path):
    command = [sys.executable, "-c", SKBIRD, "review", table, "--recordings", folder]
    command += ["--out", path, "--threshold", 0, "--no-browser", "--reviewer", "Ada"]
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process, process.stdout.readline().decode().split()[-1]
        finally:
            process.kill()


COUNT = "document.querySelector('#count').textContent"


def press(page, keys, n_before):
    """Judge by keyboard, and wait each time until it is counted."""
    for number, key in enumerate(keys, n_before + 1):
        page.keyboard.press(key)
        until(page, f"n => {COUNT}.startsWith(`${{n}} of`)", number)


def test_what_was_judged_outlives_the_server(browser, folder, table, tmp_path):
    path, events = tmp_path / "reviews.sqlite", tmp_path / "events.csv"
    table.rename(columns={"probability": "score"}).to_csv(events, index=False)
    with (
        served(events, folder, path) as (process, address),
        opened(browser, address) as page,
    ):
        assert page.url.endswith("/")
        press(page, "yynu" * 5, 0)
        until(page, "document.querySelector('#player').currentTime > 0.05")
        page.reload()
        until(page, f"{COUNT}.startsWith('20 of')")
        press(page, "yn" * 5, 20)
        process.kill()
        process.wait()
        page.keyboard.press("y")
        page.locator("#trouble").wait_for()
        assert "does not answer" in page.locator("#trouble").inner_text()
        [refused] = page.trouble
        assert "ERR_CONNECTION_REFUSED" in refused
        page.trouble.clear()
    judged = read_reviews(path)["judged"]
    assert [len(judged), judged.sum(), judged.isna().sum()] == [30, 15, 5]
    again = PageServer(ReviewSession(table, path, folder=folder), reviewer="Ada")
    with again as server, opened(browser, server.address) as page:
        until(page, f"{COUNT}.startsWith('30 of')")
        press(page, "y", 30)
    assert len(read_reviews(path)) == 31


@pytest.fixture
def session(folder, table, tmp_path):
    return ReviewSession(table, tmp_path / "reviews.sqlite", folder=folder)


@pytest.fixture
def address(session):
    with PageServer(session, reviewer="Ada") as server:
        yield server.address


def test_all_that_is_said_is_stored(browser, address, session):
    with opened(browser, address) as page:
        page.keyboard.press("m")
        page.keyboard.type("rain")
        page.keyboard.press("Enter")
        page.keyboard.press("o")
        page.keyboard.type("Strix yn")
        page.keyboard.press("Enter")
        page.locator("#trouble").wait_for()
        assert "No detection is called Strix yn" in page.inner_text("#trouble")
        page.keyboard.press("Enter")
        until(page, f"{COUNT}.startsWith('1 of')")
        [review] = read_reviews(session.path).to_dict("records")
        assert (review["other_species"], review["note"]) == ("Strix yn", "rain")
        assert review["reviewer"] == "Ada"
        assert "Strix yn" in page.locator("#status").inner_text()
        page.fill("#reviewer", "Ben")
        page.fill("#note", "far")
        page.click("#yes")
        until(page, f"{COUNT}.startsWith('2 of')")
        page.keyboard.press("z")
        until(page, f"{COUNT}.startsWith('1 of')")
        assert page.input_value("#note") == "far"
        assert read_reviews(session.path)["reviewer"].tolist() == ["Ada"]
        page.keyboard.press("b")
        page.locator("#said").wait_for()
        assert "Strix yn, by Ada" in page.locator("#said").inner_text()


def test_names_are_text_and_nobody_judges_without_one(browser, address, session):
    with opened(browser, address) as page:
        page.select_option("#filterSpecies", EVIL)
        until(
            page,
            "text => document.querySelector('#species').textContent === text",
            f"Is it {EVIL}?",
        )
        assert "<img" in page.locator("#file").inner_text()
        assert page.locator("img[src=x], [onerror]").count() == 0
        page.fill("#reviewer", "")
        page.click("#no")
        page.locator("#trouble").wait_for()
        assert "Say who you are" in page.locator("#trouble").inner_text()
        assert page.evaluate("document.activeElement.id") == "reviewer"
    assert read_reviews(session.path).empty


def test_what_cannot_be_stored_stays(browser, address, session, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("the disk is full")

    monkeypatch.setattr(session, "judge", fail)
    with opened(browser, address) as page:
        stretch = page.locator("#stretch").inner_text()
        page.keyboard.press("y")
        page.locator("#trouble").wait_for()
        assert "Not stored. the disk is full" in page.locator("#trouble").inner_text()
        assert page.locator("#stretch").inner_text() == stretch
        [message] = page.trouble
        assert "503" in message
        page.trouble.clear()


def test_what_is_stored_is_not_said_to_be_lost(browser, address, session):
    with opened(browser, address) as page:
        page.route("**/api/next*", lambda route: route.abort())
        page.keyboard.press("y")
        page.locator("#trouble").wait_for()
        assert "Not stored" not in page.locator("#trouble").inner_text()
        page.keyboard.press("y")
        page.unroute("**/api/next*")
        page.keyboard.press("s")
        until(page, f"{COUNT}.startsWith('1 of')")
        page.trouble.clear()
    assert len(read_reviews(session.path)) == 1


def test_filters_and_views(browser, address, session):
    with opened(browser, address) as page:
        page.select_option("#filterSpecies", "owl")
        until(page, "document.querySelector('#species').textContent === 'Is it owl?'")
        page.fill("#minProba", "0.9")
        page.keyboard.press("Tab")
        proba = "Number(document.querySelector('#probability').textContent)"
        until(page, f"{proba} >= 0.9")
        page.keyboard.press("Escape")
        for khz in (4, 2):  # of those below the 8 kHz that there are
            page.keyboard.press("+")
            until(page, f"document.querySelector('#picture').src.endsWith('{khz}000')")
        page.select_option("#top", "4")
        until(page, "document.querySelector('#picture').src.includes('top_hz=4000')")
        # The box is from 1 to 3 kHz.
        mark = page.locator("#mark").bounding_box()
        frame = page.locator("#frame").bounding_box()
        assert mark["height"] / frame["height"] == pytest.approx(0.5, abs=0.02)
        assert (mark["y"] - frame["y"]) / frame["height"] == pytest.approx(
            0.25, abs=0.02
        )
        page.fill("#maxProba", "0.1")
        page.keyboard.press("Tab")
        page.locator("#done").wait_for()
        page.click("#clear")
        page.locator("#clip").wait_for()


def test_a_link_elsewhere_leads_to_the_page(browser, address, tmp_path):
    (tmp_path / "a.html").write_text(f"<a href='{address}'>Judge</a>")
    with browser.new_context() as context:
        page = context.new_page()
        page.goto((tmp_path / "a.html").as_uri())
        page.click("a")
        page.locator("#probability:not(:empty)").wait_for()
        assert page.url.endswith("/")
        assert page.evaluate("document.cookie") == ""
        page.reload()
        page.locator("#probability:not(:empty)").wait_for()


def test_dark_narrow_and_by_keyboard_alone(browser, address):
    narrow = {"width": 390, "height": 844}
    with opened(browser, address, viewport=narrow, color_scheme="dark") as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        colour = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(colour) == "rgb(20, 24, 29)"
        page.evaluate("document.activeElement.blur()")
        seen = set()
        for _ in range(25):
            page.keyboard.press("Tab")
            seen.add(page.evaluate("document.activeElement.id"))
        assert {"yes", "no", "uncertain", "otherSpecies", "note", "undo"} <= seen
        unnamed = page.evaluate(
            "() => [...document.querySelectorAll('button, input, select, audio')]"
            ".filter((e) => !(e.labels?.length || e.ariaLabel || e.textContent.trim()))"
            ".length"
        )
        assert unnamed == 0
