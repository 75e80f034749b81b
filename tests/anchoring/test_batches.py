from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dinoscope.anchoring.batches import Batch, batch_indices, batches, cut_batch
from dinoscope.anchoring.config import Machine, SecondStage, Settings
from dinoscope.anchoring.photographs import PhotographMemory, read_memory
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
