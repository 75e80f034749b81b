"""What nobody foresaw ends with 70 and one line that asks for a report."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import ImageFile

from dinoscope import cli
from dinoscope.backbones.checkpoints.pickles import read_pickle
from dinoscope.errors import ImageError
from dinoscope.io.images import read_photograph
from tests.command_line import run
from tests.hostile.files import png


def raises(error: BaseException) -> Callable[[], None]:
    def callback() -> None:
        raise error

    return callback


def plant(monkeypatch: pytest.MonkeyPatch, command: str, error: BaseException) -> None:
    """An error in the place of a command's function."""
    monkeypatch.setattr(cli.COMMANDS[command].where.replace(":", "."), raises(error))


@pytest.mark.parametrize("command", sorted(cli.COMMANDS))
def test_every_command_ends_with_70(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(monkeypatch, command, ZeroDivisionError("a\nb\x1b[31m"))
    assert run(command) == 70
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "\x1b" not in err
    assert "report it" in err and "--debug" in err and r"ZeroDivisionError: a\nb" in err


class Panic(BaseException):
    """As PyO3 raises one for a panic in Rust."""


@pytest.mark.parametrize(
    "error", [KeyError("x"), RuntimeError("memory"), RecursionError("deep"), AssertionError(), Panic("rust")]
)
def test_whatever_it_is(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(monkeypatch, "models", error)
    assert run("models") == 70
    assert "Traceback" not in capsys.readouterr().err
    assert run("models", "--debug") == 70
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes")]
)
def test_too_little_memory_is_nobodys_fault(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(monkeypatch, "models", error)
    assert run("models") == 2
    err = capsys.readouterr().err
    assert "not enough memory" in err and "a smaller grid" in err and "report" not in err


def test_nor_is_a_file_damaged_because_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(png(0))
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pth")

    def fails(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", fails)
    with pytest.raises(ImageError, match="not enough memory"):
        read_photograph(tmp_path / "a.png")
    monkeypatch.setattr(torch, "load", fails)
    with pytest.raises(MemoryError):
        read_pickle(tmp_path / "a.pth")


def test_a_long_story_is_cut(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    plant(monkeypatch, "models", ValueError("x" * 10_000))
    assert run("models") == 70
    assert len(capsys.readouterr().err) < 600


def test_the_package_run_as_a_module_too() -> None:
    code = """
import runpy
from dinoscope.shell import models_command
def fail():
    raise ZeroDivisionError
models_command.models_command = fail
runpy.run_module("dinoscope", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", code, "models"], capture_output=True, text=True)
    assert done.returncode == 70 and "report it" in done.stderr and "Traceback" not in done.stderr
    done = subprocess.run([sys.executable, "-c", code, "models", "--debug"], capture_output=True, text=True)
    assert done.returncode == 70 and "Traceback" in done.stderr


@pytest.mark.parametrize(
    ("words", "closed", "code", "told"),
    [
        ("models", ">&-", 0, ("", "")),
        ("models --bogus", "2>&-", 2, ("", "")),
        ("models --bogus", ">&- <&-", 2, ("", "--bogus")),
    ],
)
def test_streams_that_were_closed_before(words: str, closed: str, code: int, told: tuple[str, str]) -> None:
    line = f"exec {shlex.quote(sys.executable)} -m dinoscope {words} {closed}"
    done = subprocess.run(line, shell=True, capture_output=True, text=True)
    assert done.returncode == code and (done.stdout, bool(done.stderr)) == (told[0], bool(told[1]))
    assert told[1] in done.stderr and "fault" not in done.stderr


def test_it_is_the_commands_that_are_tried() -> None:
    assert len(cli.COMMANDS) >= 17
