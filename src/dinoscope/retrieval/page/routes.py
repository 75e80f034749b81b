"""What the search page can ask for. Needs Starlette; who may ask is the access guard's business."""

from __future__ import annotations

import asyncio
import io
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import TypeVar

import numpy as np
from PIL import Image
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dinoscope.data.photograph import Photograph
from dinoscope.drawing.figure_files import jpeg_bytes
from dinoscope.drawing.server.answers import REFUSALS, json_answer, page_routes
from dinoscope.drawing.server.uploads import WAKE_S, UploadRoom, display_name
from dinoscope.errors import InputError
from dinoscope.retrieval.figures.match import plot_match
from dinoscope.retrieval.page.html import search_page_html
from dinoscope.retrieval.page.question import (
    MOST_LISTED,
    Finder,
    Found,
    FoundPatches,
    Shown,
    digest_of,
    question_of,
    whole_number,
)

PICTURE_PX: Mapping[str, int] = {"small": 256, "large": 1024}
"""Longest side of a hit's picture, and of the query's."""

KEPT_PICTURES_BYTES = 32 * 2**20
READERS = 2

_T = TypeVar("_T")


def search_app(finder: Finder, *, title: str, upload_bytes: int, closing: threading.Event) -> Starlette:
    """The app behind the guard; once ``closing`` is set nothing more is answered."""
    room = _Room(finder, upload_bytes, closing)
    shown = search_page_html(
        title, poolings=finder.poolings, suppressions=finder.suppressions, upload_bytes=upload_bytes
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        closing.set()
        for threads in (room.worker, room.decoder, room.readers):
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
            Route("/why", room.why),
        ],
        lifespan=lifespan,
        exception_handlers=REFUSALS,
    )


@dataclass
class _Room:
    """One thread that searches, a few that make pictures, and the requests that give them work."""

    finder: Finder
    upload_bytes: int
    closing: threading.Event

    def __post_init__(self) -> None:
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="dinoscope-search")
        self.decoder = ThreadPoolExecutor(1, thread_name_prefix="dinoscope-uploads")
        self.room = UploadRoom()
        self.readers = ThreadPoolExecutor(READERS, thread_name_prefix="dinoscope-pictures")
        self.kept = _Kept(KEPT_PICTURES_BYTES)

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
        if upload is None:
            return Response(status_code=499)
        try:
            shown = await self.run(request, lambda: self.finder.take(upload.data, name), self.decoder)
        finally:
            upload.done()
        return json_answer(asdict(shown))

    async def search(self, request: Request) -> Response:
        question = question_of(request.query_params, self.finder)
        return json_answer(_as_json(await self.run(request, lambda: self.finder.search(question))))

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

            data = await self.run(request, make, self.readers)
            self.kept.keep(key, data)
        return Response(data, media_type="image/jpeg")

    async def why(self, request: Request) -> Response:
        question = question_of(request.query_params, self.finder)
        hit = digest_of(request.query_params.get("hit", ""))

        def draw() -> bytes:
            return jpeg_bytes(plot_match(*self.finder.why(question, hit)))

        return Response(await self.run(request, draw), media_type="image/jpeg")

    async def run(
        self, request: Request, work: Callable[[], _T], threads: ThreadPoolExecutor | None = None
    ) -> _T:
        """The answer of a thread, the one that searches unless others are named.

        Work that nobody waits for any more and that has not begun is not done.

        Raises:
            HTTPException: 503, the server is closing; 499, who asked has gone.
        """
        future = asyncio.get_running_loop().run_in_executor(threads or self.worker, work)
        while not self.closing.is_set():
            done, _ = await asyncio.wait([future], timeout=WAKE_S)
            if done:
                return future.result()
            if await request.is_disconnected():
                future.cancel()
                raise HTTPException(499, "nobody waits for the answer")
        future.cancel()
        raise HTTPException(503, "dinoscope is closing")


class _Kept:
    """The pictures asked for last, up to a size. Used on the event loop alone."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._held = 0
        self._pictures: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    def have(self, key: tuple[str, int]) -> bytes | None:
        """A picture that is kept."""
        found = self._pictures.get(key)
        if found is not None:
            self._pictures.move_to_end(key)
        return found

    def keep(self, key: tuple[str, int], data: bytes) -> None:
        """Keep one more, and let go of those not asked for longest."""
        self._held += len(data) - len(self._pictures.pop(key, b""))
        self._pictures[key] = data
        while self._held > self._limit:
            self._held -= len(self._pictures.popitem(last=False)[1])


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
        "suppression": hits.suppression,
        "k_removed": hits.k_removed,
        "fitted_on": hits.fitted_on,
        "exact": hits.exact,
        "notes": list(hits.notes),
        "grid": list(found.grid),
    }


def _patches_as_json(found: FoundPatches) -> dict[str, object]:
    return {
        "hits": [
            {"rank": hit.rank, "score": hit.score, "box": list(hit.box), **asdict(shown)}
            for hit, shown in zip(found.hits, found.shown, strict=True)
        ],
        "suppression": found.suppression,
        "k_removed": found.k_removed,
        "fitted_on": found.fitted_on,
        "notes": list(found.notes),
        "grid": list(found.grid),
    }


def _jpeg(photograph: Photograph) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.asarray(photograph.pixels)).save(out, "JPEG", quality=85)
    return out.getvalue()
