"""Without masks: do features follow the photograph's own edges and regions? Stand-ins, named so.

Edges and regions of colour are not those of objects: shadows and texture have edges, and a camouflaged
animal has none. A proxy may break a tie; it never replaces a mask.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, UInt8
from scipy.ndimage import gaussian_filter1d
from scipy.stats import rankdata

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.auc import DIGITS
from dinoscope.maths.boundary import APART, DistantPairs, distant_pairs
from dinoscope.maths.masks import PatchLabels
from dinoscope.maths.patches import PatchMap, as_directions
from dinoscope.maths.resample import area_average

LUMINANCE = (0.2126, 0.7152, 0.0722)
EDGE_SCALE = 1 / 8
"""Blur of the edge filter, in patches."""

FILTERED = 64
"""Rows of a photograph that are filtered in one matrix product."""

REGIONS = 8
PLACE_WEIGHT = 0.5
ROUNDS = 50


@dataclass(frozen=True, slots=True)
class ProxySharpness:
    """Do neighbouring patches differ where the photograph has an edge between them?

    Attributes:
        correlation: Spearman's rank correlation of 1 - cosine with edge strength over all neighbour
            pairs, in [-1, 1]; NaN where either is constant.
        n: pairs.
    """

    correlation: float
    n: int


def edge_strength(
    photograph: UInt8[np.ndarray, "H W 3"], shape: tuple[int, int]
) -> Float64[np.ndarray, " pairs"]:
    """How strong the photograph's edge between each two neighbouring patches is, pairs down first.

    How fast the photograph's luminance changes in the direction from one patch to the other (Gaussian
    derivative, blur of 1/8 patch), as a mean magnitude over the two half patches that face each other.
    Luminance is the Rec. 709 mix of the encoded values.
    Source: Canny, A computational approach to edge detection (1986), for the filter.

    Args:
        photograph: upright, in any resolution.
        shape: (h, w) of the grid.

    Raises:
        ShapeError: not ``H W 3``.
    """
    h, w = shape
    lightness = _pixels(photograph) @ np.array(LUMINANCE)
    blur = (lightness.shape[0] / h * EDGE_SCALE, lightness.shape[1] / w * EDGE_SCALE)
    down, right = (
        np.abs(_filtered(_filtered(lightness, blur[0], first).T, blur[1], second).T)
        for first, second in ((1, 0), (0, 1))
    )
    tall = area_average(down[..., None], (2 * h, w))[..., 0]
    wide = area_average(right[..., None], (h, 2 * w))[..., 0]
    return np.concatenate(
        [((tall[1:-1:2] + tall[2::2]) / 2).ravel(), ((wide[:, 1:-1:2] + wide[:, 2::2]) / 2).ravel()]
    )


def sharpness_against(features: PatchMap, strength: Float64[np.ndarray, " pairs"]) -> ProxySharpness:
    """Rank correlation of feature change with `edge_strength` on the map's grid; raises as `as_map`."""
    x = as_directions(features)
    change = 1.0 - np.concatenate(
        [
            np.einsum("hwd,hwd->hw", x[1:], x[:-1]).ravel(),
            np.einsum("hwd,hwd->hw", x[:, 1:], x[:, :-1]).ravel(),
        ]
    )
    return ProxySharpness(_spearman(np.round(change, DIGITS), np.round(strength, DIGITS)), len(change))


def colour_pairs(
    photograph: UInt8[np.ndarray, "H W 3"],
    shape: tuple[int, int],
    *,
    n_regions: int = REGIONS,
    apart: float = APART,
    seed: int = 0,
) -> DistantPairs:
    """Distant pairs of patches with regions of like colour in place of a mask; raises as `colour_regions`."""
    regions = colour_regions(photograph, shape, n_regions=n_regions, seed=seed)
    return distant_pairs(PatchLabels(regions, np.ones(shape)), apart=apart, seed=seed)


def colour_regions(
    photograph: UInt8[np.ndarray, "H W 3"], shape: tuple[int, int], *, n_regions: int = REGIONS, seed: int = 0
) -> Int64[np.ndarray, "h w"]:
    """Patches grouped by mean colour and place: k-means, started by k-means++.

    Colours are encoded values in [0, 1], places half as heavy over the longer side.
    Source: after SLIC (Achanta et al., 2012), with a global search; k-means++ of Arthur & Vassilvitskii
    (2007).

    Returns:
        A region number from 0 for each patch; at most ``n_regions`` are used.
    """
    if n_regions < 1:
        raise InputError(f"n_regions must be at least 1, got {n_regions}")
    h, w = shape
    colours = area_average(_pixels(photograph), shape).reshape(h * w, 3)
    places = np.argwhere(np.ones(shape, bool)) / max(h, w)
    points = np.concatenate([colours, PLACE_WEIGHT * places], axis=1)
    rng = np.random.default_rng(seed)
    centres = points[[rng.integers(len(points))]]
    nearest = ((points - centres[0]) ** 2).sum(axis=1)
    while len(centres) < n_regions and nearest.any():
        chosen = points[rng.choice(len(points), p=nearest / nearest.sum())]
        centres = np.concatenate([centres, chosen[None]])
        nearest = np.minimum(nearest, ((points - chosen) ** 2).sum(axis=1))
    region = np.full(len(points), -1)
    for _ in range(ROUNDS):
        before, region = region, ((points[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
        if (before == region).all():
            break
        for k in np.unique(region):
            centres[k] = points[region == k].mean(axis=0)
    return region.astype(np.int64).reshape(shape)


def _filtered(image: Float64[np.ndarray, "m n"], sigma: float, order: int) -> Float64[np.ndarray, "m n"]:
    """`scipy.ndimage.gaussian_filter1d` down the columns, borders repeated, as matrix products.

    Of `FILTERED` rows at a time with a band that holds the filter in every row: more products, each far
    cheaper than where they are made one by one.
    """
    reach = int(4 * sigma + 0.5)
    impulse = np.eye(1, 2 * reach + 1, reach)[0]
    taps = gaussian_filter1d(impulse, sigma, order=order, mode="constant")[::-1]
    size = max(FILTERED, 2 * reach)
    band = np.zeros((size, size + 2 * reach))
    for row in range(size):
        band[row, row : row + len(taps)] = taps
    padded = np.pad(image, ((reach, reach), (0, 0)), mode="edge")
    out = np.empty(image.shape)
    for top in range(0, len(image), size):
        n = min(size, len(image) - top)
        np.matmul(band[:n, : n + 2 * reach], padded[top : top + n + 2 * reach], out=out[top : top + n])
    return out


def _pixels(photograph: UInt8[np.ndarray, "..."]) -> Float64[np.ndarray, "H W 3"]:
    if photograph.ndim != 3 or photograph.shape[2] != 3 or 0 in photograph.shape:
        raise ShapeError("photograph", expected="H W 3", actual=photograph.shape)
    return photograph.astype(np.float64) / 255.0


def _spearman(first: Float64[np.ndarray, " n"], second: Float64[np.ndarray, " n"]) -> float:
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])
