from __future__ import annotations

import numpy as np
import pytest

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.contribution import contribution
from dinoscope.maths.pca import patch_moments
from dinoscope.maths.suppression import (
    Suppression,
    fit_background,
    fit_centre,
    fit_common,
    fit_whiten,
    no_suppression,
)

DIM = 7


def patches(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, DIM)) + 2 * np.arange(DIM)).astype(np.float32)


def suppressions() -> list[Suppression]:
    moments = patch_moments(patches(60, 9))
    return [
        no_suppression(DIM),
        fit_centre(moments),
        fit_common(moments, 2),
        fit_whiten(moments, 5),
        fit_background(moments, 2),
    ]


def weights(n: int, seed: int) -> np.ndarray:
    found = np.random.default_rng(seed).uniform(size=n)
    found[::3] = 0
    return found


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


@pytest.mark.parametrize("suppression", suppressions(), ids=lambda s: s.kind)
@pytest.mark.parametrize("weighted", [False, True], ids=["mean", "weighted"])
def test_the_shares_of_each_side_sum_to_the_cosine_of_the_pooled_vectors(
    suppression: Suppression, weighted: bool
) -> None:
    x, y = patches(12, 1), patches(20, 2)
    w, v = (weights(12, 3), weights(20, 4)) if weighted else (np.ones(12), np.ones(20))
    found = contribution(x, y, suppression, query_weights=w, hit_weights=v)
    pooled = [
        suppression.apply(np.average(p.astype(np.float64), axis=0, weights=u)) for p, u in ((x, w), (y, v))
    ]
    assert found.score == pytest.approx(cosine(*pooled), abs=1e-9)
    assert found.query.sum() == pytest.approx(found.score, abs=1e-9)
    assert found.hit.sum() == pytest.approx(found.score, abs=1e-9)
    assert (found.query[w == 0] == 0).all()
    assert (found.hit[v == 0] == 0).all()


def test_the_pairs_are_the_largest_of_all_and_all_of_them_sum_to_the_score() -> None:
    x, y = patches(5, 1), patches(6, 2)
    suppression = suppressions()[1]
    every = contribution(x, y, suppression, pairs=1000)
    a, b = suppression.apply(x), suppression.apply(y)
    length = np.linalg.norm(a.mean(0)) * np.linalg.norm(b.mean(0))
    slow = {(i, j): float(a[i] @ b[j]) / 30 / length for i in range(5) for j in range(6)}
    assert len(every.pairs) == 30
    assert every.pair_shares.sum() == pytest.approx(every.score, abs=1e-9)
    for (i, j), share in zip(every.pairs, every.pair_shares, strict=True):
        assert share == pytest.approx(slow[int(i), int(j)], abs=1e-9)
    few = contribution(x, y, suppression, pairs=4)
    np.testing.assert_allclose(few.pair_shares, sorted(slow.values(), reverse=True)[:4], atol=1e-9)


def test_exchanging_query_and_hit_exchanges_the_shares() -> None:
    x, y = patches(5, 1), patches(6, 2)
    there, back = (contribution(*pair, no_suppression(DIM)) for pair in ((x, y), (y, x)))
    assert there.score == pytest.approx(back.score)
    np.testing.assert_allclose(there.query, back.hit)
    np.testing.assert_allclose(there.hit, back.query)


@pytest.mark.parametrize("bad", [[0, 0, 0], [1, -1, 1], [1, np.nan, 1]])
def test_weights_that_weigh_nothing_are_refused(bad: list[float]) -> None:
    with pytest.raises(InputError, match="query weights"):
        contribution(patches(3, 1), patches(3, 2), no_suppression(DIM), query_weights=np.array(bad, float))


def test_a_pooled_vector_without_a_direction_is_refused() -> None:
    x = np.array([[1.0, 2.0], [-1.0, -2.0]])
    with pytest.raises(InputError, match="length 0"):
        contribution(x, np.ones((2, 2)), no_suppression(2))


@pytest.mark.usefixtures("unchecked_shapes")
def test_other_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="query and hit"):
        contribution(patches(3, 1), patches(3, 2)[:, 1:], no_suppression(DIM))
    with pytest.raises(ShapeError, match="hit weights"):
        contribution(patches(3, 1), patches(3, 2), no_suppression(DIM), hit_weights=np.ones(4))
