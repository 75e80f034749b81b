"""The derived index of one kind of vector: built, measured, opened where it holds, and kept in step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from dinoscope.errors import CorruptStoreError, MissingExtraError, SchemaVersionError
from dinoscope.store.built_index import (
    DERIVED_KIND,
    VectorIndex,
    read_report,
    report_path,
    write_report,
)
from dinoscope.store.derived.build import build_files, remove_others
from dinoscope.store.derived.folder import DerivedFiles, damaged_derived, files_from_facts, files_to_facts
from dinoscope.store.derived.key import begins, key_of
from dinoscope.store.derived.opened import OpenDerived, open_files, stamp
from dinoscope.store.lance import exists, open_dataset, reading, versions
from dinoscope.store.recall import Sample, Setting, first_to_reach, sampled_rows, samples_of, share_found
from dinoscope.store.schema import POOLED
from dinoscope.store.store import FeatureTable

REFINE_FACTORS = (2, 4)


def build_derived(
    table: FeatureTable, pooling: str, *, recall: float, queries: int, seed: int
) -> VectorIndex:
    """Build it, or extend what is there, measure it, and let searches use it. The caller holds the table.

    Raises:
        MissingExtraError: faiss is not installed.
        MissingFeaturesError, InputError, CorruptStoreError, OSError: as `build_files`.
    """
    old = None
    with suppress(CorruptStoreError, SchemaVersionError):  # it is built anew in any case
        old = read_derived(table, pooling)
    start = time.perf_counter()
    files = build_files(table, pooling, old, seed=seed)
    build_s = time.perf_counter() - start
    kept = None if old is None else old.folder
    try:
        fresh = open_files(files, table.settings.dim)
        n_rows = len(fresh.vectors)
        rows = sampled_rows(n_rows, queries, seed)
        tuned, held_out = samples_of(rows, fresh.vectors[rows], fresh.vectors)
        settings = _settings(fresh.lists.partitions)
        setting = first_to_reach(settings, lambda setting: _shares(fresh, tuned, setting), recall)
        found = VectorIndex(
            kind=DERIVED_KIND,
            pooling=pooling,
            n_rows=n_rows,
            partitions=fresh.lists.partitions,
            nprobes=setting[0],
            refine_factor=setting[1],
            recall=float(_shares(fresh, held_out, setting).mean()),
            n_queries=len(held_out.rows),
            wanted=recall,
            build_s=build_s,
            n_bytes=files.n_bytes,
        )
        write_report(table, found, files_to_facts(files))
        kept = files.folder
    finally:
        remove_others(files.folder.parent, pooling, kept)
    return found


def read_derived(table: FeatureTable, pooling: str) -> DerivedFiles | None:
    """The files; None where there is no index, or one of another kind.

    Raises:
        CorruptStoreError, SchemaVersionError: as `read_report`.
    """
    known = read_report(table, pooling)
    if known is None or known[0].kind != DERIVED_KIND:
        return None
    return files_from_facts(known[1], report_path(table, pooling).parent, known[0].n_rows)


def damaged_indexes(table: FeatureTable) -> Iterator[Path]:
    """Files of derived indexes that are gone, or not what was written; all are read once.

    Raises:
        OSError: one cannot be read.
    """
    for pooling in POOLED:
        try:
            files = read_derived(table, pooling)
        except (CorruptStoreError, SchemaVersionError):
            yield report_path(table, pooling)
            continue
        if files is not None:
            yield from damaged_derived(files)


def open_derived(table: FeatureTable, pooling: str) -> OpenDerived | str:
    """The index at work, or in words why every row must be compared instead.

    Raises:
        CorruptStoreError: the table itself cannot be opened.
    """
    try:
        path = table.vectors_path
        state = stamp(report_path(table, pooling)), reading(path, lambda: versions(path))
        known = _known(table, pooling, state)
        return known if isinstance(known, str) else open_files(known, table.settings.dim)
    except MissingExtraError as error:
        return f"{error}"
    except (CorruptStoreError, SchemaVersionError) as error:
        return f"{error}; `dinoscope index STORE` builds it anew, and the vectors are not touched"


@lru_cache(maxsize=8)
def _known(table: FeatureTable, pooling: str, _: object) -> DerivedFiles | str:
    """The files, or why they do not hold, as long as neither their description nor the table changes."""
    files = read_derived(table, pooling)
    if files is None:
        return "the index is gone"
    if not begins(files.key, open_dataset(table.vectors_path)):
        return "the table was rewritten since the index was built; `dinoscope index STORE` builds it anew"
    return files


@contextmanager
def kept_in_step(table: FeatureTable) -> Iterator[None]:
    """Derived indexes stay valid through what joins the table's files and keeps its rows in order."""
    if not exists(table.vectors_path):
        yield
        return
    before = open_dataset(table.vectors_path)
    known: dict[str, tuple[VectorIndex, DerivedFiles]] = {}
    for pooling in POOLED:
        with suppress(CorruptStoreError, SchemaVersionError):  # searches say what is wrong with it
            report, files = read_report(table, pooling), read_derived(table, pooling)
            if report is not None and files is not None and begins(files.key, before):
                known[pooling] = report[0], files
    yield
    for index, files in known.values():
        moved = replace(files, key=key_of(open_dataset(table.vectors_path), files.key.n_rows))
        if moved != files:
            write_report(table, index, files_to_facts(moved))


def _settings(partitions: int) -> Iterator[Setting]:
    probes = 1
    while probes < partitions:
        yield from ((probes, refine) for refine in REFINE_FACTORS)
        probes += max(1, probes // 2)
    yield from ((partitions, refine) for refine in REFINE_FACTORS)


def _shares(fresh: OpenDerived, sample: Sample, setting: Setting) -> Float64[np.ndarray, " q"]:
    """The share of each query's true nearest that is found."""
    probes, refine = setting
    shares = []
    for row, vector, truth in zip(sample.rows, sample.vectors, sample.truth, strict=True):
        places, _ = fresh.nearest(vector, truth.size + 1, probes=probes, refine=refine)
        shares.append(share_found(places[places != row][: truth.size], truth))
    return np.array(shares)
