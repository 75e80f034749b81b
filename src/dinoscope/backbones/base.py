"""The contract every backbone keeps."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from dinoscope.data.layers import LayerOutputs
from dinoscope.data.spec import BackboneSpec, WeightsOrigin
from dinoscope.errors import ShapeError


@runtime_checkable
class Backbone(Protocol):
    """A frozen model that turns normalised pixels into patch features."""

    @property
    def spec(self) -> BackboneSpec: ...

    @property
    def origin(self) -> WeightsOrigin: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype: ...

    def forward(
        self,
        pixels: Float[Tensor, "b 3 H W"],
        layers: tuple[int, ...] | None = None,
        *,
        final_norm: bool = True,
    ) -> LayerOutputs:
        """Tokens of a batch, in float32 on the backbone's device.

        Args:
            pixels: normalised with ``spec.mean`` and ``spec.std``; ``H`` and ``W`` whole
                multiples of ``spec.patch_size``. Moved and cast to the backbone's device and dtype.
            layers: absolute 0-based block numbers; None for the last block.
            final_norm: apply the backbone's final normalisation, to earlier blocks too.

        Raises:
            ShapeError: not ``b 3 H W``, or not a whole number of patches.
            LayerError: a layer the backbone does not have.
        """
        ...

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Backbone:
        """This backbone on another device or in another dtype; the old one stays usable where it was
        only if the device is the same.
        """
        ...


def check_pixels(pixels: Tensor, patch_size: int) -> tuple[int, int]:
    """``(h, w)``: how many patches the input is, exactly.

    Raises:
        ShapeError: not ``b 3 H W``, or not a whole number of patches.
    """
    if pixels.ndim != 4 or pixels.shape[1] != 3 or 0 in pixels.shape:
        raise ShapeError("pixels", expected="b 3 H W", actual=pixels.shape)
    height, width = pixels.shape[-2:]
    if height % patch_size or width % patch_size:
        raise ShapeError(
            f"pixels: H and W must be whole multiples of the patch size {patch_size}",
            expected=f"b 3 {patch_size}*h {patch_size}*w",
            actual=pixels.shape,
        )
    return height // patch_size, width // patch_size
