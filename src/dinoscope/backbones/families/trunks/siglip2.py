"""SigLIP 2 NaFlex: patches of any grid, cut before they go in."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dinoscope.backbones.families.trunks.trunk import Trunk, patches_of


def _naflex(trunk: Any, pixels: Tensor) -> None:
    side = trunk.config.patch_size
    h, w = patches_of(pixels, side)
    cut = pixels.reshape(len(pixels), 3, h, side, w, side).permute(0, 2, 4, 3, 5, 1)
    shapes = torch.tensor([[h, w]], device=pixels.device).expand(len(pixels), 2)
    seen = torch.ones(len(pixels), h * w, dtype=torch.int64, device=pixels.device)
    trunk(cut.reshape(len(pixels), h * w, -1), seen, shapes)


TRUNKS = (Trunk(("siglip2", "siglip2_vision_model"), has_cls=False, run=_naflex),)
