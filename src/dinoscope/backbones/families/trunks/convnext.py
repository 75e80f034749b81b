"""ConvNeXt and ConvNeXt V2: four stages. As in DINOv3, the last norm is applied to every patch."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from dinoscope.backbones.families.trunks.trunk import Trunk, halved_by_stage, stage_map


def _stage(trunk: Any, output: Any, layer: int, pixels: Tensor) -> Tensor:
    return stage_map(output)


TRUNKS = (
    Trunk(
        ("convnext", "convnextv2"),
        blocks=("encoder.stages",),
        has_cls=False,
        family="hf-convnext",
        tokens=_stage,
        patch_size=halved_by_stage,
    ),
)
