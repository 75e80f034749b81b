"""Heavy packages are imported before threads start: several threads importing one crash at random."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command_line import run
from tests.hostile import threaded_imports
from tests.hostile.files import png

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


def visited(look: Callable[[Callable[..., bytes]], None], *words: object) -> set[str]:
    """What threads imported while a page was served and looked at, until Ctrl-C."""
    command = [sys.executable, SCRIPT, "view", *map(str, words)]
    environment = {**os.environ, "PYTHONWARNINGS": "", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[1]
            origin = address.removesuffix("/").rpartition("/")[0]

            def ask(path: str, body: bytes | None = None) -> bytes:
                request = urllib.request.Request(address + path, body, {"origin": origin})
                with urllib.request.urlopen(request, timeout=600) as answer:
                    data: bytes = answer.read()
                return data

            look(ask)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=600)[1]
        finally:
            process.kill()
    assert threaded_imports.MARK in said, said
    return set(said.rpartition(threaded_imports.MARK)[2].split())


@pytest.mark.long
def test_the_live_page_imports_nothing_in_threads(scenes: Path, tmp_path: Path) -> None:
    def look(ask: Callable[..., bytes]) -> None:
        assert b"ready" in ask("prepare?grid=6", b"")
        assert b"added" in ask("photographs?grid=6&name=x.png", png(5))
        assert b"failed" in ask("photographs?grid=6&name=bad.png", b"no picture")
        assert ask("payload?grid=6")
        assert b"path" in ask("export?grid=6", b"")

    words = ("--models", "pixels", "--grid", 6, "--export", tmp_path / "out")
    assert visited(look, scenes / "images", *words) == set()


@pytest.mark.long
def test_the_search_page_imports_nothing_in_threads(scenes: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert run("embed", scenes / "images", store, "--model", "mini", "--grid", 4, "--dense", "float16") == 0

    def look(ask: Callable[..., bytes]) -> None:
        (table,) = json.loads(ask("tables"))["tables"]
        named = f"table={table['name']}"
        known, other, *_ = json.loads(ask(f"collection?{named}&first=0&n=4"))["photographs"]
        mine = json.loads(ask("queries?name=x.png", png(5)))
        for digest in (known["digest"], mine["digest"]):
            asked = f"{named}&query={digest}&k=3&pooling=mean"
            assert json.loads(ask(f"search?{asked}&suppress=background"))["hits"]
            assert json.loads(ask(f"patches?{asked}&suppress=none&patch=0.5,0.5"))["hits"]
            assert ask(f"why?{asked}&suppress=none&hit={other['digest']}")
        assert ask(f"picture?{named}&digest={known['digest']}&size=small")

    assert visited(look, store) == set()


@pytest.mark.long
def test_the_laboratory_imports_nothing_in_threads(scenes: Path, tmp_path: Path) -> None:
    small = (
        "--crops",
        "32,16",
        "--trunk-steps",
        4,
        "--steps",
        2,
        "--arms",
        "continue",
        "--seeds",
        1,
        "--batch",
        2,
    )
    measured = ("--measured-scenes", 8, "--measure-every", 2)
    words = ("anchor", scenes / "images", "--out", tmp_path / "out", *small, *measured)
    assert imported_in_threads(*words) == set()
