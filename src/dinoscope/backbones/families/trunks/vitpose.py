"""The trunk of ViTPose, on any grid."""

from __future__ import annotations

import types
from typing import Any

import torch
from torch import Tensor

from dinoscope.backbones.families.trunks.trunk import Trunk, resized


def _any_size(trunk: Any) -> None:
    h, w = trunk.embeddings.patch_embeddings.image_size
    side = trunk.config.patch_size
    sides = side if isinstance(side, (list, tuple)) else (side, side)
    grid = (h // sides[0], w // sides[1])

    def embed(self: Any, pixels: Tensor) -> Tensor:
        tokens = self.patch_embeddings.projection(pixels).permute(0, 2, 3, 1)
        places = self.position_embeddings[:, 1:].unflatten(1, grid)
        whole = tokens + resized(places, *tokens.shape[1:3])
        summed: Tensor = whole.flatten(1, 2) + self.position_embeddings[:, :1]
        return summed

    trunk.embeddings.forward = types.MethodType(embed, trunk.embeddings)


def _as_coco(trunk: Any, pixels: Tensor) -> None:
    """Mixtures use their experts of COCO, the first of the training sets."""
    coco = torch.zeros(len(pixels), dtype=torch.int64, device=pixels.device)
    trunk(pixels, dataset_index=coco if trunk.config.num_experts > 1 else None)


TRUNKS = (
    Trunk(
        ("vitpose",),
        inside=("backbone",),
        loader="VitPoseForPoseEstimation",
        has_cls=False,
        prepare=_any_size,
        run=_as_coco,
        notes=(
            "its patches begin 2 pixels early",
            "positions are resized (bicubic) on other grids than its own",
        ),
    ),
)
