"""The page of a review session; what must not get in is in test_review_attacks."""

import io

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


def make_session(folder, path):
    paths = sorted(path.name for path in folder.iterdir()) * 3
    table = pd.DataFrame({"path": paths, "start": np.arange(6) * 2.0})
    table["end"] = table["start"] + 2
    table = table.assign(
        species=[EVIL, "owl"] * 3, probability=np.linspace(0.2, 0.9, 6), site=EVIL
    )
    return ReviewSession(table, path, folder=folder)


@pytest.fixture
def session(folder, tmp_path):
    return make_session(folder, tmp_path / "reviews.sqlite")


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
