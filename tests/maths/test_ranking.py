from __future__ import annotations

import numpy as np
import pytest

from dinoscope.errors import EmptyIndexError, InputError, ShapeError
from dinoscope.maths import ranking
from dinoscope.maths.ranking import top_k


def slow(queries, collection, k, exclude=None):
    """One query and one vector at a time."""
    found, scores = [], []
    for i, q in enumerate(queries.astype(np.float64)):
        rows = []
        for j, v in enumerate(collection.astype(np.float64)):
            if exclude is None or exclude[i] != j:
                length = np.sqrt((q**2).sum() * (v**2).sum())
                rows.append((-(q * v).sum() / length if length > 0 else 0.0, j))
        rows.sort()
        found.append([j for _, j in rows[:k]])
        scores.append([-s for s, _ in rows[:k]])
    return np.array(found), np.array(scores)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 7, 40])
def test_agrees_with_one_vector_at_a_time(dtype, k):
    rng = np.random.default_rng(k)
    collection = (rng.standard_normal((150, 16)) + 1).astype(dtype)
    queries = rng.standard_normal((5, 16)).astype(dtype)
    got = top_k(queries, collection, k)
    indices, scores = slow(queries, collection, k)
    np.testing.assert_array_equal(got.indices, indices)
    np.testing.assert_allclose(got.scores, scores, atol=1e-12)


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    collection = rng.standard_normal((200, 8)).astype(np.float32)
    queries = rng.standard_normal((10, 8)).astype(np.float32)
    whole = top_k(queries, collection, 9)
    monkeypatch.setattr(ranking, "BLOCK", 37)
    monkeypatch.setattr(ranking, "QUERIES", 4)
    for other in (collection, iter(np.array_split(collection, 11)), [collection[:0], collection]):
        got = top_k(queries, other, 9)
        np.testing.assert_array_equal(got.indices, whole.indices)
        np.testing.assert_array_equal(got.scores, whole.scores)


def test_equal_vectors_rank_in_the_order_of_the_collection(monkeypatch):
    rng = np.random.default_rng(1)
    kinds = rng.standard_normal((5, 64)).astype(np.float32)
    collection = kinds[rng.integers(0, 5, 400)] * rng.choice([1.0, 2.0, 0.5], (400, 1)).astype(np.float32)
    for block in (16_384, 29):
        monkeypatch.setattr(ranking, "BLOCK", block)
        got = top_k(kinds, collection, 20)
        for kind, indices in zip(kinds, got.indices, strict=True):
            same = np.flatnonzero(
                np.abs((collection / collection[:, :1]) - kind / kind[0]).max(axis=1) < 1e-6
            )
            np.testing.assert_array_equal(indices, same[:20])


def test_differences_below_float32_decide_when_vectors_have_them():
    rng = np.random.default_rng(4)
    base = rng.standard_normal(96)
    collection = base + 2e-4 * rng.standard_normal((300, 96))
    got = top_k(base[None], collection, 4)
    indices, scores = slow(base[None], collection, 4)
    assert np.ptp(scores) < 1e-7
    np.testing.assert_array_equal(got.indices, indices)


def test_a_query_does_not_find_itself_when_it_is_excluded():
    collection = np.random.default_rng(2).standard_normal((40, 6))
    got = top_k(collection, collection, 5, exclude=np.arange(40))
    indices, _ = slow(collection, collection, 5, exclude=np.arange(40))
    np.testing.assert_array_equal(got.indices, indices)
    assert (top_k(collection, collection, 1).indices[:, 0] == np.arange(40)).all()


def test_more_than_there_are_gives_all():
    collection = np.random.default_rng(3).standard_normal((6, 4))
    assert top_k(collection[:2], collection, 50).indices.shape == (2, 6)
    assert top_k(collection[:2], collection, 50, exclude=np.array([0, 1])).indices.shape == (2, 5)
    assert top_k(collection[:0], collection, 3).indices.shape == (0, 3)


def test_a_zero_vector_is_orthogonal_to_everything():
    got = top_k(np.ones((1, 3)), np.array([[0.0, 0, 0], [-1, 0, 0], [1, 1, 1]]), 3)
    np.testing.assert_array_equal(got.indices[0], [2, 0, 1])
    assert got.scores[0, 1] == 0


@pytest.mark.usefixtures("unchecked_shapes")
def test_bad_input_is_named():
    good = np.ones((4, 3), np.float32)
    bad = good.copy()
    bad[2, 1] = np.nan
    with pytest.raises(InputError, match="collection: the vector at 6"):
        top_k(good, [good, bad], 1)
    with pytest.raises(InputError, match="queries: the vector at 2"):
        top_k(bad, good, 1)
    with pytest.raises(InputError, match="at least 1"):
        top_k(good, good, 0)
    with pytest.raises(EmptyIndexError):
        top_k(good, good[:0], 1)
    with pytest.raises(ShapeError):
        top_k(good, np.ones((4, 2)), 1)
    with pytest.raises(ShapeError):
        top_k(good, good, 1, exclude=np.zeros(3, np.int64))
