"""What keeps others out of the page: other machines, other pages, other programs."""

import hmac
import json
from http.cookies import CookieError, SimpleCookie

_MOST_BYTES = 65_536  # of what is sent to the page
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """ASGI middleware that lets only the page itself in.

    Names that a browser is tricked into taking for this machine (DNS rebinding), pages
    of others that send something here (CSRF), and who does not know the token, are
    refused before anything is done.

    Parameters
    ----------
    app : ASGI application
    token : str
    port : int
    """

    def __init__(self, app, token, port):
        self._app, self._token = app, token
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        # Cookies know no ports: each session needs a name of its own.
        self._cookie = f"skbird_review_{port}"

    async def __call__(self, scope, receive, send):
        """Answer, or let the application answer."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
            return
        send = _with_headers(send, _HEADERS)
        headers = _as_dict(scope["headers"])
        refused = self._refuse(scope, headers)
        if refused:
            await _answer(send, *refused)
        elif scope["path"] == "/" and self._knows(_token_in(scope["query_string"])):
            await self._hand_on(scope, headers, receive, self._with_cookie(send))
        elif not self._knows(self._token_of(headers)):
            await _answer(send, 403, "Open the address that `skbird review` printed.")
        else:
            await self._hand_on(scope, headers, receive, send)

    def _refuse(self, scope, headers):
        host, origin = headers.get("host"), headers.get("origin")
        if host not in self._hosts:
            return 403, "This page is for this machine alone."
        is_reading = scope["method"] in ("GET", "HEAD")
        if (origin is None and not is_reading) or (
            origin is not None and origin != f"http://{host}"
        ):
            return 403, "This page takes nothing from other pages."
        return None

    def _knows(self, token):
        return token is not None and hmac.compare_digest(
            token.encode(), self._token.encode()
        )

    def _token_of(self, headers):
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return None
        return cookie and cookie.value

    def _with_cookie(self, send):
        """Let the browser keep the token; the page takes it out of the address.

        Sent elsewhere, it would come without the cookie if a link led here.
        """
        cookie = f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict"
        return _with_headers(send, {"set-cookie": cookie})

    async def _hand_on(self, scope, headers, receive, send):
        """Read what is sent, if it is not too long, and let the application answer."""
        body = b""
        too_long = not _is_short(headers.get("content-length", "0"))
        while not too_long:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            too_long = len(body) > _MOST_BYTES
            if not message.get("more_body"):
                break
        if too_long:
            await _answer(send, 413, f"At most {_MOST_BYTES} bytes can be sent.")
            return
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_again():
            return messages.pop() if messages else await receive()

        await self._app(scope, receive_again, send)


def _token_in(query):
    """Return the token in the query of an address, or None."""
    name, _, value = query.decode("latin-1").partition("=")
    return value if name == "token" else None


def _is_short(length):
    return length.isascii() and length.isdecimal() and int(length[:9]) <= _MOST_BYTES


def _as_dict(headers):
    """Return headers by name; what is there twice is none that we know."""
    found = {}
    for name, value in headers:
        name = name.decode("latin-1")
        found[name] = "" if name in found else value.decode("latin-1")
    return found


def _with_headers(send, headers):
    async def send_with_headers(message):
        if message["type"] == "http.response.start":
            own = [(k.encode(), v.encode()) for k, v in headers.items()]
            message = {**message, "headers": [*message.get("headers", []), *own]}
        await send(message)

    return send_with_headers


async def _answer(send, status, text):
    body = json.dumps({"error": text}).encode()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
