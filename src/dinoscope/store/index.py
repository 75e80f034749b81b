"""An approximate index over one kind of vector of a table, and what it was measured to find.

Vectors lie in lists around k-means centres. Codes of the lists nearest to a query (``nprobes``) are compared,
and the best of them (``refine_factor`` times what was asked for) are ranked again by their float16 vectors.
Rows that were appended after the build are compared one by one, so they are found. ``IVF_SQ8``: 8 bits a
channel, searched by faiss in files beside the table (`dinoscope.store.derived`). ``IVF_RQ``: Lance's own, one
bit a channel.
Sources: RaBitQ (Gao & Long, arXiv 2405.12497); Lance's documentation of vector indices, IVF_RQ.

An index counts only with its measured recall beside it, which is written last: a build that was cut short
leaves none. It is of vectors as they are; no suppression can be searched with it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float, Float16, Float64, Int64

from dinoscope.errors import CorruptStoreError, EmptyIndexError, InputError
from dinoscope.maths.ranking import top_k
from dinoscope.store.built_index import (
    AGAIN,
    DERIVED_KIND,
    KINDS,
    LANCE_KIND,
    VectorIndex,
    read_report,
    report_path,
    write_report,
)
from dinoscope.store.derived.index import build_derived
from dinoscope.store.derived.quantised import has_faiss
from dinoscope.store.digests import note_digests
from dinoscope.store.lance import not_written, open_dataset, placing
from dinoscope.store.locks import committing, writing
from dinoscope.store.reading import each_vectors, vectors_in
from dinoscope.store.recall import Sample, first_to_reach, sampled_rows, samples_of, share_found
from dinoscope.store.schema import POOLED
from dinoscope.store.store import FeatureStore, FeatureTable

INDEX_FROM = 200_000
"""Photographs from which an index pays: below it, comparing every vector takes less time than the forward
pass of the query (ViT-S/16, 512 px, two cores)."""

MOST_HITS = 100
"""More hits than this are searched for exactly: the recall was measured for ten."""

RECALL = 0.98
QUERIES = 500
REFINE_FACTORS = (5, 20)
DIM_MULTIPLE = 8
"""Channels that Lance's codes come in."""


def build_index(
    store: FeatureStore | FeatureTable,
    *,
    pooling: str = "mean",
    table: str | None = None,
    recall: float = RECALL,
    queries: int = QUERIES,
    least_rows: int = INDEX_FROM,
    seed: int = 0,
    kind: str | None = None,
) -> VectorIndex:
    """Build the index of one kind of vector, extend it or build it anew, and measure it against exact search.

    Of a table that has not doubled since, ``IVF_SQ8`` takes the newer photographs into its lists. ``nprobes``
    and the refine factor are the smallest that reach ``recall``, by two standard errors, on a random sample
    of the table's photographs; the recall stated is that on another sample of the same size. Searches use
    the index from then on.

    Args:
        store: a store, or one table of it.
        pooling: ``mean``, ``cls``, ``gem`` or ``foreground``.
        table: name of the table or of its backbone, where the store has several.
        recall: of the ten nearest, in (0, 1].
        queries: photographs in each of the two samples; fewer where the table has not twice as many.
        least_rows: smaller tables are refused: they are searched exactly.
        seed: of the samples, and of the lists of ``IVF_SQ8``.
        kind: ``IVF_SQ8``, ``IVF_RQ``, or None: the first where faiss is installed, else the second.

    Raises:
        InputError: a smaller table, no such pooling or kind, an impossible recall or number of queries, or
            for ``IVF_RQ`` a number of channels that is no multiple of 8.
        MissingExtraError: ``IVF_SQ8`` without faiss.
        EmptyIndexError: an empty table.
        MissingFeaturesError: the backbone has no class token.
        StoreInUseError: somebody is writing the table.
        OSError: the index cannot be written.

    Cost: k-means and codes over all vectors, and one exact search for the samples.
    """
    chosen = store.table(table) if isinstance(store, FeatureStore) else store
    wanted = kind or (DERIVED_KIND if has_faiss() else LANCE_KIND)
    _check(chosen, pooling, recall, queries, least_rows, wanted)
    with writing(chosen.folder, None):
        if wanted == DERIVED_KIND:
            return build_derived(chosen, pooling, recall=recall, queries=queries, seed=seed)
        report_path(chosen, pooling).unlink(missing_ok=True)
        found = _build_lance(chosen, pooling, recall, queries, seed)
        write_report(chosen, found)
        with committing(chosen.folder):
            note_digests(chosen.folder)
    return found


