from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.foreground import foreground_by_pc1
from dinoscope.maths.pca import fit_pca, patch_moments
from dinoscope.maths.pooling import gem_pool, mean_pool, own_foreground, weighted_pool


def patches(n: int = 40, dim: int = 7, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)


def test_mean_is_the_mean() -> None:
    x = patches()
    np.testing.assert_allclose(mean_pool(x), [sum(map(float, column)) / len(x) for column in x.T], atol=1e-12)


def test_gem_equals_a_slow_reference() -> None:
    x = patches()
    slow = [(sum(max(float(v), 1e-6) ** 3 for v in column) / len(x)) ** (1 / 3) for column in x.T]
    np.testing.assert_allclose(gem_pool(x), slow, rtol=1e-12)


@given(st.floats(1.0, 8.0), st.integers(0, 99))
def test_gem_of_positive_patches_lies_between_mean_and_maximum(power: float, seed: int) -> None:
    x = np.abs(patches(seed=seed)) + 0.01
    pooled = gem_pool(x, power=power)
    assert (pooled >= mean_pool(x) - 1e-6).all()
    assert (pooled <= x.max(axis=0) + 1e-6).all()


def test_gem_discards_what_is_negative() -> None:
    x = np.array([[-5.0, 2.0], [-1.0, 2.0]], np.float32)
    np.testing.assert_allclose(gem_pool(x), [1e-6, 2.0], rtol=1e-6)


@given(st.integers(0, 99))
def test_a_weighted_mean_of_a_mask_is_the_mean_of_the_patches_in_it(seed: int) -> None:
    x = patches(seed=seed)
    mask = np.random.default_rng(seed).random(len(x)) > 0.5
    mask[0] = True
    np.testing.assert_allclose(weighted_pool(x, mask.astype(float)), mean_pool(x[mask]), atol=1e-12)
    np.testing.assert_allclose(weighted_pool(x, mask * 17.0), weighted_pool(x, mask * 1.0), atol=1e-12)


def test_no_weight_at_all_gives_the_plain_mean() -> None:
    x = patches()
    np.testing.assert_array_equal(weighted_pool(x, np.zeros(len(x))), mean_pool(x))


def test_impossible_arguments_are_refused(unchecked_shapes: None) -> None:
    x = patches()
    with pytest.raises(ShapeError, match="weights"):
        weighted_pool(x, np.ones(3))
    with pytest.raises(InputError, match="weights must be finite"):
        weighted_pool(x, np.full(len(x), -1.0))
    with pytest.raises(InputError, match="positive"):
        gem_pool(x, power=0.0)
    for pool in (mean_pool, gem_pool):
        with pytest.raises(ShapeError, match="patches"):
            pool(np.zeros((0, 3), np.float32))


def photograph(seed: int, dim: int = 9) -> tuple[PatchFeatures, np.ndarray]:
    """A block of one kind of patch in the middle, on another kind."""
    rng = np.random.default_rng(seed)
    subject = np.zeros((12, 16), bool)
    subject[4:8, 5:11] = True
    values = rng.normal(size=(12, 16, dim)) * 0.05 + np.where(subject[..., None], *rng.normal(size=(2, dim)))
    return PatchFeatures.from_array(values.astype(np.float32), image_size=(160, 120)), subject


@pytest.mark.parametrize("dim", [9, 96])
@pytest.mark.parametrize("seed", range(4))
def test_the_subject_of_one_photograph_is_found_by_its_own_component(seed: int, dim: int) -> None:
    f, subject = photograph(seed, dim)
    mask = own_foreground(f)
    np.testing.assert_array_equal(mask, foreground_by_pc1([f], fit_pca(f, n=1))[0])
    assert (mask == subject).mean() > 0.97


def test_two_equal_leading_components_still_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import scipy.sparse.linalg as sparse

    def never(*args: object, **kwargs: object) -> None:
        raise sparse.ArpackNoConvergence("no", np.zeros(0), np.zeros((96, 0)))

    f, _ = photograph(1, 96)
    expected = own_foreground(f)
    monkeypatch.setattr(sparse, "eigsh", never)
    np.testing.assert_array_equal(own_foreground(f), expected)


def test_moments_at_hand_give_the_same_mask() -> None:
    f, _ = photograph(5)
    np.testing.assert_array_equal(
        own_foreground(f, patch_moments(f.values.reshape(-1, f.dim))), own_foreground(f)
    )
    with pytest.raises(ShapeError, match="moments"):
        own_foreground(f, patch_moments(patches()))


@pytest.mark.parametrize("shape", [(1, 1), (5, 6)])
def test_equal_patches_have_no_foreground(shape: tuple[int, int]) -> None:
    f = PatchFeatures.from_array(np.full((*shape, 4), 0.1, np.float32), image_size=(60, 50))
    assert not own_foreground(f).any()
