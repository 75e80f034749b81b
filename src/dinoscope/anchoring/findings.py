"""What the Gram laboratory found: plain values, filled by the laboratory, drawn by the floor above."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from dinoscope.data.photograph import Photograph

TRUNK = "trunk"
"""The run that the arms branch off from."""

RANDOM = "random weights"
"""The trunk's network before its first step."""

PLANTED, AFTER_DAMAGE = "planted damage", "planted: "
"""The positive control's damaged run, and what the names of the arms after it begin with."""

DENSE, IMAGE = "scene_knn_miou", "cls_knn"
"""The two scores of the gate, shares in [0, 1]."""

RANK, TEACHER = "effective_rank_scenes", "gram_distance_teacher"
"""Over all scenes, and to the frozen teacher: not what `measure` calls by the shorter keys."""


@dataclass(frozen=True, slots=True)
class Score:
    """Every measure of one network.

    Attributes:
        run: `TRUNK`, `RANDOM`, `PLANTED`, an arm, or `AFTER_DAMAGE` and an arm.
        seed: of the run; of an arm, that of its order and crops from the fork on.
        step: counted from the trunk's first.
        values: by metric, as `METRICS` says; NaN where undefined.
    """

    run: str
    seed: int
    step: int
    values: Mapping[str, float]


METRICS = (
    DENSE,
    IMAGE,
    "boundary_auc",
    "coherence_auc",
    RANK,
    "locality",
    "neighbour",
    "random_pair",
    "cls_patch",
    "position_r2",
    TEACHER,
)
"""Keys of what is measured of every network, in the order they are shown."""

RESTS = (DENSE, IMAGE, "boundary_auc", RANK)
"""Those that the conclusion may rest on."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Did one trunk, or the mean of several, lose patch quality while the class token held?

    Attributes:
        seed: of the trunk; None for the mean.
        fires: both conditions hold.
        peak_step, last_step: of the highest patch score before the last snapshot, and that snapshot.
        dense_peak, dense_last, image_peak, image_last: scores there, in [0, 1].
    """

    seed: int | None
    fires: bool
    peak_step: int
    last_step: int
    dense_peak: float
    dense_last: float
    image_peak: float
    image_last: float

    @property
    def fall(self) -> float:
        """Percentage points of patch score lost since its peak; negative where it still rises."""
        return 100.0 * (self.dense_peak - self.dense_last)


@dataclass(frozen=True, slots=True)
class Effect:
    """One arm minus another at the last step that all seeds of both have.

    Attributes:
        arm, over: the two.
        metric: a key of `METRICS`.
        step: where they are compared.
        mean, low, high: of the differences seed by seed, in the metric's own unit.
        seeds: both have.
        verdict: ``above``, ``below`` or ``within`` the spread of the seeds; ``unknown`` with fewer than
            three seeds.
    """

    arm: str
    over: str
    metric: str
    step: int
    mean: float
    low: float
    high: float
    seeds: tuple[int, ...]
    verdict: str


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What the rules say.

    Attributes:
        gates: for each trunk.
        gate: of the trunk, or of the mean of three and more; None where it cannot be computed.
        effects: every comparison made.
        credited: arms of the Gram anchor that beat all of their controls.
        sentences: for people, generated from the rest.
    """

    gates: tuple[Gate, ...]
    gate: Gate | None
    effects: tuple[Effect, ...]
    credited: tuple[str, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class LossCurve:
    """Losses of one run, thinned to means over equal runs of steps.

    Attributes:
        run, seed: as in `Score`.
        steps: the last of each mean.
        values: by loss, before its weight.
    """

    run: str
    seed: int
    steps: Float[np.ndarray, " points"]
    values: Mapping[str, Float[np.ndarray, " points"]]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One network's maps of the strip's photographs.

    Attributes:
        run, seed, step: as in `Score`.
        colours: pseudo-colour of each photograph in the strip's one basis, in [0, 1].
        cosines: of the strip's reference patch with every patch of each photograph.
    """

    run: str
    seed: int
    step: int
    colours: tuple[Float[np.ndarray, "_ _ 3"], ...]
    cosines: tuple[Float[np.ndarray, "_ _"], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """Maps of photographs at every checkpoint.

    Attributes:
        photographs: none of them was trained on.
        at: the reference place (x, y) in [0, 1]² of every photograph.
        patches: the reference patch (row, col) of each.
        frames: in order of steps, arms behind the trunk.
        explained: shares of the variance of all frames together along the three components.
    """

    photographs: tuple[Photograph, ...]
    at: tuple[float, float]
    patches: tuple[tuple[int, int], ...]
    frames: tuple[Frame, ...]
    explained: tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class GramPair:
    """Cosines of all patches of one photograph, by one network and by its frozen teacher.

    Attributes:
        run, seed, step: of the network.
        teacher_step: of the teacher.
        student, teacher: cosine matrices, patches row by row.
        distance: the Gram distance of the two.
    """

    run: str
    seed: int
    step: int
    teacher_step: int
    student: Float[np.ndarray, "n n"]
    teacher: Float[np.ndarray, "n n"]
    distance: float


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """The positive control: damage planted on purpose, and what became of it.

    Attributes:
        scores: of the trunk where the pull began and of the frozen teacher, of the damaged network, and of
            the arms after it.
        start_step, release_step: of the pull.
        teacher_step: of the frozen teacher; None without anchored arms.
        sentences: for people, by the rules.
        strip: maps before, damaged, and after.
    """

    scores: tuple[Score, ...]
    start_step: int
    release_step: int
    teacher_step: int | None
    sentences: tuple[str, ...]
    strip: Strip | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """Time of one stage.

    Attributes:
        stage: what was done.
        steps: of training; 0 for what is no training.
        seconds: on the wall; NaN where it was not recorded.
    """

    stage: str
    steps: int
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Laboratory:
    """Everything a report of the experiment shows.

    Attributes:
        scores: of every network that was measured.
        conclusion: by the rules.
        losses: of every run.
        strip: maps; None where no photographs were shown.
        grams: student beside teacher.
        spent: compute.
        teacher_step: of the frozen teacher; None without anchored arms.
        fork_step: where the arms branch off; None without arms.
        settings: of training, arms and measurement.
        machine: in words.
        control: damage of a known cause; None where none was planted.
    """

    scores: tuple[Score, ...]
    conclusion: Conclusion
    losses: tuple[LossCurve, ...] = ()
    strip: Strip | None = None
    grams: tuple[GramPair, ...] = ()
    spent: tuple[Spent, ...] = ()
    teacher_step: int | None = None
    fork_step: int | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    machine: str = ""
    control: Control | None = None
