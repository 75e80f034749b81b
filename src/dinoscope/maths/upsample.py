"""What would a map look like on a finer grid? Interpolated, with or without the photograph as a guide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Float64

from dinoscope.errors import InputError, ShapeError

Upsampler = Callable[[np.ndarray, np.ndarray, tuple[int, int]], np.ndarray]
"""``(features "h w dim", image "H W 3" in [0, 1], size (h, w)) -> "h w dim"``."""

WAYS = ("nearest", "bilinear", "joint")
"""Those that need no weights."""

REACH = 2
"""Coarse patches on each side that a guided value is made of."""

SPREAD, TOLERANCE = 0.75, 0.1
"""Standard deviations of the guide's weights: in coarse patches, and in colour (of [0, 1], each channel)."""

ROWS_BYTES = 64 * 2**20
"""Fine rows are made so many at a time that they and their weights take about this much."""


def upsampling_bytes(
    shape: tuple[int, int, int], size: tuple[int, int], image: tuple[int, int] = (0, 0)
) -> int:
    """What `upsampled` takes at most, the result included, for the ways of `WAYS`; linear in fine places.

    A function takes what it takes: of it this is the result, and as much again.

    Args:
        shape: of the features, ``h w dim``.
        size: fine places ``(h, w)``.
        image: of the photograph, ``(H, W)``.
    """
    h, w, dim = shape
    result = 4 * size[0] * size[1] * dim
    across = 8 * dim * h * (w + size[1])
    guide = 8 * 3 * image[0] * (image[1] + size[1]) + 8 * (size[0] * image[0] + size[1] * image[1])
    places = 8 * 8 * size[0] * size[1]
    part = max(ROWS_BYTES, _row_bytes(size[1], dim))
    return max(2 * result, result + across + guide + places + part)


def nearest(
    features: Float[np.ndarray, "h w dim"], size: tuple[int, int]
) -> Float32[np.ndarray, "fine_h fine_w dim"]:
    """Each fine place takes the patch that it lies in."""
    rows, columns = (
        np.minimum(((np.arange(fine) + 0.5) * coarse / fine).astype(int), coarse - 1)
        for fine, coarse in zip(size, features.shape, strict=False)
    )
    return np.asarray(features[rows][:, columns], dtype=np.float32)


def bilinear(
    features: Float[np.ndarray, "h w dim"], size: tuple[int, int]
) -> Float32[np.ndarray, "fine_h fine_w dim"]:
    """Linear between the centres of patches, along both axes; beyond the outer centres as there.

    As ``torch.nn.functional.interpolate(mode="bilinear", align_corners=False)``.
    """
    return _Lines(features, size).all()


def joint_bilateral(
    features: Float[np.ndarray, "h w dim"],
    image: Float[np.ndarray, "H W 3"],
    size: tuple[int, int],
    *,
    rows_bytes: int | None = None,
) -> Float32[np.ndarray, "fine_h fine_w dim"]:
    """Each fine place is a mean of the patches around it, those of its own colour counting more.

    Source: Kopf et al., Joint bilateral upsampling, SIGGRAPH 2007, eq. 3; a patch's colour is the mean of
    its pixels.

    Args:
        features: the coarse map.
        image: the photograph, RGB in [0, 1].
        size: fine places ``(h, w)``.
        rows_bytes: about the memory of the rows at a time, `ROWS_BYTES` unless said; no part of the result.
    """
    h, w = features.shape[:2]
    patches, places = _averaged(image, (h, w)), _averaged(image, size)
    fine_rows = (np.arange(size[0]) + 0.5) * h / size[0] - 0.5
    fine_columns = (np.arange(size[1]) + 0.5) * w / size[1] - 0.5
    out = np.empty((*size, features.shape[2]), dtype=np.float32)
    plain_map: _Lines | None = None
    for part in _parts(size, features.shape[2], ROWS_BYTES if rows_bytes is None else rows_bytes):
        total = np.zeros((part.stop - part.start, size[1]))
        found = np.zeros((*total.shape, features.shape[2]))
        for down in range(-REACH, REACH + 1):
            y = np.clip(np.round(fine_rows[part]).astype(int) + down, 0, h - 1)
            for right in range(-REACH, REACH + 1):
                x = np.clip(np.round(fine_columns).astype(int) + right, 0, w - 1)
                away = (fine_rows[part] - y)[:, None] ** 2 + (fine_columns - x)[None] ** 2
                colour = ((places[part] - patches[y][:, x]) ** 2).sum(axis=2)
                weight = np.exp(-away / (2 * SPREAD**2) - colour / (2 * TOLERANCE**2))
                total += weight
                found += weight[..., None] * features[y][:, x]
        plain = total < np.finfo(np.float32).tiny  # a colour that none of its patches has
        found[~plain] /= total[~plain][:, None]
        out[part] = found
        if plain.any():
            plain_map = plain_map or _Lines(features, size)
            out[part][plain] = plain_map.rows(part)[plain]
    return out


