"""Trains the trunks of the confirmatory experiment and their arms, for as long as there is time.

    nice -n 19 python -m experiments.confirmatory.train OUT PHOTOGRAPHS [--minutes 50] [--trunks 1,2,3,4,5,6]

OUT gets ``code.json`` and, for each trunk, ``trunk-S/trunk``, ``trunk-S/arms/ARM`` and ``trunk-S/random``,
the untrained teacher. The next call goes on where this one ended; a call that is ended in any way loses at
most 100 steps. Under other code than it began with a run does not go on. A GPU is used where there is one, in
float32: on an H100 eight trunks side by side took 14 minutes, each in a process of its own with compiled
blocks. On one CPU core a trunk takes about 1 hour, its arms 2.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from dinoscope.anchoring.arms import Branch, Recipe, run_arm
from dinoscope.anchoring.config import Machine, Settings
from dinoscope.anchoring.folder import RunFolder
from dinoscope.anchoring.train import Progress, run
from experiments.bars import random_network
from experiments.pair import TimeIsUpError, listener, slice_parser
from experiments.pinned import pin

SEEDS = (1, 2, 3, 4, 5, 6)
STEPS, ARM_STEPS, EARLY = 2_000, 400, 400
SNAPSHOTS = (EARLY, 1_000, 1_400, STEPS)
TRUNK = Settings(steps=STEPS, snapshot_every=200, machine=Machine(precision="float32"))
RECIPE = Recipe(steps=ARM_STEPS, weight=20.0, teacher_step=EARLY, update_every=0)
BLURRED = replace(RECIPE, blur=1.0)
RANDOM_SEED = 1_000
"""Added to a trunk's seed: the weights of the untrained teacher."""


def train_trunk(seed: int, photographs: Sequence[str], out: Path, tell: Callable[[Progress], None]) -> None:
    """One trunk and all its arms; what is there already is gone on with."""
    settings = replace(TRUNK, seed=seed)
    trunk = run(settings, photographs, out / "trunk", on_step=tell, resume=True).path
    arms = out / "arms"

    def arm(name: str, recipe: Recipe, folder: Path, teachers: Path | None = None) -> RunFolder:
        branch = Branch(name, teachers=teachers)
        return run_arm(trunk, photographs, folder / name, branch, recipe, on_step=tell, resume=True)

    arm("continue", RECIPE, arms)
    arm("gram-x1", RECIPE, arms)
    gram = arm("gram-x2", RECIPE, arms)
    weight = matched_weight(trunk, photographs, gram)
    arm("feature-mse", replace(RECIPE, weight=weight), arms)
    arm("gram-x1", BLURRED, arms / "blurred")
    untrained = untrained_teacher(settings, out / "random")
    arm("gram-x1", replace(RECIPE, teacher_step=None), arms / "random", untrained)


def matched_weight(trunk: Path, photographs: Sequence[str], gram: RunFolder) -> float:
    """The weight with which the feature loss begins at the share of the loss that the Gram loss has."""
    with tempfile.TemporaryDirectory() as folder:
        first = replace(RECIPE, steps=1)
        probe = run_arm(trunk, photographs, Path(folder) / "probe", Branch("feature-mse"), first)
        feature = first_loss(probe, "feature_mse")
    return RECIPE.weight * first_loss(gram, "gram") / feature


def first_loss(folder: RunFolder, name: str) -> float:
    """A loss of a run's first step, before its weight."""
    with folder.losses.open(encoding="utf-8") as lines:
        return float(json.loads(next(lines))[name])


def untrained_teacher(settings: Settings, out: Path) -> Path:
    """A folder of a run whose one snapshot, of step 0, is a network with random weights."""
    snapshot = RunFolder(out).snapshot(0)
    if not snapshot.exists():
        random_network(snapshot, replace(settings, seed=settings.seed + RANDOM_SEED))
    return out


def main(words: Sequence[str] | None = None) -> None:
    """Train."""
    parser = slice_parser("experiments.confirmatory.train", __doc__)
    parser.add_argument("photographs", nargs="+")
    parser.add_argument("--trunks", default=",".join(map(str, SEEDS)))
    asked = parser.parse_args(words)
    torch.set_num_threads(asked.threads)
    pin(asked.out, other=asked.other_code)
    tell = listener(asked.minutes, TRUNK.checkpoint_every)
    try:
        for seed in map(int, asked.trunks.split(",")):
            print(f"trunk {seed}", flush=True)
            train_trunk(seed, asked.photographs, asked.out / f"trunk-{seed}", tell)
    except TimeIsUpError:
        print("the time is up; the same command goes on")


if __name__ == "__main__":
    main()
