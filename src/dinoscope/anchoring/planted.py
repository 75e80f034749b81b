"""The positive control: damage planted on purpose, then training on from it with and without the anchor.

Patches are pulled towards their class token, with no gradient into the latter; then the pull is gone and the
arms branch off. It tests whether the anchor repairs damage of a known cause, and says nothing about whether
training causes such damage.

::

    planted/damage/             the pull, forked from the trunk's last checkpoint
    planted/arms/seed-0/ARM/    forked from where it ends
    planted/evaluation.jsonl    one line for each network
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from dinoscope.anchoring.branches import Branches, Stage
from dinoscope.anchoring.checks import require
from dinoscope.anchoring.conclude_planted import conclude_planted
from dinoscope.anchoring.config import SecondStage, Settings
from dinoscope.anchoring.evaluate import Subject, subjects_of
from dinoscope.anchoring.findings import AFTER_DAMAGE, PLANTED, TRUNK, Control, Score
from dinoscope.anchoring.folder import RunFolder
from dinoscope.anchoring.photographs import Photographs
from dinoscope.anchoring.plan import Plan, Planting
from dinoscope.anchoring.strip import film_strip, last_of_arms
from dinoscope.anchoring.train import run
from dinoscope.data.photograph import Photograph


def planted_settings(trunk: Settings, start: int, planting: Planting) -> Settings:
    """The settings of the damage: the trunk's own, and the pull."""
    stage = SecondStage(start=start, ramp=planting.ramp, local=trunk.objective.local, pull=planting.weight)
    return replace(trunk, steps=start + planting.steps, second_stage=stage)


def train_planted(
    trunk: str | Path,
    photographs: Photographs,
    out: str | Path,
    plan: Plan,
    planting: Planting,
    stage: Stage,
    *,
    resume: bool,
    force: bool,
) -> None:
    """Plant the damage once, release it once for each arm and seed; the frozen teacher is the trunk's.

    Raises:
        InputError, TrainingStoppedError: as `run` and `run_arm`.
    """
    source, out = RunFolder(Path(trunk)), Path(out)
    checkpoint = source.latest_checkpoint()
    require(checkpoint is not None, f"{str(source.path)!r} has no checkpoint to plant damage in")
    settings = planted_settings(source.settings(), source.snapshot_steps()[-1], planting)
    damage = out / "damage"
    with stage(PLANTED) as tell:
        run(settings, photographs, damage, fork=checkpoint, on_step=tell, resume=resume, force=force)
    _released(out, plan, planting).train(
        damage, photographs, plan.recipe, stage, teachers=source.path, resume=resume, force=force
    )


def examine_planted(
    out: str | Path,
    trunk: RunFolder,
    plan: Plan,
    planting: Planting,
    pictures: Sequence[Photograph],
    measure: Callable[..., tuple[Score, ...]],
    *,
    device: str,
) -> Control | None:
    """Measure what there is of the control; None where no damage was planted yet.

    Args:
        out: folder of the control.
        trunk: the run that it was forked from.
        plan, planting: what was asked for.
        pictures: photographs to show maps of.
        measure: `evaluate` but for subjects, file and teacher.
        device: as torch names it.

    Raises:
        InputError: an evaluation of something else.
    """
    out = Path(out)
    damage = RunFolder(out / "damage")
    if not damage.about.is_file() or not damage.snapshot_steps():
        return None
    settings = damage.settings()
    planted = settings.second_stage
    require(planted is not None, f"{str(damage.path)!r} holds a run without a fork")
    start = 0 if planted is None else planted.start
    released = _released(out, plan, planting)
    teacher_step = released.teacher_step()
    known = sorted({start} if teacher_step is None else {start, teacher_step})
    before = [Subject(TRUNK, settings.seed, step, trunk.snapshot(step)) for step in known]
    damaged = subjects_of(damage, PLANTED, settings.seed, every=plan.measure_every)
    subjects = [*before, *damaged, *released.subjects(plan.measure_every)]
    teacher = None if teacher_step is None else trunk.snapshot(teacher_step)
    scores = measure(subjects, file=out / "evaluation.jsonl", teacher=teacher)
    return Control(
        scores=scores,
        start_step=start,
        release_step=settings.steps,
        teacher_step=teacher_step,
        sentences=conclude_planted(scores, start_step=start, teacher_step=teacher_step),
        strip=film_strip([*before, *last_of_arms(subjects)], pictures, at=plan.at, device=device),
    )


def _released(out: Path, plan: Plan, planting: Planting) -> Branches:
    return Branches(out / "arms", planting.arms, plan.seeds, AFTER_DAMAGE)
