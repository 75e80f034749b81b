"""The live page: photographs dropped on it are extracted here and shown there, on this machine only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from dinoscope.comparison.page.options import PageOptions
from dinoscope.comparison.page.photographs import Extractor, LivePhotographs
from dinoscope.data.photograph import Photograph
from dinoscope.errors import MissingExtraError

TOTAL_BYTES = 2**30


def serve(
    photographs: Sequence[Path],
    extractor: Extractor,
    page: PageOptions,
    *,
    read: Callable[[Path], Photograph],
    decode: Callable[[bytes, str], Photograph],
    host: str = "127.0.0.1",
    port: int = 0,
    on_ready: Callable[[str], None] = print,
) -> None:
    """Serve the live page until interrupted (Ctrl-C), then return.

    Work is done by one thread, one photograph at a time; everything that looks at the page sees the same
    photographs, each at the grid of its own choice. Nothing of the disk is served but ``photographs``, and
    nothing is written but by the page's export: once as soon as ``photographs`` are extracted, where there
    are any, and then whenever the page's button asks for it.

    Args:
        photographs: files to begin with; read by ``read``.
        extractor: features and comparisons, each photograph and grid once.
        page: what it begins with.
        read: a named file as a photograph; raises `ImageError`.
        decode: an uploaded file's bytes and name as a photograph; raises `ImageError`.
        host: to listen on. Other than loopback, whoever has the address can upload photographs and look.
        port: 0 chooses a free one.
        on_ready: called with the address to open once the server listens.

    Raises:
        InputError: the address cannot be listened on, or the grid is impossible.
        MissingExtraError: Starlette or uvicorn is not installed.
    """
    try:
        from dinoscope.comparison.page.routes import live_app
        from dinoscope.drawing.server.serving import serve_app
    except ImportError as error:
        raise MissingExtraError("the live page", "view") from error

    extractor.check(page.grid)
    shown = LivePhotographs(extractor, photographs, read=read, decode=decode, total_bytes=TOTAL_BYTES)
    serve_app(lambda closing: live_app(shown, page, closing), host=host, port=port, on_ready=on_ready)