def upsampled(
    features: Float[np.ndarray, "h w dim"],
    size: tuple[int, int],
    how: str | Upsampler = "bilinear",
    image: Float[np.ndarray, "H W 3"] | None = None,
) -> Float32[np.ndarray, "fine_h fine_w dim"]:
    """A map on a finer grid.

    Args:
        features: of one photograph.
        size: fine places ``(h, w)``.
        how: ``nearest``, ``bilinear``, ``joint``, or a function of (features, image, size).
        image: the photograph, which ``joint`` and functions need.

    Raises:
        InputError: no such way, no image where one is needed, a size that is not larger, or NaN.
        ShapeError: not a map, or a function's result of another shape.
    """
    if features.ndim != 3 or 0 in features.shape:
        raise ShapeError("features", expected="h w dim", actual=features.shape)
    if size[0] < features.shape[0] or size[1] < features.shape[1]:
        raise InputError(f"size {size} is smaller than the map's own {features.shape[:2]}")
    if not np.isfinite(features).all():
        raise InputError("features: NaN or infinite values")
    if how == "nearest":
        return nearest(features, size)
    if how == "bilinear":
        return bilinear(features, size)
    if isinstance(how, str) and how not in WAYS:
        raise InputError(f"no way {how!r} of upsampling; there are {', '.join(WAYS)}, or a function")
    if image is None:
        raise InputError(
            f"upsampling by {how if isinstance(how, str) else 'a function'} needs the photograph"
        )
    if isinstance(how, str):
        return joint_bilateral(features, image, size)
    found: Any = np.asarray(how(features, image, size))
    if found.shape != (*size, features.shape[2]):
        raise ShapeError(
            "the upsampler's result",
            expected=f"h={size[0]} w={size[1]} dim={features.shape[2]}",
            actual=found.shape,
        )
    return np.asarray(found, dtype=np.float32)


class _Lines:
    """A map interpolated along its rows, and along its columns as far as asked for."""

    def __init__(self, features: Float[np.ndarray, "h w dim"], size: tuple[int, int]) -> None:
        self._size, self._dim = size, features.shape[2]
        self._down, across = (_linear(fine, n) for fine, n in zip(size, features.shape, strict=False))
        self._wide = np.einsum("wc,hcd->hwd", across, features.astype(np.float64))

    def rows(self, part: slice) -> Float64[np.ndarray, "rows fine_w dim"]:
        """Some fine rows."""
        return np.asarray(np.einsum("fh,hwd->fwd", self._down[part], self._wide))

    def all(self) -> Float32[np.ndarray, "fine_h fine_w dim"]:
        """Every fine row."""
        out = np.empty((*self._size, self._dim), dtype=np.float32)
        for part in _parts(self._size, self._dim, ROWS_BYTES):
            out[part] = self.rows(part)
        return out


def _linear(fine: int, coarse: int) -> Float64[np.ndarray, "fine coarse"]:
    """Row i holds the weights of the coarse places; rows sum to 1."""
    place = np.clip((np.arange(fine) + 0.5) * coarse / fine - 0.5, 0, coarse - 1)
    below = np.minimum(place.astype(int), max(coarse - 2, 0))
    weights = np.zeros((fine, coarse))
    np.add.at(weights, (np.arange(fine), below), 1.0 - (place - below))
    np.add.at(weights, (np.arange(fine), np.minimum(below + 1, coarse - 1)), place - below)
    return weights


def _averaged(image: Float[np.ndarray, "H W 3"], size: tuple[int, int]) -> Float64[np.ndarray, "h w 3"]:
    """Mean colour of each cell of a grid over the image; a cell smaller than a pixel takes its own."""
    rows, columns = (_shares(cells, n) for cells, n in zip(size, image.shape, strict=False))
    wide = np.einsum("wc,hck->hwk", columns, image.astype(np.float64))
    return np.einsum("fh,hwk->fwk", rows, wide)


def _shares(cells: int, n: int) -> Float64[np.ndarray, "cells n"]:
    """Row i holds the share of each pixel inside cell i; rows sum to 1."""
    edges = np.arange(cells + 1) * n / cells
    low = np.maximum(edges[:-1, None], np.arange(n)[None])
    high = np.minimum(edges[1:, None], np.arange(1, n + 1)[None])
    inside = np.maximum(high - low, 0.0)
    return inside / inside.sum(axis=1, keepdims=True)


def _parts(size: tuple[int, int], dim: int, rows_bytes: int) -> Iterator[slice]:
    step = max(1, rows_bytes // _row_bytes(size[1], dim))
    for start in range(0, size[0], step):
        yield slice(start, min(size[0], start + step))


def _row_bytes(columns: int, dim: int) -> int:
    """Memory of one fine row while it is made: sum, patches and their products, and the guide's weights."""
    return columns * 8 * (16 + 4 * dim)
