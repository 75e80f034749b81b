"""How far apart are the Gram matrices of two sets of patches?

Write S and T for the unit patches of student and teacher, D = S - T and E = S + T. Then

    S Sᵀ - T Tᵀ = (D Eᵀ + E Dᵀ) / 2
    ||S Sᵀ - T Tᵀ||² = (<DᵀD, EᵀE> + tr((EᵀD)²)) / 2

The second line needs no n x n matrix, and it does not subtract the two Grams, so nothing is lost where
student and teacher nearly agree: D is formed in float64 before anything is multiplied.

Its second term can be negative and cancel the first: a student that is a rotated teacher has the same
Gram, although D is large. Where that happens, the student is first rotated onto the teacher by orthogonal
Procrustes, which leaves its Gram as it is. SᵀT is then symmetric, so EᵀD is too, both terms are sums of
squares, and nothing is left to cancel.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import GridMismatchError, InputError, ShapeError
from dinoscope.maths.patches import Patches, PreparedMap, TensorLike, as_float64, known_cosines, unit

WIDE = 1.5
"""Up to this many patches per channel the n x n difference itself is the cheaper way."""

ROWS = 2048
"""Rows held at a time; Gram blocks have at most this side."""

PIECE = 512
"""Rows in one product of sums and differences: they stay in the cache."""

CANCELLED_DOUBLE = 1e-6
"""Share of the two terms' size below which their sum, in float64, has lost too many digits."""

FAR = 1e-12
"""Distances above this are read off known cosines, whose differences keep nine digits there."""

Rows = Float[np.ndarray, "n _dim"]
Square = Float64[np.ndarray, "d d"]


def gram_distance(f: Patches, g: Patches) -> float:
    """Mean squared difference of the cosine Gram matrices of one photograph's patches by two models.

    Source: DINOv3 (arXiv 2508.10104), eq. 2, as a mean over n² entries; in float64 throughout. It equals
    `dinoscope.maths.gram_loss.gram_loss` of one image.

    Args:
        f, g: patches of the same places in the same order; channels and scales may differ.

    Returns:
        In [0, 4]; 0 exactly where f is g. Relative error below 1e-8 down to distances of 1e-20.

    Cost: O(n·dim²) time and O(dim²) memory beyond the inputs in float64, for any n above 1.5·dim.

    Raises:
        GridMismatchError: two feature maps on different grids.
        ShapeError: different numbers of patches.
        InputError: NaN or infinite values.
    """
    left, right = _array(f), _array(g)
    if left.ndim == right.ndim == 3 and left.shape[:2] != right.shape[:2]:
        raise GridMismatchError(
            (left.shape[0], left.shape[1]), (right.shape[0], right.shape[1]), "extract both on one grid"
        )
    for name, value in (("f", left), ("g", right)):
        if value.ndim not in (2, 3) or 0 in value.shape:
            raise ShapeError(name, expected="n dim or h w dim", actual=value.shape)
    left, right = left.reshape(-1, left.shape[-1]), right.reshape(-1, right.shape[-1])
    if len(left) != len(right):
        raise ShapeError("g", expected=f"n={len(left)} dim", actual=right.shape)
    known = known_cosines(f, g)
    if known is not None and (distance := _of_cosines(*known)) > FAR:
        return distance
    for name, value in (("f", left), ("g", right)):
        if not all(np.isfinite(value[rows]).all() for rows in chunks(len(value), ROWS)):
            raise InputError(f"{name} holds NaN or infinite values")
    n, dim = len(left), max(left.shape[1], right.shape[1])
    if n <= WIDE * dim:
        s, t = _pair(left, right, slice(None))
        half = (s - t) @ (s + t).T
        return float(np.square(half + half.T).mean() / 4)
    first, second = _terms(left, right)
    if abs(first) + abs(second) > 0 and first + second < CANCELLED_DOUBLE * (abs(first) + abs(second)):
        first, second = _terms(left, right, _procrustes(left, right))
    return max((first + second) / 2, 0.0) / n**2


def _of_cosines(first: Float64[np.ndarray, "n n"], second: Float64[np.ndarray, "n n"]) -> float:
    """From what lies on the diagonal and above it."""
    apart = first - second
    diagonal = np.diagonal(apart)
    return float((2.0 * np.vdot(apart, apart) - diagonal @ diagonal) / len(first) ** 2)


def chunks(n: int, step: int) -> list[slice]:
    """``n`` rows, at most ``step`` at a time."""
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def _array(patches: Patches) -> Float[np.ndarray, "..."]:
    """The patches as they are where they are floats that numpy multiplies well, else in float64."""
    if isinstance(patches, PatchFeatures | PreparedMap):
        patches = patches.values
    if isinstance(patches, TensorLike):
        return as_float64(patches)
    values = np.asarray(patches)
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)


def _pair(
    left: Rows, right: Rows, rows: slice, rotation: Square | None = None
) -> tuple[Float64[np.ndarray, "n d"], Float64[np.ndarray, "n d"]]:
    """Unit rows of both, padded to the same channels (zeros change no inner product), the first rotated."""
    s, t = (side[rows].astype(np.float64) for side in (left, right))  # copies
    for side in (s, t):
        unit(side, out=side)
    dim = max(left.shape[1], right.shape[1])
    if left.shape[1] != right.shape[1]:
        s, t = (np.pad(side, ((0, 0), (0, dim - side.shape[1]))) for side in (s, t))
    return (s if rotation is None else s @ rotation), t


def _terms(left: Rows, right: Rows, rotation: Square | None = None) -> tuple[float, float]:
    """<DᵀD, EᵀE> and tr((EᵀD)²)."""
    from scipy.linalg.blas import dgemm, dsyrk  # slow to import, and not every command measures

    dim = max(left.shape[1], right.shape[1])
    dd, ee, ed = (np.zeros((dim, dim), order="F") for _ in range(3))
    for rows in chunks(len(left), PIECE):
        s, t = _pair(left, right, rows, rotation)
        d = (s - t).T
        e = np.add(s, t, out=t).T  # new memory would cost as much as the sum
        dd = dsyrk(1.0, d, beta=1.0, c=dd, overwrite_c=1)
        ee = dsyrk(1.0, e, beta=1.0, c=ee, overwrite_c=1)
        ed = dgemm(1.0, e, d, beta=1.0, c=ed, trans_b=1, overwrite_c=1)
    triangle, diagonal = np.vdot(dd.T, ee.T), np.diagonal(dd) @ np.diagonal(ee)  # below it are zeros
    return float(2 * triangle - diagonal), float((ed * ed.T).sum())


def _procrustes(left: Rows, right: Rows) -> Square:
    """The orthogonal R that brings S R closest to T. Source: Schönemann (1966)."""
    dim = max(left.shape[1], right.shape[1])
    cross = np.zeros((dim, dim))
    for rows in chunks(len(left), ROWS):
        s, t = _pair(left, right, rows)
        cross += s.T @ t
    u, _, v = np.linalg.svd(cross)
    return np.asarray(u @ v)
