"""A finer grid from the same network: passes over shifted inputs, interleaved."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dinoscope.backbones.base import Backbone, check_backbone
from dinoscope.backbones.wrapped import Way
from dinoscope.data.layers import Batch, LayerOutputs, Layers
from dinoscope.data.spec import BackboneSpec, WeightsOrigin
from dinoscope.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Finer(Way):
    """A backbone whose maps have ``factor`` times as many places along each side.

    Place ``(factor * row + i, factor * col + j)`` is patch (row, col) of the input moved up by ``i`` and left
    by ``j`` times ``patch_size / factor`` pixels, its last row and column repeated: a whole patch that begins
    there, so neighbours overlap. ``factor²`` passes; class and register tokens are those of the unmoved one.
    It is no map at a higher resolution: every patch is as large as before.

    Source: the idea of overlapping patches is that of Amir et al. (arXiv 2112.05814), section 3, who change
    the stride of the patch embedding instead; moving the input leaves the network and its positions alone.

    Attributes:
        inner: any backbone.
        factor: divides the patch size.
    """

    factor: int

    @property
    def spec(self) -> BackboneSpec:
        """The inner backbone's facts, named by the factor."""
        inner = self.inner.spec
        return replace(
            inner,
            name=f"finer{self.factor}:{inner.name}",
            description=f"{inner.name} at {self.factor} times as many, overlapping places along each side",
            finer=self.factor * inner.finer,
        )

    @property
    def origin(self) -> WeightsOrigin:
        """The inner backbone's weights, with a note."""
        return self.noted(f"{self.factor**2} passes over shifted inputs, interleaved: patches overlap")

    def forward(self, pixels: Batch, layers: Layers = None, *, final_norm: bool = True) -> LayerOutputs:
        """See `Backbone.forward`."""
        step = self.inner.spec.patch_size // self.factor
        plain: LayerOutputs | None = None
        patches: dict[int, Tensor] = {}
        for i in range(self.factor):
            for j in range(self.factor):
                moved = moved_pixels(pixels, i * step, j * step)
                found = self.inner.forward(moved, layers, final_norm=final_norm)
                plain = plain or found
                for layer, values in found.patches.items():
                    if layer not in patches:
                        b, h, w, dim = values.shape
                        patches[layer] = values.new_empty(b, h * self.factor, w * self.factor, dim)
                    patches[layer][:, i :: self.factor, j :: self.factor] = values
        if plain is None:
            raise InputError(f"a finer grid needs a factor of at least 2, got {self.factor}")
        return replace(plain, patches=patches)


def finer_of(backbone: Backbone, factor: int) -> Backbone:
    """A backbone on a finer grid; the backbone itself for 1.

    Raises:
        InputError: a factor that does not divide the patch size; names those that do.
    """
    if factor == 1:
        return backbone
    check_backbone(backbone)
    side = backbone.spec.patch_size
    if factor < 1 or side % factor:
        fits = ", ".join(str(k) for k in range(2, side + 1) if side % k == 0)
        raise InputError(f"a grid {factor} times as fine does not fit patches of {side} px; these do: {fits}")
    return Finer(backbone, factor)


def moved_pixels(pixels: Float[Tensor, "b 3 H W"], up: int, left: int) -> Float[Tensor, "b 3 H W"]:
    """The input moved up and left by whole pixels, its last row and column repeated."""
    if not up and not left:
        return pixels
    return F.pad(pixels[..., up:, left:], (0, left, 0, up), mode="replicate")
