"""The page of a review session, and what must not get in."""

import io
import json

import numpy as np
import pandas as pd
import pytest
import soundfile

pytest.importorskip("starlette")
pytest.importorskip("httpx")
from starlette.testclient import TestClient

from skbird.review import ReviewSession, read_reviews
from skbird.review._page import make_app

PORT, TOKEN = 8123, "correct-horse"
HOST = f"http://127.0.0.1:{PORT}"
EVIL = "<script>window.hacked=1</script>"
RATE = 8000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    for name in ("A_20240501_053000.wav", f"{EVIL.replace('/', '')}.wav"):
        soundfile.write(folder / name, 0.1 * rng.standard_normal(20 * RATE), RATE)
    (folder.parent / "secret.wav").write_bytes(
        (folder / "A_20240501_053000.wav").read_bytes()
    )
    return folder


@pytest.fixture
def session(folder, tmp_path):
    paths = sorted(path.name for path in folder.iterdir()) * 3
    table = pd.DataFrame({"path": paths, "start": np.arange(6) * 2.0})
    table["end"] = table["start"] + 2
    table = table.assign(
        species=[EVIL, "owl"] * 3, probability=np.linspace(0.2, 0.9, 6), site=EVIL
    )
    return ReviewSession(table, tmp_path / "reviews.sqlite", folder=folder)


@pytest.fixture
def stranger(session):
    """A client that knows the address, and not the token."""
    app = make_app(session, TOKEN, PORT, "Ada")
    with TestClient(app, base_url=HOST, follow_redirects=False) as client:
        yield client


@pytest.fixture
def client(stranger):
    answer = stranger.get("/", params={"token": TOKEN})
    assert answer.status_code == 200
    return stranger


def judge(client, origin=HOST, **said):
    said = {"number": 0, "judgement": "yes", "reviewer": "Ada"} | said
    headers = {} if origin is None else {"origin": origin}
    return client.post("/api/judge", json=said, headers=headers)


# --------------------------------------------------------------------------- answers


def test_the_token_becomes_a_cookie(stranger):
    answer = stranger.get("/", params={"token": TOKEN})
    cookie = answer.headers["set-cookie"]
    assert f"skbird_review_{PORT}={TOKEN}" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "<main" in stranger.get("/").text


def test_the_page_has_no_script_and_no_style_in_it(client):
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert " style=" not in page.text
    assert "<script>" not in page.text
    for name in ("page.css", "page.js", "texts.js", "icon.svg"):
        answer = client.get(f"/{name}")
        assert answer.status_code == 200
        assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")
    assert "innerHTML" not in client.get("/page.js").text


def test_every_text_of_the_page_is_there(client):
    import re

    about, texts = client.get("/api/session").json(), client.get("/texts.js").text
    known = set(re.findall(r"^  (\w+):", texts, re.M))
    page, script = client.get("/").text, client.get("/page.js").text
    used = set(re.findall(r'data-(?:text|label|placeholder)="(\w+)"', page))
    used |= set(re.findall(r'(?:say|act|complain)\(\s*"(\w+)"', script))
    assert used <= known
    spoken = set(re.findall(r'"(\w+)"', script))
    assert known - used - spoken - {*about["strategies"]} == set()


def test_a_clip_is_judged_and_the_next_one_comes(client, session):
    about = client.get("/api/session").json()
    assert about["species"] == [EVIL, "owl"]
    assert about["reviewer"] == "Ada"
    first = client.get("/api/next", params={"species": "owl"}).json()
    assert first["species"] == "owl"
    assert first["time"].startswith("2024-05-01 05:30:")
    assert first["said"] is None
    assert first["clip"]["top_hz"] == 4000
    said = {"judgement": "other", "other_species": EVIL, "note": "faint"}
    assert judge(client, number=first["number"], **said).json() == {"entry": 1}
    [review] = read_reviews(session.path).to_dict("records")
    assert review["other_species"] == EVIL
    again = client.get(f"/api/detection/{first['number']}").json()["said"]
    assert (again["judgement"], again["reviewer"]) == ("other", "Ada")
    params = {"species": "owl", "after": first["number"], "strategy": "top"}
    assert client.get("/api/next", params=params).json()["number"] != first["number"]
    progress = {line["species"]: line for line in client.get("/api/progress").json()}
    assert progress["owl"]["n_reviews"] == progress["owl"]["other"] == 1
    undo = client.post("/api/undo", json={"reviewer": "Ada"}, headers={"origin": HOST})
    assert undo.json() == {"number": first["number"]}
    assert read_reviews(session.path).empty


def test_a_box_without_an_upper_end_is_shown(client, session):
    session.detections[["low_hz", "high_hz"]] = 100.0, np.inf
    found = client.get("/api/next").json()
    assert (found["low_hz"], found["high_hz"]) == (100.0, None)


def test_when_all_is_judged_nothing_comes(client, session):
    for number in range(6):
        judge(client, number=number)
    assert client.get("/api/next").json() is None


def test_sound_and_picture(client):
    sound = client.get("/clip/0/sound.wav")
    assert sound.headers["content-type"] == "audio/wav"
    assert sound.headers["accept-ranges"] == "bytes"
    longer = client.get("/clip/0/sound.wav", params={"around_s": 5}).content
    lengths = [len(soundfile.read(io.BytesIO(s))[0]) for s in (sound.content, longer)]
    assert lengths[0] < lengths[1]
    picture = client.get("/clip/0/picture.png", params={"top_hz": 2000})
    assert picture.content[:8] == b"\x89PNG\r\n\x1a\n"


def test_ranges_are_of_the_bytes_that_there_are(client):
    whole = client.get("/clip/0/sound.wav").content
    for asked, expected in {
        "bytes=0-99": whole[:100],
        "bytes=100-": whole[100:],
        "bytes=-10": whole[-10:],
        f"bytes=10-{10**17}": whole[10:],
        f"bytes=-{10**17}": whole,
    }.items():
        answer = client.get("/clip/0/sound.wav", headers={"range": asked})
        assert answer.status_code == 206
        assert answer.content == expected
        size = answer.headers["content-range"].rpartition("/")[2]
        assert int(size) == len(whole)


def test_a_recording_that_cannot_be_played_is_said(client, session):
    session.detections["file"] = "gone.wav"
    found = client.get("/api/next").json()
    assert "gone.wav" in found["clip"]["error"]
    answer = client.get(f"/clip/{found['number']}/sound.wav")
    assert answer.status_code == 422
    assert judge(client, number=found["number"], judgement="uncertain").is_success


def test_who_cannot_store_is_told(client, session, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("the disk is full; this review is not stored")

    monkeypatch.setattr(session, "judge", fail)
    answer = judge(client)
    assert answer.status_code == 503
    assert "not stored" in answer.json()["error"]


# --------------------------------------------------------------------------- attacks


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
