"""Rows of numbers while the next photographs go through the models: several at a time, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from dinoscope.comparison.tally import Row, row_of
from dinoscope.data.annotation import Annotation
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.pipeline.together import WINDOW
from dinoscope.pipeline.workers import measuring, worker_count

LARGE_MAP_BYTES = 2**26
"""Photographs with a larger feature map are measured one at a time: metrics need several times that."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """What `row_of` is called with."""

    photograph: Photograph
    features: Sequence[PatchFeatures]
    annotation: Annotation | None
    extra: Sequence[Mapping[str, float]] = ()
    others: Sequence[Annotation | None] = ()


def rows_of(jobs: Iterator[Job], *, masked: bool, n_models: int) -> Generator[Row, None, None]:
    """Each photograph's row, in the order given.

    ``jobs`` is consumed in the caller's thread, where the models run; the metrics run in threads meanwhile.
    At most a window of photographs waits. Closing the iterator ends the threads after the row each is at.

    Args:
        masked, n_models: as for `row_of`.
    """

    def measured(job: Job) -> Row:
        return row_of(
            job.photograph,
            job.features,
            job.annotation,
            masked=masked,
            n_models=n_models,
            extra=job.extra,
            others=job.others,
        )

    workers = worker_count()
    coming: deque[Future[Row]] = deque()
    with measuring(workers) as pool:
        for job in jobs:
            if max(features.values.nbytes for features in job.features) > LARGE_MAP_BYTES:
                while coming:
                    yield coming.popleft().result()
                yield measured(job)
                continue
            coming.append(pool.submit(measured, job))
            while len(coming) > WINDOW + workers or (coming and coming[0].done()):
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
