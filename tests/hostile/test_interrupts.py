"""Ctrl-C is told at once, ends after the operation in hand, and a second one ends now."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dinoscope.backbones.load import load_backbone
from dinoscope.pipeline.embed import embed
from tests.hostile.files import write_photographs

SOON_S = 240.0
"""On a busy machine; each of what is interrupted would take longer by far."""

BUSY = {
    "one operation of a library": "import hashlib; hashlib.pbkdf2_hmac('sha256', b'x', b'y', 2_000_000_000)",
    "waiting for threads": (
        "from concurrent.futures import ThreadPoolExecutor, wait; import time; pool = ThreadPoolExecutor(2); "
        "wait([pool.submit(time.sleep, 3600)])"
    ),
    "a loop that holds on": (
        "import time\n"
        "    while True:\n"
        "        try:\n"
        "            time.sleep(3600)\n"
        "        except KeyboardInterrupt:\n"
        "            pass"
    ),
}


@contextmanager
def started(busy: str) -> Iterator[subprocess.Popen[str]]:
    code = f"""
import sys
from dinoscope import cli
from dinoscope.shell import models_command
def busy():
    print("begun", file=sys.stderr, flush=True)
    {busy}
models_command.models_command = busy
sys.argv = ["dinoscope", "models"]
cli.main()
"""
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None and process.stderr.readline() == "begun\n"
            time.sleep(0.3)
            yield process
        finally:
            process.kill()


def said_within(process: subprocess.Popen[str], words: str, seconds: float) -> str:
    """What stands on stderr until these words do; less where they do not come in time."""
    assert process.stderr is not None
    said, there = "", process.stderr.fileno()
    with selectors.DefaultSelector() as ready:
        ready.register(there, selectors.EVENT_READ)
        while words not in said and ready.select(seconds) and (more := os.read(there, 65536)):
            said += more.decode(errors="replace")
    return said


@pytest.mark.parametrize("busy", sorted(BUSY))
def test_the_first_is_told_at_once_and_the_second_ends_now(busy: str) -> None:
    with started(BUSY[busy]) as process:
        process.send_signal(signal.SIGINT)
        told = "interrupted: ending after the operation in hand"
        assert told in said_within(process, told, SOON_S)
        process.send_signal(signal.SIGINT)
        assert process.wait(SOON_S) == 130


def test_idle_python_ends_soon() -> None:
    with started("import time; time.sleep(3600)") as process:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=SOON_S)
        assert process.returncode == 130 and "nothing half-written is left" in said


@pytest.mark.parametrize("of", ["store", "photos"])
def test_a_page_that_is_interrupted_is_tidied_up(tmp_path: Path, of: str) -> None:
    photos = write_photographs(tmp_path / "photos", ("0.png", "1.png"))
    embed(photos, load_backbone("pixels"), tmp_path / "store", grid=4)
    (tmp_path / "tmp").mkdir()
    environment = {**os.environ, "PYTHONWARNINGS": "", "TMPDIR": str(tmp_path / "tmp")}
    words = ["view", str(tmp_path / of), *(("--models", "pixels", "--grid", "4") if of == "photos" else ())]
    command_line = [sys.executable, "-m", "dinoscope", *words]
    with subprocess.Popen(
        command_line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("open ")
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=SOON_S)[1]
        finally:
            process.kill()
    assert process.returncode == 0
    assert said.count("\n") <= 1 and "Traceback" not in said  # one line, unless it ended before it was told
    left = [path.name for path in (tmp_path / "tmp").iterdir()]
    assert [name for name in left if not name.startswith("torchinductor")] == []  # torch keeps its own


@pytest.mark.long
@pytest.mark.parametrize("command", ["compare", "measure", "extract", "embed"])
def test_a_command_at_work_ends(tmp_path: Path, command: str) -> None:
    photos = write_photographs(tmp_path / "photos", tuple(f"{i}.png" for i in range(300)))
    models = ("--model", "mini") if command in ("extract", "embed") else ("--models", "mini,mini-gram")
    out = () if command == "embed" else ("--out", str(tmp_path / "out"))
    words = [command, str(photos), *models, *out, "--grid", "40", "--verbose"]
    words[2:2] = [str(tmp_path / "store")] if command == "embed" else []
    environment = {**os.environ, "PYTHONWARNINGS": ""}
    command_line = [sys.executable, "-m", "dinoscope", *words]
    with subprocess.Popen(command_line, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert " of 300" in said_within(process, " of 300", SOON_S)
            process.send_signal(signal.SIGINT)
            assert "interrupted: ending" in process.communicate(timeout=SOON_S)[1]
        finally:
            process.kill()
    assert process.returncode == 130
    assert not list(tmp_path.rglob(".dinoscope-*"))


@pytest.mark.parametrize("imported", ["typer", "dinoscope.cli", "dinoscope.shell.models_command"])
def test_while_it_starts(imported: str) -> None:
    code = f"""
import runpy, sys
class Stop:
    def find_spec(self, name, path=None, target=None):
        if name == {imported!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Stop())
sys.argv = ["dinoscope", "models"]
runpy.run_module("dinoscope", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 130 and "Traceback" not in done.stderr
    assert "dinoscope: interrupted" in done.stderr
