"""Planted kinds of patches are found, counted and named alike in two models."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths import clusters
from dinoscope.maths.clusters import RULE, fit_clusters, match_labels


def planted(k: int = 5, dim: int = 16, seed: int = 0) -> tuple[list[PatchFeatures], list[np.ndarray]]:
    """Three photographs of patches in k directions, of many lengths, some directions more often."""
    rng = np.random.default_rng(seed)
    centres = np.linalg.qr(rng.standard_normal((dim, dim)))[0][:k]
    share = np.arange(1, k + 1) / np.arange(1, k + 1).sum()
    features, labels = [], []
    for _ in range(3):
        mine = rng.choice(k, (12, 20), p=share)
        values = centres[mine] + 0.04 * rng.standard_normal((12, 20, dim))
        lengths = rng.uniform(0.5, 20, (12, 20, 1))
        features.append(
            PatchFeatures.from_array((values * lengths).astype(np.float32), image_size=(200, 120))
        )
        labels.append(mine)
    return features, labels


@pytest.mark.parametrize("k", [5, None])
def test_planted_kinds_are_found_whatever_their_patches_lengths(k):
    features, labels = planted()
    found = fit_clusters(features, k)
    assert len(found.centres) == 5
    assert found.chosen_by == ("given" if k else RULE)
    mine = np.concatenate([found.label(f).ravel() for f in features])
    assert adjusted_rand_score(np.concatenate([one.ravel() for one in labels]), mine) >= 0.99
    assert np.array_equal(np.bincount(mine), found.sizes)
    assert (np.diff(found.sizes) <= 0).all()


def test_one_seed_makes_one_result():
    features, _ = planted()
    first, second = fit_clusters(features, 7, seed=3), fit_clusters(features, 7, seed=3)
    assert np.array_equal(first.centres, second.centres)


def test_of_very_many_patches_centres_see_some_and_labels_all(monkeypatch):
    features, labels = planted()
    monkeypatch.setattr(clusters, "MOST", 300)
    found = fit_clusters(features, 5)
    assert found.sizes.sum() == 240  # every third of 720
    mine = np.concatenate([found.label(f).ravel() for f in features])
    assert adjusted_rand_score(np.concatenate([one.ravel() for one in labels]), mine) >= 0.99


def test_labels_are_named_as_the_reference_names_them():
    rng = np.random.default_rng(0)
    reference = rng.integers(0, 4, 500)
    renamed = np.array([2, 0, 3, 1])[reference]
    noisy = np.where(rng.random(500) < 0.1, rng.integers(0, 4, 500), renamed)
    assert np.array_equal(match_labels(renamed, reference)[renamed], reference)
    assert (match_labels(noisy, reference)[noisy] == reference).mean() > 0.9
    more = np.where(rng.random(500) < 0.2, 4, renamed)
    numbers = match_labels(more, reference)
    assert sorted(numbers) == [0, 1, 2, 3, 4]
    assert numbers[4] == 4


def test_what_cannot_be_is_refused():
    features, _ = planted()
    with pytest.raises(InputError, match="at least one"):
        fit_clusters([])
    with pytest.raises(InputError, match="0 clusters"):
        fit_clusters(features, 0)
    with pytest.raises(InputError, match="721 clusters of 720"):
        fit_clusters(features, 721)
    other = PatchFeatures.from_array(np.ones((2, 2, 3), np.float32), image_size=(2, 2))
    with pytest.raises(ShapeError):
        fit_clusters([features[0], other])
    with pytest.raises(ShapeError):
        fit_clusters(features, 3).label(other)
    with pytest.raises(ShapeError):
        match_labels(np.zeros(3, np.int64), np.zeros(4, np.int64))
