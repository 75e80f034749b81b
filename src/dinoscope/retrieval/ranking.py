"""Which rows of a table are nearest to a vector? All are compared, or the index is used where it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float16, Float64, Int64

from dinoscope.errors import CorruptStoreError, EmptyIndexError
from dinoscope.maths.ranking import top_k
from dinoscope.maths.suppression import Suppression
from dinoscope.store.built_index import DERIVED_KIND, VectorIndex
from dinoscope.store.derived.index import open_derived
from dinoscope.store.index import (
    INDEX_FROM,
    MOST_HITS,
    nearest,
    read_index,
    rows_not_indexed,
)
from dinoscope.store.reading import check_condition, each_vectors, newer_vectors, placed_vectors
from dinoscope.store.store import FeatureTable


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Rows, nearest first.

    Attributes:
        places: 0-based, in row order of the table.
        scores: cosines after the suppression, in [-1, 1]: exact ones, whichever way the rows were found.
        exact: whether every row was compared.
        way: which way they were found, in words, and why not by the index where there is one.
    """

    places: Int64[np.ndarray, " k"]
    scores: Float64[np.ndarray, " k"]
    exact: bool
    way: str


def ranked(
    table: FeatureTable,
    pooling: str,
    query: Float64[np.ndarray, " dim"],
    suppression: Suppression,
    k: int,
    *,
    where: str | None = None,
    exact: bool = False,
) -> Ranked:
    """The ``k`` nearest rows.

    The index is of vectors as they are, and its recall was measured for ten hits among all rows. So every
    row is compared where a suppression, a condition or many hits are asked for, and where it gives fewer
    hits than asked for.

    Args:
        table: not empty.
        pooling: the kind of vector.
        query: after the suppression.
        suppression: of the rows.
        k: rows; all there are where there are fewer.
        where: a condition on the columns.
        exact: never use the index.

    Raises:
        EmptyIndexError: no row fits the condition.
        InputError: a condition that cannot be used, NaN in a vector.
        CorruptStoreError: the table cannot be read.
    """
    try:
        index = None if exact else read_index(table, pooling)
    except CorruptStoreError as error:
        return _of_all(table, pooling, query, suppression, k, where, str(error))
    if index is None:
        advice = not exact and len(table) >= INDEX_FROM
        return _of_all(table, pooling, query, suppression, k, where, _NO_INDEX if advice else "")
    reason = _not_valid(suppression, where, k)
    if not reason:
        by = _of_derived if index.kind == DERIVED_KIND else _of_index
        found = by(table, index, query, k)
        if isinstance(found, Ranked):
            return found
        reason = found
    return _of_all(table, pooling, query, suppression, k, where, reason)


def suppressed_vectors(
    table: FeatureTable, pooling: str, suppression: Suppression
) -> Iterator[Float[np.ndarray, "n _"]]:
    """All vectors of a table after a suppression, in row order, streamed."""
    for vectors in each_vectors(table, pooling):
        yield _suppressed(vectors, suppression)


_NO_INDEX = "`dinoscope index STORE` makes searches among so many faster"


def _not_valid(suppression: Suppression, where: str | None, k: int) -> str:
    if suppression.kind != "none":
        return "the index is of vectors without suppression"
    if where is not None:
        return "the index was not measured under a condition"
    return f"the index is for at most {MOST_HITS} hits" if k > MOST_HITS else ""


_TOO_FEW = "the lists of the index held too few photographs"


def _of_derived(
    table: FeatureTable, index: VectorIndex, query: Float64[np.ndarray, " dim"], k: int
) -> Ranked | str:
    """By the derived index, or why not."""
    opened = open_derived(table, index.pooling)
    if isinstance(opened, str):
        return opened
    places, scores = opened.nearest(query, k, probes=index.nprobes, refine=index.refine_factor)
    if len(places) < min(k, len(opened.vectors)):
        return _TOO_FEW
    newer = rows_not_indexed(table, index)
    if newer:
        ranking = top_k(query[None], newer_vectors(table, index.pooling, index.n_rows), k)
        places = np.concatenate([places, index.n_rows + ranking.indices[0]])
        scores = np.concatenate([scores, ranking.scores[0]])
        order = np.lexsort((places, -scores))[:k]
        places, scores = places[order], scores[order]
    return Ranked(places, scores, False, index.words + _newer_words(newer))


def _newer_words(newer: int) -> str:
    return f"; {newer:,} newer photographs compared one by one" if newer else ""


def _of_index(
    table: FeatureTable, index: VectorIndex, query: Float64[np.ndarray, " dim"], k: int
) -> Ranked | str:
    """By Lance's index, or why not."""
    try:
        places, vectors = nearest(table, index, query, k)
    except CorruptStoreError as error:
        return str(error)
    if len(places) < min(k, len(table)):
        return _TOO_FEW
    order = np.argsort(places)  # of equal cosines the lower row comes first
    ranking = top_k(query[None], vectors[order], k)
    words = index.words + _newer_words(rows_not_indexed(table, index))
    return Ranked(places[order][ranking.indices[0]], ranking.scores[0], False, words)


def _of_all(
    table: FeatureTable,
    pooling: str,
    query: Float64[np.ndarray, " out"],
    suppression: Suppression,
    k: int,
    where: str | None,
    reason: str,
) -> Ranked:
    kept: list[Int64[np.ndarray, " n"]] = []
    if where is not None:
        check_condition(table, where)

    def blocks() -> Iterator[Float[np.ndarray, "n _"]]:
        for places, vectors in placed_vectors(table, pooling, where):
            kept.append(places)
            yield _suppressed(vectors, suppression)

    try:
        ranking = top_k(query[None], blocks(), k)
    except EmptyIndexError as error:
        if where is None:
            raise
        raise EmptyIndexError(
            f"no photograph of the table {table.name} fits the condition {where!r}"
        ) from error
    compared = np.concatenate(kept)
    said = f"exact: all {len(compared):,} photographs{'' if where is None else ' that fit'} compared"
    return Ranked(
        compared[ranking.indices[0]], ranking.scores[0], True, f"{said} ({reason})" if reason else said
    )


def _suppressed(vectors: Float16[np.ndarray, "n dim"], suppression: Suppression) -> Float[np.ndarray, "n _"]:
    if suppression.kind == "none":
        return vectors
    return suppression.apply(vectors.astype(np.float64))
