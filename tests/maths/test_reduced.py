from __future__ import annotations

import numpy as np
import pytest
import torch

from dinoscope.errors import ShapeError
from dinoscope.maths.reduced import reduced_patches


def test_patches_are_halved_bicubically_without_antialiasing() -> None:
    """Half the grid, corners not aligned: every new patch lies midway, and the four taps of the cubic
    kernel with a = -0.75 at distances 0.5 and 1.5 are 0.59375 and -0.09375."""
    fine, grid = 6, 3
    patches = torch.randn(1, fine * fine, 2)
    maps = patches.double().numpy().reshape(fine, fine, 2)
    taps = {-1: -0.09375, 0: 0.59375, 1: 0.59375, 2: -0.09375}
    expected = np.zeros((grid, grid, 2))
    for row in range(grid):
        for column in range(grid):
            for i, a in taps.items():
                for j, b in taps.items():
                    y, x = np.clip(2 * row + i, 0, fine - 1), np.clip(2 * column + j, 0, fine - 1)
                    expected[row, column] += a * b * maps[y, x]
    found = reduced_patches(patches, (fine, fine), (grid, grid))[0].numpy().reshape(grid, grid, 2)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert torch.equal(reduced_patches(patches, (fine, fine), (fine, fine)), patches)
    with pytest.raises(ShapeError):
        reduced_patches(patches, (5, 5), (3, 3))


def test_rows_and_columns_are_not_exchanged() -> None:
    """A map that only varies along its columns still does, on a grid of other proportions."""
    across = torch.arange(8.0, dtype=torch.float64).expand(4, 8).reshape(1, 32, 1)
    found = reduced_patches(across, (4, 8), (2, 4)).reshape(2, 4)
    assert found.dtype == torch.float64 and torch.equal(found[0], found[1])
    assert (found[0].diff() > 1).all()
