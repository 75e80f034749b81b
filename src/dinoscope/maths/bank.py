"""How far is each patch from the nearest of many?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

BLOCK = 8192
"""Bank vectors compared at a time."""

NEAR = 1e-4
"""Distances below this are found again in float64, where products in float32 have no digits left."""

ZERO = 1e-12
"""Distances below this are rounding errors of equal vectors."""


def nearest_distances(
    queries: Float32[np.ndarray, "q dim"],
    bank: Float32[np.ndarray, "n dim"],
    *,
    among: Bool[np.ndarray, " n"] | None = None,
) -> Float64[np.ndarray, " q"]:
    """1 − cosine with the nearest bank vector, in [0, 2]; exactly 0 for a vector of the bank.

    Cost: O(q·n·dim) in float32, once more in float64 for queries nearer than `NEAR`.

    Args:
        queries, bank: of unit length.
        among: bank vectors that count, one at least; None for all.
    """
    found = _distances(queries, bank, _nearest(queries, bank, among))
    near = np.flatnonzero(found < NEAR)
    if len(near):
        again = queries[near]
        found[near] = _distances(again, bank, _nearest(again.astype(np.float64), bank, among))
    found[found < ZERO] = 0.0
    return found


def greedy_cover(rows: Float32[np.ndarray, "n dim"], radius: float) -> Int64[np.ndarray, " m"]:
    """Indices, ascending, of rows that cover all: every row lies within the radius of one of them, and no two
    of them lie within it of each other.

    In order, each row is kept that no kept one covers: a greedy net, which needs no more rows than any set of
    half the radius (Hochbaum & Shmoys 1985).

    Args:
        rows: of unit length.
        radius: largest distance 1 − cosine.
    """
    kept: list[int] = []
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        left = np.arange(len(block))
        for first in range(0, len(kept), BLOCK):
            nearest = (block[left] @ rows[kept[first : first + BLOCK]].T).max(axis=1)
            left = left[1.0 - nearest > radius]
        while len(left):
            kept.append(start + int(left[0]))
            left = left[1:][1.0 - block[left[1:]] @ block[left[0]] > radius]
    return np.array(kept, np.int64)


def _nearest(
    queries: np.ndarray, bank: Float32[np.ndarray, "n dim"], among: Bool[np.ndarray, " n"] | None
) -> Int64[np.ndarray, " q"]:
    best, index = np.full(len(queries), -np.inf, queries.dtype), np.zeros(len(queries), np.int64)
    rows = np.arange(len(queries))
    for start in range(0, len(bank), BLOCK):
        block = bank[start : start + BLOCK].astype(queries.dtype, copy=False)
        cosines = queries @ block.T
        if queries.dtype == np.float64:  # lengths are 1 in float32 alone: rank by distance
            cosines -= 0.5 * np.einsum("nd,nd->n", block, block)
        if among is not None:
            cosines[:, ~among[start : start + BLOCK]] = -np.inf
        found = cosines.argmax(axis=1)
        better = cosines[rows, found] > best
        best[better] = cosines[rows, found][better]
        index[better] = start + found[better]
    return index


def _distances(
    queries: np.ndarray, bank: Float32[np.ndarray, "n dim"], index: Int64[np.ndarray, " q"]
) -> Float64[np.ndarray, " q"]:
    """Half the squared distance, which is 1 − cosine for unit vectors and loses nothing where they agree."""
    between = queries.astype(np.float64) - bank[index]
    return np.asarray(0.5 * np.einsum("qd,qd->q", between, between))
