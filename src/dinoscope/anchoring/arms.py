"""The arms of the experiment: runs that branch off from one checkpoint and differ in one thing each.

Every arm sees the same photographs, crops, masks and random numbers at the same step, because all of these
follow from the seed and the step alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dinoscope.anchoring.checkpoint import checkpoint_name, checkpoint_paths, read_checkpoint
from dinoscope.anchoring.checks import require, require_least
from dinoscope.anchoring.config import SecondStage, Settings
from dinoscope.anchoring.folder import RunFolder
from dinoscope.anchoring.photographs import Photographs
from dinoscope.anchoring.train import Progress, run
from dinoscope.errors import InputError

ARMS = ("continue", "local-half", "gram-x1", "gram-x2", "feature-mse")

TEACHER_SHARE = 200_000 / 1_000_000
RAMP_SHARE = 1_000 / 1_000_000
UPDATE_SHARE = 10_000 / 1_000_000
"""The paper's teacher, ramp and update interval as shares of the steps before the fork.

Source: DINOv3 (arXiv 2508.10104), section 4.2 and appendix C; facebookresearch/dinov3@6876159
`dinov3_vit7b16_gram_anchor.yaml`.
"""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the arms share.

    The paper's values, with lengths scaled by the steps before the fork. On short runs the moving
    average's memory, 1 / (1 - ema) steps, is not scaled with them: at 2,000 steps an update every 20 brings
    an average that is hardly newer than the last. ``update_every=0`` keeps the early teacher throughout.

    Attributes:
        steps: of each arm, beyond the fork.
        weight: of the anchor.
        local: weight of the local crops in ``local-half``; the other arms keep the trunk's.
        ramp: steps until the weights hold; None for the paper's share.
        teacher_step: of the trunk's snapshot that the frozen teacher is, which must exist; None for the
            one nearest to the paper's share.
        update_every: steps between replacements of the frozen teacher by the current average; None for
            the paper's share, 0 for never.
        max_updates: how often.
        feature_scale: of the teacher of ``feature-mse``: 2 for the target of ``gram-x2``, 1 for that of
            ``gram-x1``.
        blur: of the frozen teacher's patch map, in patches; see `SecondStage`.
        cooldown: last steps of every arm, over which the learning rate falls; 0 for the trunk's schedule.
    """

    steps: int
    weight: float = 2.0
    local: float = 0.5
    ramp: int | None = None
    teacher_step: int | None = None
    update_every: int | None = None
    max_updates: int = 3
    feature_scale: int = 2
    blur: float = 0.0
    cooldown: int = 0

    def __post_init__(self) -> None:
        require_least(self, 1, "steps", "feature_scale")
        require_least(self, 0, "weight", "local", "max_updates", "blur", "cooldown")
        given = [name for name in ("ramp", "teacher_step", "update_every") if getattr(self, name) is not None]
        require_least(self, 0, *given)
        require(math.isfinite(self.weight), f"weight must be finite, got {self.weight}")


def check_arms(arms: Sequence[str]) -> None:
    """Refuse what is no arm.

    Raises:
        InputError: one is not among `ARMS`.
    """
    for arm in arms:
        require(arm in ARMS, f"no arm {arm!r}; there are {', '.join(ARMS)}")


def arm_settings(trunk: Settings, start: int, arm: str, recipe: Recipe, *, teacher_step: int) -> Settings:
    """The settings of one arm.

    Args:
        trunk: settings of the run it branches off from.
        start: step of the fork.
        arm: one of `ARMS`.
        recipe: what the arms share.
        teacher_step: of the frozen teacher.

    Raises:
        InputError: no such arm.
    """
    check_arms([arm])
    ramp = max(1, round(RAMP_SHARE * start)) if recipe.ramp is None else recipe.ramp
    every = max(1, round(UPDATE_SHARE * start)) if recipe.update_every is None else recipe.update_every
    stage = SecondStage(start=start, ramp=ramp, local=trunk.objective.local)
    if arm == "local-half":
        stage = replace(stage, local=recipe.local)
    elif arm != "continue":
        scales = {"gram-x1": 1, "gram-x2": 2, "feature-mse": recipe.feature_scale}
        stage = replace(
            stage,
            anchor="feature-mse" if arm == "feature-mse" else "gram",
            weight=recipe.weight,
            scale=scales[arm],
            blur=recipe.blur,
            teacher_step=teacher_step,
            update_every=every,
            max_updates=recipe.max_updates,
        )
    end = start + recipe.steps
    if recipe.cooldown:
        trunk = replace(trunk, cooldown_start=end - recipe.cooldown, cooldown_steps=recipe.cooldown)
    return replace(trunk, steps=end, second_stage=stage)


@dataclass(frozen=True, slots=True)
class Branch:
    """An arm, and where it branches off.

    Attributes:
        arm: one of `ARMS`.
        step: of the trunk's checkpoint; None for its newest.
        seed: of the order and the crops from the fork on; None for the trunk's.
        teachers: folder of the run whose snapshot the frozen teacher is; None for the trunk.
    """

    arm: str
    step: int | None = None
    seed: int | None = None
    teachers: Path | None = None

    def __post_init__(self) -> None:
        check_arms([self.arm])


def run_arm(
    trunk: str | Path,
    photographs: Photographs,
    out: str | Path,
    branch: Branch,
    recipe: Recipe,
    *,
    on_step: Callable[[Progress], None] | None = None,
    resume: bool = False,
    force: bool = False,
) -> RunFolder:
    """Train one arm.

    Args:
        trunk: folder of the run to branch off from.
        photographs: the trunk's.
        out: folder of the arm.
        branch: which arm, and where it branches off.
        recipe: what the arms share.
        on_step, resume, force: as in `run`.

    Raises:
        InputError: no such checkpoint or snapshot.
    """
    source = RunFolder(Path(trunk))
    checkpoint = _checkpoint(source, branch.step)
    base = read_checkpoint(checkpoint)
    settings = base.settings if branch.seed is None else replace(base.settings, seed=branch.seed)
    held = source if branch.teachers is None else RunFolder(branch.teachers)
    teacher_step = _teacher_step(held, base.step, recipe.teacher_step)
    chosen = arm_settings(settings, base.step, branch.arm, recipe, teacher_step=teacher_step)
    stage = chosen.second_stage
    return run(
        chosen,
        photographs,
        out,
        on_step=on_step,
        fork=checkpoint,
        anchor_teacher=held.snapshot(teacher_step) if stage is not None and stage.anchor != "none" else None,
        resume=resume,
        force=force,
    )


def _checkpoint(trunk: RunFolder, step: int | None) -> Path:
    paths = checkpoint_paths(trunk.checkpoints)
    if step is not None:
        paths = [path for path in paths if path.name == checkpoint_name(step)]
    if not paths:
        wanted = "checkpoint" if step is None else f"checkpoint of step {step}"
        raise InputError(f"{str(trunk.path)!r} has no {wanted}; keep_checkpoints=0 keeps all of them")
    return paths[-1]


def _teacher_step(trunk: RunFolder, start: int, wanted: int | None) -> int:
    steps = [step for step in trunk.snapshot_steps() if step <= start]
    if not steps:
        raise InputError(f"{str(trunk.path)!r} has no snapshots a frozen teacher could be taken from")
    if wanted is None:
        return min(steps, key=lambda step: abs(step - TEACHER_SHARE * start))
    if wanted not in steps:
        raise InputError(f"{str(trunk.path)!r} has no snapshot of step {wanted}; there are {steps}")
    return wanted
