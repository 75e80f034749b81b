"""Importing dinoscope, or asking it for help, does not bring in what takes seconds to import."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "sklearn", "matplotlib")


def run(code: str) -> list[str]:
    """Run code in a fresh Python; the heavy modules that it brought in."""
    report = f"""
import sys
print("HEAVY", *(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code + report], capture_output=True, text=True, check=True
    )
    return done.stderr.rpartition("HEAVY")[2].split()


def test_the_check_sees_a_heavy_import() -> None:
    assert run("import matplotlib") == ["matplotlib"]


@pytest.mark.parametrize(
    "code",
    [
        "import dinoscope",
        "import dinoscope; dir(dinoscope); dinoscope.__version__",
        "from dinoscope import PatchGrid, DinoscopeError, BackboneSpec",
    ],
)
def test_importing_dinoscope_is_light(code: str) -> None:
    assert run(code) == []


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["compare", "--help"], ["models", "--help"]])
def test_asking_the_command_line_for_help_is_light(words: list[str]) -> None:
    code = f"""
import sys
sys.argv = ["dinoscope", *{words}]
from dinoscope.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
"""
    assert run(code) == []


def test_the_installed_command_answers() -> None:
    command = shutil.which("dinoscope", path=str(Path(sys.executable).parent))
    assert command is not None
    done = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    assert "compare" in done.stdout


def test_the_package_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "dinoscope", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "python -m dinoscope" in done.stdout and "compare" in done.stdout
