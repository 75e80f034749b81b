"""What every file of a table was when it was committed, so that flipped bits do not pass for vectors.

``digests.txt`` in a table's folder has, after a line with the sha256 of the rest, size and sha256 of each
file by its path in that folder, as JSON. It is written whole or not at all, after the commit and under its
lock: files of a commit after which the writer was killed have none until somebody writes the table again.
Lance's files never change under one name; of those that do, the writer says so.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dinoscope.atomic import write_bytes
from dinoscope.errors import CorruptStoreError

DIGESTS = "digests.txt"
COMPRESSION = "compression.safetensors"
"""In a table's folder: how its vectors were made smaller."""

CHECKED_BYTES = 64 * 2**20
"""Content that is compared when a table is first opened, smallest files first; of others the size alone."""

_WRITTEN_ONCE = ("settings.json", "dense_basis.safetensors", COMPRESSION)
_INDEXES = "vectors.lance/_indices/"
_KINDS = ("data", "_deletions", "_versions", "_indices")
"""Folders of a Lance dataset whose files are read."""
_HINT = "latest_version_hint.json"
"""Lance rewrites it with every commit, and looks for newer versions than it says."""
_STAGED = re.compile(r"#\d+$")
"""Lance writes a file under its name and a number before it takes the name; after a kill it may stay."""
_verified: set[tuple[str, int, int]] = set()  # path, size and time of change


@dataclass(frozen=True, slots=True)
class FileDigest:
    """One file as it was written.

    Attributes:
        n_bytes: its size.
        sha256: of its content, hexadecimal.
    """

    n_bytes: int
    sha256: str


