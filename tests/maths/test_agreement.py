import numpy as np
import pytest

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.agreement import gram_correlation, linear_cka


def patches(n, dim, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim))


def rotation(dim, seed=9):
    return np.linalg.qr(patches(dim, dim, seed))[0]


def correlation_by_hand(f, g):
    grams = []
    for x in (f, g):
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
        grams.append((x @ x.T)[~np.eye(len(x), dtype=bool)])
    return np.corrcoef(grams)[0, 1]


def cka_by_hand(x, y):
    n = len(x)
    h = np.eye(n) - 1 / n
    k, m = h @ x @ x.T @ h, h @ y @ y.T @ h
    return np.trace(k @ m) / np.sqrt(np.trace(k @ k) * np.trace(m @ m))


@pytest.mark.parametrize(("n", "dims"), [(60, (5, 9)), (12, (30, 20)), (3, (4, 4))])
@pytest.mark.parametrize("offset", [0.0, 3.0, 300.0])
def test_both_agree_with_the_long_way(n, dims, offset):
    f, g = patches(n, dims[0]) + offset, patches(n, dims[1], 1) + offset
    g[:, 0] += f[:, 0]
    # The long way subtracts cosines near 1 and loses digits at a large offset; the closed form does not.
    assert gram_correlation(f, g) == pytest.approx(correlation_by_hand(f, g), abs=1e-9 * max(offset, 1) ** 2)
    assert linear_cka(f, g) == pytest.approx(cka_by_hand(f, g), abs=1e-9)


def test_zero_patches_count_with_cosine_zero():
    f, g = patches(20, 4), patches(20, 4, 1)
    f[3] = 0
    grams = []
    for x in (f, g):
        x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
        grams.append((x @ x.T)[~np.eye(20, dtype=bool)])
    assert gram_correlation(f, g) == pytest.approx(np.corrcoef(grams)[0, 1], abs=1e-12)


@pytest.mark.parametrize("measure", [gram_correlation, linear_cka])
def test_laws(measure):
    f, g = patches(80, 6) + 0.5, patches(80, 6, 1)
    base = measure(f, g)
    assert measure(f, f) == pytest.approx(1.0, abs=1e-12)
    assert measure(g, f) == pytest.approx(base, abs=1e-12)
    assert measure(f @ rotation(6) * 7, g) == pytest.approx(base, abs=1e-12)
    order = np.random.default_rng(3).permutation(80)
    assert measure(f[order], g[order]) == pytest.approx(base, abs=1e-12)
    assert measure(f, f[order]) < 0.3
    assert measure(f, f + 0.3 * g) > measure(f, f + 3 * g) > base


def test_cka_ignores_a_shift_of_all_patches():
    f, g = patches(50, 4), patches(50, 5, 1)
    assert linear_cka(f + 10, g) == pytest.approx(linear_cka(f, g), abs=1e-12)


@pytest.mark.parametrize("measure", [gram_correlation, linear_cka])
def test_undefined_is_nan(measure):
    constant = np.full((30, 4), 0.1)
    assert np.isnan(measure(constant, patches(30, 4)))
    assert np.isnan(measure(patches(30, 4), constant))
    assert np.isnan(measure(patches(1, 4), patches(1, 4, 1)))


def test_scale_never_overflows():
    f, g = patches(30, 4), patches(30, 4, 1)
    assert linear_cka(f * 1e150, g * 1e-150) == pytest.approx(linear_cka(f, g), abs=1e-12)


@pytest.mark.parametrize("measure", [gram_correlation, linear_cka])
def test_bad_input_is_named(measure):
    broken = patches(5, 3)
    broken[1, 1] = np.inf
    with pytest.raises(InputError, match="g: 1 of 5 patches"):
        measure(patches(5, 3), broken)
    with pytest.raises(ShapeError):
        measure(patches(5, 3), patches(6, 3))
