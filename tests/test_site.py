"""The built site, in a browser and without: ``nox -s docs`` builds and tests it."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from test_report_browser import browser  # noqa: F401

SITE = Path(__file__).resolve().parent.parent / "docs" / "_build" / "html"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (SITE / "index.html").is_file(), reason="not built: nox -s docs"
    ),
]
LOOKED_AT = [
    "index.html",
    "which.html",
    "comparison.html",
    "training.html",
    "results/speed.html",
    "results/ablation.html",
    "glossary.html",
    "api/index.html",
    "api/skbird.nn.html",
    "api/generated/skbird.nn.SEDClassifier.html",
    "examples/index.html",
    "examples/eda.html",
]


class Links(HTMLParser):
    """Gather where a page leads, and the places in it that links may lead to."""

    def __init__(self, page):
        super().__init__()
        self.links, self.places = set(), set()
        self.feed(page.read_text())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.places |= {attributes.get("id"), attributes.get("name")}
        for name in ("href", "src"):
            if attributes.get(name):
                self.links.add(attributes[name])


def test_no_link_within_the_site_is_dead():
    files = [page for page in SITE.rglob("*.html") if "_static" not in page.parts]
    pages = {page: Links(page) for page in files}
    dead = []
    for page, found in pages.items():
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            path, place = urldefrag(link)
            path = unquote(urlsplit(path).path)
            target = (page.parent / path).resolve() if path else page
            if not target.exists():
                dead.append((page.name, link))
            elif place and target in pages:
                if unquote(place) not in pages[target].places:
                    dead.append((page.name, link))
    assert dead == []


@pytest.fixture
def open_page(browser):  # noqa: F811
    """Return a function that opens a page of the site."""
    contexts = []

    def open_page(name, query="", **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.goto((SITE / name).as_uri() + query)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_phone_needs_no_sideways_scrolling(open_page, name):
    page = open_page(name, viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_dark_mode_is_dark(open_page):
    script = "getComputedStyle(document.body).backgroundColor"
    shades = []
    for scheme in ("light", "dark"):
        page = open_page("index.html", color_scheme=scheme)
        colour = page.evaluate(script)
        shades.append(sum(map(int, colour.strip("rgb()").split(", ")[:3])))
    assert shades[0] > 600
    assert shades[1] < 200


def test_the_search_finds_a_class(open_page):
    page = open_page("search.html", "?q=SoundscapeReweighter")
    page.wait_for_selector("#search-results li a")
    links = page.locator("#search-results li a").all_inner_texts()
    assert any("SoundscapeReweighter" in link for link in links)


def test_pictures_are_there_and_have_a_text(open_page):
    for name in ("index.html", "sources.html", "how_many_labels.html"):
        pictures = open_page(name).locator("article img")
        assert pictures.count() > 0
        for picture in pictures.all():
            assert picture.get_attribute("alt")
            assert picture.evaluate("image => image.naturalWidth") > 50
