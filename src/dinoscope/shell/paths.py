"""Paths of a command line, looked at before anything slow begins."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from dinoscope.errors import InputError
from dinoscope.names import readable


def check_out(path: Path | None, read: Iterable[Path] = (), *, recursive: bool = False) -> None:
    """Refuse a folder to write to that is a file, or lies in one; or that is read itself.

    Args:
        path: the folder; None where nothing is written.
        read: folders of photographs: pictures written there would be read as photographs from then on.
        recursive: whether the folders below are read, too.

    Raises:
        InputError: naming what is in the way.
    """
    if path is None:
        return
    here = Path(os.path.realpath(path))
    for folder in read:
        place = Path(os.path.realpath(folder))
        if os.path.isdir(place) and (here == place or (recursive and place in here.parents)):
            raise InputError(
                f"results would be written among the photographs of {readable(folder)!r}, and their pictures "
                "read as photographs the next time: name another folder"
            )
    for place in (path, *path.parents):
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
        if not os.path.isdir(path):  # also of names that no file can have
            raise InputError(f"{what} {readable(path)!r}: no such folder")


def check_files(paths: Iterable[Path]) -> None:
    """Refuse what is not there.

    Raises:
        InputError: naming the first.
    """
    for path in paths:
        if not os.path.exists(path):
            raise InputError(f"{readable(path)!r}: no such file")


def open_file(path: Path) -> None:
    """Show a page in the browser of this machine, where there is one."""
    import webbrowser

    webbrowser.open(path.absolute().as_uri())
