"""A comparison's own time and its report's beside another checkout's: before and now, in one run.

    python -m benchmarks.beside --before CHECKOUT [--rounds 5] [--photographs 8]

Processor seconds of one thread; both ways at once in fresh processes on one core, so that both meet the same
crowd; medians, and the ratio of the same round. Photographs of one megapixel, two ViT-S with random weights,
no controls. What a comparison takes beyond the passes is the time of its numbers and maps of features that
are there already. About 2 minutes a round on 2 CPU cores.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from benchmarks.machine import load_over_cores, write_result

SIDE = 1024
MODELS = ("random:dinov2-small", "random:dinov3-vits16")
MEASURED = ("passes_s", "own_s", "report_s")


def photograph(seed: int) -> UInt8[np.ndarray, "H W 3"]:
    """Smooth colours and the noise of a sensor."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (SIDE // 16, SIDE // 16, 3), dtype=np.uint8))
    smooth = np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC)).astype(np.int16)
    return np.clip(smooth + rng.integers(-6, 7, (SIDE, SIDE, 1)), 0, 255).astype(np.uint8)


def measured(count: int) -> dict[str, float]:
    """Passes, what a comparison takes beyond them, and its report; by the dinoscope that is imported."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import dinoscope as ds
    from dinoscope.comparison.compare import assemble
    from dinoscope.comparison.maps import MapOptions
    from dinoscope.comparison.measuring import features_of, measurements_of
    from dinoscope.comparison.output import write_comparison
    from dinoscope.comparison.plan import plan_for
    from dinoscope.pipeline.run import Run

    pictures = [photograph(seed) for seed in range(count)]
    models = [ds.load_backbone(name) for name in MODELS]
    ds.compare(pictures[:1], models, controls=False)
    plan = plan_for(models, Run(32))
    start = time.process_time()
    stream = list(features_of(pictures, plan, failed=print, on_progress=lambda _: None))
    passes = time.process_time() - start
    photographs, rows = zip(*stream, strict=True)
    start = time.process_time()
    numbers = measurements_of(iter(stream), plan, failed=print)
    comparison = assemble(plan, photographs, rows, numbers, MapOptions())
    own = time.process_time() - start
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        write_comparison(comparison, Path(folder) / "report")
        return {"passes_s": passes, "own_s": own, "report_s": time.process_time() - start}


def child(checkout: Path, count: int) -> subprocess.Popen[str]:
    """`measured` in a fresh process, by the dinoscope of a checkout."""
    here = Path(__file__).parents[1]
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.beside", "--measure", "--photographs", str(count)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=here,
        env={**os.environ, **one, "PYTHONPATH": os.pathsep.join([str(checkout / "src"), str(here)])},
    )


def at_once(ways: Mapping[str, Path], count: int) -> dict[str, dict[str, float]]:
    """Each way's figures."""
    running = {way: child(checkout, count) for way, checkout in ways.items()}
    return {way: json.loads(one.communicate()[0].splitlines()[-1]) for way, one in running.items()}


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--photographs", type=int, default=8)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measured(asked.photographs)))
        return
    if asked.before is None:
        parser.error("--before needs the folder of another checkout")
    ways = {"before": asked.before.resolve(), "now": Path(__file__).parents[1]}
    rounds = [at_once(ways, asked.photographs) for _ in range(asked.rounds)]
    passes = statistics.median(one["passes_s"] for both in rounds for one in both.values())
    result: dict[str, object] = {
        "rounds": asked.rounds,
        "photographs": asked.photographs,
        "load_over_cores": load_over_cores(),
        "passes_s": passes,
    }
    for what in MEASURED[1:]:
        medians = {way: statistics.median(both[way][what] for both in rounds) for way in ways}
        ratio = statistics.median(both["before"][what] / both["now"][what] for both in rounds)
        result[what.removesuffix("_s")] = {**medians, "ratio": ratio}
    result["own_over_passes"] = {
        way: statistics.median(both[way]["own_s"] / both[way]["passes_s"] for both in rounds) for way in ways
    }
    print(json.dumps(result, indent=2))
    write_result("beside", result)


if __name__ == "__main__":
    main()
