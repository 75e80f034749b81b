"""An approximate index over one kind of vector of a table, and what it was measured to find.

Lance's IVF_RQ: vectors lie in lists around k-means centres, one bit a channel; the codes of the nearest lists
(``nprobes``) are compared, and the best of them (``refine_factor`` times what was asked for) are ranked again
by their float16 vectors. Rows that were appended after the build are compared one by one, so they are found.
Sources: RaBitQ (Gao & Long, arXiv 2405.12497); Lance's documentation of vector indices, IVF_RQ.

An index counts only with its measured recall beside it, which is written last: a build that was cut short
leaves none. It is of vectors as they are; no suppression can be searched with it.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float16, Float64, Int64

from dinoscope.atomic import write_text
from dinoscope.errors import CorruptStoreError, EmptyIndexError, InputError
from dinoscope.maths.ranking import top_k
from dinoscope.store.digests import note_digests
from dinoscope.store.files import check_version, read_json
from dinoscope.store.lance import fragment_starts, not_written, open_dataset, places
from dinoscope.store.locks import committing, writing
from dinoscope.store.reading import each_vectors, vectors_in
from dinoscope.store.schema import POOLED, SCHEMA_VERSION
from dinoscope.store.store import FeatureStore, FeatureTable

KIND = "IVF_RQ"

INDEX_FROM = 200_000
"""Photographs from which an index pays: below it, comparing every vector takes less time than the forward
pass of the query (ViT-S/16, 512 px, two cores)."""

MEASURED_K = 10
"""Recall is that of the ten nearest."""

MOST_HITS = 100
"""More hits than this are searched for exactly: the recall was measured for ten."""

RECALL = 0.95
QUERIES = 500
_ERRORS = 2
REFINE_FACTORS = (5, 20)
DIM_MULTIPLE = 8
"""Channels that Lance's codes come in."""


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """An index that is built, and what it found of what exact search finds.

    Attributes:
        kind: ``IVF_RQ``.
        pooling: the kind of vector.
        n_rows: photographs indexed.
        partitions: lists.
        nprobes: lists looked into for a query.
        refine_factor: candidates ranked again, over hits asked for.
        recall: share of the true ten nearest that was found, in [0, 1], mean over ``n_queries`` photographs
            of the table, without themselves; the settings were chosen on others.
        n_queries: as said.
        wanted: the recall asked for.
        build_s: the build, without the measurement.
        n_bytes: on disk.
    """

    kind: str
    pooling: str
    n_rows: int
    partitions: int
    nprobes: int
    refine_factor: int
    recall: float
    n_queries: int
    wanted: float
    build_s: float
    n_bytes: int

    @property
    def words(self) -> str:
        """Kind and recall, for beside a list of hits."""
        return f"{self.kind}, recall@{MEASURED_K} {self.recall:.3f} on {self.n_queries} queries"


def build_index(
    store: FeatureStore | FeatureTable,
    *,
    pooling: str = "mean",
    table: str | None = None,
    recall: float = RECALL,
    queries: int = QUERIES,
    least_rows: int = INDEX_FROM,
    seed: int = 0,
) -> VectorIndex:
    """Build the index of one kind of vector, or build it again, and measure it against exact search.

    ``nprobes`` and the refine factor are the smallest that reach ``recall``, by two standard errors, on a
    random sample of the table's photographs; the recall stated is that on another sample of the same size.
    Searches use the index from then on.

    Args:
        store: a store, or one table of it.
        pooling: ``mean``, ``cls``, ``gem`` or ``foreground``.
        table: name of the table or of its backbone, where the store has several.
        recall: of the ten nearest, in (0, 1].
        queries: photographs in each of the two samples; fewer where the table has not twice as many.
        least_rows: smaller tables are refused: they are searched exactly.
        seed: of the samples.

    Raises:
        InputError: a smaller table, no such pooling, a number of channels that is no multiple of 8, or an
            impossible recall or number of queries.
        EmptyIndexError: an empty table.
        MissingFeaturesError: the backbone has no class token.
        StoreInUseError: somebody is writing the table.
        OSError: the index cannot be written.

    Cost: k-means and codes over all vectors, and one exact search for the samples.
    """
    chosen = store.table(table) if isinstance(store, FeatureStore) else store
    _check(chosen, pooling, recall, queries, least_rows)
    with writing(chosen.folder, None):
        path = _report_path(chosen, pooling)
        path.unlink(missing_ok=True)
        start = time.perf_counter()
        partitions = _create(chosen, pooling)
        build_s = time.perf_counter() - start
        n_rows, n_bytes = _described(open_dataset(chosen.vectors_path), pooling) or (0, 0)
        tuned, held_out = _samples(chosen, pooling, queries, seed)
        nprobes, refine_factor = _tuned(chosen, pooling, tuned, recall, partitions)
        found = VectorIndex(
            kind=KIND,
            pooling=pooling,
            n_rows=n_rows,
            partitions=partitions,
            nprobes=nprobes,
            refine_factor=refine_factor,
            recall=float(_shares(chosen, pooling, held_out, nprobes, refine_factor).mean()),
            n_queries=len(held_out.rows),
            wanted=recall,
            build_s=build_s,
            n_bytes=n_bytes,
        )
        write_text(path, json.dumps({"schema_version": SCHEMA_VERSION, **asdict(found)}, indent=2) + "\n")
        with committing(chosen.folder):
            note_digests(chosen.folder)
    return found


