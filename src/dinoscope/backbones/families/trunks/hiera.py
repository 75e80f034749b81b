"""Hiera: stages whose tokens lie unrolled, in the order of its mask units."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from dinoscope.backbones.families.trunks.trunk import Trunk


def _rolled(trunk: Any, output: Any, layer: int, pixels: Tensor) -> Tensor:
    """In rows and columns again, on the grid of this input instead of the one it was trained on."""
    config, encoder = trunk.config, trunk.encoder
    size = [side // stride for side, stride in zip(pixels.shape[-2:], config.patch_stride, strict=True)]
    schedule = [config.query_stride] * len(config.depths[:-1])
    for _ in range(min(layer, config.num_query_pool)):
        size = [side // stride for side, stride in zip(size, config.query_stride, strict=True)]
        schedule = schedule[1:]
    trained, encoder.schedule = encoder.schedule, {layer: (schedule, size)}
    try:
        found: Tensor = encoder.reroll(output[0], stage_idx=layer)
    finally:
        encoder.schedule = trained
    return found


def _coarsest(config: Any) -> int:
    return int(config.patch_stride[0] * config.query_stride[0] ** config.num_query_pool)


TRUNKS = (
    Trunk(
        ("hiera",),
        blocks=("encoder.stages",),
        norm=("pooler.layernorm",),
        has_cls=False,
        family="hf-stages",
        tokens=_rolled,
        patch_size=_coarsest,
    ),
)
