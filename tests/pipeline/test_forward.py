from __future__ import annotations

import numpy as np
import pytest
import torch

from dinoscope.data.grid import PatchGrid
from dinoscope.io.images import photograph_from_array
from dinoscope.pipeline.forward import (
    LARGEST_REDUCTION,
    ForwardPass,
    Route,
    model_pixels,
    prepared,
    reduction,
    route_for,
)
from tests.fakes import FakeBackbone

PHOTO = photograph_from_array(
    np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8), name="p"
)
GRID = PatchGrid(4, 6, 8, PHOTO.size)
HERE = Route(resize_there=False, pinned=False, deferred=0)
THERE = Route(resize_there=True, pinned=False, deferred=0)


def test_only_cuda_copies_beside_its_arithmetic() -> None:
    assert route_for("cuda", "bilinear") == Route(resize_there=True, pinned=True, deferred=1)
    assert route_for("cuda", "bicubic-8bit") == Route(resize_there=False, pinned=True, deferred=1)
    for device in ("cpu", "mps"):
        assert route_for(device, "bilinear") == HERE


@pytest.mark.parametrize("filter_", ["bilinear", "bicubic"])
def test_where_it_is_resized_makes_no_difference(filter_: str) -> None:
    spec, cpu = FakeBackbone().spec, torch.device("cpu")
    here, there = (
        model_pixels([prepared(PHOTO, GRID, filter_, route)] * 2, spec, filter_, cpu)
        for route in (HERE, THERE)
    )
    assert here.shape == (2, 3, 32, 48)
    torch.testing.assert_close(here, there)


def test_pixels_sent_as_they_are_stay_as_they_are() -> None:
    sent = prepared(PHOTO, GRID, "bilinear", THERE)
    assert sent.pixels.dtype == torch.uint8 and sent.pixels.shape == (50, 70, 3)
    assert sent.n_bytes == 2 * 50 * 70 * 3
    model_pixels([sent], FakeBackbone().spec, "bilinear", torch.device("cpu"))
    np.testing.assert_array_equal(sent.pixels.numpy(), PHOTO.pixels)


def test_what_shrinks_too_much_for_a_cuda_block_is_resized_here() -> None:
    small = PatchGrid(1, 1, 8, (8 * 33, 8))
    large = photograph_from_array(np.zeros((8, 8 * 33, 3), np.uint8), name="wide")
    assert reduction(large.size, small) == 33 > LARGEST_REDUCTION
    sent = prepared(large, small, "bilinear", THERE)
    assert sent.pixels.dtype == torch.float32 and sent.pixels.shape == (3, 8, 8)
    mixed = [sent, prepared(photograph_from_array(large.pixels[:, :64], name="n"), small, "bilinear", THERE)]
    assert mixed[1].pixels.dtype == torch.uint8
    assert model_pixels(mixed, FakeBackbone().spec, "bilinear", torch.device("cpu")).shape == (2, 3, 8, 8)


def test_a_forward_pass_gives_float32_on_the_host() -> None:
    passing = ForwardPass(FakeBackbone(), (1,), "bilinear", final_norm=True)
    outputs = passing.start([prepared(PHOTO, GRID, "bilinear", passing.route)])()
    assert outputs.patches[1].shape == (1, 4, 6, 12)
    assert outputs.patches[1].dtype == torch.float32
