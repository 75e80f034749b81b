"""How photographs become features, and how a model computes: two values that are handed down as they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

import torch

from dinoscope.data.grid import PatchGrid, seed_number
from dinoscope.errors import InputError

DECODES = ("full", "reduced")
SPARE = 1.25
"""Pixels of a reduced reading over those of the model's input, along each side, at least.

With just as many as the input has, the bundled model's mean cosine to full decoding fell to 0.99984 on a
photograph; from here on none of four was below 0.9999.
"""


@dataclass(frozen=True, slots=True)
class Run:
    """How photographs become features.

    Attributes:
        grid: patches on the short side, or the exact ``(h, w)``.
        size_px: pixels on the short side of the input; where it is given, ``grid`` says nothing.
        layers: absolute 0-based block numbers; None for the last.
        final_norm: apply the backbone's final normalisation.
        resize: ``bilinear`` or ``bicubic`` for every model, or ``official``, each family's own.
        batch_size: photographs (tiles) in one forward pass, at most; None chooses: on a CPU 1, of small
            inputs up to 16; elsewhere by the free memory. Where memory runs out it is halved.
        tile: pixels of the model's input on each side of a tile: a photograph larger than that goes through
            in overlapping tiles, which are blended. None: whole.
        overlap: pixels that neighbouring tiles share; None for a quarter of a tile.
        seed: of whatever is drawn.
        decode: ``full``, or ``reduced``: JPEG files to the fewest pixels that `enough` allows.

    Raises:
        InputError: a batch below 1, an overlap without tiles, or no such way to decode.
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
    decode: str = "full"

    def __post_init__(self) -> None:
        seed_number(self.seed)
        if self.batch_size is not None and self.batch_size < 1:
            raise InputError(f"batch_size must be at least 1, got {self.batch_size}")
        if self.tile is None and self.overlap is not None:
            raise InputError("an overlap is one of tiles; give tile too")
        if self.decode not in DECODES:
            raise InputError(f"no way to decode {self.decode!r}; there are {', '.join(DECODES)}")

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

    def enough(self, image_size: tuple[int, int], patch_size: int) -> tuple[int, int]:
        """Pixels ``(W, H)`` that a reduced reading leaves at least: `SPARE` times the model's input.

        Raises:
            InputError: an impossible grid or size.
        """
        height, width = self.fit(image_size, patch_size).input_size
        return ceil(SPARE * width), ceil(SPARE * height)


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
