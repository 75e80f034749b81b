"""Distances to a bank, and greedy covers of it."""

from __future__ import annotations

import numpy as np
import pytest

from dinoscope.maths import bank
from dinoscope.maths.bank import greedy_cover, nearest_distances
from dinoscope.maths.patches import unit


def directions(n: int, dim: int, seed: int) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(n, dim))).astype(np.float32)


@pytest.fixture(params=[8192, 7])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank, "BLOCK", request.param)


@pytest.mark.usefixtures("block")
def test_they_are_one_minus_the_largest_cosine() -> None:
    queries, held = directions(20, 6, 0), directions(50, 6, 1)
    among = np.random.default_rng(2).random(50) > 0.5
    slow = [min(1 - float(q.astype(float) @ b.astype(float)) for b in held) for q in queries]
    np.testing.assert_allclose(nearest_distances(queries, held), slow, atol=1e-6)
    slow = [min(1 - float(q.astype(float) @ b.astype(float)) for b in held[among]) for q in queries]
    np.testing.assert_allclose(nearest_distances(queries, held, among=among), slow, atol=1e-6)


@pytest.mark.usefixtures("block")
def test_a_vector_of_the_bank_is_at_exactly_zero_among_its_near_copies() -> None:
    held = directions(60, 384, 3)
    near = unit(held.astype(float) + 1e-5 * directions(60, 384, 4)).astype(np.float32)
    both = np.concatenate([near, held])
    assert (nearest_distances(held, both) == 0).all()
    assert (nearest_distances(near, held) > 1e-12).all()


@pytest.mark.usefixtures("block")
def test_a_cover_covers_and_none_of_it_is_covered_by_another() -> None:
    rows, radius = directions(400, 4, 5), 0.1
    kept = greedy_cover(rows, radius)
    assert 10 < len(kept) < 200 and (np.diff(kept) > 0).all()
    between = 1 - rows.astype(float) @ rows[kept].astype(float).T
    assert between.min(axis=1).max() <= radius + 1e-6
    apart = between[kept] + 9 * np.eye(len(kept))
    assert apart.min() > radius - 1e-6
