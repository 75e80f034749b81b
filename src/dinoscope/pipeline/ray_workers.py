"""Ray's workers: given batches as they are read, replaced where they die, ended with the run."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dinoscope.errors import DinoscopeError, InputError
from dinoscope.io.pixel_range import current_range
from dinoscope.pipeline.ray_stages import Refusal, Work, Worker, read_part

READ_AHEAD = 2
"""Batches that wait for each worker, and that each reading task may have waiting."""


@dataclass(frozen=True, slots=True)
class RayOptions:
    """How the work is spread.

    Attributes:
        workers: processes that keep the backbone.
        gpus_per_worker: each takes, or a fraction of one; 0 computes on processors.
        cpus_per_worker: reserved for each; on processors also its threads.
        cpus_per_reader: reserved for each reading task; their number follows from what is free.
        commit_rows: photographs in one commit; what is computed again when a worker dies.
        parts: of the collection, each listed and read by one task; None for eight for each worker.
        max_restarts: deaths and errors of workers, all together, after which the run is given up.
        address: of a Ray cluster; None for ``$RAY_ADDRESS``, or else for Ray on this machine alone.
    """

    workers: int = 2
    gpus_per_worker: float = 0.0
    cpus_per_worker: float = 1.0
    cpus_per_reader: float = 0.5
    commit_rows: int = 32
    parts: int | None = None
    max_restarts: int = 8
    address: str | None = None

    def __post_init__(self) -> None:
        if self.workers < 1 or (self.parts is not None and self.parts < 1) or self.max_restarts < 0:
            raise InputError("Ray needs at least 1 worker and 1 part, and max_restarts of 0 or more")
        if self.commit_rows < 1:
            raise InputError(f"commit_rows must be at least 1, got {self.commit_rows}")
        if self.gpus_per_worker < 0 or self.cpus_per_worker <= 0 or self.cpus_per_reader <= 0:
            raise InputError("Ray needs processors for its workers and readers, and no negative GPUs")

    @property
    def n_parts(self) -> int:
        """Parts of the collection."""
        return self.parts if self.parts is not None else 8 * self.workers

    @property
    def cpus(self) -> float:
        """Processors without which nothing moves: all workers and one reader."""
        return self.workers * self.cpus_per_worker + self.cpus_per_reader


class Workers:
    """Ray's actors, each with its batch; one that has died is replaced, and its batch done again.

    Ray itself restarts none of them. What they are made with is held here, as long as there are any.
    """

    def __init__(self, ray: Any, backbone: Any, work: Work, options: RayOptions) -> None:
        self._ray = ray
        self._made_with = (backbone, work)
        self._options = options
        self._starts = 0
        self._idle = [self._start("") for _ in range(options.workers)]
        self._busy: dict[Any, tuple[Any, Any]] = {}

    def answers(self, source: str, table_path: str, rows: int) -> Iterator[Any]:
        """The workers' tables, as batches of so many rows of a collection are done.

        Raises:
            DinoscopeError, OSError: a worker's error, in its words, or too many deaths.
        """
        ray, n = self._ray, self._options.n_parts
        wanted = current_range().words
        most = READ_AHEAD * self._options.workers
        # Ray looks for a yield in the very function, and not in one that a wrapper calls.
        task = ray.remote(lambda *words: (yield from read_part(*words))).options(
            num_cpus=self._options.cpus_per_reader,
            num_returns="streaming",
            _generator_backpressure_num_objects=READ_AHEAD,
        )
        parts = deque(range(n))
        readers: list[Any] = []
        batches: deque[Any] = deque()
        n_readers = self._n_readers()
        while parts or readers or batches or self._busy:
            while parts and len(readers) < n_readers:
                readers.append(task.remote((parts.popleft(), n), source, table_path, rows, wanted))
            while batches and self._idle:
                worker, batch = self._idle.pop(), batches.popleft()
                self._busy[worker.embed.remote(batch)] = worker, batch
            waited = [*self._busy, *(readers if len(batches) < most else ())]
            (first, *_), _ = ray.wait(waited, num_returns=1, fetch_local=False)
            if first not in self._busy:
                try:
                    batches.append(next(first))
                except StopIteration:
                    readers.remove(first)
                continue
            answer = self._answer(first, batches)
            if answer is not None:
                yield answer

    def close(self) -> None:
        """End them, so that their places in the table are free; what they committed stays."""
        for worker in [*self._idle, *(worker for worker, _ in self._busy.values())]:
            self._ray.kill(worker)

    def _answer(self, done: Any, batches: deque[Any]) -> Any | None:
        """A batch's table; None where it is to be done again."""
        worker, batch = self._busy.pop(done)
        try:
            answer = self._ray.get(done)
        except self._ray.exceptions.RayActorError:
            answer = None
            worker = self._start("the workers died")
        if isinstance(answer, Refusal):
            if not answer.is_system:
                raise DinoscopeError(answer.words)
            self._count(answer.words, OSError)
            answer = None
        if answer is None:
            batches.appendleft(batch)
        self._idle.append(worker)
        return answer

    def _start(self, why: str) -> Any:
        self._count(why, DinoscopeError)
        backbone, work = self._made_with
        return (
            self._ray.remote(Worker)
            .options(
                num_cpus=self._options.cpus_per_worker,
                num_gpus=self._options.gpus_per_worker,
                max_restarts=0,
            )
            .remote(backbone, work, device="cuda" if self._options.gpus_per_worker else "cpu")
        )

    def _count(self, why: str, kind: type[Exception]) -> None:
        """One more beginning: at first, after a death, after an error."""
        limit = self._options.workers + self._options.max_restarts
        if self._starts == limit:
            raise kind(
                f"{why} (given up after {limit} starts of workers). What is committed stays, and the same "
                "command goes on from there; smaller batches need less memory"
            )
        self._starts += 1

    def _n_readers(self) -> int:
        free = self._ray.cluster_resources().get("CPU", 0.0)
        free -= self._options.workers * self._options.cpus_per_worker
        return max(1, int(free / self._options.cpus_per_reader))
