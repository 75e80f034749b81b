"""The folder of a run: what it is, its losses, whether it may be used.

::

    run.json                the settings, the photographs, where it was forked from
    losses.jsonl            one line for each step
    checkpoints/            step-00000100.pt: resumable
    snapshots/              step-00000100/: the EMA network, a Hugging Face folder
    teacher/                the EMA network after the last step, likewise
    .lock                   held while a process learns here; left behind, and harmless
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from dinoscope.anchoring.checkpoint import checkpoint_paths
from dinoscope.anchoring.checks import require
from dinoscope.anchoring.config import Settings
from dinoscope.atomic import lock, lock_file, write_text
from dinoscope.errors import InputError

_FREE = ("machine", "steps", "checkpoint_every", "snapshot_every", "keep_checkpoints")
"""Settings that may change when a run is resumed: they do not change what it learns."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where the parts of a run lie."""

    path: Path

    @property
    def about(self) -> Path:
        """What the run is."""
        return self.path / "run.json"

    @property
    def losses(self) -> Path:
        """One line of JSON for each step."""
        return self.path / "losses.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Folder of resumable checkpoints."""
        return self.path / "checkpoints"

    @property
    def snapshots(self) -> Path:
        """Folder of exported EMA networks."""
        return self.path / "snapshots"

    @property
    def teacher(self) -> Path:
        """The exported EMA network after the last step."""
        return self.path / "teacher"

    def snapshot(self, step: int) -> Path:
        """The exported EMA network of a step."""
        return self.snapshots / f"step-{step:08d}"

    def snapshot_steps(self) -> list[int]:
        """Steps of the exported networks, ascending; none if there are none."""
        folders = self.snapshots.iterdir() if self.snapshots.is_dir() else ()
        return sorted(int(f.name[5:]) for f in folders if re.fullmatch(r"step-\d{8}", f.name))

    def settings(self) -> Settings:
        """Those of the run in here.

        Raises:
            InputError: there is no run.
        """
        return _stored(self)[0]

    def latest_checkpoint(self) -> Path | None:
        """The newest one, or None."""
        paths = checkpoint_paths(self.checkpoints)
        return paths[-1] if paths else None


@contextmanager
def only_process(folder: RunFolder) -> Iterator[None]:
    """Keep a second process out of a folder. The lock ends with this process, however that ends.

    Raises:
        InputError: another process is learning in this folder, or the folder cannot be made.
    """
    with ExitStack() as stack:
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            handle = stack.enter_context(lock_file(folder.path / ".lock"))
        except OSError as error:
            raise InputError(
                f"{str(folder.path)!r} cannot be the folder of a run: {error.strerror}"
            ) from error
        if not lock(handle):
            raise InputError(f"another process is learning in {str(folder.path)!r}; wait for it, or end it")
        yield


def claim_folder(
    folder: RunFolder,
    settings: Settings,
    photographs: Mapping[str, Any],
    fork: Mapping[str, Any] | None,
    *,
    resume: bool,
    force: bool,
) -> None:
    """Make the folder this run's own.

    Args:
        folder: new, empty, or a run's.
        settings, photographs, fork: what this run is.
        resume: go on with the run in the folder, if it is the same; start if there is none.
        force: remove the run in the folder first.

    Raises:
        InputError: another run is in the folder, or ``resume`` and ``force`` are both given.
    """
    require(not (resume and force), "resume goes on with a run, force removes it: give one of them")
    parts = (folder.about, folder.losses, folder.checkpoints, folder.snapshots, folder.teacher)
    taken = [part.name for part in parts if part.exists()]
    if taken and force:
        for part in parts:
            shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)
    elif taken and not resume:
        raise InputError(
            f"{str(folder.path)!r} holds another run ({', '.join(taken)}): resume it "
            "(--resume), replace it (--force), or choose another folder"
        )
    elif taken:
        _check_same(folder, settings, photographs, fork)
    about = {
        "format": 1,
        "settings": asdict(settings),
        "photographs": dict(photographs),
        "fork": None if fork is None else dict(fork),
    }
    write_text(folder.about, json.dumps(about, indent=2) + "\n")


def _check_same(
    folder: RunFolder, settings: Settings, photographs: Mapping[str, Any], fork: Mapping[str, Any] | None
) -> None:
    stored, learned, forked = _stored(folder)
    old, new = _flat(asdict(stored)), _flat(asdict(settings))
    differs = [
        f"{name} was {old.get(name)}, is {new.get(name)}"
        for name in sorted(old.keys() | new.keys())
        if name.split(".")[0] not in _FREE and old.get(name) != new.get(name)
    ]
    if learned != photographs["digest"]:
        differs.append("other photographs")
    if forked != (None if fork is None else fork["digest"]):
        differs.append("forked from another checkpoint")
    if differs:
        raise InputError(
            f"{str(folder.path)!r} holds another run: {'; '.join(differs)}. Use its settings to resume it, "
            "force to replace it, or choose another folder"
        )


def _stored(folder: RunFolder) -> tuple[Settings, str, str | None]:
    """Settings, and the digests of the photographs and of the fork, as ``run.json`` says them."""
    try:
        about = json.loads(folder.about.read_text())
        settings = Settings.from_json(json.dumps(about["settings"]))
        return settings, about["photographs"]["digest"], (about["fork"] or {}).get("digest")
    except (OSError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise InputError(f"{str(folder.about)!r} does not say which run this is: {error}") from error


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def cut_losses(path: Path, *, after: int, step: int) -> None:
    """Keep the lines of steps ``after + 1`` to ``step``; later ones, and a torn last one, go.

    Raises:
        InputError: a line that should be there is not.
    """
    kept: list[str] = []
    for line in path.read_text(errors="replace").splitlines() if path.exists() else ():
        try:
            number = int(json.loads(line)["step"])
        except (KeyError, TypeError, ValueError, RecursionError):
            break  # torn by the end of the process: nothing behind it can be a whole line
        if number <= step:
            require(
                number == after + len(kept) + 1,
                f"{str(path)!r} skips from step {after + len(kept)} to {number}",
            )
            kept.append(line)
    if len(kept) != step - after:
        raise InputError(
            f"{str(path)!r} ends at step {after + len(kept)}, before the checkpoint of step {step}; it was "
            "changed. Put it back, or start again in another folder"
        )
    write_text(path, "".join(f"{line}\n" for line in kept))


def append_losses(file: IO[str], step: int, losses: Mapping[str, float]) -> None:
    """Write one line, out of this process's hands before this returns."""
    file.write(json.dumps({"step": step, **losses}) + "\n")
    file.flush()


def settle(file: IO[str]) -> None:
    """Wait until what was written is on the disk."""
    file.flush()
    os.fsync(file.fileno())
