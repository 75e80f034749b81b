"""Rows of numbers, one a photograph, on their way to `Measurements`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from jaxtyping import Float64

from dinoscope.comparison.axes import blur_checks
from dinoscope.comparison.cautions import reasons, warnings_of
from dinoscope.comparison.people import people_labels
from dinoscope.comparison.plan import MeasuringPlan
from dinoscope.comparison.row import Row
from dinoscope.comparison.sample import Features, Sample, collection_numbers
from dinoscope.data.annotation import MaskKind
from dinoscope.data.results import Curve, Measurements
from dinoscope.maths.intervals import Bounds, column_differences, column_intervals
from dinoscope.metrics.registry import CURVES, METRICS, range_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """One further control, of some of the photographs.

    Attributes:
        label: to show.
        rows: of those photographs, by digest, with one column.
        collection: one value for each metric of a collection; where there is none, and there are rows, it is
            the first model's.
    """

    label: str
    rows: Mapping[str, Row]
    collection: Mapping[str, tuple[float, ...]]


@dataclass
class Collected:
    """The rows so far; curves as running means.

    Attributes:
        models, controls: labels of the columns of every row.
        masks: names of people's masks; the first's are scored against.
        kind: of the first's; None without masks.
        sample: of the collection.
        is_control: which of the models are no trained ones; empty for none.
    """

    models: tuple[str, ...]
    controls: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    kind: MaskKind | None = None
    images: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    sample: Sample = field(default_factory=Sample)
    is_control: tuple[bool, ...] = ()
    _values: dict[str, list[Sequence[float]]] = field(default_factory=dict)
    _people: dict[str, list[Sequence[float]]] = field(default_factory=dict)
    _half_blur: dict[str, list[float]] = field(default_factory=dict)
    _sums: dict[str, np.ndarray] = field(default_factory=dict)
    _counts: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: MeasuringPlan) -> Collected:
        """None of a plan's rows yet."""
        return cls(
            plan.labels,
            plan.controls.labels if plan.controls else (),
            tuple(one.name for one in plan.masks),
            plan.masks[0].kind if plan.masks else None,
            is_control=tuple(model.spec.control for model in plan.models),
        )

    @property
    def masked(self) -> bool:
        """Whether masks were asked for."""
        return self.kind is not None

    def add(self, row: Row) -> None:
        """Count one photograph."""
        self.images.append(row.image)
        self.digests.append(row.digest)
        for name, values in row.values.items():
            self._values.setdefault(name, []).append(values)
        for name, values in row.people.items():
            self._people.setdefault(name, []).append(values)
        for name, value in row.half_blur.items():
            self._half_blur.setdefault(name, []).append(value)
        for name, lines in row.curves.items():
            known = ~np.isnan(lines)
            self._sums[name] = self._sums.get(name, 0) + np.where(known, lines, 0.0)
            self._counts[name] = self._counts.get(name, 0) + known

    def measurements(
        self,
        *,
        seed: int,
        derive: Callable[[Features], Features] = lambda features: features,
        moved: Mapping[int, frozenset[str]] = MappingProxyType({}),
        other: Beside | None = None,
    ) -> Measurements:
        """Per image values, means with intervals, and paired differences to the first model.

        Args:
            seed: of what is drawn over the collection.
            derive: from a sampled photograph's features to one map for each model and control.
            moved: as of `collection_numbers`.
            other: one more control, which comes last.
        """
        n = len(self.models)
        tables = {name: np.array(rows, dtype=np.float64) for name, rows in self._values.items()}
        tables = {name: tables[name] for name in METRICS if name in tables}
        curves = {name: self._mean_curve(name) for name in CURVES if name in self._sums}
        whole = collection_numbers(self.sample, derive, moved=moved, masked=self.masked, seed=seed)
        controls = self.controls
        if other is not None:
            controls = (*controls, other.label)
            tables = {name: np.column_stack([t, self._beside(name, other)]) for name, t in tables.items()}
            curves = {name: np.vstack([c, _mean_line(name, other)]) for name, c in curves.items()}
            whole = {
                name: (*v, *other.collection.get(name, v[:1] if other.rows else (math.nan,)))
                for name, v in whole.items()
            }
        part = _Part(tables, curves, whole)
        beside = None
        if controls:
            beside = replace(
                self._part(part.of(slice(n, None)), controls),
                is_control=(True,) * len(controls),
                borrowed="" if other is None else other.label,
            )
        people = None
        if len(self.masks) > 1:
            tables = {name: np.array(rows, dtype=np.float64) for name, rows in self._people.items()}
            people = replace(
                self._part(_Part(tables), people_labels(len(self.masks))),
                masks="; ".join(f"person:{k} is {name}" for k, name in enumerate(self.masks[1:], 2)),
            )
        half = {name: np.array(rows, dtype=np.float64) for name, rows in self._half_blur.items()}
        found = self._part(part.of(slice(0, n)), self.models)
        checks = blur_checks(half, found.values) if half else None
        return replace(found, controls=beside, people=people, checks=checks, is_control=self.is_control)

    def _part(self, part: _Part, labels: tuple[str, ...]) -> Measurements:
        undefined = {} if self.kind is None else reasons(self.kind, self.sample.n_classes())
        differences = _by_metric(
            {name: table[:, 1:] - table[:, :1] for name, table in part.values.items()}, column_differences
        )
        warnings = warnings_of(len(self.images), part.values, differences, len(self.sample.rows), undefined)
        return Measurements(
            images=tuple(self.images),
            digests=tuple(self.digests),
            models=labels,
            values=part.values,
            summaries=_by_metric(part.values, column_intervals),
            differences=differences,
            warnings=warnings,
            collection=part.collection,
            curves={
                name: Curve(curve.x_title, curve.y_title, curve.x, part.curves[name])
                for name, curve in CURVES.items()
                if name in part.curves
            },
            masks=self.masks[0] if self.masks else "",
            mask_kind=self.kind,
            undefined=undefined,
        )

    def _beside(self, name: str, other: Beside) -> Float64[np.ndarray, " images"]:
        rows = [other.rows.get(digest) for digest in self.digests]
        return np.array([math.nan if row is None else row.values.get(name, [math.nan])[0] for row in rows])

    def _mean_curve(self, name: str) -> Float64[np.ndarray, "columns points"]:
        sums, counts = self._sums[name], self._counts[name]
        return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def _by_metric(
    tables: Mapping[str, Float64[np.ndarray, "images columns"]],
    of_columns: Callable[[Float64[np.ndarray, "images columns"], Bounds], Sequence[T]],
) -> dict[str, tuple[T, ...]]:
    """What a function of one wide table and its bounds says of each metric's part of it: once is enough."""
    bounds = [range_of(name) for name, table in tables.items() for _ in range(table.shape[1])]
    whole = np.concatenate(list(tables.values()), axis=1) if bounds else None
    wide = iter(() if whole is None else of_columns(whole, np.array(bounds)))
    return {name: tuple(islice(wide, table.shape[1])) for name, table in tables.items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Tables, mean curves and collection numbers of some of the columns."""

    values: Mapping[str, Float64[np.ndarray, "images columns"]]
    curves: Mapping[str, Float64[np.ndarray, "columns points"]] = field(default_factory=dict)
    collection: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def of(self, columns: slice) -> _Part:
        return _Part(
            {name: table[:, columns] for name, table in self.values.items()},
            {name: lines[columns] for name, lines in self.curves.items()},
            {name: numbers[columns] for name, numbers in self.collection.items()},
        )


def _mean_line(name: str, other: Beside) -> Float64[np.ndarray, " points"]:
    """NaN where no photograph has a value."""
    lines = np.array([row.curves[name][0] for row in other.rows.values()]).reshape(-1, len(CURVES[name].x))
    known = ~np.isnan(lines)
    sums, counts = np.where(known, lines, 0.0).sum(axis=0), known.sum(axis=0)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
