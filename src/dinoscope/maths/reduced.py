"""Patches of a fine grid on a coarser one, as a Gram teacher that looks closer needs them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dinoscope.errors import ShapeError


def reduced_patches(
    patches: Float[Tensor, "b n_fine dim"], fine: tuple[int, int], grid: tuple[int, int]
) -> Float[Tensor, "b n dim"]:
    """Patches brought to another grid over the same image, before any normalisation.

    Source: DINOv3 (arXiv 2508.10104), section 4.3: bicubic. Without antialiasing, corners not aligned:
    facebookresearch/dinov3@6876159.

    Args:
        patches: row-major.
        fine: their grid, ``(h, w)``.
        grid: the one wanted.

    Returns:
        Float64 where the patches are, else float32; the patches themselves where nothing is to be done.

    Raises:
        ShapeError: not as many patches as ``fine`` says.
    """
    if patches.shape[1] != fine[0] * fine[1]:
        raise ShapeError("patches", expected=f"b n={fine[0] * fine[1]} dim", actual=patches.shape)
    if fine == grid:
        return patches
    wide = patches if patches.dtype == torch.float64 else patches.float()
    maps = wide.unflatten(1, fine).permute(0, 3, 1, 2)
    small = F.interpolate(maps, size=grid, mode="bicubic", antialias=False, align_corners=False)
    return small.flatten(2).mT
