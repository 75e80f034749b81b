"""Holds a run to the code it began with.

A run that goes on under other code is another run. `pin` writes a digest of the code, the versions of what
computes and the digest of the constraints into ``code.json`` of the run's folder, and refuses to go on under
others; where the code is a git checkout, its commit too. Run from a checkout of its own, which nobody changes
while it learns:

    git worktree add --detach ../RUN COMMIT
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from importlib.metadata import version
from pathlib import Path

from dinoscope.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
COMPUTE = ("torch", "transformers", "numpy", "safetensors", "pillow")


def code(root: Path = ROOT) -> dict[str, object]:
    """What this process computes with; no commit where the code is a copy without git.

    Raises:
        InputError: a git checkout whose package or experiments were changed since its commit, or no code.
    """
    sources = sorted(path for part in ("src", "experiments") for path in (root / part).rglob("*.py"))
    constraints = root / "constraints.txt"
    if not sources or not constraints.is_file():
        raise InputError(f"{str(root)!r} is no checkout of dinoscope")
    digest = hashlib.sha256()
    for path in sources:
        digest.update(f"{path.relative_to(root).as_posix()} {_digest(path)}\n".encode())
    commit = None
    if (root / ".git").exists():
        changed = _git(root, "status", "--porcelain", "--", "src", "experiments/*.py", "constraints.txt")
        if changed:
            first = changed.splitlines()[0].strip()
            raise InputError(f"the code differs from its commit ({first}, ...): commit it")
        commit = _git(root, "rev-parse", "HEAD")
    return {
        "commit": commit,
        "code": digest.hexdigest(),
        "versions": {name: version(name) for name in COMPUTE},
        "constraints": _digest(constraints),
    }


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def pin(folder: Path, *, other: bool = False, root: Path = ROOT) -> None:
    """Hold the run in a folder to this code; the first time, write it down.

    Args:
        folder: of the run; made if it is not there.
        other: go on under this code although the run began with other code, and write that down too.
        root: the checkout.

    Raises:
        InputError: the run goes on with other code.
    """
    now, file = code(root), folder / "code.json"
    known = json.loads(file.read_text()) if file.is_file() else []
    was = known[-1] if known else {}
    differs = [name for name in now if name != "commit" and was.get(name) != now[name]]
    if not differs:
        return
    if known and not other:
        told = ", ".join(f"{name} was {was.get(name)}, is {now[name]}" for name in differs)
        raise InputError(
            f"{str(folder)!r} learns under other code: {told}. Go on from a checkout of its commit "
            f"(git worktree add --detach ../RUN {was['commit']}), or ask for --other-code"
        )
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([*known, now], indent=2) + "\n")


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"{str(root)!r} is no git checkout that can be asked: {done.stderr.strip()}")
    return done.stdout.strip()
