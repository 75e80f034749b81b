"""The models and the controls of measurements, side by side: what every table and picture of them shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dinoscope.data.results import Comparison, Interval, Measurements, PairedDifference
from dinoscope.drawing.style import INK, model_colour, plain
from dinoscope.metrics.facts import GROUPS, Metric
from dinoscope.metrics.registry import METRICS


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One model or control.

    Attributes:
        label: to show.
        control: whether it is no trained model.
        measured: the measurements it belongs to.
        index: its place among their models.
        colour: of its marks.
        beside: whether it ran beside the models that were asked for.
        person: whether it is people's segmentations, which are neither models nor controls.
    """

    label: str
    control: bool
    measured: Measurements
    index: int
    colour: str
    beside: bool = False
    person: bool = False

    def has(self, metric: str) -> bool:
        """Whether a metric was measured of it."""
        return metric in self.measured.summaries or metric in self.measured.collection

    def interval(self, metric: str) -> Interval:
        """A metric's mean over photographs, or its value of the collection; of none where not measured."""
        if metric in self.measured.summaries:
            return self.measured.summaries[metric][self.index]
        value = self.measured.collection.get(metric, ())
        mean = value[self.index] if value else math.nan
        return Interval(mean, math.nan, math.nan, 0)

    def difference(self, metric: str) -> PairedDifference | None:
        """From the first model; None for itself, for what ran beside and for the collection."""
        if not self.index or self.beside or metric not in self.measured.differences:
            return None
        return self.measured.differences[metric][self.index - 1]


def columns_of(source: Measurements | Comparison) -> tuple[Column, ...]:
    """Models in their order, then the controls that ran beside, then people."""
    measured = source.measurements if isinstance(source, Comparison) else source
    shown = [
        Column(label, control, measured, j, model_colour(j, control=control))
        for j, (label, control) in enumerate(zip(measured.models, measured.is_control, strict=True))
    ]
    if measured.controls is not None:
        grey = model_colour(0, control=True)
        shown += [
            Column(label, True, measured.controls, j, grey, beside=True)
            for j, label in enumerate(measured.controls.models)
        ]
    if measured.people is not None:
        shown += [
            Column(label, False, measured.people, j, INK, beside=True, person=True)
            for j, label in enumerate(measured.people.models)
        ]
    return tuple(shown)


def reached_by(column: Column, metric: str) -> str:
    """Which controls that ran beside reach what a column has, in words; empty where none does.

    ``random:mini (0.842) reaches as much``: what they reach needs no training to explain it.
    """
    mine, beside = column.interval(metric).mean, column.measured.controls
    if beside is None or column.beside:
        return ""
    found = [
        f"{plain(label, 40)} ({beside.summaries[metric][k].mean:.3f})"
        for k, label in enumerate(beside.models)
        if metric in beside.summaries and beside.summaries[metric][k].mean >= mine
    ]
    return f"{' and '.join(found)} {'reaches' if len(found) == 1 else 'reach'} as much" if found else ""


def curve_columns(source: Measurements | Comparison, kind: str) -> tuple[Column, ...]:
    """Those of `columns_of` that have a curve of their own: with other photographs' features it is the first
    model's over again.
    """
    columns = columns_of(source)
    return tuple(c for c in columns if kind in c.measured.curves and c.label != c.measured.borrowed)


def grouped(measured: Measurements, *, without: Sequence[str] = ()) -> dict[str, tuple[Metric, ...]]:
    """The measured metrics by group, in the order they are shown; metrics nobody described come last.

    Of a single model nothing is between models.
    """
    keys = [*measured.values, *measured.collection]
    known = [metric for metric in METRICS.values() if metric.key in keys]
    known += [_undescribed(key) for key in keys if key not in METRICS]
    groups = {
        group: tuple(m for m in known if m.group == group and m.key not in without)
        for group in (*GROUPS, "other")
    }
    if len(measured.models) == 1 and measured.controls is None:
        groups["between models"] = ()
    return {group: metrics for group, metrics in groups.items() if metrics}


def _undescribed(key: str) -> Metric:
    title = key.replace("_", " ")
    return Metric(key, title, "other", 0, "")
