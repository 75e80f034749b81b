"""What do the measures accept as patches, and as a map of patches? Checked once, at the door."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Float64

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import GridMismatchError, InputError, ShapeError

MATRIX_ROWS = 2048
"""Up to this many patches their cosines are held as one matrix, of 32 MiB."""


@dataclass(frozen=True, eq=False)
class PreparedMap:
    """A map that many measures look at: checked once, and widened and scaled once where a measure asks.

    Attributes:
        source: as it came, of whatever precision.
        aspect: width over height of the photograph; None where unknown.
        rough: whether areas under curves may be read off cosines in float32 where these decide.
    """

    source: Float[np.ndarray, "h w dim"]
    aspect: float | None
    rough: bool = False

    @cached_property
    def values(self) -> Float64[np.ndarray, "h w dim"]:
        """The patches as they are."""
        return self.source.astype(np.float64, copy=False)

    @cached_property
    def lengths(self) -> Float64[np.ndarray, "h w 1"]:
        """As `unit` divides by."""
        return divisors(self.values)

    @cached_property
    def directions(self) -> Float64[np.ndarray, "h w dim"]:
        """The patches of unit length, as `unit` makes them."""
        return np.asarray(self.values / self.lengths)

    @cached_property
    def rough_directions(self) -> Float32[np.ndarray, "h w dim"]:
        """`directions` in float32; values in float32 are divided as they are."""
        if self.source.dtype != np.float32 or self.lengths.max() > np.finfo(np.float32).max:
            return self.directions.astype(np.float32)
        return np.asarray(self.source / self.lengths.astype(np.float32))

    @cached_property
    def cosines(self) -> Float64[np.ndarray, "n n"] | None:
        """As `upper_cosines` makes them; None for more than `MATRIX_ROWS` patches."""
        rows = self.directions.reshape(-1, self.directions.shape[-1])
        return upper_cosines(rows) if len(rows) <= MATRIX_ROWS else None

    @cached_property
    def rough_cosines(self) -> Float32[np.ndarray, "n n"] | None:
        """`upper_cosines` in float32; None for as many."""
        rows = self.rough_directions.reshape(-1, self.source.shape[-1])
        return upper_cosines(rows) if len(rows) <= MATRIX_ROWS else None

    @cached_property
    def scatter(self) -> Float64[np.ndarray, "dim dim"]:
        """ZᵀZ of the patches `around` their mean, on the diagonal and below it; zeros above."""
        return lower_product(self.around)

    @cached_property
    def around(self) -> Float64[np.ndarray, "n dim"]:
        """The patches as they are, `centred`."""
        return centred(self.values.reshape(-1, self.values.shape[-1]))


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

SQUARED = 1e20
"""Magnitudes below this and above its inverse are squared, multiplied and squared again as they are."""

SHORTEST = 1e-12
"""Lengths are never divided by less than this, as in the official losses (``F.normalize``)."""


def prepared(features: PatchMap, *, rough: bool = False) -> PreparedMap:
    """The map, checked; in float64 and with its directions it takes five times the memory of float32.

    Args:
        rough: as of `PreparedMap`.

    Raises:
        ShapeError: not ``h w dim``, or empty.
        InputError: NaN or infinite values.
    """
    aspect = None
    if isinstance(features, PatchFeatures):
        width, height = features.grid.image_size
        aspect = width / height
    return PreparedMap(_checked_map(features, "feature map"), aspect, rough)


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


def as_centred(patches: Patches, what: str = "patches") -> Float64[np.ndarray, "n dim"]:
    """`as_rows`, `centred`, once for a prepared map; not to be written to."""
    return patches.around if isinstance(patches, PreparedMap) else centred(as_rows(patches, what))


def as_map(features: PatchMap, what: str = "feature map") -> Float64[np.ndarray, "h w dim"]:
    """A feature map in float64, a copy where the input is not float64 already.

    Raises:
        ShapeError: not ``h w dim``, or empty.
        InputError: NaN or infinite values.
    """
    if isinstance(features, PreparedMap):
        return features.values
    return _checked_map(features, what).astype(np.float64, copy=False)


def as_directions(features: PatchMap) -> Float64[np.ndarray, "h w dim"]:
    """The patches of a map scaled to unit length; raises as `as_map`."""
    return features.directions if isinstance(features, PreparedMap) else unit(as_map(features))


def known_cosines(
    f: Patches, g: Patches
) -> tuple[Float64[np.ndarray, "n n"], Float64[np.ndarray, "n n"]] | None:
    """The `PreparedMap.cosines` of both, where both have them, and of as many patches."""
    if not isinstance(f, PreparedMap) or not isinstance(g, PreparedMap):
        return None
    if f.values.shape[:2] != g.values.shape[:2] or f.cosines is None or g.cosines is None:
        return None
    return f.cosines, g.cosines


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


def unit(
    values: Float64[np.ndarray, "*grid dim"], *, out: Float64[np.ndarray, "*grid dim"] | None = None
) -> Float64[np.ndarray, "*grid dim"]:
    """Vectors of the last axis scaled to unit length; one shorter than `SHORTEST` stays (nearly) zero.

    Args:
        values: the vectors.
        out: where they are written, which may be ``values``; None for new memory.
    """
    return np.divide(values, divisors(values), out=out)


def divisors(values: Float64[np.ndarray, "*grid dim"]) -> Float64[np.ndarray, "*grid 1"]:
    """The lengths of the vectors of the last axis, `SHORTEST` at least."""
    found = np.sqrt(np.einsum("...d,...d->...", values, values))[..., None]
    return np.asarray(np.maximum(found, SHORTEST))


def upper_cosines(directions: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "n n"]:
    """Products of every two rows, on the diagonal and above it; zeros below, which nothing is spent on.

    In the precision of the rows, of 32 or of 64 bits.
    """
    from scipy.linalg.blas import get_blas_funcs  # slow to import, and not every command measures

    if not len(directions):  # of which BLAS would complain on the terminal
        return np.zeros((0, 0), directions.dtype)
    syrk = get_blas_funcs("syrk", (directions,))
    return np.asarray(syrk(1.0, directions.T, trans=1, lower=1).T)


def lower_product(rows: Float64[np.ndarray, "n dim"]) -> Float64[np.ndarray, "dim dim"]:
    """XᵀX, on the diagonal and below it; zeros above."""
    from scipy.linalg.blas import dsyrk

    if rows.flags.f_contiguous:
        return np.asarray(dsyrk(1.0, rows, trans=1).T)
    return np.asarray(dsyrk(1.0, rows.T).T)


def centred(rows: Float64[np.ndarray, "n dim"]) -> Float64[np.ndarray, "n dim"]:
    """Rows minus their mean; exact zeros where all rows are equal.

    The first row is taken off before the mean, so that rows which differ by less than a rounding
    error of their mean do not get a spread they do not have.
    """
    shifted = rows - rows[0]
    shifted -= shifted.mean(axis=0)
    return np.asarray(shifted)


def square_scale(values: Float64[np.ndarray, "*shape"]) -> float:
    """What to divide by so that squares neither overflow nor vanish: 1 where they do not; 0 for zeros."""
    largest = max(float(values.max()), -float(values.min()))
    return 1.0 if 1 / SQUARED < largest < SQUARED else largest


def as_float64(
    values: PatchFeatures | Float[np.ndarray, "*shape"] | TensorLike,
) -> Float64[np.ndarray, "..."]:
    """Numbers of any shape, a copy where they are not float64 already; a tensor is read on the CPU."""
    if isinstance(values, PatchFeatures):
        return values.values.astype(np.float64)
    if isinstance(values, TensorLike):
        return np.asarray(values.detach().cpu().double())
    return np.asarray(values, dtype=np.float64)


def _checked_map(features: PatchMap, what: str) -> Float[np.ndarray, "h w dim"]:
    """A feature map in the precision that it has; raises as `as_map`."""
    if isinstance(features, PreparedMap):
        return features.source
    values = features.values if isinstance(features, PatchFeatures) else as_float64(features)
    if values.ndim != 3 or 0 in values.shape:
        raise ShapeError(what, expected="h w dim", actual=values.shape)
    return _finite(values, what)


def _finite(values: Float[np.ndarray, "*shape"], what: str) -> Float[np.ndarray, "*shape"]:
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).any(axis=-1).sum())
        raise InputError(f"{what}: {bad} of {values[..., 0].size} patches are NaN or infinite")
    return values
