"""What of `embed_with_ray` runs in Ray's processes: reading a part, and a worker."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dinoscope.backbones.base import Backbone
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Failure
from dinoscope.data.shot import Shot
from dinoscope.errors import DinoscopeError, InputError, StoreInUseError
from dinoscope.io.arrow import arrow
from dinoscope.io.collections.collection import each_item
from dinoscope.io.pixel_range import read_range, use_range
from dinoscope.pipeline.embed import in_shard, new_row
from dinoscope.pipeline.extract import extracted
from dinoscope.pipeline.photographs import reason_of
from dinoscope.pipeline.run import Run
from dinoscope.store.lance import batches, exists
from dinoscope.store.schema import TableSettings
from dinoscope.store.writer import TableWriter, open_writer

RETRIED = (MemoryError, OSError, torch.OutOfMemoryError)
"""Errors after which a batch is tried again: they may pass."""

BATCH_BYTES = 256 * 2**20
"""Decoded photographs on their way to a worker together are not many more than this."""

FREE_WITHIN_S = 30.0
"""How long a writer's place is waited for after its process has ended."""

_KNOWN, _READ = "known", "read"


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker must know beside the backbone.

    Attributes:
        store_path: absolute.
        settings: of the table.
        run: how photographs become features.
        places: how many workers write at the same time, each under the name of its place.
        compiled: through ``torch.compile``.
    """

    store_path: str
    settings: TableSettings
    run: Run
    places: int
    compiled: bool = False


@dataclass(slots=True)
class _Seat:
    """The open writer of a worker, and what closes it."""

    writer: TableWriter
    stack: ExitStack = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a worker did not embed a batch, in words: Ray brings no exception's causes back.

    Attributes:
        words: of the error.
        is_system: the system's rather than one of ours: it may pass, and the batch is tried again.
    """

    words: str
    is_system: bool


class Worker:
    """Photographs in, rows committed, one line each out.

    Args:
        backbone: computes; moved to the device.
        work: what else there is to know.
        device: where the backbone computes.
    """

    def __init__(self, backbone: Backbone, work: Work, *, device: str) -> None:
        self._backbone = backbone.to(device)
        self._work = work
        self._seat: _Seat | None = None

    def embed(self, batch: Any) -> Any:
        """An Arrow table of sources and reasons, or a `Refusal`: then nothing is claimed any more."""
        try:
            return self._embedded(batch)
        except Exception as error:
            self._leave(error)  # claimed and not committed: a fresh writer claims them again
            if isinstance(error, (DinoscopeError, *RETRIED)):
                return Refusal(str(error), is_system=not isinstance(error, DinoscopeError))
            raise

    def _embedded(self, batch: Any) -> Any:
        if self._seat is None:
            self._seat = _take_seat(self._work)
        writer = self._seat.writer
        rows = batch.to_pylist()
        reasons: dict[str, str] = {}
        waiting: dict[str, tuple[str, str, Shot]] = {}
        photographs: list[Photograph] = []

        def fail(failure: Failure) -> None:
            writer.fail(failure)
            reasons[failure.source] = failure.reason

        for row in rows:
            if row["kind"] == _KNOWN:
                writer.knows(row["source"], row["stamp"])
            elif row["reason"]:
                fail(Failure(row["source"], row["reason"]))
            elif not writer.claim(row["digest"]):
                writer.mend(row["source"])
            else:
                photographs.append(_photograph(row))
                waiting[row["digest"]] = row["source"], row["stamp"], photographs[-1].shot
        settings = self._work.settings
        compiled = self._work.compiled
        for f in extracted(photographs, self._backbone, self._work.run, compiled=compiled, on_failure=fail):
            source, stamp, shot = waiting[f.provenance.image_digest]
            keep = settings.dense is not None
            try:
                writer.add(new_row(f, source=source, stamp=stamp, keep_values=keep, shot=shot))
            except InputError as error:
                fail(Failure(source, str(error)))
        writer.commit()
        sources = [row["source"] for row in rows]
        return arrow().table({"source": sources, "reason": [reasons.get(s, "") for s in sources]})

    def _leave(self, error: Exception) -> None:
        if self._seat is not None:
            seat, self._seat = self._seat, None
            seat.stack.__exit__(type(error), error, error.__traceback__)


