"""Multinomial logistic regression, of few classes in many channels that vary by very different amounts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64
from scipy.optimize import minimize

TOLERANCE = 1e-4
"""Where the steepest scaled slope is no larger, the minimum is found."""
STEPS = 1000

NOTHING = 1e-10
"""Share of the largest variance below which an axis of few rows is rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Logistic:
    """A fitted regression.

    Attributes:
        classes: ascending.
        weights: of each channel and class.
        offsets: of each class.
        converged: false where `STEPS` were too few.
    """

    classes: Int64[np.ndarray, " c"]
    weights: Float[np.ndarray, "dim c"]
    offsets: Float[np.ndarray, " c"]
    converged: bool

    def predict(self, z: Float[np.ndarray, "m dim"]) -> Int64[np.ndarray, " m"]:
        """The likeliest class of each row; of equally likely ones the smallest."""
        return np.asarray(self.classes[(z @ self.weights + self.offsets).argmax(axis=1)])


def fit_logistic(x: Float[np.ndarray, "n dim"], y: Int64[np.ndarray, " n"], c: float) -> Logistic:
    """The least mean cross-entropy plus ``||W||² / (2 c n)``; offsets cost nothing.

    Of two classes W is the one vector between them. The minimum is unique, and sought by L-BFGS along the
    principal axes of ``x``, each class and axis in units of the curvature that it has where only the shares
    of the classes are known: a rare class and a faint channel then take no more steps than others.
    Source: Nocedal & Wright, Numerical Optimization (2006), sections 7.2 and 5.1 (preconditioning).

    Args:
        x: centred; products are made in its precision.
        y: two classes at least.
        c: above 0; the larger, the weaker the penalty.
    """
    classes, index = np.unique(y, return_inverse=True)
    n, k = len(x), len(classes)
    price = (2 if k == 2 else 1) / (c * n)
    variances, axes = _principal_axes(x)
    rows = np.column_stack([x @ axes.astype(x.dtype), np.ones(n, x.dtype)])
    columns = np.ascontiguousarray(rows.T)
    prices = np.append(np.full(len(variances), price), 0.0)[:, None]
    share = np.bincount(index) / n
    curvature = np.outer(np.append(variances, 1.0), np.sqrt(share * (1 - share))) + price
    unit = 1 / np.sqrt(curvature)
    own = np.arange(n) * k + index

    def slope(scaled: Float64[np.ndarray, " p"]) -> tuple[float, Float64[np.ndarray, " p"]]:
        weights = unit * scaled.reshape(unit.shape)
        scores = rows @ weights.astype(x.dtype)
        scores -= scores.max(axis=1, keepdims=True)
        right = scores.ravel()[own]
        np.exp(scores, out=scores)
        total = scores.sum(axis=1, keepdims=True)
        loss = (np.log(total[:, 0]) - right).mean(dtype=np.float64)
        scores /= total
        scores.ravel()[own] -= 1
        scores /= n
        pull = prices * weights
        return float(loss + 0.5 * (pull * weights).sum()), (unit * (columns @ scores + pull)).ravel()

    limits = {"gtol": TOLERANCE, "ftol": 64 * np.finfo(float).eps, "maxiter": STEPS, "maxls": 50}
    found = minimize(slope, np.zeros(unit.size), jac=True, method="L-BFGS-B", options=limits)
    weights = (unit * found.x.reshape(unit.shape)).astype(x.dtype)
    return Logistic(classes, axes.astype(x.dtype) @ weights[:-1], weights[-1], bool(found.success))


def _principal_axes(
    x: Float[np.ndarray, "n dim"],
) -> tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, "dim k"]]:
    """Variances and orthonormal axes; of fewer rows than channels the axes that the rows reach alone, for
    what weights do beyond them costs and changes nothing.
    """
    n, dim = x.shape
    if n >= dim:
        variances, axes = np.linalg.eigh((x.T @ x).astype(np.float64) / n)
        return np.maximum(variances, 0.0), axes
    wide = x.astype(np.float64)
    variances, left = np.linalg.eigh(wide @ wide.T / n)
    kept = variances > NOTHING * variances[-1]
    return variances[kept], wide.T @ left[:, kept] / np.sqrt(n * variances[kept])
