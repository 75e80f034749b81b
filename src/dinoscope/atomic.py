"""Files that are there whole or not at all, and locks that end with whoever holds them."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_whole(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write a file under a temporary name beside it, then rename: it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".dinoscope-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """`write_whole` of bytes that are at hand."""

    def write(file: BinaryIO) -> None:
        file.write(data)

    write_whole(path, write)


def write_text(path: Path, text: str) -> None:
    """`write_whole` of text at hand, in UTF-8."""
    write_bytes(path, text.encode())


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
