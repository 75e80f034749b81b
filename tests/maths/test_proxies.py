import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.boundary import coherence_of_pairs
from dinoscope.maths.proxies import colour_pairs, colour_regions, edge_strength, sharpness_against
from dinoscope.maths.resample import area_average


def proxy_sharpness(features, photograph):
    return sharpness_against(features, edge_strength(photograph, features.shape[:2]))


def proxy_coherence(features, photograph, **settings):
    return coherence_of_pairs(features, colour_pairs(photograph, features.shape[:2], **settings))


def noise(h=12, w=12, dim=6, seed=0):
    return np.random.default_rng(seed).normal(size=(h, w, dim))


def photograph(h=12, w=12, patch=8):
    """Four flat quarters; the vertical border lies between patches, the horizontal one too."""
    quarters = np.array([[[200, 30, 30], [30, 200, 30]], [[30, 30, 200], [220, 220, 40]]], np.uint8)
    return np.kron(quarters, np.ones((h * patch // 2, w * patch // 2, 1), np.uint8)).astype(np.uint8)


def quarters(h=12, w=12):
    row, col = np.mgrid[:h, :w]
    return (row >= h // 2) * 2 + (col >= w // 2)


def aligned(spread=0.1, seed=1):
    base = np.random.default_rng(5).normal(size=(4, 6))
    return base[quarters()] + spread * noise(seed=seed)


def test_sharpness_rises_with_features_that_change_at_edges():
    photo = photograph()
    good, none = proxy_sharpness(aligned(), photo), proxy_sharpness(noise(), photo)
    smeared = proxy_sharpness(gaussian_filter(aligned(0.3), (2, 2, 0)), photo)
    assert good.n == 2 * 11 * 12
    assert good.correlation > smeared.correlation - 1e-9 and good.correlation > none.correlation + 0.1
    assert abs(none.correlation) < 0.15


def test_sharpness_is_a_rank_correlation_with_edge_strength():
    """A photograph of vertical bars with steps of growing height, one between each two columns."""
    steps = np.cumsum([0, 3, 7, 12, 18, 25, 33]).astype(np.uint8)
    photo = np.repeat(np.repeat(steps[None, :, None], 16, axis=1), 32, axis=0).repeat(3, axis=2)
    angle = np.cumsum([0, 0.05, 0.2, 0.1, 0.4, 0.3, 0.6])
    f = np.stack([np.cos(angle), np.sin(angle)], axis=-1)[None].repeat(2, axis=0)
    across = np.diff(steps.astype(float)).tolist() * 2
    change = (1 - np.cos(np.diff(angle))).tolist() * 2
    # Strength is 0 along a bar, where features do not change either.
    want = spearmanr([0.0] * 7 + across, [0.0] * 7 + change).statistic
    assert proxy_sharpness(f, photo).correlation == pytest.approx(want)


def test_coherence_follows_the_regions_of_colour():
    photo = photograph()
    good = proxy_coherence(aligned(0.05), photo, n_regions=4)
    values = [good.auc, proxy_coherence(aligned(2.0), photo, n_regions=4).auc, 0.5]
    assert values[0] > 0.9 and values == sorted(values, reverse=True)
    assert proxy_coherence(noise(), photo, n_regions=4).auc == pytest.approx(0.5, abs=0.05)


def test_regions_are_seeded_and_follow_colour():
    got = colour_regions(photograph(), (12, 12), n_regions=4, seed=3)
    np.testing.assert_array_equal(got, colour_regions(photograph(), (12, 12), n_regions=4, seed=3))
    assert got.min() >= 0 and got.max() < 4 and len(np.unique(got)) <= 4
    found = {tuple(sorted(np.unique(got[quarters() == q]))) for q in range(4)}
    assert len(found) == 4 and all(len(f) == 1 for f in found)
    stripes = np.kron(np.indices((12, 12))[1] % 2 * 200, np.ones((8, 8), int)).astype(np.uint8)
    found = colour_regions(stripes[..., None].repeat(3, axis=2), (12, 12), n_regions=2)
    assert (found == found[:1]).all() and (found[:, ::2] == found[0, 0]).all() and found[0, 0] != found[0, 1]
    assert (colour_regions(photograph(), (12, 12), n_regions=1) == 0).all()
    assert len(np.unique(colour_regions(np.zeros((4, 4, 3), np.uint8), (2, 2), n_regions=8))) == 4


@pytest.mark.parametrize(
    "measure", [lambda f, p: proxy_sharpness(f, p).correlation, lambda f, p: proxy_coherence(f, p).auc]
)
def test_rotation_and_scale_change_nothing(measure):
    q = np.linalg.qr(noise(6, 6, 1, 2)[..., 0])[0]
    assert measure(aligned() @ q * 7, photograph()) == pytest.approx(measure(aligned(), photograph()))


def test_undefined_is_nan():
    grey = np.full((96, 96, 3), 128, np.uint8)
    assert math.isnan(proxy_sharpness(noise(), grey).correlation)
    assert math.isnan(proxy_sharpness(np.ones((12, 12, 3)), photograph()).correlation)
    assert math.isnan(proxy_sharpness(np.ones((1, 1, 3)), photograph()).correlation)
    assert math.isnan(proxy_coherence(noise(), photograph(), n_regions=1).auc)


def test_bad_input_is_named():
    with pytest.raises((ShapeError, TypeError)):
        proxy_sharpness(noise(), np.zeros((8, 8), np.uint8))
    with pytest.raises(InputError, match="n_regions"):
        proxy_coherence(noise(), photograph(), n_regions=0)
    broken = noise()
    broken[0, 0, 0] = np.inf
    for measure in (proxy_sharpness, proxy_coherence):
        with pytest.raises(InputError, match="1 of 144"):
            measure(broken, photograph())


@pytest.mark.parametrize(("size", "shape"), [((130, 97), (5, 4)), ((64, 200), (2, 31)), ((40, 40), (40, 40))])
def test_edges_are_those_of_the_filter_applied_pixel_by_pixel(size, shape):
    photo = np.random.default_rng(3).integers(0, 256, (*size, 3), dtype=np.uint8)
    np.testing.assert_allclose(edge_strength(photo, shape), slow_edges(photo, shape), rtol=0, atol=3e-8)


def test_ranks_of_edges_are_those_of_float64_to_1e_5():
    photo = np.kron(np.random.default_rng(6).integers(0, 256, (64, 64, 3)), np.ones((6, 6, 1)))
    photo = gaussian_filter(photo, (3, 3, 0)).astype(np.uint8)
    f = noise(32, 32)
    x = f / np.linalg.norm(f, axis=-1, keepdims=True)
    change = [1 - (x[1:] * x[:-1]).sum(axis=-1), 1 - (x[:, 1:] * x[:, :-1]).sum(axis=-1)]
    want = spearmanr(slow_edges(photo, (32, 32)), np.concatenate([part.ravel() for part in change])).statistic
    assert proxy_sharpness(f, photo).correlation == pytest.approx(want, abs=1e-5)


@pytest.mark.parametrize("level", [0, 77, 255])
def test_a_flat_photograph_has_no_edge_however_it_is_rounded(level):
    flat = np.full((300, 200, 3), level, np.uint8)
    assert math.isnan(proxy_sharpness(noise(), flat).correlation)
    assert edge_strength(flat, (12, 12)).max() < 2e-8


def slow_edges(photo, shape):
    luminance = (photo / 255.0) @ (0.2126, 0.7152, 0.0722)
    blur = [pixels / patches / 8 for pixels, patches in zip(photo.shape, shape, strict=False)]
    down, right = (
        np.abs(gaussian_filter(luminance, blur, order=o, mode="nearest")) for o in ((1, 0), (0, 1))
    )
    h, w = shape
    tall = area_average(down[..., None], (2 * h, w))[1:-1, :, 0]  # without the halves at the border
    wide = area_average(right[..., None], (h, 2 * w))[:, 1:-1, 0]
    pairs = tall.reshape(h - 1, 2, w).mean(axis=1), wide.reshape(h, w - 1, 2).mean(axis=2)
    return np.concatenate([part.ravel() for part in pairs])


def test_regions_of_colour_are_those_of_the_loops_as_they_are_written():
    photo = np.random.default_rng(4).integers(0, 256, (80, 96, 3), dtype=np.uint8)
    places = np.argwhere(np.ones((10, 12), bool)) / 12
    points = np.concatenate([area_average(photo / 255.0, (10, 12)).reshape(120, 3), 0.5 * places], axis=1)
    found = colour_regions(photo, (10, 12)).ravel()
    centres = np.stack([points[found == k].mean(axis=0) for k in range(found.max() + 1)])
    apart = ((points[:, None] - centres) ** 2).sum(axis=2)
    np.testing.assert_array_equal(found, apart.argmin(axis=1))  # it has settled: nobody is nearer to another
