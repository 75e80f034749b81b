import numpy as np
import pytest
from sklearn.cluster import KMeans

from dinoscope.maths import kmeans as room
from dinoscope.maths.kmeans import kmeans


def clusters(n=400, dim=24, k=6, spread=0.6, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(k, dim))[rng.integers(0, k, n)] + spread * rng.normal(size=(n, dim))
    return rows - rows.mean(axis=0)


def assert_as_scikit_learn(rows, k, seed=0, most_rounds=20):
    want = KMeans(k, n_init=1, max_iter=most_rounds, random_state=seed).fit(rows)
    labels, centres = kmeans(rows, k, seed=seed, most_rounds=most_rounds)
    np.testing.assert_array_equal(labels, want.labels_)
    np.testing.assert_allclose(centres, want.cluster_centers_, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("k", "spread", "most_rounds"), [(1, 1.0, 20), (3, 0.2, 20), (9, 3.0, 20), (9, 3.0, 1)]
)
def test_labels_and_centres_are_scikit_learns(seed, k, spread, most_rounds):
    """Where they settle, where the rounds end before, and where the moves are small enough."""
    assert_as_scikit_learn(clusters(spread=spread, seed=seed), k, seed, most_rounds)


def test_labels_are_those_of_the_last_centres_where_the_moves_are_small_enough(monkeypatch):
    monkeypatch.setattr(room, "TOLERANCE", 0.3)
    rows = clusters(spread=3.0)
    want = KMeans(9, n_init=1, tol=0.3, random_state=0).fit(rows)
    labels, centres = kmeans(rows, 9, seed=0, most_rounds=20)
    assert 1 < want.n_iter_ < 20
    np.testing.assert_array_equal(labels, want.labels_)
    np.testing.assert_allclose(centres, want.cluster_centers_, rtol=1e-12, atol=1e-12)


def test_what_float32_cannot_tell_is_told():
    """A common mean a million times as large as what lies between the rows: float32 holds none of it."""
    assert_as_scikit_learn(clusters() + 1e6, 6)


def test_rows_between_two_centres_are_decided_in_float64():
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(2, 24))
    rows = centres.mean(axis=0) + 1e-9 * rng.normal(size=(50, 24))
    want = ((rows[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    assert 0 < want.sum() < 50
    np.testing.assert_array_equal(room._Nearest(rows, (rows**2).sum(axis=1)).to(centres), want)


@pytest.mark.parametrize("seed", range(6))
def test_an_empty_cluster_takes_the_farthest_row(seed, monkeypatch):
    """Two of three starts are equal rows, so that one has nobody."""
    rows = clusters(n=60, dim=3, k=3, seed=seed)
    rows[30:] = rows[:30]
    starts = rows[[0, 30, 1]]
    want = KMeans(3, init=starts, n_init=1, max_iter=20).fit(rows)
    monkeypatch.setattr(room, "_start", lambda *_: starts)
    labels, centres = kmeans(rows, 3, seed=0, most_rounds=20)
    np.testing.assert_array_equal(labels, want.labels_)
    np.testing.assert_allclose(centres, want.cluster_centers_, rtol=1e-12, atol=1e-12)
