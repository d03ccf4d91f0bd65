"""What must not get at a review session: other pages, programs and files."""
# ruff: noqa: F811 - pytest takes fixtures that are imported

import json

import pytest

pytest.importorskip("starlette")
pytest.importorskip("httpx")
from test_review_page import (
    EVIL,
    HOST,
    PORT,
    TOKEN,
    client,  # noqa: F401
    folder,  # noqa: F401
    judge,
    make_session,
    stranger,  # noqa: F401
)

from skbird.review import read_reviews


@pytest.fixture(scope="module")
def session(folder, tmp_path_factory):
    """One for all attacks, as none of them may change it."""
    return make_session(folder, tmp_path_factory.mktemp("out") / "reviews.sqlite")


@pytest.mark.parametrize(
    "path", ["/", "/page.js", "/api/session", "/api/next", "/clip/0/sound.wav"]
)
@pytest.mark.parametrize(
    "cookie", [None, "wrong", "", f"{TOKEN}x", TOKEN[:-1], "\x7f;;=,"]
)
def test_without_the_token_nothing_is_answered(stranger, path, cookie):
    if cookie is not None:
        stranger.cookies.set(f"skbird_review_{PORT}", cookie)
    answer = stranger.get(path)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "other", ['a={"x": 1}', "a=b c", "foo", "a[]=1", 'x="y', "path=/", "=", f"{TOKEN}"]
)
def test_cookies_of_other_programs_do_not_lock_out(stranger, other):
    own = f"skbird_review_{PORT}={TOKEN}"
    for cookie in (f"{other}; {own}", f"{own};{other}"):
        assert stranger.get("/", headers={"cookie": cookie}).status_code == 200
    assert stranger.get("/", headers={"cookie": other}).status_code == 403


def test_a_wrong_token_is_no_welcome(stranger):
    for query in ("token=wrong", "token=", "token", f"a=1&token={TOKEN}", "token=%ff"):
        answer = stranger.get(f"/?{query}")
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:80", ""]
)
def test_other_hosts_are_refused(client, host):
    for path in ("/", f"/?token={TOKEN}", "/api/next", "/page.js"):
        assert client.get(path, headers={"host": host}).status_code == 403


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", None, "http://127.0.0.1:9999", HOST + ".evil"],
)
def test_other_origins_are_refused(client, session, origin):
    assert judge(client, origin).status_code == 403
    assert read_reviews(session.path).empty
    if origin is not None:
        answer = client.get("/api/next", headers={"origin": origin})
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.wav",
        "/%2e%2e/secret.wav",
        "/clip/../../secret.wav",
        "/clip/0/..%2f..%2fsecret.wav",
        "/clip/-1/sound.wav",
        "/clip/6/sound.wav",
        "/clip/999999999999999999999/sound.wav",
        "/clip/0.5/sound.wav",
        "/clip/a.wav/sound.wav",
        "/page/page.js",
        "/page.html",
        "/_page.py",
    ],
)
def test_nothing_but_the_session_is_sent(client, path):
    answer = client.get(path)
    assert answer.status_code in (400, 404)
    assert b"RIFF" not in answer.content


@pytest.mark.parametrize(
    "asked",
    [
        f"bytes={10**17}-",
        f"bytes={'9' * 5000}-",
        "bytes=5-2",
        "bytes=-",
        "bytes=-0",
        "bytes=a-b",
        "bytes=0-1,3-4",
        "bits=0-1",
        "bytes=--5",
    ],
)
def test_ranges_that_are_none_are_refused(client, asked):
    answer = client.get("/clip/0/sound.wav", headers={"range": asked})
    assert answer.status_code == 416


def test_names_are_no_code(client):
    answer = client.get("/api/next", params={"species": EVIL})
    assert answer.json()["species"] == answer.json()["site"] == EVIL
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("length", [None, "999999999", "-1", "x", "9" * 400])
def test_what_is_too_long_is_not_read(client, session, length):
    headers = {"origin": HOST, "content-type": "application/json"}
    if length is not None:
        headers["content-length"] = length
    body = json.dumps({"note": "x" * 70_000}).encode()
    answer = client.post("/api/judge", content=body, headers=headers)
    assert answer.status_code == 413
    assert read_reviews(session.path).empty


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "no JSON"),
        (b"[" * 30_000, "no JSON"),
        (b"[]", "other names than number"),
        (b'{"path": "/etc/passwd"}', "other names than number"),
        (b'{"number": "0", "judgement": "yes", "reviewer": "Ada"}', "number='0' is no"),
        (b'{"number": 0, "judgement": [], "reviewer": "Ada"}', "must be one of"),
        (b'{"number": 0, "judgement": "yes"}', "reviewer=None must be a text"),
        (b'{"number": 0, "judgement": "yes", "reviewer": "A", "note": 5}', "note=5 "),
    ],
)
def test_bodies_that_say_nothing_are_refused(client, session, body, message):
    headers = {"origin": HOST, "content-type": "application/json"}
    answer = client.post("/api/judge", content=body, headers=headers)
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert read_reviews(session.path).empty


def test_forms_of_other_pages_are_refused(client):
    answer = client.post("/api/judge", data={"number": 0}, headers={"origin": HOST})
    assert answer.status_code == 400
    assert client.get("/api/judge").status_code == 405


@pytest.mark.parametrize(
    "query", ["around_s=1e9", "around_s=nan", "top_hz=0", "top_hz=nan", "around_s=x"]
)
def test_views_that_are_none_are_refused(client, query):
    assert client.get(f"/clip/0/picture.png?{query}").status_code == 400


@pytest.mark.parametrize(
    "query", ["min_proba=nan", "strategy=all", "after=x", "first_date=soon"]
)
def test_filters_that_are_none_are_refused(client, query):
    assert client.get(f"/api/next?{query}").status_code == 400
