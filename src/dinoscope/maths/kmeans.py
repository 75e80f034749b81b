"""Which of a few centres is each of many rows nearest to? k-means, one start, scikit-learn's numbers."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

TOLERANCE = 1e-4
"""Centres have settled when the squares of their moves add up to this share of the mean variance."""


def kmeans(
    rows: Float64[np.ndarray, "n dim"], k: int, *, seed: int, most_rounds: int
) -> tuple[Int64[np.ndarray, " n"], Float64[np.ndarray, "k dim"]]:
    """Labels and centres of ``sklearn.cluster.KMeans(k, n_init=1)``: same draws, rounds and stops.

    Products in float32 say which centre a row is nearest to; where they leave a doubt of their own rounding,
    float64 decides, so that no label is another. Sums of rows follow those that move.
    Source: Lloyd, Least squares quantization in PCM (1982), with the starts of Arthur & Vassilvitskii,
    k-means++ (2007), the best of ``2 + log k`` draws for each centre; scikit-learn@1.9 ``_kmeans.py``.

    Args:
        rows: best with a mean near zero: a large one leaves much in doubt, and takes longer.
        k: at most as many as there are distinct rows.
        seed: of the draws.
        most_rounds: at least 1.
    """
    squares = np.einsum("nd,nd->n", rows, rows)
    spread = squares.sum() / rows.size - (rows.mean(axis=0) ** 2).mean()
    nearest = _Nearest(rows, squares)
    centres = _start(rows, squares, k, seed)
    sums, labels = np.zeros(centres.shape), np.full(len(rows), -1)
    for _ in range(most_rounds):
        before, labels = labels, nearest.to(centres)
        sums += _moves(rows, before, labels, k)
        old, centres = centres, _means(rows, sums, labels, centres)
        if np.array_equal(before, labels):
            break
        if ((centres - old) ** 2).sum() <= TOLERANCE * spread:
            labels = nearest.to(centres)
            break
    else:
        labels = nearest.to(centres)
    return labels, centres


class _Nearest:
    """The nearest centre of every row."""

    def __init__(self, rows: Float64[np.ndarray, "n dim"], squares: Float64[np.ndarray, " n"]) -> None:
        self._rows, self._narrow = rows, rows.astype(np.float32)
        # A sum of dim products in float32 errs by dim·ε of the lengths at most; it is compared with another.
        self._doubt = 4 * rows.shape[1] * np.finfo(np.float32).eps * squares.max()

    def to(self, centres: Float64[np.ndarray, "k dim"]) -> Int64[np.ndarray, " n"]:
        half = (centres**2).sum(axis=1) / 2
        scores = np.ascontiguousarray((self._narrow @ centres.astype(np.float32).T).T)
        scores -= half.astype(np.float32)[:, None]
        near = (scores >= scores.max(axis=0) - np.float32(self._doubt)).astype(np.float32)
        numbers = np.arange(len(centres), dtype=np.float32)
        count, labels = np.stack([np.ones_like(numbers), numbers]) @ near
        labels, unsure = labels.astype(np.int64), np.flatnonzero(count > 1)
        labels[unsure] = (self._rows[unsure] @ centres.T - half).argmax(axis=1)
        return labels


def _start(
    rows: Float64[np.ndarray, "n dim"], squares: Float64[np.ndarray, " n"], k: int, seed: int
) -> Float64[np.ndarray, "k dim"]:
    """Rows drawn by their squared distance to the nearest of those before, several each time."""
    random = np.random.RandomState(seed)
    n, several = len(rows), 2 + int(np.log(k))
    chosen = [random.choice(n, p=np.full(n, 1.0 / n))]
    nearest = _distances(rows, squares, np.array(chosen))[0]
    for _ in range(1, k):
        wanted = random.uniform(size=several) * nearest.sum()
        drawn = np.searchsorted(np.cumsum(nearest), wanted).clip(max=n - 1)
        distances = np.minimum(_distances(rows, squares, drawn), nearest)
        best = distances.sum(axis=1).argmin()
        nearest = distances[best]
        chosen.append(drawn[best])
    return rows[chosen]


def _distances(
    rows: Float64[np.ndarray, "n dim"], squares: Float64[np.ndarray, " n"], chosen: Int64[np.ndarray, " m"]
) -> Float64[np.ndarray, "m n"]:
    """Squared, of some rows to all."""
    found = rows[chosen] @ rows.T
    found *= -2.0
    found += squares
    found += squares[chosen, None]
    return np.maximum(found, 0.0, out=found)


def _moves(
    rows: Float64[np.ndarray, "n dim"], before: Int64[np.ndarray, " n"], now: Int64[np.ndarray, " n"], k: int
) -> Float64[np.ndarray, "k dim"]:
    """What each cluster's sum gains by the rows that come, less those that go; -1 is no cluster."""
    moved = np.flatnonzero(before != now)
    clusters = np.arange(k)[:, None]
    change = (now[moved] == clusters).astype(np.float64) - (before[moved] == clusters)
    return np.asarray(change @ (rows if len(moved) == len(rows) else rows[moved]))


def _means(
    rows: Float64[np.ndarray, "n dim"],
    sums: Float64[np.ndarray, "k dim"],
    labels: Int64[np.ndarray, " n"],
    centres: Float64[np.ndarray, "k dim"],
) -> Float64[np.ndarray, "k dim"]:
    """Means of the clusters; one that is empty takes the row farthest from its centre."""
    sizes = np.bincount(labels, minlength=len(sums))
    empty = np.flatnonzero(sizes == 0)
    if len(empty):
        sums, sizes = sums.copy(), sizes.copy()
        apart = ((rows - centres[labels]) ** 2).sum(axis=1)
        farthest = np.argpartition(apart, -len(empty))[: -len(empty) - 1 : -1]
        for cluster, row in zip(empty, farthest, strict=True):
            sums[labels[row]] -= rows[row]
            sizes[labels[row]] -= 1
            sums[cluster], sizes[cluster] = rows[row], 1
    return np.asarray(sums / np.maximum(sizes, 1)[:, None])
