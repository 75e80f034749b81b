"""Threads that measure: one for each core, each with one of its own for its products."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from dinoscope.pipeline.feed import cores, one_blas_thread, one_thread_each

MOST_WORKERS = 8


def worker_count() -> int:
    """At most `MOST_WORKERS`: each holds what it measures several times over."""
    return min(MOST_WORKERS, cores())


@contextmanager
def measuring(workers: int) -> Iterator[ThreadPoolExecutor]:
    """A pool. Whatever ends the block, its threads end after what each is at."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="dinoscope-measure", initializer=one_thread_each)
    with one_blas_thread():
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
