from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths import pca as pca_module
from dinoscope.maths.pca import fit_pca, merge_moments, patch_moments, pca_of_moments, to_rgb, with_sample


def photographs(count: int = 4, dim: int = 24, seed: int = 0) -> list[PatchFeatures]:
    rng = np.random.default_rng(seed)
    scales = np.geomspace(5, 0.1, dim)
    mix = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    return [
        PatchFeatures.from_array(
            (rng.standard_normal((6 + i, 9, dim)) * scales) @ mix + 3.0, image_size=(90, 60 + i)
        )
        for i in range(count)
    ]


def all_patches(features: list[PatchFeatures]) -> np.ndarray:
    return np.concatenate([f.values.reshape(-1, f.dim) for f in features]).astype(np.float64)


def test_agrees_with_scikit_learn() -> None:
    features = photographs()
    ours = fit_pca(features, n=5)
    theirs = PCA(5, svd_solver="full").fit(all_patches(features))
    np.testing.assert_allclose(ours.mean, theirs.mean_, rtol=1e-7)
    np.testing.assert_allclose(np.abs(np.sum(ours.components * theirs.components_, axis=1)), 1, atol=1e-9)
    np.testing.assert_allclose(ours.explained_variance, theirs.explained_variance_, rtol=1e-6)
    np.testing.assert_allclose(ours.explained_variance_ratio, theirs.explained_variance_ratio_, rtol=1e-6)
    np.testing.assert_allclose(
        np.abs(ours.project(features[1]).reshape(-1, 5)),
        np.abs(theirs.transform(all_patches(features[1:2]))),
        atol=1e-5,
    )


def test_components_are_orthonormal_ordered_and_signed_by_the_rule() -> None:
    basis = fit_pca(photographs(), n=6)
    np.testing.assert_allclose(basis.components @ basis.components.T, np.eye(6), atol=1e-12)
    assert (np.diff(basis.explained_variance) <= 0).all()
    largest = np.abs(basis.components).argmax(axis=1)
    assert (basis.components[np.arange(6), largest] > 0).all()


def test_negated_features_give_the_same_components() -> None:
    features = photographs()
    negated = [PatchFeatures.from_array(-f.values, image_size=f.grid.image_size) for f in features]
    np.testing.assert_allclose(fit_pca(features).components, fit_pca(negated).components, atol=1e-10)


def test_partial_fits_merge_to_the_same_result_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pca_module, "SAMPLE", 100)
    patches = all_patches(photographs()).astype(np.float32)
    whole = pca_of_moments(patch_moments(patches), 4)
    first, second, third = (patch_moments(part) for part in np.split(patches, [10, 150]))
    before = first.scatter.copy()
    for merged in (
        merge_moments(merge_moments(first, second), third),
        merge_moments(third, merge_moments(second, first)),
    ):
        got = pca_of_moments(merged, 4)
        np.testing.assert_allclose(got.components, whole.components, atol=1e-6)
        np.testing.assert_allclose(got.explained_variance, whole.explained_variance, rtol=1e-6)
        np.testing.assert_allclose(got.limits, whole.limits, atol=1e-4)
        assert got.n_patches == whole.n_patches == len(patches)
        assert 100 <= sum(map(len, merged.sample)) <= 200
        assert set(np.concatenate(merged.keys)) >= set(with_sample(patch_moments(patches), 100).keys[0])
    np.testing.assert_array_equal(first.scatter, before)


def test_blocks_sample_the_smallest_keys_and_hold_nobodys_array(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pca_module, "SAMPLE", 20)
    monkeypatch.setattr(pca_module, "BLOCK", 50)
    for seed in range(60):
        patches = np.random.default_rng(seed).standard_normal((525, 8)).astype(np.float32)
        keys = pca_module._keys(patches)
        order = np.argsort(keys)[:20]
        want, scatter = patches[order], np.cov(patches.T.astype(np.float64)) * 524
        found = patch_moments(patches)
        np.testing.assert_allclose(found.scatter, scatter, rtol=1e-5, atol=1e-4)
        assert 20 <= sum(map(len, found.sample)) <= 40
        patches[:] = 0
        smallest = with_sample(found, 20)
        np.testing.assert_array_equal(smallest.keys[0], keys[order])
        np.testing.assert_array_equal(smallest.sample[0], want)


