import numpy as np
import pytest

from dinoscope.maths import nuclear
from dinoscope.maths.nuclear import nuclear_norms


def noise(n, dim, seed=0, falling=1.0):
    basis = np.linalg.qr(np.random.default_rng(seed).normal(size=(dim, dim)))[0]
    return np.random.default_rng(seed + 1).normal(size=(n, dim)) * np.geomspace(1, falling, dim) @ basis


def by_svd(rows):
    return np.linalg.svd(rows, compute_uv=False).sum()


def test_matrices_of_all_sizes_at_once_have_the_sums_of_their_svds():
    several = [
        noise(n, dim, n, falling)
        for n, dim, falling in [(40, 9, 1), (9, 40, 1e-3), (1, 5, 1), (30, 30, 1e-5)]
    ]
    np.testing.assert_allclose(nuclear_norms(several), [by_svd(x) for x in several], rtol=1e-8)


@pytest.mark.parametrize("scale", [1e-18, 1e-3, 1e18])
def test_the_sum_grows_with_the_matrix(scale):
    x = noise(20, 12)
    assert nuclear_norms([scale * x, x])[0] == pytest.approx(scale * by_svd(x), rel=1e-8)


@pytest.mark.parametrize("null", [1, 4, 5, 11])
def test_lost_directions_are_told_and_measured_again(null, monkeypatch):
    """Directions of 1e-7 are lost to the product, and are more than noise of it."""
    x = noise(60, 12)
    basis = np.linalg.qr(noise(12, 12, 5))[0]
    x -= (1 - 1e-7) * (x @ basis[:, :null]) @ basis[:, :null].T
    again = []
    monkeypatch.setattr(
        nuclear, "singular_values", lambda rows: again.append(rows) or np.array([by_svd(rows)])
    )
    assert nuclear_norms([noise(20, 15), x])[1] == pytest.approx(by_svd(x), rel=1e-7)
    assert len(again) == (null > 4)


def test_zeros_have_none_and_nothing_has_nothing():
    assert nuclear_norms([np.zeros((7, 3)), np.ones((1, 1))]) == pytest.approx([0.0, 1.0], abs=1e-8)
    assert nuclear_norms([]).shape == (0,)
