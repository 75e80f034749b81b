"""A live page without models: features made of colours, and a count of how often they were made."""

from __future__ import annotations

import hashlib
import io
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from dinoscope.comparison.page.options import PageOptions
from dinoscope.comparison.page.photographs import LivePhotographs
from dinoscope.comparison.page.routes import live_app
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Comparison
from dinoscope.drawing.server.access import AccessGuard
from dinoscope.errors import InputError
from dinoscope.io.images import decode_photograph, read_photograph
from tests.samples import comparison

TOKEN = "the-key-of-this-run"
HOST = "127.0.0.1:8000"
ORIGIN = f"http://{HOST}"
LIMIT = 1 << 20
LARGEST_GRID = 100


class CountingExtractor:
    """Keeps what an extractor keeps; can be made to wait in the middle of a photograph."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], Photograph] = {}
        self.calls: list[tuple[str, int]] = []
        self.hold = threading.Event()
        self.hold.set()
        self.begun = threading.Event()
        self.stopped = threading.Event()
        self.waited = 0

    def check(self, grid: int) -> None:
        if grid > LARGEST_GRID:
            raise InputError(f"a grid of {grid}x{grid} needs about 9 GiB. Ask for a smaller grid.")

    def has(self, digest: str, grid: int) -> bool:
        return (digest, grid) in self.rows

    def add(
        self,
        photograph: Photograph,
        grid: int,
        on_progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> bool:
        self.calls.append((photograph.name, grid))
        on_progress(0, 2)
        self.begun.set()
        deadline = time.monotonic() + 300
        while not self.hold.is_set() and time.monotonic() < deadline:
            if cancelled():
                self.stopped.set()
                return False
            self.waited += 1
            time.sleep(0.005)
        on_progress(2, 2)
        self.rows[photograph.digest, grid] = photograph
        return True

    def comparison(self, digests: Sequence[str], grid: int) -> Comparison:
        if not digests:
            raise InputError("there is no photograph to compare")
        shown = [self.rows[digest, grid] for digest in digests]
        return comparison(
            [photo.name for photo in shown], grid=grid, pixels=[np.asarray(photo.pixels) for photo in shown]
        )

    def forget(self, digest: str) -> None:
        for key in [key for key in self.rows if key[0] == digest]:
            del self.rows[key]


def gate(
    extractor: CountingExtractor,
    named: Sequence[Path] = (),
    *,
    export: Callable[[Comparison], Path] | None = None,
    closing: threading.Event | None = None,
    total_bytes: int = 1 << 24,
    on_report: Callable[[str], None] = lambda said: None,
) -> AccessGuard:
    """The whole server but its socket."""
    shown = LivePhotographs(
        extractor, named, read=read_photograph, decode=named_decode, total_bytes=total_bytes
    )
    page = PageOptions(("first", "second"), 6, export, LIMIT, on_report)
    app = live_app(shown, page, closing or threading.Event())
    return AccessGuard(app, token=TOKEN, host="127.0.0.1", port=8000)


def named_decode(data: bytes, name: str) -> Photograph:
    return decode_photograph(data, name=name)


def png(seed: int = 0, size: tuple[int, int] = (40, 30)) -> bytes:
    """A small photograph, different for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1] // 5, size[0] // 5, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(out, "PNG")
    return out.getvalue()


def bomb() -> bytes:
    """A PNG of a few bytes that says it has 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def endless(piece: bytes, n: int) -> Iterator[bytes]:
    for _ in range(n):
        yield piece
