"""Rows of numbers while the next photographs go through the models: several at a time, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future

from dinoscope.comparison.row import Job, Row, row_of
from dinoscope.pipeline.together import WINDOW
from dinoscope.pipeline.workers import measuring, worker_count

LARGE_MAP_BYTES = 2**26
"""Photographs with a larger feature map are measured one at a time: metrics need several times that."""


def rows_of(jobs: Iterator[Job], *, masked: bool, n_models: int) -> Generator[Row, None, None]:
    """Each photograph's row, in the order given.

    ``jobs`` is consumed in the caller's thread, where the models run; the metrics run in threads meanwhile.
    At most a window of photographs waits. Closing the iterator ends the threads after the row each is at.

    Args:
        masked, n_models: as for `row_of`.
    """
    workers = worker_count()
    coming: deque[Future[Row]] = deque()
    with measuring(workers) as pool:
        for job in jobs:
            if max(features.values.nbytes for features in job.features) > LARGE_MAP_BYTES:
                while coming:
                    yield coming.popleft().result()
                yield row_of(job, masked=masked, n_models=n_models)
                continue
            coming.append(pool.submit(row_of, job, masked=masked, n_models=n_models))
            while len(coming) > WINDOW + workers or (coming and coming[0].done()):
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
