from collections import Counter

import numpy as np
import pytest

from dinoscope.data.grid import PatchGrid
from dinoscope.errors import GridMismatchError, InputError, ShapeError
from dinoscope.maths.masks import PatchLabels, check_same_grid, patch_labels


def test_majority_and_purity_follow_the_grids_own_pixel_rule():
    rng = np.random.default_rng(0)
    image = rng.integers(-1, 4, (23, 31))
    grid = PatchGrid(5, 7, 14, (31, 23))
    got = patch_labels(image, grid)
    votes = {}
    for y in range(23):
        for x in range(31):
            votes.setdefault(grid.patch_at_pixel(x, y), []).append(image[y, x])
    for place, found in votes.items():
        best = min(Counter(found).items(), key=lambda item: (-item[1], item[0]))
        assert got.labels[place] == best[0]
        assert got.purity[place] == pytest.approx(best[1] / len(found))


def test_a_mask_that_fits_the_patches_is_pure():
    blocks = np.arange(12).reshape(3, 4)
    got = patch_labels(np.kron(blocks, np.ones((8, 8), int)), PatchGrid(3, 4, 16, (32, 24)))
    np.testing.assert_array_equal(got.labels, blocks)
    assert (got.purity == 1).all()


def test_patches_without_a_pixel_are_unknown():
    got = patch_labels(np.zeros((1, 2), int), PatchGrid(1, 5, 1, (2, 1)))
    assert (got.labels == [[-1, 0, -1, 0, -1]]).all()
    np.testing.assert_array_equal(got.usable(), got.labels == 0)
    assert got.purity[0, 0] == 0


def test_purity_decides_what_is_usable():
    labels = PatchLabels(np.array([[0, 1, -1]]), np.array([[0.6, 0.9, 1.0]]))
    np.testing.assert_array_equal(labels.usable(), [[True, True, False]])
    np.testing.assert_array_equal(labels.usable(0.75), [[False, True, False]])


def test_bad_input_is_named():
    grid = PatchGrid(2, 2, 1, (2, 2))
    with pytest.raises(InputError, match="unknown"):
        patch_labels(np.full((2, 2), -2), grid)
    with pytest.raises((ShapeError, TypeError)):  # the annotations, where they are checked, come first
        PatchLabels(np.zeros((2, 2), np.int64), np.zeros((2, 3)))
    with pytest.raises(GridMismatchError):
        check_same_grid(patch_labels(np.zeros((4, 4), int), grid), 2, 3)
