"""What the search page can ask for. Needs Starlette; who may ask is the access guard's business."""

from __future__ import annotations

import io
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import TypeVar

import numpy as np
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dinoscope.data.photograph import Photograph
from dinoscope.data.retrieval import Hits
from dinoscope.drawing.figure_files import dark_jpeg_bytes, jpeg_bytes
from dinoscope.drawing.pages import served_page
from dinoscope.drawing.server.answers import REFUSALS, json_answer, page_routes
from dinoscope.drawing.server.turns import in_turn
from dinoscope.drawing.server.uploads import UploadRoom, display_name
from dinoscope.errors import InputError
from dinoscope.retrieval.figures.match import plot_match
from dinoscope.retrieval.page.question import (
    MOST_LISTED,
    Finder,
    Found,
    FoundPatches,
    Shown,
    digest_of,
    question_of,
    share,
    whole_number,
)
from dinoscope.retrieval.recent import Recent

PICTURE_PX: Mapping[str, int] = {"small": 384, "large": 1024, "open": 4096}
"""Longest side of a hit's picture, of the query's, and of one opened by itself."""

_WORDS = {
    "cls": "class token",
    "gem": "GeM",
    "foreground": "foreground mean",
    "none": "none",
    "centre": "collection mean",
    "common": "common directions",
    "whiten": "whitening",
    "background": "background",
}

KEPT_PICTURES_BYTES = 32 * 2**20
READERS = 2
SEARCHERS = 2
"""Threads that look into tables: an index is searched outside of Python's lock."""

_T = TypeVar("_T")


