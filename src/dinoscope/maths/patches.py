"""What do the measures accept as patches, and as a map of patches? Checked once, at the door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float64

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import GridMismatchError, InputError, ShapeError


@dataclass(frozen=True, slots=True, eq=False)
class PreparedMap:
    """A map that many measures look at: checked, widened and scaled once.

    Attributes:
        values: as they are.
        directions: of unit length, as `unit` makes them.
        aspect: width over height of the photograph; None where unknown.
    """

    values: Float64[np.ndarray, "h w dim"]
    directions: Float64[np.ndarray, "h w dim"]
    aspect: float | None


@runtime_checkable
class TensorLike(Protocol):
    """What is asked of a torch tensor: measures take one, and need no torch for it."""

    def detach(self) -> Any: ...

    def cpu(self) -> Any: ...

    def double(self) -> Any: ...


Patches = PatchFeatures | PreparedMap | Float[np.ndarray, "... _dim"] | TensorLike
"""``n dim``, or ``h w dim`` taken row by row; a tensor is detached and read on the CPU."""

PatchMap = PatchFeatures | PreparedMap | Float[np.ndarray, "... _dim"] | TensorLike
"""``h w dim``, channels last; a tensor is detached and read on the CPU."""

SHORTEST = 1e-12
"""Lengths are never divided by less than this, as in the official losses (``F.normalize``)."""


def prepared(features: PatchMap) -> PreparedMap:
    """The map in float64, and its directions; four times the memory of the float32 map.

    Raises:
        ShapeError: not ``h w dim``, or empty.
        InputError: NaN or infinite values.
    """
    values = as_map(features)
    aspect = None
    if isinstance(features, PatchFeatures):
        width, height = features.grid.image_size
        aspect = width / height
    return PreparedMap(values, unit(values), aspect)


def as_rows(patches: Patches, what: str = "patches") -> Float64[np.ndarray, "n dim"]:
    """Patches as float64 rows, a copy where the input is not float64 already.

    Raises:
        ShapeError: neither ``n dim`` nor ``h w dim``, or empty.
        InputError: NaN or infinite values.
    """
    if isinstance(patches, PreparedMap):
        return patches.values.reshape(-1, patches.values.shape[-1])
    values = as_float64(patches)
    if values.ndim not in (2, 3) or 0 in values.shape:
        raise ShapeError(what, expected="n dim or h w dim", actual=values.shape)
    return _finite(values, what).reshape(-1, values.shape[-1])


def as_map(features: PatchMap, what: str = "feature map") -> Float64[np.ndarray, "h w dim"]:
    """A feature map in float64, a copy where the input is not float64 already.

    Raises:
        ShapeError: not ``h w dim``, or empty.
        InputError: NaN or infinite values.
    """
    if isinstance(features, PreparedMap):
        return features.values
    values = as_float64(features)
    if values.ndim != 3 or 0 in values.shape:
        raise ShapeError(what, expected="h w dim", actual=values.shape)
    return _finite(values, what)


def as_directions(features: PatchMap) -> Float64[np.ndarray, "h w dim"]:
    """The patches of a map scaled to unit length; raises as `as_map`."""
    return features.directions if isinstance(features, PreparedMap) else unit(as_map(features))


def map_shape(features: PatchMap) -> tuple[int, int]:
    """(h, w) of a feature map; raises as `as_map`."""
    if isinstance(features, PatchFeatures):
        return features.grid.shape
    h, w, _ = as_map(features).shape
    return h, w


def as_maps(
    first: PatchMap, second: PatchMap
) -> tuple[Float64[np.ndarray, "h w dim"], Float64[np.ndarray, "h w dim_2"]]:
    """Two feature maps on one grid; their channels may differ.

    Raises:
        GridMismatchError: the grids differ.
    """
    left, right = as_map(first, "first feature map"), as_map(second, "second feature map")
    if left.shape[:2] != right.shape[:2]:
        raise GridMismatchError(
            (left.shape[0], left.shape[1]), (right.shape[0], right.shape[1]), "extract both on one grid"
        )
    return left, right


def unit(values: Float64[np.ndarray, "*grid dim"]) -> Float64[np.ndarray, "*grid dim"]:
    """Vectors of the last axis scaled to unit length; one shorter than `SHORTEST` stays (nearly) zero."""
    lengths = np.linalg.norm(values, axis=-1, keepdims=True)
    return np.asarray(values / np.maximum(lengths, SHORTEST))


def centred(rows: Float64[np.ndarray, "n dim"]) -> Float64[np.ndarray, "n dim"]:
    """Rows minus their mean; exact zeros where all rows are equal.

    The first row is taken off before the mean, so that rows which differ by less than a rounding
    error of their mean do not get a spread they do not have.
    """
    shifted = rows - rows[0]
    return np.asarray(shifted - shifted.mean(axis=0))


def as_float64(
    values: PatchFeatures | Float[np.ndarray, "*shape"] | TensorLike,
) -> Float64[np.ndarray, "..."]:
    """Numbers of any shape, a copy where they are not float64 already; a tensor is read on the CPU."""
    if isinstance(values, PatchFeatures):
        return values.values.astype(np.float64)
    if isinstance(values, TensorLike):
        return np.asarray(values.detach().cpu().double())
    return np.asarray(values, dtype=np.float64)


def _finite(values: Float64[np.ndarray, "*shape"], what: str) -> Float64[np.ndarray, "*shape"]:
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).any(axis=-1).sum())
        raise InputError(f"{what}: {bad} of {values[..., 0].size} patches are NaN or infinite")
    return values
