"""One table: a row a metric, a column a model, all of them on one axis, and the paired differences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dinoscope.comparison import words
from dinoscope.comparison.columns import Column, columns_of, grouped
from dinoscope.comparison.mask_words import masks_told, others_told
from dinoscope.comparison.tables.paper import notes_of, sentences
from dinoscope.data.results import Comparison
from dinoscope.drawing import verdicts
from dinoscope.drawing.pages import Section, fill
from dinoscope.metrics.facts import Metric


class Row(NamedTuple):
    """One metric.

    Attributes:
        metric: its facts.
        models, beside: those that were asked for, and the controls and people that have it.
        limits: of the axis: round numbers around all that is drawn on it.
        notes: what must be read beside it.
        counts: of photographs, as far as they differ between models; those that it is defined for.
    """

    metric: Metric
    models: tuple[Column, ...]
    beside: tuple[Column, ...]
    limits: tuple[float, float]
    notes: tuple[str, ...]
    counts: list[int]

    def at(self, value: float) -> str:
        """Where a value stands on the axis."""
        low, high = self.limits
        return f"{100 * min(max((value - low) / (high - low), 0), 1):.2f}%"


def sections(comparison: Comparison) -> Iterator[Section]:
    """Every metric that was measured, by group."""
    measured = comparison.measurements
    columns = columns_of(comparison)
    told = sentences((*measured.warnings, *masks_told(measured), *others_told(measured)))
    body = fill(
        "comparison/report/sections/numbers.html",
        models=[c for c in columns if not c.beside],
        groups={
            group: [_row(metric, columns, measured.undefined.get(metric.key, "")) for metric in metrics]
            for group, metrics in grouped(measured).items()
        },
        n=len(measured.images),
        told=told,
        words=words,
        verdicts=verdicts,
        isfinite=math.isfinite,
        singles=singles,
    )
    yield Section("numbers", "Numbers", body, 10, folded=True)


def _row(metric: Metric, columns: Sequence[Column], undefined: str) -> Row:
    has = [c for c in columns if not c.beside or c.has(metric.key)]
    models, beside = (tuple(c for c in has if c.beside is there) for there in (False, True))
    intervals = [c.interval(metric.key) for c in has]
    shown = [i.mean for i in intervals] + [v for i in intervals[: len(models)] for v in (i.low, i.high)]
    shown += [v for c in models for v in singles(c, metric.key)]
    counts = [] if metric.collection else list(dict.fromkeys(i.n for i in intervals[: len(models)]))
    return Row(metric, models, beside, axis_limits(shown), notes_of(metric, undefined), counts)


def singles(column: Column, metric: str) -> list[float]:
    """A metric's values of the single photographs, where it is defined."""
    values = column.measured.values.get(metric)
    return [] if values is None else [v for v in values[:, column.index].tolist() if math.isfinite(v)]


def axis_limits(values: Sequence[float]) -> tuple[float, float]:
    """Round numbers around all that are finite; 0 and 1 where none is."""
    known = [v for v in values if math.isfinite(v)]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    step = 10.0 ** math.floor(math.log10(max(high - low, 1e-3)))
    first, last = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return round(first, 6), round(max(last, first + step), 6)
