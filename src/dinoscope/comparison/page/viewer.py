"""The live page: photographs dropped on it are extracted here and shown there, on this machine only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from dinoscope.comparison.page.desk import Desk, Extractor
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Comparison
from dinoscope.drawing.server.limits import UPLOAD_BYTES
from dinoscope.errors import MissingExtraError

TOTAL_BYTES = 2**30


def serve(
    photographs: Sequence[Path],
    extractor: Extractor,
    *,
    read: Callable[[Path], Photograph],
    decode: Callable[[bytes, str], Photograph],
    labels: Sequence[str] = (),
    export: Callable[[Comparison], Path] | None = None,
    grid: int = 32,
    host: str = "127.0.0.1",
    port: int = 0,
    upload_bytes: int = UPLOAD_BYTES,
    on_ready: Callable[[str], None] = print,
    on_report: Callable[[str], None] = print,
) -> None:
    """Serve the live page until interrupted (Ctrl-C), then return.

    Work is done by one thread, one photograph at a time; everything that looks at the page sees the same
    photographs, each at the grid of its own choice. Nothing of the disk is served but ``photographs``, and
    nothing is written but by ``export``: once as soon as ``photographs`` are extracted, where there are
    any, and then whenever the page's button asks for it.

    Args:
        photographs: files to begin with; read by ``read``.
        extractor: features and comparisons, each photograph and grid once.
        read: a named file as a photograph; raises `ImageError`.
        decode: an uploaded file's bytes and name as a photograph; raises `ImageError`.
        labels: of the models, for the page's title.
        export: writes a comparison and returns the path of its report; None: the page offers no export.
        grid: to begin with.
        host: to listen on. Other than loopback, whoever has the address can upload photographs and look.
        port: 0 chooses a free one.
        upload_bytes: of one uploaded file, at most.
        on_ready: called with the address to open once the server listens.
        on_report: called from another thread with what became of the first report, in words.

    Raises:
        InputError: the address cannot be listened on, or the grid is impossible.
        MissingExtraError: Starlette or uvicorn is not installed.
    """
    try:
        from dinoscope.comparison.page.routes import live_app
        from dinoscope.drawing.server.serving import serve_app
    except ImportError as error:
        raise MissingExtraError("the live page", "view") from error

    extractor.check(grid)
    desk = Desk(extractor, photographs, read=read, decode=decode, total_bytes=TOTAL_BYTES)
    serve_app(
        lambda closing: live_app(
            desk,
            labels=labels,
            grid=grid,
            export=export,
            upload_bytes=upload_bytes,
            closing=closing,
            on_report=on_report,
        ),
        host=host,
        port=port,
        on_ready=on_ready,
    )
