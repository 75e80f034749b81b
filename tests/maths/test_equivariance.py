import math

import numpy as np
import pytest

from dinoscope.errors import GridMismatchError, InputError, ShapeError
from dinoscope.maths.equivariance import crop_equivariance, flip_equivariance, shift_equivariance


def noise(h=9, w=11, dim=6, seed=0):
    return np.random.default_rng(seed).normal(size=(h, w, dim))


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def field(y, x):
    """A smooth feature field over the image, linear in place."""
    return np.stack([1 + 0 * x, x, y], axis=-1)


def grid_of(h, w, box=(0.0, 0.0, 1.0, 1.0)):
    y = box[1] + (np.arange(h) + 0.5) / h * (box[3] - box[1])
    x = box[0] + (np.arange(w) + 0.5) / w * (box[2] - box[0])
    return np.meshgrid(y, x, indexing="ij")


def test_flip_by_hand():
    f, g = noise(), noise(seed=1)
    want = np.mean([cosine(f[r, 10 - c], g[r, c]) for r in range(2, 7) for c in range(2, 9)])
    assert flip_equivariance(f, g) == pytest.approx(want)
    assert flip_equivariance(f, f[:, ::-1].copy() * 3) == pytest.approx(1.0)
    assert flip_equivariance(f, f) < 0.5


def test_only_the_border_is_forgiven():
    f = noise()
    g = f[:, ::-1].copy()
    g[:2] = g[-2:] = 5
    g[:, :2] = g[:, -2:] = -5
    assert flip_equivariance(f, g) == pytest.approx(1.0)
    assert flip_equivariance(f, g, border=1) < 0.99


@pytest.mark.parametrize("by", [(1.0, 2.0), (-2.0, 0.0), (0.0, -3.0), (0.0, 0.0)])
def test_whole_shifts_by_hand(by):
    f, g = noise(), noise(seed=1)
    down, right = int(by[0]), int(by[1])
    want = [
        cosine(f[r - down, c - right], g[r, c])
        for r in range(2, 7)
        for c in range(2, 9)
        if 2 <= r - down < 7 and 2 <= c - right < 9
    ]
    assert shift_equivariance(f, g, by) == pytest.approx(np.mean(want))
    assert shift_equivariance(f, np.roll(f, (down, right), axis=(0, 1)), by) == pytest.approx(1.0)


def test_the_wrong_direction_is_noticed():
    f = noise()
    moved = np.roll(f, (1, 0), axis=(0, 1))
    assert shift_equivariance(f, moved, (-1.0, 0.0)) < 0.5 < shift_equivariance(f, moved, (1.0, 0.0))


def test_sub_patch_shifts_are_bilinear():
    y, x = grid_of(9, 11)
    f = field(y, x)
    moved = field(y - 0.25 / 9, x - 0.5 / 11)
    assert shift_equivariance(f, moved, (0.25, 0.5)) == pytest.approx(1.0, abs=1e-12)
    g, h = noise(), noise(seed=1)
    half = (g[2:6] + g[3:7]) / 2  # content moved down by half a patch: between two rows
    want = np.mean([cosine(half[r - 3, c], h[r, c]) for r in range(3, 7) for c in range(2, 9)])
    assert shift_equivariance(g, h, (0.5, 0.0)) == pytest.approx(want)


def test_crops_are_compared_at_the_same_places():
    box = (0.2, 0.1, 0.8, 0.9)
    f, crop = field(*grid_of(12, 16)), field(*grid_of(10, 8, box))
    assert crop_equivariance(f, crop, box) == pytest.approx(1.0, abs=1e-12)
    assert crop_equivariance(f, crop, (0.0, 0.0, 0.6, 0.8)) < 1 - 1e-4
    # A crop along patch edges needs no interpolation.
    g = noise(12, 16)
    assert crop_equivariance(g, g[3:9, 4:12].copy() * 2, (0.25, 0.25, 0.75, 0.75)) == pytest.approx(1.0)


def test_rotation_of_both_changes_nothing():
    f, g = noise(), noise(seed=1)
    q = np.linalg.qr(noise(6, 6, 1, 2)[..., 0])[0]
    for measure in (flip_equivariance, lambda a, b: shift_equivariance(a, b, (0.5, 1.0))):
        assert measure(f @ q * 3, g @ q) == pytest.approx(measure(f, g))


def test_nothing_left_is_nan():
    small = noise(4, 4)
    assert math.isnan(flip_equivariance(small, small))
    assert math.isnan(shift_equivariance(noise(), noise(), (6.0, 0.0)))
    assert math.isnan(flip_equivariance(noise(1, 1), noise(1, 1)))


def test_bad_input_is_named():
    with pytest.raises(GridMismatchError):
        flip_equivariance(noise(), noise(9, 10))
    with pytest.raises(ShapeError):
        shift_equivariance(noise(), noise(dim=5), (1.0, 0.0))
    with pytest.raises(ShapeError):
        flip_equivariance(noise(), noise(dim=5))
    with pytest.raises(InputError, match="border"):
        flip_equivariance(noise(), noise(), border=-1)
    with pytest.raises(InputError, match="crop"):
        crop_equivariance(noise(), noise(), (0.5, 0.0, 0.5, 1.0))
    broken = noise()
    broken[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="NaN or infinite"):
        shift_equivariance(noise(), broken, (0.0, 0.0))
