"""Colours of the normalised cut and of clusters, over all photographs and models at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dinoscope.comparison import colour_words
from dinoscope.comparison.maps import Drawn, MapOptions
from dinoscope.comparison.recolour import recoloured
from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError
from tests.samples import comparison

GRID, KINDS, DIM = (8, 9), 3, 12


@pytest.fixture(scope="module")
def planted() -> tuple[list[list[np.ndarray]], list[np.ndarray]]:
    """Three kinds of patches in two photographs; the second model has them in other directions."""
    rng = np.random.default_rng(3)
    kinds = [rng.permutation(np.arange(GRID[0] * GRID[1]) % KINDS).reshape(GRID) for _ in range(2)]
    models = []
    for _ in range(2):
        centres = np.linalg.qr(rng.standard_normal((DIM, DIM)))[0][:KINDS] + 0.3
        models.append([centres[k] + 0.02 * rng.standard_normal((*GRID, DIM)) for k in kinds])
    return models, kinds


def columns(models: list[list[np.ndarray]]) -> tuple[list[Drawn], list[Sequence[PatchFeatures]]]:
    c = comparison(["a.png", "b.png"], features=models)
    drawn = [(model, [row[m] for row in c.maps]) for m, model in enumerate(c.models)]
    return drawn, list(zip(*c.features, strict=True))


def test_clusters_of_two_models_have_one_colour_where_they_are_the_same(
    planted: tuple[list[list[np.ndarray]], list[np.ndarray]],
) -> None:
    models, kinds = planted
    (first, one), (second, two) = recoloured(*columns(models), kind="clusters", seed=0)
    for a, b in zip(one, two, strict=True):
        assert_allclose(a.colours, b.colours)
    shown = np.concatenate([m.colours.reshape(-1, 3) for m in one])
    flat = np.concatenate([k.ravel() for k in kinds])
    assert [len(np.unique(shown[flat == k], axis=0)) for k in range(KINDS)] == [1] * KINDS
    assert len(np.unique(shown, axis=0)) == KINDS
    assert first.coloured_by == "3 clusters"
    assert second.coloured_by == f"3 clusters, 100% as by {first.label}"
    assert first.alignment is second.alignment is None


def test_the_cut_of_a_further_model_is_turned_to_look_like_the_first(
    planted: tuple[list[list[np.ndarray]], list[np.ndarray]],
) -> None:
    models, kinds = planted
    drawn, features = columns(models)
    (first, one), (second, two) = recoloured(drawn, features, kind="spectral", seed=0)
    assert first.alignment is None and second.alignment is not None
    assert second.alignment.residual < 0.6  # the third eigenvector is noise
    assert first.coloured_by.startswith("cut, λ 0.")
    flat = np.concatenate([k.ravel() for k in kinds])
    for maps in (one, two):
        shown = np.concatenate([m.colours.reshape(-1, 3) for m in maps])[:, :2]
        means = np.array([shown[flat == k].mean(axis=0) for k in range(KINDS)])
        within = max(shown[flat == k].std(axis=0).max() for k in range(KINDS))
        assert min(np.abs(means[i] - means[j]).max() for i in range(KINDS) for j in range(i)) > 5 * within
    # The same model twice is the same picture, whatever the signs of its eigenvectors.
    same = [drawn[0], (drawn[1][0], drawn[0][1])]
    (_, a), (_, b) = recoloured(same, [features[0], features[0]], kind="spectral", seed=0)
    for left, right in zip(a, b, strict=True):
        assert_allclose(left.colours, right.colours, atol=1e-9)
        assert left.scores is not None and left.similarity


def test_words_name_colours_as_what_they_are() -> None:
    c = comparison(["a.png"])
    assert colour_words.named(c) == "principal components 1, 2, 3"
    assert colour_words.below(c, c.models[0]).startswith("PC 1, 2, 3: ")


@pytest.mark.parametrize(("colours", "foreground"), [("umap", "none"), ("clusters", "pc1")])
def test_other_colours_are_refused(colours: str, foreground: str) -> None:
    with pytest.raises(InputError, match="pca"):
        MapOptions(colours=colours, foreground=foreground)
