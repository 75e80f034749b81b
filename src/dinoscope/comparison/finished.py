"""Rows that are measured: in memory, or in a journal that an interrupted run goes on from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from dinoscope.backbones.base import Backbone
from dinoscope.comparison.plan import MeasuringPlan
from dinoscope.comparison.row import NUMBERS_VERSION, Row
from dinoscope.comparison.sample import Sample
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Failure
from dinoscope.errors import DinoscopeError
from dinoscope.io.journal import Journal
from dinoscope.pipeline.certificate import way_of
from dinoscope.pipeline.extract import ImageLike, failure_of, load_photograph
from dinoscope.pipeline.fast import is_autocast, runs_compiled


class FinishedRows:
    """Rows by their photographs' digests, in the order of the photographs."""

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal
        self._held: dict[str, Row] = {}
        self._order: dict[str, None] = {}

    def __contains__(self, digest: object) -> bool:
        """Whether a row is in the journal, so that it need not be measured again."""
        return self._journal is not None and digest in self._journal

    def add(self, row: Row) -> None:
        """One more; a killed process does not lose it where there is a journal."""
        self.expect(row.digest)
        if self._journal is None:
            self._held[row.digest] = row
        else:
            self._journal.add(row.digest, row.as_json())

    def expect(self, digest: str) -> bool:
        """Set a photograph's place, unless it has one already; whether it had none."""
        is_new = digest not in self._order
        self._order[digest] = None
        return is_new

    def in_order(self) -> Iterator[Row]:
        """Those of photographs that were seen, each once."""
        for digest in self._order:
            if self._journal is not None and digest in self:
                yield self._journal.read(digest, Row.from_json)
            elif digest in self._held:
                yield self._held.pop(digest)

    @property
    def sampled(self) -> frozenset[str]:
        """Photographs whose features are needed though their rows are there: the sample's."""
        return frozenset(sorted(self._journal or ())[: Sample().kept])


class Queue:
    """Photographs in the order given, without those whose rows and features are both there."""

    def __init__(
        self, images: Iterable[ImageLike], rows: FinishedRows, failed: Callable[[Failure], None]
    ) -> None:
        self._images = images
        self._rows = rows
        self._failed = failed
        self.skipped = 0
        self.done = 0

    def wanted(self) -> Iterator[Photograph]:
        """Photographs whose features are needed."""
        needed = self._rows.sampled
        for image in self._images:
            self.done += 1
            try:
                photograph = load_photograph(image)
            except DinoscopeError as error:
                self._failed(failure_of(image, error))
                self.skipped += 1
                continue
            is_new = self._rows.expect(photograph.digest)
            if photograph.digest not in self._rows or photograph.digest in needed:
                yield photograph
                continue
            self.skipped += 1
            if not is_new:
                self._failed(Failure(photograph.source, "the same photograph as one before; used once"))


def open_journal(path: str | Path, plan: MeasuringPlan) -> Journal:
    """The journal of a plan.

    Raises:
        InputError: a journal of other settings, or a file that is none.
    """
    run = plan.run
    return Journal(
        path,
        {
            "numbers": NUMBERS_VERSION,
            "models": [
                [label, model.origin.digest, layer, str(model.dtype), *_otherwise(model)]
                for label, model, layer in zip(plan.labels, plan.models, plan.layers, strict=True)
            ],
            "controls": list(plan.controls.labels if plan.controls else ()),
            "grid": run.grid,
            "resize": run.resize,
            "masks": [[m.name, m.kind.name, m.digest] for m in plan.masks],
            "passes": plan.passes,
            "seed": run.seed,
        },
    )


def _otherwise(model: Backbone) -> list[str]:
    """How a model computes, where its weights and its dtype do not say it all."""
    ways = [way_of(model)] if is_autocast(model) or runs_compiled(model) else []
    return [*ways, model.origin.register] if model.origin.register else ways
