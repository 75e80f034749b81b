"""Work that waits for its turn in a thread, but not for ever. Needs Starlette."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request

from dinoscope.drawing.server.limits import AGAIN_S, TURN_S

WAKE_S = 0.25
"""How often a waiting request looks whether the server is closing."""

_T = TypeVar("_T")


async def in_turn(
    request: Request | None, work: Callable[[], _T], threads: ThreadPoolExecutor, closing: threading.Event
) -> _T:
    """What a thread makes of it.

    Work that nobody waits for any more is not done where it has not begun, nor is work whose turn does not
    come within `TURN_S`. Without a request it is done also where who asked has gone.

    Raises:
        HTTPException: 503, its turn did not come, or the server is closing; 499, who asked has gone.
    """
    turn = threads.submit(work)
    future = asyncio.wrap_future(turn)
    begun = time.monotonic()
    while not closing.is_set():
        done, _ = await asyncio.wait([future], timeout=WAKE_S)
        if done:
            return future.result()
        if request is not None and await request.is_disconnected():
            future.cancel()
            raise HTTPException(499, "nobody waits for the answer")
        if time.monotonic() - begun > TURN_S and turn.cancel():
            raise busy("too many ask at once; ask again in a moment")
    future.cancel()
    raise HTTPException(503, "dinoscope is closing")


def busy(reason: str, *, close: bool = False) -> HTTPException:
    """503, with when to ask again; ``close``: what was sent is not read, so the connection ends."""
    ending = {"connection": "close"} if close else {}
    return HTTPException(503, reason, headers={"retry-after": str(AGAIN_S), **ending})
