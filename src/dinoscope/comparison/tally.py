"""Rows of numbers, one a photograph, on their way to `Measurements`."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float64

from dinoscope.comparison.axes import blur_checks, half_blurred_axes
from dinoscope.comparison.numbers import numbers_of, seen_on
from dinoscope.comparison.people import people_labels, people_numbers
from dinoscope.comparison.sample import Features, Sample, collection_numbers
from dinoscope.data.annotation import REGIONS, Annotation, MaskKind
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import (
    FEW_IMAGES,
    FEW_WARNING,
    FEWEST_TO_JUDGE,
    Curve,
    Measurements,
    PairedDifference,
)
from dinoscope.maths.intervals import by_chance, column_differences, column_intervals
from dinoscope.metrics.registry import CURVES, METRICS

T = TypeVar("T")

NUMBERS_VERSION = 5
"""Of what the metrics mean: rows of different versions do not mix."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One photograph's numbers by every model and control, in that order.

    Attributes:
        image, digest: of the photograph.
        values: per metric, one for each model and control; NaN where undefined.
        curves: per kind, one line for each model and control.
        people: per metric that a person's segmentation is scored by, one for each of `people_labels`.
        half_blur: the plane's metrics of the first model's features, lightly blurred; none of a single model.
    """

    image: str
    digest: str
    values: Mapping[str, Sequence[float]]
    curves: Mapping[str, Float64[np.ndarray, "columns points"]]
    people: Mapping[str, Sequence[float]] = field(default_factory=dict)
    half_blur: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """JSON values; undefined is null."""
        return {
            "image": self.image,
            "values": _numbers(self.values),
            "people": _numbers(self.people),
            "half_blur": {name: _number(value) for name, value in self.half_blur.items()},
            "curves": {
                name: [[_number(float(f"{v:.7g}")) for v in line] for line in lines]
                for name, lines in self.curves.items()
            },
        }

    @classmethod
    def from_json(cls, row: Mapping[str, object]) -> Row:
        """The inverse of `as_json`; the row's key is the digest."""
        plain: Any = row
        return cls(
            plain["image"],
            plain["key"],
            _values(plain["values"]),
            {name: np.array(lines, dtype=np.float64) for name, lines in plain["curves"].items()},
            _values(plain["people"]),
            {name: math.nan if v is None else v for name, v in plain["half_blur"].items()},
        )


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """One further control, of some of the photographs.

    Attributes:
        label: to show.
        rows: of those photographs, by digest, with one column.
        collection: one value for each metric of a collection.
    """

    label: str
    rows: Mapping[str, Row]
    collection: Mapping[str, tuple[float, ...]]


def row_of(
    photograph: Photograph,
    features: Sequence[PatchFeatures],
    annotation: Annotation | None,
    *,
    masked: bool = False,
    n_models: int | None = None,
    extra: Sequence[Mapping[str, float]] = (),
    others: Sequence[Annotation | None] = (),
) -> Row:
    """Measure one photograph by every model and control.

    Args:
        features: on one grid; the first is the reference of what lies between models.
        annotation: its masks.
        masked: whether masks were asked for.
        n_models: how many of the features are models'; the rest are controls, which are not compared with
            the first model. None: all.
        extra: further numbers of the first columns; NaN for the rest.
        others: further people's masks.
    """
    last = len(features) if n_models is None else n_models
    seen = seen_on(features[0].grid, photograph, annotation=annotation)
    columns = [
        numbers_of(f, seen, reference=features[0] if 0 < j < last else None, masked=masked)
        for j, f in enumerate(features)
    ]
    values = {name: [column.values[name] for column in columns] for name in columns[0].values}
    for name in extra[0] if extra else ():
        values[name] = [*(numbers[name] for numbers in extra), *[math.nan] * (len(features) - len(extra))]
    return Row(
        photograph.name,
        photograph.digest,
        values,
        {name: np.array([column.curves[name] for column in columns]) for name in CURVES},
        people_numbers([annotation, *others], features[0].grid) if others else {},
        half_blurred_axes(features[0], seen, masked=masked) if last > 1 else {},
    )


