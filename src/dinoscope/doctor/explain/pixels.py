"""From a photograph to the pixels that a recipe feeds a network, its mistakes included."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from dinoscope.data.grid import PatchGrid
from dinoscope.data.photograph import Photograph
from dinoscope.data.spec import BackboneSpec
from dinoscope.doctor.diagnosis import Recipe
from dinoscope.io.images import photograph_from_array
from dinoscope.io.resize import filter_name, resize_pixels
from dinoscope.names import path_named

SCALES: Mapping[str, float] = {"unit": 1.0, "255": 255.0, "twice": 1 / 255}
"""What colours in [0, 1] are multiplied by before they are normalised."""

FILTERS: Mapping[str, str] = {
    "bilinear": "a bilinear filter in float32 with antialiasing",
    "bicubic": "a bicubic filter in float32 with antialiasing",
    "official": "the resize of the model's authors",
    "bilinear-8bit": "a bilinear filter on 8-bit colours (Pillow)",
    "bicubic-8bit": "a bicubic filter on 8-bit colours (Pillow)",
    "lanczos-8bit": "a Lanczos filter on 8-bit colours (Pillow)",
    "bilinear-plain": "a bilinear filter without antialiasing",
    "bicubic-plain": "a bicubic filter without antialiasing",
    "nearest": "no filter, the nearest pixel",
}
"""By name, with what they mean."""

CROPS: Mapping[str, str] = {
    "whole": "the whole photograph, on the nearest whole grid",
    "center": "the central square of the photograph",
    "center-256": "the central square, of 224/256 of the short side (resize 256, crop 224)",
    "squash": "the whole photograph squashed into a square",
}
"""By name, with what they mean."""

_PILLOW = {
    "bilinear-8bit": Image.Resampling.BILINEAR,
    "bicubic-8bit": Image.Resampling.BICUBIC,
    "lanczos-8bit": Image.Resampling.LANCZOS,
}


def stored_photograph(photograph: Photograph) -> Photograph | None:
    """The photograph without its EXIF orientation; None where that is the same, or where there is no file."""
    path = path_named(photograph.source)
    if "EXIF orientation applied" not in photograph.notes or not os.path.isfile(path):
        return None
    with Image.open(path) as image:
        return photograph_from_array(np.array(image.convert("RGB")), name=photograph.name)


def wrong_pixels(
    photograph: Photograph, recipe: Recipe, spec: BackboneSpec
) -> tuple[Float[Tensor, "1 3 H W"], tuple[int, int]]:
    """What the network is fed, and the ``(h, w)`` of its grid.

    Args:
        photograph: in the orientation that the recipe names.
        recipe: of it are used grid, crop, resize, scale, channels, mean and std.
        spec: of the model.
    """
    planes, shape = _planes(photograph, recipe, spec)
    planes = planes * SCALES[recipe.scale]
    if recipe.channels == "bgr":
        planes = planes.flip(0)
    mean = torch.tensor(recipe.mean or spec.mean).view(3, 1, 1)
    std = torch.tensor(recipe.std or spec.std).view(3, 1, 1)
    return ((planes - mean) / std)[None], shape


def _planes(
    photograph: Photograph, recipe: Recipe, spec: BackboneSpec
) -> tuple[Float[Tensor, "3 H W"], tuple[int, int]]:
    filter_ = recipe.resize
    if filter_ == "official":
        filter_ = filter_name("official", spec.family)
    side = spec.patch_size
    grid = PatchGrid.fit(photograph.size, side, grid=recipe.grid)
    if recipe.crop == "whole":
        return _resized(photograph, grid.input_size, filter_), grid.shape
    short = min(grid.shape)
    edge = short * side
    if recipe.crop == "squash":
        return _resized(photograph, (edge, edge), filter_), (short, short)
    before = edge if recipe.crop == "center" else round(edge * 256 / 224)
    width, height = photograph.size
    # The long side is cut to a whole number and the borders are rounded, as torchvision does it.
    size = (before, before * width // height) if height <= width else (before * height // width, before)
    resized = _resized(photograph, size, filter_)
    top, left = (round((length - edge) / 2) for length in size)
    return resized[:, top : top + edge, left : left + edge].contiguous(), (short, short)


def _resized(photograph: Photograph, size: tuple[int, int], filter_: str) -> Float[Tensor, "3 H W"]:
    if filter_ in ("bilinear", "bicubic"):
        return resize_pixels(photograph, size, filter_)
    pixels: UInt8[np.ndarray, "H W 3"] = np.array(photograph.pixels)
    if filter_ in _PILLOW:
        pixels = np.array(Image.fromarray(pixels).resize((size[1], size[0]), _PILLOW[filter_]))
    planes = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255.0
    if planes.shape[-2:] == size:
        return planes
    mode = {"bilinear-plain": "bilinear", "bicubic-plain": "bicubic", "nearest": "nearest"}[filter_]
    corners = None if mode == "nearest" else False
    return F.interpolate(planes[None], size=size, mode=mode, align_corners=corners)[0].clamp(0.0, 1.0)
