"""Does the first principal component of a map separate foreground from background?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from dinoscope.errors import GridMismatchError, ShapeError
from dinoscope.maths.auc import DIGITS
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
    scores = np.round(_leading_scores(flat / np.abs(flat).max()), DIGITS)
    shifts = np.random.default_rng(seed).permutation(h * w - 1)[:SHIFTS] + 1
    areas = _areas(scores, inside, counted, np.concatenate([[0], shifts]))
    areas = np.maximum(areas, 1.0 - areas)
    null = areas[1:]
    return ForegroundAuc(float(areas[0]), float(null.mean()), float(np.quantile(null, 0.95)))


def _areas(
    scores: Float64[np.ndarray, " n"],
    inside: Bool[np.ndarray, "h w"],
    counted: Bool[np.ndarray, "h w"],
    shifts: Int64[np.ndarray, " s"],
) -> Float64[np.ndarray, " s"]:
    """Areas with the mask moved by so many rows and columns (row by row, as one number); ties count half."""
    h, w = inside.shape
    down, right = np.divmod(shifts[:, None], w)
    row, col = np.divmod(np.arange(h * w), w)
    origin = (row - down) % h * w + (col - right) % w
    order = np.argsort(scores, kind="stable")
    ties = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    origin = origin[:, order]
    p, n = (
        np.add.reduceat(mask.ravel()[origin].astype(np.float64), ties, axis=1)
        for mask in (inside & counted, ~inside & counted)
    )
    won = (p * (np.cumsum(n, axis=1) - n / 2)).sum(axis=1)
    return np.asarray(won / (p.sum(axis=1) * n.sum(axis=1)))


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
