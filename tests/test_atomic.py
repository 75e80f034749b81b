"""A lock on a file: alone or shared, ended with its holder, and the same with the calls of Windows."""

import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dinoscope import atomic

HOLD = """
import sys
from pathlib import Path
from dinoscope.atomic import lock, lock_file
with lock_file(Path(sys.argv[1])) as handle:
    assert lock(handle)
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_holder_excludes_another_and_leaves_the_lock_free(tmp_path):
    path = tmp_path / "a.lock"
    with atomic.lock_file(path) as first, atomic.lock_file(path) as second:
        assert atomic.lock(first)
        assert not atomic.lock(second)
        assert not atomic.lock(second, shared=True)
    with atomic.lock_file(path) as third:
        assert atomic.lock(third)


def test_sharers_hold_it_together_and_keep_out_who_wants_it_alone(tmp_path):
    path = tmp_path / "a.lock"
    with atomic.lock_file(path) as first, atomic.lock_file(path) as second, atomic.lock_file(path) as third:
        assert atomic.lock(first, shared=True)
        assert atomic.lock(second, shared=True)
        assert not atomic.lock(third)


def test_a_killed_holder_holds_nothing(tmp_path):
    path = tmp_path / "a.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with atomic.lock_file(path) as handle:
            assert not atomic.lock(handle)
            holder.kill()
            holder.wait()
            assert atomic.lock(handle)


class Region:
    """Windows' lock of one byte, held by somebody else for so many tries."""

    LK_NBLCK = 2

    def __init__(self, busy: int) -> None:
        self.busy = busy
        self.tries = 0

    def locking(self, _handle: int, _mode: int, _n_bytes: int) -> None:
        self.tries += 1
        if self.tries <= self.busy:
            raise OSError(36, "resource deadlock avoided")


@pytest.mark.parametrize(("wait", "taken", "tries"), [(True, True, 4), (False, False, 1)])
def test_on_windows_a_waiting_caller_tries_until_it_has_the_lock(tmp_path, monkeypatch, wait, taken, tries):
    region = Region(busy=3)
    monkeypatch.setitem(sys.modules, "msvcrt", region)
    monkeypatch.setattr(sys, "platform", "win32")
    there = SimpleNamespace(**runpy.run_path(str(Path(atomic.__file__))))
    with there.lock_file(tmp_path / "a.lock") as handle:
        assert there.lock(handle, wait=wait) is taken
    assert region.tries == tries
