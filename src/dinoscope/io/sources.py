"""Which photographs the user means."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from dinoscope.data.results import Failure
from dinoscope.errors import InputError
from dinoscope.io.images import SUFFIXES
from dinoscope.names import readable


def photograph_paths(sources: Iterable[str | Path]) -> tuple[list[Path], list[Failure]]:
    """Files as named; of a folder, the files directly inside that look like photographs by their
    suffix, by name. A folder without any is a failure, not an error.

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
        try:
            found = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
        except OSError as error:
            failures.append(Failure(readable(path), f"folder cannot be read: {error.strerror}"))
            continue
        found = [p for p in found if not p.name.startswith(".") and not os.path.isdir(p)]
        if not found:
            failures.append(Failure(readable(path), "a folder without photographs"))
        paths.extend(found)
    return paths, failures


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
