"""How does the likeness of two patches fall with the distance between them? And to the class token?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64
from scipy.fft import irfft2, next_fast_len, rfft2

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.patches import (
    PatchMap,
    PreparedMap,
    TensorLike,
    as_directions,
    as_float64,
    as_map,
    unit,
)

BINS = 32
CHANNELS = 64
"""Transformed at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class DistanceCurve:
    """Mean cosine of patch pairs by the distance of their centres.

    Attributes:
        edges: of the bins, in units of the image's longer side: comparable between grids.
        distance: mean over the pairs in each bin, in the same units: where `cosine` belongs; NaN where there
            are none.
        cosine: mean over the pairs in each bin, in [-1, 1]; NaN where there are none.
        pairs: unordered pairs of different patches in each bin.
    """

    edges: Float64[np.ndarray, " edges"]
    distance: Float64[np.ndarray, " bins"]
    cosine: Float64[np.ndarray, " bins"]
    pairs: Int64[np.ndarray, " bins"]


def cosine_by_distance(features: PatchMap, *, bins: int = BINS, aspect: float | None = None) -> DistanceCurve:
    """Exact mean cosine against distance, over all pairs of different patches.

    Pairs are summed by their offset (rows apart, columns apart), which is the autocorrelation of the map;
    no n x n matrix is made for it. Source: the Wiener-Khinchin theorem, on the map with zeros beside it.

    Args:
        features: the map.
        bins: equal steps from 0 to the diagonal, each with its lower edge in it, the last with both.
        aspect: width over height of the photograph; None for that of `PatchFeatures`, or of a bare
            grid (square patches). All compared maps must cover the same photograph.

    Returns:
        NaN everywhere for a one-patch grid.

    Cost: O(n·log n·dim) time, O(n) memory beyond the map.

    Raises:
        InputError: ``bins`` below 1, ``aspect`` not above 0, NaN or infinite values.
    """
    directions = as_directions(features)
    h, w, _ = directions.shape
    ratio = _aspect(features, h, w) if aspect is None else aspect
    if bins < 1 or not ratio > 0 or not np.isfinite(ratio):
        raise InputError(f"bins must be at least 1 and aspect above 0, got {bins} and {aspect}")
    width, height = min(1.0, ratio), min(1.0, 1.0 / ratio)
    cosines = features.cosines if isinstance(features, PreparedMap) else None
    sums = _offset_sums(directions) if cosines is None else _known_sums(cosines, h, w)
    rows_apart, cols_apart = np.mgrid[:h, :w]
    # Offsets (r, c) and (r, -c) share a cell; both exist only where r > 0 and c > 0.
    counts = (h - rows_apart) * (w - cols_apart) * np.where((rows_apart > 0) & (cols_apart > 0), 2, 1)
    counts[0, 0] = 0
    apart = np.hypot(rows_apart * height / h, cols_apart * width / w)
    edges = np.linspace(0.0, np.hypot(height, width), bins + 1)
    # A distance that equals an edge but for rounding belongs to the bin above it.
    which = np.clip(np.searchsorted(edges, apart * (1 + 1e-12), side="right") - 1, 0, bins - 1).ravel()
    pairs = np.bincount(which, counts.ravel(), bins).astype(np.int64)
    total = np.bincount(which, np.where(counts > 0, sums, 0.0).ravel(), bins)
    lengths = np.bincount(which, (counts * apart).ravel(), bins)
    distance, cosine = (
        np.divide(part, pairs, out=np.full(bins, np.nan), where=pairs > 0) for part in (lengths, total)
    )
    return DistanceCurve(edges, distance, cosine, pairs)


def cls_patch_cosine(features: PatchMap, cls: Float[np.ndarray, " dim"] | TensorLike) -> float:
    """Mean cosine of the class token with the patches, in [-1, 1].

    It rises while dense features degrade in long training.
    Source: DINOv3 (arXiv 2508.10104), Figure 5a.

    Returns:
        NaN where the class token has no length. A patch without length counts with cosine 0.

    Raises:
        ShapeError: different channels.
        InputError: NaN or infinite values.
    """
    values = as_map(features)
    token = as_float64(cls)
    if token.shape != (values.shape[2],):
        raise ShapeError("class token", expected=f"dim={values.shape[2]}", actual=token.shape)
    if not np.isfinite(token).all():
        raise InputError("the class token holds NaN or infinite values")
    if not token.any():
        return float("nan")
    return float((as_directions(features) @ unit(token)).mean())


def _aspect(features: PatchMap, h: int, w: int) -> float:
    if isinstance(features, PatchFeatures):
        return features.grid.image_size[0] / features.grid.image_size[1]
    if isinstance(features, PreparedMap) and features.aspect is not None:
        return features.aspect
    return w / h


def _offset_sums(directions: Float64[np.ndarray, "h w dim"]) -> Float64[np.ndarray, "h w"]:
    """Sums of cosines over all pairs (r, c) rows and columns apart, either way along the columns."""
    h, w, dim = directions.shape
    tall, wide = next_fast_len(2 * h - 1, real=False), next_fast_len(2 * w - 1, real=True)
    energy = np.zeros((tall, wide // 2 + 1))
    for start in range(0, dim, CHANNELS):
        block = np.ascontiguousarray(np.moveaxis(directions[..., start : start + CHANNELS], 2, 0))
        waves = rfft2(block, s=(tall, wide))
        energy += np.einsum("krc,krc->rc", waves.real, waves.real)
        energy += np.einsum("krc,krc->rc", waves.imag, waves.imag)
    products = irfft2(energy, s=(tall, wide))
    sums = products[:h, :w].copy()
    sums[1:, 1:] += products[1:h, :-w:-1]
    return sums


def _known_sums(cosines: Float64[np.ndarray, "n n"], h: int, w: int) -> Float64[np.ndarray, "h w"]:
    """`_offset_sums` of pairs whose cosines are known, of which the patch that comes first is the row."""
    blocks = cosines.reshape(h, w, h, w)
    columns_apart = np.abs(np.subtract.outer(np.arange(w), np.arange(w))).ravel()
    # A letter that is there twice takes the blocks of rows with themselves, and sums them up.
    by_columns = [np.einsum("rarb->ab", blocks[: h - down, :, down:]) for down in range(h)]
    return np.stack([np.bincount(columns_apart, both.ravel(), w) for both in by_columns])