@dataclass
class Tally:
    """Numbers of the photographs so far; curves as running means.

    Attributes:
        models, controls: labels of the columns of every row.
        masks: names of people's masks; the first's are scored against.
        kind: of the first's; None without masks.
        sample: of the collection.
    """

    models: tuple[str, ...]
    controls: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    kind: MaskKind | None = None
    images: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    sample: Sample = field(default_factory=Sample)
    _values: dict[str, list[Sequence[float]]] = field(default_factory=dict)
    _people: dict[str, list[Sequence[float]]] = field(default_factory=dict)
    _half_blur: dict[str, list[float]] = field(default_factory=dict)
    _sums: dict[str, np.ndarray] = field(default_factory=dict)
    _counts: dict[str, np.ndarray] = field(default_factory=dict)

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
        derive: Callable[[Features], Features] | None = None,
        other: Beside | None = None,
    ) -> Measurements:
        """Per image values, means with intervals, and paired differences to the first model.

        Args:
            seed: of what is drawn over the collection.
            derive: from a sampled photograph's features to one map for each model and control; None where
                they are those already.
            other: one more control, which comes last.
        """
        n = len(self.models)
        tables = {name: np.array(rows, dtype=np.float64) for name, rows in self._values.items()}
        tables = {name: tables[name] for name in METRICS if name in tables}
        curves = {name: self._mean_curve(name) for name in CURVES if name in self._sums}
        whole = collection_numbers(self.sample, derive or _as_is, masked=self.masked, seed=seed)
        controls = self.controls
        if other is not None:
            controls = (*controls, other.label)
            tables = {name: np.column_stack([t, self._beside(name, other)]) for name, t in tables.items()}
            curves = {name: np.vstack([c, _mean_line(name, other)]) for name, c in curves.items()}
            whole = {name: (*v, *other.collection.get(name, (math.nan,))) for name, v in whole.items()}
        part = _Part(tables, curves, whole)
        beside = self._part(part.of(slice(n, None)), controls) if controls else None
        people = None
        if len(self.masks) > 1:
            tables = {name: np.array(rows, dtype=np.float64) for name, rows in self._people.items()}
            people = self._part(_Part(tables), people_labels(len(self.masks)))
            people = replace(
                people,
                masks="; ".join(f"person:{k} is {name}" for k, name in enumerate(self.masks[1:], 2)),
            )
        half = {name: np.array(rows, dtype=np.float64) for name, rows in self._half_blur.items()}
        found = self._part(part.of(slice(0, n)), self.models)
        checks = blur_checks(half, found.values) if half else None
        return replace(found, controls=beside, people=people, checks=checks)

    def _part(self, part: _Part, labels: tuple[str, ...]) -> Measurements:
        undefined = {} if self.kind is None else reasons(self.kind, self.sample.n_classes())
        differences = _by_metric(
            {name: table[:, 1:] - table[:, :1] for name, table in part.values.items()}, column_differences
        )
        warnings = _warnings(len(self.images), part.values, differences, len(self.sample.rows), undefined)
        return Measurements(
            images=tuple(self.images),
            digests=tuple(self.digests),
            models=labels,
            values=part.values,
            summaries=_by_metric(part.values, column_intervals),
            differences=differences,
            warnings=tuple(warnings),
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
    of_columns: Callable[[Float64[np.ndarray, "images columns"]], Sequence[T]],
) -> dict[str, tuple[T, ...]]:
    """What a function of one wide table says of each metric's part of it: once is enough."""
    wide = iter(of_columns(np.concatenate(list(tables.values()), axis=1)) if tables else ())
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


def reasons(kind: MaskKind, n_classes: int) -> dict[str, str]:
    """Why metrics have no meaning with masks of a kind, by their keys."""
    told = {}
    if not kind.has_objects:
        told["objects"] = f"the masks are {kind.name}, and this needs masks of single objects"
    if not kind.has_background:
        zero = "the masks are regions" if kind.name == REGIONS else "no label is 0"
        told["background"] = f"{zero}, and this needs a background"
    if kind.name == REGIONS:
        told["classes"] = "the masks are regions, whose numbers mean something else in each photograph"
    elif not kind.has_classes:
        told["classes"] = "the masks are instances without class maps: which are alike is not known"
    elif n_classes < 2:
        told["classes"] = f"the masks hold {'a single class' if n_classes else 'no class'}"
    return {key: told[metric.needs] for key, metric in METRICS.items() if metric.needs in told}


def _as_is(features: Features) -> Features:
    return features


def _warnings(
    n_images: int,
    values: Mapping[str, np.ndarray],
    differences: Mapping[str, tuple[PairedDifference, ...]],
    n_sampled: int,
    told: Collection[str],
) -> list[str]:
    warnings = []
    if n_images == 1:
        warnings.append("one photograph: no interval can be given")
    elif n_images < FEW_IMAGES:
        warnings.append(f"{n_images} photographs: {FEW_WARNING}")
        if n_images < FEWEST_TO_JUDGE:
            warnings.append(f"fewer than {FEWEST_TO_JUDGE} photographs: no direction is named")
    shown = [d for of_metric in differences.values() for d in of_metric if math.isfinite(d.interval.low)]
    if chance := by_chance(len(shown)):
        warnings.append(chance)
    warnings.append(
        "neighbour cosine alone rewards blurred and collapsed maps and grows with a finer grid: read it "
        "with random-pair cosine and locality"
    )
    if n_sampled < n_images:
        warnings.append(
            f"numbers over the collection are of {n_sampled} of the {n_images} photographs, chosen by digest"
        )
    undefined = [name for name, table in values.items() if np.isnan(table).all() and name not in told]
    titles = [METRICS[name].title for name in undefined if not METRICS[name].reference]
    if titles:
        warnings.append(f"undefined for every photograph: {', '.join(titles)}")
    return warnings


def _numbers(values: Mapping[str, Sequence[float]]) -> dict[str, list[float | None]]:
    return {name: [_number(v) for v in line] for name, line in values.items()}


def _values(numbers: Mapping[str, Sequence[float | None]]) -> dict[str, list[float]]:
    return {name: [math.nan if v is None else v for v in line] for name, line in numbers.items()}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
