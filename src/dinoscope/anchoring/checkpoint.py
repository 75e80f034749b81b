"""Resumable checkpoints: there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch

from dinoscope.anchoring.config import Network, Settings
from dinoscope.anchoring.state import State, as_saved
from dinoscope.atomic import write_whole
from dinoscope.errors import InputError

FORMAT = 1
_NAME = re.compile(r"step-(\d{8})\.pt")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that was read.

    Attributes:
        path: of the file.
        settings: of the run that wrote it.
        photographs: digest of what it learnt from.
        saved: its state; see `as_saved`.
    """

    path: Path
    settings: Settings
    photographs: str
    saved: dict[str, Any]

    @property
    def step(self) -> int:
        """The last step done."""
        return int(self.saved["step"])


def write_checkpoint(folder: Path, state: State, settings: Settings, photographs: str) -> Path:
    """Write ``step-XXXXXXXX.pt`` into a folder, then remove older ones as the settings say.

    The random state is not in it as such: every step's random numbers follow from the seed and the step.

    Raises:
        OSError: it cannot be written; older checkpoints are untouched then.
    """
    path = folder / checkpoint_name(state.step)
    content = {
        "format": FORMAT,
        "settings": settings.as_json(),
        "photographs": photographs,
        "state": as_saved(state),
    }

    def write(file: BinaryIO) -> None:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())

    write_whole(path, write)
    if settings.keep_checkpoints:
        for old in checkpoint_paths(folder)[: -settings.keep_checkpoints]:
            old.unlink()
    return path


def checkpoint_name(step: int) -> str:
    """A checkpoint's file name."""
    return f"step-{step:08d}.pt"


def checkpoint_paths(folder: Path) -> list[Path]:
    """Whole checkpoints of a folder, oldest first; none if there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def read_checkpoint(path: str | Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Read one checkpoint; nothing in it is executed.

    Raises:
        InputError: not there, not a checkpoint, damaged, or of another format.
    """
    path = Path(path)
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{str(path)!r} cannot be read as a checkpoint: {reason}") from error
    if not isinstance(content, dict) or "format" not in content or "state" not in content:
        raise InputError(f"{str(path)!r} is not a checkpoint of this laboratory")
    if content["format"] != FORMAT:
        raise InputError(
            f"{str(path)!r} has checkpoint format {content['format']}, this version reads format {FORMAT}"
        )
    return Checkpoint(path, Settings.from_json(content["settings"]), content["photographs"], content["state"])


def check_network(checkpoint: Checkpoint, network: Network) -> None:
    """Refuse a checkpoint of another architecture, naming what differs.

    Raises:
        InputError: the networks differ.
    """
    found, wanted = asdict(checkpoint.settings.network), asdict(network)
    wrong = [
        f"{name} {found[name]} (wanted {wanted[name]})" for name in wanted if found[name] != wanted[name]
    ]
    if wrong:
        raise InputError(f"{str(checkpoint.path)!r} is of another architecture: {', '.join(wrong)}")


def file_digest(path: Path) -> str:
    """sha256 of a file, hexadecimal.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}") from error
