"""Crops cut all at once, as a GPU does it, beside the same crops cut one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from dinoscope.anchoring.batches import cut_batch
from dinoscope.anchoring.cutting import Pieces, Stack, resized, stack, stacked
from dinoscope.anchoring.photographs import PhotographMemory
from tests.anchoring.small_runs import CROPS, small

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """Blobs of several sizes: of noise alone the last bits say little."""
    random = np.random.default_rng(0)
    coarse = [random.integers(0, 256, (9, 11, 3), dtype=np.uint8) for _ in range(7)]
    sizes = random.integers(40, 97, (7, 2))
    return [
        np.asarray(Image.fromarray(c).resize(tuple(map(int, size)), Image.Resampling.BICUBIC))
        for c, size in zip(coarse, sizes, strict=True)
    ]


def together(pictures: list[np.ndarray]) -> Stack:
    size = tuple(max(p.shape[axis] for p in pictures) + 3 for axis in (0, 1))
    return stack(pictures, size, CPU)


@pytest.mark.parametrize("px", [5, 16, 40, 120])
def test_pieces_are_the_same_one_by_one_and_together(pictures: list[np.ndarray], px: int) -> None:
    random = np.random.default_rng(1)
    chosen = random.integers(0, 7, 40)
    sides = np.array([pictures[i].shape[:2] for i in chosen])
    lengths = random.integers(1, sides + 1)
    starts = random.integers(sides - lengths + 1)
    pieces = Pieces(chosen, starts[:, 0], starts[:, 1], lengths[:, 0], lengths[:, 1], random.random(40) < 0.5)
    alone, at_once = resized(pictures, None, pieces, px), resized(pictures, together(pictures), pieces, px)
    assert alone.shape == at_once.shape == (40, 3, px, px)
    assert float((alone - at_once).abs().max()) < 1.5 / 255
    still = replace(pieces, mirrored=np.zeros(40, dtype=bool))
    assert float((resized(pictures, together(pictures), still, px) - at_once).abs().max()) > 0.1


def test_a_batch_is_the_same_one_by_one_and_together(pictures: list[np.ndarray]) -> None:
    memory = PhotographMemory(tuple("abcdefg"), pictures, "d")
    settings = small(crops=replace(CROPS, jitter=0.0))
    alone, at_once = cut_batch(memory, settings, 3), cut_batch(memory, settings, 3, together(pictures))
    for one, other in ((alone.global_crops, at_once.global_crops), (alone.local_crops, at_once.local_crops)):
        assert float((one - other).abs().max()) < 1.5 / 255 / 0.224
    assert torch.equal(alone.masks, at_once.masks)


def test_no_photographs_are_copied_for_a_cpu(pictures: list[np.ndarray]) -> None:
    assert stacked(pictures, CPU) is None
