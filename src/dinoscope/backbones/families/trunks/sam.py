"""SAM: its image encoder before the neck, on any grid."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from dinoscope.backbones.families.trunks.trunk import Trunk, resized


def _any_size(trunk: Any, pixels: Tensor) -> None:
    """Block by block: its own forward pass takes one size. Every block resizes relative positions itself."""
    tokens = trunk.patch_embed.projection(pixels).permute(0, 2, 3, 1)
    if trunk.pos_embed is not None:
        tokens = tokens + resized(trunk.pos_embed, *tokens.shape[1:3])
    for block in trunk.layers:
        tokens = block(tokens)


TRUNKS = (
    Trunk(
        ("sam", "sam_vision_model"),
        inside=("vision_encoder",),
        norm=(),
        has_cls=False,
        run=_any_size,
        notes=("blocks before the neck; positions are resized (bicubic) on other grids than its own",),
    ),
)
