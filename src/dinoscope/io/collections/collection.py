"""Where a collection comes from: a folder tree, a pattern, a list in a file, archives, a data set.

Everything is read in a fixed order, one photograph at a time; nothing is decoded before it is asked for.
"""

from __future__ import annotations

import glob as globbing
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dinoscope.data.photograph import Photograph
from dinoscope.errors import ImageError, InputError
from dinoscope.io.collections.lists import (
    TABLE_SUFFIXES,
    dataset_files,
    dataset_photographs,
    fetch,
    is_url,
    listed_places,
)
from dinoscope.io.images import SUFFIXES, decode_photograph, read_photograph

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True, slots=True)
class CollectionItem:
    """One photograph of a collection, not read yet.

    Attributes:
        source: where it is, absolute: a path, URL, or ``ARCHIVE::MEMBER``.
        key: its place within the collection, the same on every machine: decides its shard.
        stamp: size and time of change of the file that holds it; empty where unknown. With an unchanged
            source and stamp it is the same photograph.
        load: reads and decodes it; raises ImageError.
    """

    source: str
    key: str
    stamp: str
    load: Callable[[], Photograph]


def each_item(source: str | Path) -> Iterator[CollectionItem]:
    """The photographs of a collection, in a fixed order, streamed.

    A folder: every file in the tree below that looks like a photograph by its suffix, and every tar in
    it, by name, without hidden ones and without following links to folders; or a Hugging Face data
    set (saved with ``save_to_disk``, or Parquet files with an image column). A pattern with ``*``, ``?``
    or ``[``: what matches, ``**`` for any depth. A CSV or Parquet file: its column of paths (relative ones
    from where the file lies) or URLs, see `listed_places`. A tar, also compressed: its members that look
    like photographs. Anything else: one photograph.

    Raises:
        InputError: there is no such place, or it holds no photographs at all.
    """
    text = str(source)
    items = _web_items([text]) if is_url(text) else _items(text)
    first = next(items, None)
    if first is None:
        raise InputError(f"{text!r} holds no photographs (by their suffix: {', '.join(sorted(SUFFIXES))})")
    yield first
    yield from items


def count_items(source: str | Path) -> int:
    """How many photographs `each_item` gives; reads names and headers, for a compressed tar all of it."""
    return sum(1 for _ in each_item(source))


def _items(text: str) -> Iterator[CollectionItem]:
    path = Path(text)
    if path.is_dir():
        return _folder_items(path)
    if path.exists() or path.is_symlink():
        return _file_items(path, path.name)
    if globbing.has_magic(text):
        matches = sorted(globbing.glob(text, recursive=True))
        if not matches:
            raise InputError(f"nothing matches {text!r}")
        return _matched_items([Path(m) for m in matches])
    raise InputError(f"there is no {text!r}: give a folder, a pattern, a CSV or Parquet file, or a tar")


def _matched_items(paths: list[Path]) -> Iterator[CollectionItem]:
    common = Path(os.path.commonpath([p.absolute().parent for p in paths]))
    for path in paths:
        if not path.is_dir():
            yield from _file_items(path, path.absolute().relative_to(common).as_posix())


def _file_items(path: Path, key: str) -> Iterator[CollectionItem]:
    name = path.name.lower()
    if name.endswith(TAR_SUFFIXES):
        return _tar_items(path, key)
    if name.endswith(TABLE_SUFFIXES):
        return _listed_items(path)
    return iter([_photograph_item(path, key)])


def _folder_items(root: Path) -> Iterator[CollectionItem]:
    files = dataset_files(root)
    if files:
        for file in files:
            relative = file.relative_to(root).as_posix()
            for row, name, load in dataset_photographs(file):
                place = f"{file.absolute()}::{row}"
                load_it = partial(_load_bytes, load, name, place)
                yield CollectionItem(place, f"{relative}::{row}", file_stamp(file), load_it)
        return
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if name.startswith("."):
                continue
            if name.lower().endswith(TAR_SUFFIXES) or path.suffix.lower() in SUFFIXES:
                yield from _file_items(path, path.relative_to(root).as_posix())


def _photograph_item(path: Path, key: str) -> CollectionItem:
    return CollectionItem(
        str(path.absolute()), key, file_stamp(path), partial(read_photograph, path.absolute())
    )


def _listed_items(file: Path) -> Iterator[CollectionItem]:
    for place in listed_places(file):
        if is_url(place):
            yield from _web_items([place])
        else:
            yield _photograph_item(file.parent / place, place)


def _web_items(addresses: list[str]) -> Iterator[CollectionItem]:
    for address in addresses:
        name = address.split("?", maxsplit=1)[0].rstrip("/").rsplit("/", maxsplit=1)[-1] or "image"
        load = partial(_load_bytes, partial(fetch, address), name, address)
        yield CollectionItem(address, address, "url", load)


def _tar_items(path: Path, key: str) -> Iterator[CollectionItem]:
    stamp = file_stamp(path)
    turn = threading.Lock()  # the file has one position, and photographs are loaded in threads
    try:
        archive: Any = tarfile.open(path, "r:*")  # noqa: SIM115 (closed below, while nobody reads)
        try:
            while member := _next_member(archive, turn):
                if member.isfile() and Path(member.name).suffix.lower() in SUFFIXES:
                    place = f"{path.absolute()}::{member.name}"
                    read = partial(_read_member, path, archive, member, turn)
                    load = partial(_load_bytes, read, Path(member.name).name, place)
                    yield CollectionItem(place, f"{key}::{member.name}", stamp, load)
        finally:
            with turn:
                archive.close()
    except (tarfile.TarError, OSError, EOFError) as error:
        reason = f"the archive cannot be read from here on: {error}"
        yield CollectionItem(str(path.absolute()), key, "", partial(_refuse, str(path.absolute()), reason))


def _next_member(archive: Any, turn: threading.Lock) -> tarfile.TarInfo | None:
    with turn:
        member: tarfile.TarInfo | None = archive.next()
        archive.members.clear()  # else they are all remembered
        return member


def _read_member(path: Path, archive: Any, member: tarfile.TarInfo, turn: threading.Lock) -> bytes:
    with turn:
        if archive.closed:  # loaded after the walk went on
            with tarfile.open(path, "r:*") as again:
                return _member_bytes(again, member)
        return _member_bytes(archive, member)


def _member_bytes(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    data = b"" if stream is None else stream.read()
    if len(data) != member.size:
        raise tarfile.ReadError(f"{len(data)} of {member.size} bytes are there")
    return data


def _load_bytes(read: Callable[[], bytes], name: str, source: str) -> Photograph:
    try:
        data = read()
    except (tarfile.TarError, OSError, EOFError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(source, f"cannot be read: {error}") from error
    if not data:
        raise ImageError(source, "the file is empty")
    return decode_photograph(data, name=name, source=source)


def _refuse(source: str, reason: str) -> Photograph:
    raise ImageError(source, reason)


def file_stamp(path: Path) -> str:
    """Size and time of change; empty where they cannot be had."""
    try:
        facts = path.stat()
    except OSError:
        return ""
    return f"{facts.st_size}-{facts.st_mtime_ns}"
