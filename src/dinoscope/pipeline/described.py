"""From a model's tokens to features that say what they are of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32

from dinoscope.backbones.base import Backbone
from dinoscope.data.features import PatchFeatures, Provenance
from dinoscope.data.grid import PatchGrid
from dinoscope.data.layers import LayerOutputs
from dinoscope.errors import InputError
from dinoscope.pipeline.forward import Prepared
from dinoscope.pipeline.tiles import Tiling


@dataclass(frozen=True, slots=True)
class FeatureMaps:
    """Features by layer, of one backbone and one way of preparing photographs."""

    backbone: Backbone
    layers: tuple[int, ...]
    resize: str
    final_norm: bool

    def of_row(self, item: Prepared, outputs: LayerOutputs, row: int) -> dict[int, PatchFeatures]:
        """Those of one photograph of a batch on the host.

        Raises:
            InputError: NaN or infinite values.
        """
        found = {}
        for layer in self.layers:
            cls = outputs.cls[layer][row].numpy() if layer in outputs.cls else None
            registers = outputs.registers[layer][row].numpy() if layer in outputs.registers else None
            found[layer] = self._features(
                item,
                layer,
                outputs.patches[layer][row].numpy(),
                cls=cls,
                registers=registers if registers is not None and len(registers) else None,
                final_norm=outputs.final_norm,
            )
        return found

    def of_tiles(
        self,
        item: Prepared,
        blends: dict[int, tuple[Float32[np.ndarray, "_ _ _"], float | None]],
        cut: Tiling,
    ) -> dict[int, PatchFeatures]:
        """Those of a photograph that went through in tiles: no class token, no registers.

        Raises:
            InputError: NaN or infinite values.
        """
        normed = self.final_norm and self.backbone.spec.final_norm
        return {
            layer: self._features(item, layer, values, tiles=cut.words, seam=seam, final_norm=normed)
            for layer, (values, seam) in blends.items()
        }

    def _features(
        self,
        item: Prepared,
        layer: int,
        values: Float32[np.ndarray, "h w dim"],
        *,
        final_norm: bool,
        cls: Float32[np.ndarray, " dim"] | None = None,
        registers: Float32[np.ndarray, "r dim"] | None = None,
        tiles: str = "",
        seam: float | None = None,
    ) -> PatchFeatures:
        backbone = self.backbone
        if not np.isfinite(values).all():
            raise InputError(
                f"{backbone.spec.name} gives NaN or infinite features for {item.photograph.name!r}"
                + ("" if backbone.dtype == torch.float32 else f" in {backbone.dtype}; try float32")
            )
        return PatchFeatures(
            values=values,
            grid=_own_grid(item.grid, values.shape[:2]),
            provenance=Provenance(
                image=item.photograph.name,
                image_digest=item.photograph.digest,
                backbone=backbone.spec.name,
                weights_digest=backbone.origin.digest,
                layer=layer,
                final_norm=final_norm,
                dtype=str(backbone.dtype).removeprefix("torch."),
                resize=self.resize,
                mean=backbone.spec.mean,
                std=backbone.spec.std,
                tiles=tiles,
                seam=seam,
                reduction=item.photograph.reduction,
            ),
            cls=cls,
            registers=registers,
        )


def _own_grid(grid: PatchGrid, shape: tuple[int, ...]) -> PatchGrid:
    """An earlier stage of a ConvNeXt has smaller patches."""
    h, w = shape
    return grid if (h, w) == grid.shape else PatchGrid(h, w, grid.patch_size * grid.h // h, grid.image_size)
