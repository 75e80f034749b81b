"""What a search reads of a table: vectors with their places, by a condition on the columns or one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float16, Float64, Int64

from dinoscope.errors import InputError
from dinoscope.store.lance import batches, exists, open_dataset, placed_batches, quoted
from dinoscope.store.store import ROW_COLUMNS, FeatureTable, StoredRow, stored_row, vectors_in


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
