"""What is read of a table: rows, vectors and their places, whole maps, and statistics of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float16, Float64, Int64

from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import PatchGrid
from dinoscope.data.results import Failure
from dinoscope.errors import InputError, MissingFeaturesError
from dinoscope.io.arrow import arrow
from dinoscope.maths.pca import PatchMoments, merge_moments, patch_moments
from dinoscope.store.dense import DenseCoding, decoded_maps, dense_bytes, dense_columns, read_dense_basis
from dinoscope.store.lance import batches, exists, open_dataset, placed_batches, quoted, reading
from dinoscope.store.moments import read_moments
from dinoscope.store.schema import POOLED
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
    """

    digest: str
    source: str
    grid: PatchGrid
    foreground_share: float


def stored_row(facts: dict[str, Any]) -> StoredRow:
    """A row of the columns `ROW_COLUMNS`."""
    grid = PatchGrid(facts["h"], facts["w"], facts["patch_px"], (facts["width_px"], facts["height_px"]))
    return StoredRow(facts["digest"], facts["source"], grid, facts["foreground_share"])


def each_row(table: FeatureTable) -> Iterator[StoredRow]:
    """Every photograph, in row order, streamed."""
    if exists(table.vectors_path):
        for batch in batches(table.vectors_path, ROW_COLUMNS):
            yield from map(stored_row, batch.to_pylist())


def rows_at(table: FeatureTable, indices: Sequence[int]) -> list[StoredRow]:
    """Photographs by their 0-based place in row order, in the order asked for."""
    if not len(indices):
        return []
    dataset = open_dataset(table.vectors_path)
    found = reading(
        table.vectors_path, lambda: dataset.take([int(i) for i in indices], columns=list(ROW_COLUMNS))
    )
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
    """
    if column.null_count:
        raise MissingFeaturesError(
            f"{table.settings.backbone} has no {name!r} vectors; choose another pooling"
        )
    values = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values.reshape(len(column), table.settings.dim), np.float16)


def vector_statistics(table: FeatureTable, name: str) -> PatchMoments:
    """Moments of one kind of pooled vectors, from the rows in one streamed pass.

    Raises:
        MissingFeaturesError: an empty table, or a backbone without a class token.
        InputError: no such kind.
    """
    parts = [patch_moments(vectors.astype(np.float32)) for vectors in each_vectors(table, name)]
    return _merged(table, parts)


def patch_statistics(table: FeatureTable) -> PatchMoments:
    """Exact moments of all patches of all photographs: the same whatever the shards were.

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
    columns = [*ROW_COLUMNS, *dense_columns(rank)]
    for batch in batches(table.vectors_path, columns, where=where, rows=max(1, DENSE_BYTES // one)):
        stored = map(stored_row, batch.select(ROW_COLUMNS).to_pylist())
        for row, values in zip(stored, decoded_maps(batch, settings.dim, basis), strict=True):
            provenance = settings.provenance(Path(row.source).name, row.digest)
            shaped = values.reshape(row.grid.h, row.grid.w, settings.dim)
            yield row, PatchFeatures(shaped, row.grid, provenance)


def check_condition(table: FeatureTable, where: str) -> None:
    """Refuse a condition on the columns that Lance cannot use; nothing is read.

    Raises:
        InputError: it cannot be parsed, names no column, or is neither true nor false.
        CorruptStoreError: the table cannot be opened.
    """
    dataset = open_dataset(table.vectors_path)
    try:
        dataset.scanner(columns=["digest"], filter=where).explain_plan()
    except ValueError as error:  # all that a plan can fail for: data are not touched
        said = str(error).split(", /", maxsplit=1)[0].removeprefix("Invalid user input: ")
        raise InputError(
            f"the condition {where!r} cannot be used: {said[:200]}; columns are digest, source, h, w, "
            "width_px, height_px and foreground_share"
        ) from error


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
    found = batches(table.vectors_path, ROW_COLUMNS, where=where)
    return [row for batch in found for row in map(stored_row, batch.to_pylist())]
