"""The batch of a step: which photographs, which crops of them, which patches are masked."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from dinoscope.anchoring.config import Crops, Settings
from dinoscope.anchoring.photographs import PhotographMemory
from dinoscope.anchoring.seeds import Purpose, generator
from dinoscope.data.spec import IMAGENET_MEAN, IMAGENET_STD

N_GLOBAL = 2
LUMA = torch.tensor([[0.299, 0.587, 0.114]])
"""Weights of red, green and blue in a grey. Source: ITU-R BT.601."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Crops of one step, normalised with ImageNet's mean and standard deviation.

    The first axis is crop-major: all photographs' first crops, then all second crops.

    Attributes:
        global_crops, local_crops: with photometric distortion. No local crops: an axis of length 0.
        clean_crops: the places of ``global_crops`` without distortion, ``scale`` times as large; None
            where no anchor asks for them.
        masks: true for the patches that the student does not see, row-major.
    """

    global_crops: Float[Tensor, "crops 3 H H"]
    local_crops: Float[Tensor, "locals 3 _ _"]
    clean_crops: Float[Tensor, "crops 3 _ _"] | None
    masks: Bool[Tensor, "crops n"]

    def to(self, device: torch.device) -> Batch:
        """On another device."""
        clean = None if self.clean_crops is None else self.clean_crops.to(device)
        return Batch(self.global_crops.to(device), self.local_crops.to(device), clean, self.masks.to(device))


def batch_indices(n_photographs: int, settings: Settings, step: int) -> Int[np.ndarray, " batch"]:
    """The photographs of a step, counted from 1.

    Every epoch is a new order of all photographs; its last incomplete batch is left out.
    """
    per_epoch = n_photographs // settings.batch
    epoch, place = divmod(step - 1, per_epoch)
    order = generator(settings.seed, Purpose.ORDER, epoch).permutation(n_photographs)
    return order[place * settings.batch : (place + 1) * settings.batch]


def cut_batch(photographs: PhotographMemory, settings: Settings, step: int) -> Batch:
    """The batch of a step; depends on the photographs, the settings and the step alone."""
    crops = settings.crops
    random = generator(settings.seed, Purpose.BATCH, step)
    stage = settings.second_stage
    clean_px = crops.global_px * stage.scale if stage is not None and stage.anchor != "none" else 0
    pictures = [photographs.pixels[int(i)] for i in batch_indices(len(photographs), settings, step)]
    wide = _pieces(pictures * N_GLOBAL, crops.global_area, crops.aspect, random)
    narrow = _pieces(pictures * crops.n_local, crops.local_area, crops.aspect, random)
    return Batch(
        global_crops=_distorted(_planes(wide, crops.global_px), crops, random),
        local_crops=_distorted(_planes(narrow, crops.local_px), crops, random),
        clean_crops=_normalised(_planes(wide, clean_px)) if clean_px else None,
        masks=_masks(len(wide.pictures), settings.grid, crops, random),
    )


def batches(photographs: PhotographMemory, settings: Settings, first: int) -> Generator[Batch, None, None]:
    """The batches of steps ``first`` to the last, each cut while the one before is learnt from."""
    workers = settings.machine.workers
    ahead = workers + 1
    pool = ThreadPoolExecutor(workers, thread_name_prefix="crops")
    waiting: list[Future[Batch]] = []
    try:
        steps = iter(range(first, settings.steps + 1))
        for step in steps:
            waiting.append(pool.submit(cut_batch, photographs, settings, step))
            if len(waiting) > ahead:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Rectangles of pictures (views), and which of them are to be mirrored."""

    pictures: list[UInt8[np.ndarray, "_ _ 3"]]
    mirrored: Bool[np.ndarray, " crops"]


def _pieces(
    pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    area: tuple[float, float],
    aspect: tuple[float, float],
    random: np.random.Generator,
) -> _Pieces:
    """A random rectangle of each picture, every other one mirrored."""
    n = len(pictures)
    heights, widths = (np.array([picture.shape[i] for picture in pictures], dtype=int) for i in (0, 1))
    pixels = heights * widths * random.uniform(*area, size=n)
    shapes = np.exp(random.uniform(math.log(aspect[0]), math.log(aspect[1]), size=n))
    w = np.clip(np.rint(np.sqrt(pixels * shapes)).astype(int), 1, widths)
    h = np.clip(np.rint(np.sqrt(pixels / shapes)).astype(int), 1, heights)
    tops, lefts = random.integers(heights - h + 1), random.integers(widths - w + 1)
    places = zip(pictures, tops, lefts, h, w, strict=True)
    return _Pieces(
        [picture[top : top + h, left : left + w] for picture, top, left, h, w in places],
        random.random(n) < 0.5,
    )


def _planes(pieces: _Pieces, px: int) -> Float[Tensor, "crops 3 px px"]:
    """Every piece resized to a square, in [0, 1]: bilinear, with antialiasing, rounded to 8 bits."""
    planes = torch.empty(len(pieces.pictures), 3, px, px, dtype=torch.uint8)
    for plane, picture in zip(planes, pieces.pictures, strict=True):
        piece = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
        plane.copy_(F.interpolate(piece, size=(px, px), mode="bilinear", antialias=True)[0])
    mirrored = torch.from_numpy(pieces.mirrored)
    planes[mirrored] = planes[mirrored].flip(-1)
    return planes.float().div_(255.0)


def _normalised(planes: Float[Tensor, "crops 3 H W"]) -> Float[Tensor, "crops 3 H W"]:
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return (planes - mean).div_(std)


def _distorted(
    planes: Float[Tensor, "crops 3 H W"], crops: Crops, random: np.random.Generator
) -> Float[Tensor, "crops 3 H W"]:
    """Brightness, contrast, saturation, in this order, of some crops; some others lose their colour.

    All three are linear in the colours, so each crop has one matrix for them and the normalisation; what
    leaves [0, 1] is clipped once, at the end. Hue, blur and solarisation of DINOv2's recipe are left out:
    they cost more than the rest together.
    """
    n = len(planes)
    if n == 0 or crops.jitter == 0:
        return _normalised(planes)
    draws = random.uniform(1 - crops.jitter, 1 + crops.jitter, size=(3, n))
    draws[:, random.random(n) >= crops.jitter_share] = 1.0
    draws[2, random.random(n) < crops.grey_share] = 0.0
    brightness, contrast, saturation = torch.from_numpy(draws.astype(np.float32)).view(3, n, 1, 1)
    mean, std = (torch.tensor(v).view(3, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    flat = planes.flatten(2)
    level = brightness * (1 - contrast) * (LUMA @ flat.mean(dim=2, keepdim=True))
    colours = brightness * contrast * (saturation * torch.eye(3) + (1 - saturation) * LUMA)
    moved = torch.baddbmm((level - mean) / std, colours / std, flat)
    return torch.clamp_(moved, -mean / std, (1 - mean) / std).view_as(planes)


def _masks(n_crops: int, grid: int, crops: Crops, random: np.random.Generator) -> Bool[Tensor, "crops n"]:
    """One block on each of ``mask_share`` of the crops."""
    masks = np.zeros((n_crops, grid, grid), dtype=bool)
    low, high = crops.mask_side
    for i in random.permutation(n_crops)[: round(n_crops * crops.mask_share)]:
        h, w = random.integers(low, high + 1, size=2)
        top, left = random.integers(grid - h + 1), random.integers(grid - w + 1)
        masks[i, top : top + h, left : left + w] = True
    return torch.from_numpy(masks.reshape(n_crops, -1))
