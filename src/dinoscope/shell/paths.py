"""Paths of a command line, looked at before anything slow begins."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dinoscope.errors import InputError
from dinoscope.names import readable


def check_out(path: Path | None) -> None:
    """Refuse a folder to write to that is a file, or lies in one.

    Raises:
        InputError: naming what is in the way.
    """
    for place in () if path is None else (path, *path.parents):
        if place.exists():
            if not place.is_dir():
                raise InputError(
                    f"cannot write to the folder {readable(str(path))!r}: {place.name!r} is a file"
                )
            return


def check_folders(paths: Iterable[Path], what: str) -> None:
    """Refuse what is no folder.

    Raises:
        InputError: naming the first.
    """
    for path in paths:
        if not path.is_dir():
            raise InputError(f"{what} {readable(path)!r}: no such folder")


def check_files(paths: Iterable[Path]) -> None:
    """Refuse what is not there.

    Raises:
        InputError: naming the first.
    """
    for path in paths:
        if not path.exists():
            raise InputError(f"{readable(path)!r}: no such file")


def open_file(path: Path) -> None:
    """Show a page in the browser of this machine, where there is one."""
    import webbrowser

    webbrowser.open(path.absolute().as_uri())
