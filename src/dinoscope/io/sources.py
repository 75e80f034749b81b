"""Which photographs the user means."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dinoscope.data.results import Failure
from dinoscope.io.images import SUFFIXES


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
        if not path.is_dir():
            paths.append(path)
            continue
        try:
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and not p.is_dir())
        except OSError as error:
            failures.append(Failure(str(source), f"folder cannot be read: {error.strerror}"))
            continue
        inside = [p for p in inside if not p.name.startswith(".")]
        if not inside:
            failures.append(Failure(str(source), "a folder without photographs"))
        paths.extend(inside)
    return paths, failures
