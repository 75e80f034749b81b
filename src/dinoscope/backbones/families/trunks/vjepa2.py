"""V-JEPA 2 on a still: the photograph stands for as many frames as one of its patches is long."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dinoscope.backbones.families.trunks.trunk import Trunk, patches_of


def _still(trunk: Any, pixels: Tensor) -> None:
    """The encoder, with each patch told its row and column.

    Its own forward pass numbers patches as if every input had the sides of the training clips.
    """
    h, w = patches_of(pixels, trunk.config.patch_size)
    side = max(h, w)
    rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    places = (rows * side + columns).flatten().to(pixels.device).expand(len(pixels), h * w)
    tokens = trunk.embeddings(pixels[:, None])
    for block in trunk.layer:
        block.attention.grid_size = side
        tokens = block(tokens, places)[0]


TRUNKS = (
    Trunk(
        ("vjepa2",),
        inside=("encoder",),
        has_cls=False,
        run=_still,
        notes=("a video model: the photograph is repeated for the frames of one patch",),
    ),
)
