"""Heavy packages are imported before threads start: several threads importing one crash at random."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import run
from tests.hostile import threaded_imports

SCRIPT = Path(threaded_imports.__file__)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    assert run("scenes", folder, "--n", 4, "--size", 48) == 0
    return folder


def imported_in_threads(*words: object) -> set[str]:
    command = [sys.executable, SCRIPT, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONWARNINGS": ""})
    assert done.returncode == 0, done.stderr
    return set(done.stderr.rpartition(threaded_imports.MARK)[2].split())


def test_the_watch_sees_an_import_in_a_thread(tmp_path: Path) -> None:
    code = f"""
import runpy, sys, threading
import dinoscope.cli as cli
def main():
    thread = threading.Thread(target=lambda: __import__("colorsys"))
    thread.start(); thread.join()
cli.main = main
runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert threaded_imports.MARK + " colorsys" in done.stderr


def test_measuring_with_masks_imports_nothing_in_threads(scenes: Path) -> None:
    words = ("--models", "pixels", "--grid", 6, "--masks", scenes)
    assert imported_in_threads("measure", scenes / "images", *words) == set()


def test_reading_photographs_imports_nothing_in_threads(scenes: Path, tmp_path: Path) -> None:
    words = ("--model", "pixels", "--grid", 6, "--out", tmp_path)
    assert imported_in_threads("extract", scenes / "images", *words) == set()
