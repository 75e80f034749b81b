"""Rows of numbers, one a photograph, on their way to `Measurements`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float64

from dinoscope.comparison.numbers import numbers_of, seen_on
from dinoscope.comparison.sample import Features, Sample, collection_numbers
from dinoscope.data.annotation import Annotation
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

NUMBERS_VERSION = 3
"""Of what the metrics mean: rows of different versions do not mix."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One photograph's numbers by every model and control, in that order.

    Attributes:
        image, digest: of the photograph.
        values: per metric, one for each model and control; NaN where undefined.
        curves: per kind, one line for each model and control.
    """

    image: str
    digest: str
    values: Mapping[str, Sequence[float]]
    curves: Mapping[str, Float64[np.ndarray, "columns points"]]

    def as_json(self) -> dict[str, object]:
        """JSON values; undefined is null."""
        return {
            "image": self.image,
            "values": {name: [_number(v) for v in values] for name, values in self.values.items()},
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
            {name: [math.nan if v is None else v for v in line] for name, line in plain["values"].items()},
            {name: np.array(lines, dtype=np.float64) for name, lines in plain["curves"].items()},
        )


def row_of(
    photograph: Photograph,
    features: Sequence[PatchFeatures],
    annotation: Annotation | None,
    *,
    masked: bool = False,
    n_models: int | None = None,
    extra: Sequence[Mapping[str, float]] = (),
) -> Row:
    """Measure one photograph by every model and control.

    Args:
        features: on one grid; the first is the reference of what lies between models.
        annotation: its masks.
        masked: whether masks were asked for.
        n_models: how many of the features are models'; the rest are controls, which are not compared with
            the first model. None: all.
        extra: further numbers of the first columns; NaN for the rest.
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
    )


@dataclass
class Tally:
    """Numbers of the photographs so far; curves as running means.

    Attributes:
        models, controls: labels of the columns of every row.
        masked: whether masks were asked for.
        masks: where they came from.
        sample: of the collection.
    """

    models: tuple[str, ...]
    controls: tuple[str, ...] = ()
    masked: bool = False
    masks: str = ""
    images: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    sample: Sample = field(default_factory=Sample)
    _values: dict[str, list[Sequence[float]]] = field(default_factory=dict)
    _sums: dict[str, np.ndarray] = field(default_factory=dict)
    _counts: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Count one photograph."""
        self.images.append(row.image)
        self.digests.append(row.digest)
        for name, values in row.values.items():
            self._values.setdefault(name, []).append(values)
        for name, lines in row.curves.items():
            known = ~np.isnan(lines)
            self._sums[name] = self._sums.get(name, 0) + np.where(known, lines, 0.0)
            self._counts[name] = self._counts.get(name, 0) + known

    def measurements(
        self, *, seed: int, derive: Callable[[Features], Features] | None = None
    ) -> Measurements:
        """Per image values, means with intervals, and paired differences to the first model.

        Args:
            seed: of what is drawn over the collection.
            derive: from a sampled photograph's features to one map for each model and control; None where
                they are those already.
        """
        n = len(self.models)
        tables = {name: np.array(rows, dtype=np.float64) for name, rows in self._ordered().items()}
        whole = collection_numbers(self.sample, derive or _as_is, masked=self.masked, seed=seed)
        beside = None
        if self.controls:
            beside = self._part(tables, whole, slice(n, None), self.controls, None)
        return self._part(tables, whole, slice(0, n), self.models, beside)

    def _ordered(self) -> dict[str, list[Sequence[float]]]:
        return {name: self._values[name] for name in METRICS if name in self._values}

    def _part(
        self,
        tables: Mapping[str, np.ndarray],
        whole: Mapping[str, tuple[float, ...]],
        part: slice,
        labels: tuple[str, ...],
        controls: Measurements | None,
    ) -> Measurements:
        curves = {
            name: Curve(curve.x_title, curve.y_title, curve.x, self._mean_curve(name)[part])
            for name, curve in CURVES.items()
            if name in self._sums
        }
        values = {name: table[:, part] for name, table in tables.items()}
        differences = _by_metric(
            {name: table[:, 1:] - table[:, :1] for name, table in values.items()}, column_differences
        )
        return Measurements(
            images=tuple(self.images),
            digests=tuple(self.digests),
            models=labels,
            values=values,
            summaries=_by_metric(values, column_intervals),
            differences=differences,
            warnings=tuple(_warnings(len(self.images), values, differences, len(self.sample.rows))),
            collection={name: numbers[part] for name, numbers in whole.items()},
            curves=curves,
            controls=controls,
            masks=self.masks,
        )

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


def _as_is(features: Features) -> Features:
    return features


def _warnings(
    n_images: int,
    values: Mapping[str, np.ndarray],
    differences: Mapping[str, tuple[PairedDifference, ...]],
    n_sampled: int,
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
    undefined = [name for name, table in values.items() if np.isnan(table).all()]
    told = [METRICS[name].title for name in undefined if not METRICS[name].reference]
    if told:
        warnings.append(f"undefined for every photograph: {', '.join(told)}")
    return warnings


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