def test_a_large_mean_costs_no_digits() -> None:
    rng = np.random.default_rng(1)
    patches = rng.standard_normal((500, 8)).astype(np.float32)
    shifted = patches + np.float32(1000)
    exact = np.linalg.svd(shifted.astype(np.float64) - shifted.astype(np.float64).mean(0), compute_uv=False)
    got = pca_of_moments(patch_moments(shifted), 8).explained_variance
    np.testing.assert_allclose(got, exact**2 / 499, rtol=1e-6)


def test_blocks_lose_no_more_than_their_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    features = photographs(12, dim=16)
    exact = fit_pca(features, 3)
    monkeypatch.setattr(pca_module, "BLOCK", 100)
    blocks = fit_pca(features, 3)
    off = blocks.components - blocks.components @ exact.components.T @ exact.components
    assert 0 < np.linalg.norm(off, ord=2) < 1e-6
    assert blocks.n_patches == exact.n_patches == sum(f.grid.n for f in features)


def test_limits_are_robust_and_exact_when_all_patches_are_sampled() -> None:
    features = photographs()
    basis = fit_pca(features)
    scores = np.concatenate([basis.project(f).reshape(-1, 3) for f in features])
    np.testing.assert_allclose(basis.limits, np.quantile(scores, (0.01, 0.99), axis=0).T, atol=1e-9)


def test_normalised_only_if_asked() -> None:
    features = photographs()
    louder = [PatchFeatures.from_array(3 * f.values, image_size=f.grid.image_size) for f in features]
    assert fit_pca(louder).explained_variance[0] == pytest.approx(9 * fit_pca(features).explained_variance[0])
    np.testing.assert_allclose(
        fit_pca(louder, normalise=True).explained_variance,
        fit_pca(features, normalise=True).explained_variance,
        rtol=1e-5,
    )
    with pytest.raises(InputError, match="merge"):
        merge_moments(
            patch_moments(np.ones((2, 3), np.float32)),
            patch_moments(np.ones((2, 3), np.float32), normalise=True),
        )


def test_masks_choose_the_patches_fitted_on() -> None:
    features = photographs(2)
    masks = [np.zeros(f.grid.shape, bool) for f in features]
    masks[1][2:5] = True
    basis = fit_pca(features, masks=masks)
    expected = PCA(3, svd_solver="full").fit(features[1].values[2:5].reshape(-1, 24).astype(np.float64))
    assert basis.n_patches == 27
    np.testing.assert_allclose(basis.explained_variance, expected.explained_variance_, rtol=1e-6)
    with pytest.raises(ShapeError):
        fit_pca(features, masks=[np.ones((2, 2), bool)] * 2)


def test_equal_patches_have_no_ratio() -> None:
    basis = fit_pca(PatchFeatures.from_array(np.ones((3, 3, 4)), image_size=(9, 9)))
    assert np.isnan(basis.explained_variance_ratio).all()


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(InputError, match="at least one photograph"):
        fit_pca([])
    with pytest.raises(InputError, match="two patches"):
        fit_pca(PatchFeatures.from_array(np.ones((1, 1, 4)), image_size=(9, 9)))
    with pytest.raises(InputError, match="components"):
        fit_pca(photographs(), n=25)
    with pytest.raises(InputError, match="NaN"):
        patch_moments(np.full((2, 2), np.nan, np.float32))
    with pytest.raises(ShapeError):
        fit_pca(photographs()).project(photographs(1, dim=5)[0])


@pytest.mark.usefixtures("unchecked_shapes")
def test_colours_are_linear_between_fixed_limits() -> None:
    scores = np.array([[[-2.0, 0.0, 5.0, 9.0], [0.0, 1.0, 0.0, 9.0]]])
    limits = np.array([[-1.0, 1.0], [0.0, 2.0], [3.0, 3.0], [0.0, 10.0]])
    np.testing.assert_allclose(to_rgb(scores, limits=limits), [[[0, 0, 0.5], [0.5, 0.5, 0.5]]])
    np.testing.assert_allclose(to_rgb(scores, limits=limits, components=(3, 1, 0))[0, 0], [0.9, 0, 0])
    with pytest.raises(InputError, match="components"):
        to_rgb(scores, limits=limits, components=(0, 1, 4))
    with pytest.raises(ShapeError):
        to_rgb(scores, limits=limits[:3])
