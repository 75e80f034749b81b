"""The ways of `extract --fast` beside each other: float32, compiled, 16 bits, 8 bits.

    python -m benchmarks.ways [--rounds 7]

Processor time of one thread for a pass of one photograph, ways in alternation; and how near to float32 each
comes on photographs that scikit-image brings. Minutes, most of them compiling. Expected on a processor with
AVX512-VNNI: 8 bits at least 1.3 times as fast as float32 with a mean cosine of at least 0.9999.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import skimage.data
import torch

import dinoscope as ds
from benchmarks.machine import load_over_cores, write_result
from dinoscope.io.resize import filter_name
from dinoscope.pipeline.certificate import checked_way
from dinoscope.pipeline.extract import load_photograph
from dinoscope.pipeline.forward import model_pixels, prepared, route_for
from dinoscope.pipeline.run import Run
from dinoscope.pipeline.way_times import PLAIN, time_ways, ways_of

MODELS = {"mini": 128, "random:dinov3-vits16": 512, "random:dinov2-small": 448}
"""Their inputs' sides in pixels."""


def ways(name: str, side: int, rounds: int) -> dict[str, object]:
    """Each way's gain over float32, what starting it takes, and its certificate."""
    backbone = ds.load_backbone(name)
    run = Run((side // backbone.spec.patch_size,) * 2)
    photographs = [load_photograph(np.array(p)) for p in (skimage.data.astronaut(), skimage.data.coffee())]
    filter_ = filter_name(run.resize, backbone.spec.family)
    grid = run.fit(photographs[0].size, backbone.spec.patch_size)
    ready = prepared(photographs[0], grid, filter_, route_for("cpu", filter_))
    pixels = model_pixels([ready], backbone.spec, filter_, backbone.device)
    found = time_ways(backbone, pixels, rounds=rounds, clock=time.process_time)
    result: dict[str, object] = {"side_px": side, "missing": found.missing}
    for timed in found.times:
        facts: dict[str, object] = {
            "pass_s": timed.photograph_s,
            "gain": timed.gain,
            "start_s": timed.start_s,
        }
        if timed.way != PLAIN:
            proof = checked_way(ways_of(backbone)[timed.way](backbone), backbone, photographs, run)
            facts |= {"mean_cosine": proof.mean, "worst_cosine": proof.minimum, "patches": proof.n_patches}
        result[timed.way] = facts
    return result


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    result: dict[str, object] = {
        "rounds": asked.rounds,
        "load_over_cores": load_over_cores(),
    }
    for name, side in MODELS.items():
        result[name.removeprefix("random:")] = ways(name, side, asked.rounds)
        print(name, result[name.removeprefix("random:")], flush=True)
        write_result("ways", result)


if __name__ == "__main__":
    main()
