"""The recipe of the bundled pair, and the short pilots it was chosen by. Every value is here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dinoscope.anchoring.arms import Recipe
from dinoscope.anchoring.config import Crops, Machine, Network, Objective, Settings

PLAIN = Settings(steps=400, memory_px=0, checkpoint_every=50, snapshot_every=100, keep_checkpoints=1)
"""The laboratory's defaults, on thumbnails."""

_SMALL = Network(dim=64, depth=4, heads=2, hidden=256, prototypes=1024)
_CROPS = Crops(n_local=4)


def _warmth(student: float, teacher: float) -> Objective:
    return Objective(student_temperature=student, teacher_temperature=teacher, first_temperature=teacher)


_CONTRAST = replace(_warmth(0.033, 0.0133), contrast=1.0)
_COLOUR = replace(_CROPS, grey_share=0.0)
_PILOT = replace(
    PLAIN,
    steps=1_200,
    snapshot_every=1_200,
    checkpoint_every=200,
    network=_SMALL,
    crops=_CROPS,
    objective=_warmth(0.1, 0.04),
)

PILOTS: Mapping[str, Settings] = {
    "base": _PILOT,
    "few-prototypes": replace(_PILOT, network=replace(_SMALL, prototypes=256)),
    "sharp": replace(_PILOT, objective=_warmth(0.033, 0.0133)),
    "sharper": replace(_PILOT, objective=_warmth(0.02, 0.008)),
    "contrast": replace(_PILOT, objective=_CONTRAST),
    "contrast-alone": replace(_PILOT, objective=replace(_CONTRAST, contrast=2.0, dino=0.0)),
    "contrast-more": replace(_PILOT, objective=replace(_CONTRAST, contrast=3.0, contrast_temperature=0.1)),
    "mild": replace(_PILOT, objective=_CONTRAST, crops=replace(_CROPS, jitter=0.2, grey_share=0.0)),
    "colour": replace(_PILOT, objective=_CONTRAST, crops=_COLOUR),
}
"""A fifth of a trunk's arithmetic: half the channels, four blocks. The first four are each one change of
``base``; ``contrast`` is one of ``sharp``, and the others are changes of ``contrast``."""

TRUNK_STEPS, ARM_STEPS, COOLDOWN = 4_200, 1_000, 800
TRUNK = replace(
    PLAIN,
    steps=TRUNK_STEPS,
    ema=0.994,
    warmup=200,
    network=Network(prototypes=1024),
    crops=_COLOUR,
    objective=_CONTRAST,
    checkpoint_every=50,
    snapshot_every=400,
    machine=Machine(device="cpu"),
)
"""Temperatures are a third of the published ones: prototypes begin at a sixth of unit length and stay short:
under the published ones the teacher says next to nothing for thousands of steps (pilot ``base``).
Class tokens are told from one another too (``contrast``), and no crop loses its colours (``colour``). Rotary
positions are rescaled by up to 2, as in the defaults, so that larger grids than a crop's work."""

ARMS = ("continue", "gram-x2")
PAIR = Recipe(steps=ARM_STEPS, weight=20.0, update_every=0, cooldown=COOLDOWN, teacher_step=800)
"""Both arms alike: the same steps, batches and cool-down. The anchor holds patches to the trunk of step 800,
where its coherence at equal distance was highest; it falls from there on."""
