"""What nobody foresaw ends with 70 and one line that asks for a report."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import typer.models

from dinoscope import cli
from tests.command_line import run

COMMANDS = {str(info.name): info for info in cli.app.registered_commands}


def raises(error: BaseException) -> Callable[[], None]:
    def callback() -> None:
        raise error

    return callback


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_ends_with_70(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(COMMANDS[command], "callback", raises(ZeroDivisionError("a\nb\x1b[31m")))
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
    monkeypatch.setattr(COMMANDS["models"], "callback", raises(error))
    assert run("models") == 70
    assert "Traceback" not in capsys.readouterr().err
    assert run("models", "--debug") == 70
    assert "Traceback" in capsys.readouterr().err


def test_a_long_story_is_cut(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(COMMANDS["models"], "callback", raises(ValueError("x" * 10_000)))
    assert run("models") == 70
    assert len(capsys.readouterr().err) < 600


def test_the_package_run_as_a_module_too() -> None:
    code = """
import runpy
from dinoscope import cli
def fail():
    raise ZeroDivisionError
next(info for info in cli.app.registered_commands if info.name == "models").callback = fail
runpy.run_module("dinoscope", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", code, "models"], capture_output=True, text=True)
    assert done.returncode == 70 and "report it" in done.stderr and "Traceback" not in done.stderr
    done = subprocess.run([sys.executable, "-c", code, "models", "--debug"], capture_output=True, text=True)
    assert done.returncode == 70 and "Traceback" in done.stderr


def test_it_is_typers_commands_that_are_tried() -> None:
    assert len(COMMANDS) >= 12 and all(isinstance(i, typer.models.CommandInfo) for i in COMMANDS.values())
