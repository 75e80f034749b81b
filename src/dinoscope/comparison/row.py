"""One photograph's numbers by every model and control."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float64

from dinoscope.comparison.axes import half_blurred_axes
from dinoscope.comparison.numbers import Numbers, Same, numbers_of, seen_on
from dinoscope.comparison.people import people_numbers
from dinoscope.data.annotation import Annotation
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.maths.patches import prepared
from dinoscope.metrics.registry import CURVES
from dinoscope.metrics.subject import Seen
from dinoscope.strict_json import strict

NUMBERS_VERSION = 5
"""Version of what the metrics mean: rows of different versions do not mix."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One photograph to be measured.

    Attributes:
        photograph: or a preview of it.
        features: by every model and control, on one grid; the first is the reference of what lies between
            models.
        annotation: its masks.
        extra: further numbers of the first columns; NaN for the rest.
        others: further people's masks.
        seen: the photograph on the grid, where it was looked at before.
        same: numbers of the first features elsewhere, where these are known.
        moved: columns of the first features again, with what is changed in them, of
            `dinoscope.metrics.facts.SIGHTS`.
    """

    photograph: Photograph
    features: Sequence[PatchFeatures]
    annotation: Annotation | None = None
    extra: Sequence[Mapping[str, float]] = ()
    others: Sequence[Annotation | None] = ()
    seen: Seen | None = None
    same: Same | None = None
    moved: Mapping[int, frozenset[str]] = field(default_factory=dict)


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

    def column(self, j: int) -> Numbers:
        """The numbers of one model or control."""
        return Numbers(
            {name: values[j] for name, values in self.values.items()},
            {name: lines[j] for name, lines in self.curves.items()},
        )

    def as_json(self) -> dict[str, object]:
        """JSON values; undefined is null."""
        return {
            "image": self.image,
            "values": strict(self.values),
            "people": strict(self.people),
            "half_blur": strict(self.half_blur),
            "curves": {
                name: strict([[float(f"{v:.7g}") for v in line] for line in lines])
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


def row_of(job: Job, *, masked: bool = False, n_models: int | None = None) -> Row:
    """Measure one photograph by every model and control.

    Args:
        masked: whether masks were asked for.
        n_models: how many of the features are models'; the rest are controls, which are not compared with
            the first model. None: all.
    """
    features, grid = job.features, job.features[0].grid
    last = len(features) if n_models is None else n_models
    seen = seen_on(grid, job.photograph, annotation=job.annotation, before=job.seen)
    first = prepared(features[0])
    own = numbers_of(features[0], seen, known=first, same=job.same, masked=masked)
    columns = [own]
    for j, f in enumerate(features[1:], 1):
        reference = first if j < last else None
        same = Same(own, job.moved[j]) if j in job.moved else None
        columns.append(numbers_of(f, seen, reference=reference, same=same, masked=masked))
    values = {name: [column.values[name] for column in columns] for name in columns[0].values}
    undefined = [math.nan] * (len(features) - len(job.extra))
    for name in job.extra[0] if job.extra else ():
        values[name] = [*(numbers[name] for numbers in job.extra), *undefined]
    return Row(
        job.photograph.name,
        job.photograph.digest,
        values,
        {name: np.array([column.curves[name] for column in columns]) for name in CURVES},
        people_numbers([job.annotation, *job.others], grid) if job.others else {},
        half_blurred_axes(features[0], seen, masked=masked) if last > 1 else {},
    )


def _values(numbers: Mapping[str, Sequence[float | None]]) -> dict[str, list[float]]:
    return {name: [math.nan if v is None else v for v in line] for name, line in numbers.items()}
