"""Logistic regression beside scikit-learn's, at tolerances that leave no room."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from dinoscope.maths.logistic import Logistic, fit_logistic


def sample(n: int, dim: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Centred rows whose channels differ a hundredfold in size, with a rare class."""
    rng = np.random.default_rng(seed)
    y = np.minimum(rng.geometric(0.5, n) - 1, classes - 1).astype(np.int64)
    y[:classes] = np.arange(classes)
    x = (rng.normal(size=(classes, dim))[y] + 2 * rng.normal(size=(n, dim))) * np.geomspace(1, 0.01, dim)
    return x - x.mean(axis=0), 3 * y


def cost(model: Logistic, x: np.ndarray, y: np.ndarray, c: float) -> float:
    """What is to be made least, term by term."""
    total = 0.0
    for row, own in zip(x, y, strict=True):
        scores = row @ model.weights + model.offsets
        total += np.log(np.exp(scores).sum()) - scores[list(model.classes).index(own)]
    price = 2 if len(model.classes) == 2 else 1
    return total / len(x) + price * (model.weights**2).sum() / (2 * c * len(x))


def as_ours(found: LogisticRegression) -> Logistic:
    weights, offsets = found.coef_.T, found.intercept_
    if len(found.classes_) == 2:  # one vector between them
        weights, offsets = np.hstack([-weights / 2, weights / 2]), np.array([-offsets[0] / 2, offsets[0] / 2])
    return Logistic(found.classes_, weights, offsets, converged=True)


@pytest.mark.parametrize(
    ("n", "dim", "classes", "c"), [(400, 6, 4, 1.0), (300, 5, 2, 0.1), (30, 90, 3, 1.0), (12, 40, 2, 10.0)]
)
def test_the_minimum_is_that_of_scikit_learn(n: int, dim: int, classes: int, c: float) -> None:
    x, y = sample(n, dim, classes)
    ours = fit_logistic(x, y, c)
    theirs = as_ours(LogisticRegression(C=c, tol=1e-10, max_iter=100_000).fit(x, y))
    assert ours.converged and list(ours.classes) == list(np.unique(y))
    assert cost(ours, x, y, c) == pytest.approx(cost(theirs, x, y, c), abs=2e-6)
    new, _ = sample(200, dim, classes, seed=1)
    a, b = (new @ m.weights + m.offsets for m in (ours, theirs))
    np.testing.assert_allclose(
        a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True), atol=0.02 * np.ptp(b)
    )
    assert (ours.predict(new) == theirs.predict(new)).mean() > 0.98


def test_single_precision_changes_little() -> None:
    x, y = sample(300, 8, 4)
    wide, single = (fit_logistic(x.astype(kind), y, 1.0) for kind in (np.float64, np.float32))
    assert single.weights.dtype == np.float32 and single.converged
    np.testing.assert_allclose(single.weights, wide.weights, atol=0.02)


def test_rows_that_say_nothing_leave_the_shares_of_the_classes() -> None:
    y = np.array([4, 4, 4, 7])
    for dim in (2, 9):
        found = fit_logistic(np.zeros((4, dim)), y, 1.0)
        assert found.weights.shape == (dim, 2) and not found.weights.any()
        assert found.offsets[0] - found.offsets[1] == pytest.approx(np.log(3), abs=1e-3)
        assert list(found.predict(np.ones((2, dim)))) == [4, 4]
        assert found.predict(np.zeros((0, dim))).shape == (0,)
