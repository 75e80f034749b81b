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
from dinoscope.io.images import preview
from dinoscope.maths.agreement import gram_correlation, linear_cka
from dinoscope.maths.boundary import (
    DistantPairs,
    boundary_auc,
    coherence_of_pairs,
    distant_pairs,
    foreground_auc,
)
from dinoscope.maths.discovery import Box, box_iou, lost, tokencut
from dinoscope.maths.distance import cls_patch_cosine, cosine_by_distance
from dinoscope.maths.frequency import map_energy, rings, share_above
from dinoscope.maths.gram import gram_distance
from dinoscope.maths.masks import UNKNOWN, PatchLabels, patch_labels
from dinoscope.maths.patches import PreparedMap, as_rows, prepared
from dinoscope.maths.proxies import colour_pairs, edge_strength, sharpness_against
from dinoscope.maths.smoothness import smoothness
from dinoscope.maths.spectrum import rank_of, shares_of, singular_values_both

PREVIEW_PX = 1024
"""Longest side of the photograph as the proxies see it, and of the previews that reports show."""

PURE = 0.75
"""A pure patch has three quarters of its pixels in one label: asked for whole patches, a border would hardly
ever lie between two neighbours, and nothing would be left to measure."""

DISTANCES = np.linspace(0.025, 1.4, 56)
"""Where cosine against distance is read off, in units of the photograph's longer side."""

COMPONENTS = np.arange(1, 33)
FREQUENCIES = np.arange(1, 33)
"""Cycles per image side."""

MIN_IOU = 0.5
"""An object counts as found above this overlap of boxes (CorLoc)."""


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """Of one photograph by one model.

    Attributes:
        values: by the keys of `dinoscope.data.metrics.METRICS`; NaN where undefined.
        curves: ``distance``, ``variance`` and ``radial``, at `DISTANCES`, `COMPONENTS`, `FREQUENCIES`.
    """

    values: dict[str, float]
    curves: dict[str, Float64[np.ndarray, " points"]]


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Of one photograph's masks.

    Attributes:
        labels: of the patches.
        pairs, pure_pairs: distant ones, of all patches and of pure ones.
        boxes: around the objects.
    """

    labels: PatchLabels
    pairs: DistantPairs
    pure_pairs: DistantPairs
    boxes: list[Box]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the metrics look at beside the features: the same for every model on one grid.

    Attributes:
        edges: of the photograph, between neighbouring patches.
        colours: distant pairs of patches, by regions of like colour.
        regions: None where there are no masks.
        masked: whether masks were asked for: without regions their metrics are then NaN.
    """

    edges: Float64[np.ndarray, " neighbours"]
    colours: DistantPairs
    regions: Regions | None
    masked: bool


def seen_on(
    grid: PatchGrid, photograph: Photograph, *, annotation: Annotation | None = None, masked: bool = False
) -> Seen:
    """A photograph, and its masks, as patches of a grid."""
    pixels = np.array(preview(photograph, longest_px=PREVIEW_PX).pixels)
    regions = None
    if masked and annotation is not None:
        labels = patch_labels(annotation.regions, grid)
        regions = Regions(
            labels,
            distant_pairs(labels),
            distant_pairs(labels, min_purity=PURE),
            _object_boxes(annotation.regions),
        )
    return Seen(edge_strength(pixels, grid.shape), colour_pairs(pixels, grid.shape), regions, masked)


def numbers_of(features: PatchFeatures, seen: Seen, *, reference: PatchFeatures | None = None) -> Numbers:
    """Every per-photograph metric of one model's features.

    Args:
        features: on any grid.
        seen: what they are features of, on that grid.
        reference: the first model's features on the same grid; None for the first model itself.
    """
    known = prepared(features)
    triple = smoothness(known)
    values = {
        "neighbour": triple.neighbour,
        "random_pair": triple.random_pair,
        "locality": triple.locality,
    }
    if seen.masked:
        values |= _masked(known, seen.regions)
    energy = map_energy(known)
    spectrum = rings(energy)
    sigma, sigma_centred = singular_values_both(as_rows(known))
    values |= {
        "proxy_sharpness": sharpness_against(known, seen.edges).correlation,
        "proxy_coherence": coherence_of_pairs(known, seen.colours).auc,
        "effective_rank": rank_of(sigma),
        "effective_rank_centred": rank_of(sigma_centred),
        "cls_patch": float("nan") if features.cls is None else cls_patch_cosine(known, features.cls),
        "high_frequency": share_above(energy),
        "spectral_slope": spectrum.slope,
    }
    values |= _between(features, reference)
    shares = shares_of(sigma_centred)
    return Numbers(
        values,
        {
            "distance": _distance_curve(known),
            "variance": _at(COMPONENTS, np.arange(1, len(shares) + 1), shares),
            "radial": _at(FREQUENCIES, spectrum.frequency, spectrum.density),
        },
    )


MASKED = (
    "boundary_auc",
    "boundary_auc_pure",
    "coherence_auc",
    "coherence_auc_pure",
    "foreground_auc",
    "foreground_auc_null",
    "tokencut_hit",
    "lost_hit",
)


def _masked(features: PreparedMap, regions: Regions | None) -> dict[str, float]:
    if regions is None:
        return dict.fromkeys(MASKED, float("nan"))
    labels = regions.labels
    foreground = foreground_auc(features, np.asarray(labels.labels > 0))
    return {
        "boundary_auc": boundary_auc(features, labels).auc,
        "boundary_auc_pure": boundary_auc(features, labels, min_purity=PURE).auc,
        "coherence_auc": coherence_of_pairs(features, regions.pairs).auc,
        "coherence_auc_pure": coherence_of_pairs(features, regions.pure_pairs).auc,
        "foreground_auc": foreground.auc,
        "foreground_auc_null": foreground.null,
        "tokencut_hit": _hit(tokencut(features).box, regions.boxes),
        "lost_hit": _hit(lost(features).box, regions.boxes),
    }


def _object_boxes(regions: Int[np.ndarray, "H W"]) -> list[Box]:
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
    return boxes


def _hit(box: Box | None, truths: list[Box]) -> float:
    if not truths:
        return float("nan")
    return float(box is not None and any(box_iou(box, truth) > MIN_IOU for truth in truths))


def _between(features: PatchFeatures, reference: PatchFeatures | None) -> dict[str, float]:
    measures: dict[str, Callable[[PatchFeatures, PatchFeatures], float]] = {
        "gram_distance": gram_distance,
        "gram_correlation": gram_correlation,
        "cka": linear_cka,
    }
    if reference is None:
        return dict.fromkeys(measures, float("nan"))
    return {name: float(function(features, reference)) for name, function in measures.items()}


def _distance_curve(features: PreparedMap) -> Float64[np.ndarray, " points"]:
    curve = cosine_by_distance(features)
    return _at(DISTANCES, (curve.edges[:-1] + curve.edges[1:]) / 2, curve.cosine)


def _at(
    places: Float64[np.ndarray, " points"] | np.ndarray, x: np.ndarray, y: np.ndarray
) -> Float64[np.ndarray, " points"]:
    """A curve read off at fixed places; NaN outside of where it is defined."""
    known = ~np.isnan(y)
    if not known.any():
        return np.full(len(places), np.nan)
    return np.interp(places, x[known], y[known], left=np.nan, right=np.nan)
