"""Who may talk to the live page: the browser that was given its address, and no other site.

A page of another site can make a browser send requests to this machine, and a name that changes its
address (DNS rebinding) can make that look like one site. So the Host must be this server's, a request that
came from a page must come from this server's page, and the address holds a secret.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_WILDCARDS = ("", "0.0.0.0", "::")


class AccessGuard:
    """Refuses what is not meant for the app behind it, and hands it paths without the secret.

    Args:
        app: gets only requests that passed.
        token: the first part of every path.
        host: listened on.
        port: listened on.
    """

    def __init__(self, app: App, *, token: str, host: str, port: int) -> None:
        self._app = app
        self._token = token.encode("ascii")
        self._host = host
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # a WebSocket: there are none here
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(send, *refusal)
            return
        path = str(scope["path"])[1 + len(self._token) :]
        inner = {**scope, "path": path, "raw_path": path.encode("utf-8", "surrogateescape"), "root_path": ""}
        await self._app(inner, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        hosts, origins, sites = (
            [value.decode("latin-1") for key, value in scope["headers"] if key == name]
            for name in (b"host", b"origin", b"sec-fetch-site")
        )
        if len(hosts) != 1 or not host_fits(hosts[0], self._host, self._port):
            return 421, "this server does not answer to that name"
        first, slash, _ = str(scope["path"]).removeprefix("/").partition("/")
        if not slash or not secrets.compare_digest(first.encode("utf-8", "replace"), self._token):
            return 403, "open the address that dinoscope printed: it holds this run's key"
        if any(origin.lower() != f"http://{hosts[0].lower()}" for origin in origins):
            return 403, "requests from pages of other sites are refused"
        if scope["method"] not in ("GET", "HEAD") and not origins:
            return 403, "a request that changes something must say which page it comes from"
        if any(site not in ("same-origin", "none") for site in sites):
            return 403, "requests from pages of other sites are refused"
        return None


def host_fits(header: str, host: str, port: int) -> bool:
    """Whether a Host header can be this server's.

    Where every address is listened on, any address written as a number fits: a name could be anybody's.

    >>> host_fits("localhost:8000", "127.0.0.1", 8000), host_fits("evil.example:8000", "127.0.0.1", 8000)
    (True, False)
    """
    name, given = _split(header.lower())
    if given != port:
        return False
    if name == host.lower() or name in _LOOPBACK:
        return name not in _WILDCARDS
    if host not in _WILDCARDS:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _split(header: str) -> tuple[str, int]:
    """Name and port; port -1 where it is no number."""
    if header.startswith("["):
        name, _, rest = header[1:].partition("]")
    else:
        name, colon, rest = header.partition(":")
        rest = colon + rest
    if not rest:
        return name, 80
    digits = rest[1:]
    fits = rest[0] == ":" and digits.isascii() and digits.isdigit() and len(digits) <= 5
    return name, int(digits) if fits else -1


def _pairs(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(key.encode("ascii"), value.encode("ascii")) for key, value in headers.items()]


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given: Iterable[tuple[bytes, bytes]] = message.get("headers", [])
            kept = [(key, value) for key, value in given if key.decode("ascii") not in HEADERS]
            message = {**message, "headers": [*kept, *_pairs(HEADERS)]}
        await send(message)

    return sending


async def _refuse(send: Send, status: int, reason: str) -> None:
    """Answer without reading the request's body, and hang up."""
    body = (reason + "\n").encode("ascii")
    extra = {
        "content-type": "text/plain; charset=utf-8",
        "content-length": str(len(body)),
        "connection": "close",
    }
    await send({"type": "http.response.start", "status": status, "headers": _pairs({**HEADERS, **extra})})
    await send({"type": "http.response.body", "body": body})
