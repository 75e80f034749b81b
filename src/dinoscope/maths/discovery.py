"""Where is the object, without any label? TokenCut and LOST on one feature map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from scipy.ndimage import label

from dinoscope.errors import InputError
from dinoscope.maths.eigen import eigenvectors
from dinoscope.maths.patches import PatchMap, as_directions, as_map

Box = tuple[float, float, float, float]
"""``(left, top, right, bottom)`` in [0, 1]² of the photograph."""

TAU = 0.2
WEAK = 1e-5
SEEDS = 100
SAME = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Discovery:
    """The object that a rule found.

    Attributes:
        mask: its patches; all false where the rule has nothing to go by.
        box: around them; None where there are none.
    """

    mask: Bool[np.ndarray, "h w"]
    box: Box | None


def tokencut(features: PatchMap, *, tau: float = TAU) -> Discovery:
    """One normalised cut of the graph of patches whose cosine exceeds ``tau``.

    Edges weigh 1 above ``tau`` and 1e-5 elsewhere. The second smallest eigenvector of
    ``(D - A) y = λ D y`` is split at its mean; the object is the side of the entry of largest magnitude,
    of it the 4-connected component that holds that entry.
    Source: TokenCut (arXiv 2202.11539), eqs. 2-5; DINOv3 sweeps ``tau`` from 0 to 0.4 (section 6.1).

    Returns:
        Nothing found where all edges weigh the same (a constant map; one patch).

    Cost: O(n³) time, O(n²) memory.

    Raises:
        InputError: NaN or infinite values.
    """
    x = as_directions(features)
    h, w, dim = x.shape
    flat = x.reshape(-1, dim)
    strong = flat @ flat.T > tau
    if strong.all() or not (strong & ~np.eye(h * w, dtype=bool)).any():
        return _found(np.zeros((h, w), bool))
    weights = np.where(strong | strong.T, 1.0, WEAK)
    degree = weights.sum(axis=1)
    root = 1.0 / np.sqrt(degree)
    # Symmetric form: y = D^(-1/2) v with v the second largest eigenvector of D^(-1/2) A D^(-1/2).
    n = h * w
    _, vectors = eigenvectors(weights * root[:, None] * root[None, :], n - 2, n - 2)
    y = vectors[:, 0] * root
    # Magnitudes that differ by rounding only are equal: the first patch of them is the seed.
    seed = int(np.flatnonzero(np.abs(y) >= np.abs(y).max() * (1 - SAME))[0])
    side = (y > y.mean()) if y[seed] > y.mean() else (y <= y.mean())
    return _found(_component(side.reshape(h, w), seed))


def lost(features: PatchMap, *, k: int = SEEDS) -> Discovery:
    """The patch with the fewest positive products is an object's; it is grown by patches like it.

    The ``k`` patches of lowest degree that correlate positively with the seed are its company; a patch
    belongs to the object where its products with them sum to more than 0, in the 4-connected component
    of the seed. Source: LOST (arXiv 2109.14279, section 3), which uses the last layer's keys. Final
    features often have no negative products at all, so the mean patch is taken away first: what is common
    to all patches then changes nothing. Where all degrees are equal, nothing is found.

    Cost: O(n²·dim) time, O(n²) memory.

    Raises:
        InputError: ``k`` below 1, NaN or infinite values.
    """
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")
    values = as_map(features)
    h, w, dim = values.shape
    flat = values.reshape(-1, dim)
    flat = flat - flat.mean(axis=0)
    products = flat @ flat.T
    degree = (products > 0).sum(axis=1)
    if (degree == degree[0]).all():
        return _found(np.zeros((h, w), bool))
    order = np.argsort(degree, kind="stable")
    seed = int(order[0])
    lowest = order[:k]
    company = lowest[products[seed, lowest] > 0]
    inside = (products[company].sum(axis=0) > 0).reshape(h, w)
    return _found(_component(inside, seed))


def box_iou(first: Box, second: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]; NaN where neither has an area."""
    across = max(0.0, min(first[2], second[2]) - max(first[0], second[0]))
    down = max(0.0, min(first[3], second[3]) - max(first[1], second[1]))
    union = _area(first) + _area(second) - across * down
    return across * down / union if union > 0 else float("nan")


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _component(side: Bool[np.ndarray, "h w"], seed: int) -> Bool[np.ndarray, "h w"]:
    components, _ = label(side)
    mine = components.ravel()[seed]
    return np.asarray((components == mine) & side) if mine else np.zeros_like(side)


def _found(mask: Bool[np.ndarray, "h w"]) -> Discovery:
    rows, cols = np.nonzero(mask)
    if not len(rows):
        return Discovery(mask, None)
    h, w = mask.shape
    return Discovery(
        mask,
        (
            float(cols.min() / w),
            float(rows.min() / h),
            float((cols.max() + 1) / w),
            float((rows.max() + 1) / h),
        ),
    )
