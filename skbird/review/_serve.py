"""Serve the page of a session on this machine."""

import os
import secrets
import socket
import threading
import time
import webbrowser
from numbers import Integral

from skbird.utils._extras import install_hint
from skbird.utils._params import check_params
from skbird.utils._sklearn_compat import Interval

_CONSTRAINTS = {
    "port": [Interval(Integral, 0, 65_535, closed="both")],
    "reviewer": [str],
    "open_browser": ["boolean"],
}
_LONGEST_START_S = 30.0


class PageServer:
    """The page of a session, served from a thread.

    Parameters
    ----------
    session : ReviewSession
    port : int
        0: any that is free.
    reviewer : str

    Attributes
    ----------
    address : str
        Of the page, with the token.
    """

    def __init__(self, session, port=0, reviewer=""):
        try:
            import uvicorn

            from skbird.review._page import make_app
        except ModuleNotFoundError as exc:
            if exc.name not in ("starlette", "uvicorn"):
                raise
            raise ImportError(
                f"The page needs {exc.name}; install it with: {install_hint('review')}"
            ) from None
        self._socket = _open_socket(port)
        port = self._socket.getsockname()[1]
        token = secrets.token_urlsafe(32)
        self.address = f"http://127.0.0.1:{port}/?token={token}"
        config = uvicorn.Config(
            make_app(session, token, port, reviewer),
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            lifespan="on",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=[[self._socket]], daemon=True
        )

    def __enter__(self):
        self._thread.start()
        latest = time.monotonic() + _LONGEST_START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > latest:
                raise RuntimeError("The page could not be served. Try it once more.")
            time.sleep(0.01)
        return self

    def wait(self):
        """Wait until somebody interrupts."""
        while self._thread.is_alive():
            self._thread.join(1.0)

    def __exit__(self, *exc_info):
        self._server.should_exit = True
        self._thread.join(5.0)
        self._socket.close()


def serve(session, port, reviewer, open_browser):
    """Serve a session until somebody interrupts; see `ReviewSession.serve`."""
    check_params(
        "serve", _CONSTRAINTS, port=port, reviewer=reviewer, open_browser=open_browser
    )
    with PageServer(session, port, reviewer) as server:
        print(f"Judge at {server.address}", flush=True)
        print("Ctrl-C ends it; what was judged is stored.", flush=True)
        if open_browser:
            webbrowser.open(server.address)
        try:
            server.wait()
        except KeyboardInterrupt:
            pass  # as was said


def _open_socket(port):
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name != "nt":  # where others could then take the port, too
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind(("127.0.0.1", port))
    except OSError as exc:
        opened.close()
        raise OSError(
            exc.errno,
            f"port={port} is taken, or not allowed. Name another one, or 0 for any.",
        ) from exc
    return opened