def read_index(table: FeatureTable, pooling: str) -> VectorIndex | None:
    """The index of one kind of vector; None where none was built to the end.

    Raises:
        CorruptStoreError: its measurement cannot be read, or the index itself is gone.
        SchemaVersionError: a newer dinoscope built it.
    """
    path = _report_path(table, pooling)
    if not path.exists():
        return None
    facts = read_json(path)
    check_version(facts, path)
    try:
        index = VectorIndex(**{name: facts[name] for name in VectorIndex.__dataclass_fields__})
    except KeyError as error:
        raise CorruptStoreError(f"{str(path)!r} does not describe an index: {error}. {_AGAIN}") from error
    if _described(open_dataset(table.vectors_path), pooling) is None:
        raise CorruptStoreError(f"the index of the {pooling} vectors of {table.name} is gone. {_AGAIN}")
    return index


def rows_not_indexed(table: FeatureTable, index: VectorIndex) -> int:
    """Photographs that came after the build: compared one by one at each search."""
    return len(table) - index.n_rows


def nearest(
    table: FeatureTable, index: VectorIndex, query: Float[np.ndarray, " dim"], k: int
) -> tuple[Int64[np.ndarray, " n"], Float16[np.ndarray, "n dim"]]:
    """Places and vectors of about the ``k`` nearest rows, in no order; fewer where the lists hold fewer.

    Raises:
        CorruptStoreError: the index cannot be read.
    """
    return _nearest(table, index.pooling, query, k, index.nprobes, index.refine_factor)


_AGAIN = (
    "Build it again (`dinoscope index STORE`, or build_index), or search without it (--exact, exact=True); "
    "the vectors are not touched"
)


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """Rows of a table as queries, and the true nearest of each, without itself."""

    rows: Int64[np.ndarray, " q"]
    vectors: Float16[np.ndarray, "q dim"]
    truth: Int64[np.ndarray, "q k"]


def _check(table: FeatureTable, pooling: str, recall: float, queries: int, least_rows: int) -> None:
    if pooling not in POOLED:
        raise InputError(f"no pooling {pooling!r}; there are {', '.join(POOLED)}")
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
    if table.settings.dim % DIM_MULTIPLE:
        raise InputError(
            f"{KIND} needs a multiple of {DIM_MULTIPLE} channels, {table.settings.backbone} has "
            f"{table.settings.dim}: search exactly"
        )


def _create(table: FeatureTable, pooling: str) -> int:
    """Build and commit the index; returns the number of lists."""
    next(each_vectors(table, pooling, rows=1))  # says so where the backbone has no class token
    dataset = open_dataset(table.vectors_path)
    partitions = max(2, round(math.sqrt(len(table))))
    try:
        dataset.create_index(
            pooling,
            KIND,
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


def _samples(table: FeatureTable, pooling: str, queries: int, seed: int) -> tuple[_Sample, _Sample]:
    """Two samples of equal size without a common row; one exact search for both."""
    count = len(table)
    half = min(queries, count // 2)
    rows = np.random.default_rng(seed).permutation(count)[: 2 * half].astype(np.int64)
    dataset = open_dataset(table.vectors_path)
    column = dataset.take(rows.tolist(), columns=[pooling]).column(pooling).combine_chunks()
    vectors = vectors_in(table, pooling, column)
    truth = top_k(vectors, each_vectors(table, pooling), MEASURED_K, exclude=rows).indices
    return (
        _Sample(rows[:half], vectors[:half], truth[:half]),
        _Sample(rows[half:], vectors[half:], truth[half:]),
    )


def _tuned(
    table: FeatureTable, pooling: str, sample: _Sample, wanted: float, partitions: int
) -> tuple[int, int]:
    """The first setting, from few lists to all of them, that reaches the recall; the last where none does.

    By `_ERRORS` standard errors, so that other queries reach it, too.
    """
    setting = (partitions, REFINE_FACTORS[-1])
    for setting in _settings(partitions):
        shares = _shares(table, pooling, sample, *setting)
        if shares.mean() - _ERRORS * shares.std() / math.sqrt(len(shares)) >= wanted:
            break
    return setting


def _settings(partitions: int) -> Iterator[tuple[int, int]]:
    probes = 8
    while probes < partitions:
        for refine in REFINE_FACTORS:
            yield probes, refine
        probes *= 2
    for refine in REFINE_FACTORS:
        yield partitions, refine


def _shares(
    table: FeatureTable, pooling: str, sample: _Sample, nprobes: int, refine_factor: int
) -> Float64[np.ndarray, " q"]:
    """The share of each query's true nearest that is found."""
    k = sample.truth.shape[1]
    shares = []
    for row, vector, truth in zip(sample.rows, sample.vectors, sample.truth, strict=True):
        found, vectors = _nearest(table, pooling, vector, k + 1, nprobes, refine_factor)
        others = found != row
        ranked = top_k(vector[None], vectors[others], k).indices[0] if others.any() else []
        shares.append(len(np.intersect1d(found[others][ranked], truth)) / k)
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
            f"the index of the {pooling} vectors of {table.name} cannot be read. {_AGAIN}. Lance says: {said}"
        ) from error
    column = found.column(pooling).combine_chunks()
    addresses = found.column("_rowaddr").to_numpy()
    return places(fragment_starts(dataset), addresses), vectors_in(table, pooling, column)


def _name(pooling: str) -> str:
    return f"dinoscope_{pooling}"


def _report_path(table: FeatureTable, pooling: str) -> Path:
    return table.folder / "indexes" / f"{pooling}.json"
