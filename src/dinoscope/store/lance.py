"""Everything the store asks of Lance: no other module imports it.

A table is a Lance dataset of one pinned format version. An append is there whole or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Int64, UInt64

from dinoscope.errors import CorruptStoreError
from dinoscope.extras import extra_package
from dinoscope.store.digests import check_cheaply, check_newest, check_whole, cure, read_digests

LANCE_FORMAT = "2.2"
"""Version of the data files; a number, because Lance's names for versions move."""

KEPT_VERSIONS = timedelta(minutes=10)
"""A reader that opened the table less than this ago still finds its version after `tidy`."""

JOINED_ROWS = 2**20
"""Fragments with fewer are joined."""

INDEX_CACHE_BYTES = 2**30

_T = TypeVar("_T")
_complete: set[tuple[str, int]] = set()


def lance() -> Any:
    """The package lance.

    Raises:
        MissingExtraError: it is not installed.
    """
    return extra_package("lance", "the feature store", "store")


def exists(path: Path) -> bool:
    """Whether anything was ever committed there; files of an append that was cut short do not count.

    Raises:
        CorruptStoreError: the newest version is gone, so that Lance would read an older one, or none.
    """
    known = read_digests(path.parent)  # first: versions that are committed meanwhile do no harm
    there = [manifest.name for manifest in (path / "_versions").glob("*.manifest")]
    check_newest(path, known, there)
    return bool(there)


def open_dataset(path: Path, *, keep_index: bool = False, changing: bool = False) -> Any:
    """The newest version of a table that exists.

    Args:
        path: of the table.
        changing: it will be changed through what is returned; others get one that they share for reading.
        keep_index: what is read of its index stays in memory, up to `INDEX_CACHE_BYTES` for all tables.

    Raises:
        CorruptStoreError: it cannot be opened, or a file of it is gone.
    """
    session = _session() if keep_index else None
    check_cheaply(path.parent)
    opened = _opened.__wrapped__ if changing else _opened
    dataset = reading(path, lambda: opened(_place(path), versions(path), session))
    _check_complete(path, dataset)
    if keep_index:
        segments = (segment for index in dataset.describe_indices() for segment in index.segments)
        check_cheaply(path.parent, indexes={str(segment.uuid) for segment in segments})
    return dataset


def _check_complete(path: Path, dataset: Any) -> None:
    """Refuse a version whose data files are not all there; once a process."""
    key = (str(path), int(dataset.version))
    if key in _complete:
        return
    for file in (file for fragment in dataset.get_fragments() for file in data_files(path, fragment)):
        if not file.exists():
            raise CorruptStoreError(f"{str(file)!r} is gone: {cure(file)}")
    _complete.add(key)


def _place(path: Path) -> str:
    """Lance takes a relative path with a colon, or a tilde in front, for an address."""
    return str(path.absolute())


def versions(path: Path) -> tuple[int, int, tuple[str, ...]]:
    """What changes with every commit: the folder of the versions, and what lies in it."""
    folder = path / "_versions"
    facts = folder.stat()
    return facts.st_ino, facts.st_mtime_ns, tuple(os.listdir(folder))


@lru_cache(maxsize=8)
def _opened(place: str, _: object, session: Any) -> Any:
    return lance().dataset(place, session=session)


@cache
def _session() -> Any:
    return lance().Session(index_cache_size_bytes=INDEX_CACHE_BYTES)


