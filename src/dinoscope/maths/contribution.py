"""Why are two photographs alike? The share of each patch in the cosine of their pooled vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.suppression import Suppression

PAIRS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Contribution:
    """The cosine of two weighted means, taken apart.

    With weights ``w`` that sum to 1 and a suppression ``S``, the pooled vectors are ``a = S(sum_i w_i x_i)``
    and ``b``; ``S`` is affine, so ``a = sum_i w_i S(x_i)`` and the cosine is
    ``sum_ij w_i v_j <S(x_i), S(y_j)> / (|a| |b|)``. Summed over ``j`` it is what patch ``i`` of the query
    gives, and the other way round. Patches may give a negative share.

    Attributes:
        score: the cosine, in [-1, 1].
        query, hit: the share of every patch, row-major; each sums to the score.
        pairs: the strongest pairs of patches (query, hit), strongest first.
        pair_shares: of each pair.
    """

    score: float
    query: Float64[np.ndarray, " n"]
    hit: Float64[np.ndarray, " m"]
    pairs: Int64[np.ndarray, "p 2"]
    pair_shares: Float64[np.ndarray, " p"]


def contribution(
    query: Float[np.ndarray, "n dim"],
    hit: Float[np.ndarray, "m dim"],
    suppression: Suppression,
    *,
    query_weights: Float[np.ndarray, " n"] | None = None,
    hit_weights: Float[np.ndarray, " m"] | None = None,
    pairs: int = PAIRS,
) -> Contribution:
    """Exact for mean and weighted pooling.

    Args:
        query, hit: patches of the two photographs, as they are.
        suppression: applied to the pooled vectors.
        query_weights, hit_weights: not negative, not all 0; None for equal ones.
        pairs: how many of the strongest pairs.

    Raises:
        ShapeError: different channels, or weights for another number of patches.
        InputError: weights below 0 or all 0, or a pooled vector of length 0.

    Cost: O(n·m·dim) for the pairs, in blocks of rows.
    """
    if query.ndim != 2 or hit.ndim != 2 or query.shape[1] != hit.shape[1]:
        raise ShapeError("query and hit", expected="n dim and m dim", actual=query.shape + hit.shape)
    w, v = _weights(query_weights, len(query), "query"), _weights(hit_weights, len(hit), "hit")
    x, y = suppression.apply(query), suppression.apply(hit)
    a, b = w @ x, v @ y
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    if not length > 0:
        raise InputError("a pooled vector has length 0: no share can be given")
    found, shares = _strongest(w[:, None] * x, v[:, None] * y / length, min(pairs, len(x) * len(y)))
    return Contribution(float(a @ b / length), w * (x @ b) / length, v * (y @ a) / length, found, shares)


def _strongest(
    x: Float64[np.ndarray, "n dim"], y: Float64[np.ndarray, "m dim"], count: int
) -> tuple[Int64[np.ndarray, "p 2"], Float64[np.ndarray, " p"]]:
    """Pairs of largest product, a block of rows at a time."""
    places = np.zeros((0, 2), np.int64)
    values = np.zeros(0)
    block = max(1, 2_000_000 // len(y))
    for start in range(0, len(x), block):
        products = x[start : start + block] @ y.T
        flat = np.argpartition(-products.ravel(), min(count, products.size - 1))[:count]
        rows, cols = np.divmod(flat, products.shape[1])
        places = np.concatenate([places, np.stack([rows + start, cols], axis=1)])
        values = np.concatenate([values, products.ravel()[flat]])
        order = np.lexsort((places[:, 1], places[:, 0], -values))[:count]
        places, values = places[order], values[order]
    return places, values


def _weights(given: Float[np.ndarray, " n"] | None, n: int, name: str) -> Float64[np.ndarray, " n"]:
    if given is None:
        return np.full(n, 1.0 / n)
    if given.shape != (n,):
        raise ShapeError(f"{name} weights", expected=f"n={n}", actual=given.shape)
    wide = given.astype(np.float64)
    if not (np.isfinite(wide).all() and (wide >= 0).all() and wide.sum() > 0):
        raise InputError(f"{name} weights must not be negative, nor all 0")
    return wide / wide.sum()
