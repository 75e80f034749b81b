"""Photographs in tar archives, also compressed: read one by one, none larger than is stated."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from dinoscope.io.images import SUFFIXES
from dinoscope.io.limits import MEMBER_BYTES, SKIPPED_BYTES, in_units

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")
_HEADER_BYTES = 2**20
"""Most bytes of what an archive says about a member, a long name or other words; `tarfile` reads it whole."""

_PACKED: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}


class ArchiveError(Exception):
    """An archive that cannot be read from here on."""


def photographs_in_tar(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Name, and what reads the bytes, of every member that looks like a photograph, streamed; without hidden
    ones, as a Mac puts one (``._NAME``) beside each.

    Raises:
        ArchiveError: no tar, damaged, or a member or its header is larger than is read.
    """
    turn = threading.Lock()  # the file has one position, and photographs are loaded in threads
    archive, stream = _opened(path)
    try:
        while member := _next_member(archive, stream, turn):
            name = PurePosixPath(member.name)
            is_hidden = any(part.startswith(".") and part != ".." for part in name.parts)
            if member.isfile() and name.suffix.lower() in SUFFIXES and not is_hidden:
                yield member.name, partial(_read_member, path, archive, stream, member, turn)
    finally:
        with turn:
            stream.close()


class _Bounded(io.RawIOBase):
    """What `tarfile` reads from: never more at once than is allowed, nor far ahead where that is slow."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        start = self._file.read(6)
        self._file.seek(0)
        opener = next((how for mark, how in _PACKED.items() if start.startswith(mark)), None)
        self._data = self._file if opener is None else opener(self._file)
        self._slow = opener is not None
        self.limit = _HEADER_BYTES

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self.limit:
            raise ArchiveError(
                f"{in_units(max(size, 0))} are announced, of which {in_units(self.limit)} are read"
            )
        data: bytes = self._data.read(size)
        return data

    def tell(self) -> int:
        return int(self._data.tell())

    def seek(self, place: int, whence: int = 0) -> int:
        ahead = place - self.tell()
        if self._slow and ahead > SKIPPED_BYTES:
            raise ArchiveError(f"a member of {in_units(ahead)} is announced, and all of it would be unpacked")
        return int(self._data.seek(place, whence))

    def close(self) -> None:
        for file in (self._data, self._file):
            with suppress(Exception):
                file.close()
        super().close()


def _opened(path: Path) -> tuple[tarfile.TarFile, _Bounded]:
    stream: _Bounded | None = None
    try:
        stream = _Bounded(path)
        return tarfile.open(fileobj=stream, mode="r:"), stream
    except Exception as error:  # of the archive's format, or of whatever it is compressed with
        if stream is not None:
            stream.close()
        raise ArchiveError(str(error)) from error


def _next_member(archive: tarfile.TarFile, stream: _Bounded, turn: threading.Lock) -> tarfile.TarInfo | None:
    with turn:
        stream.limit = _HEADER_BYTES
        try:
            member: tarfile.TarInfo | None = archive.next()
        except Exception as error:  # likewise
            raise ArchiveError(str(error)) from error
        archive.members.clear()  # type: ignore[attr-defined]  # else they are all remembered
        return member


def _read_member(
    path: Path, archive: tarfile.TarFile, stream: _Bounded, member: tarfile.TarInfo, turn: threading.Lock
) -> bytes:
    if member.size > MEMBER_BYTES:
        raise ArchiveError(
            f"{in_units(member.size)} are announced, of which {in_units(MEMBER_BYTES)} are read at most"
        )
    with turn:
        if not stream.closed:
            return _member_bytes(archive, stream, member)
        again, own = _opened(path)  # loaded after the walk went on
        try:
            return _member_bytes(again, own, member)
        finally:
            own.close()


def _member_bytes(archive: tarfile.TarFile, stream: _Bounded, member: tarfile.TarInfo) -> bytes:
    stream.limit = MEMBER_BYTES
    found = archive.extractfile(member)
    data = b"" if found is None else found.read()
    if len(data) != member.size:
        raise ArchiveError(f"{len(data)} of {member.size} bytes are there")
    return data
