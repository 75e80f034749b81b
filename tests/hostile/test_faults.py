"""What nobody foresaw ends with 70 and one line that asks for a report."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from dinoscope import cli
from tests.command_line import run


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
    "error", [KeyError("x"), MemoryError(), RecursionError("deep"), AssertionError(), Panic("rust")]
)
def test_whatever_it_is(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(monkeypatch, "models", error)
    assert run("models") == 70
    assert "Traceback" not in capsys.readouterr().err
    assert run("models", "--debug") == 70
    assert "Traceback" in capsys.readouterr().err


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


def test_it_is_the_commands_that_are_tried() -> None:
    assert len(cli.COMMANDS) >= 17
