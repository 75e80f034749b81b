"""A run goes on under the code it began with, or not at all."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from dinoscope.errors import InputError
from experiments.pinned import pin


def git(root: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "-C", str(root), *who, *words], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    (root / "src").mkdir(parents=True)
    (root / "src" / "code.py").write_text("one")
    (root / "constraints.txt").write_text("torch==1\n")
    git(tmp_path, "init", "-q", str(root))
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    return root


def test_a_run_goes_on_under_its_own_code_alone(checkout: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    pin(run, root=checkout)
    pin(run, root=checkout)
    (first,) = json.loads((run / "code.json").read_text())
    assert len(first["commit"]) == 40 and "torch" in first["versions"]
    (checkout / "src" / "code.py").write_text("two")
    with pytest.raises(InputError, match="differs from its commit"):
        pin(run, root=checkout)
    git(checkout, "commit", "-qam", "two")
    with pytest.raises(InputError, match=f"code was {first['code']}, is .*{first['commit']}.*--other-code"):
        pin(run, root=checkout)
    assert json.loads((run / "code.json").read_text()) == [first]
    pin(run, other=True, root=checkout)
    assert [code["commit"] != first["commit"] for code in json.loads((run / "code.json").read_text())] == [
        False,
        True,
    ]


def test_a_copy_without_git_is_held_by_its_code(checkout: Path, tmp_path: Path) -> None:
    run, copy = tmp_path / "run", tmp_path / "copy"
    shutil.copytree(checkout, copy, ignore=shutil.ignore_patterns(".git"))
    pin(run, root=copy)
    pin(run, root=checkout)
    (first,) = json.loads((run / "code.json").read_text())
    assert first["commit"] is None
    (copy / "src" / "code.py").rename(copy / "src" / "other.py")
    with pytest.raises(InputError, match="under other code: code was"):
        pin(run, root=copy)


def test_without_code_nothing_can_be_held(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no checkout"):
        pin(tmp_path / "run", root=tmp_path)
