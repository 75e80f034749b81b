"""What one photograph's features say, in numbers: every metric that needs no further forward pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int

from dinoscope.data.annotation import Annotation
from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import PatchGrid
from dinoscope.data.photograph import Photograph
from dinoscope.io.images import PREVIEW_PX, preview
from dinoscope.maths.discovery import Box
from dinoscope.maths.masks import UNKNOWN, patch_labels
from dinoscope.maths.patches import PatchMap, PreparedMap, prepared
from dinoscope.metrics.facts import CurveOf, Metric
from dinoscope.metrics.registry import AXES, CURVES, METRICS, PHOTOGRAPH
from dinoscope.metrics.subject import Regions, Seen, Subject

ON_AXES = frozenset(key for keys in AXES.values() for key in keys)


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """What one model's features of one photograph say.

    Attributes:
        values: by the keys of `dinoscope.metrics.registry.METRICS`; NaN where undefined.
        curves: by the keys of `dinoscope.metrics.registry.CURVES`.
    """

    values: dict[str, float]
    curves: dict[str, Float64[np.ndarray, " points"]]


@dataclass(frozen=True, slots=True, eq=False)
class Same:
    """Numbers of the same patches and class token: what they did not look at need not be measured again.

    Attributes:
        numbers: of these patches.
        but: what was not the same, of `dinoscope.metrics.facts.SIGHTS`.
    """

    numbers: Numbers
    but: frozenset[str]

    def holds(self, *measures: Metric | CurveOf) -> bool:
        """Whether the numbers of all of these are known."""
        return not any(measure.looks_at & self.but for measure in measures)


def seen_on(
    grid: PatchGrid,
    photograph: Photograph,
    *,
    annotation: Annotation | None = None,
    before: Seen | None = None,
) -> Seen:
    """A photograph, and its masks, as patches of a grid.

    Args:
        before: the photograph on that grid, where it was looked at before.
    """
    pixels = preview(photograph, longest_px=PREVIEW_PX).pixels if before is None else before.pixels
    regions = None
    if annotation is not None:
        labels = patch_labels(annotation.regions, grid)
        regions = Regions(
            labels,
            labels if annotation.kind.has_background else None,
            _object_boxes(annotation.regions) if annotation.kind.has_objects else (),
        )
    return Seen(grid.shape, pixels, regions, before)


def numbers_of(
    features: PatchFeatures,
    seen: Seen,
    *,
    reference: PatchMap | None = None,
    known: PreparedMap | None = None,
    same: Same | None = None,
    masked: bool = False,
) -> Numbers:
    """Every per-photograph metric of one model's features.

    Args:
        features: on any grid.
        seen: what they are features of, on that grid.
        reference: the first model's features on the same grid; None for the first model itself.
        known: the features prepared, where they are.
        same: their numbers elsewhere, where these are known.
        masked: whether masks were asked for: without regions their metrics are then NaN.
    """
    subject = Subject(known or prepared(features), seen, features.cls, reference)
    values = _measured(subject, lambda metric: metric.reported, same, masked=masked)
    return Numbers(
        {key: values[key] for key in METRICS if key in values},
        {
            key: same.numbers.curves[key] if same and same.holds(curve) else curve.measure(subject)
            for key, curve in CURVES.items()
        },
    )


def axes_of(features: PatchMap, seen: Seen, *, masked: bool) -> dict[str, float]:
    """The metrics of the plane alone; see `numbers_of`. Areas are read off cosines in float32."""
    subject = Subject(prepared(features, rough=True), seen)
    return _measured(subject, lambda metric: metric.key in ON_AXES, masked=masked)


def _measured(
    subject: Subject, asked: Callable[[Metric], bool], same: Same | None = None, *, masked: bool
) -> dict[str, float]:
    values: dict[str, float] = {}
    for family in PHOTOGRAPH:
        wanted = [m for m in family.metrics if asked(m) and (masked or not m.needs_masks)]
        if wanted:
            found = same.numbers.values if same and same.holds(*wanted) else family.measure(subject)
            values |= {m.key: float(found[m.key]) for m in wanted}
    return values


def _object_boxes(regions: Int[np.ndarray, "H W"]) -> tuple[Box, ...]:
    """(left, top, right, bottom) in [0, 1]² around every region but the background and the unknown."""
    height, width = regions.shape
    boxes = []
    for label in np.unique(regions):
        if label not in (0, UNKNOWN):
            inside = regions == label
            rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
            boxes.append(
                (
                    float(cols[0] / width),
                    float(rows[0] / height),
                    float((cols[-1] + 1) / width),
                    float((rows[-1] + 1) / height),
                )
            )
    return tuple(boxes)
