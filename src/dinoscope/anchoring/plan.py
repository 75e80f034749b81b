"""What is the experiment? Its settings, frozen."""

from __future__ import annotations

from dataclasses import dataclass, field

from dinoscope.anchoring.arms import ARMS, Recipe, check_arms
from dinoscope.anchoring.checks import require, require_least
from dinoscope.anchoring.config import Settings
from dinoscope.anchoring.held_out import Probes

AT = (0.5, 0.5)
"""The place whose patch every patch is compared with, where no other is asked for."""


@dataclass(frozen=True, slots=True)
class Planting:
    """The positive control's damage, and the arms that branch off from it.

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
        require_least(self, 1, "steps")
        require(self.weight > 0, f"the weight of the pull must be above 0, got {self.weight}")
        check_arms(self.arms)


@dataclass(frozen=True, slots=True)
class Plan:
    """The experiment.

    Attributes:
        trunk: settings of the run that the arms branch off from.
        recipe: what the arms share.
        arms: which; none for a trunk alone.
        seeds: of the arms' order and crops from the fork on; three and more for a spread.
        probes: how networks are measured.
        measure_every: snapshots whose step is a multiple of this, and the last, are measured.
        at: reference place of the film strip.
        planted: the positive control that follows if the gate does not fire; None for none.
    """

    trunk: Settings = field(default_factory=Settings)
    recipe: Recipe = field(default_factory=lambda: Recipe(steps=400))
    arms: tuple[str, ...] = ARMS
    seeds: tuple[int, ...] = (0, 1, 2)
    probes: Probes = field(default_factory=Probes)
    measure_every: int = 1
    at: tuple[float, float] = AT
    planted: Planting | None = None

    def __post_init__(self) -> None:
        require(len(set(self.seeds)) == len(self.seeds), f"a seed is given twice: {self.seeds}")
        require(bool(self.seeds) or not self.arms, "arms need at least one seed")
        require_least(self, 1, "measure_every")
        require(bool(self.seeds) or self.planted is None, "the positive control needs at least one seed")
        check_arms(self.arms)
