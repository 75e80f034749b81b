from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from dinoscope.anchoring.batches import Batch, batch_indices, batches, cut_batch
from dinoscope.anchoring.config import Machine, SecondStage, Settings
from dinoscope.anchoring.photographs import PhotographMemory, read_memory
from dinoscope.data.spec import IMAGENET_MEAN, IMAGENET_STD
from tests.anchoring.small_runs import CROPS, small, write_photographs


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> PhotographMemory:
    folder = write_photographs(tmp_path_factory.mktemp("photographs"), n=9, side=48)
    return read_memory(folder, batch=4, crop_px=16, memory_px=0)


def equal(one: Batch, other: Batch) -> bool:
    return all(
        torch.equal(getattr(one, name), getattr(other, name))
        for name in ("global_crops", "local_crops", "masks")
    )


def gram(scale: int, settings: Settings) -> Settings:
    return replace(settings, second_stage=SecondStage(start=1, anchor="gram", scale=scale))


def test_a_batch_depends_on_seed_and_step_alone(memory: PhotographMemory) -> None:
    settings = small()
    alone = cut_batch(memory, settings, 5)
    np.random.seed(1)  # the caller's random state must not matter
    torch.manual_seed(1)
    in_line = list(batches(memory, replace(settings, machine=Machine(workers=3)), 2))
    assert len(in_line) == 5
    assert equal(in_line[3], alone)
    assert not equal(in_line[2], alone)
    assert not equal(cut_batch(memory, replace(settings, seed=1), 5), alone)


def test_every_arm_sees_the_same_crops(memory: PhotographMemory) -> None:
    plain = cut_batch(memory, small(), 3)
    assert plain.clean_crops is None
    for scale in (1, 2):
        anchored = cut_batch(memory, gram(scale, small()), 3)
        assert equal(anchored, plain)
        assert anchored.clean_crops is not None
        assert anchored.clean_crops.shape == (8, 3, 16 * scale, 16 * scale)


def test_the_frozen_teacher_sees_the_same_places_undistorted(memory: PhotographMemory) -> None:
    still = small(crops=replace(CROPS, jitter=0.0))
    batch = cut_batch(memory, gram(1, still), 2)
    assert torch.equal(batch.global_crops, batch.clean_crops)
    moved = cut_batch(memory, gram(1, small(crops=replace(CROPS, jitter_share=1.0))), 2)
    assert torch.equal(moved.clean_crops, batch.clean_crops)
    assert bool(((moved.global_crops - moved.clean_crops).abs().amax(dim=(1, 2, 3)) > 0.05).all())
    fine = cut_batch(memory, gram(2, still), 2).clean_crops
    assert fine is not None
    near = (F.avg_pool2d(fine, 2) - batch.global_crops).abs().mean(dim=(1, 2, 3))
    far = (F.avg_pool2d(fine, 2) - batch.global_crops.roll(1, 0)).abs().mean(dim=(1, 2, 3))
    assert bool((near < 0.1 * far).all())


def test_pieces_are_resized_as_pillow_does_and_some_are_mirrored() -> None:
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (25, 25, 3), dtype=np.uint8) for _ in range(9)]
    memory = PhotographMemory(tuple("abcdefghi"), pictures, "d")
    whole = replace(CROPS, global_area=(1.0, 1.0), aspect=(1.0, 1.0), jitter=0.0)
    settings = small(batch=9, crops=whole)
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    mirrored = 0
    for step in range(1, 4):
        crops = cut_batch(memory, settings, step).global_crops.permute(0, 2, 3, 1) * std + mean
        for crop, i in zip(crops, [*batch_indices(9, settings, step)] * 2, strict=True):
            theirs = Image.fromarray(pictures[i]).resize((16, 16), Image.Resampling.BILINEAR)
            wanted = torch.from_numpy(np.array(theirs)) / 255
            far = [float((crop - w).abs().max()) for w in (wanted, wanted.flip(1))]
            assert min(far) < 1.01 / 255 < max(far)
            mirrored += far[1] < far[0]
    assert 9 < mirrored < 45


