"""Which photographs the user means."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath, PureWindowsPath

from dinoscope.data.results import Failure
from dinoscope.errors import InputError
from dinoscope.io.images import SUFFIXES
from dinoscope.names import readable

LOOKED_THROUGH = 10_000
"""Folders, at most, to say where the photographs are."""


def photograph_paths(
    sources: Iterable[str | Path], *, recursive: bool = False
) -> tuple[list[Path], list[Failure]]:
    """Files as named; of a folder, the files directly inside that look like photographs by their
    suffix, by name. A folder without any is a failure, not an error.

    Args:
        sources: files and folders.
        recursive: those in the folders below, too; hidden ones and links to folders aside.

    >>> photograph_paths([])
    ([], [])
    """
    paths: list[Path] = []
    failures: list[Failure] = []
    for source in sources:
        path = Path(source)
        if not os.path.isdir(path):
            paths.append(path)
            continue
        closed: list[OSError] = []
        found = [
            file for folder in (_below(path, closed) if recursive else [path]) for file in _in(folder, closed)
        ]
        failures += [Failure(readable(e.filename), f"folder cannot be read: {e.strerror}") for e in closed]
        if not found and not closed:
            failures.append(Failure(readable(path), f"a folder without photographs{_where_else(path)}"))
        paths.extend(found)
    return paths, failures


def folders_of_photographs(path: Path) -> list[Path]:
    """A folder and those below it, each that holds photographs itself, by name."""
    return [folder for folder in _below(path, []) if _in(folder, [])]


def _in(folder: Path, closed: list[OSError]) -> list[Path]:
    try:
        found = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    except OSError as error:
        closed.append(error)
        return []
    return [p for p in found if not p.name.startswith(".") and not os.path.isdir(p)]


def _below(root: Path, closed: list[OSError]) -> Iterator[Path]:
    for folder, folders, _ in os.walk(root, onerror=closed.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(folder)


def _where_else(path: Path) -> str:
    """What to do where the photographs lie in the folders of a folder; empty where there are none."""
    folders = n = 0
    for folder in islice(_below(path, []), LOOKED_THROUGH):
        held = len(_in(folder, []))
        folders, n = folders + bool(held), n + held
    if not n:
        return ""
    several = "s" if folders > 1 else ""
    return (
        f"; {folders} folder{several} in it hold{'' if several else 's'} {n:,}: name them "
        f"({readable(path)}/*), or add --recursive"
    )


def photographs_below(folder: str | Path) -> dict[str, Path]:
    """Photographs in a folder and all folders below it, by their file names, by suffix alone.

    Raises:
        InputError: no such folder, none in it, or two of one name.
    """
    found: dict[str, Path] = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        if path.name in found:
            raise InputError(
                f"two photographs are named {readable(path.name)!r}: {readable(found[path.name])!r} and "
                f"{readable(path)!r}"
            )
        found[path.name] = path
    if not found:
        raise InputError(f"no photographs in {readable(folder)!r} or below it")
    return found


def inside(source: str) -> PurePosixPath:
    r"""The part of a stored source that is a path inside whatever holds it.

    >>> inside("/photos/a.tar::cats/1.jpg").name, inside(r"C:\photos\cats\1.jpg").name
    ('1.jpg', '1.jpg')
    """
    last = source.rpartition("::")[2]
    return PurePosixPath(PureWindowsPath(last).as_posix() if PureWindowsPath(last).drive else last)