def _take_seat(work: Work) -> _Seat:
    """The first of the writers' places that is free; a dead worker's is free when its process has ended.

    Raises:
        StoreInUseError: none becomes free.
    """
    until = time.monotonic() + FREE_WITHIN_S
    while True:
        for i in range(work.places):
            stack = ExitStack()
            try:
                writer = stack.enter_context(
                    open_writer(work.store_path, work.settings, shard=(i, work.places), commit_rows=2**31)
                )
            except StoreInUseError:
                if i == work.places - 1 and time.monotonic() > until:
                    raise
                continue
            return _Seat(writer, stack)
        time.sleep(0.1)


def read_part(
    part: tuple[int, int], source: str, table_path: str, rows: int, pixel_range: str
) -> Iterator[Any]:
    """The i-th of n parts of the collection as Arrow tables of so many rows, or of about `BATCH_BYTES`.

    A row is a photograph, decoded unless the table has it.
    """
    use_range(read_range(pixel_range))
    lines: list[Any] = []
    for line in _lines(part, source, _pairs(Path(table_path))):
        lines.append(line)
        if len(lines) == rows or sum(one.nbytes for one in lines) >= BATCH_BYTES:
            yield arrow().concat_tables(lines)
            lines = []
    if lines:
        yield arrow().concat_tables(lines)


def _lines(part: tuple[int, int], source: str, known: frozenset[tuple[str, str]]) -> Iterator[Any]:
    for item in each_item(source):
        if not in_shard(item.key, part):
            continue
        facts: dict[str, Any] = {"source": item.source, "stamp": item.stamp}
        if item.stamp and (item.source, item.stamp) in known:
            yield _line(**facts, kind=_KNOWN)
            continue
        try:
            photograph = item.load()
        except DinoscopeError as error:
            yield _line(**facts, reason=reason_of(error))
        else:
            yield _line(**facts, photograph=photograph)


def _pairs(path: Path) -> frozenset[tuple[str, str]]:
    """Source and stamp of every row."""
    if not exists(path):
        return frozenset()
    return frozenset(
        pair
        for rows in batches(path, ["source", "stamp"])
        for pair in zip(*(column.to_pylist() for column in rows.columns), strict=True)
    )


def _line(
    *, source: str, stamp: str, kind: str = _READ, reason: str = "", photograph: Photograph | None = None
) -> Any:
    """One photograph as an Arrow table of one row."""
    pa = arrow()
    pixels = None if photograph is None else np.ascontiguousarray(photograph.pixels)
    facts = {
        "source": source,
        "stamp": stamp,
        "kind": kind,
        "reason": reason,
        "name": "" if photograph is None else photograph.name,
        "digest": "" if photograph is None else photograph.digest,
        "size": [0, 0] if photograph is None else list(photograph.size),
        "rows": 0 if pixels is None else len(pixels),
        "shot": json.dumps({} if photograph is None else asdict(photograph.shot)),
    }
    columns = {name: pa.array([value]) for name, value in facts.items()}
    columns["pixels"] = pa.array([b"" if pixels is None else pixels.tobytes()], pa.large_binary())
    return pa.table(columns)


def _photograph(row: dict[str, Any]) -> Photograph:
    width, height = row["size"]
    pixels = np.frombuffer(row["pixels"], np.uint8).reshape(row["rows"], -1, 3)
    shot = Shot(**json.loads(row["shot"]))
    return Photograph(row["name"], row["digest"], (width, height), pixels, source=row["source"], shot=shot)
