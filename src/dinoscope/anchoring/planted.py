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

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from dinoscope.anchoring.arms import ARMS, Recipe, run_arms, without_arm
from dinoscope.anchoring.checks import require
from dinoscope.anchoring.conclude_planted import conclude_planted
from dinoscope.anchoring.config import SecondStage, Settings
from dinoscope.anchoring.evaluate import Subject, evaluate, subjects_of
from dinoscope.anchoring.findings import AFTER_DAMAGE, PLANTED, TRUNK, Control, Score
from dinoscope.anchoring.folder import RunFolder
from dinoscope.anchoring.held_out import HeldOut
from dinoscope.anchoring.photographs import Photographs
from dinoscope.anchoring.strip import film_strip, last_of_arms
from dinoscope.anchoring.train import Progress, run
from dinoscope.data.photograph import Photograph

Stage = Callable[[str], AbstractContextManager[Callable[[Progress], None]]]
"""Opens a stage by name and returns what its steps are told to."""


@dataclass(frozen=True, slots=True)
class Planting:
    """The damage, and the arms that branch off from it.

    Attributes:
        steps: of the pull.
        weight: of the pull; a small one raises class-to-patch cosines without costing patch quality.
        ramp: steps until the weight holds.
        arms: some of `ARMS`.
    """

    steps: int = 200
    weight: float = 20.0
    ramp: int = 20
    arms: tuple[str, ...] = ("continue", "gram-x2")

    def __post_init__(self) -> None:
        require(self.steps >= 1, f"the pull needs at least 1 step, got {self.steps}")
        require(self.weight > 0, f"the weight of the pull must be above 0, got {self.weight}")
        for arm in self.arms:
            require(arm in ARMS, f"no arm {arm!r}; there are {', '.join(ARMS)}")


def planted_settings(trunk: Settings, start: int, planting: Planting) -> Settings:
    """The settings of the damage: the trunk's own, and the pull."""
    stage = SecondStage(start=start, ramp=planting.ramp, local=trunk.objective.local, pull=planting.weight)
    return replace(trunk, steps=start + planting.steps, second_stage=stage)


def train_planted(
    trunk: str | Path,
    photographs: Photographs,
    out: str | Path,
    recipe: Recipe,
    planting: Planting,
    *,
    seeds: tuple[int, ...],
    stage: Stage,
    resume: bool,
    force: bool,
) -> None:
    """Plant the damage once, release it once for each arm and seed; the frozen teacher is the trunk's.

    Raises:
        InputError, TrainingStoppedError: as `run` and `run_arms`.
    """
    source, out = RunFolder(Path(trunk)), Path(out)
    checkpoint = source.latest_checkpoint()
    require(checkpoint is not None, f"{str(source.path)!r} has no checkpoint to plant damage in")
    start = source.snapshot_steps()[-1]
    with stage(PLANTED) as tell:
        run(
            planted_settings(source.settings(), start, planting),
            photographs,
            out / "damage",
            fork=checkpoint,
            on_step=tell,
            resume=resume,
            force=force,
        )
    for seed in seeds:
        for arm in planting.arms:
            with stage(f"{AFTER_DAMAGE}{arm}, seed {seed}") as tell:
                run_arms(
                    out / "damage",
                    photographs,
                    out / "arms" / f"seed-{seed}",
                    recipe,
                    arms=[arm],
                    seed=seed,
                    teachers=source.path,
                    on_step=without_arm(tell),
                    resume=resume,
                    force=force,
                )


def examine_planted(
    out: str | Path,
    trunk: RunFolder,
    planting: Planting,
    scenes: HeldOut,
    pictures: list[Photograph],
    *,
    seeds: tuple[int, ...],
    every: int,
    at: tuple[float, float],
    device: str,
    on_score: Callable[[Score], None] | None,
    force: bool,
) -> Control | None:
    """Measure what there is of the control; None where no damage was planted yet.

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
    folders = {
        (arm, seed): RunFolder(out / "arms" / f"seed-{seed}" / arm) for arm in planting.arms for seed in seeds
    }
    begun = {key: folder for key, folder in folders.items() if folder.about.is_file()}
    stages = [s for s in (f.settings().second_stage for f in begun.values()) if s is not None]
    teacher_step = next((s.teacher_step for s in stages if s.anchor != "none"), None)
    known = sorted({start} if teacher_step is None else {start, teacher_step})
    subjects = [Subject(TRUNK, settings.seed, step, trunk.snapshot(step)) for step in known]
    subjects += subjects_of(damage, PLANTED, settings.seed, every=every)
    for (arm, seed), folder in begun.items():
        subjects += subjects_of(folder, f"{AFTER_DAMAGE}{arm}", seed, every=every)
    scores = evaluate(
        subjects,
        scenes,
        out / "evaluation.jsonl",
        teacher=None if teacher_step is None else trunk.snapshot(teacher_step),
        device=device,
        on_score=on_score,
        force=force,
    )
    shown = [s for s in subjects if s.run == TRUNK] + last_of_arms(subjects)
    return Control(
        scores=scores,
        start_step=start,
        release_step=settings.steps,
        teacher_step=teacher_step,
        sentences=conclude_planted(scores, start_step=start, teacher_step=teacher_step),
        strip=film_strip(shown, pictures, at=at, device=device),
    )
