"""Do features say the same at another resolution? Maps brought to one grid and compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Shaped, UInt8

from dinoscope.errors import InputError
from dinoscope.maths.agreement import gram_correlation, linear_cka
from dinoscope.maths.patches import PatchMap, as_map


@dataclass(frozen=True, slots=True)
class ResolutionConsistency:
    """Agreement of one photograph's features at two resolutions, on the coarser grid.

    Attributes:
        cka: linear CKA, in [0, 1]; NaN for a constant map.
        gram_correlation: Pearson correlation of the off-diagonal cosines, in [-1, 1]; NaN likewise.
    """

    cka: float
    gram_correlation: float


def resolution_consistency(coarse: PatchMap, fine: PatchMap) -> ResolutionConsistency:
    """Features at 1x and 2x, reduced to one grid by area averaging before any normalisation.

    Both maps must cover the whole photograph; each axis is reduced to the smaller count of the two.
    Source: linear CKA of Kornblith et al. (arXiv 1905.00414).

    Raises:
        ShapeError: not ``h w dim``.
        InputError: NaN or infinite values.
    """
    first, second = as_map(coarse, "coarse map"), as_map(fine, "fine map")
    shape = (min(first.shape[0], second.shape[0]), min(first.shape[1], second.shape[1]))
    rows = [area_average(m, shape).reshape(shape[0] * shape[1], -1) for m in (first, second)]
    return ResolutionConsistency(linear_cka(*rows), gram_correlation(*rows))


def area_average(features: PatchMap, shape: tuple[int, int]) -> Float64[np.ndarray, "h w dim"]:
    """A map on another grid over the same image: each new patch is the mean of the area that it covers.

    The mean of the map is kept. On a finer grid a patch that covers parts of several is their mix.

    Args:
        features: the map.
        shape: ``(h, w)`` of the new grid.

    Raises:
        InputError: a side below 1, NaN or infinite values.
    """
    values = as_map(features)
    if min(shape) < 1:
        raise InputError(f"a grid needs at least one patch on each side, got {shape}")
    return _averaged(values, shape)


def average_pixels(
    photograph: UInt8[np.ndarray, "H W 3"], shape: tuple[int, int]
) -> Float64[np.ndarray, "h w 3"]:
    """`area_average` of a photograph, which is widened some rows at a time."""
    return _averaged(photograph, shape)


def _averaged(
    values: Shaped[np.ndarray, "H W dim"], shape: tuple[int, int]
) -> Float64[np.ndarray, "h w dim"]:
    flat = values.reshape(len(values), -1)
    rows = []
    for shares in overlap(len(values), shape[0]):
        first, last = np.flatnonzero(shares)[[0, -1]]
        rows.append(shares[first : last + 1] @ flat[first : last + 1].astype(np.float64, copy=False))
    return np.asarray(overlap(values.shape[1], shape[1]) @ np.reshape(rows, (shape[0], *values.shape[1:])))


def overlap(old: int, new: int) -> Float64[np.ndarray, "new old"]:
    """Share of each new interval that each old one covers, both dividing [0, 1] evenly."""
    # In units of 1 / (old · new) every edge is a whole number: no rounding, and rows sum to 1.
    starts, before = np.arange(new)[:, None] * old, np.arange(old)[None, :] * new
    common = np.minimum(starts + old, before + new) - np.maximum(starts, before)
    return np.maximum(common, 0) / old
