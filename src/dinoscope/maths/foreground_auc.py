"""Does the first principal component of a map separate foreground from background?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from scipy.stats import rankdata

from dinoscope.errors import GridMismatchError, InputError, ShapeError
from dinoscope.maths.auc import DIGITS
from dinoscope.maths.eigen import eigenvectors
from dinoscope.maths.patches import PatchMap, as_map, centred

SHUFFLES = 200


@dataclass(frozen=True, slots=True)
class ForegroundAuc:
    """How well the first principal component separates foreground from background.

    Attributes:
        auc: max(AUC, 1 - AUC): above 0.5 by construction, so read it beside ``null``.
        null: mean of the same over shuffled masks.
        null_high: its 95% quantile.
    """

    auc: float
    null: float
    null_high: float


def foreground_auc(
    features: PatchMap, foreground: Bool[np.ndarray, "h w"], *, shuffles: int = SHUFFLES, seed: int = 0
) -> ForegroundAuc:
    """Does the first principal component of one map separate foreground from background?

    Source: DINOv2 (arXiv 2304.07193, section 7.5) thresholds that component; the area needs no threshold.

    Returns:
        NaN throughout for a constant map, or a mask that is all one.

    Raises:
        GridMismatchError: a mask on another grid.
        InputError: NaN or infinite values, or ``shuffles`` below 1.
    """
    if shuffles < 1:
        raise InputError(f"shuffles must be at least 1, got {shuffles}")
    values = as_map(features)
    h, w, dim = values.shape
    mask = np.asarray(foreground)
    if mask.ndim != 2:
        raise ShapeError("foreground", expected="h w", actual=mask.shape)
    if mask.shape != (h, w):
        raise GridMismatchError((h, w), (mask.shape[0], mask.shape[1]), "give the mask on the features' grid")
    flat = centred(values.reshape(-1, dim))
    inside = mask.ravel().astype(bool)
    p, n = int(inside.sum()), int((~inside).sum())
    if p == 0 or n == 0 or not flat.any():
        return ForegroundAuc(float("nan"), float("nan"), float("nan"))
    ranks = rankdata(np.round(_leading_scores(flat / np.abs(flat).max()), DIGITS))

    def area(chosen: Bool[np.ndarray, " n"]) -> float:
        one = (ranks[chosen].sum() - p * (p + 1) / 2) / (p * n)
        return float(max(one, 1.0 - one))

    rng = np.random.default_rng(seed)
    null = np.array([area(rng.permutation(inside)) for _ in range(shuffles)])
    return ForegroundAuc(area(inside), float(null.mean()), float(np.quantile(null, 0.95)))


def _leading_scores(rows: Float64[np.ndarray, "n dim"]) -> Float64[np.ndarray, " n"]:
    """Projections of centred rows on their first principal direction, in either sign."""
    product = rows.T @ rows if len(rows) >= rows.shape[1] else rows @ rows.T
    last = len(product) - 1
    values, vectors = eigenvectors(product, last, last)
    if len(rows) >= rows.shape[1]:
        return np.asarray(rows @ vectors[:, 0])
    return np.asarray(vectors[:, 0] * np.sqrt(max(values[0], 0.0)))
