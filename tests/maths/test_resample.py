import math

import numpy as np
import pytest
from PIL import Image

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.resample import area_average, resolution_consistency


def noise(h, w, dim=4, seed=0):
    return np.random.default_rng(seed).normal(size=(h, w, dim))


def by_hand(f, shape):
    out = np.zeros((*shape, f.shape[2]))
    for i in range(shape[0]):
        for j in range(shape[1]):
            for r in range(f.shape[0]):
                for c in range(f.shape[1]):
                    tall = min((i + 1) / shape[0], (r + 1) / f.shape[0]) - max(i / shape[0], r / f.shape[0])
                    wide = min((j + 1) / shape[1], (c + 1) / f.shape[1]) - max(j / shape[1], c / f.shape[1])
                    out[i, j] += max(tall, 0) * max(wide, 0) * shape[0] * shape[1] * f[r, c]
    return out


@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (5, 7), (1, 1), (9, 13)])
def test_it_is_the_mean_over_the_area(shape):
    f = noise(6, 8)
    got = area_average(f, shape)
    np.testing.assert_allclose(got, by_hand(f, shape), atol=1e-12)
    np.testing.assert_allclose(got.mean(axis=(0, 1)), f.mean(axis=(0, 1)), atol=1e-12)


def test_it_agrees_with_pillows_box_filter():
    f = noise(12, 9, 1).astype(np.float32)
    want = np.asarray(Image.fromarray(f[..., 0]).resize((5, 7), Image.Resampling.BOX))
    halves = np.asarray(Image.fromarray(f[..., 0]).reduce((3, 4)))
    np.testing.assert_allclose(area_average(f, (3, 3))[..., 0], halves, atol=1e-5)
    assert want.shape == area_average(f, (7, 5))[..., 0].shape


def test_the_same_grid_is_left_alone():
    f = noise(5, 6)
    np.testing.assert_array_equal(area_average(f, (5, 6)), f)


def test_a_map_enlarged_is_perfectly_consistent_and_detail_is_averaged_away():
    f = noise(5, 6) + 1
    fine = np.kron(f, np.ones((2, 2, 1)))
    got = resolution_consistency(f, fine)
    assert got.cka == pytest.approx(1) and got.gram_correlation == pytest.approx(1)
    checker = (np.indices((10, 12)).sum(axis=0) % 2 * 2 - 1)[..., None]
    assert resolution_consistency(f, fine + 5 * checker).cka == pytest.approx(1)


def test_averaging_comes_before_normalising():
    fine = np.kron(noise(4, 4), np.ones((2, 2, 1))) * np.random.default_rng(1).uniform(0.1, 9, (8, 8, 1))
    coarse = fine.reshape(4, 2, 4, 2, 4).mean(axis=(1, 3))
    assert resolution_consistency(coarse, fine).gram_correlation == pytest.approx(1)


def test_rotation_and_scale_change_nothing_and_noise_lowers_both():
    f, fine = noise(6, 6), np.kron(noise(6, 6), np.ones((2, 2, 1))) + noise(12, 12, seed=1)
    q = np.linalg.qr(noise(4, 4, 1, 2)[..., 0])[0]
    base, turned = resolution_consistency(f, fine), resolution_consistency(f @ q * 9, fine)
    assert turned.cka == pytest.approx(base.cka) and turned.gram_correlation == pytest.approx(
        base.gram_correlation
    )
    worse = resolution_consistency(f, fine + 5 * noise(12, 12, seed=3))
    assert worse.cka < base.cka < 1 and worse.gram_correlation < base.gram_correlation < 1


def test_undefined_is_nan_and_bad_input_is_named():
    assert math.isnan(resolution_consistency(np.ones((4, 4, 2)), noise(8, 8)).cka)
    assert math.isnan(resolution_consistency(noise(1, 1), noise(2, 2)).gram_correlation)
    with pytest.raises(InputError, match="at least one"):
        area_average(noise(2, 2), (0, 3))
    with pytest.raises(ShapeError):
        area_average(np.ones((4, 4)), (2, 2))
    broken = noise(4, 4)
    broken[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="fine map: 1 of 16"):
        resolution_consistency(noise(2, 2), broken)
