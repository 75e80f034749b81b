"""Which vectors of a collection are nearest to a query? Exact cosine search in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64, Int, Int64

from dinoscope.errors import EmptyIndexError, InputError, ShapeError
from dinoscope.maths.halves import LARGEST, widen
from dinoscope.maths.patches import SHORTEST, unit

BLOCK = 16_384
QUERIES = 256
"""Queries that are searched for at a time."""
IN_CACHE = 1024
"""Vectors that are converted, measured and multiplied before the next ones: by then they would have left the
processor's cache (one query: half the time; from float16: an eighth)."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The nearest vectors of each query, nearest first.

    Attributes:
        indices: their 0-based places in the collection.
        scores: cosines in [-1, 1], in float64, the same whatever the blocks were.
    """

    indices: Int64[np.ndarray, "q k"]
    scores: Float64[np.ndarray, "q k"]


def top_k(
    queries: Float[np.ndarray, "q dim"],
    collection: Float[np.ndarray, "n dim"] | Iterable[Float[np.ndarray, "_ dim"]],
    k: int,
    *,
    exclude: Int[np.ndarray, " q"] | None = None,
) -> Ranking:
    """The ``k`` vectors of largest cosine with each query, exactly.

    Candidates are found with float32 products and ranked by float64 cosines: the float32 error bound is
    kept as a margin, so none is missed. Of equal cosines the lower place comes first: vectors that are
    equal rank in the order of the collection. The cosine with a zero vector is 0.

    Args:
        queries: not normalised, any float type.
        collection: the same, whole or in blocks, which are read once.
        k: at least 1; as many as there are where the collection has fewer.
        exclude: a place that each query must not find (itself); -1 for none. One fewer is then returned
            where the collection has no more than ``k``.

    Raises:
        ShapeError: not ``q dim`` and ``n dim``.
        InputError: ``k`` below 1, NaN or infinite values.
        EmptyIndexError: nothing to search in.

    Cost: ``q·n·dim`` products; memory for one block of scores.
    """
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")
    if queries.ndim != 2 or queries.shape[1] == 0:
        raise ShapeError("queries", expected="q dim", actual=queries.shape)
    if exclude is not None and exclude.shape != (len(queries),):
        raise ShapeError("exclude", expected=f"q={len(queries)}", actual=exclude.shape)
    _check_finite(queries, "queries")
    places = np.full(len(queries), -1, np.int64) if exclude is None else exclude.astype(np.int64)
    parts = [
        _Search(queries[start : start + QUERIES], k, places[start : start + QUERIES])
        for start in range(0, len(queries), QUERIES)
    ]
    if not parts:
        return Ranking(np.zeros((0, k), np.int64), np.zeros((0, k)))
    first = 0
    for block in _blocks([collection] if isinstance(collection, np.ndarray) else collection):
        if block.ndim != 2 or block.shape[1] != queries.shape[1]:
            raise ShapeError("collection", expected=f"n dim={queries.shape[1]}", actual=block.shape)
        for part in parts:
            part.add(block, first)
        first += len(block)
    if first == 0:
        raise EmptyIndexError("there is nothing to search in: the collection has no vectors")
    available = first if exclude is None else first - 1
    found = [part.result(available) for part in parts]
    return Ranking(
        np.concatenate([ranking.indices for ranking in found]),
        np.concatenate([ranking.scores for ranking in found]),
    )


def exact_cosines(
    queries: Float64[np.ndarray, "*n dim"], rows: Float[np.ndarray, "n dim"]
) -> Float64[np.ndarray, " n"]:
    """Cosines of finite rows with one query of unit length, or each with its own, as `top_k` gives them."""
    wide = rows.astype(np.float64)
    lengths = np.sqrt(np.einsum("nd,nd->n", wide, wide))
    products = np.einsum("nd,nd->n", np.broadcast_to(queries, wide.shape), wide)
    return np.minimum(np.maximum(products / np.maximum(lengths, SHORTEST), -1.0), 1.0)


class _Search:
    """The best candidates of some queries so far."""

    def __init__(self, queries: Float[np.ndarray, "q dim"], k: int, exclude: Int64[np.ndarray, " q"]) -> None:
        self.k = k
        self.exclude = exclude
        self.wide = unit(queries.astype(np.float64))
        self.narrow = self.wide.astype(np.float32)
        self.margin = (queries.shape[1] + 8) * 2.0**-22  # bounds the error of two float32 products
        self.floor = np.full(len(queries), -np.inf)
        """Each query's k-th best cosine so far."""
        self.indices = np.zeros((len(queries), 0), np.int64)
        self.scores = np.zeros((len(queries), 0))

    def add(self, block: Float[np.ndarray, "n dim"], first: int) -> None:
        row, col = self._candidates(_cosines(self.narrow, block, first))
        keep = first + col != self.exclude[row]
        self._merge(row[keep], col[keep], block, first)

    def _candidates(
        self, products: Float32[np.ndarray, "q n"]
    ) -> tuple[Int64[np.ndarray, " c"], Int64[np.ndarray, " c"]]:
        threshold = self.floor - self.margin
        last = max(0, products.shape[1] - self.k - 1)  # one more, for the excluded
        if np.isneginf(self.floor).any():
            best = np.partition(products, last, axis=1)[:, last].astype(np.float64) - self.margin
            threshold = np.maximum(threshold, best)
        return np.divmod(np.flatnonzero(products >= threshold.astype(np.float32)[:, None]), products.shape[1])

    def _merge(
        self,
        row: Int64[np.ndarray, " c"],
        col: Int64[np.ndarray, " c"],
        block: Float[np.ndarray, "n dim"],
        first: int,
    ) -> None:
        """Exact cosines of the candidates, and the best ``k`` of them and of those before."""
        if not len(row):
            return
        exact = np.empty(len(row))
        for start in range(0, len(row), BLOCK):
            part = slice(start, start + BLOCK)
            exact[part] = exact_cosines(self.wide[row[part]], block[col[part]])
        old = np.repeat(np.arange(len(self.wide)), self.indices.shape[1])
        rows = np.concatenate([old, row])
        places = np.concatenate([self.indices.ravel(), col + first])
        scores = np.concatenate([self.scores.ravel(), exact])
        valid = places >= 0
        rows, places, scores = rows[valid], places[valid], scores[valid]
        order = np.lexsort((places, -scores, rows))
        rows, places, scores = rows[order], places[order], scores[order]
        counts = np.bincount(rows, minlength=len(self.wide))
        rank = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        kept = rank < self.k
        width = int(min(counts.max(), self.k))
        self.indices = np.full((len(self.wide), width), -1, np.int64)
        self.scores = np.full((len(self.wide), width), -np.inf)
        self.indices[rows[kept], rank[kept]] = places[kept]
        self.scores[rows[kept], rank[kept]] = scores[kept]
        self.floor = self.scores[:, -1] if width == self.k else self.floor

    def result(self, available: int) -> Ranking:
        width = min(self.k, available)
        return Ranking(self.indices[:, :width].copy(), self.scores[:, :width].copy())


