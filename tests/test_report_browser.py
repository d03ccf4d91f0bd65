"""The pages of reports in a real browser: Chromium, driven by playwright."""

import importlib
import os
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile

from skbird.reports._describe_errors import describe_errors

RATE = 16_000
EVIL = (
    "<img src=x onerror='window.hacked=1'>",
    "\"onfocus='window.hacked=1' x=\"",
    "owl",
)
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)


@pytest.fixture(scope="module")
def browser():
    # Users' machines may go without; where Chromium was installed for these tests, they
    # must not be passed over.
    if "SKBIRD_NEEDS_BROWSER" not in os.environ:
        pytest.importorskip("playwright", reason="playwright is not installed")
        if CHROMIUM is None:
            pytest.skip("no chromium on the path")
    driver = importlib.import_module("playwright.sync_api")
    # As root, as in containers, Chromium has no sandbox.
    args = ["--no-sandbox"] if os.geteuid() == 0 else []
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("<i>report")
    rng = np.random.default_rng(0)
    paths = []
    for number in range(6):
        path = folder / f"'><img src=x onerror=alert(1)> {number}.wav"
        tone = np.sin(np.arange(RATE) * rng.uniform(0.2, 1.5))
        soundfile.write(str(path).replace("/>", ">"), 0.3 * tone, RATE)
        paths.append(str(path))
    X = pd.DataFrame({"path": paths, "collection": EVIL[0]})
    Y = pd.DataFrame(np.tile(np.eye(3), (2, 1)), columns=EVIL)
    proba = pd.DataFrame(rng.random((6, 3)), columns=EVIL)
    report = describe_errors(X, Y, proba, title=EVIL[0], clip_s=1.0, verbose=0)
    return report.to_html(folder / "page.html").as_uri()


@pytest.fixture(scope="module")
def tab(browser):
    """A page that notes what troubles it, and what it asks of the network."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.trouble = []
    page.on("console", lambda message: page.trouble.append(message.text))
    page.on("pageerror", lambda error: page.trouble.append(str(error)))
    page.on(
        "request",
        lambda request: (
            request.url.startswith("http") and page.trouble.append(request.url)
        ),
    )
    yield page
    context.close()


@pytest.fixture
def page(tab, address):
    tab.trouble.clear()
    tab.goto(address)
    yield tab
    assert tab.trouble == []
    assert tab.evaluate("window.hacked") is None
    tab.goto("about:blank")


def column(page, table, number):
    return page.locator(f"{table} tbody tr td:nth-child({number})").all_inner_texts()


@pytest.mark.slow
def test_names_are_text(page):
    assert page.title() == EVIL[0]
    assert EVIL[0] in page.locator("h1").inner_text()
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("i, [onerror], [onfocus]").count() == 0


@pytest.mark.slow
def test_tables_are_sorted_by_mouse_and_by_keyboard(page):
    table = "[data-list]:has(h3:text-is('All species'))"
    header = page.locator(f"{table} th:has-text('roc auc')")
    header.locator("button").click()
    scores = [float(text) for text in column(page, table, 5)]
    assert scores == sorted(scores, reverse=True)
    assert header.get_attribute("aria-sort") == "descending"
    page.keyboard.press("Enter")  # the button has the focus
    assert [float(text) for text in column(page, table, 5)] == scores[::-1]
    assert header.get_attribute("aria-sort") == "ascending"
    page.locator(f"{table} th button").first.click()
    assert column(page, table, 1)[-1] == "owl"
    assert header.get_attribute("aria-sort") is None


@pytest.mark.slow
def test_unknown_figures_come_last_in_both_orders(page):
    table = "[data-list]:has(h3:text-is('All species'))"
    cell = page.locator(f"{table} tbody tr td:nth-child(5)").nth(1)
    cell.evaluate("cell => { cell.dataset.value = ''; cell.textContent = '–'; }")
    for _ in range(2):
        page.locator(f"{table} th:has-text('roc auc') button").click()
        assert column(page, table, 5)[-1] == "–"


@pytest.mark.slow
def test_tables_are_searched(page):
    table = "[data-list]:has(h3:text-is('All species'))"
    search = page.locator(f"{table} input[type=search]")
    assert page.locator(f"{table} .count").inner_text() == "3 of 3 shown"
    search.fill("OWL")
    assert page.locator(f"{table} tbody tr:visible").count() == 1
    assert page.locator(f"{table} .count").inner_text() == "1 of 3 shown"
    search.fill("")
    assert page.locator(f"{table} tbody tr:visible").count() == 3


@pytest.mark.slow
def test_clips_are_filtered_and_ordered(page):
    clips = page.locator("li.clip")
    n_clips = clips.count()
    page.select_option("select.kind", "false negative")
    # Not the inner texts: what is not on the screen yet has none.
    kinds = set(page.locator("li.clip:visible .badge").all_text_contents())
    assert kinds == {"false negative"}
    assert page.locator("li.clip:visible").count() < n_clips
    page.select_option("select.kind", "")
    page.select_option("select.order", label="score, low first")
    scores = clips.evaluate_all("all => all.map((clip) => Number(clip.dataset.key0))")
    assert scores == sorted(scores)


@pytest.mark.slow
def test_clips_play_one_at_a_time_and_only_when_asked(page):
    assert page.locator("audio").count() == 0
    page.locator("button.play").first.focus()
    page.keyboard.press("Enter")
    playing = "() => document.querySelectorAll('audio')[{}]?.currentTime > 0.05"
    page.wait_for_function(playing.format(0))
    assert page.evaluate("document.querySelector('audio').duration") > 0.9
    assert page.evaluate("document.activeElement.tagName") == "AUDIO"
    page.locator("button.play").first.click()
    page.wait_for_function(playing.format(1))
    assert page.evaluate("document.querySelectorAll('audio')[0].paused")


@pytest.mark.slow
def test_spectrograms_appear_when_they_are_scrolled_to(page):
    picture = page.locator("li.clip img").last
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    picture.scroll_into_view_if_needed()
    page.wait_for_function(
        "image => image.naturalWidth > 50", arg=picture.element_handle()
    )
    assert "Spectrogram" in picture.get_attribute("alt")


@pytest.mark.slow
def test_light_and_dark(browser, address):
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(address)
    colour = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(colour)
    page.click("#theme")
    light = page.evaluate(colour)
    assert (dark, light) == ("rgb(20, 24, 29)", "rgb(255, 255, 255)")
    page.reload()  # the choice is kept
    assert page.evaluate(colour) == light
    context.close()


def test_a_phone_needs_no_sideways_scrolling(browser, address):
    context = browser.new_context(viewport={"width": 360, "height": 700})
    page = context.new_page()
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    context.close()


@pytest.mark.slow
def test_everything_can_be_reached_by_keyboard(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.tagName"))
    assert {"A", "BUTTON", "INPUT", "DIV"} <= seen


@pytest.mark.slow
def test_scripts_from_elsewhere_do_not_run(page):
    page.evaluate(
        "() => { const script = document.createElement('script');"
        "script.textContent = 'window.hacked = 1'; document.body.append(script); }"
    )
    assert page.evaluate("window.hacked") is None
    # The browser says that it refused.
    assert len(page.trouble) == 1
    assert "Content Security Policy" in page.trouble.pop()
