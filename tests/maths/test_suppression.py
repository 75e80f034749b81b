from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import special_ortho_group

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.background import background_means
from dinoscope.maths.folds import fold_of, folds_of
from dinoscope.maths.foreground import foreground_by_pc1
from dinoscope.maths.pca import fit_pca, merge_moments, patch_moments
from dinoscope.maths.pooling import gem_pool, mean_pool, own_foreground, weighted_pool
from dinoscope.maths.suppression import (
    Suppression,
    background_moments,
    fit_background,
    fit_centre,
    fit_common,
    fit_whiten,
    merged,
    no_suppression,
    second_moment,
)
from dinoscope.maths.suppression_controls import (
    MATCHED,
    all_patches_control,
    matched_controls,
    overlap,
    random_control,
)

DIM = 12


def cloud(n: int = 200, seed: int = 0, dim: int = DIM) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scales = np.geomspace(5, 0.2, dim)
    return (rng.standard_normal((n, dim)) * scales + rng.standard_normal(dim)).astype(np.float32)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def every_kind(values: np.ndarray) -> list[Suppression]:
    moments = patch_moments(values)
    dim = values.shape[1]
    return [
        no_suppression(dim),
        fit_centre(moments),
        fit_common(moments, 3),
        fit_whiten(moments, 5),
        fit_background(moments, 3),
        fit_background(moments, 3, centred=True),
    ]


def test_common_is_all_but_the_top_by_a_singular_value_decomposition():
    x = cloud()
    y = cloud(7, seed=1)
    mean = x.mean(axis=0, dtype=np.float64)
    _, _, rows = np.linalg.svd(x - mean, full_matrices=False)
    expected = np.array([(v - mean) - sum((u @ (v - mean)) * u for u in rows[:4]) for v in y])
    np.testing.assert_allclose(fit_common(patch_moments(x), 4).apply(y), expected, atol=1e-5)


def test_uncentred_background_is_the_singular_subspace_of_the_patches_as_they_are():
    x = cloud()
    y = cloud(7, seed=1)
    _, _, rows = np.linalg.svd(x.astype(np.float64), full_matrices=False)
    basis = rows[:3].T
    got = fit_background(patch_moments(x), 3)
    np.testing.assert_allclose(got.apply(y), y @ (np.eye(DIM) - basis @ basis.T), atol=1e-5)
    np.testing.assert_allclose(got.energy, np.linalg.svd(x)[1][:3] ** 2 / len(x), rtol=1e-4)


def test_centred_background_removes_the_affine_subspace():
    x = cloud()
    got = fit_background(patch_moments(x), 3, centred=True)
    common = fit_common(patch_moments(x), 3)
    np.testing.assert_allclose(got.apply(x), common.apply(x), atol=1e-6)
    assert overlap(got, fit_background(patch_moments(x), 3)) < 1 - 1e-3


def test_whitened_vectors_have_unit_covariance():
    x = cloud()
    full = fit_whiten(patch_moments(x))
    assert full.k == DIM
    np.testing.assert_allclose(np.cov(full.apply(x).T), np.eye(DIM), atol=1e-4)
    np.testing.assert_allclose(np.cov(full.leading(4).apply(x).T), np.eye(4), atol=1e-4)


def test_whitening_keeps_no_direction_without_variance():
    x = cloud()
    x[:, 3] = 2 * x[:, 0]
    assert fit_whiten(patch_moments(x)).k == DIM - 1
    assert fit_whiten(patch_moments(x[:6])).k == 5
    with pytest.raises(InputError, match="vary along 11"):
        fit_whiten(patch_moments(x), DIM)
    with pytest.raises(InputError, match="vary along 0"):
        fit_whiten(patch_moments(np.ones((4, 3), np.float32)))


@pytest.mark.parametrize("which", range(6))
def test_what_is_removed_is_gone_and_removing_again_changes_nothing(which):
    x = cloud()
    fitted = every_kind(x)[which]
    y = fitted.apply(x)
    if fitted.kind == "whiten":
        assert y.shape == (len(x), 5)
        return
    scale = np.abs(x).max()
    assert np.abs(y @ fitted.directions.T).max(initial=0) < 1e-9 * scale
    again = fitted.apply(y + fitted.mean)
    np.testing.assert_allclose(again, y, atol=1e-9 * scale)
    if fitted.centred:
        assert np.abs(y.mean(axis=0)).max() < 1e-5 * scale