def test_jitter_is_brightness_contrast_and_saturation_in_this_order() -> None:
    random = np.random.default_rng(0)
    pictures = [random.integers(90, 130, (16, 16, 3), dtype=np.uint8) for _ in range(2)]
    memory = PhotographMemory(("a", "b"), pictures, "d")
    crops = replace(
        CROPS,
        n_local=0,
        global_area=(1.0, 1.0),
        aspect=(1.0, 1.0),
        jitter=0.3,
        jitter_share=1.0,
        grey_share=0.0,
    )
    settings = small(batch=2, crops=crops)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    luma = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    plain = (
        cut_batch(memory, replace(settings, crops=replace(crops, jitter=0.0)), 1).global_crops * std + mean
    )
    found = cut_batch(memory, settings, 1).global_crops * std + mean
    for x, y in zip(plain, found, strict=True):
        # Brightness, contrast and saturation that explain the crop, by least squares over its pixels.
        grey = (x * luma).sum(dim=0)
        level = grey.mean()
        design = torch.stack(
            [level.expand(768), (grey - level).expand(3, 16, 16).flatten(), (x - grey).flatten()], 1
        )
        b, bc, bcs = torch.linalg.lstsq(design.double(), y.flatten().double()).solution.tolist()
        assert torch.allclose(
            design.double() @ torch.tensor([b, bc, bcs]).double(), y.flatten().double(), atol=1e-5
        )
        assert all(0.69 < share < 1.31 for share in (b, bc / b, bcs / bc))
        assert abs(b - 1) > 1e-3
    grey_all = replace(settings, crops=replace(crops, grey_share=1.0))
    colours = cut_batch(memory, grey_all, 1).global_crops * std + mean
    assert float((colours.amax(dim=1) - colours.amin(dim=1)).max()) < 1e-5
    bright = [np.full((16, 16, 3), 250, np.uint8), np.full((16, 16, 3), 251, np.uint8)]
    clipped = cut_batch(PhotographMemory(("a", "b"), bright, "d"), settings, 2).global_crops * std + mean
    assert float(clipped.max()) < 1 + 1e-6 and float(clipped.min()) > -1e-6


def test_an_epoch_shows_each_photograph_at_most_once(memory: PhotographMemory) -> None:
    settings = small(batch=3)
    for first in (1, 4):
        seen = np.concatenate([batch_indices(9, settings, step) for step in range(first, first + 3)])
        assert sorted(seen) == list(range(9))
    epochs = [tuple(batch_indices(9, settings, step)) for step in (1, 4, 7)]
    assert len(set(epochs)) == 3
    assert len(batch_indices(10, settings, 3)) == 3


def test_half_the_global_crops_have_one_masked_block() -> None:
    settings = Settings(batch=5, crops=replace(Settings().crops, n_local=0))
    random = np.random.default_rng(0)
    pictures = tuple(random.integers(0, 256, (70, 80, 3), dtype=np.uint8) for _ in range(5))
    memory = PhotographMemory(tuple("abcde"), pictures, "d")
    sides: set[int] = set()
    for step in range(1, 30):
        batch = cut_batch(memory, settings, step)
        assert batch.local_crops.shape[0] == 0
        masks: Tensor = batch.masks.unflatten(1, (8, 8))
        assert int(batch.masks.any(dim=1).sum()) == 5
        for mask in masks[batch.masks.any(dim=1)]:
            rows, columns = mask.any(dim=1), mask.any(dim=0)
            h, w = int(rows.sum()), int(columns.sum())
            assert torch.equal(mask, rows[:, None] & columns[None, :])
            assert int(torch.diff(rows.int()).abs().sum()) <= 2  # one run of rows
            assert int(torch.diff(columns.int()).abs().sum()) <= 2
            sides |= {h, w}
    assert sides == {3, 4, 5, 6}


def test_crops_cover_the_shares_asked_for() -> None:
    """A picture whose colours are its coordinates tells how large a piece was."""
    side = 200
    ramp = np.linspace(0, 255, side).round().astype(np.uint8)
    picture = np.stack(
        [np.tile(ramp, (side, 1)), np.tile(ramp[:, None], (1, side)), np.zeros((side, side), np.uint8)], 2
    )
    settings = Settings(batch=2, crops=replace(Settings().crops, jitter=0.0))
    memory = PhotographMemory(("a", "b"), (picture, picture), "d")
    std = torch.tensor((0.229, 0.224)).view(1, 2, 1, 1)
    for step in range(1, 20):
        batch = cut_batch(memory, settings, step)
        for crops, (low, high) in ((batch.global_crops, (0.32, 1.0)), (batch.local_crops, (0.08, 0.3))):
            flat = (crops[:, :2] * std).flatten(2)
            width, height = (flat.amax(dim=2) - flat.amin(dim=2)).unbind(dim=1)
            shares = width * height
            assert bool(((shares > 0.85 * low - 0.01) & (shares < 1.02 * high)).all())
