"""Files that a page sends: how large, under which name. Needs Starlette."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from dinoscope.drawing.server.limits import TURN_S, UPLOADS_BYTES, WAIT_S
from dinoscope.drawing.server.turns import WAKE_S, busy

LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a page sent.

    Attributes:
        data: all of it.
        done: to be called, on the event loop, once ``data`` is let go of.
    """

    data: bytes
    done: Callable[[], None]


class UploadRoom:
    """Memory for uploads, counted before they are read: `UPLOADS_BYTES`. Used on the event loop alone."""

    def __init__(self) -> None:
        self._held = 0

    async def read(self, request: Request, limit_bytes: int) -> Upload:
        """One upload, once there is room for it.

        Raises:
            HTTPException: 413 too long, 503 no room in time, 408 not there in time; the connection is closed.
                499 the page hung up.
        """
        n_bytes = _announced(request, limit_bytes)
        waited = 0.0
        while self._held and self._held + n_bytes > UPLOADS_BYTES:
            if waited >= TURN_S:
                raise busy("too many uploads at once; try again when these are done", close=True)
            await asyncio.sleep(WAKE_S)
            waited += WAKE_S
        self._held += n_bytes
        try:
            data = await asyncio.wait_for(_read_body(request, limit_bytes), WAIT_S)
        except BaseException as error:
            self._held -= n_bytes
            if isinstance(error, ClientDisconnect):
                raise HTTPException(499, "nobody waits for the answer") from error
            if isinstance(error, TimeoutError):
                raise _ended(408, f"the file was not there within {WAIT_S:g} s") from error
            raise
        let_go = False

        def done() -> None:
            nonlocal let_go
            self._held -= 0 if let_go else n_bytes
            let_go = True

        return Upload(data, done)


def _announced(request: Request, limit_bytes: int) -> int:
    """Bytes of a body by its header; of one that does not say, as many as it may have."""
    declared = request.headers.get("content-length", str(limit_bytes))
    if not (declared.isascii() and declared.isdigit()) or len(declared) > 18 or int(declared) > limit_bytes:
        raise _too_long(limit_bytes)
    return int(declared)


async def _read_body(request: Request, limit_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        if len(body) + len(chunk) > limit_bytes:
            raise _too_long(limit_bytes)
        body += chunk
    return bytes(body)


def display_name(text: str) -> str:
    r"""A name to show: the last part of a path, of bounded length; never used to find a file.

    >>> display_name("C:\\photos\\cat.jpg"), display_name("../../etc/passwd"), display_name("")
    ('cat.jpg', 'passwd', 'photograph')
    """
    name = text.replace("\\", "/").rpartition("/")[2]
    return name[:LONGEST_NAME] or "photograph"


def _too_long(limit_bytes: int) -> HTTPException:
    return _ended(413, f"a file may have {limit_bytes / 2**20:,.0f} MiB at most")


def _ended(status: int, reason: str) -> HTTPException:
    return HTTPException(status, reason, headers={"connection": "close"})
