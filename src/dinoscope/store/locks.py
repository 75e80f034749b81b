"""Who may write a table now: the operating system holds the locks, so a dead writer holds none.

Beside each lock lies a line that says who took it; it stays behind when a writer is killed, and means
nothing without the lock.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dinoscope.atomic import lock, lock_file
from dinoscope.errors import StoreInUseError

_WRITER = "writer.lock"
_COMMIT = "commit.lock"


def session_name(shard: tuple[int, int] | None) -> str:
    """The writer's name in the table: ``all``, or ``I-of-N``."""
    return "all" if shard is None else f"{shard[0]}-of-{shard[1]}"


@contextmanager
def writing(folder: Path, shard: tuple[int, int] | None) -> Iterator[None]:
    """Hold a table for one writer of everything, or for one of several shards.

    A writer of everything excludes every other; a shard excludes itself and a writer of everything.

    Raises:
        StoreInUseError: somebody else holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        shared = shard is not None
        whole = stack.enter_context(lock_file(folder / _WRITER))
        if not lock(whole, shared=shared):
            raise StoreInUseError(f"the table {str(folder)!r}", _holders(folder))
        if not shared:
            _sign(whole)
        else:
            path = folder / f"shard-{session_name(shard)}.lock"
            own = stack.enter_context(lock_file(path))
            if not lock(own):
                raise StoreInUseError(f"shard {session_name(shard)} of {str(folder)!r}", [_signature(path)])
            _sign(own)
        yield


@contextmanager
def committing(folder: Path) -> Iterator[None]:
    """Hold the right to commit, for a moment; waits for whoever has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with lock_file(folder / _COMMIT) as handle:
        lock(handle, wait=True)
        yield


def _sign(handle: int) -> None:
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, f"process {os.getpid()} on {socket.gethostname()} since {since} UTC".encode())


def _signature(path: Path) -> str:
    try:
        return path.read_text(errors="replace") or "another process"
    except OSError:
        return "another process"


def _holders(folder: Path) -> list[str]:
    """Who holds the table: its shards where any is at work, else the writer of everything."""
    busy = []
    for path in sorted(folder.glob("shard-*.lock")):
        with lock_file(path) as handle:
            if not lock(handle, shared=True):
                busy.append(_signature(path))
    return busy or [_signature(folder / _WRITER)]
