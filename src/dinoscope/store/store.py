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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from dinoscope.atomic import remove_left, write_text
from dinoscope.data.features import Provenance
from dinoscope.data.kinds import check_kind
from dinoscope.errors import (
    CorruptStoreError,
    InputError,
    MissingFeaturesError,
    ProvenanceMismatchError,
)
from dinoscope.io.pixel_range import read_range, reading_range
from dinoscope.store.files import check_version, read_json, store_folder
from dinoscope.store.lance import (
    LANCE_FORMAT,
    exists,
    lance,
    open_dataset,
    reading,
)
from dinoscope.store.schema import (
    SCHEMA_VERSION,
    TableSettings,
    settings_from_facts,
    settings_to_json,
)

_STORE_FILE = "dinoscope-store.json"


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

    @property
    def lost_tables(self) -> tuple[Path, ...]:
        """Settings files that are gone from tables with rows."""
        found = sorted((self.path / "tables").glob("*/vectors.lance"))
        return tuple(file for p in found if not (file := p.parent / "settings.json").exists())

    def table(self, name: str | None = None) -> FeatureTable:
        """One table, by its name, by the name of its backbone where that is unique, or the one meant.

        Raises:
            MissingFeaturesError: none, or no such one.
            InputError: several fit.
            SchemaVersionError: it is of a newer schema.
            CorruptStoreError: its settings cannot be read, or are gone.
        """
        names = self.tables
        wanted = name if name is not None else self.chosen
        if wanted in names:
            return _read_table(self.path / "tables" / str(wanted))
        found = [_read_table(self.path / "tables" / each) for each in names]
        if wanted is not None:
            found = [table for table in found if table.settings.backbone == wanted]
        if not found and self.lost_tables:
            raise CorruptStoreError(
                f"{str(self.lost_tables[0])!r} is gone: put it back from a copy, or embed with the same "
                "settings again, which writes it anew"
            )
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


def table_of(store: FeatureStore, name: str | None = None) -> FeatureTable:
    """`FeatureStore.table` of what somebody gave.

    Raises:
        InputError: no store; and as `FeatureStore.table`.
    """
    check_kind(store, FeatureStore, "ds.open_store opens the store in a folder")
    return store.table(name)


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
    if not file.exists() and any(path.glob("tables/*/settings.json")):
        raise CorruptStoreError(
            f"the store {str(path)!r} lacks its {_STORE_FILE}: put it back from a copy, or embed into the "
            "folder again, which writes it anew"
        )
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
        others = others and not any(path.glob("tables/*/settings.json"))
        if others and not file.exists():  # not made by another shard a moment ago either
            raise InputError(
                f"{str(path)!r} is a folder with other things in it; name a new one for the store"
            )
        facts = {"what": "dinoscope feature store", "schema_version": SCHEMA_VERSION, "lance": LANCE_FORMAT}
        write_text(file, json.dumps(facts, indent=2) + "\n")
    folder = path / "tables" / settings.table_name
    for place in (path, folder, folder / "moments"):
        remove_left(place)
    if (folder / "settings.json").exists():
        return _read_table(folder)
    write_text(folder / "settings.json", settings_to_json(settings))
    return FeatureTable(folder, settings)


@contextmanager
def read_as(table: FeatureTable) -> Iterator[None]:
    """Photographs that are read inside are read in the range that the table's were."""
    with reading_range(read_range(table.settings.pixel_range)):
        yield


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
