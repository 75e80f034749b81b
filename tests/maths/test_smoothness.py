from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.stats import special_ortho_group

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.smoothness import smoothness


def field(seed: int = 0, h: int = 9, w: int = 12, dim: int = 10) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return gaussian_filter(rng.standard_normal((h, w, dim)), (1, 1, 0)) + 0.1 * rng.standard_normal(dim)


def slow(values: np.ndarray) -> tuple[float, float, float]:
    """Every pair by hand."""
    h, w, _ = values.shape

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / math.sqrt((a @ a) * (b @ b)))

    edges = [
        cosine(values[r, c], values[r + dr, c + dc])
        for r in range(h)
        for c in range(w)
        for dr, dc in ((0, 1), (1, 0))
        if r + dr < h and c + dc < w
    ]
    flat = values.reshape(h * w, -1)
    pairs = [cosine(flat[i], flat[j]) for i in range(h * w) for j in range(h * w) if i != j]
    neighbour, random_pair = float(np.mean(edges)), float(np.mean(pairs))
    return neighbour, random_pair, 1 - (1 - neighbour) / (1 - random_pair)


def triple(values: np.ndarray) -> tuple[float, float, float]:
    s = smoothness(values)
    return s.neighbour, s.random_pair, s.locality


@pytest.mark.parametrize("shape", [(9, 12), (1, 8), (8, 1), (2, 2)])
def test_agrees_with_every_pair_by_hand(shape: tuple[int, int]) -> None:
    values = field(1, *shape)
    np.testing.assert_allclose(triple(values), slow(values), rtol=1e-10)


@given(st.integers(0, 10_000))
def test_knows_no_rotation_no_scale_and_no_direction(seed: int) -> None:
    values = field(seed % 7)
    rotation = special_ortho_group.rvs(10, random_state=seed)
    lengths = np.random.default_rng(seed).uniform(0.1, 10, (*values.shape[:2], 1))
    np.testing.assert_allclose(triple((values @ rotation) * lengths), triple(values), rtol=1e-9)
    np.testing.assert_allclose(triple(values[::-1, ::-1]), triple(values), rtol=1e-9)
    np.testing.assert_allclose(triple(values.transpose(1, 0, 2)), triple(values), rtol=1e-9)


def test_shuffled_patches_have_no_locality() -> None:
    values = field(3, 30, 30)
    shuffled = np.random.default_rng(0).permutation(values.reshape(900, -1)).reshape(values.shape)
    assert smoothness(values).locality > 0.4
    assert abs(smoothness(shuffled).locality) < 0.05
    assert smoothness(shuffled).random_pair == pytest.approx(smoothness(values).random_pair)


def test_a_finer_grid_is_smoother_by_itself() -> None:
    fine = field(4, 32, 32)
    assert smoothness(fine).neighbour > smoothness(fine[::2, ::2]).neighbour


def test_a_collapsed_map_is_perfectly_smooth_and_has_no_locality() -> None:
    s = smoothness(np.ones((5, 5, 3)))
    assert s.neighbour == pytest.approx(1.0)
    assert s.random_pair == pytest.approx(1.0)
    assert math.isnan(s.locality)


def test_one_patch_has_no_neighbour() -> None:
    assert all(math.isnan(v) for v in triple(np.ones((1, 1, 3))))


def test_a_patch_without_length_is_like_nothing() -> None:
    values = np.ones((1, 3, 2))
    values[0, 0] = 0
    s = smoothness(values)
    assert s.neighbour == pytest.approx(0.5)
    assert s.random_pair == pytest.approx(1 / 3)


def test_bad_maps_are_refused() -> None:
    with pytest.raises(InputError, match="NaN"):
        smoothness(np.full((2, 2, 2), np.nan))
    with pytest.raises(ShapeError):
        smoothness(np.ones((0, 2, 2)))
