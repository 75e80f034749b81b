"""A photograph too large for one pass: overlapping tiles, blended, and how far they disagree.

What a patch says depends on what its tile shows. Tiled features are therefore not those of the whole
photograph, and every tiled result carries its seam score.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32

from dinoscope.data.grid import PatchGrid
from dinoscope.data.layers import LayerOutputs
from dinoscope.errors import InputError
from dinoscope.pipeline.batches import BatchLimits, in_parts_that_fit
from dinoscope.pipeline.forward import ForwardPass, Prepared


@dataclass(frozen=True, slots=True)
class Tiling:
    """How to cut.

    Attributes:
        tile: patches on each side of a tile.
        overlap: patches that neighbours share at least, less than ``tile``.
        patch_size: in pixels of the model's input.
    """

    tile: int
    overlap: int
    patch_size: int

    @property
    def words(self) -> str:
        """For people and provenance."""
        return f"{self.tile * self.patch_size} px, overlap {self.overlap * self.patch_size} px"

    def within(self, grid: PatchGrid) -> PatchGrid:
        """One tile of a photograph; no larger than that."""
        return PatchGrid(min(self.tile, grid.h), min(self.tile, grid.w), grid.patch_size, grid.image_size)


def tiling(tile_px: int, overlap_px: int | None, patch_size: int) -> Tiling:
    """Tiles of about these pixels of the model's input, rounded down to whole patches.

    ``overlap_px`` None is a quarter of the tile.

    Raises:
        InputError: a tile below 2 patches, or an overlap that is negative or leaves no step.
    """
    tile = tile_px // patch_size
    overlap = tile // 4 if overlap_px is None else overlap_px // patch_size
    if tile < 2:
        raise InputError(f"a tile of {tile_px} px is less than 2 patches of {patch_size} px; ask for more")
    if not 0 <= overlap < tile:
        raise InputError(
            f"an overlap of {overlap_px} px does not fit tiles of {tile_px} px; ask for 0 to "
            f"{(tile - 1) * patch_size}"
        )
    return Tiling(tile, overlap, patch_size)


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin on an axis: the first at 0, the last at the far edge, all equal in size, neighbours
    sharing at least ``overlap`` patches, spread evenly.

    >>> tile_starts(10, 4, 1), tile_starts(4, 4, 1)
    ([0, 3, 6], [0])
    """
    if length <= tile:
        return [0]
    steps = -(-(length - tile) // (tile - overlap))
    return [round(i * (length - tile) / steps) for i in range(steps + 1)]


def blend_weights(length: int, overlap: int) -> Float32[np.ndarray, " length"]:
    """Weights of patches along one axis of a tile: rising from its edge over ``overlap`` patches, then 1."""
    from_edge = np.minimum(np.arange(length), np.arange(length)[::-1]) + 1
    return np.minimum(from_edge / (overlap + 1), 1.0).astype(np.float32)


class Blend:
    """The feature map that tiles add up to."""

    def __init__(self, shape: tuple[int, int], dim: int, overlap: int) -> None:
        self._sum = np.zeros((*shape, dim), np.float32)
        self._weight = np.zeros((*shape, 1), np.float32)
        self._overlap = overlap
        self._recent: list[tuple[int, int, Float32[np.ndarray, "h w dim"]]] = []
        self._apart = 0.0
        self._shared = 0

    def add(self, top: int, left: int, values: Float32[np.ndarray, "h w dim"]) -> None:
        """One tile; tiles come row by row."""
        h, w = values.shape[:2]
        self._recent = [other for other in self._recent if other[0] + h > top]
        for other_top, other_left, other in self._recent:
            if (other_top == top) != (other_left == left):  # beside or above, not diagonal
                self._compare(values, top - other_top, left - other_left, other)
        self._recent.append((top, left, values))
        weight = blend_weights(h, self._overlap)[:, None] * blend_weights(w, self._overlap)
        self._sum[top : top + h, left : left + w] += values * weight[:, :, None]
        self._weight[top : top + h, left : left + w] += weight[:, :, None]

    def values(self) -> Float32[np.ndarray, "h w dim"]:
        """The weighted mean of all tiles at each patch; computed in place, so the last word."""
        self._sum /= self._weight
        self._recent = []
        return self._sum

    @property
    def seam(self) -> float | None:
        """Mean of 1 − cosine over patches that neighbouring tiles share, in [0, 2]; None where none do."""
        return self._apart / self._shared if self._shared else None

    def _compare(
        self,
        values: Float32[np.ndarray, "h w dim"],
        down: int,
        right: int,
        other: Float32[np.ndarray, "h w dim"],
    ) -> None:
        h, w = values.shape[:2]
        if down >= h or right >= w:
            return
        a = values[: h - down, : w - right].reshape(-1, values.shape[2]).astype(np.float64)
        b = other[down:, right:].reshape(-1, values.shape[2]).astype(np.float64)
        lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        cosines = np.divide((a * b).sum(axis=1), lengths, out=np.zeros(len(a)), where=lengths > 0)
        self._apart += float((1.0 - cosines).sum())
        self._shared += len(a)


def blended(
    item: Prepared, forward: ForwardPass, layers: Sequence[int], cut: Tiling, limits: BatchLimits
) -> dict[int, tuple[Float32[np.ndarray, "h w dim"], float | None]]:
    """Each layer's map of one photograph, from tiles, with its seam score.

    Memory: one batch of tiles, two rows of tiles for each layer, and the maps.

    Raises:
        InputError: not even one tile fits in memory.
    """
    blends: dict[int, Blend] = {}
    tile = cut.within(item.grid)
    places = [
        (top, left)
        for top in tile_starts(item.grid.h, tile.h, min(cut.overlap, tile.h - 1))
        for left in tile_starts(item.grid.w, tile.w, min(cut.overlap, tile.w - 1))
    ]
    for batch, outputs in _passes(item, forward, tile, places, limits):
        for layer in layers:
            values = outputs.patches[layer].numpy()
            finer = values.shape[1] // tile.h  # earlier stages of a ConvNeXt have smaller patches
            if layer not in blends:
                shape = (item.grid.h * finer, item.grid.w * finer)
                blends[layer] = Blend(shape, values.shape[3], cut.overlap * finer)
            for (top, left), one in zip(batch, values, strict=True):
                blends[layer].add(top * finer, left * finer, one)
    return {layer: (blend.values(), blend.seam) for layer, blend in blends.items()}


def _passes(
    item: Prepared, forward: ForwardPass, tile: PatchGrid, places: list[tuple[int, int]], limits: BatchLimits
) -> Iterator[tuple[list[tuple[int, int]], LayerOutputs]]:
    side = tile.patch_size

    def run(batch: list[tuple[int, int]]) -> LayerOutputs:
        cuts = [
            item.pixels[
                :, top * side : (top + tile.h) * side, left * side : (left + tile.w) * side
            ].contiguous()
            for top, left in batch
        ]
        return forward.start([replace(item, grid=tile, pixels=pixels) for pixels in cuts])()

    start = 0
    while start < len(places):
        batch = places[start : start + limits.of(tile.shape)]
        start += len(batch)
        for part, outputs in in_parts_that_fit(
            batch, tile.shape, run, limits, before_retry=forward.free_memory
        ):
            if isinstance(outputs, InputError):
                raise outputs
            yield part, outputs
