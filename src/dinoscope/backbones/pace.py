"""A download that crawls ends: a server that sends a byte a second would hold a run for years."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SLOWEST = 1024
"""Bytes a second, on average over `WINDOW_S`."""

WINDOW_S = 60.0


RESTARTS = 6
"""Answers with the whole of one file from its beginning: who ignores where to go on never ends."""


class TooSlowError(OSError):
    """A server that sends, but next to nothing, or the same again and again."""


@contextmanager
def paced() -> Iterator[None]:
    """Within, the download of one file by `huggingface_hub` raises `TooSlowError` where it would not end."""
    from huggingface_hub.utils import get_session, httpx  # type: ignore[attr-defined]

    class Paced(httpx.SyncByteStream):
        """A body that is watched as it comes."""

        def __init__(self, body: Any) -> None:
            self._body = body

        def __iter__(self) -> Iterator[bytes]:
            begun, came = time.monotonic(), 0
            for part in self._body:
                came += len(part)
                passed = time.monotonic() - begun
                if passed >= WINDOW_S:
                    if came < SLOWEST * passed:
                        raise TooSlowError(f"{came:,} bytes in {passed:.0f} s: too slow to go on with")
                    begun, came = time.monotonic(), 0
                yield part

        def close(self) -> None:
            self._body.close()

    begun_anew = 0

    def watch(response: Any) -> None:
        nonlocal begun_anew
        begun_anew += response.request.method == "GET" and response.status_code == 200
        if begun_anew > RESTARTS:
            raise TooSlowError(f"it broke off {RESTARTS} times, and each time began anew")
        response.stream = Paced(response.stream)

    client = get_session()
    hooks = client.event_hooks
    client.event_hooks = {**hooks, "response": [*hooks.get("response", []), watch]}
    try:
        yield
    finally:
        client.event_hooks = hooks
