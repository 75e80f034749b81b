"""Does the first principal component of a map separate foreground from background?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from dinoscope.errors import GridMismatchError, ShapeError
from dinoscope.maths.auc import DIGITS, auc
from dinoscope.maths.eigen import eigenvectors
from dinoscope.maths.patches import PatchMap, as_map, centred

SHIFTS = 200
"""Displaced masks that the null is the mean over; all there are on a smaller grid."""


@dataclass(frozen=True, slots=True)
class ForegroundAuc:
    """How well the first principal component separates foreground from background.

    Attributes:
        auc: max(AUC, 1 - AUC): above 0.5 by construction, so read it beside ``null``.
        null: mean of the same over masks of the same form in other places.
        null_high: its 95% quantile.
    """

    auc: float
    null: float
    null_high: float


def foreground_auc(
    features: PatchMap,
    foreground: Bool[np.ndarray, "h w"],
    *,
    known: Bool[np.ndarray, "h w"] | None = None,
    seed: int = 0,
) -> ForegroundAuc:
    """Does the first principal component of one map separate foreground from background?

    Source: DINOv2 (arXiv 2304.07193, section 7.5) thresholds that component; the area needs no threshold.
    The null moves the mask over the grid, round its edges, and leaves the map as it is: a smooth map that
    knows nothing of the object separates a compact mask from its surroundings, too. Source: the torus
    translation test of Harms et al. (2001); for objects in the middle of the frame it errs on the high side.

    Args:
        features: the map.
        foreground: of its patches.
        known: patches that count; None for all. The component is that of all patches.
        seed: of the choice of shifts.

    Returns:
        NaN throughout for a constant map, or a mask that is all one where it is known.

    Raises:
        GridMismatchError: a mask on another grid.
        InputError: NaN or infinite values.
    """
    values = as_map(features)
    h, w, dim = values.shape
    inside = _on_grid(foreground, h, w)
    counted = np.ones((h, w), bool) if known is None else _on_grid(known, h, w)
    flat = centred(values.reshape(-1, dim))
    if not (inside & counted).any() or not (~inside & counted).any() or not flat.any():
        return ForegroundAuc(float("nan"), float("nan"), float("nan"))
    scores = np.round(_leading_scores(flat / np.abs(flat).max()), DIGITS).reshape(h, w)

    def area(by: tuple[int, int]) -> float:
        moved, usable = (np.roll(mask, by, axis=(0, 1)) for mask in (inside, counted))
        one = auc(scores[moved & usable], scores[~moved & usable])
        return max(one, 1.0 - one)

    shifts = 1 + np.random.default_rng(seed).permutation(h * w - 1)[:SHIFTS]
    null = np.array([area(divmod(int(shift), w)) for shift in shifts])
    return ForegroundAuc(area((0, 0)), float(null.mean()), float(np.quantile(null, 0.95)))


def _on_grid(mask: Bool[np.ndarray, "..."], h: int, w: int) -> Bool[np.ndarray, "h w"]:
    mask = np.asarray(mask).astype(bool)
    if mask.ndim != 2:
        raise ShapeError("foreground", expected="h w", actual=mask.shape)
    if mask.shape != (h, w):
        raise GridMismatchError((h, w), (mask.shape[0], mask.shape[1]), "give the mask on the features' grid")
    return mask


def _leading_scores(rows: Float64[np.ndarray, "n dim"]) -> Float64[np.ndarray, " n"]:
    """Projections of centred rows on their first principal direction, in either sign."""
    product = rows.T @ rows if len(rows) >= rows.shape[1] else rows @ rows.T
    last = len(product) - 1
    values, vectors = eigenvectors(product, last, last)
    if len(rows) >= rows.shape[1]:
        return np.asarray(rows @ vectors[:, 0])
    return np.asarray(vectors[:, 0] * np.sqrt(max(values[0], 0.0)))
