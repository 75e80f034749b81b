"""What `choose` costs beside the forward pass that it makes: 12 layers of a photograph on one grid.

    python -m benchmarks.choose [--rounds 3]

A ViT-S/16 and a ViT-B/16 with random weights on 32 x 32 patches of scenes with masks, as processor seconds
of one thread. Gathering is the forward pass, the places' vectors, and the metrics of every layer's map;
deciding comes once for all photographs. About three minutes. Expected: gathering at most 1.3 forward passes
of the smaller and 1.2 of the larger; the aim is 1.2.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
from functools import partial
from pathlib import Path

import torch

import dinoscope as ds
from benchmarks.extract import same_weights
from benchmarks.machine import load_over_cores, processor_seconds, write_result
from dinoscope.backbones.base import Backbone
from dinoscope.choice.choose import FEWEST
from dinoscope.scenes.write import write_scenes

GRID = 32


def chosen(backbone: Backbone, scenes: Path, rounds: int) -> dict[str, float]:
    """A forward pass and gathering, for one photograph, and deciding; medians of rounds that alternate."""
    photographs = sorted((scenes / "images").glob("*.png"))
    forward, gather, decide = [], [], []
    for _ in range(rounds):
        forward.append(processor_seconds(lambda: list(ds.extract(photographs, backbone, grid=GRID))))
        with tempfile.TemporaryDirectory() as kept:

            def choose(stop_at: int, folder: str = kept) -> None:
                def stop(done: int) -> None:
                    if done == stop_at:
                        raise KeyboardInterrupt

                with contextlib.suppress(KeyboardInterrupt):
                    ds.choose(
                        photographs,
                        scenes / "masks" / "class",
                        backbone,
                        grids=(GRID,),
                        folder=folder,
                        on_progress=stop,
                    )

            gather.append(processor_seconds(partial(choose, len(photographs))))
            decide.append(processor_seconds(partial(choose, 0)))  # everything is gathered already
    n = len(photographs)
    return {
        "forward_s": statistics.median(forward) / n,
        "gather_s": statistics.median(gather) / n,
        "decide_s": statistics.median(decide),
        "ratio": statistics.median(g / f for g, f in zip(gather, forward, strict=True)),
    }


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    result: dict[str, object] = {
        "photographs": FEWEST,
        "load_over_cores": load_over_cores(),
    }
    with tempfile.TemporaryDirectory() as folder:
        write_scenes(Path(folder), FEWEST, 0)
        result |= chosen(same_weights()[1], Path(folder), asked.rounds)
        larger = chosen(ds.load_backbone("random:dinov3-vitb16"), Path(folder), asked.rounds)
        result |= {f"larger_{name}": value for name, value in larger.items()}
    print(result)
    print(write_result("choose", result))


if __name__ == "__main__":
    main()
