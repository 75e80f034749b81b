"""Where the search page's photographs come from: uploads, files, and members of archives."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

from dinoscope.data.photograph import Photograph
from dinoscope.errors import ImageError, InputError
from dinoscope.io.collections.archives import TAR_SUFFIXES
from dinoscope.io.collections.collection import CollectionItem, each_item
from dinoscope.io.images import decode_photograph, read_photograph
from dinoscope.names import path_named
from dinoscope.retrieval.recent import Recent
from dinoscope.store.lookup import rows_of
from dinoscope.store.store import FeatureTable, read_as

KEPT_UPLOADS = 4
KEPT_FILES = 4


class StorePhotographs:
    """The pixels behind a digest: of a photograph that was uploaded, or of one that a table names."""

    def __init__(self) -> None:
        self._uploads: Recent[str, Photograph] = Recent(KEPT_UPLOADS)
        self._files: Recent[tuple[str, str], Photograph] = Recent(KEPT_FILES)
        self._archive: tuple[str, dict[str, CollectionItem]] = ("", {})
        self._walking = threading.Lock()

    def take(self, data: bytes, name: str, table: FeatureTable) -> Photograph:
        """Decoded at once as that table's were, and kept as it is.

        Raises:
            ImageError: empty, or no photograph.
        """
        if not data:
            raise ImageError(name, "the file is empty")
        with read_as(table):
            photograph = decode_photograph(data, name=name)
        return self._uploads.keep(photograph.digest, photograph)

    def uploaded(self, digest: str) -> Photograph:
        """One of the last uploads.

        Raises:
            InputError: it is not among them.
        """
        found = self._uploads.have(digest)
        if found is None:
            raise InputError("that photograph is neither in the store nor kept here any more: drop it again")
        return found

    def of(self, tables: Sequence[FeatureTable], digest: str) -> Photograph:
        """An upload, else the file that the first of the tables names that knows it.

        Raises:
            InputError: neither uploaded nor in a table.
            ImageError: the file is gone, or has changed since it was embedded.
        """
        upload = self._uploads.have(digest)
        if upload is not None:
            return upload
        known = (
            (table, row) for table in tables if (row := rows_of(table, [digest]).get(digest)) is not None
        )
        first = next(known, None)
        if first is None:
            return self.uploaded(digest)
        table, source = first[0], first[1].source
        found = self._files.either((table.name, digest), lambda: self._read_as(table, source))
        if found.digest != digest:
            raise ImageError(source, "the file has changed since it was embedded")
        return found

    def _read_as(self, table: FeatureTable, source: str) -> Photograph:
        with read_as(table):
            return self._read(source)

    def _read(self, source: str) -> Photograph:
        archive, _, member = source.partition("::")
        path = path_named(source)
        if os.path.isfile(path):
            return read_photograph(path)
        if not member or not archive.endswith(TAR_SUFFIXES):
            raise ImageError(
                source, "no file on this machine: search with the whole photograph, it is in the store"
            )
        with self._walking:
            if self._archive[0] != archive:
                self._archive = (archive, {item.source: item for item in each_item(path_named(archive))})
            item = self._archive[1].get(source)
        if item is None:
            raise ImageError(source, "the archive has no such photograph any more")
        return item.load()