def read_index(table: FeatureTable, pooling: str) -> VectorIndex | None:
    """The index of one kind of vector; None where none was built to the end.

    Raises:
        CorruptStoreError: its measurement cannot be read, or Lance's own index is gone.
        SchemaVersionError: a newer dinoscope built it.
    """
    known = read_report(table, pooling)
    if known is None:
        return None
    index = known[0]
    if index.kind == LANCE_KIND and _described(open_dataset(table.vectors_path), pooling) is None:
        raise CorruptStoreError(f"the index of the {pooling} vectors of {table.name} is gone. {AGAIN}")
    return index


def rows_not_indexed(table: FeatureTable, index: VectorIndex) -> int:
    """Photographs that came after the build: compared one by one at each search."""
    return len(table) - index.n_rows


def nearest(
    table: FeatureTable, index: VectorIndex, query: Float[np.ndarray, " dim"], k: int
) -> tuple[Int64[np.ndarray, " n"], Float16[np.ndarray, "n dim"]]:
    """Places and vectors of about the ``k`` nearest rows by Lance's index, in no order; fewer where its lists
    hold fewer.

    Raises:
        CorruptStoreError: the index cannot be read.
    """
    return _nearest(table, index.pooling, query, k, index.nprobes, index.refine_factor)


def _check(
    table: FeatureTable, pooling: str, recall: float, queries: int, least_rows: int, kind: str
) -> None:
    if pooling not in POOLED:
        raise InputError(f"no pooling {pooling!r}; there are {', '.join(POOLED)}")
    if kind not in KINDS:
        raise InputError(f"no kind of index {kind!r}; there are {', '.join(KINDS)}")
    if not 0 < recall <= 1 or queries < 1:
        raise InputError(f"recall must lie in (0, 1] and queries be at least 1, got {recall} and {queries}")
    count = len(table)
    if not count:
        raise EmptyIndexError(f"the table {table.name} has no photographs: embed some first")
    if count < max(least_rows, 4):
        raise InputError(
            f"the table {table.name} has {count:,} photographs: below {max(least_rows, 4):,}, exact search "
            "is fast enough and finds everything, so no index is built (least_rows, --from)"
        )
    if table.settings.bits == 8:
        raise InputError(f"the vectors of {table.name} are codes of 8 bits, which are searched exactly")
    if kind == LANCE_KIND and table.settings.dim % DIM_MULTIPLE:
        raise InputError(
            f"{LANCE_KIND} needs a multiple of {DIM_MULTIPLE} channels, {table.settings.backbone} has "
            f"{table.settings.dim}: search exactly"
        )


def _build_lance(table: FeatureTable, pooling: str, recall: float, queries: int, seed: int) -> VectorIndex:
    start = time.perf_counter()
    partitions = _create(table, pooling)
    build_s = time.perf_counter() - start
    n_rows, n_bytes = _described(open_dataset(table.vectors_path), pooling) or (0, 0)
    tuned, held_out = _samples(table, pooling, queries, seed)
    nprobes, refine_factor = first_to_reach(
        _settings(partitions), lambda setting: _shares(table, pooling, tuned, *setting), recall
    )
    return VectorIndex(
        kind=LANCE_KIND,
        pooling=pooling,
        n_rows=n_rows,
        partitions=partitions,
        nprobes=nprobes,
        refine_factor=refine_factor,
        recall=float(_shares(table, pooling, held_out, nprobes, refine_factor).mean()),
        n_queries=len(held_out.rows),
        wanted=recall,
        build_s=build_s,
        n_bytes=n_bytes,
    )


