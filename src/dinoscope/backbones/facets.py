"""Queries, keys or values of a block's attention instead of its tokens: another facet of the same network."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from dinoscope.backbones.base import Backbone, check_backbone
from dinoscope.backbones.families.foreign import cut_tokens
from dinoscope.backbones.projections import (
    KEY,
    QUERY,
    VALUE,
    Caught,
    Projections,
    attention_blocks,
    catching,
    check_tokens,
    projections,
)
from dinoscope.backbones.rotary import rotated
from dinoscope.backbones.wrapped import Way, Wrapped
from dinoscope.data.layers import Batch, LayerOutputs, Layers
from dinoscope.data.spec import BackboneSpec, WeightsOrigin, check_layers
from dinoscope.errors import BackboneError, InputError

TOKEN, ROTATED = "token", "rotated-"
FACETS = (TOKEN, KEY, QUERY, VALUE, ROTATED + KEY, ROTATED + QUERY)
"""What a layer can be looked at by; keys and queries are before rotary positions unless called rotated."""


@dataclass(frozen=True, slots=True, eq=False)
class Facet(Wrapped):
    """A backbone whose features are one facet of its blocks' attention, all heads side by side.

    Equal to what the block's own projection makes of its normalised input; no final normalisation is ever
    applied. Class and register tokens have their facet, too.

    Source: Amir et al., Deep ViT features as dense visual descriptors (arXiv 2112.05814), section 3.

    Attributes:
        inner: any ViT with standard attention.
        facet: one of `FACETS` but ``token``.
    """

    inner: Backbone
    facet: str
    _found: tuple[Projections, ...] = field(repr=False)

    @property
    def part(self) -> str:
        """``query``, ``key`` or ``value``."""
        return self.facet.removeprefix(ROTATED)

    @property
    def spec(self) -> BackboneSpec:
        """The inner backbone's facts, named by the facet."""
        inner = self.inner.spec
        return replace(
            inner,
            name=f"{self.facet}:{inner.name}",
            dim=self._found[-1].width(self.part),
            final_norm=False,
            description=f"the attention's {self.part} of {inner.name}",
            facet=self.facet,
        )

    @property
    def origin(self) -> WeightsOrigin:
        """The inner backbone's weights, with a note."""
        when = "after" if self.facet.startswith(ROTATED) else "before"
        place = "" if self.part == VALUE else f", {when} rotary positions where there are any"
        return self.noted(f"features are the attention's {self.part}{place}")

    def forward(self, pixels: Batch, layers: Layers = None, *, final_norm: bool = True) -> LayerOutputs:
        """One pass of the inner backbone; see `Backbone.forward`."""
        spec = self.inner.spec
        wanted = check_layers(layers, spec.depth)
        with catching({layer: self._found[layer] for layer in wanted}) as caught:
            tokens = self.inner.forward(pixels, wanted, final_norm=False)
        h, w = tokens.patches[wanted[0]].shape[1:3]
        has_cls = wanted[0] in tokens.cls
        n_prefix = int(has_cls) + tokens.registers[wanted[0]].shape[1]
        made = {layer: self._made(caught[layer], layer, n_prefix + h * w) for layer in wanted}
        return cut_tokens(made, h, w, n_prefix=n_prefix, has_cls=has_cls, final_norm=False)

    def _made(self, caught: Caught, layer: int, n_tokens: int) -> Tensor:
        made = check_tokens(caught.made[self.part].detach(), n_tokens, self.inner.spec.name)
        if not self.facet.startswith(ROTATED):
            return made.clone()
        heads, attention = self.inner.spec.heads, self._found[layer].attention
        return torch.stack([rotated(one, heads, caught.rotary, attention) for one in made])

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Backbone:
        """See `Backbone.to`."""
        return facet_of(self.inner.to(device, dtype), self.facet)


def facet_of(backbone: Backbone, facet: str) -> Backbone:
    """A backbone looked at by another facet; the backbone itself for ``token``.

    Of a blurred or finer backbone it is the facet that is blurred, or made on a finer grid.

    Raises:
        InputError: no such facet, or one of a backbone that is looked at by another already.
        BackboneError: the backbone has no attention, or one whose layers are not known; or directions were
            taken out of its tokens, which its attention knows nothing of.
    """
    if facet not in FACETS:
        raise InputError(f"no facet {facet!r}; there are {', '.join(FACETS)}")
    if facet == TOKEN:
        return backbone
    check_backbone(backbone)
    name = backbone.spec.name
    if backbone.spec.facet != TOKEN:
        raise InputError(
            f"{name} is looked at by its {backbone.spec.facet} already: leave one of the two out"
        )
    if backbone.origin.projection:
        raise BackboneError(f"{name}: take the facet first, and directions out of that")
    if isinstance(backbone, Way):
        return replace(backbone, inner=facet_of(backbone.inner, facet))
    return Facet(backbone, facet, tuple(projections(b, name) for b in attention_blocks(backbone)))
