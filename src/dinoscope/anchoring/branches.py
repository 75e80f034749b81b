"""Arms as folders, FOLDER/seed-0/ARM: trained off one run, found again, and measured."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from dinoscope.anchoring.arms import Branch, Recipe, run_arm
from dinoscope.anchoring.evaluate import Subject, subjects_of
from dinoscope.anchoring.folder import RunFolder
from dinoscope.anchoring.photographs import Photographs
from dinoscope.anchoring.train import Progress

Stage = Callable[[str], AbstractContextManager[Callable[[Progress], None]]]
"""Opens a stage by name and returns what its steps are told to."""


@dataclass(frozen=True, slots=True)
class Branches:
    """Every arm with every fork seed.

    Attributes:
        folder: where they lie.
        arms, seeds: which.
        prefix: what their names in results begin with.
    """

    folder: Path
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    prefix: str = ""

    def train(
        self,
        trunk: Path,
        photographs: Photographs,
        recipe: Recipe,
        stage: Stage,
        *,
        teachers: Path | None = None,
        resume: bool,
        force: bool,
    ) -> None:
        """Train them one after another, a stage each; arguments and errors as `run_arm`."""
        for (arm, seed), folder in self._folders().items():
            with stage(f"{self.prefix}{arm}, seed {seed}") as tell:
                branch = Branch(arm, seed=seed, teachers=teachers)
                run_arm(
                    trunk,
                    photographs,
                    folder.path,
                    branch,
                    recipe,
                    on_step=tell,
                    resume=resume,
                    force=force,
                )

    def begun(self) -> dict[tuple[str, int], RunFolder]:
        """Folders of those that have been begun, by arm, with its prefix, and seed."""
        folders, keys = self._folders(), product(self.arms, self.seeds)
        return {(f"{self.prefix}{a}", s): folders[a, s] for a, s in keys if folders[a, s].about.is_file()}

    def teacher_step(self) -> int | None:
        """Step of the snapshot that the frozen teacher is; None where no arm that was begun is anchored."""
        stages = (folder.settings().second_stage for folder in self.begun().values())
        return next((s.teacher_step for s in stages if s is not None and s.anchor != "none"), None)

    def subjects(self, every: int) -> list[Subject]:
        """Snapshots to measure, arm by arm, as `subjects_of`."""
        return [
            subject
            for (arm, seed), folder in self.begun().items()
            for subject in subjects_of(folder, arm, seed, every=every)
        ]

    def _folders(self) -> dict[tuple[str, int], RunFolder]:
        pairs = product(self.seeds, self.arms)
        return {(arm, seed): RunFolder(self.folder / f"seed-{seed}" / arm) for seed, arm in pairs}
