"""Which photographs of a store are nearly the same?"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

import numpy as np

from dinoscope.errors import EmptyIndexError, InputError
from dinoscope.maths.ranking import top_k
from dinoscope.retrieval.fits import fit_suppression
from dinoscope.retrieval.ranking import suppressed_vectors
from dinoscope.store.reading import rows_at
from dinoscope.store.store import FeatureStore, FeatureTable, table_of

NEAREST = 8

Pair = tuple[str, str, float]
_T = TypeVar("_T", bound=Hashable)


def near_duplicates(
    store: FeatureStore, *, least: float = 0.98, pooling: str = "mean", table: str | None = None
) -> tuple[Pair, ...]:
    """Pairs of stored photographs (sources) with a cosine of at least ``least``, most alike first.

    The vectors are compared without the collection's mean: what all photographs share makes no
    duplicate. Each photograph's 8 nearest are looked at.

    Raises:
        EmptyIndexError: nothing to search in.
        InputError: ``least`` not in (0, 1].
    """
    chosen = table_of(store, table)
    pairs = duplicate_rows(chosen, least=least, pooling=pooling)
    wanted = sorted({place for a, b, _ in pairs for place in (a, b)})
    sources = dict(zip(wanted, (row.source for row in rows_at(chosen, wanted)), strict=True))
    return tuple((sources[a], sources[b], score) for a, b, score in pairs)


def duplicate_rows(
    table: FeatureTable, *, least: float, pooling: str = "mean"
) -> tuple[tuple[int, int, float], ...]:
    """The pairs of `near_duplicates` by their 0-based places in row order."""
    if not 0 < least <= 1:
        raise InputError(f"least must lie in (0, 1], got {least}")
    if not len(table):
        raise EmptyIndexError(f"the table {table.name} has no photographs: embed some first")
    centre = fit_suppression(table, "centre", pooling=pooling)
    vectors = np.concatenate(list(suppressed_vectors(table, pooling, centre)))
    ranking = top_k(vectors, vectors, NEAREST, exclude=np.arange(len(vectors)))
    pairs = {
        (min(i, int(j)), max(i, int(j))): float(score)
        for i, (places, scores) in enumerate(zip(ranking.indices, ranking.scores, strict=True))
        for j, score in zip(places, scores, strict=True)
        if score >= least
    }
    return tuple(
        (*pair, score) for pair, score in sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    )


def duplicate_groups(pairs: Sequence[tuple[_T, _T, float]]) -> tuple[tuple[_T, ...], ...]:
    """Photographs that pairs connect, also by way of others; the most alike pair's group first.

    In each group they stand as the pairs name them, the most alike first.

    >>> duplicate_groups([("a", "b", 0.999), ("d", "e", 0.99), ("b", "c", 0.98)])
    (('a', 'b', 'c'), ('d', 'e'))
    """
    group_of: dict[_T, list[_T]] = {}
    for first, second, _ in sorted(pairs, key=lambda pair: -pair[2]):
        group = group_of.setdefault(first, [first])
        other = group_of.get(second, [second])
        if other is not group:
            group += other
            group_of |= dict.fromkeys(other, group)
    groups = {id(group): group for group in group_of.values()}
    return tuple(tuple(group) for group in groups.values())
