"""Everything that changes while a run learns."""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dinoscope.anchoring.config import Machine, Settings
from dinoscope.anchoring.forward import can_compile
from dinoscope.anchoring.network import Distilled, frozen, read_backbone
from dinoscope.anchoring.seeds import Purpose, torch_seed
from dinoscope.backbones import load
from dinoscope.errors import InputError

COMPILED_DIM = 64
"""Narrower networks take longer to compile than it saves them."""


@dataclass(slots=True)
class State:
    """Changed in place, step by step.

    Attributes:
        student: learns.
        teacher: the student's moving average.
        anchor: the frozen backbone that patches are tied to; None without one.
        optimizer: of the student.
        step: the last one done.
        n_updates: how often the anchor was replaced.
    """

    student: Distilled
    teacher: Distilled
    anchor: nn.Module | None
    optimizer: torch.optim.AdamW
    step: int = 0
    n_updates: int = 0


def fresh_state(settings: Settings, device: torch.device, anchor: Path | None) -> State:
    """Random weights that depend on the seed alone. Sets the global random state.

    Args:
        settings: of the run.
        device: where it learns.
        anchor: folder of the frozen teacher, as `write_backbone` writes it.
    """
    torch.manual_seed(torch_seed(settings.seed, Purpose.WEIGHTS, 0))
    compiled = compiles(settings, device)
    student = Distilled(settings.network, image_px=settings.crops.global_px, compiled=compiled)
    teacher = frozen(copy.deepcopy(student))
    assert isinstance(teacher, Distilled)  # for the type checker: frozen returns what it is given
    student.train()
    held = None if anchor is None else read_backbone(anchor, settings.network)
    student.to(device)
    teacher.to(device)
    if held is not None:
        held.to(device)
    return State(student, teacher, held, _optimizer(student, settings))


def _optimizer(student: nn.Module, settings: Settings) -> torch.optim.AdamW:
    matrices = [p for p in student.parameters() if p.ndim > 1 and 1 not in p.shape[:2]]
    chosen = {id(p) for p in matrices}
    others = [p for p in student.parameters() if id(p) not in chosen]
    return torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": settings.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=settings.learning_rate,
        fused=True,
    )


def as_saved(state: State) -> dict[str, Any]:
    """The state as plain tensors and numbers."""
    return {
        "step": state.step,
        "n_updates": state.n_updates,
        "student": state.student.state_dict(),
        "teacher": state.teacher.state_dict(),
        "anchor": None if state.anchor is None else state.anchor.state_dict(),
        "optimizer": state.optimizer.state_dict(),
    }


def restore(state: State, saved: dict[str, Any], settings: Settings, *, forked: bool) -> None:
    """Put a saved state back, in place.

    Args:
        state: built with the same network.
        saved: as `as_saved` returned it.
        settings: of the run that goes on.
        forked: saved by the run that this one branches off from: the anchor stays this run's own.

    Raises:
        InputError: tensors that do not fit.
    """
    try:
        state.student.load_state_dict(saved["student"])
        state.teacher.load_state_dict(saved["teacher"])
        state.optimizer.load_state_dict(saved["optimizer"])
        if not forked and state.anchor is not None:
            state.anchor.load_state_dict(saved["anchor"])
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"the checkpoint does not fit this network: {error}") from error
    state.optimizer.param_groups[0]["weight_decay"] = settings.weight_decay
    for group in state.optimizer.param_groups:
        group["fused"] = True  # checkpoints of earlier versions have it otherwise
    state.step = int(saved["step"])
    state.n_updates = 0 if forked else int(saved["n_updates"])


def torch_device(machine: Machine) -> torch.device:
    """The device asked for; ``auto`` is the GPU where there is one, else the CPU.

    Raises:
        InputError: it is not there, or nothing is trained on it.
    """
    device = load.torch_device(machine.device)
    if device.type == "mps" and machine.device == "auto":
        return torch.device("cpu")
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"training runs on cpu or cuda, not on {machine.device!r}")
    return device


def compiles(settings: Settings, device: torch.device) -> bool:
    """Whether blocks run through ``torch.compile``; see `dinoscope.anchoring.config.Machine`."""
    asked = settings.machine.compile
    if asked is None:
        return device.type == "cpu" and settings.network.dim >= COMPILED_DIM and can_compile(os.environ)
    return asked


def half_precision(machine: Machine, device: torch.device) -> bool:
    """Whether forward passes run in bfloat16."""
    if machine.precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported()
    return machine.precision == "bfloat16"
