"""Planted photographs and causes are what they say."""

import numpy as np
import pytest

from dinoscope.data.grid import PatchGrid
from dinoscope.maths.masks import patch_labels
from validation import planted
from validation.causes import CAUSES
from validation.planted import DIM, PLACE_DIRECTIONS, SIDE, centres, draw_planted, draw_world
from validation.subject import Subject

WORLD = draw_world(3)
PHOTO = draw_planted(WORLD, 0)
SOUND = Subject(WORLD, PHOTO).see()


@pytest.mark.parametrize("key", CAUSES)
def test_a_neutral_amount_changes_nothing_and_the_planted_one_does(key):
    neutral = Subject(WORLD, PHOTO, CAUSES[key], CAUSES[key].neutral).see()
    np.testing.assert_allclose(neutral, SOUND, atol=1e-12)
    changed = Subject(WORLD, PHOTO, CAUSES[key]).see()
    assert changed.shape != SOUND.shape or np.abs(changed - SOUND).max() > 0.05


def test_nothing_is_drawn_anew():
    again = Subject(draw_world(3), draw_planted(draw_world(3), 0), CAUSES["noise"]).see("second")
    np.testing.assert_array_equal(again, Subject(WORLD, PHOTO, CAUSES["noise"]).see("second"))


def test_shuffling_keeps_the_patches_and_moves_them():
    rows = Subject(WORLD, PHOTO, CAUSES["shuffle"]).see().reshape(-1, DIM)
    before = SOUND.reshape(-1, DIM)
    np.testing.assert_array_equal(np.sort(rows[:, 0]), np.sort(before[:, 0]))
    assert (rows == before).all(axis=1).mean() < 0.05


def test_rotation_keeps_lengths_and_products():
    turned = Subject(WORLD, PHOTO, CAUSES["rotation"])
    a, b = SOUND.reshape(-1, DIM), turned.see().reshape(-1, DIM)
    np.testing.assert_allclose(a @ a.T, b @ b.T, atol=1e-10)
    np.testing.assert_allclose(a @ Subject(WORLD, PHOTO).cls, b @ turned.cls, atol=1e-10)


def test_outliers_are_as_many_and_as_long_as_said():
    cause = CAUSES["outliers"]
    norms = np.linalg.norm(Subject(WORLD, PHOTO, cause).see(), axis=2)
    changed = np.abs(norms - np.linalg.norm(SOUND, axis=2)) > 1e-9
    assert changed.sum() == cause.amount
    assert norms[changed].min() > 4 * np.median(norms)


def test_a_finer_grid_samples_the_same_field():
    fine = planted.field(PHOTO, centres(2 * SIDE, 2 * SIDE))
    offset = np.array([0.25, 0.25]) / SIDE
    np.testing.assert_allclose(planted.field(PHOTO, centres(SIDE, SIDE) - offset), fine[::2, ::2], atol=1e-12)


def test_views_show_the_field_where_they_say():
    assert Subject(WORLD, PHOTO, CAUSES["finer"]).shift == 2 * Subject(WORLD, PHOTO).shift
    quiet = centres(SIDE, SIDE)
    whole = planted.field(PHOTO, quiet)
    by = Subject(WORLD, PHOTO).shift
    gaps = {
        "flip": Subject(WORLD, PHOTO).see("flip")[:, ::-1] - whole,
        "shift": Subject(WORLD, PHOTO).see("shift")[by:, by:] - whole[:-by, :-by],
    }
    for gap in gaps.values():  # what is left is the noise of a view
        assert np.sqrt((gap**2).sum(axis=-1).mean()) == pytest.approx(planted.NOISE_LENGTH, rel=0.05)


def test_flow_says_where_a_patch_went():
    there, valid = Subject(WORLD, PHOTO).flow
    dx, dy, scale = PHOTO.motion
    back = (there - 0.5 - np.array([dx, dy])) / scale + 0.5
    np.testing.assert_allclose(back, centres(SIDE, SIDE), atol=1e-12)
    assert 0.3 < valid.mean() < 0.95
    assert min(abs(dx), abs(dy)) > 0.1  # farther than the tolerance of PCK


def test_the_positional_field_lies_in_the_basis_that_is_known():
    basis = Subject(WORLD, PHOTO).subject.place_basis
    values = planted.position_field(WORLD, centres(SIDE, SIDE)).reshape(-1, DIM)
    assert len(basis) == PLACE_DIRECTIONS
    centred = values - values.mean(axis=0)
    np.testing.assert_allclose(centred @ basis.T @ basis, centred, atol=1e-10)


def test_regions_objects_and_colours_belong_together():
    s = Subject(WORLD, PHOTO)
    assert s.seen.pixels.shape == (planted.PIXELS, planted.PIXELS, 3)
    assert len(s.seen.regions.boxes) == planted.object_cells(PHOTO).sum() >= 2
    assert all(
        0 <= left < right <= 1 and 0 <= top < bottom <= 1 for left, top, right, bottom in s.seen.regions.boxes
    )
    cells = planted.cells(PHOTO, centres(planted.PIXELS, planted.PIXELS))
    spread = np.mean([s.seen.pixels[cells == c].std(axis=0).mean() for c in np.unique(cells)])
    assert spread < 0.5 * s.seen.pixels.reshape(-1, 3).std(axis=0).mean()
    assert {0, 1} == set(np.unique(s.seen.regions.objects.labels))
    grid = PatchGrid(SIDE, SIDE, 8, (planted.PIXELS, planted.PIXELS))
    np.testing.assert_array_equal(
        patch_labels(PHOTO.region[cells], grid).labels, s.seen.regions.labels.labels
    )
