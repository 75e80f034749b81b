"""The pixels of a step's crops: pieces of photographs, resized to one size.

On a CPU piece by piece, from the mapped file; on a GPU all at once, from a copy of the photographs that lies
there. Both are bilinear with antialiasing and differ by at most a level or two of 255.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

STACK_SHARE = 0.25
"""Share of the GPU's free memory: larger collections are cut on the CPU."""


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Rectangles of photographs, and which of them are mirrored.

    Attributes:
        photographs: which one each is of.
        tops, lefts, heights, widths: in pixels.
        mirrored: left to right.
    """

    photographs: Int[np.ndarray, " crops"]
    tops: Int[np.ndarray, " crops"]
    lefts: Int[np.ndarray, " crops"]
    heights: Int[np.ndarray, " crops"]
    widths: Int[np.ndarray, " crops"]
    mirrored: Bool[np.ndarray, " crops"]

    def __len__(self) -> int:
        return len(self.photographs)


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Photographs on a device, each in the top left corner of a picture as large as the largest."""

    pixels: UInt8[Tensor, "photographs 3 H W"]


def stacked(pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]], device: torch.device) -> Stack | None:
    """Photographs on a GPU, if they take at most a fourth of the memory that is free there; None on a CPU."""
    if device.type != "cuda":
        return None
    sides = [pictures[i].shape[:2] for i in range(len(pictures))]
    height, width = (max(side[axis] for side in sides) for axis in (0, 1))
    if len(pictures) * 3 * height * width > STACK_SHARE * torch.cuda.mem_get_info(device)[0]:
        return None
    return stack(pictures, (height, width), device)


def stack(
    pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]], size: tuple[int, int], device: torch.device
) -> Stack:
    """Photographs of at most ``size`` (height, width), on a device."""
    pixels = torch.zeros(len(pictures), 3, *size, dtype=torch.uint8, device=device)
    for i in range(len(pictures)):
        h, w = pictures[i].shape[:2]
        pixels[i, :, :h, :w] = torch.from_numpy(np.array(pictures[i])).permute(2, 0, 1)
    return Stack(pixels)


def resized(
    pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]], stack: Stack | None, pieces: Pieces, px: int
) -> Float[Tensor, "crops 3 px px"]:
    """Every piece as a square, in [0, 1]: bilinear, with antialiasing, rounded to 8 bits.

    Args:
        pictures: the photographs.
        stack: the same, where they are cut on its device.
        pieces: of them.
        px: side of a square.
    """
    planes = _one_by_one(pictures, pieces, px) if stack is None else _together(stack, pieces, px)
    mirrored = torch.from_numpy(pieces.mirrored).to(planes.device)
    return torch.where(mirrored[:, None, None, None], planes.flip(-1), planes).float().div_(255.0)


def _one_by_one(
    pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]], pieces: Pieces, px: int
) -> UInt8[Tensor, "crops 3 px px"]:
    planes = torch.empty(len(pieces), 3, px, px, dtype=torch.uint8)
    places = zip(pieces.photographs, pieces.tops, pieces.lefts, pieces.heights, pieces.widths, strict=True)
    for plane, (i, top, left, h, w) in zip(planes, places, strict=True):
        piece = torch.from_numpy(np.array(pictures[int(i)][top : top + h, left : left + w]))
        plane.copy_(
            F.interpolate(piece.permute(2, 0, 1)[None], size=(px, px), mode="bilinear", antialias=True)[0]
        )
    return planes


def _together(stack: Stack, pieces: Pieces, px: int) -> Float[Tensor, "crops 3 px px"]:
    device = stack.pixels.device
    height, width = stack.pixels.shape[2:]
    down = _shares(pieces.tops, pieces.heights, height, px, device)
    across = _shares(pieces.lefts, pieces.widths, width, px, device)
    chosen = stack.pixels[torch.from_numpy(pieces.photographs).to(device)].float()
    return (down[:, None] @ chosen @ across[:, None].mT).round_().clamp_(0.0, 255.0)


def _shares(
    starts: Int[np.ndarray, " crops"],
    lengths: Int[np.ndarray, " crops"],
    side: int,
    px: int,
    device: torch.device,
) -> Float[Tensor, "crops px side"]:
    """What each pixel along a side gives to each of ``px``: triangles, as wide as a step, at least 1."""
    start, length = (torch.from_numpy(v).to(device, torch.float32)[:, None, None] for v in (starts, lengths))
    step = length / px
    centres = (torch.arange(px, device=device)[None, :, None] + 0.5) * step
    places = torch.arange(side, device=device)[None, None, :] - start + 0.5
    shares = (1 - (places - centres).abs() / step.clamp(min=1.0)).clamp_(min=0.0)
    shares = shares * ((places > 0) & (places < length))
    return shares / shares.sum(dim=2, keepdim=True)
