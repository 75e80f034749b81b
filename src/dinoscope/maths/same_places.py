"""How alike are two sets of patch features of one photograph, place by place?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.agreement import gram_correlation, linear_cka
from dinoscope.maths.patches import as_rows, unit
from dinoscope.maths.resample import area_average

Shape = tuple[int, int] | None
"""``(h, w)``; None for a sequence of patches whose grid is not known."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike two maps are.

    Attributes:
        mean: of the patches' cosines, or the Gram correlation; in [-1, 1].
        lowest: of the patches' cosines; NaN where ``mean`` is no cosine, or the grids were made equal.
        averaged: whether the grids differed, so that both were reduced to a common one.
    """

    mean: float
    lowest: float
    averaged: bool


def same_places(
    f: Float[np.ndarray, "n dim"],
    f_shape: Shape,
    g: Float[np.ndarray, "m dim2"],
    g_shape: Shape,
) -> tuple[Float[np.ndarray, "k dim"], Float[np.ndarray, "k dim2"], bool]:
    """Two maps on one grid, and whether that took an area average.

    Where the grids differ, each axis is reduced to the smaller count of the two.

    Raises:
        ShapeError: a sequence without a grid whose length is not the other's.
    """
    if f_shape == g_shape or (None in (f_shape, g_shape) and len(f) == len(g)):
        return f, g, False
    if f_shape is None or g_shape is None:
        raise ShapeError(
            "features without a grid", expected=f"n={len(f)} dim, or h w dim", actual=np.shape(g)
        )
    shape = (min(f_shape[0], g_shape[0]), min(f_shape[1], g_shape[1]))
    n = shape[0] * shape[1]
    maps = (f.reshape(*f_shape, -1), g.reshape(*g_shape, -1))
    first, second = (area_average(values, shape).reshape(n, -1) for values in maps)
    return first, second, True


def patch_agreement(
    f: Float[np.ndarray, "n dim"],
    f_shape: Shape,
    g: Float[np.ndarray, "m dim2"],
    g_shape: Shape,
    *,
    by_gram: bool = False,
) -> Agreement:
    """Mean cosine of the patches of two maps at the same places, in float64; a patch of no length counts 0.

    Args:
        f, g: patches, row by row.
        f_shape, g_shape: their grids.
        by_gram: the Gram correlation instead, for which channels need not correspond.

    Raises:
        ShapeError: grids that cannot be compared, or channels that differ where cosines are asked for.
        InputError: NaN or infinite values, or fewer than 3 patches, or a constant map, by Gram.
    """
    left, right, averaged = same_places(f, f_shape, g, g_shape)
    if by_gram:
        correlation = gram_correlation(left, right)
        if np.isnan(correlation):
            raise InputError("a Gram correlation needs 3 patches or more, not all alike")
        return Agreement(correlation, float("nan"), averaged)
    if left.shape[1] != right.shape[1]:
        raise ShapeError("features", expected=f"n dim={left.shape[1]}", actual=right.shape)
    cosines = np.einsum("nd,nd->n", unit(as_rows(left)), unit(as_rows(right))).clip(-1.0, 1.0)
    return Agreement(float(cosines.mean()), float("nan") if averaged else float(cosines.min()), averaged)


def cka_same_places(
    f: Float[np.ndarray, "n dim"], f_shape: Shape, g: Float[np.ndarray, "m dim2"], g_shape: Shape
) -> float:
    """Linear CKA of two maps on one grid; see `maths.agreement.linear_cka`."""
    left, right, _ = same_places(f, f_shape, g, g_shape)
    return linear_cka(left, right)
