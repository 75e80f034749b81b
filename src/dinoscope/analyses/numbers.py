"""What one photograph's features say, in numbers: every metric that needs no further forward pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int

from dinoscope.data.annotation import Annotation
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.io.images import preview
from dinoscope.maths.agreement import gram_correlation, linear_cka
from dinoscope.maths.boundary import boundary_auc, coherence_auc, foreground_auc
from dinoscope.maths.discovery import Box, box_iou, lost, tokencut
from dinoscope.maths.distance import cls_patch_cosine, cosine_by_distance
from dinoscope.maths.frequency import high_frequency_share, radial_spectrum
from dinoscope.maths.gram import gram_distance
from dinoscope.maths.masks import UNKNOWN, patch_labels
from dinoscope.maths.proxies import proxy_coherence, proxy_sharpness
from dinoscope.maths.smoothness import smoothness
from dinoscope.maths.spectrum import effective_rank, spectrum_shares

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


def numbers_of(
    features: PatchFeatures,
    photograph: Photograph,
    *,
    reference: PatchFeatures | None = None,
    annotation: Annotation | None = None,
    masked: bool = False,
) -> Numbers:
    """Every per-photograph metric of one model's features.

    Args:
        features: on any grid.
        photograph: what they are features of; the proxies look at its edges and colours.
        reference: the first model's features on the same grid; None for the first model itself.
        annotation: its masks; None where there are none.
        masked: whether masks were asked for: without an annotation their metrics are then NaN.
    """
    triple = smoothness(features)
    values = {
        "neighbour": triple.neighbour,
        "random_pair": triple.random_pair,
        "locality": triple.locality,
    }
    if masked:
        values |= _masked(features, annotation)
    seen = np.array(preview(photograph, longest_px=PREVIEW_PX).pixels)
    spectrum = radial_spectrum(features)
    values |= {
        "proxy_sharpness": proxy_sharpness(features, seen).correlation,
        "proxy_coherence": proxy_coherence(features, seen).auc,
        "effective_rank": effective_rank(features),
        "effective_rank_centred": effective_rank(features, centre=True),
        "cls_patch": float("nan") if features.cls is None else cls_patch_cosine(features, features.cls),
        "high_frequency": high_frequency_share(features),
        "spectral_slope": spectrum.slope,
    }
    values |= _between(features, reference)
    return Numbers(
        values,
        {
            "distance": _distance_curve(features),
            "variance": _at(COMPONENTS, np.arange(1, len(s := spectrum_shares(features)) + 1), s),
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


def _masked(features: PatchFeatures, annotation: Annotation | None) -> dict[str, float]:
    if annotation is None:
        return dict.fromkeys(MASKED, float("nan"))
    labels = patch_labels(annotation.regions, features.grid)
    foreground = foreground_auc(features, np.asarray(labels.labels > 0))
    truths = _object_boxes(annotation.regions)
    return {
        "boundary_auc": boundary_auc(features, labels).auc,
        "boundary_auc_pure": boundary_auc(features, labels, min_purity=PURE).auc,
        "coherence_auc": coherence_auc(features, labels).auc,
        "coherence_auc_pure": coherence_auc(features, labels, min_purity=PURE).auc,
        "foreground_auc": foreground.auc,
        "foreground_auc_null": foreground.null,
        "tokencut_hit": _hit(tokencut(features).box, truths),
        "lost_hit": _hit(lost(features).box, truths),
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


def _distance_curve(features: PatchFeatures) -> Float64[np.ndarray, " points"]:
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
