"""What became of a folder since it was embedded: photographs that are new, moved or gone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dinoscope.errors import InputError
from dinoscope.names import path_named, readable
from dinoscope.store.lance import batches, exists
from dinoscope.store.store import FeatureTable


@dataclass(frozen=True, slots=True)
class Followed:
    """What an update of a table did.

    Attributes:
        n_new: photographs computed.
        n_moved: known by their content at another place: their rows say so now, and no model saw them again.
        n_deleted: rows taken out: their photographs are gone, or have other content.
    """

    n_new: int
    n_moved: int
    n_deleted: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to become of rows, by digest.

    Attributes:
        moved: whose photograph lies elsewhere: its source and stamp.
        touched: whose file has another time, and the same content.
        gone: to delete.
    """

    moved: dict[str, tuple[str, str]] = field(default_factory=dict)
    touched: dict[str, tuple[str, str]] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Listing:
    """What a walk over a folder came by, to be compared with the rows of a table.

    Attributes:
        folder: whose rows are followed, as text with a separator at its end.
        stamps: by source, of everything that was there.
        digests: by source, of what was read: the table did not know it by its stamp.
        failed: sources, or folders and archives, that could not be read: what lies there may still be there.
        n_new: photographs that were computed.
    """

    folder: str
    stamps: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    n_new: int = 0

    def changes(self, table: FeatureTable) -> Changes:
        """What is to become of the rows of this folder."""
        found = {digest: source for source, digest in reversed(self.digests.items())}
        walked = {holder for source in self.stamps for holder in _holders(source)}
        changes = Changes()
        for digest, source, stamp in _rows(table):
            if not source.startswith(self.folder):
                continue
            if self._still(digest, source, stamp):
                if stamp != self.stamps[source]:
                    changes.touched[digest] = source, self.stamps[source]
            elif digest in found:
                changes.moved[digest] = found[digest], self.stamps[found[digest]]
            elif not self._unread(source) and not self._passed_by(source, walked):
                changes.gone.append(digest)
        return changes

    def lacks(self, source: str) -> bool:
        """Whether nothing is at a place of this folder any more."""
        return source.startswith(self.folder) and source not in self.stamps and not self._unread(source)

    def _still(self, digest: str, source: str, stamp: str) -> bool:
        """Whether the photograph lies where its row says."""
        if source in self.digests:
            return self.digests[source] == digest
        return self.stamps.get(source, "") == stamp != "" and source not in self.failed

    def _unread(self, source: str) -> bool:
        """Whether it lies in what could not be read, so that nobody knows."""
        if not self.failed:
            return False
        return not self.failed.isdisjoint((source, *_holders(source), *map(str, Path(source).parents)))

    def _passed_by(self, source: str, walked: set[str]) -> bool:
        """Whether it is there, and no walk comes by: hidden, behind a link, of another ending.

        A list or a pattern may have named it. Of an archive that was walked through everything was seen.
        """
        if source in self.stamps:
            return False
        unseen = (path_named(holder) for holder in _holders(source) if holder not in walked)
        return os.path.lexists(path_named(source)) or any(os.path.isfile(path) for path in unseen)


def followed_folder(source: object) -> str:
    """The folder to follow, as the sources of its rows begin.

    Raises:
        InputError: anything but a folder.
    """
    if not isinstance(source, str | Path) or not os.path.isdir(source):
        raise InputError("only a folder can be followed: of a list or an archive nobody knows what is gone")
    return f"{readable(Path(source).absolute())}{os.sep}"


def _holders(source: str) -> Iterator[str]:
    """What may be the archive or data set that holds it; in names of folders two colons can stand, too."""
    pieces = source.split("::")
    return ("::".join(pieces[:n]) for n in range(1, len(pieces)))


def _rows(table: FeatureTable) -> Iterator[tuple[str, str, str]]:
    if exists(table.vectors_path):
        for batch in batches(table.vectors_path, ["digest", "source", "stamp"]):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
