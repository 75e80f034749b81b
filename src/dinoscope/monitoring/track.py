"""A series of checkpoints, looked at as if the monitor had been there."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from dinoscope.backbones.load import load_backbone
from dinoscope.backbones.references import WEIGHT_SUFFIXES
from dinoscope.comparison.masks import Masks
from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError
from dinoscope.monitoring.check import Check
from dinoscope.monitoring.held import HeldPhotographs
from dinoscope.monitoring.monitor import Monitor
from dinoscope.pipeline.extract import ImageLike, OnFailure, extract


def track(
    checkpoints: Sequence[str | Path],
    photos: ImageLike | Iterable[ImageLike],
    run: str | Path,
    *,
    masks: Masks | None = None,
    grid: int = 16,
    on_check: Callable[[Check], None] | None = None,
    on_failure: OnFailure | None = None,
) -> tuple[Check, ...]:
    """Dense features of every checkpoint, by its step; checkpoints that ``run`` holds are not run again.

    Args:
        checkpoints: as `load_backbone` takes them; the step is the last number in each one's name, or in
            that of its folder. They are looked at in the order of their steps.
        photos, masks, grid: as for `Monitor`.
        on_failure: called with each photograph that cannot be used, which is then left out. None raises.
        run: folder for `dinoscope watch`, and to go on from.
        on_check: called after each checkpoint.

    Raises:
        InputError: no step in a name, or the same step twice; checkpoints of several architectures.
        BackboneError: a checkpoint that cannot be loaded.
    """
    by_step: dict[int, str | Path] = {}
    for checkpoint in checkpoints:
        step = step_of(checkpoint)
        if step in by_step:
            raise InputError(f"{str(by_step[step])!r} and {str(checkpoint)!r} are both of step {step}")
        by_step[step] = checkpoint
    if not by_step:
        raise InputError("no checkpoint to look at")
    monitor = Monitor(HeldPhotographs(photos, grid, masks, on_failure=on_failure), 1, run=run)
    known = {check.step for check in monitor.checks}
    for step in sorted(set(by_step) - known):
        if known and step < max(known):
            raise InputError(
                f"step {step} lies before step {max(known)} of the run in {str(run)!r}: checks are made in "
                "order; take another folder"
            )
        check = monitor.update(_features(by_step[step], monitor, grid), step)
        if on_check is not None and check is not None:
            on_check(check)
    return tuple(monitor.checks)


def summary(checks: Sequence[Check]) -> str:
    """Where dense features looked best, where the class token did, and whether an anchor would help."""
    dense = {c.step: float(np.nanmean(c.quality)) for c in checks if np.isfinite(c.quality).any()}
    tokens = {c.step: c.values["cls_rank"] for c in checks if "cls_rank" in c.values}
    lines = []
    for what, found in (("dense quality", dense), ("rank of class tokens", tokens)):
        if found:
            best = max(found, key=lambda step: found[step])
            lines.append(f"{what} is highest at step {best:,}: {found[best]:.4f}")
    alarms = [check for check in checks if check.alarm]
    lines.append(alarms[-1].alarm if alarms else "no alarm")
    return "\n".join([*lines, checks[-1].advice]).rstrip()


def is_checkpoint(path: Path) -> bool:
    """Whether a path names weights: a file of them, or a Hugging Face folder."""
    return path.suffix.lower() in WEIGHT_SUFFIXES or os.path.isfile(path / "config.json")


def step_of(checkpoint: str | Path) -> int:
    """The last number in a checkpoint's name, else in its folder's.

    >>> step_of("runs/vit-b16/step-000200/model.safetensors"), step_of("epoch=3-step=450.pth")
    (200, 450)

    Raises:
        InputError: there is none.
    """
    path = Path(str(checkpoint).rpartition("=")[2] if "=/" in str(checkpoint) else checkpoint)
    for name in (
        path.stem if path.suffix in (".pth", ".pt", ".safetensors") else path.name,
        path.parent.name,
    ):
        numbers = re.findall(r"\d+", name)
        if numbers:
            return int(numbers[-1])
    raise InputError(f"{str(checkpoint)!r}: no step in its name; name checkpoints like step-000200")


def _features(checkpoint: str | Path, monitor: Monitor, grid: int) -> list[PatchFeatures]:
    name = str(checkpoint)
    backbone = load_backbone(name) if "=" in name else load_backbone(weights=checkpoint)
    return list(extract(monitor.photographs.photographs, backbone, grid=grid))
