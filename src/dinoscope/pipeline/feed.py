"""Work done ahead in threads, in order, never more than is asked for."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache
from typing import TypeVar

import torch
from threadpoolctl import ThreadpoolController, threadpool_limits  # type: ignore[import-untyped]

from dinoscope.pipeline.profile import PHOTOGRAPHS, waited

T = TypeVar("T")
P = TypeVar("P")

THREAD_NAME = "dinoscope-decode"
HELD_BYTES = 2**30
"""Prepared photographs that wait for the model take no more than about this much, each thread's last
one aside.
"""

CPU_HELD_BYTES = 2**27
"""Beside a model on the processor they take no more than about this much: a pass there is of small inputs."""


def worker_count(device_type: str, cores: int) -> int:
    """Threads that decode: one beside a model on the processor, which takes every core itself."""
    return 1 if device_type == "cpu" else max(1, min(16, cores - 1))


def cores() -> int:
    """Processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux tells
        return os.cpu_count() or 1


def ahead(
    items: Iterator[T],
    prepare: Callable[[T], P],
    *,
    workers: int,
    depth: int,
    weight: Callable[[P], int] = lambda _: 0,
    limit: int = HELD_BYTES,
) -> Generator[tuple[T, Callable[[], P]], None, None]:
    """Each item with what returns it prepared, or raises what preparing it raised; in the order given.

    ``items`` is consumed in the caller's thread. Closing the iterator, by an error or Ctrl-C too, ends the
    threads after the item that each is at.

    Args:
        items: taken as they are needed: at most ``depth`` are underway or waiting.
        prepare: called in a thread.
        workers: threads.
        depth: at least 1.
        weight: of a prepared item, in bytes.
        limit: no further item is taken while those waiting weigh this much.
    """
    coming: deque[tuple[T, Future[P]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix=THREAD_NAME, initializer=one_thread_each)
    try:
        while True:
            while len(coming) < depth and (not coming or _held(coming, weight) < limit):
                try:
                    item = next(items)
                except StopIteration:
                    break
                coming.append((item, pool.submit(copy_context().run, prepare, item)))
            if not coming:
                return
            item, future = coming.popleft()
            with waited(PHOTOGRAPHS):
                wait([future])
            yield item, future.result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _held(coming: deque[tuple[T, Future[P]]], weight: Callable[[P], int]) -> int:
    done = (future for _, future in coming if future.done() and future.exception() is None)
    return sum(weight(future.result()) for future in done)


def one_thread_each() -> None:
    """Torch's own threads, for this thread's operations alone: a team for each would crowd the model's."""
    torch.get_num_threads()  # sets this thread's number, once; what is set before would be lost
    _controller().limit(limits=1, user_api="openmp")


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """NumPy's and SciPy's products on one thread each, whoever calls them.

    Their own threads wait busily for a while after each product, and so take the cores from the model's.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
