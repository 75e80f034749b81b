import math

import numpy as np
import pytest

from dinoscope.errors import InputError
from dinoscope.maths.patches import centred
from dinoscope.maths.spectrum import (
    effective_rank,
    gram_spectrum,
    shares_of,
    singular_values,
    singular_values_both,
)


def patches(n, dim, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim))


def test_effective_rank_is_rankme_by_hand():
    f = patches(40, 7) + 1.0
    sigma = np.sqrt(np.linalg.eigvalsh(f.T @ f))[::-1]
    p = sigma / sigma.sum() + 1e-7
    assert effective_rank(f) == pytest.approx(math.exp(-sum(x * math.log(x) for x in p)), rel=1e-9)
    c = f - f.mean(0)
    sigma = np.sqrt(np.linalg.eigvalsh(c.T @ c))
    p = sigma / sigma.sum()
    assert effective_rank(f, centre=True, epsilon=0.0) == pytest.approx(
        math.exp(-(p * np.log(p)).sum()), rel=1e-9
    )


@pytest.mark.parametrize("k", [1, 3, 8])
def test_k_equal_directions_have_rank_k(k):
    f = np.repeat(np.eye(8)[:k], 9, axis=0)
    assert effective_rank(f, epsilon=0.0) == pytest.approx(k, rel=1e-9)
    assert effective_rank(f) == pytest.approx(k, rel=1e-4)
    shares = shares_of(singular_values(np.asarray(f, np.float64)))
    np.testing.assert_allclose(shares, [1 / k] * k + [0] * (8 - k), atol=1e-12)
    np.testing.assert_allclose(gram_spectrum(f * 3), shares, atol=1e-12)


def test_rank_ignores_rotation_scale_and_order():
    f = patches(50, 6) * [5, 3, 1, 1, 0.2, 0.1]
    q = np.linalg.qr(patches(6, 6, 1))[0]
    order = np.random.default_rng(2).permutation(50)
    for centre in (False, True):
        base = effective_rank(f, centre=centre)
        assert effective_rank((f @ q)[order] * 1e200, centre=centre) == pytest.approx(base, rel=1e-9)
    assert 1 < effective_rank(f) < effective_rank(patches(50, 6)) <= 6 + 1e-4


def test_a_common_direction_hides_the_rest_only_uncentred():
    f = patches(60, 5)
    shifted = f + 100
    assert effective_rank(shifted) < 1.2 < effective_rank(shifted, centre=True)
    assert effective_rank(shifted, centre=True) == pytest.approx(effective_rank(f, centre=True), rel=1e-6)
    assert gram_spectrum(shifted)[0] > 0.99 > gram_spectrum(f)[0]


def test_shares_are_the_eigenvalues_of_the_covariance_and_of_the_gram():
    f = patches(9, 14) + 0.3
    shares = shares_of(singular_values(centred(np.asarray(f, np.float64))))
    want = np.sort(np.linalg.eigvalsh(np.cov(f.T)))[::-1][:9]
    np.testing.assert_allclose(shares, want / want.sum(), atol=1e-12)
    x = f / np.linalg.norm(f, axis=1, keepdims=True)
    np.testing.assert_allclose(gram_spectrum(f), np.linalg.eigvalsh(x @ x.T)[::-1] / 9, atol=1e-12)


def test_undefined_is_nan():
    flat = np.full((4, 3, 5), 0.1)
    assert math.isnan(effective_rank(flat, centre=True))
    assert effective_rank(flat, epsilon=0.0) == pytest.approx(1.0)
    assert np.isnan(shares_of(singular_values(centred(flat.reshape(-1, 5))))).all()
    assert math.isnan(effective_rank(np.zeros((4, 5))))
    assert np.isnan(gram_spectrum(np.zeros((4, 5)))).all()


def test_bad_input_is_named():
    f = patches(4, 3)
    with pytest.raises(InputError, match="epsilon"):
        effective_rank(f, epsilon=-1.0)
    f[0, 0] = np.nan
    for measure in (effective_rank, gram_spectrum):
        with pytest.raises(InputError, match="1 of 4 patches are NaN or infinite"):
            measure(f)


@pytest.mark.parametrize("null", [0, 1, 4, 5, 20])
@pytest.mark.parametrize("n", [18, 90])
def test_singular_values_are_those_of_an_svd_however_many_are_lost_to_the_product(n, null):
    rng = np.random.default_rng(null)
    f = rng.normal(size=(n, 30)) @ np.diag(np.geomspace(1, 1e-3, 30))
    basis = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    f = f @ basis.T
    f -= (f @ basis[:, :null]) @ basis[:, :null].T
    want = np.linalg.svd(f, compute_uv=False)
    np.testing.assert_allclose(singular_values(f), want, atol=3e-8 * want[0])
    p = want / want.sum() + 1e-7
    assert effective_rank(f) == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=3e-6)


@pytest.mark.parametrize(("n", "offset"), [(20, 1.0), (90, 0.0), (90, 1.0), (90, 1e4)])
def test_both_spectra_at_once_are_each(n, offset):
    f = np.random.default_rng(n).normal(size=(n, 30)) + offset
    whole, rest = singular_values_both(f)
    np.testing.assert_allclose(whole, np.linalg.svd(f, compute_uv=False), atol=1e-9 * whole[0])
    np.testing.assert_allclose(rest, np.linalg.svd(f - f.mean(0), compute_uv=False), atol=1e-7 * rest[0])
    flat = np.full((n, 30), 0.1)
    np.testing.assert_array_equal(singular_values_both(flat)[1], 0)
    np.testing.assert_array_equal(singular_values_both(flat * 0), np.zeros((2, min(n, 30))))


def test_many_directions_of_nothing_add_nothing():
    rng = np.random.default_rng(0)
    f = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 60))
    values = singular_values(f)
    assert values[3:].max() < 1e-12 * values[0] < values[2]
