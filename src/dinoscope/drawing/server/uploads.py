"""Files that a page sends: how large, under which name. Needs Starlette."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request

LONGEST_NAME = 200
WAKE_S = 0.25
"""How often a waiting request looks whether the server is closing."""


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The whole body; given up as soon as it is known to be too long.

    Raises:
        HTTPException: 413, with the connection closed.
    """
    declared = request.headers.get("content-length", "0")
    if not (declared.isascii() and declared.isdigit()) or int(declared) > limit_bytes:
        raise _too_long(limit_bytes)
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
    return HTTPException(
        413, f"a file may have {limit_bytes / 2**20:,.0f} MiB at most", headers={"connection": "close"}
    )
