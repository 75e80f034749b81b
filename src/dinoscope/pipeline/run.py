"""How photographs become features, and how a model computes: two values that are handed down as they are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from dinoscope.data.grid import PatchGrid
from dinoscope.errors import InputError


@dataclass(frozen=True, slots=True)
class Run:
    """How photographs become features.

    Attributes:
        grid: patches on the short side, or the exact ``(h, w)``.
        size_px: pixels on the short side of the input; where it is given, ``grid`` says nothing.
        layers: absolute 0-based block numbers; None for the last.
        final_norm: apply the backbone's final normalisation.
        resize: ``bilinear`` or ``bicubic`` for every model, or ``official``, each family's own.
        batch_size: photographs (tiles) in one forward pass, at most; None chooses 1 on a CPU and by the free
            memory elsewhere. Where memory runs out it is halved.
        tile: pixels of the model's input on each side of a tile: a photograph larger than that goes through
            in overlapping tiles, which are blended. None: whole.
        overlap: pixels that neighbouring tiles share; None for a quarter of a tile.
        seed: of whatever is drawn.

    Raises:
        InputError: a batch below 1, or an overlap without tiles.
    """

    grid: int | tuple[int, int] = 32
    size_px: int | None = None
    layers: tuple[int, ...] | None = None
    final_norm: bool = True
    resize: str = "bilinear"
    batch_size: int | None = None
    tile: int | None = None
    overlap: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch_size is not None and self.batch_size < 1:
            raise InputError(f"batch_size must be at least 1, got {self.batch_size}")
        if self.tile is None and self.overlap is not None:
            raise InputError("an overlap is one of tiles; give tile too")

    def at(self, layer: int | None) -> Run:
        """With this layer alone; None for the last."""
        return replace(self, layers=None if layer is None else (layer,))

    def fit(self, image_size: tuple[int, int], patch_size: int) -> PatchGrid:
        """The grid of a photograph ``(W, H)`` by a model of this patch size.

        Raises:
            InputError: an impossible grid or size.
        """
        grid = self.grid if self.size_px is None else None
        return PatchGrid.fit(image_size, patch_size, grid=grid, size_px=self.size_px)


DEFAULT_RUN = Run()
"""A grid of 32 patches on the short side, by the last layer."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """How models compute.

    Attributes:
        dtype: of the weights and the products; None leaves each model as it is.
        autocast: keep the weights in float32, and only the products in ``dtype``.
        compiled: through ``torch.compile``.
        allow_inexact: measure even where the cosine to float32 is below 0.999 on average.
    """

    dtype: torch.dtype | None = None
    autocast: bool = False
    compiled: bool = False
    allow_inexact: bool = False

    def is_asked_of(self, dtype: torch.dtype) -> bool:
        """Whether a model of this dtype would compute another way."""
        return self.compiled or (self.dtype is not None and self.dtype != dtype)


AS_LOADED = Arithmetic()
"""Every model computes as it was loaded."""
