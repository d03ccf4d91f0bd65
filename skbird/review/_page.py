"""The page on which detections are judged: what it asks, and what it gets."""

import re
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from skbird.audio import AudioReadError
from skbird.review._choose_for_review import STRATEGIES
from skbird.review._clips import ClipMaker
from skbird.review._filters import check_number
from skbird.review._guard import Guard

_FOLDER = Path(__file__).with_name("page")
_FILES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/texts.js": ("texts.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_AROUND_S = (0.0, 1.0, 2.0, 5.0, 10.0)
_AHEAD = 3  # clips that are made before they are asked for
_RANGE = re.compile(r"bytes=(\d{1,18})?-(\d{1,18})?")
_FILTERS = {
    "species": str,
    "site": str,
    "first_date": str,
    "last_date": str,
    "min_proba": float,
    "max_proba": float,
    "strategy": str,
    "after": int,
    "reviewer": str,
}


def make_app(session, token, port, reviewer=""):
    """Return the page of a session as an ASGI application.

    Parameters
    ----------
    session : ReviewSession
    token : str
        What the page must know.
    port : int
        At which it is to be reached.
    reviewer : str, default=""

    Returns
    -------
    Guard
    """
    page = _Page(session, reviewer)
    routes = [Route(path, partial(_send_file, *file)) for path, file in _FILES.items()]
    routes += [
        Route("/api/session", page.describe),
        Route("/api/next", page.next),
        Route("/api/progress", page.progress),
        Route("/api/detection/{number:int}", page.detection),
        Route("/api/judge", page.judge, methods=["POST"]),
        Route("/api/undo", page.undo, methods=["POST"]),
        Route("/clip/{number:int}/sound.wav", page.sound),
        Route("/clip/{number:int}/picture.png", page.picture),
    ]
    handlers = {
        HTTPException: lambda request, exc: _error(exc.status_code, exc.detail),
        ValueError: lambda request, exc: _error(400, exc),
        AudioReadError: lambda request, exc: _error(422, exc),
        OSError: lambda request, exc: _error(503, exc),
    }
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=page.lifespan)
    return Guard(app, token, port)


