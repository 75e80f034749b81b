"""Without masks: do features follow the photograph's own edges and regions? Stand-ins, named so.

Edges and regions of colour are not those of objects: shadows and texture have edges, and a camouflaged
animal has none. A proxy may break a tie; it never replaces a mask.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8
from scipy.ndimage import gaussian_filter1d
from scipy.stats import rankdata

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.auc import DIGITS
from dinoscope.maths.boundary import APART, DistantPairs, distant_pairs
from dinoscope.maths.masks import PatchLabels
from dinoscope.maths.patches import PatchMap, as_directions
from dinoscope.maths.resample import average_pixels, overlap

WHITE = 255.0
LUMINANCE = (2126.0, 7152.0, 722.0)
"""In ten thousandths: sums of bytes are whole numbers below 2^24, which float32 holds as they are."""

EDGE_DIGITS = 7
"""Strengths are rounded to this many decimals before they are ranked: filters in float32 err by 2e-8, which
moves a rank correlation by less than 1e-5."""

EDGE_SCALE = 1 / 8
"""Blur of the edge filter, in patches."""

FILTERED = 32
"""Pixels of each row or column that are filtered in one matrix product."""

STRIP = 128
"""Rows of a photograph that are filtered at a time: what lies between the two filters stays in the cache."""

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
    Luminance is the Rec. 709 mix of the encoded values; filtered in float32, strengths are good to 2e-8.
    Source: Canny, A computational approach to edge detection (1986), for the filter.

    Args:
        photograph: upright, in any resolution.
        shape: (h, w) of the grid.

    Raises:
        ShapeError: not ``H W 3``.
    """
    h, w = shape
    height, width, _ = _checked(photograph).shape
    blur = height / h * EDGE_SCALE, width / w * EDGE_SCALE
    # What changes down the columns is blurred along the rows, and the other way round.
    filters = [(_taps(blur[0], 1), _taps(blur[1], 0)), (_taps(blur[0], 0), _taps(blur[1], 1))]
    halves = [overlap(height, n).astype(np.float32) for n in (2 * h, h)]
    reach = len(filters[0][0]) // 2, len(filters[0][1]) // 2
    sums = [np.zeros((len(shares), width)) for shares in halves]
    for start in range(0, height, STRIP):
        stop = min(start + STRIP, height)
        lightness = _lightness(photograph, start, stop, reach)
        for (down, along), shares, total in zip(filters, halves, sums, strict=True):
            change = np.abs(_filtered(_filtered(lightness.T, down).T, along))
            met = slice(start * len(shares) // height, -(-stop * len(shares) // height))
            total[met] += shares[met, start:stop] @ change
    tall, wide = (
        total @ overlap(width, n).T / (sum(LUMINANCE) * WHITE)
        for total, n in zip(sums, (w, 2 * w), strict=True)
    )
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
    return ProxySharpness(_spearman(np.round(change, DIGITS), np.round(strength, EDGE_DIGITS)), len(change))


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
    colours = average_pixels(_checked(photograph), shape).reshape(h * w, 3) / WHITE
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
    axes, centres = np.ascontiguousarray(points.T), centres.T
    for _ in range(ROUNDS):
        apart = sum((axis - centre[:, None]) ** 2 for axis, centre in zip(axes, centres, strict=True))
        before, region = region, np.asarray(apart).argmin(axis=0)
        if (before == region).all():
            break
        sizes = np.bincount(region, minlength=centres.shape[1])
        sums = np.stack([np.bincount(region, axis, minlength=len(sizes)) for axis in axes])
        centres = np.where(sizes > 0, sums / np.maximum(sizes, 1), centres)
    return region.astype(np.int64).reshape(shape)


def _lightness(
    photograph: UInt8[np.ndarray, "H W 3"], start: int, stop: int, reach: tuple[int, int]
) -> Float32[np.ndarray, "m n"]:
    """Luminance, in units of `LUMINANCE` above the middle of its range, of some rows and of ``reach`` pixels
    around them; borders are repeated. Change is the same around the middle, where products lose the least.
    """
    rows = np.arange(start - reach[0], stop + reach[0]).clip(0, len(photograph) - 1)
    mixed = photograph[rows].astype(np.float32) @ np.array(LUMINANCE, np.float32)
    mixed -= np.float32(sum(LUMINANCE) * WHITE / 2)
    return np.pad(mixed, ((0, 0), (reach[1], reach[1])), mode="edge")


def _taps(sigma: float, order: int) -> Float32[np.ndarray, " taps"]:
    """Weights of `scipy.ndimage.gaussian_filter1d`, from the first pixel under the filter to the last."""
    reach = int(4 * sigma + 0.5)
    impulse = np.eye(1, 2 * reach + 1, reach)[0]
    return gaussian_filter1d(impulse, sigma, order=order, mode="constant")[::-1].astype(np.float32)


def _filtered(
    image: Float32[np.ndarray, "m padded"], taps: Float32[np.ndarray, " taps"]
) -> Float32[np.ndarray, "m n"]:
    """Every row filtered, where the filter lies within it, as matrix products.

    Of `FILTERED` pixels at a time with a band that holds the filter in every row: more products, each far
    cheaper than where they are made one by one.
    """
    spare = len(taps) - 1
    size = max(FILTERED, spare)
    band = np.zeros((size + spare, size), np.float32)
    for pixel in range(size):
        band[pixel : pixel + len(taps), pixel] = taps
    out = np.empty_like(image[:, spare:])
    for start in range(0, out.shape[1], size):
        n = min(size, out.shape[1] - start)
        taken = image[:, start : start + n + spare]
        np.matmul(taken, band[: n + spare, :n], out=out[:, start : start + n])
    return out


def _checked(photograph: UInt8[np.ndarray, "..."]) -> UInt8[np.ndarray, "H W 3"]:
    if photograph.ndim != 3 or photograph.shape[2] != 3 or 0 in photograph.shape:
        raise ShapeError("photograph", expected="H W 3", actual=photograph.shape)
    return photograph


def _spearman(first: Float64[np.ndarray, " n"], second: Float64[np.ndarray, " n"]) -> float:
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])
