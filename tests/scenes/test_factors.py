"""Lighting, blur and noise change the photograph alone, and each in its own way."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from scipy import ndimage

from dinoscope.scenes.generate import scene
from tests.scenes.reference import drawn

PLAIN = {"lighting": 0.0, "blur": 0.0, "noise": 0.0}


@lru_cache
def made(index=0, side=64, **factors):
    return scene(3, index=index, size=(side, side), **PLAIN | factors)


def pixels(index=0, side=64, **factors):
    return made(index, side, **factors).first.image.astype(float)


def edges(image, where):
    return np.abs(np.diff(image, axis=1)).mean(axis=-1)[where[:, 1:]].mean()


@pytest.mark.parametrize("factor", sorted(PLAIN))
@pytest.mark.parametrize("index", [0, 1])
def test_each_factor_changes_both_images_and_neither_masks_nor_depth_nor_flow(factor, index):
    plain, changed = made(index), made(index, **{factor: 1.0})
    assert (plain.label, plain.objects, plain.order) == (changed.label, changed.objects, changed.order)
    for a, b in ((plain.first, changed.first), (plain.second, changed.second)):
        assert (a.image != b.image).mean() > 0.2
        for name in ("instances", "classes", "parts", "depth"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    np.testing.assert_array_equal(plain.flow, changed.flow)
    np.testing.assert_array_equal(plain.valid, changed.valid)


@pytest.mark.parametrize("factor", sorted(PLAIN))
def test_half_of_a_factor_changes_less_than_all_of_it(factor):
    plain, half, full = (pixels(1, **{factor: value}) for value in (0.0, 0.5, 1.0))
    assert 0 < np.abs(half - plain).mean() < 0.9 * np.abs(full - plain).mean()


def test_noise_1_is_about_11_levels_at_mid_grey_and_noise_a_half_is_half():
    plain = pixels(1)
    grey = (plain > 118) & (plain < 138)
    assert grey.sum() > 200
    noise = (pixels(1, noise=1.0) - plain)[grey]
    assert noise.std() == pytest.approx(11, abs=1.5)
    assert abs(noise.mean()) < 2
    assert (pixels(1, noise=0.5) - plain)[grey].std() == pytest.approx(noise.std() / 2, rel=0.1)


def test_noise_is_of_the_sensor_and_differs_between_the_views():
    changed, plain = made(1, noise=1.0), made(1)
    first, second = (
        b.image.astype(float) - a.image
        for a, b in ((plain.first, changed.first), (plain.second, changed.second))
    )
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.1
    assert abs(np.corrcoef(first[:, 1:].ravel(), first[:, :-1].ravel())[0, 1]) < 0.1


@pytest.mark.parametrize("index", [0, 2])
def test_blur_leaves_the_main_subject_sharp_and_softens_what_is_far_behind(index):
    scenery = made(index, 96)
    assert scenery.order[0] == 1  # nothing is in front of it
    main = ndimage.binary_erosion(scenery.first.instances == 1, iterations=3)
    far = ndimage.binary_erosion(scenery.first.depth > 1.5 * scenery.objects[0].depth, iterations=3)
    plain, blurred = pixels(index, 96), pixels(index, 96, blur=1.0)
    np.testing.assert_array_equal(blurred[main], plain[main])
    assert far.sum() > 100
    assert edges(blurred, far) < 0.75 * edges(plain, far)


def sunset(layout):
    x, y, z = layout.light.towards
    light = replace(layout.light, towards=(-x, y, z), sun=(1.3, 0.9, 0.6), balance=(0.1, 0.0, -0.1))
    return replace(layout, light=light)


def test_without_lighting_surfaces_have_their_own_colours_under_any_sun():
    plain, moved = drawn(3, 1, (64, 64)), drawn(3, 1, (64, 64), sunset)
    np.testing.assert_array_equal(plain.scene.first.image, moved.scene.first.image)
    lit, moved = (drawn(3, 1, (64, 64), move, lighting=1.0).scene.first for move in (None, sunset))
    assert np.abs(lit.image.astype(float) - moved.image).mean() > 5
    np.testing.assert_array_equal(lit.instances, moved.instances)
