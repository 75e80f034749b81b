"""Importing dinoscope, or asking it for help, does not bring in what takes seconds to import."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dinoscope.backbones.load import load_backbone
from dinoscope.cli import COMMANDS
from dinoscope.pipeline.embed import embed

HEAVY = ("torch", "transformers", "sklearn", "matplotlib", "scipy")


def run(code: str, heavy: Sequence[str] = HEAVY) -> list[str]:
    """Run code in a fresh Python; the heavy modules that it brought in."""
    report = f"""
import sys
print("HEAVY", *(name for name in {tuple(heavy)} if name in sys.modules), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code + report], capture_output=True, text=True, check=True
    )
    assert "HEAVY" in done.stderr, "it ended before the report"
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


def test_the_list_of_commands_imports_none_of_them() -> None:
    code = """
import sys
sys.argv = ["dinoscope", "--help"]
from dinoscope.cli import main
main()
"""
    modules = {entry.where.partition(":")[0] for entry in COMMANDS.values()}
    assert run(code, ["numpy", "jaxtyping", "rich", "asyncio", *modules]) == []
    assert run(f"import {min(modules)}", sorted(modules)) == [min(modules)]


def test_a_search_by_a_stored_photograph_imports_no_model_and_no_mathematics_it_does_not_need(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    photos = [tmp_path / f"{i}.png" for i in range(3)]
    for path in photos:
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
    embed(photos, load_backbone("pixels"), tmp_path / "store", grid=4)
    code = f"""
import sys
sys.argv = ["dinoscope", "search", {str(tmp_path / "store")!r}, {str(photos[0])!r}]
from dinoscope.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
"""
    assert run(code) == []


def test_the_list_of_models_imports_neither_an_http_client_nor_numpy() -> None:
    code = """
import sys
sys.argv = ["dinoscope", "models"]
from dinoscope.cli import main
main()
assert not [name for name in sys.modules if name.startswith("httpx")]
"""
    assert run(code, [*HEAVY, "numpy"]) == []


def test_the_installed_command_answers() -> None:
    command = shutil.which("dinoscope", path=str(Path(sys.executable).parent))
    assert command is not None
    done = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    assert "compare" in done.stdout


def test_the_package_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "dinoscope", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "python -m dinoscope" in done.stdout and "compare" in done.stdout
