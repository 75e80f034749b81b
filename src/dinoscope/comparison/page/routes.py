"""What the live page can ask for. Needs Starlette; who may ask is the access guard's business."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from dinoscope.comparison.page.options import PageOptions
from dinoscope.comparison.page.photographs import LivePhotographs, Say, check_grid_words
from dinoscope.comparison.page.questions import QUESTION_BYTES, Answer, Question, question_from
from dinoscope.data.results import Comparison
from dinoscope.drawing.pages import served_page
from dinoscope.drawing.server.answers import REFUSALS, json_answer, page_routes
from dinoscope.drawing.server.limits import JOBS
from dinoscope.drawing.server.turns import WAKE_S, busy, in_turn
from dinoscope.drawing.server.uploads import UploadRoom, display_name
from dinoscope.errors import DinoscopeError

_STEPS = ("reading", "photograph", "model")
"""Lines that tell how far a job is, as against how it ended."""

_log = logging.getLogger("dinoscope.view")

_T = TypeVar("_T")
_FULL = "too many ask at once; ask again in a moment"
Job = Callable[[Say, Callable[[], bool]], None]


def live_app(photographs: LivePhotographs, page: PageOptions, closing: threading.Event) -> Starlette:
    """The app behind the guard; once ``closing`` is set its jobs stop.

    Where there are named photographs to begin with and an export, a first report is written as soon as they
    are extracted.
    """
    routes = _Routes(photographs, page, closing)
    shown = served_page(
        "comparison/page/page.html",
        code="live",
        title=", ".join(page.labels) or "photographs",
        grid=page.grid,
        upload_bytes=page.upload_bytes,
        can_export=page.export is not None,
        can_ask=page.answerer is not None,
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if page.export is not None and photographs.has_named:
            routes.first_report(page.export)
        yield
        closing.set()
        for thread in (routes.worker, routes.answers, routes.writer):
            thread.shutdown(wait=True, cancel_futures=True)

    return Starlette(
        routes=[
            *page_routes(shown),
            Route("/state", routes.state),
            Route("/photographs", routes.upload, methods=["POST"]),
            Route("/prepare", routes.prepare, methods=["POST"]),
            Route("/remove", routes.remove, methods=["POST"]),
            Route("/failures/clear", routes.clear_failures, methods=["POST"]),
            Route("/export", routes.export, methods=["POST"]),
            Route("/payload", routes.payload),
            Route("/ask", routes.ask, methods=["POST"]),
        ],
        lifespan=lifespan,
        exception_handlers=REFUSALS,
    )


@dataclass
class _Routes:
    """Threads that extract, answer beside it and write reports, and the requests that give them work."""

    photographs: LivePhotographs
    page: PageOptions
    closing: threading.Event

    def __post_init__(self) -> None:
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="dinoscope-view")
        self.answers = ThreadPoolExecutor(1, thread_name_prefix="dinoscope-answers")
        self.room = UploadRoom()
        self.writer = ThreadPoolExecutor(1, thread_name_prefix="dinoscope-report")
        self.waiting: set[Say] = set()

    async def state(self, request: Request) -> Response:
        return json_answer(self.photographs.snapshot())

    async def upload(self, request: Request) -> Response:
        grid = check_grid_words(request.query_params.get("grid", ""))
        name = display_name(request.query_params.get("name", ""))
        upload = await self.room.read(request, self.page.upload_bytes)
        if self.full:
            upload.done()
            raise busy(_FULL)

        def take(say: Say, cancelled: Callable[[], bool]) -> None:
            self.photographs.take(upload.data, name, grid, say, cancelled)

        return _Progress(self, take, upload.done)

    async def prepare(self, request: Request) -> Response:
        grid = check_grid_words(request.query_params.get("grid", ""))
        if self.full:
            raise busy(_FULL)
        return _Progress(self, lambda say, cancelled: self.photographs.prepare(grid, say, cancelled))

    async def payload(self, request: Request) -> Response:
        grid = check_grid_words(request.query_params.get("grid", ""))
        revision, payload = await self.run(request, lambda: self.photographs.payload(grid))
        header = payload.header.encode("ascii")
        return Response(
            len(header).to_bytes(4, "little") + header + payload.data,
            media_type="application/octet-stream",
            headers={"x-revision": str(revision)},
        )

    async def ask(self, request: Request) -> Response:
        answerer = self.page.answerer
        if answerer is None:
            raise HTTPException(404, "this page answers no further questions")
        upload = await self.room.read(request, QUESTION_BYTES)
        try:
            words = question_from(upload.data)
        finally:
            upload.done()
        grid, revision = (words.get(name) for name in ("grid", "revision"))
        digests = self.photographs.shown(check_grid_words(str(grid)), revision)
        question = Question(str(words.get("way")), int(str(grid)), digests, words)

        def work() -> Answer:
            return answerer.answer(question, self.photographs.photograph)

        found = await self.run(request, work, self.worker if answerer.needs_model(question) else self.answers)
        return Response(found.as_bytes(), media_type="application/octet-stream")

    async def remove(self, request: Request) -> Response:
        digest = request.query_params.get("digest", "")
        await self.run(request, lambda: self.photographs.remove(digest))
        return await self.state(request)

    async def clear_failures(self, request: Request) -> Response:
        await self.run(request, self.photographs.clear_failures)
        return await self.state(request)

    async def export(self, request: Request) -> Response:
        exporter = self.page.export
        if exporter is None:
            raise HTTPException(404, "no folder to export to was named")
        grid = check_grid_words(request.query_params.get("grid", ""))
        shown = await self.run(None, lambda: self.photographs.comparison(grid))
        written = await self.run(None, lambda: exporter(shown), self.writer)
        return json_answer({"path": str(written)})

    def first_report(self, exporter: Callable[[Comparison], Path]) -> None:
        """Have what was named at the start extracted, and a report of it written."""
        grid, on_report = self.page.grid, self.page.on_report

        def prepare() -> None:
            self.photographs.prepare(grid, self.tell_waiting, self.closing.is_set)
            if not self.closing.is_set():
                shown = self.photographs.comparison(grid)
                follow(self.writer.submit(lambda: on_report(f"report: {exporter(shown)}")))

        def follow(job: Future[None]) -> None:
            job.add_done_callback(lost)

        def lost(job: Future[None]) -> None:
            error = None if job.cancelled() else job.exception()
            if error is not None and not isinstance(error, DinoscopeError):
                _log.error("the first report failed", exc_info=error)
            if error is not None:
                on_report(f"no report: {error}")

        follow(self.worker.submit(prepare))

    def tell_waiting(self, line: Mapping[str, object]) -> None:
        """Tell a step to every page whose own job has not begun."""
        if line["kind"] in _STEPS:
            for say in tuple(self.waiting):
                say(line)

    async def run(
        self, request: Request | None, work: Callable[[], _T], threads: ThreadPoolExecutor | None = None
    ) -> _T:
        """What a thread makes, the one that answers unless another is named; see `in_turn`."""
        return await in_turn(request, work, threads or self.answers, self.closing)

    @property
    def full(self) -> bool:
        """Whether as many jobs wait as may."""
        return len(self.waiting) >= JOBS


class _Progress(Response):
    """Runs a job and tells its steps, one JSON object a line; who hangs up cancels it."""

    def __init__(self, routes: _Routes, job: Job, done: Callable[[], None] = lambda: None) -> None:
        super().__init__(media_type="application/x-ndjson")
        del self.headers["content-length"]
        self._routes = routes
        self._job = job
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        lines: asyncio.Queue[Mapping[str, object] | None] = asyncio.Queue()
        gone = threading.Event()

        def say(line: Mapping[str, object] | None) -> None:
            if not self._routes.closing.is_set():
                loop.call_soon_threadsafe(lines.put_nowait, line)

        def cancelled() -> bool:
            return gone.is_set() or self._routes.closing.is_set()

        def say_all(line: Mapping[str, object]) -> None:
            say(line)
            self._routes.tell_waiting(line)

        def work() -> None:
            self._routes.waiting.discard(say)
            if not cancelled():
                self._job(say_all, cancelled)

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()
            lines.put_nowait(None)

        self._routes.waiting.add(say)
        watcher = asyncio.create_task(watch())
        future = loop.run_in_executor(self._routes.worker, work)
        future.add_done_callback(lambda _: self._done())
        future.add_done_callback(lambda _: lines.put_nowait(None))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            while not cancelled():
                try:
                    line = await asyncio.wait_for(lines.get(), WAKE_S)
                except TimeoutError:
                    continue
                if line is None:
                    break
                text = json.dumps(line) + "\n"
                await send({"type": "http.response.body", "body": text.encode("ascii"), "more_body": True})
            if future.done() and not future.cancelled() and (error := future.exception()) is not None:
                _log.error("a job failed", exc_info=error)
                text = json.dumps({"kind": "broken", "reason": f"{type(error).__name__}: {error}"}) + "\n"
                await send({"type": "http.response.body", "body": text.encode("ascii"), "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.set()
            self._routes.waiting.discard(say)
            watcher.cancel()
