"""EoMT on DINOv2 and DINOv3: the patches among its queries, on any grid."""

from __future__ import annotations

import types
from math import isqrt
from typing import Any

import torch
from torch import Tensor

from dinoscope.backbones.families.trunks.trunk import Trunk, patches_of, resized


def _any_size(trunk: Any) -> None:
    def embed(self: Any, pixels: Tensor) -> Tensor:
        tokens = self.patch_embeddings.projection(pixels).permute(0, 2, 3, 1)
        table = self.position_embeddings.weight
        side = isqrt(len(table))
        tokens = (tokens + resized(table.reshape(1, side, side, -1), *tokens.shape[1:3])).flatten(1, 2)
        first = [t.expand(len(pixels), -1, -1) for t in (self.cls_token, self.register_tokens)]
        return torch.cat([*first, tokens], dim=1)

    if hasattr(trunk.embeddings, "position_embeddings"):
        trunk.embeddings.forward = types.MethodType(embed, trunk.embeddings)


def _with_queries(trunk: Any, pixels: Tensor) -> None:
    trunk.grid_size = patches_of(pixels, trunk.config.patch_size)
    trunk(pixels)


def _without_queries(trunk: Any, output: Any, layer: int, pixels: Tensor) -> Tensor:
    """Queries stand first in the last blocks."""
    found: Tensor = output[0] if isinstance(output, tuple) else output
    n = trunk.config.num_queries if layer >= trunk.config.num_hidden_layers - trunk.config.num_blocks else 0
    return found[:, n:]


TRUNKS = (
    Trunk(
        ("eomt", "eomt_dinov3"),
        inside=("",),
        loader="AutoModelForUniversalSegmentation",
        prepare=_any_size,
        run=_with_queries,
        tokens=_without_queries,
        notes=("its queries run along in the last blocks and are left out",),
    ),
)
