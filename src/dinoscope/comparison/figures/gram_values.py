"""What Gram matrices of two models hold: cosines of all pairs of patches, in rows ordered alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from dinoscope.data.features import PatchFeatures
from dinoscope.data.results import Comparison
from dinoscope.errors import GridMismatchError, InputError, ShapeError
from dinoscope.maths.gram import gram_distance
from dinoscope.maths.patches import as_directions
from dinoscope.maths.proxies import colour_regions

Order = Literal["space", "superpixels"]

MOST_DRAWN = 1_024
"""Rows of a drawn matrix; larger grids are drawn as means over blocks of patches."""

_STEPS = (0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 2.0)
_MOST_LINES = 9


class Rows(NamedTuple):
    """How the rows of the matrices are ordered.

    ``cuts`` are the rows before which a separator is drawn, ``names`` the middles and names of the parts.
    """

    order: Int[np.ndarray, " n"]
    cuts: tuple[int, ...]
    names: tuple[tuple[float, str], ...]
    regions: Int[np.ndarray, "h w"] | None


@dataclass(frozen=True, slots=True, eq=False)
class Grams:
    """The matrices of one photograph.

    Attributes:
        matrices: the first model's and the second's.
        rows: of both.
        distance: mean squared difference over all pairs of patches, drawn or not.
        note: what must be read beside them.
    """

    matrices: tuple[Float[np.ndarray, "n n"], Float[np.ndarray, "n n"]]
    rows: Rows
    distance: float
    note: str

    @property
    def difference(self) -> Float[np.ndarray, "n n"]:
        """Second minus first."""
        return self.matrices[1] - self.matrices[0]


def grams_of(
    comparison: Comparison, photograph: int, order: Order, regions: Int[np.ndarray, "h w"] | None = None
) -> Grams:
    """Arguments and errors as those of `dinoscope.comparison.figures.gram.plot_gram`."""
    first, second = _two(comparison, photograph)
    if order not in ("space", "superpixels"):
        raise InputError(f"order must be space or superpixels, got {order!r}")
    h, w = first.grid.shape
    if regions is not None and regions.shape != (h, w):
        raise ShapeError("regions", expected=f"h w = {h} {w}", actual=regions.shape)
    block = math.ceil(math.sqrt(h * w / MOST_DRAWN))
    pooled = [_pooled(f, block) for f in (first, second)]
    if order == "space":
        rows = _by_space(pooled[0].shape[0], pooled[0].shape[1], block)
    else:
        pixels = comparison.photographs[photograph].pixels
        chosen = colour_regions(pixels, (h, w)) if regions is None else regions
        rows = _by_region(_numbered(chosen[::block, ::block]))
    one, other = (values.reshape(-1, values.shape[2])[rows.order].astype(np.float32) for values in pooled)
    distance = gram_distance(first, second)
    note = _note(distance, (h, w), block, order, given=regions is not None)
    return Grams((one @ one.T, other @ other.T), rows, distance, note)


def round_limit(value: float) -> float:
    """The next round number for the end of a scale of differences."""
    return next((step for step in _STEPS if value <= step * (1 + 1e-9)), _STEPS[-1])


def _two(comparison: Comparison, photograph: int) -> tuple[PatchFeatures, PatchFeatures]:
    if len(comparison.models) < 2:
        raise InputError("Gram matrices are drawn of two models; the comparison has one")
    n = len(comparison.photographs)
    if not 0 <= photograph < n:
        raise InputError(f"no photograph {photograph}: they are numbered 0 to {n - 1}")
    first, second = comparison.features[photograph][:2]
    if first.grid.shape != second.grid.shape:
        raise GridMismatchError(
            first.grid.shape, second.grid.shape, "extract both on one grid, as `compare` does"
        )
    return first, second


def _pooled(features: PatchFeatures, block: int) -> Float[np.ndarray, "h w dim"]:
    """Means of the unit features over blocks: their products are means of cosines over pairs of blocks."""
    values = as_directions(features)
    for axis in (0, 1) if block > 1 else ():
        starts = np.arange(0, values.shape[axis], block)
        counts = np.diff([*starts, values.shape[axis]]).reshape([-1 if k == axis else 1 for k in range(3)])
        values = np.add.reduceat(values, starts, axis=axis) / counts
    return values


def _by_space(h: int, w: int, block: int) -> Rows:
    step = math.ceil(h / _MOST_LINES)
    starts = range(0, h, step)
    names = tuple(((r + 0.5) * w - 0.5, f"row {r * block}") for r in starts)
    return Rows(np.arange(h * w), tuple(r * w for r in starts if r), names, None)


def _by_region(regions: Int[np.ndarray, "h w"]) -> Rows:
    flat = regions.ravel()
    order = np.argsort(flat, kind="stable")
    sizes = np.bincount(flat)
    ends = np.cumsum(sizes)
    names = tuple(
        (float(end - size / 2 - 0.5), str(k + 1))
        for k, (size, end) in enumerate(zip(sizes, ends, strict=True))
        if size * 22 >= len(flat)
    )
    return Rows(order, tuple(int(e) for e in ends[:-1]), names, regions)


def _numbered(labels: Int[np.ndarray, "h w"]) -> Int[np.ndarray, "h w"]:
    """Regions numbered from 0 in reading order of their first patch."""
    _, first, inverse = np.unique(labels.ravel(), return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse].reshape(labels.shape))


def _note(distance: float, grid: tuple[int, int], block: int, order: str, *, given: bool) -> str:
    h, w = grid
    told = [f"Gram distance (mean squared difference over all pairs of {h}×{w} patches): {distance:.4g}."]
    if order == "space":
        told.append("Rows and columns: patches in reading order.")
    else:
        kind = "as given" if given else "of like colour, as for the proxy of grouped colours"
        told.append(f"Rows and columns: patches by region ({kind}; outlined on the photograph).")
    if block > 1:
        told.append(f"Drawn are means over blocks of {block}×{block} patches; the distance is of all.")
    return " ".join(told)
