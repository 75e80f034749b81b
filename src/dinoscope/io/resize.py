"""Resizing a photograph to the input of a backbone: the whole picture, no crop."""

from __future__ import annotations

from functools import partial
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
"""Bytes of float32 pixels at once: a large photograph in float32 takes four times what it takes in 8 bits."""


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
        photograph: whole, decoded to every pixel or to fewer.
        size: wanted ``(H, W)``.
        filter_: as `filter_name` returns it.
    """
    pixels = photograph.pixels
    if filter_ == "bicubic-8bit":
        box = None if (covered := extent(photograph)) is None else (0, 0, *covered)
        image = Image.fromarray(np.asarray(pixels))
        pixels = np.asarray(image.resize((size[1], size[0]), Image.Resampling.BICUBIC, box))
    # DLPack takes read-only arrays; nothing below writes to it.
    return resize_planes(torch.from_dlpack(pixels), size, filter_, extent(photograph))


def extent(photograph: Photograph) -> tuple[float, float] | None:
    """``(W, H)`` of a photograph in the pixels that a reduced reading left, of which the last may be cut.

    None where all pixels are there.
    """
    width, height = photograph.size
    by = photograph.reduction
    return None if by == 1 else (width / by, height / by)


def resize_planes(
    pixels: UInt8[Tensor, "H W 3"],
    size: tuple[int, int],
    filter_: str,
    covered: tuple[float, float] | None = None,
) -> Float[Tensor, "3 newH newW"]:
    """Pixels at another size, in [0, 1], computed where they are.

    Args:
        pixels: of a whole photograph.
        size: wanted ``(H, W)``.
        filter_: bilinear or bicubic.
        covered: as `extent` gives it.
    """
    planes = pixels.permute(2, 0, 1)
    if planes.shape[-2:] == size or filter_ == "bicubic-8bit":
        return planes.float().div_(255.0).contiguous()
    if pixels.device.type != "cpu":  # elsewhere both directions are one operation, with other last digits
        return _interpolated(planes.float().div_(255.0), size, filter_, covered).clamp_(0.0, 1.0)
    width = size[1]
    rows = max(1, BAND_BYTES // (planes.shape[-1] * 3 * 4))
    # Across band by band, then down: what `interpolate` does of the whole, without all of it in float32.
    along, down = covered or planes.shape[:0:-1]
    across = [
        _interpolated(band.float().div_(255.0), (band.shape[1], width), filter_, (along, band.shape[1]))
        for band in planes.split(rows, 1)
    ]
    return _interpolated(torch.cat(across, 1), size, filter_, (width, down)).clamp_(0.0, 1.0)


def _interpolated(
    planes: Tensor, size: tuple[int, int], filter_: str, covered: tuple[float, float] | None
) -> Tensor:
    """Resized; ``covered`` of the pixels, ``(W, H)``, fill the new size, where these are not all."""
    resized = partial(F.interpolate, planes[None], mode=filter_, antialias=True, align_corners=False)
    if covered is None or covered == planes.shape[:0:-1]:
        return resized(size=size)[0]
    # Torch rounds down how many there are, those of the part not covered included.
    scale = tuple((1 + 1e-12) * new / old for new, old in zip(size, covered[::-1], strict=True))
    return resized(scale_factor=scale)[0][:, : size[0], : size[1]]
