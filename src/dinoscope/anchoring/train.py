"""The loop: from a folder of photographs to a trained network, resumable at any time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dinoscope.anchoring.batches import batches
from dinoscope.anchoring.checkpoint import (
    Checkpoint,
    check_network,
    file_digest,
    read_checkpoint,
    write_checkpoint,
)
from dinoscope.anchoring.checks import TrainingStoppedError, require
from dinoscope.anchoring.config import Settings
from dinoscope.anchoring.folder import (
    RunFolder,
    append_losses,
    claim_folder,
    cut_losses,
    only_process,
    settle,
)
from dinoscope.anchoring.network import write_backbone
from dinoscope.anchoring.photographs import PhotographMemory, Photographs, read_memory
from dinoscope.anchoring.state import State, fresh_state, half_precision, restore, torch_device
from dinoscope.anchoring.step import NotFiniteError, learn


@dataclass(frozen=True, slots=True)
class Progress:
    """Told after every step.

    Attributes:
        step, steps: done, and the last one.
        losses: as logged.
        seconds_per_step: mean since this process began to learn.
        remaining_s: estimate from it.
    """

    step: int
    steps: int
    losses: Mapping[str, float]
    seconds_per_step: float
    remaining_s: float


def run(
    config: Settings,
    photographs: Photographs,
    out: str | Path,
    *,
    on_step: Callable[[Progress], None] | None = None,
    fork: str | Path | None = None,
    anchor_teacher: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
) -> RunFolder:
    """Train, or go on training.

    On one machine, with the same versions and thread count, the same settings give the same curve to the
    last digit, also when the process was killed and started again with ``resume``.

    Args:
        config: everything about the run.
        photographs: folder whose photographs are learnt from, or several folders and files.
        out: folder of the run; see `dinoscope.anchoring.folder`.
        on_step: called after each step, in this thread.
        fork: checkpoint of another run that this one branches off from; needs ``config.second_stage``.
        anchor_teacher: folder of an exported network, frozen; needed where the second stage has an anchor.
        resume: go on with the run in ``out``; start it if there is none.
        force: remove the run in ``out`` first.

    Raises:
        InputError: photographs, checkpoint, settings or folder that do not fit; said before any learning.
        TrainingStoppedError: a loss is not finite, or nothing can be written any more.
    """
    device = torch_device(config.machine)
    stage = config.second_stage
    require(
        (fork is None) == (stage is None), "a second stage needs a checkpoint to fork from, and the reverse"
    )
    anchored = stage is not None and stage.anchor != "none"
    require(anchored == (anchor_teacher is not None), "an anchor needs its teacher's folder, and the reverse")
    memory = read_memory(
        photographs, batch=config.batch, crop_px=config.crops.global_px, memory_px=config.memory_px
    )
    base = None if fork is None else _base(Path(fork), config, memory.digest)
    folder = RunFolder(Path(out))
    with only_process(folder), _reproducible(device):
        state = fresh_state(config, device, None if anchor_teacher is None else Path(anchor_teacher))
        claim_folder(
            folder,
            config,
            {
                "n": len(memory),
                "digest": memory.digest,
                "left_out": [f"{failure.source}: {failure.reason}" for failure in memory.failures],
            },
            None if base is None else {"step": base.step, "digest": file_digest(base.path)},
            resume=resume,
            force=force,
        )
        _bring_up(state, folder, config, base, memory.digest, device)
        _go_on(state, folder, config, memory, device, on_step)
    return folder


def _base(path: Path, config: Settings, photographs: str) -> Checkpoint:
    base = read_checkpoint(path)
    check_network(base, config.network)
    start = -1 if config.second_stage is None else config.second_stage.start
    require(base.step == start, f"{str(path)!r} is of step {base.step}, the second stage starts at {start}")
    require(base.photographs == photographs, f"{str(path)!r} learnt from other photographs")
    require(config.steps > start, f"steps ({config.steps}) must be beyond the fork at {start}")
    return base


def _bring_up(
    state: State,
    folder: RunFolder,
    config: Settings,
    base: Checkpoint | None,
    photographs: str,
    device: torch.device,
) -> None:
    """The state where the run left off, or where it begins; the log cut to it."""
    latest = folder.latest_checkpoint()
    if latest is not None:
        checkpoint = read_checkpoint(latest, device)
        check_network(checkpoint, config.network)
        require(checkpoint.photographs == photographs, f"{str(latest)!r} learnt from other photographs")
        restore(state, checkpoint.saved, config, forked=False)
    elif base is not None:
        restore(state, base.saved, config, forked=True)
    cut_losses(folder.losses, after=0 if base is None else base.step, step=state.step)


def _go_on(
    state: State,
    folder: RunFolder,
    config: Settings,
    photographs: PhotographMemory,
    device: torch.device,
    on_step: Callable[[Progress], None] | None,
) -> None:
    half = half_precision(config.machine, device)
    first, began = state.step + 1, time.perf_counter()
    with _writing(state, folder):
        log = folder.losses.open("a", encoding="utf-8")
    with log, closing(batches(photographs, config, first, device)) as cut:
        for step, batch in enumerate(cut, first):
            try:
                losses = learn(state, batch.to(device), config, step, half=half)
            except NotFiniteError as error:
                reason = f"{error.what} is not finite; a lower learning rate or float32 may help"
                raise TrainingStoppedError(step, error.what, reason, folder.latest_checkpoint()) from error
            with _writing(state, folder):
                append_losses(log, step, losses)
                last = step == config.steps
                if last or _due(step, config.snapshot_every):
                    write_backbone(state.teacher.backbone, folder.snapshot(step))
                if last or _due(step, config.checkpoint_every):
                    settle(log)
                    write_checkpoint(folder.checkpoints, state, config, photographs.digest)
            if on_step is not None:
                pace = (time.perf_counter() - began) / (step - first + 1)
                on_step(Progress(step, config.steps, losses, pace, pace * (config.steps - step)))
    with _writing(state, folder):
        write_backbone(state.teacher.backbone, folder.teacher)


@contextmanager
def _writing(state: State, folder: RunFolder) -> Iterator[None]:
    """What cannot be written ends the run, with advice."""
    try:
        yield
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        reason = f"cannot write ({place}{error.strerror or error}); make room and resume"
        raise TrainingStoppedError(state.step, "disk", reason, folder.latest_checkpoint()) from error


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


@contextmanager
def _reproducible(device: torch.device) -> Iterator[None]:
    """The caller's random state and switches, as they were, afterwards."""
    gpus = [device] if device.type == "cuda" else []
    switched = torch.are_deterministic_algorithms_enabled()
    how: Any = torch.utils.deterministic  # whose one attribute is a property of the module
    filled = how.fill_uninitialized_memory
    if gpus:
        # Read by cuBLAS when it is first used; without it, it refuses to be deterministic.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with torch.random.fork_rng(devices=gpus):
        torch.use_deterministic_algorithms(bool(gpus) or switched)
        # A quarter of all that is launched, and nothing here reads memory before it is written.
        how.fill_uninitialized_memory = filled and not gpus
        try:
            yield
        finally:
            how.fill_uninitialized_memory = filled
            torch.use_deterministic_algorithms(switched)
