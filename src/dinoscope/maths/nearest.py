"""Which patch of one map is most like each patch of another?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.patches import PatchMap, as_map, unit

BLOCK_BYTES = 2**26
"""Cosines held at a time take about so many bytes."""

TIE = 1e-12
"""Cosines that differ by no more are equal: products in another order differ so much."""

BESIDE = 1
"""A runner-up lies more than so many patches from the best, in rows or columns: its neighbours see nearly the
same."""

TEMPERATURE = 0.05
"""The temperature of the soft-argmax."""


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """For each patch of one map, row by row, its nearest in another.

    Attributes:
        index: of the nearest patch, row by row; -1 where none was asked for.
        cosine: with it, in [-1, 1].
        ratio: of the distances to it and to the runner-up, in [0, 1]; 1 where they are equally near, NaN
            where there is no runner-up.
        tied: whether others are exactly as near.
        places: (x, y) in [0, 1]²: its centre, or where the soft-argmax lies.
    """

    index: Int64[np.ndarray, " n"]
    cosine: Float64[np.ndarray, " n"]
    ratio: Float64[np.ndarray, " n"]
    tied: Bool[np.ndarray, " n"]
    places: Float64[np.ndarray, "n 2"]


def nearest_patches(
    source: PatchMap,
    target: PatchMap,
    *,
    of: Bool[np.ndarray, "h w"] | None = None,
    among: Bool[np.ndarray, "h_2 w_2"] | None = None,
    refine: bool = False,
) -> Nearest:
    """The patch of largest cosine; of equal ones that whose place in its photograph is nearest to the source
    patch's place in its own, then the first.

    Source of the ratio: Lowe, Distinctive image features from scale-invariant keypoints (2004), section 7.1,
    on distances of unit vectors, the runner-up more than `BESIDE` patches away. Of the refinement: the
    expectation of the place under softmax(cosine / `TEMPERATURE`) over the 3x3 patches around the best, as
    in LoFTR (arXiv 2104.00680), section 3.4; along an axis on whose border the best lies it stays.

    Cost: O(n·m·dim), blocks of `BLOCK_BYTES` in memory.

    Args:
        source, target: maps of one model.
        of: source patches to find a match for; None for all.
        among: target patches that may be found; None for all.
        refine: places between the patches' centres.

    Raises:
        ShapeError: different channels, or masks of another shape than their maps.
        InputError: NaN or infinite values, or masks without a patch.
    """
    return _search(source, target, of, among, refine=refine)[0]


def nearest_both_ways(
    source: PatchMap,
    target: PatchMap,
    *,
    of: Bool[np.ndarray, "h w"] | None = None,
    among: Bool[np.ndarray, "h_2 w_2"] | None = None,
    refine: bool = False,
) -> tuple[Nearest, Int64[np.ndarray, " m"]]:
    """`nearest_patches`, and for each target patch the number of its nearest source patch; -1 for none.

    One product serves both ways where it fits into `BLOCK_BYTES`.
    """
    forth, back = _search(source, target, of, among, refine=refine)
    if back is None:
        back = _search(target, source, among, of, refine=False)[0].index
    return forth, back


def _search(
    source: PatchMap,
    target: PatchMap,
    of: Bool[np.ndarray, "h w"] | None,
    among: Bool[np.ndarray, "h_2 w_2"] | None,
    *,
    refine: bool,
) -> tuple[Nearest, Int64[np.ndarray, " m"] | None]:
    """The way there, and the way back where all cosines were there at once."""
    x, z = as_map(source, "source"), as_map(target, "target")
    if z.shape[2] != x.shape[2]:
        raise ShapeError("target", expected=f"h w dim={x.shape[2]}", actual=z.shape)
    asked, allowed = _inside(of, x, "source"), _inside(among, z, "target")
    keys, own, theirs = unit(z).reshape(-1, z.shape[2]), centres(x.shape[:2]), centres(z.shape[:2])
    n = len(asked)
    unknown = np.full(n, np.nan)
    found = Nearest(np.full(n, -1), unknown, unknown.copy(), np.zeros(n, bool), own * np.nan)
    rows = np.flatnonzero(asked)
    step = max(1, BLOCK_BYTES // (8 * len(keys)))
    queries = unit(x).reshape(-1, x.shape[2])
    back = np.full(len(keys), -1) if step >= len(rows) else None
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        cosines = queries[block] @ keys.T
        if back is not None:
            equal = (cosines >= cosines.max(axis=0) - TIE).T[allowed]
            back[allowed] = block[_chosen(equal, theirs[allowed], own[block])]
        cosines[:, ~allowed] = -np.inf
        highest = cosines.max(axis=1)
        equal = cosines >= highest[:, None] - TIE
        best = _chosen(equal, own[block], theirs)
        found.index[block] = best
        found.cosine[block] = np.clip(np.take_along_axis(cosines, best[:, None], axis=1)[:, 0], -1.0, 1.0)
        found.tied[block] = np.count_nonzero(equal, axis=1) > 1
        found.places[block] = _refined(cosines, best, z.shape[:2]) if refine else theirs[best]
        found.ratio[block] = _ratios(cosines, best, z.shape[1])
    return found, back


def centres(shape: tuple[int, ...]) -> Float64[np.ndarray, "n 2"]:
    """(x, y) in [0, 1]² of every patch of a grid, row by row."""
    h, w = shape[:2]
    rows, cols = np.divmod(np.arange(h * w), w)
    return np.stack([(cols + 0.5) / w, (rows + 0.5) / h], axis=1)


def thinned(
    places: Float[np.ndarray, "n 2"], strength: Float[np.ndarray, " n"], apart: float
) -> Int64[np.ndarray, " m"]:
    """Indices, ascending, of places no two of which are nearer than ``apart``: the strongest first, then the
    strongest of what is left. Of equal ones the first.
    """
    kept: list[int] = []
    for i in np.argsort(-np.asarray(strength), kind="stable"):
        if not kept or np.linalg.norm(places[kept] - places[i], axis=1).min() >= apart:
            kept.append(int(i))
    return np.array(sorted(kept), np.int64)


def _inside(
    mask: Bool[np.ndarray, "_ _"] | None, values: Float64[np.ndarray, "h w dim"], what: str
) -> Bool[np.ndarray, " n"]:
    if mask is None:
        return np.ones(values.shape[0] * values.shape[1], bool)
    if mask.shape != values.shape[:2]:
        raise ShapeError(
            f"{what} mask", expected=f"h={values.shape[0]} w={values.shape[1]}", actual=mask.shape
        )
    if not mask.any():
        raise InputError(f"the {what} mask is empty: there is no patch to match")
    return mask.ravel()


def _chosen(
    equal: Bool[np.ndarray, "q n"], own: Float64[np.ndarray, "q 2"], theirs: Float64[np.ndarray, "n 2"]
) -> Int64[np.ndarray, " q"]:
    """Among those that are equally good, the one whose place is nearest, then the first."""
    best = equal.argmax(axis=1)
    for i in np.flatnonzero(np.count_nonzero(equal, axis=1) > 1):
        tied = np.flatnonzero(equal[i])
        away = np.round(((theirs[tied] - own[i]) ** 2).sum(axis=1), 12)
        best[i] = tied[away.argmin()]
    return best


def _ratios(
    cosines: Float64[np.ndarray, "q n"], best: Int64[np.ndarray, " q"], w: int
) -> Float64[np.ndarray, " q"]:
    """Overwrites the cosines of the best and of what lies beside it."""
    highest = np.take_along_axis(cosines, best[:, None], axis=1)[:, 0]
    h = cosines.shape[1] // w
    grid = cosines.reshape(-1, h, w)
    row, col = np.divmod(best, w)
    for down in range(-BESIDE, BESIDE + 1):
        for right in range(-BESIDE, BESIDE + 1):
            r, c = row + down, col + right
            there = np.flatnonzero((r >= 0) & (r < h) & (c >= 0) & (c < w))
            grid[there, r[there], c[there]] = -np.inf
    second = cosines.max(axis=1)
    known = np.isfinite(second)
    near, far = (np.sqrt(np.maximum(2 - 2 * np.where(known, c, 0.0), 0.0)) for c in (highest, second))
    ratio = np.divide(near, far, out=np.ones(len(best)), where=far > np.sqrt(2 * TIE))
    return np.where(known, np.minimum(ratio, 1.0), np.nan)


def _refined(
    cosines: Float64[np.ndarray, "q n"], best: Int64[np.ndarray, " q"], shape: tuple[int, ...]
) -> Float64[np.ndarray, "q 2"]:
    h, w = shape[:2]
    grid = cosines.reshape(-1, h, w)
    row, col = np.divmod(best, w)
    down = np.where((row > 0) & (row < h - 1), 1, 0)
    right = np.where((col > 0) & (col < w - 1), 1, 0)
    each = np.arange(len(best))
    total, moved = np.zeros(len(best)), np.zeros((len(best), 2))
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            usable = (abs(dy) <= down) & (abs(dx) <= right)
            r, c = np.where(usable, row + dy, row), np.where(usable, col + dx, col)
            weight = usable * np.exp((grid[each, r, c] - grid[each, row, col]) / TEMPERATURE)
            total += weight
            moved += weight[:, None] * (dx, dy)
    moved /= total[:, None]
    return np.stack([(col + 0.5 + moved[:, 0]) / w, (row + 0.5 + moved[:, 1]) / h], axis=1)
