"""The wheel and the sdist hold what they should and nothing else, and the wheel works by itself."""

from __future__ import annotations

import email
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import skimage

from dinoscope import __version__

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "dinoscope"
FOR_DEVELOPERS = {"tsconfig.json"}
MOST_BYTES = 8e6


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both, built as an installer would build them."""
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "hatchling", "build", "-d", folder], ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


def run(command: list[object], folder: Path, **environment: str) -> str:
    """What a command prints; it must end with 0."""
    words = list(map(str, command))
    done = subprocess.run(
        words, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def sources() -> set[str]:
    """Every file of the package, from its parent folder."""
    files = (path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(PACKAGE.parent).as_posix() for path in files}


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    about = f"dinoscope-{__version__}.dist-info"
    kept = {name for name in sources() if Path(name).name not in FOR_DEVELOPERS}
    assert {"dinoscope/py.typed", "dinoscope/__init__.pyi", "dinoscope/weights/mini/README.md"} < kept
    with zipfile.ZipFile(wheel) as inside:
        names = set(inside.namelist())
    own = {
        f"{about}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    }
    assert names == kept | own
    assert wheel.stat().st_size < MOST_BYTES


def test_the_sdist_holds_what_the_wheel_is_built_from_and_nothing_else(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    top = {"CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md", "constraints.txt", "pyproject.toml"}
    added = {"PKG-INFO", ".gitignore"}  # hatchling's own: what it leaves out by, and the metadata
    with tarfile.open(sdist) as inside:
        names = {name.split("/", 1)[1] for name in inside.getnames()}
    assert names == top | added | {f"src/{name}" for name in sources()}
    assert sdist.stat().st_size < MOST_BYTES


def test_the_wheel_says_what_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as inside:
        said = email.message_from_bytes(inside.read(f"dinoscope-{__version__}.dist-info/METADATA"))
    assert said["License-Expression"] == "Apache-2.0"
    assert said["Requires-Python"] == ">=3.11"
    extras = {"all", "fast", "heif", "index", "onnx", "openvino", "ray", "store", "timm", "view", "widget"}
    assert set(said.get_all("Provides-Extra", [])) == extras
    needs = [line for line in said.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert not any(line.startswith(("pytest", "torchvision", "pylance", "starlette")) for line in needs)


def test_the_wheel_compares_photographs_by_itself(wheel: Path, tmp_path: Path) -> None:
    here = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", here, wheel]
    run(pip, tmp_path)
    photograph = Path(skimage.__file__).parent / "data" / "chelsea.png"
    where = "import dinoscope; print(dinoscope.__file__)"
    alone = {"PYTHONPATH": str(here), "HF_HUB_OFFLINE": "1"}
    assert Path(run([sys.executable, "-P", "-c", where], tmp_path, **alone).strip()).is_relative_to(here)
    words = ["compare", photograph, "--models", "mini,mini-gram", "--grid", "8", "--out", "report"]
    run([sys.executable, "-P", here / "bin" / "dinoscope", *words], tmp_path, **alone)
    assert (tmp_path / "report" / "report.html").is_file()
    manifest = json.loads((tmp_path / "report" / "manifest.json").read_text())
    assert __version__ in json.dumps(manifest)
