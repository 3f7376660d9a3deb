"""Who may ask: the token, the cookie, the host's name, and where a request comes from.

The page is for the person who started it. A token in the address lets a browser in, which then has a cookie. The
host's name is checked because a name of somebody else may be made to lead here; origin and a header of our own,
because another page in the same browser may send requests.
"""

from __future__ import annotations

import hmac
import ipaddress
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; style-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# It is this page that goes on, not the one with the link: so the cookie is sent along.
_WELCOME = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=/">'
    '<title>heatprop</title><a href="/">heatprop</a>'
)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_READING = ("GET", "HEAD")


class Gate:
    """Lets requests of the person who started the server through, and gives every answer its headers.

    Args:
        app: what answers them.
        token: of the address.
        once: another that lets in a single time; empty for none.
        host: at which the server listens.
        port: likewise.
    """

    def __init__(self, app: ASGIApp, *, token: str, once: str, host: str, port: int) -> None:
        self._app, self._token, self._once = app, token, once
        self._host, self._port = host, port
        # Cookies of all ports of a host are one jar.
        self._cookie = f"heatprop_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        await (self._app if refusal is None else refusal)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that does not get through; None for one that does."""
        headers = Headers(scope=scope)
        if not self._is_our_host(headers.get("host", "")):
            return _refused(403, f"open http://{self.shown_host}:{self._port}: this server has no other name")
        if scope["path"] == "/" and scope["method"] == "GET" and b"token=" in scope["query_string"]:
            return self._welcome(scope)
        if not self._is_known(headers):
            return _refused(401, "open the address that heatprop app printed: it has the token")
        is_reading = scope["method"] in _READING
        if not is_reading and headers.get("x-heatprop") != "1":
            return _refused(403, "a request that changes something needs the header X-Heatprop: 1")
        if _comes_from_elsewhere(headers, is_reading=is_reading):
            return _refused(403, "a request from another page is not answered")
        return None

    def _welcome(self, scope: Scope) -> Response:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if not self._is_token(given) and not self._is_once(given):
            return _refused(401, "the token is wrong; open the address that heatprop app printed")
        answer = HTMLResponse(_WELCOME)
        answer.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
        return answer

    def _is_known(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(given.strip()):
            return True
        # Other servers of this host put cookies of any form beside it.
        return self._is_token(cookie_parser(headers.get("cookie", "")).get(self._cookie, ""))

    def _is_token(self, given: str) -> bool:
        return _are_same(given, self._token)

    def _is_once(self, given: str) -> bool:
        if not self._once or not _are_same(given, self._once):
            return False
        self._once = ""
        return True

    def _is_our_host(self, named: str) -> bool:
        try:
            parts = urlsplit(f"//{named}")
            name, port = (parts.hostname or "").lower(), parts.port or 80
        except ValueError:
            return False
        if port != self._port or parts.path or parts.username is not None:
            return False
        if name in (*_LOOPBACK, self._host.lower()):
            return True
        return is_everywhere(self._host) and _is_address(name)

    @property
    def shown_host(self) -> str:
        """The host as an address has it."""
        return host_in_address(self._host)


def _comes_from_elsewhere(headers: Headers, *, is_reading: bool) -> bool:
    """Return whether a browser says that another page made it send a request."""
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return True
    return not is_reading and not _is_from(headers.get("origin"), headers.get("host", ""))


def _is_from(origin: str | None, host: str) -> bool:
    try:
        return origin is None or urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _are_same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def host_in_address(host: str) -> str:
    """Return a host as it stands in an address.

    >>> host_in_address("::1"), host_in_address("0.0.0.0")
    ('[::1]', '127.0.0.1')
    """
    if is_everywhere(host):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def is_everywhere(host: str) -> bool:
    """Return whether a host means all addresses of this machine."""
    return host in ("0.0.0.0", "::", "")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _refused(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status)
