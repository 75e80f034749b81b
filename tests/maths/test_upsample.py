"""Finer maps: constants stay, torch agrees, the guide keeps edges, parts equal the whole."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths import upsample
from dinoscope.maths.upsample import bilinear, joint_bilateral, nearest, upsampled, upsampling_bytes

SIZE = (35, 48)


def halves(h: int = 7, w: int = 9, border: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """A map of two kinds of patches, mixed where the photograph's border runs through one."""
    image = np.zeros((70, 96, 3))
    image[:, int(96 * border) :] = 1.0
    share = image[..., 0].reshape(70, 96)[0]
    cells = np.array([share[int(i * 96 / w) : int((i + 1) * 96 / w)].mean() for i in range(w)])
    features = np.stack([np.broadcast_to(cells, (h, w)), np.broadcast_to(1 - cells, (h, w))], axis=2)
    return features.astype(np.float32), image


@pytest.mark.parametrize("how", ["nearest", "bilinear", "joint"])
def test_a_constant_map_stays_constant(how):
    image = np.random.default_rng(0).random((70, 96, 3))
    features = np.full((7, 9, 5), 3.5, np.float32)
    found = upsampled(features, SIZE, how, image)
    assert found.shape == (*SIZE, 5)
    np.testing.assert_allclose(found, 3.5, atol=1e-5)


def test_bilinear_and_nearest_are_torchs():
    features = np.random.default_rng(0).standard_normal((7, 9, 4)).astype(np.float32)
    maps = torch.from_numpy(features).permute(2, 0, 1)[None]
    linear = torch.nn.functional.interpolate(maps, size=SIZE, mode="bilinear", align_corners=False)
    np.testing.assert_allclose(bilinear(features, SIZE), linear[0].permute(1, 2, 0).numpy(), atol=1e-5)
    exact = torch.nn.functional.interpolate(maps, size=SIZE, mode="nearest-exact")
    assert np.array_equal(nearest(features, SIZE), exact[0].permute(1, 2, 0).numpy())
    one = features[:1, :1]
    np.testing.assert_allclose(bilinear(one, (3, 3)), np.broadcast_to(one, (3, 3, 4)), rtol=1e-6)


def test_the_guide_brings_the_border_back_to_where_the_photograph_has_it():
    features, image = halves(border=0.55)
    truth = np.arange(48) >= 0.55 * 48
    guided = joint_bilateral(features, image, SIZE)[10, :, 0]
    plain = bilinear(features, SIZE)[10, :, 0]
    off = np.abs(np.arange(48) - 0.55 * 48) > 1
    assert np.abs(guided - truth)[off].mean() < 0.3 * np.abs(plain - truth)[off].mean()


def test_parts_equal_the_whole():
    rng = np.random.default_rng(0)
    features, image = rng.standard_normal((7, 9, 4)).astype(np.float32), rng.random((70, 96, 3))
    whole = joint_bilateral(features, image, SIZE)
    assert np.array_equal(joint_bilateral(features, image, SIZE, rows_bytes=1), whole)


@pytest.mark.parametrize("how", ["nearest", "bilinear", "joint"])
@pytest.mark.parametrize(("grid", "size", "dim"), [((8, 12), (64, 96), 96), ((16, 16), (64, 64), 384)])
def test_what_it_takes_is_what_was_said(monkeypatch, how, grid, size, dim):
    monkeypatch.setattr(upsample, "ROWS_BYTES", 2**18)
    rng = np.random.default_rng(0)
    features, image = rng.standard_normal((*grid, dim)).astype(np.float32), rng.random((70, 96, 3))
    tracemalloc.start()
    try:
        upsampled(features, size, how, image)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    said = upsampling_bytes(features.shape, size, (70, 96))
    assert size[0] * size[1] * dim * 4 < peak <= said
    assert said < 4 * peak


def test_a_colour_of_none_of_its_patches_is_taken_from_the_plain_map():
    image = np.zeros((4, 4, 3))
    image[1, 1] = 1e6
    features = np.random.default_rng(0).standard_normal((2, 2, 3)).astype(np.float32)
    assert np.isfinite(joint_bilateral(features, image, (4, 4))).all()


def test_any_function_can_be_the_way_and_is_held_to_its_shape():
    features, image = halves()
    assert np.array_equal(
        upsampled(features, SIZE, lambda f, i, s: nearest(f, s), image), nearest(features, SIZE)
    )
    with pytest.raises(ShapeError, match="the upsampler's result"):
        upsampled(features, SIZE, lambda f, i, s: f, image)


def test_what_cannot_be_is_refused():
    features, image = halves()
    with pytest.raises(InputError, match="nearest, bilinear, joint"):
        upsampled(features, SIZE, "lanczos", image)
    with pytest.raises(InputError, match="needs the photograph"):
        upsampled(features, SIZE, "joint")
    with pytest.raises(InputError, match="smaller"):
        upsampled(features, (3, 48))
    with pytest.raises(InputError, match="NaN"):
        upsampled(np.full((2, 2, 2), np.nan, np.float32), (4, 4))