@pytest.mark.parametrize("which", range(6))
def test_a_rotation_of_feature_space_changes_no_product(which):
    x = cloud().astype(np.float64)
    turn = special_ortho_group.rvs(DIM, random_state=3)
    before, after = (every_kind(v)[which].apply(v) for v in (x, x @ turn))
    np.testing.assert_allclose(before @ before.T, after @ after.T, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("which", range(6))
def test_projecting_then_averaging_equals_averaging_then_projecting(which):
    x = cloud()
    fitted = every_kind(cloud(300, seed=9))[which]
    np.testing.assert_allclose(
        fitted.apply(x).mean(axis=0), fitted.apply(mean_pool(x)), atol=1e-9 * np.abs(x).max() + 1e-9
    )
    weights = np.random.default_rng(0).random(len(x))
    np.testing.assert_allclose(
        weighted_pool(fitted.apply(x), weights), fitted.apply(weighted_pool(x, weights)), atol=1e-7
    )


def test_they_differ_where_patches_are_scaled_weighted_by_result_or_pooled_without_linearity():
    x = cloud()
    fitted = fit_background(patch_moments(cloud(300, seed=9)), 3)
    y = fitted.apply(x)

    def cosine(a, b):
        return float(unit(a) @ unit(b))

    assert cosine(unit(y).mean(axis=0), fitted.apply(unit(x).mean(axis=0))) < 0.9998
    by_length = [np.linalg.norm(v, axis=1) for v in (x, y)]
    assert cosine(weighted_pool(y, by_length[1]), fitted.apply(weighted_pool(x, by_length[0]))) < 0.9998
    assert cosine(gem_pool(y), fitted.apply(gem_pool(x))) < 0.9998


@settings(max_examples=20)
@given(st.integers(1, 199))
def test_fits_do_not_depend_on_how_the_patches_were_split(cut):
    x = cloud()
    parts = merge_moments(patch_moments(x[:cut]), patch_moments(x[cut:]))
    together = patch_moments(x)
    whole = second_moment(together, np.ones(DIM))
    np.testing.assert_allclose(
        second_moment(parts, np.ones(DIM)), whole, rtol=0, atol=1e-6 * np.abs(whole).max()
    )
    for fit in (fit_common, fit_background):
        np.testing.assert_allclose(fit(parts, 3).apply(x), fit(together, 3).apply(x), atol=1e-4)


def test_background_moments_are_those_of_the_patches_outside_the_mask():
    x = cloud()
    mask = np.random.default_rng(0).random(len(x)) < 0.4
    got = merged([None, background_moments(x[:90], mask[:90]), background_moments(x[90:], mask[90:])])
    assert got is not None
    expected = patch_moments(x[~mask])
    assert got.n == expected.n == np.count_nonzero(~mask)
    np.testing.assert_allclose(got.mean, expected.mean, rtol=0, atol=1e-6)
    np.testing.assert_allclose(got.scatter, expected.scatter, rtol=0, atol=1e-6 * expected.scatter.max())
    assert background_moments(x, np.ones(len(x), bool)) is None
    assert merged([None]) is None


@pytest.mark.parametrize("which", range(6))
def test_saved_and_loaded_it_is_the_same(which):
    x = cloud()
    fitted = every_kind(x)[which]
    arrays = fitted.as_arrays()
    assert all(isinstance(a, np.ndarray) and a.dtype.kind in "fiu" for a in arrays.values())
    again = Suppression.from_arrays(arrays)
    np.testing.assert_array_equal(again.apply(x), fitted.apply(x))
    assert (again.kind, again.fitted_on, again.n_fitted, again.centred) == (
        fitted.kind,
        fitted.fitted_on,
        fitted.n_fitted,
        fitted.centred,
    )


def test_damaged_arrays_are_refused():
    arrays = fit_common(patch_moments(cloud()), 2).as_arrays()
    with pytest.raises(InputError, match="orthonormal"):
        Suppression.from_arrays(arrays | {"directions": arrays["directions"] * 1.1})
    with pytest.raises(InputError, match="no suppression"):
        Suppression.from_arrays({k: v for k, v in arrays.items() if k != "mean"})


def test_a_fit_is_not_changed_by_what_is_done_with_it():
    fitted = fit_common(patch_moments(cloud()), 4)
    before = fitted.directions.copy()
    assert fitted.leading(2).k == 2
    fitted.as_arrays()["directions"][:] = 0
    np.testing.assert_array_equal(fitted.directions, before)
    with pytest.raises(ValueError, match="read-only"):
        fitted.directions[0, 0] = 1.0


def test_random_directions_are_of_the_same_rank_and_know_nothing():
    fitted = fit_background(patch_moments(cloud()), 3)
    shares = [overlap(fitted, random_control(fitted, seed=s)) for s in range(300)]
    assert np.mean(shares) == pytest.approx(3 / DIM, abs=0.03)
    one = random_control(fitted, seed=4)
    assert (one.k, one.kind) == (3, "random")
    np.testing.assert_array_equal(one.directions, random_control(fitted, seed=4).directions)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("which", ["top", "middle", "bottom"])
def test_matched_directions_carry_the_variance_of_the_suppressed_ones(which, seed):
    x = cloud(400)
    other = cloud(400, seed=5)
    moments = patch_moments(other)
    turn = {"top": np.arange(DIM), "middle": np.roll(np.arange(DIM), 4), "bottom": np.arange(DIM)[::-1]}[
        which
    ]
    fitted = fit_background(patch_moments(x[:, turn]), 4)
    for k, control in matched_controls(fitted, moments, (1, 4), seed=seed).items():
        cov = second_moment(moments, np.zeros(DIM))
        wanted = np.trace(fitted.directions[:k] @ cov @ fitted.directions[:k].T)
        assert np.trace(control.directions @ cov @ control.directions.T) == pytest.approx(
            wanted, rel=2 * MATCHED
        )
        assert control.energy.sum() == pytest.approx(wanted, rel=2 * MATCHED)
        assert control.k == k


def test_nothing_else_carries_the_variance_of_the_leading_directions():
    moments = patch_moments(cloud(400))
    fitted = fit_common(moments, 3)
    assert overlap(fitted, matched_controls(fitted, moments, (3,))[3]) > 0.98


def test_all_patches_are_centred_as_the_suppression_is():
    x, everything = cloud(), cloud(500, seed=2)
    moments = patch_moments(everything)
    for centred in (False, True):
        fitted = fit_background(patch_moments(x), 3, centred=centred)
        control = all_patches_control(fitted, moments)
        reference = everything - everything.mean(axis=0) if centred else everything
        rows = np.linalg.svd(reference.astype(np.float64))[2][:3]
        assert ((control.directions @ rows.T) ** 2).sum() == pytest.approx(3, abs=1e-6)
        np.testing.assert_array_equal(control.mean, fitted.mean)


def test_bad_input_is_named():
    moments = patch_moments(cloud())
    for fit in (fit_common, fit_background):
        with pytest.raises(InputError, match="negative"):
            fit(moments, -1)
        with pytest.raises(InputError, match="smaller k"):
            fit(moments, DIM)
        with pytest.raises(InputError, match="smaller k"):
            fit(patch_moments(cloud(3)), 4)
        with pytest.raises(InputError, match="normalised"):
            fit(patch_moments(cloud(), normalise=True), 1)
    fitted = fit_common(moments, 2)
    with pytest.raises(InputError, match="NaN"):
        fitted.apply(np.full((1, DIM), np.nan))
    with pytest.raises(ShapeError):
        fitted.apply(np.zeros((2, DIM + 1)))
    with pytest.raises(InputError, match="cannot take 3"):
        fitted.leading(3)


def a_map(seed: int = 0) -> PatchFeatures:
    rng = np.random.default_rng(seed)
    values = 0.1 * rng.standard_normal((8, 9, 6)).astype(np.float32)
    values[..., 0] += 1
    values[2:6, 3:7, 1] += 2
    return PatchFeatures.from_array(values, image_size=(90, 80), name="planted")


def test_the_own_foreground_is_what_stands_out():
    inside = np.zeros((8, 9), bool)
    inside[2:6, 3:7] = True
    f = a_map()
    assert (own_foreground(f) == inside).mean() > 0.9
    assert (foreground_by_pc1([f], fit_pca(f, 1))[0] == inside).mean() > 0.9


def test_background_means_follow_from_the_means_that_are_kept():
    x = cloud(60).reshape(3, 20, DIM)
    masks = np.zeros((3, 20), bool)
    masks[0, :7] = masks[2] = True
    means = x.mean(axis=1)
    foreground = np.stack([x[0, :7].mean(axis=0), means[1], means[2]])
    got = background_means(means, foreground, masks.mean(axis=1))
    np.testing.assert_allclose(got, [x[0, 7:].mean(axis=0), means[1]], atol=1e-5)
    with pytest.raises(InputError, match="share"):
        background_means(means, foreground, np.array([0.1, 0.2, 1.1]))


def test_a_fold_depends_on_the_photograph_alone():
    digests = [f"{i:064x}"[::-1] for i in range(2000)]
    folds = folds_of(digests)
    assert set(folds) == set(range(5))
    assert fold_of(digests[7]) == folds[7]
    real = folds_of([hashlib.sha256(bytes([i % 256, i // 256])).hexdigest() for i in range(2000)])
    assert np.bincount(real).min() > 340
    with pytest.raises(InputError, match="hexadecimal"):
        fold_of("photo.jpg")
    with pytest.raises(InputError, match="2 folds"):
        fold_of("ab", 1)
