"""MAE: every patch is shown to it, in order."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dinoscope.backbones.families.trunks.trunk import Trunk


def _show_all(trunk: Any) -> None:
    trunk.config.mask_ratio = 0.0


def _in_order(trunk: Any, pixels: Tensor) -> None:
    """It sorts patches by the noise it is given, before it hides some."""
    n = pixels.shape[-2] * pixels.shape[-1] // trunk.config.patch_size**2
    noise = torch.arange(n, device=pixels.device).expand(len(pixels), n)
    trunk(pixels, noise=noise, interpolate_pos_encoding=True)


TRUNKS = (Trunk(("vit_mae",), prepare=_show_all, run=_in_order),)