def _cosines(
    queries: Float32[np.ndarray, "q dim"], block: Float[np.ndarray, "n dim"], first: int
) -> Float32[np.ndarray, "q n"]:
    """In float32, of queries of length 1 with vectors of any.

    Raises:
        InputError: NaN or infinite values; ``first`` is the place of the block's first vector.
    """
    products = np.empty((len(queries), len(block)), np.float32)
    lengths = np.empty(len(block), np.float32)
    space = np.empty((min(len(block), IN_CACHE), block.shape[1]), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is told below
        for start in range(0, len(block), IN_CACHE):
            some = slice(start, start + IN_CACHE)
            rows = space[: len(block[some])]
            widen(block[some], out=rows)
            lengths[some] = np.sqrt(np.einsum("nd,nd->n", rows, rows))
            products[:, some] = queries @ rows.T
    large = np.flatnonzero(~(lengths <= LARGEST))
    bad = large[~(np.isfinite(lengths[large]) & np.isfinite(block[large]).all(axis=1))]
    if len(bad):
        raise InputError(
            f"collection: the vector at {first + int(bad[0])} holds NaN, infinite or far too large values"
        )
    products /= np.maximum(lengths, np.float32(SHORTEST))
    return products


def _blocks(collection: Iterable[Float[np.ndarray, "_ _"]]) -> Iterator[Float[np.ndarray, "_ _"]]:
    for part in collection:
        for start in range(0, len(part), BLOCK):
            yield part[start : start + BLOCK]


def _check_finite(values: Float[np.ndarray, "n dim"], what: str) -> None:
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise InputError(f"{what}: the vector at {int(bad[0])} holds NaN or infinite values")
