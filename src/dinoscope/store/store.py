"""FeatureStore: a folder of tables, one for each backbone and settings, on disk.

::

    STORE/dinoscope-store.json          what this is, and its schema version
    STORE/tables/NAME/settings.json     what the vectors are
    STORE/tables/NAME/vectors.lance     one row for each photograph, keyed by its digest
    STORE/tables/NAME/errors.lance      photographs that could not be used, and why
    STORE/tables/NAME/moments/          exact moments of all patches
    STORE/tables/NAME/digests.txt      what each of these files was when it was written
    STORE/tables/NAME/indexes/          what each approximate index was measured to find

Rows are read in the order they were committed in. The vectors are float16, as they came: not normalised.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float16

from dinoscope.data.features import PatchFeatures, Provenance
from dinoscope.data.grid import PatchGrid
from dinoscope.data.results import Failure
from dinoscope.errors import InputError, MissingFeaturesError, ProvenanceMismatchError
from dinoscope.io.arrow import arrow
from dinoscope.maths.pca import PatchMoments, merge_moments, patch_moments
from dinoscope.store.dense import (
    DenseCoding,
    decoded_maps,
    dense_bytes,
    dense_columns,
    read_dense_basis,
)
from dinoscope.store.files import check_version, read_json, store_folder, write_text
from dinoscope.store.lance import (
    LANCE_FORMAT,
    batches,
    exists,
    lance,
    open_dataset,
    quoted,
    reading,
)
from dinoscope.store.moments import read_moments
from dinoscope.store.schema import (
    POOLED,
    SCHEMA_VERSION,
    TableSettings,
    settings_from_facts,
    settings_to_json,
)

_STORE_FILE = "dinoscope-store.json"
DENSE_BYTES = 32 * 2**20
"""Maps are read in batches of about this much, at least one by one."""

ROW_COLUMNS = ("digest", "source", "h", "w", "patch_px", "width_px", "height_px", "foreground_share")


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """One backbone with one set of settings.

    Attributes:
        folder: where it lies.
        settings: what its vectors are.
    """

    folder: Path
    settings: TableSettings

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def vectors_path(self) -> Path:
        """The Lance dataset of the rows."""
        return self.folder / "vectors.lance"

    @property
    def errors_path(self) -> Path:
        """The Lance dataset of what could not be used."""
        return self.folder / "errors.lance"

    @property
    def basis_path(self) -> Path:
        """The basis of rank-d maps, where they are kept."""
        return self.folder / "dense_basis.safetensors"

    def __len__(self) -> int:
        """Photographs committed."""
        if not exists(self.vectors_path):
            return 0
        return reading(self.vectors_path, lambda: int(open_dataset(self.vectors_path).count_rows()))


@dataclass(frozen=True, slots=True)
class FeatureStore:
    """A folder of feature tables.

    Attributes:
        path: the folder.
        chosen: name of the table meant where nothing else is said; None where there is only one.
    """

    path: Path
    chosen: str | None = None

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables, sorted."""
        return tuple(sorted(p.parent.name for p in (self.path / "tables").glob("*/settings.json")))

    def table(self, name: str | None = None) -> FeatureTable:
        """One table, by its name, by the name of its backbone where that is unique, or the one meant.

        Raises:
            MissingFeaturesError: none, or no such one.
            InputError: several fit.
            SchemaVersionError: it is of a newer schema.
            CorruptStoreError: its settings cannot be read.
        """
        names = self.tables
        wanted = name if name is not None else self.chosen
        if wanted in names:
            return _read_table(self.path / "tables" / str(wanted))
        found = [_read_table(self.path / "tables" / each) for each in names]
        if wanted is not None:
            found = [table for table in found if table.settings.backbone == wanted]
        if not found:
            listed = f"; it has {', '.join(names)}" if names else "; it is empty"
            raise MissingFeaturesError(
                f"the store {str(self.path)!r} has no table {wanted or 'at all'!r}{listed}. "
                "`dinoscope embed SOURCE STORE --model M` makes one"
            )
        if len(found) > 1:
            raise InputError(
                f"the store {str(self.path)!r} has several tables that fit: name one of "
                + ", ".join(table.name for table in found)
            )
        return found[0]


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


