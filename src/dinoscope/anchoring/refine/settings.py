"""What a refinement is, and the controls that say what its gain is owed to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from dinoscope.anchoring.checks import require, require_least
from dinoscope.anchoring.config import Crops, Machine, Network, SecondStage, Settings


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of training on.

    Attributes:
        scale: times the student's resolution at which the teacher of the Gram matrix looks; 0 for no Gram
            loss at all.
        blurred: whether that teacher's maps are blurred by one patch.
        words: what it asks.
    """

    scale: int
    blurred: bool = False
    words: str = ""


REFINED = "refined"
ARMS: Mapping[str, Arm] = {
    REFINED: Arm(2, words="the refinement: the Gram matrix of twice the resolution"),
    "anchors-only": Arm(0, words="no Gram loss: is it the training alone?"),
    "gram-x1": Arm(1, words="a teacher at the student's resolution: does the finer look matter?"),
    "gram-x1-blurred": Arm(1, blurred=True, words="that teacher, blurred: is it smoothing?"),
}
"""The refinement, and its controls. All see the same crops in the same order."""


@dataclass(frozen=True, slots=True)
class Refinement:
    """Settings that all arms share.

    Attributes:
        steps: of each arm.
        batch: photographs a step; two crops of each.
        grid: patches on a side of a student's crop.
        weight: of the Gram loss, as in `dinoscope.training.anchor.GramAnchor`.
        cls, features: weights of one minus the cosine with the unchanged model's class token and patches.
        rank: of the matrices that are added to each linear layer of the blocks, and alone are learned;
            0 to learn every weight.
        learning_rate: of AdamW, reached after a tenth of the steps; falls to 0 along half a cosine.
        seed: of crops, their order, and low-rank matrices.
        checkpoint_every: steps between states to resume from.
        controls: whether the controls are trained, too.
    """

    steps: int = 400
    batch: int = 64
    grid: int = 8
    weight: float = 2.0
    cls: float = 1.0
    features: float = 1.0
    rank: int = 0
    learning_rate: float = 3e-5
    seed: int = 0
    checkpoint_every: int = 50
    controls: bool = True

    def __post_init__(self) -> None:
        require_least(self, 1, "steps", "checkpoint_every")
        require_least(self, 2, "batch", "grid")
        require_least(self, 0, "weight", "cls", "features", "rank", "seed")
        require(self.learning_rate > 0, f"learning_rate must be above 0, got {self.learning_rate}")

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms to train."""
        return tuple(ARMS) if self.controls else (REFINED,)

    def crops(self, patch_px: int, workers: int) -> Settings:
        """The laboratory's settings that cut such crops: clean ones at twice the resolution beside them."""
        px = self.grid * patch_px
        return Settings(
            seed=self.seed,
            steps=self.steps,
            batch=self.batch,
            memory_px=3 * px,
            network=Network(patch_size=patch_px),
            crops=Crops(global_px=px, local_px=patch_px, n_local=0, mask_share=0.0),
            second_stage=SecondStage(start=0, anchor="gram", scale=2),
            machine=Machine(workers=workers),
        )

    def as_json(self) -> str:
        """For the folder's record."""
        return json.dumps(asdict(self))