def append(path: Path, rows: Any) -> Any:
    """Append an Arrow table in one commit, making the dataset if there is none; returns the dataset.

    Raises:
        OSError: nothing of it is committed, everything before is.
    """
    module = lance()
    mode = "append" if exists(path) else "create"
    try:
        return module.write_dataset(
            rows, _place(path), mode=mode, schema=rows.schema, data_storage_version=LANCE_FORMAT
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise not_written(path, error) from error


def upsert(path: Path, rows: Any, key: str) -> None:
    """Write rows in one commit, replacing those of equal ``key``.

    Raises:
        OSError: nothing of it is committed, everything before is.
    """
    if not exists(path):
        append(path, rows)
        return
    merge = (
        open_dataset(path, changing=True)
        .merge_insert(key)
        .when_matched_update_all()
        .when_not_matched_insert_all()
    )
    try:
        merge.execute(rows)
    except (OSError, ValueError, RuntimeError) as error:
        raise not_written(path, error) from error


def delete_where(path: Path, column: str, values: Sequence[str]) -> None:
    """Delete the rows whose ``column`` is one of some strings, in one commit."""
    listed = ", ".join(quoted(value) for value in values)
    dataset = open_dataset(path, changing=True)
    try:
        dataset.delete(f"{column} IN ({listed})")
    except (OSError, ValueError, RuntimeError) as error:
        raise not_written(path, error) from error


def add_columns(path: Path, fields: Sequence[Any]) -> None:
    """Columns that an existing table lacks, null in all its rows, in one commit; nothing is rewritten.

    Raises:
        OSError: none is there, everything before is.
    """
    dataset = open_dataset(path)
    missing = [field for field in fields if field.name not in dataset.schema.names]
    if not missing:
        return
    try:
        dataset.add_columns(missing)
    except (OSError, ValueError, RuntimeError) as error:
        raise not_written(path, error) from error


def quoted(text: str) -> str:
    """A string in Lance's filter language.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def batches(
    path: Path, columns: Sequence[str], *, where: str | None = None, rows: int = 8192, newer_than: int = -1
) -> Iterator[Any]:
    """Arrow record batches of some columns, in row order, streamed.

    Args:
        path: of a table that exists.
        columns: by name.
        where: a filter in Lance's language.
        rows: at most, in one batch.
        newer_than: only of fragments with a larger id.

    Raises:
        CorruptStoreError: the table cannot be read.
    """
    dataset = open_dataset(path)
    fragments = [f for f in dataset.get_fragments() if f.fragment_id > newer_than]
    if fragments:
        scan = dataset.scanner(
            columns=list(columns), filter=where, batch_size=rows, fragments=fragments, scan_in_order=True
        )
        yield from _streamed(path, scan)


def placed_batches(
    dataset: Any, path: Path, columns: Sequence[str], *, where: str | None = None, rows: int = 8192
) -> Iterator[tuple[Int64[np.ndarray, " n"], Any]]:
    """Batches, as `batches`, of an open dataset, each with its rows' 0-based places in row order."""
    scan = dataset.scanner(
        columns=list(columns), filter=where, batch_size=rows, scan_in_order=True, with_row_address=True
    )
    places = placing(dataset)
    for batch in _streamed(path, scan):
        yield places(batch.column("_rowaddr").to_numpy()), batch


def newer_batches(dataset: Any, path: Path, columns: Sequence[str], first: int) -> Iterator[Any]:
    """Batches of the rows from the 0-based place ``first`` on, in row order."""
    if first < dataset.count_rows():
        yield from _streamed(path, dataset.scanner(columns=list(columns), offset=first, scan_in_order=True))


def placing(dataset: Any) -> Callable[[UInt64[np.ndarray, " n"]], Int64[np.ndarray, " n"]]:
    """What makes 0-based places in row order of rows' addresses.

    An address has the fragment in its upper 32 bits and in the lower the place in it, where rows that were
    deleted count, too.
    """
    fragments = sorted(dataset.get_fragments(), key=lambda fragment: fragment.fragment_id)
    if any(fragment.num_deletions for fragment in fragments):
        table = dataset.scanner(columns=[], with_row_address=True).to_table()
        live = np.sort(table.column("_rowaddr").to_numpy())
        return lambda addresses: np.searchsorted(live, addresses).astype(np.int64)
    counts = np.array([f.count_rows() for f in fragments], np.int64)
    numbers = np.array([f.fragment_id for f in fragments], np.int64)
    firsts = np.cumsum(counts) - counts

    def places(addresses: UInt64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
        wide = addresses.astype(np.int64)
        return np.asarray(firsts[np.searchsorted(numbers, wide >> 32)] + (wide & 0xFFFFFFFF))

    return places


def _streamed(path: Path, scan: Any) -> Iterator[Any]:
    stream = reading(path, lambda: iter(scan.to_batches()))
    while True:
        batch = reading(path, lambda: next(stream, None))
        if batch is None:
            return
        yield batch


def newest_fragment(dataset: Any) -> int:
    """The largest fragment id; -1 where there is none."""
    return max((int(f.fragment_id) for f in dataset.get_fragments()), default=-1)


def tidy(path: Path) -> Any:
    """Join small fragments and forget versions older than `KEPT_VERSIONS`; the rows and their order stay.

    Returns the dataset.

    Raises:
        CorruptStoreError: a file that would be rewritten is not what was written.
        OSError: nothing of it is committed, everything before is.
    """
    dataset = open_dataset(path, changing=True)
    check_whole(path.parent, _files_to_join(path, dataset))
    try:
        dataset.optimize.compact_files(target_rows_per_fragment=JOINED_ROWS)
        dataset.cleanup_old_versions(older_than=KEPT_VERSIONS)
    except (OSError, ValueError, RuntimeError) as error:
        raise not_written(path, error) from error
    return open_dataset(path)


def data_files(path: Path, fragment: Any) -> list[Path]:
    """Where a fragment's columns lie."""
    return [path / "data" / file.path for file in fragment.data_files()]


def _files_to_join(path: Path, dataset: Any) -> list[Path]:
    """Files of fragments that Lance may rewrite: damage in them would be written anew, and pass for sound."""
    fragments = [f for f in dataset.get_fragments() if f.count_rows() < JOINED_ROWS or f.num_deletions]
    return [file for fragment in fragments for file in data_files(path, fragment)]


def reading(path: Path, read: Callable[[], _T]) -> _T:
    """What ``read`` returns; Lance's many errors become one.

    Raises:
        CorruptStoreError: it failed.
    """
    try:
        return read()
    except BaseException as error:  # a panic of Lance's Rust is no Exception
        panic = type(error).__name__ == "PanicException"
        if not panic and not isinstance(error, OSError | ValueError | RuntimeError):
            raise
        raise CorruptStoreError(
            f"the table {str(path)!r} cannot be read; a file in it is missing or damaged: put it back from "
            "a copy, or delete the table's folder and embed again (other tables are not touched). "
            f"Lance says: {_first_words(error)}"
        ) from error


def not_written(path: Path, error: Exception) -> OSError:
    """What to raise where a write failed."""
    return OSError(
        f"writing to {str(path)!r} failed ({_first_words(error)}); everything committed before is intact: "
        "free some space if the disk is full, and run the same command again"
    )


def _first_words(error: BaseException) -> str:
    return str(error).split(", /", maxsplit=1)[0][:300]
