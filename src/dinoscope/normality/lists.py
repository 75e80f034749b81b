"""The nearest of very many normal patches: by lists instead of one by one, with how often that finds it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from dinoscope.errors import InputError
from dinoscope.maths.bank import ZERO, nearest_distances
from dinoscope.store.derived.quantised import POINTS, Quantised, fitted
from dinoscope.store.recall import first_to_reach

RECALL = 0.98
PHOTOGRAPHS, QUERIES = 20, 500
"""That the recall is measured with, each against the others; settings are chosen on half of them."""
_CANDIDATES = 8
_BLOCK = 1024


@dataclass(frozen=True, slots=True, eq=False)
class PatchLists:
    """Where the nearest patch of a bank is looked for.

    A distance found is that of a patch of the bank: too large where the nearest was missed, never too small.

    Attributes:
        lists: of the bank's vectors.
        probes: lists looked into for a patch.
        recall: share of patches whose nearest was found, in [0, 1].
        excess: by how much distances are too large, on average, over the average distance.
        n_queries: patches that both were measured with, of photographs that were left out of the bank.
    """

    lists: Quantised
    probes: int
    recall: float
    excess: float
    n_queries: int

    def distances(
        self,
        queries: Float32[np.ndarray, "q dim"],
        vectors: Float32[np.ndarray, "n dim"],
        *,
        without: tuple[int, int] = (0, 0),
    ) -> Float64[np.ndarray, " q"]:
        """1 − cosine with the nearest vector that the lists hold, in [0, 2]; 0 for a vector of the bank.

        Args:
            queries: of unit length.
            vectors: the bank.
            without: first and last + 1 of vectors that do not count.
        """
        return _distances(self.lists, self.probes, queries, vectors, without)


def fit_lists(vectors: Float32[np.ndarray, "n dim"], owner: Int64[np.ndarray, " n"]) -> PatchLists:
    """Lists of a bank, and their recall.

    Args:
        vectors: of unit length.
        owner: whose each is, from 0, ascending.

    Raises:
        InputError: patches of one photograph alone.
        MissingExtraError: faiss is not installed.
    """
    n_photographs = int(owner[-1]) + 1
    if n_photographs < 2:
        raise InputError("lists are measured between photographs: give at least two, or compare exactly")
    rng = np.random.default_rng(0)
    partitions = max(1, round(2 * len(vectors) ** 0.5))
    sample = np.sort(rng.permutation(len(vectors))[: POINTS * partitions])
    lists = fitted(vectors[sample], min(partitions, len(vectors)))
    lists.add(vectors)
    chosen = rng.permutation(n_photographs)[:PHOTOGRAPHS]
    tuned, held_out = (
        [_Asked.of(vectors, owner, int(i), QUERIES // len(chosen), rng) for i in some]
        for some in np.array_split(chosen, 2)
    )
    probes, _ = first_to_reach(
        ((n, 1) for n in _probes(lists.partitions)), lambda s: _found(lists, s[0], tuned, vectors)[0], RECALL
    )
    hits, excess = _found(lists, probes, held_out, vectors)
    return PatchLists(lists, probes, float(hits.mean()), excess, len(hits))


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """Some patches of a photograph, and their true distances to the others."""

    queries: Float32[np.ndarray, "q dim"]
    truth: Float64[np.ndarray, " q"]
    own: tuple[int, int]

    @classmethod
    def of(
        cls,
        vectors: Float32[np.ndarray, "n dim"],
        owner: Int64[np.ndarray, " n"],
        photograph: int,
        n: int,
        rng: np.random.Generator,
    ) -> _Asked:
        """At most ``n`` of them."""
        own = own_rows(owner, photograph)
        queries = vectors[rng.permutation(np.arange(*own))[:n]]
        return cls(queries, nearest_distances(queries, vectors, among=owner != photograph), own)


def own_rows(owner: Int64[np.ndarray, " n"], photograph: int) -> tuple[int, int]:
    """First and last + 1 of the rows of a photograph, where they stand together."""
    first, last = np.searchsorted(owner, [photograph, photograph + 1])
    return int(first), int(last)


def _found(
    lists: Quantised, probes: int, asked: list[_Asked], vectors: Float32[np.ndarray, "n dim"]
) -> tuple[Float64[np.ndarray, " q"], float]:
    """For each patch 1 where its nearest was found, else 0; and the mean excess over the mean distance."""
    found = np.concatenate([_distances(lists, probes, a.queries, vectors, a.own) for a in asked])
    truth = np.concatenate([a.truth for a in asked])
    return (found <= truth + 1e-9).astype(np.float64), float((found - truth).mean() / max(truth.mean(), ZERO))


def _probes(partitions: int) -> Iterator[int]:
    probes = 1
    while probes < partitions:
        yield probes
        probes += max(1, probes // 2)
    yield partitions


def _distances(
    lists: Quantised,
    probes: int,
    queries: Float32[np.ndarray, "q dim"],
    vectors: Float32[np.ndarray, "n dim"],
    without: tuple[int, int],
) -> Float64[np.ndarray, " q"]:
    parts = []
    for start in range(0, len(queries), _BLOCK):
        block = queries[start : start + _BLOCK]
        found = lists.candidates(block, _CANDIDATES, probes, without=without)
        while (found[:, 0] < 0).any():  # a list that holds nothing else: look into more
            probes = min(2 * probes, lists.partitions)
            found = lists.candidates(block, _CANDIDATES, probes, without=without)
        found = np.where(found < 0, found[:, :1], found)
        between = block[:, None].astype(np.float64) - vectors[found]
        parts.append(0.5 * np.einsum("qnd,qnd->qn", between, between).min(axis=1))
    distances = np.concatenate(parts)
    distances[distances < ZERO] = 0.0
    return distances
