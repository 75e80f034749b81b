"""Resizing a photograph to the input of a backbone: the whole picture, no crop."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from dinoscope.data.photograph import Photograph
from dinoscope.errors import InputError

Resize = Literal["bilinear", "bicubic", "official"]
"""``bilinear`` and ``bicubic``: in float32 with antialiasing, the same for every model.
``official``: each family's own, see `filter_name`."""


BAND_BYTES = 32 * 2**20
"""Of float32 pixels at once: a large photograph in float32 takes four times what it takes in 8 bits."""


def filter_name(resize: str, family: str) -> str:
    """The filter that ``resize`` means for a family of backbones.

    ``official`` is 8-bit bicubic for DINOv2 and float bilinear for DINOv3, both antialiased; other
    families publish their own in so many ways that ``official`` is refused for them.

    Source: the preprocessing of DINOv2 (torchvision resize, bicubic, before scaling) and of DINOv3
    (rescale, then bilinear antialiased resize).

    Raises:
        InputError: no such filter, or no official one for this family.
    """
    if resize not in get_args(Resize):
        raise InputError(f"no resize {resize!r}; there are {', '.join(get_args(Resize))}")
    if resize != "official":
        return resize
    official = {"dinov2": "bicubic-8bit", "dinov3": "bilinear", "dinov3-convnext": "bilinear"}
    if family not in official:
        raise InputError(f"no official resize is known for the family {family!r}; use bilinear or bicubic")
    return official[family]


def resize_pixels(photograph: Photograph, size: tuple[int, int], filter_: str) -> Float[Tensor, "3 H W"]:
    """The photograph at ``(H, W)`` pixels, in [0, 1], antialiased.

    Args:
        photograph: decoded at full size.
        size: wanted ``(H, W)``.
        filter_: as `filter_name` returns it.
    """
    pixels = photograph.pixels
    if filter_ == "bicubic-8bit":
        image = Image.fromarray(np.asarray(pixels)).resize((size[1], size[0]), Image.Resampling.BICUBIC)
        pixels = np.asarray(image)
    # DLPack takes read-only arrays; nothing below writes to it.
    return resize_planes(torch.from_dlpack(pixels), size, filter_)


def resize_planes(
    pixels: UInt8[Tensor, "H W 3"], size: tuple[int, int], filter_: str
) -> Float[Tensor, "3 newH newW"]:
    """Pixels at another size, in [0, 1], computed where they are; ``filter_`` bilinear or bicubic."""
    planes = pixels.permute(2, 0, 1)
    if planes.shape[-2:] == size or filter_ == "bicubic-8bit":
        return planes.float().div_(255.0).contiguous()
    if pixels.device.type != "cpu":  # elsewhere both directions are one operation, with other last digits
        return _interpolated(planes.float().div_(255.0), size, filter_).clamp_(0.0, 1.0)
    height, width = size
    rows = max(1, BAND_BYTES // (planes.shape[-1] * 3 * 4))
    # Across band by band, then down: what `interpolate` does of the whole, without all of it in float32.
    across = [
        _interpolated(band.float().div_(255.0), (band.shape[1], width), filter_)
        for band in planes.split(rows, 1)
    ]
    return _interpolated(torch.cat(across, 1), (height, width), filter_).clamp_(0.0, 1.0)


def _interpolated(planes: Tensor, size: tuple[int, int], filter_: str) -> Tensor:
    return F.interpolate(planes[None], size=size, mode=filter_, antialias=True, align_corners=False)[0]
