import itertools
import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.distance import cls_patch_cosine, cosine_by_distance


def noise(h, w, dim=5, seed=0):
    return np.random.default_rng(seed).normal(size=(h, w, dim))


def by_hand(f, bins, width, height):
    h, w, _ = f.shape
    x = f / np.linalg.norm(f, axis=2, keepdims=True)
    edges = np.linspace(0, math.hypot(width, height), bins + 1)
    found = [[] for _ in range(bins)]
    for (a, b), (c, d) in itertools.combinations(itertools.product(range(h), range(w)), 2):
        apart = math.hypot((a - c) * height / h, (b - d) * width / w)
        k = next((k for k in range(bins) if apart < edges[k + 1] - 1e-12), bins - 1)
        found[k].append((x[a, b] @ x[c, d], apart))
    means = [np.mean(v, axis=0) if v else (np.nan, np.nan) for v in found]
    return np.transpose(means), [len(v) for v in found]


@pytest.mark.parametrize(("h", "w"), [(6, 9), (9, 6), (7, 7), (10, 10), (1, 7), (7, 1), (2, 1)])
def test_every_pair_is_counted_once_in_its_bin(h, w):
    f = noise(h, w)
    bins = h if h == w else 7  # on a square, diagonal steps then end exactly on the edges of bins
    got = cosine_by_distance(f, bins=bins)
    (want, apart), pairs = by_hand(f, bins, min(1, w / h), min(1, h / w))
    np.testing.assert_array_equal(got.pairs, pairs)
    np.testing.assert_allclose(got.cosine, want, atol=1e-12)
    np.testing.assert_allclose(got.distance, apart, atol=1e-12)
    assert got.pairs.sum() == h * w * (h * w - 1) // 2


def test_the_photographs_own_aspect_can_be_given():
    f = noise(4, 6)
    (want, _), pairs = by_hand(f, 5, 1.0, 0.5)
    wrapped = PatchFeatures.from_array(f, image_size=(200, 100))
    for got in (cosine_by_distance(f, bins=5, aspect=2.0), cosine_by_distance(wrapped, bins=5)):
        np.testing.assert_array_equal(got.pairs, pairs)
        np.testing.assert_allclose(got.cosine, want, atol=1e-6)


def test_grids_of_different_pitch_follow_one_curve():
    """Cosine falls with distance across the image, not across patches."""
    y, x = np.mgrid[:48, :48] / 48
    field = np.stack([np.cos(3 * x), np.sin(3 * x), np.cos(3 * y), np.sin(3 * y)], axis=-1)
    fine = cosine_by_distance(field, bins=8).cosine
    coarse = cosine_by_distance(field.reshape(24, 2, 24, 2, 4).mean(axis=(1, 3)), bins=8).cosine
    np.testing.assert_allclose(fine, coarse, atol=0.02)
    assert (np.diff(fine[:6]) < 0).all()


def test_rotation_scale_and_mirror_change_nothing_and_blur_raises_the_near_end():
    f = noise(12, 10)
    base = cosine_by_distance(f, bins=6).cosine
    q = np.linalg.qr(noise(5, 5, 1)[..., 0])[0]
    np.testing.assert_allclose(cosine_by_distance((f @ q * 3)[:, ::-1], bins=6).cosine, base, atol=1e-12)
    blurred = gaussian_filter(f, (1, 1, 0))
    assert cosine_by_distance(blurred, bins=6).cosine[0] > base[0] + 0.3


def test_a_constant_map_is_alike_at_every_distance_and_one_patch_has_none():
    got = cosine_by_distance(np.ones((4, 4, 3)), bins=4)
    np.testing.assert_allclose(got.cosine[got.pairs > 0], 1.0)
    assert np.isnan(cosine_by_distance(np.ones((1, 1, 3))).cosine).all()


def test_cls_patch_cosine_is_the_mean_cosine():
    f, cls = noise(3, 4), noise(1, 1, seed=2)[0, 0]
    cosines = [
        f[i, j] @ cls / np.linalg.norm(f[i, j]) / np.linalg.norm(cls) for i in range(3) for j in range(4)
    ]
    assert cls_patch_cosine(f, cls) == pytest.approx(np.mean(cosines))
    assert cls_patch_cosine(torch.from_numpy(f * 7), torch.from_numpy(cls * 2)) == pytest.approx(
        np.mean(cosines)
    )
    assert cls_patch_cosine(np.broadcast_to(cls, (2, 2, 5)).copy(), cls) == pytest.approx(1.0)
    assert math.isnan(cls_patch_cosine(f, np.zeros(5)))


def test_pulling_patches_to_the_class_token_raises_it():
    f, cls = noise(6, 6), noise(1, 1, seed=2)[0, 0]
    values = [cls_patch_cosine(f + k * cls, cls) for k in (0.0, 0.5, 1.0, 4.0)]
    assert values == sorted(values) and values[-1] > 0.9


def test_bad_input_is_named():
    f = noise(3, 3)
    with pytest.raises(InputError, match="bins"):
        cosine_by_distance(f, bins=0)
    with pytest.raises(ShapeError):
        cls_patch_cosine(f, np.ones(4))
    with pytest.raises(InputError, match="class token"):
        cls_patch_cosine(f, np.full(5, np.nan))
    f[0, 0, 0] = np.inf
    for call in (lambda: cosine_by_distance(f), lambda: cls_patch_cosine(f, np.ones(5))):
        with pytest.raises(InputError, match="1 of 9 patches"):
            call()