class _Page:
    """The answers."""

    def __init__(self, session, reviewer):
        self._session, self._reviewer = session, reviewer
        self._clips = ClipMaker()

    @asynccontextmanager
    async def lifespan(self, app):
        """Make clips as long as the page is served."""
        yield
        self._clips.close()

    def describe(self, request):
        """Say what can be asked for."""
        session = self._session
        detections = session.detections
        times = detections["time"].dropna()
        return JSONResponse(
            {
                "reviewer": self._reviewer,
                "file": session.path.name,
                "species": session.species,
                "sites": sorted(set(detections["site"]) - {""}),
                "dates": [str(time.date()) for time in (times.min(), times.max())]
                if len(times)
                else [],
                "strategies": STRATEGIES,
                "strategy": session.strategy,
                "around_s": _AROUND_S,
            }
        )

    def next(self, request):
        """Say which detection comes next, and make it and those behind it ready."""
        asked = {
            name: _number(kind, request.query_params[name], name)
            for name, kind in _FILTERS.items()
            if request.query_params.get(name)
        }
        view = _view(request)
        numbers = self._session.next(_AHEAD, **asked)
        found = self._detection(numbers[0], view) if numbers else None
        for number in numbers[1:]:
            self._clips.begin(*self._stretch(number), *view)
        return JSONResponse(found)

    def progress(self, request):
        """Say how far the session is."""
        return JSONResponse(self._session.progress().reset_index().to_dict("records"))

    def detection(self, request):
        """Say all about a detection."""
        number = request.path_params["number"]
        return JSONResponse(self._detection(number, _view(request)))

    async def judge(self, request):
        """Store a judgement."""
        said = await _read(
            request, "number", "judgement", "reviewer", "other_species", "note"
        )
        return await run_in_threadpool(self._judge, said)

    def _judge(self, said):
        said["note"] = said["note"] or ""
        entry = self._session.judge(said.pop("number"), **said)
        return JSONResponse({"entry": entry})

    async def undo(self, request):
        """Take the last judgement back."""
        said = await _read(request, "reviewer")
        return await run_in_threadpool(self._undo, said["reviewer"])

    def _undo(self, reviewer):
        number = self._session.undo(reviewer)
        return JSONResponse({"number": number})

    def sound(self, request):
        """Send the sound of a clip, or a part of it."""
        sound = self._clip(request).sound
        size, asked = len(sound), request.headers.get("range")
        headers = {"accept-ranges": "bytes"}
        if asked is None:
            return Response(sound, media_type="audio/wav", headers=headers)
        first, last = _range(asked, size)
        headers["content-range"] = f"bytes {first}-{last}/{size}"
        part = sound[first : last + 1]
        return Response(part, 206, media_type="audio/wav", headers=headers)

    def picture(self, request):
        """Send the spectrogram of a clip."""
        return Response(self._clip(request).picture, media_type="image/png")

    def _clip(self, request):
        stretch = self._stretch(request.path_params["number"])
        return self._clips.wait_for(*stretch, *_view(request))

    def _stretch(self, number):
        detections = self._session.detections
        check_number(number, len(detections))
        found = detections.loc[number]
        return found["file"], found["start"], _known(found["end"])

    def _detection(self, number, view):
        said = self._session.said(number)
        found = self._session.detections.loc[number]
        time = found["time"]
        return {
            "number": number,
            "file": str(found["path"]).replace("\\", "/").rpartition("/")[2],
            "species": found["species"],
            "probability": found["probability"],
            "site": found["site"],
            "time": None if pd.isna(time) else f"{time:%Y-%m-%d %H:%M:%S}",
            **{name: _known(found[name]) for name in ("start", "end")},
            **{name: _known(found[name]) for name in ("low_hz", "high_hz")},
            "said": said,
            "clip": self._about_clip(number, view),
        }

    def _about_clip(self, number, view):
        try:
            clip = self._clips.wait_for(*self._stretch(number), *view)
        except (AudioReadError, OSError) as exc:
            return {"error": str(exc)}
        told = ("start_s", "end_s", "top_hz", "is_cut")
        return {name: getattr(clip, name) for name in told}


def _view(request):
    """Return the seconds around a detection and the highest frequency asked for."""
    asked = request.query_params
    around_s = _number(float, asked.get("around_s", "2"), "around_s")
    top_hz = _number(float, asked.get("top_hz") or "1e9", "top_hz")
    if around_s not in _AROUND_S:
        raise ValueError(f"around_s={around_s:g} must be one of {_AROUND_S}.")
    if not top_hz >= 500:
        raise ValueError(f"top_hz={top_hz:g} must be at least 500.")
    return around_s, top_hz


async def _read(request, *names):
    """Return what was sent, as a dict with these names; None: not said."""
    if request.headers.get("content-type") != "application/json":
        raise ValueError("Only application/json can be sent.")
    try:
        said = await request.json()
    except (ValueError, RecursionError):
        raise ValueError("What was sent is no JSON.") from None
    if not isinstance(said, dict) or not said.keys() <= set(names):
        raise ValueError(f"What was sent has other names than {', '.join(names)}.")
    return dict.fromkeys(names) | said


def _range(text, size):
    """Return the first and the last byte that are asked for, of those there are."""
    match = _RANGE.fullmatch(text)
    first, last = match.groups() if match else (None, None)
    if first is not None:
        first, last = int(first), min(int(last or size), size - 1)
    elif last is not None:
        first, last = max(size - int(last), 0), size - 1
    if first is None or not first <= last < size:
        raise HTTPException(416, f"There are bytes 0 to {size - 1}.")
    return first, last


def _number(kind, text, name):
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{name}={text!r:.60} is no number.") from None


def _known(number):
    return float(number) if np.isfinite(number) else None


def _error(status, exc):
    return JSONResponse({"error": str(exc)}, status)


def _send_file(name, kind, request):
    return Response((_FOLDER / name).read_bytes(), media_type=kind)
