"""Rows whose photographs moved, and rows whose photographs are gone: one commit for each kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dinoscope.io.arrow import arrow
from dinoscope.store.lance import batches, delete_where, open_dataset, quoted, reading, upsert
from dinoscope.store.moments import moments_path, read_moments, remove_other_moments, write_moments
from dinoscope.store.store import FeatureTable

AT_ONCE = 1024
"""Rows rewritten in one commit."""


def move_rows(table: FeatureTable, places: Mapping[str, tuple[str, str]]) -> None:
    """Give rows, by digest, another source and stamp; they go to the end of the table.

    The caller holds the commit lock.

    Raises:
        OSError: nothing of a commit is; everything before is intact.
        CorruptStoreError: the table cannot be read.
    """
    digests = sorted(places)
    for first in range(0, len(digests), AT_ONCE):
        some = digests[first : first + AT_ONCE]
        where = f"digest IN ({', '.join(map(quoted, some))})"
        dataset = open_dataset(table.vectors_path)
        rows = reading(table.vectors_path, lambda d=dataset, w=where: d.to_table(filter=w))  # type: ignore[misc]
        found = [places[digest] for digest in rows.column("digest").to_pylist()]
        for name, values in zip(("source", "stamp"), zip(*found, strict=True), strict=True):
            place = rows.schema.get_field_index(name)
            rows = rows.set_column(place, rows.schema.field(name), arrow().array(values, arrow().string()))
        upsert(table.vectors_path, rows, "digest")


def delete_rows(table: FeatureTable, digests: Sequence[str]) -> dict[str, int]:
    """Delete rows in one commit, and say which batch of each writer is the newest now.

    The moments of all patches go on holding what was deleted. A writer's newest batch says which of its files
    of moments counts: where that goes, the file is there under the number that is then the newest before
    anything is deleted. The caller holds the commit lock.

    Raises:
        OSError: nothing is deleted.
        CorruptStoreError: the table cannot be read.
    """
    gone = set(digests)
    before: dict[str, int] = {}
    after: dict[str, int] = {}
    for batch in batches(table.vectors_path, ["digest", "session", "batch"]):
        for digest, session, number in zip(*(c.to_pylist() for c in batch.columns), strict=True):
            before[session] = max(number, before.get(session, -1))
            if digest not in gone:
                after[session] = max(number, after.get(session, -1))
    moved = {session: number for session, number in after.items() if number != before[session]}
    for session, number in moved.items():
        write_moments(table.folder, session, number, read_moments(table.folder, session, before[session]))
    delete_where(table.vectors_path, "digest", sorted(gone))
    for session in before.keys() - after.keys():
        moments_path(table.folder, session, before[session]).unlink(missing_ok=True)
    for session, number in moved.items():
        remove_other_moments(table.folder, session, number)
    return after