def note_digests(folder: Path, *, fresh: Iterable[Path] = ()) -> None:
    """Digest the files that have none, and forget those that are gone. The caller holds the commit lock.

    Args:
        folder: of the table.
        fresh: files whose content is new whatever their name.
    """
    anew = {_name(folder, path) for path in fresh}
    old = read_digests(folder)
    there = set(_written_once(folder))
    names = {*there, *(name for name in old if name in there or os.path.exists(folder / name)), *anew}
    new = {name: old[name] if name in old and name not in anew else _digest(folder / name) for name in names}
    if new != old:
        body = json.dumps({name: [new[name].n_bytes, new[name].sha256] for name in sorted(new)}).encode()
        write_bytes(folder / DIGESTS, hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def read_digests(folder: Path) -> Mapping[str, FileDigest]:
    """By path in the folder; none where a table has none yet.

    Raises:
        CorruptStoreError: the list of digests is itself damaged.
    """
    try:
        facts = (folder / DIGESTS).stat()
    except FileNotFoundError:
        return {}
    return _parsed(folder / DIGESTS, facts.st_size, facts.st_mtime_ns)


def check_cheaply(folder: Path, *, indexes: Collection[str] | None = None) -> None:
    """Compare size and, up to `CHECKED_BYTES`, content of a table's files; once a process for each file.

    Args:
        folder: of the table.
        indexes: instead, of the approximate indexes with these ids; without them all can be searched.

    Raises:
        CorruptStoreError: one is not what was written.
    """
    budget = CHECKED_BYTES
    for name, known in sorted(read_digests(folder).items(), key=lambda item: item[1].n_bytes):
        wanted = not is_index(name) if indexes is None else name.partition(_INDEXES)[2][:36] in indexes
        if not wanted:
            continue
        budget -= known.n_bytes
        if not _as_written(f"{folder}/{name}", known, whole=budget >= 0):
            raise damaged(folder / name)


def check_whole(folder: Path, paths: Iterable[Path]) -> None:
    """Compare the content of some files, as before they are rewritten.

    Raises:
        CorruptStoreError: one is not what was written.
    """
    digests = read_digests(folder)
    for path in paths:
        known = digests.get(_name(folder, path))
        if known is not None and not _as_written(str(path), known, whole=True):
            raise damaged(path)


def check_newest(dataset: Path, known: Mapping[str, FileDigest], there: Iterable[str]) -> None:
    """Refuse a Lance dataset that lacks the newest version that was digested.

    Args:
        dataset: its folder, in that of the table.
        known: the table's digests, read before the files there were listed.
        there: names of its manifests.

    Raises:
        CorruptStoreError: naming the file.
    """
    start = f"{dataset.name}/_versions/"
    digested = [name.removeprefix(start) for name in known if name.startswith(start)]
    newest = max(digested, key=_version, default="")
    if newest and max(map(_version, there), default=-1) < _version(newest):
        path = dataset / "_versions" / newest
        raise CorruptStoreError(f"{str(path)!r} is gone: {cure(path)}")


def _version(manifest: str) -> int:
    """Lance names manifests by their version, or by 2^64 - 1 less the version in 20 digits."""
    stem = manifest.partition(".")[0]
    if not stem.isdigit():
        return -1
    return 2**64 - 1 - int(stem) if len(stem) == 20 else int(stem)


def damaged_files(folder: Path, on_bytes: Callable[[int], None] = lambda _: None) -> list[Path]:
    """Every file of a table whose content is not what was written, whatever its size; all is read.

    Args:
        folder: of the table.
        on_bytes: called with the size of each file that was compared.

    Raises:
        CorruptStoreError: the list of digests is itself damaged.
    """
    found = []
    for name, known in sorted(read_digests(folder).items()):
        path = folder / name
        if path.exists() and _digest(path) != known:
            found.append(path)
        on_bytes(known.n_bytes)
    return found


def missing_digests(folder: Path) -> list[str]:
    """Files of a table, by their path in its folder, that were committed and never digested."""
    return sorted(set(_written_once(folder)) - set(read_digests(folder)))


def damaged(path: Path) -> CorruptStoreError:
    """What to raise where a file is not what was written."""
    return CorruptStoreError(
        f"{str(path)!r} is damaged: its content is not what was written: {cure(path)}; "
        "`dinoscope doctor STORE` names every damaged file"
    )


def cure(path: Path) -> str:
    """What to do about a damaged file."""
    if is_index(path.as_posix()):
        return (
            "build the index again (`dinoscope index STORE`, or build_index), or search without it (--exact, "
            "exact=True); the vectors are not touched"
        )
    return (
        "put it back from a copy, or delete the table's folder and embed again (other tables are not touched)"
    )


def is_index(name: str) -> bool:
    """Whether a file of a table belongs to an approximate index."""
    return _INDEXES in name or "/indexes/" in name


def _written_once(folder: Path) -> Iterator[str]:
    yield from (name for name in _WRITTEN_ONCE if (folder / name).exists())
    for dataset in ("vectors.lance", "errors.lance"):
        for kind in _KINDS:
            for parent, _, names in os.walk(folder / dataset / kind):
                start = f"{dataset}{parent[len(str(folder / dataset)) :]}".replace(os.sep, "/")
                yield from (f"{start}/{name}" for name in names if name != _HINT and not _STAGED.search(name))


def _as_written(path: str, known: FileDigest, *, whole: bool) -> bool:
    """Also where it is gone: what is missing and still needed, its reader misses."""
    try:
        facts = os.stat(path)
    except FileNotFoundError:
        return True
    if facts.st_size != known.n_bytes:
        return False
    key = (path, facts.st_size, facts.st_mtime_ns)
    if not whole or key in _verified:
        return True
    try:
        found = _digest(path)
    except FileNotFoundError:
        return True
    if found == known:
        _verified.add(key)
    return found == known


def _digest(path: str | Path) -> FileDigest:
    with open(path, "rb") as file:
        facts = os.fstat(file.fileno())
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return FileDigest(facts.st_size, sha256)


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


@lru_cache(maxsize=64)
def _parsed(path: Path, n_bytes: int, changed_ns: int) -> Mapping[str, FileDigest]:
    try:
        sha256, _, body = path.read_bytes().partition(b"\n")
        if sha256.decode("ascii", "replace") != hashlib.sha256(body).hexdigest():
            raise ValueError("it does not fit its own digest")
        listed = json.loads(body).items()
        return {name: FileDigest(*found) for name, found in listed if not _STAGED.search(name)}
    except (OSError, ValueError) as error:
        raise CorruptStoreError(
            f"{str(path)!r} is damaged ({error}), which says nothing of the table's other files: delete it, "
            "and the next `dinoscope embed` into the table writes it anew"
        ) from error
