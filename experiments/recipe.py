"""The recipe of the better pair, and the short pilots it was chosen by. Every value is here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dinoscope.anchoring.arms import Recipe
from dinoscope.anchoring.config import Crops, Machine, Network, Objective, Settings

PLAIN = Settings(steps=400, memory_px=0, checkpoint_every=50, snapshot_every=100, keep_checkpoints=1)
"""The laboratory's defaults, on thumbnails."""

_SMALL = Network(dim=64, depth=4, heads=2, hidden=256)
_CROPS = Crops(n_local=4)
_PILOT = replace(PLAIN, network=replace(_SMALL, prototypes=1024))

PILOTS: Mapping[str, Settings] = {
    "plain": replace(PLAIN, network=_SMALL),
    "prototypes": _PILOT,
    "multi-crop": replace(_PILOT, crops=_CROPS),
    "fast": replace(_PILOT, learning_rate=2e-3),
    "warm": replace(_PILOT, objective=Objective(teacher_temperature=0.06)),
    "slow-teacher": replace(_PILOT, ema=0.996),
}
"""A seventh of the arithmetic of a trunk's step: half the channels, two thirds of the blocks."""

TRUNK_STEPS, ARM_STEPS, COOLDOWN = 12_000, 3_000, 2_000
TRUNK = replace(
    PLAIN,
    steps=TRUNK_STEPS,
    ema=0.994,
    warmup=500,
    network=Network(depth=7, prototypes=1024),
    crops=_CROPS,
    objective=Objective(first_temperature=0.04, teacher_temperature=0.06, temperature_steps=3_000),
    checkpoint_every=50,
    snapshot_every=400,
    machine=Machine(device="cpu"),
)
"""Rotary positions are rescaled by up to 2, as in the defaults, so that larger grids than a crop's work."""

ARMS = ("continue", "gram-x2")
PAIR = Recipe(steps=ARM_STEPS, weight=20.0, update_every=0, cooldown=COOLDOWN)
"""Both arms alike: the same steps, batches and cool-down."""
