"""How often does the monitor's rule raise a false alarm, and does it see planted damage?

    nice -n 5 python -m validation.monitor          about 5 minutes on one core

The laboratory's smallest network (dim 16, two blocks, patch 4) learns from 48 drawn photographs, in ten
seeds of 240 steps each: healthy runs, in which every alarm is a false one. From step 160 of each seed
another run branches off in which patches are pulled towards their class token (the laboratory's planted
damage). A monitor looks every 20 steps at 12 other photographs with masks, with a warm-up of 100 steps. The
rule's limits were chosen on seeds below 30; these are 30 to 39. Expected: 0 of 10, and 10 of 10 within 3
checks.
"""

from __future__ import annotations

import copy
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image

from dinoscope.anchoring.batches import batches
from dinoscope.anchoring.config import Crops, Network, Objective, SecondStage, Settings
from dinoscope.anchoring.photographs import PhotographMemory, read_memory
from dinoscope.anchoring.plan import Planting
from dinoscope.anchoring.state import State, fresh_state
from dinoscope.anchoring.step import learn
from dinoscope.io.images import photograph_from_array
from dinoscope.monitoring.monitor import Monitor
from dinoscope.scenes.generate import scenes

SEEDS = range(30, 40)
TRUNK, STEPS, EVERY, WARMUP = 160, 240, 20, 100
WATCHED, WATCHED_PX, TRAINED, TRAINED_PX = 12, 64, 48, 48
NETWORK = Network(
    dim=16,
    depth=2,
    heads=2,
    patch_size=4,
    registers=2,
    hidden=32,
    prototypes=8,
    head_hidden=16,
    head_bottleneck=8,
)
CROPS = Crops(global_px=16, local_px=8, mask_side=(1, 2))
OBJECTIVE = Objective(student_temperature=0.1, teacher_temperature=0.04, first_temperature=0.04)


def settings(seed: int) -> Settings:
    """Of one run."""
    return Settings(
        seed=seed,
        steps=STEPS,
        batch=8,
        warmup=10,
        ema=0.95,
        memory_px=32,
        network=NETWORK,
        crops=CROPS,
        objective=OBJECTIVE,
    )


def watcher() -> Monitor:
    """On photographs that nothing learns from."""
    held = list(scenes(WATCHED, 20_260_010, size=(WATCHED_PX, WATCHED_PX)))
    photographs = [photograph_from_array(s.first.image, name=f"{i}") for i, s in enumerate(held)]
    masks = {f"{i}": s.first.instances for i, s in enumerate(held)}
    return Monitor(photographs, EVERY, masks=masks, grid=WATCHED_PX // NETWORK.patch_size, warmup=WARMUP)


def trained(
    state: State, memory: PhotographMemory, config: Settings, first: int, monitor: Monitor, until: int
) -> tuple[int | None, float]:
    """Learns to step ``until``, or to the first alarm; its step, and the seconds that the monitor took."""
    spent = 0.0
    for step, batch in enumerate(batches(memory, config, first), first):
        learn(state, batch, config, step, half=False)
        began = time.process_time()
        check = monitor.update(state.student.backbone, step)
        spent += time.process_time() - began
        if (check is not None and check.falls_since is not None) or step == until:
            return (step if check is not None and check.falls_since is not None else None), spent
    return None, spent


def one_seed(seed: int, folder: Path) -> tuple[int | None, int | None]:
    """The step of a false alarm, and how many checks after the damage it was seen; None for never."""
    config, plan = settings(seed), Planting()
    memory = read_memory(
        folder, batch=config.batch, crop_px=config.crops.global_px, memory_px=config.memory_px
    )
    state, monitor = fresh_state(config, torch.device("cpu"), None), watcher()
    monitor.update(state.student.backbone, 0)
    false, _ = trained(state, memory, config, 1, monitor, TRUNK)
    damaged, watching = copy.deepcopy(state), copy.deepcopy(monitor)
    if false is None:
        false, _ = trained(state, memory, config, TRUNK + 1, monitor, STEPS)
    stage = SecondStage(start=TRUNK, ramp=plan.ramp, local=config.objective.local, pull=plan.weight)
    pulled = replace(config, second_stage=stage)
    true, _ = trained(damaged, memory, pulled, TRUNK + 1, watching, STEPS)
    return false, None if true is None else (true - TRUNK) // EVERY


def main() -> None:
    """All seeds, or those named."""
    torch.set_num_threads(1)
    seeds = [int(word) for word in sys.argv[1:]] or list(SEEDS)
    with tempfile.TemporaryDirectory() as name:
        for i, scene in enumerate(scenes(TRAINED, 1, size=(TRAINED_PX, TRAINED_PX))):
            Image.fromarray(scene.first.image.copy()).save(Path(name) / f"{i:03d}.png")
        found = []
        for seed in seeds:
            found.append(one_seed(seed, Path(name)))
            print(
                f"seed {seed}: false alarm {found[-1][0]}, checks to the planted one {found[-1][1]}",
                flush=True,
            )
    false = sum(f is not None for f, _ in found)
    seen = sum(n is not None and n <= 3 for _, n in found)
    print(
        f"false alarms: {false} of {len(found)}; planted damage seen within 3 checks: {seen} of {len(found)}"
    )


if __name__ == "__main__":
    main()
