"""The search page: a store's photographs, looked for by a photograph, on this machine only."""

from __future__ import annotations

from collections.abc import Callable

from dinoscope.drawing.server.limits import UPLOAD_BYTES
from dinoscope.errors import MissingExtraError
from dinoscope.retrieval.page.question import Finder


def serve_search(
    finder: Finder,
    *,
    title: str,
    host: str = "127.0.0.1",
    port: int = 0,
    upload_bytes: int = UPLOAD_BYTES,
    on_ready: Callable[[str], None] = print,
) -> None:
    """Serve the search page until interrupted (Ctrl-C), then return.

    Two threads search, and a model runs in one of them at a time. Of the disk nothing is served but the
    photographs of the store, and nothing is written.

    Args:
        finder: knows the store.
        title: of the page.
        host: to listen on. Other than loopback, whoever has the address can look and upload photographs.
        port: 0 chooses a free one.
        upload_bytes: of one uploaded file, at most.
        on_ready: called with the address to open once the server listens.

    Raises:
        InputError: the address cannot be listened on.
        MissingExtraError: Starlette or uvicorn is not installed.
    """
    try:
        from dinoscope.drawing.server.serving import serve_app
        from dinoscope.retrieval.page.routes import search_app
    except ImportError as error:
        raise MissingExtraError("the search page", "view") from error

    serve_app(
        lambda closing: search_app(finder, title=title, upload_bytes=upload_bytes, closing=closing),
        host=host,
        port=port,
        on_ready=on_ready,
    )
