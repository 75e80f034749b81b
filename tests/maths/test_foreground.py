from __future__ import annotations

import numpy as np
import pytest

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.foreground import fit_foreground, foreground_by_pc1, foreground_colours, otsu
from dinoscope.maths.pca import fit_pca


def scene(seed: int, sign: float = 1.0) -> tuple[PatchFeatures, np.ndarray]:
    """A square of one direction in a field of another, with noise."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((14, 18), bool)
    mask[4:10, 5:12] = True
    direction = np.linspace(1, 2, 10) * sign
    values = 0.2 * rng.standard_normal((14, 18, 10)) + np.where(mask[..., None], direction, -direction)
    return PatchFeatures.from_array(values, image_size=(180, 140)), mask


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_border_decides_which_side_is_background(sign: float) -> None:
    pairs = [scene(seed, sign) for seed in range(3)]
    features = [f for f, _ in pairs]
    for found, (_, mask) in zip(foreground_by_pc1(features, fit_pca(features)), pairs, strict=True):
        assert (found == mask).mean() > 0.97  # the median filter rounds the corners
        assert found[6, 8] and not found[0, 0]


def test_otsu_separates_two_heaps() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 0.3, 500), rng.normal(5, 0.3, 100)])
    assert 1.0 < otsu(values) < 4.0


def test_a_classifier_fitted_on_masks_finds_them_in_another_photograph() -> None:
    (first, mask), (second, _) = scene(0), scene(1)
    rule = fit_foreground([first], [mask.astype(float)])
    assert (rule.mask(second) == mask).mean() > 0.97
    assert rule.n_patches == mask.size
    with pytest.raises(InputError, match="both"):
        fit_foreground([first], [np.ones((14, 18))])
    with pytest.raises(ShapeError):
        fit_foreground([first], [np.ones((2, 2))])
    unsure = fit_foreground([first], [np.where(np.arange(18) < 3, 0.5, mask).astype(float)])
    assert unsure.n_patches == 14 * 15


def test_colours_follow_the_recipe() -> None:
    feature, mask = scene(2)
    pca = fit_pca(feature, masks=[mask])
    scores = pca.project(feature)
    colours = foreground_colours(scores, pca, mask)
    z = scores[6, 8] / np.sqrt(pca.explained_variance)
    np.testing.assert_allclose(colours[6, 8], 1 / (1 + np.exp(-2 * z)))
    assert (colours[~mask] == 0).all()


def test_no_photographs_no_foreground() -> None:
    feature, _ = scene(0)
    with pytest.raises(InputError):
        foreground_by_pc1([], fit_pca(feature))
