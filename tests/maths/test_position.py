import math

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.position import content_free_basis, energy_curve, position_fit, remove_subspace


def noise(count, h=7, w=9, dim=6, seed=0):
    return list(np.random.default_rng(seed).normal(size=(count, h, w, dim)))


def with_position(count, strength, seed=0, h=7, w=9):
    maps = noise(count, h, w, seed=seed)
    row, col = np.mgrid[:h, :w]
    for m in maps:
        m[..., 0] += strength * row / h
        m[..., 1] += strength * col / w
    return maps


def by_hand(maps, folds, ridge):
    """The same by scikit-learn, photograph by photograph."""
    missed, total = np.zeros(2), np.zeros(2)
    places = [
        np.array(
            [
                [(r + 0.5) / m.shape[0], (c + 0.5) / m.shape[1]]
                for r in range(m.shape[0])
                for c in range(m.shape[1])
            ]
        )
        for m in maps
    ]
    for fold in range(folds):
        x = np.concatenate([m.reshape(-1, m.shape[2]) for i, m in enumerate(maps) if i % folds != fold])
        y = np.concatenate([p for i, p in enumerate(places) if i % folds != fold])
        model = Ridge(alpha=ridge * len(x) * x.var(axis=0).mean()).fit(x, y)
        for i, m in enumerate(maps):
            if i % folds == fold:
                missed += ((places[i] - model.predict(m.reshape(-1, m.shape[2]))) ** 2).sum(axis=0)
                total += ((places[i] - places[i].mean(axis=0)) ** 2).sum(axis=0)
    return 1 - missed / total


def test_it_is_ridge_regression_with_photographs_held_out():
    maps = with_position(5, 2.0)
    maps[1] = maps[1][:5]  # another grid
    got = position_fit(maps, folds=3, ridge=0.1)
    np.testing.assert_allclose([got.row, got.col], by_hand(maps, 3, 0.1), rtol=1e-9)
    assert got.mean == pytest.approx((got.row + got.col) / 2) and got.n_images == 5


def test_planted_position_is_found_and_shuffling_kills_it():
    maps = with_position(6, 20.0)
    assert position_fit(maps).mean > 0.95
    rng = np.random.default_rng(1)
    shuffled = [rng.permutation(m.reshape(63, -1)).reshape(m.shape) for m in maps]
    assert position_fit(shuffled).mean < 0.05
    strengths = [position_fit(with_position(6, s)).mean for s in (0.0, 1.0, 3.0, 10.0)]
    assert strengths == sorted(strengths)


def test_only_the_planted_axis_is_found():
    maps = noise(6)
    for m in maps:
        m[..., 2] += 20 * np.arange(9) / 9
    got = position_fit(maps)
    assert got.col > 0.9 and got.row < 0.1


def test_rotation_and_scale_change_nothing():
    maps = with_position(4, 3.0)
    q = np.linalg.qr(np.random.default_rng(3).normal(size=(6, 6)))[0]
    base, turned = position_fit(maps), position_fit([m @ q * 1e4 for m in maps])
    assert turned.row == pytest.approx(base.row, rel=1e-9)
    assert turned.col == pytest.approx(base.col, rel=1e-9)


def test_a_constant_map_says_nothing_and_one_row_has_no_vertical_place():
    assert position_fit([np.ones((3, 4, 2))] * 3).mean == pytest.approx(0.0)
    got = position_fit(noise(3, h=1))
    assert math.isnan(got.row) and math.isnan(got.mean) and not math.isnan(got.col)


def test_the_content_free_basis_holds_the_planted_directions():
    rng = np.random.default_rng(0)
    plane = np.linalg.qr(rng.normal(size=(6, 2)))[0].T
    free = [rng.normal(size=(5, 5, 2)) * [3.0, 1.0] @ plane + 7.0 for _ in range(2)]
    basis = content_free_basis(free)
    assert basis.shape == (2, 6)
    np.testing.assert_allclose(basis.T @ basis, plane.T @ plane, atol=1e-10)
    np.testing.assert_allclose(content_free_basis(free, 1), basis[:1], atol=1e-12)
    assert content_free_basis([np.ones((3, 3, 4))]).shape == (0, 4)
    inside = energy_curve(free[0], basis)
    assert inside[-1] == pytest.approx(1.0) and inside[0] < 1.0


def test_energy_is_a_rising_curve_that_removal_brings_to_zero():
    f = noise(1, dim=8)[0] + 5
    basis = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 5)))[0].T
    curve = energy_curve(f, basis)
    rows = f.reshape(-1, 8) - f.reshape(-1, 8).mean(0)
    want = [((rows @ basis[: k + 1].T) ** 2).sum() / (rows**2).sum() for k in range(5)]
    np.testing.assert_allclose(curve, want, rtol=1e-10)
    assert (np.diff(curve) > 0).all()
    np.testing.assert_allclose(energy_curve(remove_subspace(f, basis), basis), 0, atol=1e-20)
    np.testing.assert_allclose(energy_curve(f, np.eye(8))[-1], 1.0)
    assert np.isnan(energy_curve(np.ones((2, 2, 8)), basis)).all()


def test_removal_is_a_projection_that_removes_position():
    maps = with_position(6, 20.0)
    basis = np.eye(6)[:2]
    clean = [remove_subspace(m, basis) for m in maps]
    assert position_fit(clean).mean < 0.05
    np.testing.assert_allclose(remove_subspace(clean[0], basis), clean[0], atol=1e-12)
    pooled = remove_subspace(maps[0].mean(axis=(0, 1)), basis)
    np.testing.assert_allclose(pooled, clean[0].mean(axis=(0, 1)), atol=1e-12)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="at least two"):
        position_fit(noise(1))
    with pytest.raises(InputError, match="folds"):
        position_fit(noise(3), folds=1)
    with pytest.raises(ShapeError):
        position_fit([np.ones((2, 2, 3)), np.ones((2, 2, 4))])
    with pytest.raises(InputError, match="orthonormal"):
        energy_curve(noise(1)[0], 2 * np.eye(6))
    with pytest.raises(InputError, match="cannot take 9"):
        content_free_basis(noise(1), 9)
    broken = noise(2)
    broken[1][0, 0, 0] = np.nan
    for call in (lambda: position_fit(broken), lambda: remove_subspace(broken[1], np.eye(6))):
        with pytest.raises(InputError, match="NaN or infinite"):
            call()