def _samples(table: FeatureTable, pooling: str, queries: int, seed: int) -> tuple[Sample, Sample]:
    rows = sampled_rows(len(table), queries, seed)
    dataset = open_dataset(table.vectors_path)
    column = dataset.take(rows.tolist(), columns=[pooling]).column(pooling).combine_chunks()
    return samples_of(rows, vectors_in(table, pooling, column), each_vectors(table, pooling))


def _create(table: FeatureTable, pooling: str) -> int:
    """Build and commit the index; returns the number of lists."""
    next(each_vectors(table, pooling, rows=1))  # says so where the backbone has no class token
    dataset = open_dataset(table.vectors_path, changing=True)
    partitions = max(2, round(math.sqrt(len(table))))
    try:
        dataset.create_index(
            pooling,
            LANCE_KIND,
            name=_name(pooling),
            metric="cosine",
            num_partitions=partitions,
            num_bits=1,
            replace=True,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise not_written(table.vectors_path, error) from error
    return partitions


def _described(dataset: Any, pooling: str) -> tuple[int, int] | None:
    """Rows and bytes of the index; None where there is none."""
    for index in dataset.describe_indices():
        if index.name == _name(pooling):
            return int(index.num_rows_indexed), int(index.total_size_bytes)
    return None


def _settings(partitions: int) -> Iterator[tuple[int, int]]:
    probes = 8
    while probes < partitions:
        for refine in REFINE_FACTORS:
            yield probes, refine
        probes *= 2
    for refine in REFINE_FACTORS:
        yield partitions, refine


def _shares(
    table: FeatureTable, pooling: str, sample: Sample, nprobes: int, refine_factor: int
) -> Float64[np.ndarray, " q"]:
    """The share of each query's true nearest that is found."""
    k = sample.truth.shape[1]
    shares = []
    for row, vector, truth in zip(sample.rows, sample.vectors, sample.truth, strict=True):
        found, vectors = _nearest(table, pooling, vector, k + 1, nprobes, refine_factor)
        others = found != row
        ranked = top_k(vector[None], vectors[others], k).indices[0] if others.any() else []
        shares.append(share_found(found[others][ranked], truth))
    return np.array(shares)


def _nearest(
    table: FeatureTable,
    pooling: str,
    query: Float[np.ndarray, " dim"],
    k: int,
    nprobes: int,
    refine_factor: int,
) -> tuple[Int64[np.ndarray, " n"], Float16[np.ndarray, "n dim"]]:
    dataset = open_dataset(table.vectors_path, keep_index=True)
    length = float(np.linalg.norm(query.astype(np.float64)))
    if not length > 0:
        raise InputError("a query of length 0 has no direction to search in")
    wanted = {
        "column": pooling,
        "q": (query.astype(np.float64) / length).astype(np.float16),
        "k": k,
        "nprobes": nprobes,
        "refine_factor": refine_factor,
    }
    try:
        found = dataset.scanner(
            columns=[pooling, "_distance"], nearest=wanted, with_row_address=True
        ).to_table()
    except (OSError, ValueError, RuntimeError) as error:
        said = str(error).split(", /", maxsplit=1)[0][:300]
        raise CorruptStoreError(
            f"the index of the {pooling} vectors of {table.name} cannot be read. {AGAIN}. Lance says: {said}"
        ) from error
    column = found.column(pooling).combine_chunks()
    addresses = found.column("_rowaddr").to_numpy()
    return placing(dataset)(addresses), vectors_in(table, pooling, column)


def _name(pooling: str) -> str:
    return f"dinoscope_{pooling}"