def search_app(finder: Finder, *, title: str, upload_bytes: int, closing: threading.Event) -> Starlette:
    """The app behind the guard; once ``closing`` is set nothing more is answered."""
    room = _Room(finder, upload_bytes, closing)
    shown = served_page(
        "retrieval/page/page.html",
        code="search",
        title=title,
        poolings=finder.poolings,
        suppressions=finder.suppressions,
        words=_WORDS,
        upload_bytes=upload_bytes,
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        closing.set()
        for threads in (room.worker, room.searchers, room.decoder, room.readers):
            threads.shutdown(wait=True, cancel_futures=True)

    return Starlette(
        routes=[
            *page_routes(shown),
            Route("/tables", room.tables),
            Route("/collection", room.collection),
            Route("/photograph", room.photograph),
            Route("/queries", room.upload, methods=["POST"]),
            Route("/search", room.search),
            Route("/patches", room.patches),
            Route("/picture", room.picture),
            Route("/duplicates", room.duplicates),
            Route("/why", room.why),
        ],
        lifespan=lifespan,
        exception_handlers=REFUSALS,
    )


@dataclass
class _Room:
    """Threads that search, others that make pictures, and the requests that give them work."""

    finder: Finder
    upload_bytes: int
    closing: threading.Event

    def __post_init__(self) -> None:
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="dinoscope-work")
        self.searchers = ThreadPoolExecutor(SEARCHERS, thread_name_prefix="dinoscope-search")
        self.decoder = ThreadPoolExecutor(1, thread_name_prefix="dinoscope-uploads")
        self.room = UploadRoom()
        self.readers = ThreadPoolExecutor(READERS, thread_name_prefix="dinoscope-pictures")
        self.kept: Recent[tuple[str, int], bytes] = Recent(KEPT_PICTURES_BYTES, len)

    async def tables(self, request: Request) -> Response:
        tables = await self.run(request, self.finder.tables)
        return json_answer({"tables": [asdict(table) for table in tables]})

    async def collection(self, request: Request) -> Response:
        words = request.query_params
        first, n = whole_number(words, "first", 0, 10**9), whole_number(words, "n", 1, MOST_LISTED)
        listed = await self.run(request, lambda: self.finder.listed(words.get("table", ""), first, n))
        return json_answer({"photographs": [asdict(one) for one in listed]})

    async def photograph(self, request: Request) -> Response:
        table, digest = _named(request)
        return json_answer(asdict(await self.run(request, lambda: self.finder.shown(table, digest))))

    async def upload(self, request: Request) -> Response:
        name = display_name(request.query_params.get("name", ""))
        upload = await self.room.read(request, self.upload_bytes)
        try:
            shown = await self.run(request, lambda: self.finder.take(upload.data, name), self.decoder)
        finally:
            upload.done()
        return json_answer(asdict(shown))

    async def search(self, request: Request) -> Response:
        question = question_of(request.query_params, self.finder)
        found = await self.run(request, lambda: self.finder.search(question), self.searchers)
        return json_answer(_as_json(found))

    async def patches(self, request: Request) -> Response:
        question = question_of(request.query_params, self.finder)
        return json_answer(_patches_as_json(await self.run(request, lambda: self.finder.patches(question))))

    async def picture(self, request: Request) -> Response:
        table, digest = _named(request)
        longest = PICTURE_PX.get(request.query_params.get("size", "small"))
        if longest is None:
            raise InputError(f"a picture is {' or '.join(PICTURE_PX)}")
        key = (digest, longest)
        data = self.kept.have(key)
        if data is None:

            def make() -> bytes:
                return _jpeg(self.finder.picture(table, digest, longest))

            data = self.kept.keep(key, await self.run(request, make, self.readers))
        return Response(data, media_type="image/jpeg")

    async def duplicates(self, request: Request) -> Response:
        words = request.query_params
        table, pooling, least = words.get("table", ""), words.get("pooling", "mean"), share(words, "least")
        groups = await self.run(request, lambda: self.finder.duplicates(table, pooling, least))
        return json_answer({"groups": [[asdict(one) for one in group] for group in groups]})

    async def why(self, request: Request) -> Response:
        question = question_of(request.query_params, self.finder)
        hit = digest_of(request.query_params.get("hit", ""))

        dark, narrow = (request.query_params.get(word) == "1" for word in ("dark", "narrow"))

        def draw() -> bytes:
            figure = plot_match(*self.finder.why(question, hit), narrow=narrow)
            drawn = jpeg_bytes(figure)
            return dark_jpeg_bytes(drawn, figure) if dark else drawn

        return Response(await self.run(request, draw), media_type="image/jpeg")

    async def run(
        self, request: Request, work: Callable[[], _T], threads: ThreadPoolExecutor | None = None
    ) -> _T:
        """The answer of a thread, of the one for long work unless others are named; see `in_turn`."""
        return await in_turn(request, work, threads or self.worker, self.closing)


def _named(request: Request) -> tuple[str, str]:
    words = request.query_params
    return words.get("table", ""), digest_of(words.get("digest", ""))


def _as_json(found: Found) -> dict[str, object]:
    hits = found.hits

    def one(score: float, rank: int, shown: Shown) -> dict[str, object]:
        return {"rank": rank, "score": score, **asdict(shown)}

    return {
        "hits": [one(h.score, h.rank, shown) for h, shown in zip(hits.hits, found.shown, strict=True)],
        "pooling": hits.pooling,
        "exact": hits.exact,
        **_how(hits),
        "grid": found.grid,
    }


def _patches_as_json(found: FoundPatches) -> dict[str, object]:
    return {
        "hits": [
            {"rank": hit.rank, "score": hit.score, "box": list(hit.box), **asdict(shown)}
            for hit, shown in zip(found.hits, found.shown, strict=True)
        ],
        **_how(found),
        "grid": found.grid,
    }


def _how(found: Hits | FoundPatches) -> dict[str, object]:
    return {name: getattr(found, name) for name in ("suppression", "k_removed", "fitted_on", "notes")}


def _jpeg(photograph: Photograph) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.asarray(photograph.pixels)).save(out, "JPEG", quality=85)
    return out.getvalue()
