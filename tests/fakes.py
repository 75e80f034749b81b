"""A backbone small enough to reason about: each patch's features are fixed functions of its pixels."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from dinoscope.backbones.pixels import check_pixels
from dinoscope.data.layers import LayerOutputs
from dinoscope.data.spec import BackboneSpec, WeightsOrigin, check_layers


@dataclass
class FakeBackbone:
    """Two layers: a random projection of each patch's mean colour and contrast; no mixing of patches."""

    name: str = "fake"
    patch_size: int = 8
    dim: int = 12
    family: str = "fake"
    nan: bool = False
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32
    batches: list[int] = field(default_factory=list)

    @property
    def spec(self) -> BackboneSpec:
        return BackboneSpec(
            name=self.name,
            family=self.family,
            patch_size=self.patch_size,
            dim=self.dim,
            depth=2,
            heads=1,
            registers=2,
            control=True,
        )

    @property
    def origin(self) -> WeightsOrigin:
        return WeightsOrigin(source="tests")

    def forward(
        self, pixels: Tensor, layers: tuple[int, ...] | None = None, *, final_norm: bool = True
    ) -> LayerOutputs:
        check_pixels(pixels, self.patch_size)
        layers = check_layers(layers, 2)
        self.batches.append(len(pixels))
        blocks = pixels.unfold(2, self.patch_size, self.patch_size).unfold(
            3, self.patch_size, self.patch_size
        )
        flat = blocks.permute(0, 2, 3, 1, 4, 5).flatten(4)
        statistics = torch.cat([flat.mean(-1), flat.std(-1)], dim=-1)
        weight = torch.randn(6, self.dim, generator=torch.Generator().manual_seed(3))
        patches = statistics @ weight
        if self.nan:
            patches[:, 0, 0, 0] = torch.nan
        cls = patches.mean(dim=(1, 2))
        registers = torch.stack([cls, -cls], dim=1)
        return LayerOutputs(
            patches={layer: patches * (layer + 1) for layer in layers},
            cls={layer: cls * (layer + 1) for layer in layers},
            registers=dict.fromkeys(layers, registers),
            final_norm=final_norm,
        )

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> FakeBackbone:
        return self
