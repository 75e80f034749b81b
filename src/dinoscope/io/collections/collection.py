"""Where a collection comes from: a folder tree, a pattern, a list in a file, archives, a data set.

Everything is read in a fixed order, one photograph at a time; nothing is decoded before it is asked for.
"""

from __future__ import annotations

import glob as globbing
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dinoscope.data.photograph import Photograph
from dinoscope.errors import ImageError, InputError, shortened
from dinoscope.io.collections.archives import TAR_SUFFIXES, ArchiveError, photographs_in_tar
from dinoscope.io.collections.lists import (
    TABLE_SUFFIXES,
    Unreadable,
    dataset_files,
    dataset_photographs,
    holds_photographs,
    listed_places,
)
from dinoscope.io.collections.web import fetch, is_url, on_this_machine
from dinoscope.io.images import SUFFIXES, decode_photograph, read_photograph
from dinoscope.names import readable, without_secrets


@dataclass(frozen=True, slots=True)
class CollectionItem:
    """One photograph of a collection, not read yet.

    Attributes:
        source: where it is, absolute, as text (see `dinoscope.names`): a path, URL, or ``ARCHIVE::MEMBER``.
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
    from where the file lies) or URLs, see `listed_places`; of Parquet without one its column of images. A
    tar, also compressed: its members that look like photographs. Anything else: one photograph.

    Raises:
        InputError: there is no such place, or it holds no photographs at all.
    """
    text = str(source)
    if not text:
        raise InputError("the name of the source is empty: for this folder write .")
    items = _web_items([text]) if is_url(text) else _items(text)
    first = next(items, None)
    if first is None:
        raise InputError(f"{text!r} holds no photographs (by their suffix: {', '.join(sorted(SUFFIXES))})")
    yield first
    yield from items


def _items(text: str) -> Iterator[CollectionItem]:
    path = Path(text)
    if os.path.isdir(path):
        return _folder_items(path)
    if os.path.lexists(path):
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
        if not os.path.isdir(path):
            yield from _one_of_many(path, path.absolute().relative_to(common).as_posix())


def _one_of_many(path: Path, key: str) -> Iterator[CollectionItem]:
    """What a file holds; one that cannot be read costs itself alone."""
    try:
        yield from _file_items(path, key)
    except InputError as error:
        yield _refused(path, key, str(error))


def _file_items(path: Path, key: str) -> Iterator[CollectionItem]:
    name = path.name.lower()
    if name.endswith((*TAR_SUFFIXES, *TABLE_SUFFIXES)) and path.exists() and not path.is_file():
        raise InputError(f"{readable(path)!r} is no ordinary file: a pipe or a device may never end")
    if name.endswith(TAR_SUFFIXES):
        return _tar_items(path, key)
    if name.endswith(".parquet") and holds_photographs(path):
        return _dataset_items(path, key)
    if name.endswith(TABLE_SUFFIXES):
        return _listed_items(path)
    return iter([_photograph_item(path, key)])


def _folder_items(root: Path) -> Iterator[CollectionItem]:
    files = dataset_files(root)
    for file in files:
        yield from _dataset_items(file, file.relative_to(root).as_posix())
    if files:
        return
    closed: list[OSError] = []
    for folder, folders, names in os.walk(root, onerror=closed.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if name.startswith("."):
                continue
            if name.lower().endswith(TAR_SUFFIXES) or path.suffix.lower() in SUFFIXES:
                yield from _one_of_many(path, path.relative_to(root).as_posix())
    for error in closed:
        yield _refused(Path(error.filename), "", f"the folder cannot be read: {error.strerror}")


def _dataset_items(file: Path, key: str) -> Iterator[CollectionItem]:
    try:
        for row, name, load in dataset_photographs(file):
            place = f"{readable(file.absolute())}::{row}"
            load_it = partial(_load_bytes, load, name, place)
            yield CollectionItem(place, f"{key}::{row}", file_stamp(file), load_it)
    except InputError as error:
        yield _refused(file, key, str(error))


def _photograph_item(path: Path, key: str) -> CollectionItem:
    path = path.absolute()
    return CollectionItem(readable(path), key, file_stamp(path), partial(read_photograph, path))


def _refused(path: Path, key: str, reason: str) -> CollectionItem:
    source = readable(path.absolute())
    return CollectionItem(source, key, "", partial(_refuse, source, reason))


def _listed_items(file: Path) -> Iterator[CollectionItem]:
    begun = False
    try:
        for item in _items_of_list(file):
            begun = True
            yield item
    except InputError as error:
        if not begun:
            raise
        yield _refused(file, readable(file), str(error))  # what was read before it counts


def _items_of_list(file: Path) -> Iterator[CollectionItem]:
    for place in listed_places(file):
        if isinstance(place, Unreadable):
            source = f"{readable(file.absolute())}, line {place.line}"
            yield CollectionItem(source, source, "", partial(_refuse, source, place.reason))
        elif is_url(place):
            yield from _web_items([place])
        else:
            yield _photograph_item(file.parent / on_this_machine(place), place)


def _web_items(addresses: list[str]) -> Iterator[CollectionItem]:
    for address in addresses:
        name = address.split("?", maxsplit=1)[0].rstrip("/").rsplit("/", maxsplit=1)[-1] or "image"
        shown = without_secrets(readable(address))
        load = partial(_load_bytes, partial(fetch, address), readable(name), shown)
        yield CollectionItem(shown, shown, "url", load)


def _tar_items(path: Path, key: str) -> Iterator[CollectionItem]:
    stamp = file_stamp(path)
    try:
        for member, read in photographs_in_tar(path):
            place = f"{readable(path.absolute())}::{readable(member)}"
            load = partial(_load_bytes, read, readable(Path(member).name), place)
            yield CollectionItem(place, f"{key}::{member}", stamp, load)
    except ArchiveError as error:
        yield _refused(path, key, f"the archive cannot be read from here on: {shortened(error)}")


def _load_bytes(read: Callable[[], bytes], name: str, source: str) -> Photograph:
    try:
        data = read()
    except ImageError:
        raise
    except Exception as error:  # of the file system, the archive, or whatever it is compressed with
        raise ImageError(source, f"cannot be read: {shortened(error)}") from error
    if not data:
        raise ImageError(source, "the file is empty")
    return decode_photograph(data, name=name, source=source)


def _refuse(source: str, reason: str) -> Photograph:
    raise ImageError(source, reason)


def file_stamp(path: Path) -> str:
    """Size and time of change; empty where they cannot be had."""
    try:
        facts = path.stat()
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return ""
    return f"{facts.st_size}-{facts.st_mtime_ns}"
