from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
import torch

from dinoscope.errors import InputError
from dinoscope.pipeline.extract import extract
from dinoscope.pipeline.feed import THREAD_NAME, ahead, worker_count
from tests.fakes import FakeBackbone


def decoders() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith(THREAD_NAME)]


def counted(taken: list[int]) -> Iterator[int]:
    for i in count():
        taken.append(i)
        yield i


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_order_whichever_thread_is_first(workers: int) -> None:
    gates = {i: threading.Event() for i in range(6)}

    def late(i: int) -> int:
        if workers > 1 and i % 3 == 0:  # waits for the one behind it
            assert gates[i + 1].wait(300)
        gates[i].set()
        return i * i

    feed = ahead(iter(range(6)), late, workers=workers, depth=6)
    assert [(i, result()) for i, result in feed] == [(i, i * i) for i in range(6)]
    assert not decoders()


def test_no_more_is_taken_than_was_asked_for() -> None:
    taken: list[int] = []
    feed = ahead(counted(taken), lambda i: i, workers=2, depth=5)
    for _ in range(3):
        next(feed)
    assert len(taken) == 5 + 2
    feed.close()


def test_heavy_results_hold_the_source_back() -> None:
    taken: list[int] = []
    begun = threading.Semaphore(0)

    def prepare(i: int) -> int:
        begun.release()
        return i

    feed = ahead(counted(taken), prepare, workers=1, depth=8, weight=lambda _: 10, limit=15)
    seen = [next(feed)[1]()]
    n = len(taken)
    assert all(begun.acquire(timeout=300) for _ in range(n))  # all but the last are finished now
    while n - len(seen) > 3:
        seen.append(next(feed)[1]())
        assert len(taken) == n  # two finished ones weigh more than is allowed
    seen += [result() for _, result in islice(feed, 20)]
    feed.close()
    assert seen == list(range(len(seen)))


def test_an_error_comes_at_its_place_and_the_rest_goes_on() -> None:
    def prepare(i: int) -> int:
        if i == 1:
            raise InputError("one")
        return i

    results = [result for _, result in ahead(iter(range(4)), prepare, workers=2, depth=4)]
    assert [results[i]() for i in (0, 2, 3)] == [0, 2, 3]
    with pytest.raises(InputError, match="one"):
        results[1]()


def test_the_source_is_read_in_the_callers_thread() -> None:
    where = []

    def source() -> Iterator[int]:
        for i in range(3):
            where.append(threading.current_thread())
            yield i

    list(ahead(source(), lambda i: i, workers=2, depth=2))
    assert set(where) == {threading.current_thread()}


def test_a_decoding_thread_computes_alone_and_the_callers_keeps_its_threads() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        ((_, inside),) = ahead(iter([0]), lambda _: torch.get_num_threads(), workers=1, depth=1)
        assert inside() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("device", "cores", "expected"), [("cpu", 64, 1), ("cuda", 1, 1), ("cuda", 8, 7), ("cuda", 64, 16)]
)
def test_how_many_threads_decode(device: str, cores: int, expected: int) -> None:
    assert worker_count(device, cores) == expected


class Interrupted(FakeBackbone):
    def forward(self, pixels, layers=None, *, final_norm=True):  # type: ignore[no-untyped-def]
        if len(self.batches) == 2:
            raise KeyboardInterrupt
        return super().forward(pixels, layers, final_norm=final_norm)


@pytest.mark.parametrize("tile", [None, 16])
def test_an_interrupt_ends_the_threads_at_once(tile: int | None) -> None:
    images = (np.random.default_rng(i).integers(0, 256, (32, 32, 3), dtype=np.uint8) for i in count())
    stream = extract(images, Interrupted(), grid=4, tile=tile)
    caught: BaseException | None = None
    try:
        for _ in stream:
            pass
    except KeyboardInterrupt as interrupt:
        caught = interrupt  # kept: its traceback holds every frame, so nothing is collected by chance
    assert caught is not None
    assert not decoders()


def test_a_stream_that_is_left_ends_its_threads(tmp_path: Path) -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    stream = extract((image for _ in count()), FakeBackbone(), grid=4)
    next(stream)
    assert decoders()
    stream.close()  # type: ignore[attr-defined]
    assert not decoders()
