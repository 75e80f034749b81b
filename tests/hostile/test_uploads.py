"""Uploads: counted before they are read, and none holds up who only looks."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import numpy as np
import pytest
from httpx import Response
from PIL import Image
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.testclient import TestClient

from dinoscope.comparison.page import routes
from dinoscope.comparison.session import Session
from dinoscope.drawing.server import turns, uploads
from dinoscope.drawing.server.uploads import UploadRoom
from dinoscope.io.images import decode_photograph
from tests.alone import run_alone
from tests.hostile import bombs
from tests.view.live_samples import ORIGIN, TOKEN, CountingExtractor, gate

MIB = 2**20


def request(
    chunks: list[bytes], length: str | None, *, pause_s: float = 0.0, hangs_up: bool = False
) -> Request:
    """An upload that arrives in chunks."""
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause_s)
        if not left and hangs_up:
            return {"type": "http.disconnect"}
        body = left.pop(0) if left else b""
        return {"type": "http.request", "body": body, "more_body": bool(left) or hangs_up}

    headers = [] if length is None else [(b"content-length", length.encode())]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)


def within(seconds: float, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return run_alone(asyncio.wait_for(work(), seconds))


def test_room_is_taken_before_a_byte_is_read_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "UPLOADS_BYTES", 10)
    monkeypatch.setattr(uploads, "WAKE_S", 0.01)
    most = 0

    async def work() -> None:
        nonlocal most
        room = UploadRoom()

        async def one() -> None:
            nonlocal most
            upload = await room.read(request([b"12", b"34"], "4"), 8)
            assert upload is not None and upload.data == b"1234"
            most = max(most, room._held)
            await asyncio.sleep(0.02)
            upload.done()
            upload.done()  # twice does no harm

        await asyncio.gather(*(one() for _ in range(24)))
        assert room._held == 0

    within(300, work)
    assert 4 < most <= 10


@pytest.mark.parametrize("length", ["9", "-1", "1e3", "９", "99999999999999999999999", "", "4,4", " 4"])
def test_lengths_that_are_none_or_too_long_are_refused_unread(length: str) -> None:
    async def work() -> None:
        room = UploadRoom()
        with pytest.raises(HTTPException) as caught:
            await room.read(request([b"x"] * 3, length, pause_s=300), 8)
        assert caught.value.status_code == 413 and room._held == 0

    within(300, work)


@pytest.mark.parametrize("length", ["4", None, "0"])
def test_more_than_was_announced_is_cut_off(length: str | None) -> None:
    async def work() -> None:
        room = UploadRoom()
        with pytest.raises(HTTPException) as caught:
            await room.read(request([b"12345"] * 1000, length), 8)
        assert caught.value.status_code == 413 and room._held == 0

    within(300, work)


def test_who_sends_a_byte_at_a_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "WAIT_S", 0.2)

    async def work() -> None:
        room = UploadRoom()
        with pytest.raises(HTTPException) as caught:
            await room.read(request([b"x"] * 10_000, "10000", pause_s=0.02), MIB)
        assert caught.value.status_code == 408 and room._held == 0

    within(300, work)


def test_who_finds_no_room_in_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "UPLOADS_BYTES", 10)
    monkeypatch.setattr(uploads, "WAKE_S", 0.01)
    monkeypatch.setattr(uploads, "TURN_S", 0.1)

    async def work() -> None:
        room = UploadRoom()
        first = await room.read(request([b"x" * 8], "8"), 8)
        assert first is not None
        with pytest.raises(HTTPException) as caught:
            await room.read(request([b"x" * 8], "8"), 8)
        assert caught.value.status_code == 503 and int((caught.value.headers or {})["retry-after"]) > 0
        first.done()
        assert await room.read(request([b"x" * 8], "8"), 8) is not None

    within(300, work)


def test_who_hangs_up_gives_the_room_back() -> None:
    async def work() -> None:
        room = UploadRoom()
        with pytest.raises(HTTPException, match="nobody waits"):
            await room.read(request([b"x"], "8", hangs_up=True), 8)
        assert room._held == 0

    within(300, work)


def picture(seed: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(
        out, "PNG"
    )
    return out.getvalue()


def test_a_long_extraction_holds_up_nobody_who_looks() -> None:
    extractor = CountingExtractor()
    with TestClient(gate(extractor), base_url=ORIGIN, headers={"origin": ORIGIN}) as client:
        assert client.post(f"/{TOKEN}/photographs?grid=8&name=a.png", content=picture(1)).status_code == 200
        extractor.hold.clear()
        extractor.begun.clear()
        sender = threading.Thread(
            target=lambda: client.post(f"/{TOKEN}/photographs?grid=8&name=heavy.png", content=picture(2))
        )
        sender.start()
        try:
            assert extractor.begun.wait(300)
            assert client.get(f"/{TOKEN}/payload?grid=8").status_code == 200
            assert client.post(f"/{TOKEN}/failures/clear").status_code == 200
            assert client.get(f"/{TOKEN}/state").status_code == 200
            assert not extractor.hold.is_set()
        finally:
            extractor.hold.set()
            sender.join()


def test_whose_turn_does_not_come_is_told_when_to_ask_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_S", 0.1)
    done: list[int] = []

    async def work() -> None:
        closing, hold = threading.Event(), threading.Event()
        with ThreadPoolExecutor(1) as threads:
            first = asyncio.create_task(turns.in_turn(None, hold.wait, threads, closing))
            await asyncio.sleep(0)
            try:
                with pytest.raises(HTTPException) as caught:
                    await turns.in_turn(None, lambda: done.append(1), threads, closing)
                assert caught.value.status_code == 503
                assert int((caught.value.headers or {})["retry-after"]) > 0
                assert not first.done(), "what has begun is waited for, however long"
            finally:
                hold.set()
            assert await first
            await turns.in_turn(None, lambda: done.append(2), threads, closing)

    within(300, work)
    assert done == [2]


def test_more_jobs_than_may_wait_are_told_when_to_ask_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "JOBS", 1)
    extractor = CountingExtractor()
    extractor.hold.clear()
    with (
        TestClient(gate(extractor), base_url=ORIGIN, headers={"origin": ORIGIN}) as client,
        ThreadPoolExecutor(3) as people,
    ):

        def send(seed: int) -> Response:
            return client.post(f"/{TOKEN}/photographs?grid=8&name=a.png", content=picture(seed))

        try:
            running = people.submit(send, 1)
            assert extractor.begun.wait(300)
            waiting = [people.submit(send, seed) for seed in (2, 3)]
            refused = next(as_completed(waiting, 300)).result()
            assert refused.status_code == 503 and int(refused.headers["retry-after"]) > 0
            assert not all(answer.done() for answer in waiting)
            prepared = client.post(f"/{TOKEN}/prepare?grid=8")
            assert prepared.status_code == 503 and "ask again" in prepared.json()["reason"]
        finally:
            extractor.hold.set()
        assert sorted(answer.result().status_code for answer in (running, *waiting)) == [200, 200, 503]
        assert client.post(f"/{TOKEN}/prepare?grid=8").status_code == 200


@pytest.mark.parametrize("name", ["jpeg", "png", "gif", "tiff", "webp"])
def test_a_bomb_that_is_uploaded_is_refused(name: str) -> None:
    data = {
        "jpeg": bombs.jpeg(13_000),
        "png": bombs.png(13_000, 13_000, colours=6, rows=False),
        "gif": bombs.gif(14_000),
        "tiff": bombs.tiff(20_000),
        "webp": bombs.webp(16_000),
    }[name]
    with TestClient(gate(CountingExtractor()), base_url=ORIGIN, headers={"origin": ORIGIN}) as client:
        answer = client.post(f"/{TOKEN}/photographs?grid=8&name=bomb", content=data)
        assert '"failed"' in answer.text and "refused" in answer.text


def test_comparisons_and_extractions_go_on_beside_each_other() -> None:
    session = Session(["pixels"])
    photographs = [decode_photograph(picture(i), name=f"{i}.png") for i in range(12)]
    session.add(photographs[0], 4)
    errors: list[BaseException] = []

    def look() -> None:
        try:
            for _ in range(6):
                session.comparison([photographs[0].digest], 4)
        except BaseException as error:  # noqa: BLE001 (told below)
            errors.append(error)

    looking = threading.Thread(target=look)
    looking.start()
    for photograph in photographs[1:]:
        session.add(photograph, 4)
        session.forget(photograph.digest)
    looking.join()
    assert errors == []
