"""Photographs behind URLs: http and https alone, whole or not at all, and never waited for without end."""

from __future__ import annotations

import base64
import queue
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from dinoscope.errors import ImageError, shortened
from dinoscope.io.limits import FETCH_S, FETCHED_BYTES, in_units

SILENCE_S = 30.0
"""Without a byte."""

_CHUNK_BYTES = 2**16


def is_url(text: str) -> bool:
    """Whether a place is fetched over the web."""
    return text.lower().startswith(("http://", "https://"))


def on_this_machine(place: str) -> str:
    """The path that a ``file://`` address names; any other place as it is.

    >>> on_this_machine("file:///photos/a%20b.jpg")
    '/photos/a b.jpg'
    """
    if not place.lower().startswith("file:///"):
        return place
    return urllib.request.url2pathname(place[len("file://") :])


def fetch(address: str) -> bytes:
    """The bytes behind a URL: at most `FETCHED_BYTES`, all that the server announced, within `FETCH_S`.

    A name and a password in the address are sent as HTTP's basic authentication, and told to nobody else.

    Raises:
        ImageError: they cannot be had.
    """
    if not is_url(address):
        raise ImageError(address, "only http and https are fetched")
    answers: queue.SimpleQueue[bytes | ImageError] = queue.SimpleQueue()
    until = time.monotonic() + FETCH_S
    # A thread: a server that sends its headers byte by byte holds whoever asks, and no timeout ends that.
    threading.Thread(target=lambda: answers.put(_answer(address, until)), daemon=True).start()
    try:
        found = answers.get(timeout=FETCH_S)
    except queue.Empty:
        found = _too_slow(address)
    if isinstance(found, ImageError):
        raise found
    return found


class _SameKinds(urllib.request.HTTPRedirectHandler):
    """Follows redirections to http and https alone."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not is_url(newurl):
            raise urllib.error.URLError(f"it leads to {newurl[:80]!r}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _answer(address: str, until: float) -> bytes | ImageError:
    try:
        opener = urllib.request.build_opener(_SameKinds)
        with opener.open(_request(address), timeout=SILENCE_S) as answer:
            return _whole(address, answer, until)
    except urllib.error.HTTPError as error:
        error.close()
        return ImageError(address, f"the server says {error.code} {shortened(str(error.reason))}")
    except Exception as error:  # noqa: BLE001 (of the network, of HTTP, of numbers in an address: all one here)
        return ImageError(address, f"cannot be fetched: {shortened(str(getattr(error, 'reason', error)))}")


def _request(address: str) -> urllib.request.Request:
    parts = urllib.parse.urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    request = urllib.request.Request(
        parts._replace(netloc=host).geturl(), headers={"User-Agent": "dinoscope"}
    )
    if parts.username is not None:
        named = urllib.parse.unquote(f"{parts.username}:{parts.password or ''}")
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(named.encode()).decode()}")
    return request


def _whole(address: str, answer: Any, until: float) -> bytes | ImageError:
    announced = answer.headers.get("Content-Length", "")
    wanted = int(announced) if announced.isascii() and announced.isdigit() else None
    if wanted is not None and wanted > FETCHED_BYTES:
        return _too_large(address)
    data = bytearray()
    while chunk := answer.read1(_CHUNK_BYTES):
        data += chunk
        if len(data) > FETCHED_BYTES:
            return _too_large(address)
        if time.monotonic() > until:
            return _too_slow(address)
    if wanted is not None and len(data) != wanted:
        return ImageError(address, f"the server sent {len(data):,} of the {wanted:,} bytes that it announced")
    return bytes(data)


def _too_large(address: str) -> ImageError:
    return ImageError(address, f"more than {in_units(FETCHED_BYTES)}")


def _too_slow(address: str) -> ImageError:
    return ImageError(address, f"no whole answer within {FETCH_S:g} s")
