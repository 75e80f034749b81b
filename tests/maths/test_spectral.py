"""The normalised cut from dim + 1 numbers is that of the whole matrix."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import eigh
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.spectral import (
    degree_moments,
    fit_spectral,
    n_clusters,
    patch_totals,
    spectral_of_moments,
)


def photographs(n: int = 3, dim: int = 12, seed: int = 0) -> list[PatchFeatures]:
    rng = np.random.default_rng(seed)
    return [
        PatchFeatures.from_array(
            rng.standard_normal((5 + i, 7, dim)).astype(np.float32) + 0.5, image_size=(70, 50 + 10 * i)
        )
        for i in range(n)
    ]


def planted(n: int = 4000, dim: int = 32, k: int = 8, seed: int = 0) -> tuple[PatchFeatures, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = np.linalg.qr(rng.standard_normal((dim, dim)))[0][:k]
    labels = rng.integers(0, k, n)
    values = centres[labels] + 0.05 * rng.standard_normal((n, dim))
    return PatchFeatures.from_array(
        values.reshape(n // 40, 40, dim).astype(np.float32), image_size=(40, n // 40)
    ), labels


def rows(features: list[PatchFeatures]) -> np.ndarray:
    return np.concatenate([f.values.reshape(-1, f.dim) for f in features]).astype(np.float64)


def dense(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and vectors of the whole normalised affinity, largest first."""
    directions = values / np.linalg.norm(values, axis=1, keepdims=True)
    affinity = (1 + directions @ directions.T) / 2
    root = np.sqrt(affinity.sum(axis=1))
    found, columns = eigh(affinity / np.outer(root, root))
    return found[::-1], columns[:, ::-1]


def test_agrees_with_the_whole_matrix():
    features = photographs()
    spectral = fit_spectral(features, n=6)
    want, columns = dense(rows(features))
    np.testing.assert_allclose(spectral.eigenvalues, want[:6], atol=1e-10)
    assert spectral.eigenvalues[0] == pytest.approx(1.0, abs=1e-10)
    scores = np.concatenate([spectral.project(f).reshape(-1, 6) for f in features])
    signs = np.sign((scores * columns[:, :6]).sum(axis=0))
    np.testing.assert_allclose(scores * signs, columns[:, :6], atol=1e-8)


def test_merged_in_parts_and_in_any_order_it_is_the_same():
    features = photographs()
    whole = fit_spectral(features, n=5)
    parts = [f.values.reshape(-1, f.dim) for f in reversed(features)]
    totals = patch_totals(parts[0]) + (patch_totals(parts[1]) + patch_totals(parts[2]))
    moments = degree_moments(parts[2], totals) + degree_moments(np.concatenate(parts[:2]), totals)
    merged = spectral_of_moments(totals, moments, 5)
    for f in features:
        np.testing.assert_allclose(merged.project(f), whole.project(f), atol=1e-8)


def test_two_runs_are_equal_bit_by_bit():
    first, second = (fit_spectral(photographs(), n=4).project(photographs()[0]) for _ in range(2))
    assert np.array_equal(first, second)


def test_lengths_do_not_count_and_a_turn_of_feature_space_changes_nothing():
    features = photographs()
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((12, 12)))[0]
    rng = np.random.default_rng(2)
    other = [
        PatchFeatures.from_array(
            ((f.values @ turn) * rng.uniform(0.5, 2, (*f.grid.shape, 1))).astype(np.float32),
            image_size=f.grid.image_size,
        )
        for f in features
    ]
    ours, theirs = fit_spectral(features, n=4), fit_spectral(other, n=4)
    np.testing.assert_allclose(ours.eigenvalues, theirs.eigenvalues, atol=1e-7)
    for f, g in zip(features, other, strict=True):
        np.testing.assert_allclose(np.abs(ours.project(f)), np.abs(theirs.project(g)), atol=1e-5)


def test_planted_clusters_come_out_and_are_counted():
    features, labels = planted()
    spectral = fit_spectral(features, n=12)
    assert n_clusters(spectral.eigenvalues) == 8
    scores = spectral.project(features).reshape(-1, 12)[:, :8]
    scores /= np.linalg.norm(scores, axis=1, keepdims=True)
    found = KMeans(8, n_init=4, random_state=0).fit_predict(scores)
    assert adjusted_rand_score(labels, found) >= 0.99


def test_a_patch_without_length_is_half_like_everything():
    values = np.random.default_rng(0).standard_normal((4, 4, 6)).astype(np.float32)
    values[0, 0] = 0
    spectral = fit_spectral(PatchFeatures.from_array(values, image_size=(4, 4)), n=3)
    assert spectral.total @ np.array([np.sqrt(0.5), *[0.0] * 6]) == pytest.approx(8.0)


def test_what_cannot_be_is_refused():
    features = photographs()
    with pytest.raises(InputError, match="at least one"):
        fit_spectral([])
    with pytest.raises(InputError, match="14 eigenvectors"):
        fit_spectral(features, n=14)
    equal = PatchFeatures.from_array(np.ones((3, 3, 5), np.float32), image_size=(3, 3))
    with pytest.raises(InputError, match="span 1 direction"):
        fit_spectral(equal, n=2)
    with pytest.raises(ShapeError):
        fit_spectral([features[0], photographs(dim=5)[0]])
    with pytest.raises(ShapeError):
        fit_spectral(features).project(photographs(dim=5)[0])
    with pytest.raises(InputError, match="NaN"):
        patch_totals(np.full((3, 4), np.nan, np.float32))
