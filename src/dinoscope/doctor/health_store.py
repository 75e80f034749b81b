"""Whether what lies in a store is what was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from dinoscope.doctor.diagnosis import Finding, Health, State
from dinoscope.errors import CorruptStoreError, InputError, StoreError
from dinoscope.store.derived.index import damaged_indexes
from dinoscope.store.digests import cure, damaged_files, is_index, missing_digests, read_digests
from dinoscope.store.lance import exists, open_dataset
from dinoscope.store.reading import patch_statistics
from dinoscope.store.store import FeatureStore, open_store


def examine_store(path: str | Path, *, on_bytes: Callable[[int], None] = lambda _: None) -> Health:
    """Every file of every table, compared with its digest; all of the store is read once.

    Args:
        path: of the store.
        on_bytes: called with how many more bytes were compared.

    Raises:
        MissingFeaturesError: there is no store.
        InputError, SchemaVersionError, MissingExtraError: as `open_store`.
    """
    store = open_store(path)
    findings: list[Finding] = []
    for name in store.tables:
        findings += _table_findings(store, name, on_bytes)
    for file in store.lost_tables:
        words = f"{str(file)!r} is gone"
        advice = "put it back from a copy, or embed with the same settings again, which writes it anew"
        findings.append(Finding(f"table {file.parent.name}", file.name, "problem", words, advice))
    if not findings:
        findings.append(Finding("store", "tables", "note", "there are none", "`dinoscope embed` makes one"))
    return Health(tuple(findings))


def store_bytes(path: str | Path) -> int:
    """How much `examine_store` will read, about."""
    store = open_store(path)
    total = 0
    for name in store.tables:
        try:
            total += sum(known.n_bytes for known in read_digests(store.path / "tables" / name).values())
        except CorruptStoreError:  # is a finding later on
            continue
    return total


def _table_findings(store: FeatureStore, name: str, on_bytes: Callable[[int], None]) -> Iterator[Finding]:
    topic, folder = f"table {name}", store.path / "tables" / name
    try:
        found = damaged_files(folder, on_bytes)
        unknown = missing_digests(folder)
    except CorruptStoreError as error:
        yield Finding(topic, "digests", "problem", str(error), "do what it says, and ask again")
        return
    for path in found:
        words = "its content is not what was written"
        state: State = "note" if is_index(path.as_posix()) else "problem"
        yield Finding(topic, path.relative_to(folder).as_posix(), state, words, cure(path))
    if unknown:
        words = f"{len(unknown)} files have none, such as {unknown[0]}: they may be damaged"
        advice = "`dinoscope embed` with the same source and settings digests them as they are"
        yield Finding(topic, "digests", "note", words, advice)
    if found:
        return
    try:
        table = store.table(name)
        if exists(table.errors_path):
            open_dataset(table.errors_path)
        rows = len(table)
        if rows:
            patch_statistics(table)
    except (StoreError, InputError) as error:
        yield Finding(topic, "reading", "problem", str(error), "do what it says")
        return
    for path in damaged_indexes(table):
        words = "it is gone, or its content is not what was written"
        yield Finding(topic, path.relative_to(folder).as_posix(), "note", words, cure(path))
    yield Finding(topic, "files", "ok", f"{rows} photographs; every file with a digest is as it was written")