def open_store(path: str | Path, *, table: str | None = None) -> FeatureStore:
    """A store that exists.

    Args:
        path: the folder.
        table: the table meant where nothing else is said.

    Raises:
        MissingFeaturesError: there is no store, or no such table.
        SchemaVersionError: a newer dinoscope wrote it.
        CorruptStoreError: it cannot be read.
        InputError: an address instead of a folder.
        MissingExtraError: the extra [store] is not installed.
    """
    lance()
    path = store_folder(path)
    file = path / _STORE_FILE
    if not file.exists():
        raise MissingFeaturesError(
            f"{str(path)!r} is no feature store; `dinoscope embed SOURCE {path} --model M` makes one"
        )
    check_version(read_json(file), path)
    store = FeatureStore(path)
    return store if table is None else replace(store, chosen=store.table(table).name)


def create_table(path: str | Path, settings: TableSettings) -> FeatureTable:
    """The table of these settings in the store at ``path``; both are made where missing.

    Raises:
        InputError: the folder holds something else, or is an address.
        SchemaVersionError, CorruptStoreError, MissingExtraError: as `open_store`.
    """
    lance()
    path = store_folder(path)
    file = path / _STORE_FILE
    if path.exists() and not path.is_dir():
        raise InputError(f"{str(path)!r} is a file; a store is a folder")
    if file.exists():
        check_version(read_json(file), path)
    else:
        others = path.exists() and any(not p.name.startswith(".") for p in path.iterdir())
        if others and not file.exists():  # not made by another shard a moment ago either
            raise InputError(
                f"{str(path)!r} is a folder with other things in it; name a new one for the store"
            )
        facts = {"what": "dinoscope feature store", "schema_version": SCHEMA_VERSION, "lance": LANCE_FORMAT}
        write_text(file, json.dumps(facts, indent=2) + "\n")
    folder = path / "tables" / settings.table_name
    if (folder / "settings.json").exists():
        return _read_table(folder)
    write_text(folder / "settings.json", settings_to_json(settings))
    return FeatureTable(folder, settings)


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
    """The same, at most ``rows`` at a time."""
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
    moments: PatchMoments | None = None
    for session, number in sorted(newest.items()):
        part = read_moments(table.folder, session, number)
        moments = part if moments is None else merge_moments(moments, part)
    if moments is None:
        raise MissingFeaturesError(f"the table {table.name} is empty: it has no statistics")
    return moments


def vector_statistics(table: FeatureTable, name: str) -> PatchMoments:
    """Moments of one kind of pooled vectors, from the rows in one streamed pass.

    Raises:
        MissingFeaturesError: an empty table, or a backbone without a class token.
        InputError: no such kind.
    """
    moments: PatchMoments | None = None
    for vectors in each_vectors(table, name):
        part = patch_moments(vectors.astype(np.float32))
        moments = part if moments is None else merge_moments(moments, part)
    if moments is None:
        raise MissingFeaturesError(f"the table {table.name} is empty: it has no statistics")
    return moments


def check_provenance(table: FeatureTable, provenance: Provenance) -> None:
    """Refuse features that were made otherwise than the table's.

    Raises:
        ProvenanceMismatchError: another backbone, weights, layer, norm, arithmetic or resize.
    """
    found = table.settings.differences(provenance)
    if found:
        raise ProvenanceMismatchError(
            f"these features do not belong to the table {table.name}: {'; '.join(found)}. "
            "Make them with the table's backbone and settings"
        )


def _read_table(folder: Path) -> FeatureTable:
    facts = read_json(folder / "settings.json")
    check_version(facts, folder)
    return FeatureTable(folder, settings_from_facts(facts))


def stored_row(facts: dict[str, Any]) -> StoredRow:
    """A row of the columns `ROW_COLUMNS`."""
    grid = PatchGrid(facts["h"], facts["w"], facts["patch_px"], (facts["width_px"], facts["height_px"]))
    return StoredRow(facts["digest"], facts["source"], grid, facts["foreground_share"])
