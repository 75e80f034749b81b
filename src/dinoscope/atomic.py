"""Files that are there whole or not at all, and locks that end with whoever holds them."""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

STALE_S = 7 * 24 * 3600.0
"""After so long what another machine left is nobody's any more."""

_HOST = f"{zlib.crc32(socket.gethostname().encode(errors='replace')):08x}"
_LEFT = re.compile(r"\.dinoscope-(?:([0-9a-f]{8})-(\d+)-)?\w+(?:\.tmp)?")


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file under a temporary name beside it, then rename: it is there whole or not at all.

    Raises:
        OSError: it cannot be written; names the file, and the disk where that is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_prefix(), suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            raise _placed(error, path) from error
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """`write_whole` of bytes that are at hand."""
    write_whole(path, lambda file: file.write(data))


def write_text(path: Path, text: str) -> None:
    """`write_whole` of text at hand, in UTF-8."""
    write_bytes(path, text.encode())


@contextmanager
def work_folder(folder: Path) -> Iterator[Path]:
    """A new folder inside ``folder``, which is made where missing; gone afterwards unless it was moved.

    What killed runs left in ``folder`` is removed first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_left(folder)
    work = Path(tempfile.mkdtemp(dir=folder, prefix=_prefix()))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def move_in(new: Path, folder: Path, earlier: Iterable[str] = ()) -> None:
    """Move the files of ``new`` into ``folder``, which is made where missing; other files there stay.

    Args:
        new: a folder of files.
        folder: where to; those of the same names are replaced.
        earlier: names of files of an earlier result, which go, too.
    """
    folder.mkdir(exist_ok=True)
    files = {path.name: path for path in new.iterdir()}
    for name in set(earlier) - set(files):
        (folder / name).unlink(missing_ok=True)
    for name, path in files.items():
        path.replace(folder / name)


def remove_left(folder: Path) -> None:
    """Remove temporary files and folders of processes that were killed; those of other machines when old."""
    for path in folder.glob(".dinoscope-*"):
        found = _LEFT.fullmatch(path.name)
        with suppress(OSError):
            if found is not None and _abandoned(path, found[1], found[2]):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _abandoned(path: Path, host: str | None, process: str | None) -> bool:
    if host != _HOST or process is None or sys.platform == "win32":
        return time.time() - path.lstat().st_mtime > STALE_S
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _placed(error: OSError, path: Path) -> OSError:
    place, said = path.absolute(), error.strerror
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        disk = next(parent for parent in place.parents if os.path.ismount(parent) or parent == parent.parent)
        said = f"{said}, on the disk mounted at {str(disk)!r}: make room, and run the same command again"
    return OSError(error.errno, said, str(place))


def _prefix() -> str:
    return f".dinoscope-{_HOST}-{os.getpid()}-"


@contextmanager
def lock_file(path: Path) -> Iterator[int]:
    """A file to lock, made where it is missing; a lock on it ends when this does, or its process."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield handle
    finally:
        os.close(handle)  # and with it goes the lock


if sys.platform == "win32":
    import msvcrt

    def lock(handle: int, *, shared: bool = False, wait: bool = False) -> bool:
        """Take the lock; False where somebody else has it. Windows has no shared locks: exclusive there."""
        while True:
            os.lseek(handle, 1 << 30, os.SEEK_SET)  # far beyond what is written, which stays readable
            try:
                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            except OSError:
                if not wait:
                    return False
                time.sleep(0.05)
            else:
                return True

else:
    import fcntl

    def lock(handle: int, *, shared: bool = False, wait: bool = False) -> bool:
        """Take the lock, alone or with others who share it; False where somebody else has it."""
        flag = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(handle, flag if wait else flag | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
