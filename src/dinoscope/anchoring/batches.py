"""The batch of a step: which photographs, which crops of them, which patches are masked."""

from __future__ import annotations

import math
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dinoscope.anchoring.config import Crops, Settings
from dinoscope.anchoring.cutting import Pieces, Stack, resized, stacked
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


def cut_batch(
    photographs: PhotographMemory, settings: Settings, step: int, stack: Stack | None = None
) -> Batch:
    """The batch of a step; depends on the photographs, the settings and the step alone.

    Args:
        photographs: to cut from.
        settings: of the run.
        step: counted from 1.
        stack: the photographs on the device where crops are cut; None for the CPU.
    """
    crops = settings.crops
    random = generator(settings.seed, Purpose.BATCH, step)
    stage = settings.second_stage
    clean_px = crops.global_px * stage.scale if stage is not None and stage.anchor != "none" else 0
    pictures = photographs.pixels
    chosen = batch_indices(len(photographs), settings, step)
    sides = np.array([pictures[int(i)].shape[:2] for i in chosen], dtype=int)
    wide = _pieces(chosen, sides, N_GLOBAL, crops.global_area, crops.aspect, random)
    narrow = _pieces(chosen, sides, crops.n_local, crops.local_area, crops.aspect, random)

    def cut(pieces: Pieces, px: int) -> Float[Tensor, "crops 3 px px"]:
        return resized(pictures, stack, pieces, px)

    return Batch(
        global_crops=_distorted(cut(wide, crops.global_px), crops, random),
        local_crops=_distorted(cut(narrow, crops.local_px), crops, random),
        clean_crops=_normalised(cut(wide, clean_px)) if clean_px else None,
        masks=_masks(len(wide), settings.grid, crops, random),
    )


def batches(
    photographs: PhotographMemory, settings: Settings, first: int, device: torch.device | None = None
) -> Generator[Batch, None, None]:
    """The batches of steps ``first`` to the last, each cut while the one before is learnt from.

    Args:
        photographs: to cut from.
        settings: of the run.
        first: counted from 1.
        device: a GPU to cut on; None for the CPU. The places are the same on both.
    """
    stack = None if device is None else stacked(photographs.pixels, device)
    workers = settings.machine.workers
    ahead = workers + 1
    pool = ThreadPoolExecutor(workers, thread_name_prefix="crops")
    waiting: list[Future[Batch]] = []
    try:
        steps = iter(range(first, settings.steps + 1))
        for step in steps:
            waiting.append(pool.submit(cut_batch, photographs, settings, step, stack))
            if len(waiting) > ahead:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _pieces(
    photographs: Int[np.ndarray, " batch"],
    sides: Int[np.ndarray, "batch 2"],
    times: int,
    area: tuple[float, float],
    aspect: tuple[float, float],
    random: np.random.Generator,
) -> Pieces:
    """A random rectangle of each photograph, so many times over; every other one mirrored."""
    heights, widths = np.tile(sides, (times, 1)).T
    n = len(heights)
    pixels = heights * widths * random.uniform(*area, size=n)
    shapes = np.exp(random.uniform(math.log(aspect[0]), math.log(aspect[1]), size=n))
    w = np.clip(np.rint(np.sqrt(pixels * shapes)).astype(int), 1, widths)
    h = np.clip(np.rint(np.sqrt(pixels / shapes)).astype(int), 1, heights)
    tops, lefts = random.integers(heights - h + 1), random.integers(widths - w + 1)
    return Pieces(np.tile(photographs, times), tops, lefts, h, w, random.random(n) < 0.5)


def _normalised(planes: Float[Tensor, "crops 3 H W"]) -> Float[Tensor, "crops 3 H W"]:
    mean, std = (torch.tensor(v, device=planes.device).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
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
    there = planes.device
    drawn = torch.from_numpy(draws.astype(np.float32)).to(there)
    brightness, contrast, saturation = drawn.view(3, n, 1, 1)
    mean, std = (torch.tensor(v, device=there).view(3, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    flat, luma = planes.flatten(2), LUMA.to(there)
    level = brightness * (1 - contrast) * (luma @ flat.mean(dim=2, keepdim=True))
    colours = brightness * contrast * (saturation * torch.eye(3, device=there) + (1 - saturation) * luma)
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
