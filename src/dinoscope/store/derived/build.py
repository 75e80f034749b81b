"""Write the files of a derived index from a table, or from an earlier one and what is newer."""

from __future__ import annotations

import math
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float16, Float32

from dinoscope.atomic import work_folder
from dinoscope.errors import InputError
from dinoscope.io.arrow import arrow
from dinoscope.maths.halves import widen
from dinoscope.maths.patches import SHORTEST
from dinoscope.store.derived.folder import (
    DIGESTS,
    LISTS,
    ROWS,
    VECTORS,
    DerivedFiles,
    damaged_derived,
    sums_of,
)
from dinoscope.store.derived.key import TableKey, begins, key_of
from dinoscope.store.derived.quantised import POINTS, Quantised, fitted, read_lists, write_lists
from dinoscope.store.derived.rows import fact_columns
from dinoscope.store.lance import not_written, open_dataset, placed_batches
from dinoscope.store.reading import vectors_in
from dinoscope.store.store import FeatureTable

TRAINED_FOR = 2
"""Lists are fitted anew when the table has grown by more than this factor since."""
LISTS_OF_ROOT = 2
"""Lists, over the root of the number of rows."""
_BLOCK = 65_536


def build_files(
    table: FeatureTable, pooling: str, old: DerivedFiles | None, *, seed: int = 0
) -> DerivedFiles:
    """Write the files of a table as it is now; nobody knows of them yet.

    Where ``old`` is of the table's beginning, its lists take what is newer.

    Args:
        table: with at least four photographs.
        pooling: whose vectors.
        old: of the same vectors; None to begin anew.
        seed: of the sample and of k-means.

    Raises:
        MissingFeaturesError: the backbone has no class token.
        InputError: a vector holds NaN or infinite values.
        CorruptStoreError: the table cannot be read.
        OSError: the files cannot be written; nothing of them stays.
    """
    indexes = table.folder / "indexes"
    dataset = open_dataset(table.vectors_path)
    key = key_of(dataset)
    dim = table.settings.dim
    with work_folder(indexes) as work:
        try:
            _write_rows(table, dataset, pooling, work)
            vectors = np.memmap(work / VECTORS, np.float16, "r", shape=(key.n_rows, dim))
            kept = _extended(old, dataset, key, dim)
            lists = kept or fitted(_sample(vectors, seed), _partitions(key.n_rows), seed=seed)
            for first in range(lists.n_rows, key.n_rows, _BLOCK):
                lists.add(_directions(vectors[first : first + _BLOCK]))
            write_lists(lists, work / LISTS)
        except OSError as error:
            raise not_written(indexes, error) from error
        folder = indexes / f"{pooling}-{uuid.uuid4().hex[:12]}"
        trained = old.trained_rows if kept and old else key.n_rows
        files = DerivedFiles(folder, key, trained, sums_of(work))
        os.replace(work, folder)
    return files


def remove_others(indexes: Path, pooling: str, kept: Path | None) -> None:
    """Remove the folders of earlier builds, and of builds that were killed before they were described."""
    for folder in indexes.glob(f"{pooling}-*"):
        if folder.is_dir() and folder != kept:
            shutil.rmtree(folder, ignore_errors=True)


def _extended(old: DerivedFiles | None, dataset: Any, key: TableKey, dim: int) -> Quantised | None:
    """Lists that hold the first rows already; None where there are none to be had."""
    if old is None or not begins(old.key, dataset) or key.n_rows > TRAINED_FOR * old.trained_rows:
        return None
    try:
        if any(damaged_derived(old)):
            return None
        return read_lists(old.folder / LISTS, dim, mapped=False)
    except OSError:
        return None


def _write_rows(table: FeatureTable, dataset: Any, pooling: str, folder: Path) -> None:
    """The vectors as they are, the digests, and the other columns; in row order."""
    facts = fact_columns(dataset.schema)
    described = arrow().schema([dataset.schema.field(name) for name in facts])
    with (
        (folder / VECTORS).open("wb") as vectors,
        (folder / DIGESTS).open("wb") as digests,
        arrow().ipc.new_file(str(folder / ROWS), described) as rest,
    ):
        for places, batch in placed_batches(dataset, table.vectors_path, [pooling, *facts]):
            rows = vectors_in(table, pooling, batch.column(pooling))
            bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
            if len(bad):
                raise InputError(
                    f"the {pooling} vector of row {int(places[bad[0]])} holds NaN or infinite values: no "
                    "search can rank it"
                )
            vectors.write(rows.tobytes())
            rest.write_batch(batch.select(facts))
            digests.write(bytes.fromhex("".join(batch.column("digest").to_pylist())))


def _partitions(n_rows: int) -> int:
    return min(n_rows, max(2, round(LISTS_OF_ROOT * math.sqrt(n_rows))))


def _sample(vectors: Float16[np.ndarray, "n dim"], seed: int) -> Float32[np.ndarray, "m dim"]:
    wanted = min(len(vectors), POINTS * _partitions(len(vectors)))
    rows = np.random.default_rng(seed).permutation(len(vectors))[:wanted]
    return _directions(vectors[np.sort(rows)])


def _directions(rows: Float16[np.ndarray, "n dim"]) -> Float32[np.ndarray, "n dim"]:
    wide = np.empty(rows.shape, np.float32)
    widen(rows, out=wide)
    wide /= np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), np.float32(SHORTEST))
    return wide
