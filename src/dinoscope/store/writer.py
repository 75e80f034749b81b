"""Filling a table: nothing twice, batch by batch, each commit whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Any

from dinoscope.data.results import Failure
from dinoscope.errors import InputError
from dinoscope.io.arrow import arrow
from dinoscope.maths.pca import merge_moments
from dinoscope.store.changes import delete_rows, move_rows
from dinoscope.store.dense import (
    CodedMap,
    DenseCoding,
    code_map,
    fit_dense_basis,
    read_dense_basis,
    write_dense_basis,
)
from dinoscope.store.derived.index import kept_in_step
from dinoscope.store.digests import note_digests
from dinoscope.store.lance import (
    add_columns,
    append,
    batches,
    delete_where,
    exists,
    newest_fragment,
    not_written,
    open_dataset,
    quoted,
    tidy,
    upsert,
)
from dinoscope.store.locks import committing, session_name, writing
from dinoscope.store.moments import (
    MomentsSum,
    moments_path,
    read_moments,
    remove_other_moments,
    write_moments,
)
from dinoscope.store.schema import NewRow, TableSettings, errors_schema, rows_to_arrow, shot_fields
from dinoscope.store.store import FeatureTable, create_table

PENDING_BYTES = 256 * 2**20
"""Rows that wait for a commit hold no more than about this."""

TIDY_EVERY = 256
"""Commits after which small fragments are joined."""


class TableWriter:
    """The one writer of a table, or of its shard; made by `open_writer`."""

    def __init__(self, table: FeatureTable, session: str, commit_rows: int) -> None:
        self.table = table
        self._session = session
        self._commit_rows = commit_rows
        self._digests: set[bytes] = set()  # half of each digest: 16 bytes
        self._sources: set[bytes] = set()
        self._pending: list[NewRow] = []
        self._overtaken: set[bytes] = set()
        self._pending_bytes = 0
        self._failures: dict[str, str] = {}
        self._failed_before: set[str] = set()
        self._mended: set[str] = set()
        self._sum = MomentsSum()
        self._batch = -1
        self._commits = 0
        self._is_committing = False
        self._version = -1
        self._fragment = -1
        with committing(table.folder):
            self._remember()
            self._note_digests()

    def knows(self, source: str, stamp: str) -> bool:
        """Whether that very file, by its stamp, is in the table; an empty stamp never is."""
        known = bool(stamp) and _source_key(source, stamp) in self._sources
        if known:
            self.mend(source)
        return known

    def claim(self, digest: str) -> bool:
        """True the first time in this run for a photograph that is not in the table."""
        key = _digest_key(digest)
        if key in self._digests:
            return False
        self._digests.add(key)
        return True

    def mend(self, source: str) -> None:
        """That source can be used after all: what it holds is in the table, or will be."""
        if source in self._failed_before:
            self._mended.add(source)

    def add(self, row: NewRow) -> None:
        """Take a claimed photograph; commits when enough wait."""
        self.mend(row.source)
        self._sum.add(row.moments)
        self._pending.append(row)
        self._pending_bytes += row.n_bytes
        if len(self._pending) >= self._commit_rows or self._pending_bytes >= PENDING_BYTES:
            self.commit()

    def fail(self, failure: Failure) -> None:
        """Note a photograph that cannot be used; goes with the next commit."""
        self._mended.discard(failure.source)
        self._failures[failure.source] = failure.reason
        if len(self._failures) >= self._commit_rows:
            self.commit()

    def commit(self) -> None:
        """Make everything taken so far permanent.

        Raises:
            OSError: nothing of it is; everything committed before is intact.
            CorruptStoreError: the table cannot be read.
        """
        if not (self._pending or self._failures or self._mended):
            return
        self._is_committing = True
        if self._pending:
            self._write_moments()
        with committing(self.table.folder):
            self._committed_by_others()
            rows = [row for row in self._pending if _digest_key(row.digest) not in self._overtaken]
            if len(rows) < len(self._pending):
                self._without_overtaken(rows)
            if rows:
                self._append(rows)
            if self._failures:
                listed = [{"source": s, "reason": r} for s, r in self._failures.items()]
                upsert(
                    self.table.errors_path,
                    arrow().Table.from_pylist(listed, schema=errors_schema()),
                    "source",
                )
            if self._mended:
                delete_where(self.table.errors_path, "source", sorted(self._mended))
            self._commits += 1
            if self._commits % TIDY_EVERY == 0:
                self._tidy()
            self._note_digests()
        self._failed_before |= set(self._failures)
        self._failed_before -= self._mended
        self._pending, self._pending_bytes, self._failures, self._mended = [], 0, {}, set()
        self._is_committing = False

    def forget(self, gone: Callable[[str], bool]) -> None:
        """Failures of sources that are no longer there; goes with the next commit."""
        self._mended |= {source for source in self._failed_before if gone(source)}

    def rearrange(self, moved: Mapping[str, tuple[str, str]], gone: Sequence[str]) -> None:
        """Commit what waits; then move rows and delete rows, by digest, each kind in a commit of its own.

        Args:
            moved: other sources and stamps.
            gone: to delete.
        """
        self.commit()
        if not moved and not gone:
            return
        with committing(self.table.folder):
            self._committed_by_others()
            if moved:
                move_rows(self.table, moved)
            if gone:
                self._batch = delete_rows(self.table, gone).get(self._session, -1)
            self._commits += 1
            self._saw(open_dataset(self.table.vectors_path))
            self._note_digests()

    def interrupt(self) -> None:
        """Commit what waits, unless the interruption came in the middle of a commit."""
        if not self._is_committing:
            self._sum_again(self._pending)  # it may have come in the middle of an addition
            self.commit()

    def finish(self) -> None:
        """Commit the rest, and leave few files."""
        self.commit()
        if self._commits:
            with committing(self.table.folder):
                self._committed_by_others()
                self._tidy()
                self._note_digests()

    def _append(self, rows: Sequence[NewRow]) -> None:
        batch = self._batch + 1
        coded = self._coded(rows)
        table = rows_to_arrow(rows, self.table.settings, session=self._session, batch=batch, coded=coded)
        self._saw(append(self.table.vectors_path, table))
        self._batch = batch
        remove_other_moments(self.table.folder, self._session, batch)
        self._sources |= {_source_key(row.source, row.stamp) for row in rows if row.stamp}

    def _write_moments(self) -> None:
        """Moments of everything committed and of all that waits, under the number of the batch to come."""
        try:
            write_moments(self.table.folder, self._session, self._batch + 1, self._sum.value())
        except OSError as error:
            raise not_written(self.table.folder, error) from error

    def _without_overtaken(self, rows: Sequence[NewRow]) -> None:
        self._sum_again(rows)
        if rows:
            self._write_moments()
        else:
            remove_other_moments(self.table.folder, self._session, self._batch)

    def _sum_again(self, rows: Sequence[NewRow]) -> None:
        """The sum of what is committed and of some rows."""
        self._sum = self._committed_sum()
        for row in rows:
            self._sum.add(row.moments)

    def _committed_sum(self) -> MomentsSum:
        if self._batch < 0:
            return MomentsSum()
        return MomentsSum(read_moments(self.table.folder, self._session, self._batch))

    def _coded(self, rows: Sequence[NewRow]) -> list[CodedMap] | None:
        words = self.table.settings.dense
        rank = None if words is None else DenseCoding.from_words(words).rank
        if rank is None:
            return None
        if not self.table.basis_path.exists():
            together = reduce(merge_moments, (row.moments for row in rows))
            write_dense_basis(self.table.basis_path, fit_dense_basis(together, rank))
        basis = read_dense_basis(self.table.basis_path)
        return [code_map(row.values, basis) for row in rows if row.values is not None]

    def _remember(self) -> None:
        path = self.table.vectors_path
        if exists(path):
            for batch in batches(path, ["digest", "source", "stamp"]):
                for digest, source, stamp in zip(*(c.to_pylist() for c in batch.columns), strict=True):
                    self._digests.add(_digest_key(digest))
                    if stamp:
                        self._sources.add(_source_key(source, stamp))
            mine = f"session = {quoted(self._session)}"
            for batch in batches(path, ["batch"], where=mine):
                self._batch = max([self._batch, *batch.column(0).to_pylist()])
            add_columns(path, shot_fields())
            self._saw(open_dataset(path))
        self._sum = self._committed_sum()
        if exists(self.table.errors_path):
            for batch in batches(self.table.errors_path, ["source"]):
                self._failed_before |= set(batch.column(0).to_pylist())

    def _committed_by_others(self) -> None:
        """Learn of photographs that other shards committed since this one last looked.

        One that was claimed here before is overtaken, also where its row comes only after later commits.
        """
        path = self.table.vectors_path
        if not exists(path):
            return
        dataset = open_dataset(path)
        if dataset.version == self._version:
            return
        theirs = f"session != {quoted(self._session)}"
        found = {
            _digest_key(digest)
            for batch in batches(path, ["digest"], where=theirs, newer_than=self._fragment)
            for digest in batch.column(0).to_pylist()
        }
        self._overtaken |= found & self._digests
        self._digests |= found
        self._saw(dataset)

    def _saw(self, dataset: Any) -> None:
        self._version, self._fragment = int(dataset.version), newest_fragment(dataset)

    def _tidy(self) -> None:
        for path in (self.table.vectors_path, self.table.errors_path):
            if exists(path):
                with kept_in_step(self.table):
                    dataset = tidy(path)
                if path == self.table.vectors_path:
                    self._saw(dataset)

    def _note_digests(self) -> None:
        """Digests of what was committed just now, or by a writer that was killed before it could."""
        mine = [] if self._batch < 0 else [moments_path(self.table.folder, self._session, self._batch)]
        try:
            note_digests(self.table.folder, fresh=mine)
        except OSError as error:
            raise not_written(self.table.folder, error) from error


@contextmanager
def open_writer(
    path: str | Path,
    settings: TableSettings,
    *,
    shard: tuple[int, int] | None = None,
    commit_rows: int = 32,
) -> Iterator[TableWriter]:
    """Hold the table of some settings for writing; what waits is committed at the end, and on Ctrl-C.

    On any other error, and when the process is killed, the rows since the last commit are lost and
    nothing else: they are computed again by the next run.

    Args:
        path: of the store.
        settings: of the table.
        shard: ``(i, n)``, i from 0: one of n writers that share the table.
        commit_rows: in one commit, at most.

    Raises:
        StoreInUseError: somebody else is writing it.
        InputError: an impossible shard or number of rows.
        SchemaVersionError, CorruptStoreError, MissingExtraError: as `open_store`.
        OSError: a commit failed.
    """
    if commit_rows < 1:
        raise InputError(f"commit_rows must be at least 1, got {commit_rows}")
    if shard is not None and not 0 <= shard[0] < shard[1]:
        raise InputError(f"a shard is i/n with 0 <= i < n, got {shard[0]}/{shard[1]}")
    table = create_table(path, settings)
    with writing(table.folder, shard):
        writer = TableWriter(table, session_name(shard), commit_rows)
        try:
            yield writer
        except KeyboardInterrupt:
            writer.interrupt()
            raise
        writer.finish()


def _digest_key(digest: str) -> bytes:
    return bytes.fromhex(digest)[:16]


def _source_key(source: str, stamp: str) -> bytes:
    return hashlib.blake2b(f"{source}\0{stamp}".encode(errors="surrogatepass"), digest_size=16).digest()
