"""What is read of a table: rows, vectors and their places, whole maps, and statistics of all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float16, Float64, Int64

from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import PatchGrid
from dinoscope.data.results import Failure
from dinoscope.data.shot import UNKNOWN, Shot
from dinoscope.errors import CorruptStoreError, InputError, MissingFeaturesError, shortened
from dinoscope.io.arrow import arrow
from dinoscope.maths.pca import PatchMoments, merge_moments, patch_moments
from dinoscope.store.compression import read_compression
from dinoscope.store.dense import DenseCoding, decoded_maps, dense_bytes, dense_columns, read_dense_basis
from dinoscope.store.lance import (
    batches,
    exists,
    newer_batches,
    open_dataset,
    placed_batches,
    quoted,
    reading,
)
from dinoscope.store.moments import read_moments
from dinoscope.store.schema import POOLED, SHOT_COLUMNS, shot_in
from dinoscope.store.shots import has_shots
from dinoscope.store.store import FeatureTable

DENSE_BYTES = 32 * 2**20
"""Maps are read in batches of about this much, at least one by one."""

ROW_COLUMNS = ("digest", "source", "h", "w", "patch_px", "width_px", "height_px", "foreground_share")


@dataclass(frozen=True, slots=True)
class StoredRow:
    """One photograph of a table, without its vectors.

    Attributes:
        digest: of the photograph.
        source: where it was found: a path, URL, or ``ARCHIVE::MEMBER``.
        grid: its patches.
        foreground_share: of its patches, in [0, 1]; where 0, the foreground vector is the plain mean.
        shot: what its EXIF block says.
    """

    digest: str
    source: str
    grid: PatchGrid
    foreground_share: float
    shot: Shot = UNKNOWN


_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`")
"""Text and names within quotes in a condition."""


def row_columns(table: FeatureTable) -> list[str]:
    """What a row is read from; a table of an earlier version does not say when its photographs were taken."""
    return [*ROW_COLUMNS, *(SHOT_COLUMNS if has_shots(table) else ())]


def stored_row(facts: dict[str, Any]) -> StoredRow:
    """A row of the columns `row_columns`."""
    grid = PatchGrid(facts["h"], facts["w"], facts["patch_px"], (facts["width_px"], facts["height_px"]))
    return StoredRow(facts["digest"], facts["source"], grid, facts["foreground_share"], shot_in(facts))


def each_row(table: FeatureTable) -> Iterator[StoredRow]:
    """Every photograph, in row order, streamed."""
    if exists(table.vectors_path):
        for batch in batches(table.vectors_path, row_columns(table)):
            yield from map(stored_row, batch.to_pylist())


def rows_at(table: FeatureTable, indices: Sequence[int]) -> list[StoredRow]:
    """Photographs by their 0-based place in row order, in the order asked for."""
    if not len(indices):
        return []
    dataset, columns = open_dataset(table.vectors_path), row_columns(table)
    found = reading(table.vectors_path, lambda: dataset.take([int(i) for i in indices], columns=columns))
    return [stored_row(facts) for facts in found.to_pylist()]


def read_failures(table: FeatureTable) -> list[Failure]:
    """Photographs that could not be used, and why, by source."""
    if not exists(table.errors_path):
        return []
    rows = [row for b in batches(table.errors_path, ["source", "reason"]) for row in b.to_pylist()]
    return [Failure(row["source"], row["reason"]) for row in sorted(rows, key=lambda row: row["source"])]


def pooled_vectors(table: FeatureTable, name: str) -> Float16[np.ndarray, "n dim"]:
    """All vectors of one kind, in row order, in memory: 2 bytes a channel.

    Args:
        table: to read.
        name: ``cls``, ``mean``, ``gem`` or ``foreground``.

    Raises:
        InputError: no such kind.
        MissingFeaturesError: the backbone has no class token.
        CorruptStoreError: the table cannot be read.
    """
    parts = list(each_vectors(table, name))
    return np.concatenate(parts) if parts else np.zeros((0, table.settings.dim), np.float16)


def each_vectors(
    table: FeatureTable, name: str, *, rows: int = 8192
) -> Iterator[Float16[np.ndarray, "n dim"]]:
    """Vectors of one kind, in row order, at most ``rows`` at a time; errors as `pooled_vectors`."""
    if name not in POOLED:
        raise InputError(f"no pooled vectors {name!r}; there are {', '.join(POOLED)}")
    if not exists(table.vectors_path):
        return
    for batch in batches(table.vectors_path, [name], rows=rows):
        yield vectors_in(table, name, batch.column(0))


def vectors_in(table: FeatureTable, name: str, column: Any) -> Float16[np.ndarray, "n dim"]:
    """An Arrow column of vectors as an array.

    Raises:
        MissingFeaturesError: the backbone has no class token.
        CorruptStoreError: the codes of a compressed table cannot be read.
    """
    if column.null_count:
        raise MissingFeaturesError(
            f"{table.settings.backbone} has no {name!r} vectors; choose another pooling"
        )
    values = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), table.settings.dim)
    if table.settings.bits == 8:
        return read_compression(table.folder, table.settings)[name].decode(values)
    return np.asarray(values, np.float16)


def vector_statistics(table: FeatureTable, name: str) -> PatchMoments:
    """Moments of one kind of pooled vectors, from the rows in one streamed pass.

    Raises:
        MissingFeaturesError: an empty table, or a backbone without a class token.
        InputError: no such kind.
    """
    parts = [patch_moments(vectors.astype(np.float32)) for vectors in each_vectors(table, name)]
    return _merged(table, parts)


def patch_statistics(table: FeatureTable) -> PatchMoments:
    """Exact moments of all patches of all photographs ever embedded: the same whatever the shards were.

    Photographs that were deleted since (``embed --update``) are still among them.

    Raises:
        MissingFeaturesError: an empty table.
        CorruptStoreError: a file is missing or damaged.
    """
    newest: dict[str, int] = {}
    if exists(table.vectors_path):
        for batch in batches(table.vectors_path, ["session", "batch"]):
            rows = arrow().Table.from_batches([batch]).group_by("session").aggregate([("batch", "max")])
            for row in rows.to_pylist():
                newest[row["session"]] = max(newest.get(row["session"], -1), row["batch_max"])
    return _merged(table, [read_moments(table.folder, *item) for item in sorted(newest.items())])


def _merged(table: FeatureTable, parts: Sequence[PatchMoments]) -> PatchMoments:
    if not parts:
        raise MissingFeaturesError(f"the table {table.name} is empty: it has no statistics")
    return reduce(merge_moments, parts)


def read_dense(table: FeatureTable, digest: str) -> PatchFeatures:
    """One photograph's map: to float16, or decoded from its components.

    Raises:
        MissingFeaturesError: the table keeps no maps, or has no such photograph.
        CorruptStoreError: the table cannot be read.
    """
    for _, features in each_dense(table, where=f"digest = {quoted(digest)}"):
        return features
    raise MissingFeaturesError(f"the table {table.name} has no photograph with the digest {digest!r}")


def each_dense(table: FeatureTable, *, where: str | None = None) -> Iterator[tuple[StoredRow, PatchFeatures]]:
    """Every photograph with its map, in row order, streamed: about `DENSE_BYTES` in memory at a time.

    Args:
        table: embedded with ``--dense``.
        where: a condition on the columns, in Lance's language.

    Raises:
        MissingFeaturesError, CorruptStoreError: as `read_dense`.
    """
    settings = table.settings
    if settings.dense is None:
        raise MissingFeaturesError(f"the table {table.name} keeps no maps: embed with --dense")
    rank = DenseCoding.from_words(settings.dense).rank
    if not exists(table.vectors_path):
        return
    basis = None if rank is None else read_dense_basis(table.basis_path)
    one = dense_bytes(1, settings.dim, dense=settings.dense, grid=settings.grid)
    facts = row_columns(table)
    columns = [*facts, *dense_columns(rank)]
    for batch in batches(table.vectors_path, columns, where=where, rows=max(1, DENSE_BYTES // one)):
        stored = map(stored_row, batch.select(facts).to_pylist())
        for row, values in zip(stored, decoded_maps(batch, settings.dim, basis), strict=True):
            provenance = settings.provenance(Path(row.source).name, row.digest)
            shaped = values.reshape(row.grid.h, row.grid.w, settings.dim)
            yield row, PatchFeatures(shaped, row.grid, provenance)


def check_condition(table: FeatureTable, where: str) -> None:
    """Refuse a condition on the columns that Lance cannot use; only columns that it names are read.

    Raises:
        InputError: it cannot be parsed, names no column, is neither true nor false, or fails for a row.
        CorruptStoreError: the table cannot be read.
    """
    dataset = open_dataset(table.vectors_path)
    try:
        dataset.scanner(columns=["digest"], filter=where).explain_plan()
    except ValueError as error:  # all that a plan can fail for: data are not touched
        raise _unusable(where, error) from error
    try:  # of what stands behind a condition Lance says nothing, unless it is in parentheses with it
        dataset.scanner(columns=["digest"], filter=f"({where}\n)").explain_plan()
        whole = _closes_no_more_than_it_opens(where)
    except ValueError:
        whole = False
    if not whole:
        raise InputError(
            f"the condition {shortened(where)!r} cannot be used: something stands behind its end"
        )
    try:
        reading(table.vectors_path, lambda: dataset.count_rows(filter=where))
    except CorruptStoreError as error:
        named = [column for column in dataset.schema.names if column in where.lower()]
        for _ in placed_batches(dataset, table.vectors_path, named or ["digest"]):
            pass  # raises where the table is what cannot be read
        raise _unusable(where, error.__cause__ or error) from error


def _unusable(where: str, error: BaseException) -> InputError:
    said = str(error).split(", /", maxsplit=1)[0].removeprefix("Invalid user input: ")
    return InputError(
        f"the condition {shortened(where)!r} cannot be used: {said[:200]}; columns are digest, source, h, w, "
        "width_px, height_px, foreground_share, taken, camera, latitude and longitude"
    )


def _closes_no_more_than_it_opens(where: str) -> bool:
    depths = accumulate({"(": 1, ")": -1}.get(letter, 0) for letter in _QUOTED.sub("", where))
    return min(depths, default=0) >= 0


def placed_vectors(
    table: FeatureTable, name: str, where: str | None = None
) -> Iterator[tuple[Int64[np.ndarray, " n"], Float16[np.ndarray, "n dim"]]]:
    """Vectors of one kind with their 0-based places in row order, streamed; all of one version of the table.

    Args:
        table: to read.
        name: ``cls``, ``mean``, ``gem`` or ``foreground``.
        where: a condition that was checked; None for every row.

    Raises:
        MissingFeaturesError: the backbone has no class token.
        CorruptStoreError: the table cannot be read.
    """
    if exists(table.vectors_path):
        dataset = open_dataset(table.vectors_path)
        for found, batch in placed_batches(dataset, table.vectors_path, [name], where=where):
            if len(batch):
                yield found, vectors_in(table, name, batch.column(name))


def newer_vectors(table: FeatureTable, name: str, first: int) -> Iterator[Float16[np.ndarray, "n dim"]]:
    """Vectors of one kind from the 0-based place ``first`` on, in row order; errors as `pooled_vectors`."""
    dataset = open_dataset(table.vectors_path)
    for batch in newer_batches(dataset, table.vectors_path, [name], first):
        yield vectors_in(table, name, batch.column(0))


def rows_of(table: FeatureTable, digests: Sequence[str]) -> dict[str, StoredRow]:
    """Photographs by their digests; no more than the table has.

    Raises:
        CorruptStoreError: the table cannot be read.
    """
    return {row.digest: row for row in _rows(table, "digest", digests)}


def row_from(table: FeatureTable, source: str) -> StoredRow | None:
    """The photograph that was found there; None where the table has none from there.

    Raises:
        CorruptStoreError: the table cannot be read.
    """
    return next(iter(_rows(table, "source", [source])), None)


def vector_of(table: FeatureTable, name: str, digest: str) -> Float64[np.ndarray, " dim"] | None:
    """The vector of one photograph; None where the table does not have it.

    Raises:
        CorruptStoreError: the table cannot be read.
    """
    for batch in batches(table.vectors_path, [name], where=f"digest = {quoted(digest)}"):
        column = batch.column(0)
        if len(column) and not column.null_count:
            return vectors_in(table, name, column)[0].astype(np.float64)
    return None


def _rows(table: FeatureTable, column: str, values: Sequence[str]) -> list[StoredRow]:
    if not values or not len(table):
        return []
    where = f"{column} IN ({', '.join(map(quoted, values))})"
    found = batches(table.vectors_path, row_columns(table), where=where)
    return [row for batch in found for row in map(stored_row, batch.to_pylist())]
