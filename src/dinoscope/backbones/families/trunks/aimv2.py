"""AIMv2: no class token, a root-mean-square norm at the end, on any grid."""

from __future__ import annotations

import types
from math import isqrt
from typing import Any

from torch import Tensor

from dinoscope.backbones.families.trunks.trunk import Trunk, resized


def _any_size(trunk: Any) -> None:
    """The "native" models make their positions for each grid; those of the others are resized."""

    def embed(self: Any, pixels: Tensor) -> Tensor:
        tokens = self.rms_norm(self.patch_embed(pixels).permute(0, 2, 3, 1))
        table = self.position_embedding.weight
        places = resized(table.unflatten(0, (isqrt(len(table)), -1))[None], *tokens.shape[1:3])
        summed: Tensor = (tokens + places).flatten(1, 2)
        return summed

    if not trunk.config.is_native:
        trunk.embeddings.forward = types.MethodType(embed, trunk.embeddings)


TRUNKS = (
    Trunk(
        ("aimv2", "aimv2_vision_model"),
        has_cls=False,
        prepare=_any_size,
        notes=("learned positions are resized (bicubic) on other grids than their own",),
    ),
)
